// Package agentproto is the protocol between MeshCentral's agents and its server, both sides of it: the WebSocket at
// /agent.ashx over which an agent proves its key, the server proves its own, and commands flow both ways for as long
// as the device is online.
//
// # Layers
//
// Codecs turn bytes into values and back: the binary messages ([AuthRequest], [AuthVerify], [AuthInfo], ...) and the
// JSON messages ([ParseAgentMessage], [ParseServerMessage]). Machines hold the rules and no I/O: [ServerHandshake] and
// [AgentHandshake] log a peer in, [CoreExchange] and [CoreReceiver] keep an agent's core and executable current.
// Drivers own connections, goroutines and time: [Server] accepts agents, [Client] is an agent.
//
// # A login
//
// All integers are big-endian. H is the SHA-384 hash of the TLS certificate that the agent sees, Na and Ns are the
// nonces of agent and server, 48 bytes each.
//
//	agent                                     server
//	30 AgentCommitDate, 31 HostInfo, 5 ServerId ->
//	1 AuthRequest (H, Na)                       ->
//	                                          <-  1 AuthRequest (H, Ns)
//	2 AuthVerify (certificate, sign(H|Ns|Na))   ->
//	                                          <-  2 AuthVerify (certificate, sign(H|Na|Ns))
//	3 AuthInfo (group, capabilities, name)      ->
//	                                          <-  4 AuthConfirm
//
// The short form: an agent that has seen this TLS certificate vouched for before sends 4 and 1 and 3 at once; the
// server then answers 1 alone, the agent 2, the server 4. It saves the server its signature, by far the costliest step.
//
// Both sides tell binary commands from JSON by the first byte: an opening brace is JSON. Agents send JSON in text
// messages; a server sends everything in binary ones.
package agentproto
