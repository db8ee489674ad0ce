// Package apf speaks the AMT Port Forwarding protocol: the connection that an Intel AMT machine opens to a management
// presence server (MPS), and through which that server opens connections to the machine's ports. Both ends are here.
//
// APF is the connection protocol of SSH with its numbers (RFC 4252, RFC 4254) but without its packets: messages follow each
// other on a TLS stream, each starting with one byte that is its [Type] and tells its length. All numbers are big-endian; a
// string is a 32-bit length and its bytes.
//
// There are three layers. The messages and the [Parser] know bytes only. [ServerSession] and [DeviceSession] know the order
// of a login, and [Mux] the channels with their windows; they neither read nor write nor look at a clock. [Conn] drives them
// over a [Stream]: a [net.Conn], or a WebSocket ([NewWebSocketStream]), which is what MeshCentral's agents use.
//
//	conn := apf.NewServerConn(stream, &apf.ServerConfig{Authenticate: check})
//	go conn.Run(ctx)
//	c, err := conn.Dial(ctx, "", 16992) // a net.Conn to the device's port
package apf
