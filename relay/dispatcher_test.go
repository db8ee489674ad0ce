//go:build !js

package relay

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"io"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

func testCertificate(t *testing.T, key *ecdsa.PrivateKey, serial int64) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return c
}

func TestVerifyRelay(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	otherKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	control, renewed, other := testCertificate(t, key, 1), testCertificate(t, key, 2), testCertificate(t, otherKey, 3)
	hash := func(c *x509.Certificate) string {
		h := sha512.Sum384(c.Raw)
		return hex.EncodeToString(h[:])
	}
	for _, c := range []struct {
		name      string
		control   *x509.Certificate
		announced string
		shown     *x509.Certificate
		ok        bool
	}{
		{"that of the control channel", control, "", control, true},
		{"its key", control, "", renewed, true},
		{"another, not announced", control, "", other, false},
		{"another, announced", control, strings.ToUpper(hash(other)), other, true},
		{"another than announced", control, hash(renewed), other, false},
		{"nothing known", nil, "", other, false},
		{"announced only", nil, hash(other), other, true},
		{"announced in vain", nil, "zz", other, false},
		{"none", control, "", nil, false},
	} {
		var der []byte
		if c.control != nil {
			der = c.control.Raw
		}
		var state tls.ConnectionState
		if c.shown != nil {
			state.PeerCertificates = []*x509.Certificate{c.shown}
		}
		err := VerifyRelay(der, c.announced)(state)
		if c.ok {
			require.NoError(t, err, c.name)
		} else {
			require.ErrorIs(t, err, ErrCertificate, c.name)
		}
	}
}

// A device alone, over a pipe.
func TestDispatcherWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, _ := url.Parse("wss://h/agent.ashx")
		far, near := msgconn.Pipe()
		var asked string
		d := &Dispatcher{
			Server: server, MaxTunnels: 1,
			Connect: func(_ context.Context, u URL, _ *Request) (Conn, error) { asked = u.Reveal(); return near, nil },
			Handlers: map[Protocol]Handler{ProtocolPlugin: func(ctx context.Context, s *Session) error {
				_, b, err := s.ReadMessage(ctx)
				if err == nil {
					err = s.WriteMessage(ctx, Text, append([]byte(s.Options.File), b...))
				}
				return err
			}},
		}
		r := &Request{URL: NewURL("*/meshrelay.ashx?id=x&rauth=$@"), Rights: RightsFull}
		result := make(chan error, 1)
		go func() { result <- d.Serve(t.Context(), r) }()
		send := func(typ Type, s string) { require.NoError(t, far.WriteMessage(t.Context(), typ, []byte(s))) }
		send(Binary, "c") // not the server's word
		send(Text, "x")
		send(Text, "c")
		send(Text, `{"type":"options","file":"F"}`)
		send(Text, `{"type":"unknown"}`)
		send(Text, "nothing")
		send(Text, "5") // no handler
		send(Text, "7")
		send(Binary, "data")
		_, b, err := far.ReadMessage(t.Context())
		require.NoError(t, err)
		require.Equal(t, "Fdata", string(b))
		require.NoError(t, <-result)
		require.Equal(t, "wss://h/meshrelay.ashx?id=x&rauth=%24%40", asked)

		// One that never hears of the operator gives up, and more than one is too many.
		far, near = msgconn.Pipe()
		defer far.Close(0, "")
		start := time.Now()
		require.NoError(t, d.Dispatch(t.Context(), r))
		require.ErrorIs(t, d.Serve(t.Context(), r), ErrBusy)
		d.wg.Wait()
		require.Equal(t, helloTime, time.Since(start))
		require.ErrorIs(t, d.Serve(t.Context(), &Request{URL: NewURL("wss://evil/meshrelay.ashx?id=x")}), ErrElsewhere)
		require.ErrorIs(t, d.Serve(t.Context(), &Request{URL: NewURL("nonsense")}), ErrURL)
		require.ErrorIs(t, d.Serve(t.Context(), &Request{TCPPort: 1, URL: r.URL}), ErrRights)
		require.NoError(t, d.Close())
		require.ErrorIs(t, d.Serve(t.Context(), r), errClosed)
	})
}

// A stream over a pipe: its deadlines, and its end.
func TestStreamConnDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far, near := msgconn.Pipe()
		c := StreamConn(near, Addr{Net: "tcp", Address: "a:1"})
		require.Equal(t, "tcp a:1 tunnel", c.RemoteAddr().Network()+" "+c.RemoteAddr().String()+" "+c.LocalAddr().String())
		b := make([]byte, 100)
		start := time.Now()
		require.NoError(t, c.SetDeadline(start.Add(time.Second)))
		_, err := c.Read(b)
		require.ErrorContains(t, err, "timeout")
		require.Equal(t, time.Second, time.Since(start))
		_, err = c.Write(b)
		require.ErrorContains(t, err, "timeout")
		require.NoError(t, c.SetDeadline(time.Time{}))
		require.NoError(t, far.WriteMessage(t.Context(), Text, []byte("never data")))
		require.NoError(t, far.WriteMessage(t.Context(), Binary, []byte("data")))
		n, err := c.Read(b)
		require.NoError(t, err)
		require.Equal(t, "data", string(b[:n]))
		n, err = c.Write(make([]byte, 70_000))
		require.NoError(t, err)
		require.Equal(t, 70_000, n)
		for _, size := range []int{32 << 10, 32 << 10, 70_000 - 64<<10} {
			_, m, err := far.ReadMessage(t.Context())
			require.NoError(t, err)
			require.Len(t, m, size)
		}
		// A writer that waits for a reader who does not come is woken by its deadline.
		require.NoError(t, c.SetWriteDeadline(time.Now().Add(time.Minute)))
		n, err = c.Write(make([]byte, 10<<20))
		require.ErrorContains(t, err, "timeout")
		require.Equal(t, 16*(32<<10), n, "what a pipe holds")
		far.Close(1000, "")
		_, err = c.Read(b)
		require.ErrorIs(t, err, io.EOF)
		require.NoError(t, c.Close())
	})
}
