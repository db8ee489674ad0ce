// Package mps is the server that Intel AMT machines call in to over the Internet (CIRA), and the registry of those that
// are online. MeshCentral calls it the MPS.
//
// A [Server] takes connections from a net.Listener, with TLS or behind a proxy that speaks TLS, and WebSockets of agents
// and MeshCmd as an http.Handler for /apf.ashx. Who may log in, and as which device, is decided by a function of yours:
//
//	server, err := mps.NewServer(mps.Config{
//		Certificates: []tls.Certificate{cert},
//		Authenticate: func(ctx context.Context, l *mps.Login) (mps.Identity, error) { ... },
//	})
//	go server.Serve(listener)
//	...
//	device, ok := server.Registry().Device(key)
//	conn, err := device.DialContext(ctx, "tcp", ":16992") // a net.Conn to AMT's web server
//
// Nothing is served before the login. What keeps a device from coming online is an [Event] with the phase in which it
// happened and the reason, and a line in the log.
//
// Package apf has the protocol; PROTOCOL.md beside this file has what is the server's: ports, TLS, identities, HTTP.
//
// Upstream facts were confirmed in mpsserver.js, certoperations.js and webserver.js of MeshCentral 1.1.55.
package mps
