package mpstest

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// handle runs a handler at one end of a connection and returns the other end, and what waits for the handler.
func handle(t *testing.T, h Handler) (net.Conn, <-chan struct{}) {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer theirs.Close()
		h(theirs)
	}()
	t.Cleanup(func() { ours.Close(); <-done })
	return ours, done
}

func TestEcho(t *testing.T) {
	c, done := handle(t, Echo)
	for _, s := range []string{"x", "hello"} {
		_, err := io.WriteString(c, s)
		require.NoError(t, err)
		b := make([]byte, len(s))
		_, err = io.ReadFull(c, b)
		require.NoError(t, err)
		require.Equal(t, s, string(b))
	}
	c.Close()
	<-done
}

func TestHTTPOverTLS(t *testing.T) {
	cert := serverCert(t, nil)
	site := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "you asked for %s", r.URL.Path) })
	c, done := handle(t, TLS(&tls.Config{Certificates: []tls.Certificate{cert}}, HTTP(site)))
	client := &http.Client{Transport: &http.Transport{
		DialContext:     func(context.Context, string, string) (net.Conn, error) { return c, nil },
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	for _, path := range []string{"/wsman", "/index.htm"} { // on one connection
		resp, err := client.Get("https://amt" + path)
		require.NoError(t, err)
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, "you asked for "+path, string(b))
	}
	client.CloseIdleConnections()
	<-done
}

func TestDiscard(t *testing.T) {
	c, done := handle(t, Discard)
	_, err := io.WriteString(c, "gone")
	require.NoError(t, err)
	c.Close()
	<-done
}

// written keeps every write by itself.
type written struct {
	apf.Stream
	writes [][]byte
}

// Write implements [io.Writer].
func (w *written) Write(p []byte) (int, error) {
	w.writes = append(w.writes, bytes.Clone(p))
	return len(p), nil
}

func TestSplit(t *testing.T) {
	password := apf.UserAuthRequest{User: []byte("u"), Method: []byte("password"), Password: []byte("p")}.Append(nil)
	for _, splitPassword := range []bool{false, true} {
		w := &written{}
		s := &splitStream{w, split{4, splitPassword}}
		for _, message := range [][]byte{{1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4}, {}, password} {
			n, err := s.Write(message)
			require.NoError(t, err)
			require.Equal(t, len(message), n)
		}
		require.Equal(t, [][]byte{{1, 2, 3, 4}, {5, 6, 7, 8}, {9}, {1, 2, 3, 4}}, w.writes[:4])
		if splitPassword {
			require.Equal(t, password, bytes.Join(w.writes[4:], nil))
			require.Len(t, w.writes[4:], (len(password)+3)/4)
		} else {
			require.Equal(t, [][]byte{password}, w.writes[4:])
		}
	}
}

func TestTextMessages(t *testing.T) {
	ours, theirs := msgconn.Pipe()
	defer ours.Close(0, "")
	version := []byte{0xc0, 0, 0x80, 0xff, 'A'}
	data := []byte{byte(apf.TypeChannelData), 0xff, 0x80}
	go func() {
		c := textConn{theirs}
		_ = c.WriteMessage(context.Background(), msgconn.Binary, version)
		_ = c.WriteMessage(context.Background(), msgconn.Binary, data)
	}()
	typ, b, err := ours.ReadMessage(t.Context())
	require.NoError(t, err)
	require.Equal(t, msgconn.Text, typ)
	require.Equal(t, "\u00c0\x00\u0080\u00ffA", string(b))
	typ, b, err = ours.ReadMessage(t.Context())
	require.NoError(t, err)
	require.Equal(t, msgconn.Binary, typ)
	require.Equal(t, data, b)
}
