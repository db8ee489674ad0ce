package controlproto

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// peer is the server's end of a client's connection, played by a test.
type peer struct {
	t    testing.TB
	conn *msgconn.PipeConn
	url  SecretURL
	head http.Header
}

const (
	helloServer = `{"action":"serverinfo","serverinfo":{"domain":"","name":"test"}}`
	helloUser   = `{"action":"userinfo","userinfo":{"_id":"user//admin","name":"admin"}}`
)

// request is what the peer reads of a request.
type request struct {
	Action     string `json:"action"`
	ResponseID string `json:"responseid"`
	Tag        string `json:"tag"`
	NodeID     string `json:"nodeid"`
	Raw        string `json:"-"`
}

// dialPeers returns a configuration whose connections end at peers, which come out of the channel after their login.
func dialPeers(t *testing.T, cfg ClientConfig) (ClientConfig, chan *peer) {
	peers := make(chan *peer, 16)
	cfg.Connect = func(_ context.Context, url SecretURL, head http.Header) (Conn, error) {
		a, b := msgconn.Pipe()
		p := &peer{t: t, conn: b, url: url, head: head}
		for _, hello := range []string{helloServer, helloUser} {
			if err := b.WriteMessage(context.Background(), msgconn.Text, []byte(hello)); err != nil {
				return nil, err // the client may be in any goroutine
			}
		}
		peers <- p
		return a, nil
	}
	return cfg, peers
}

// dialPeer dials a client to a peer that has let it in. The client is closed when the test ends.
func dialPeer(t *testing.T, cfg ClientConfig) (*Client, *peer) {
	t.Helper()
	cfg, peers := dialPeers(t, cfg)
	c, err := Dial(t.Context(), "wss://server.example", PasswordLogin{User: "admin", Password: NewSecret("secret-pw")}, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c, <-peers
}

func (p *peer) send(format string, args ...any) {
	p.t.Helper()
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	require.NoError(p.t, p.conn.WriteMessage(context.Background(), msgconn.Text, []byte(text)))
}

// script plays the peer in a goroutine of its own. What fails there ends neither the test nor a later one: it ends the script
// and the connection, of which the test's goroutine hears.
func (p *peer) script(play func(p *peer)) {
	aside := *p
	aside.t = scripted{p.t, p.conn}
	go play(&aside)
}

// scripted is a test in the goroutine of a script, for package require.
type scripted struct {
	testing.TB
	conn *msgconn.PipeConn
}

func (s scripted) FailNow() {
	s.Fail()
	s.conn.Close(msgconn.CloseNormal, "the test has failed")
	runtime.Goexit()
}

// read returns the next request.
func (p *peer) read() request {
	p.t.Helper()
	r, err := p.tryRead()
	require.NoError(p.t, err)
	return r
}

func (p *peer) tryRead() (request, error) {
	_, b, err := p.conn.ReadMessage(context.Background())
	if err != nil {
		return request{}, err
	}
	r := request{Raw: string(b)}
	return r, errors.Join(json.Unmarshal(b, &r))
}

// expect reads a request of an action.
func (p *peer) expect(action string) request {
	p.t.Helper()
	r := p.read()
	require.Equal(p.t, action, r.Action, r.Raw)
	return r
}
