package wsmantest_test

import (
	"fmt"
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/digest"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

func itoa(n int) string { return strconv.Itoa(n) }

func credentials(c *client) digest.Credentials {
	return digest.Credentials{Username: c.user, Password: wsman.NewSecret(c.pass)}
}

// connect connects to a port of a device over TCP, for what ends a connection while the other end does not read, as TLS.
func connect(t testing.TB, d *wsmantest.Device, port uint16) net.Conn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() {
		conn, err := l.Accept()
		_ = l.Close()
		if err == nil {
			d.ServeConn(conn, port)
		}
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// printed gives a value in the forms in which it may end up in a log.
func printed(v any) string { return fmt.Sprintf("%v %+v %#v %s", v, v, v, v) }
