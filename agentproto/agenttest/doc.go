// Package agenttest is for tests of programs that use package agentproto: a server to test agents against, agents to test
// servers with, and connections between the two that need no network. Its place is that of net/http/httptest.
//
// A [Server] is a real agentproto.Server over TLS on a loopback address, or in memory; it keeps what its agents send for
// a test to look at. An [Agent] is a real agentproto.Client whose answers a test can script; many of them are a [Fleet].
// [Raw] is an agent that says whatever a test wants, in and out of the order that the protocol has.
//
// An agent that a server of this package makes is logged in when both know it: a test that has logged one in finds it among
// the server's sessions. How one side ends is heard by the other in its own time; Done of a session tells when.
//
// What is in memory works inside a testing/synctest bubble, where time-outs and back-off take no time.
//
// Keys and certificates are made when they are first needed, once in each process. They are quick to make and not secret
// from each other: never let them leave a test. Like httptest, the functions that start something panic if they can not.
package agenttest
