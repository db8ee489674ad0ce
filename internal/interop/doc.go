// Package interop owns the real peers that the interoperability tests run
// against: the stock MeshCentral server and its command-line client, the stock
// native agent, and nginx as a TLS-terminating proxy.
//
// MeshCentral comes from npm, pinned by the lock file in the npm folder, and is
// installed once into a cache directory that all test binaries of this user
// share; see [CacheEnv]. A data directory with certificates and an
// administrator account is made once as well and copied for each server, so
// that a server starts in a second or two.
//
// A test names what it needs and gets it running on loopback:
//
//	server := interop.StartServer(t, interop.ServerOptions{})
//	group := server.CreateGroup(t, "lab")
//	interop.StartAgent(t, server.MSH(t, group), interop.AgentOptions{})
//	device := server.WaitDevice(t, interop.Online)
//	control := server.Control(t)
//	t.Log(control.Console(t, device.ID, "help"))
//
// A peer that is missing skips the test with one line that says what to
// install, and fails it when the environment says CI=true. Every peer runs in
// a process group of its own that ends with the test; on Linux a peer also
// ends when the test binary is killed.
package interop
