// Package controltest has a fake MeshCentral server for tests of programs that use package controlproto, in the manner of
// net/http/httptest. It is the server of controlproto itself, with accounts and devices that a test makes up, replies that it
// scripts, and a record of what was asked.
package controltest
