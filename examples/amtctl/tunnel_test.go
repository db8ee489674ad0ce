package main

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// pipe makes the operator's end of a tunnel and the server's.
func pipe(t *testing.T, marked bool) (*tunnelConn, *msgconn.PipeConn, *world) {
	t.Helper()
	w := newWorld()
	near, far := msgconn.Pipe()
	conn := &tunnelConn{Stream: apf.NewWebSocketStream(near), server: &server{session: &session{app: &app{system: w.system}}}, marked: marked}
	t.Cleanup(func() { conn.Close(); far.Close(0, "") })
	return conn, far, w
}

// Messages are bytes, text too, and the mark of a recording is told to the user and not to the protocol.
func TestTunnelConn(t *testing.T) {
	for name, test := range map[string]struct {
		marked   bool
		messages []string
		want     string
		recorded bool
	}{
		"binary":                 {false, []string{"b\x11\xF0", "b\x01"}, "\x11\xF0\x01", false},
		"text":                   {true, []string{"tHTTP\u00ff"}, "HTTP\xff", false},
		"recorded":               {false, []string{"b\xF0", "b\x11"}, "\x11", true},
		"recorded, in one piece": {false, []string{"b\xF0\x11\x02"}, "\x11\x02", true},
		"a page may begin so":    {true, []string{"b\xF0"}, "\xF0", false},
	} {
		t.Run(name, func(t *testing.T) {
			conn, far, w := pipe(t, test.marked)
			go func() {
				for _, m := range test.messages {
					kind := msgconn.Binary
					if m[0] == 't' {
						kind = msgconn.Text
					}
					_ = far.WriteMessage(t.Context(), kind, []byte(m[1:]))
				}
				_ = far.Close(msgconn.CloseNormal, "")
			}()
			got, err := io.ReadAll(conn)
			require.NoError(t, err)
			require.Equal(t, test.want, string(got))
			require.Equal(t, test.recorded, w.stderr.Len() > 0)
		})
	}
}

// A tunnel that is closed before anything came is a device that is not reached.
func TestTunnelRefused(t *testing.T) {
	conn, far, _ := pipe(t, false)
	require.NoError(t, far.Close(msgconn.CloseNormal, ""))
	_, err := conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, errNoTunnel)
	require.Equal(t, exitConnection, exitCode(err))
}
