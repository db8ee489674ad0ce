//go:build !js

package relay_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"

	"github.com/meshcentral-go/sdk/relay"
)

// inProcess is a server, its relay and a device in one program. An embedder has a session on the control channel in its
// place, and an agent on another machine.
type inProcess struct {
	relay  *relay.Relay
	url    string
	device *relay.Dispatcher
	wg     sync.WaitGroup
}

func newInProcess() (*inProcess, func()) {
	p := new(inProcess)
	var err error
	p.relay, err = relay.New(relay.Config{
		// A server checks cookies, and the operator's rights on q.Node.
		Authenticate: func(_ *http.Request, q *relay.Query) (relay.End, error) {
			e := relay.End{User: "user//ann", Node: q.Node, Protocol: q.Protocol}
			switch {
			case q.Auth.Equal(relay.NewSecret("operator's cookie")):
				e.Role = relay.RoleOperator
			case q.RelayAuth.Equal(relay.NewSecret("device's cookie")):
				e.Role = relay.RoleAgent
			default:
				return e, &relay.Refusal{Cause: "noauth", Msg: "noauth-1"}
			}
			return e, nil
		},
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/meshrelay.ashx", p.relay)
	server := httptest.NewServer(mux)
	p.url = "ws" + strings.TrimPrefix(server.URL, "http")
	control, _ := url.Parse(p.url + "/agent.ashx")
	p.device = &relay.Dispatcher{
		Server: control,
		Handlers: map[relay.Protocol]relay.Handler{
			// Files, in a very small way: it says what it was asked.
			relay.ProtocolFiles: func(ctx context.Context, s *relay.Session) error {
				for {
					_, b, err := s.ReadMessage(ctx)
					if err != nil {
						return err
					}
					if err := s.WriteMessage(ctx, relay.Binary, append([]byte("asked: "), b...)); err != nil {
						return err
					}
				}
			},
		},
		DialTCP: func(ctx context.Context, _ *relay.Request, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		},
	}
	return p, func() {
		p.relay.Close()
		p.device.Close()
		p.wg.Wait()
		server.Close()
	}
}

// TunnelCookies is action "authcookie".
func (p *inProcess) TunnelCookies(context.Context, relay.AskTunnel) (operator, device relay.Secret, err error) {
	return relay.NewSecret("operator's cookie"), relay.NewSecret("device's cookie"), nil
}

// RequestTunnel is action "msg" of type "tunnel": the server notes it and passes it on.
func (p *inProcess) RequestTunnel(_ context.Context, a relay.AskTunnel) error {
	err := p.relay.Announce(relay.TunnelRequest{ID: relay.ID(a.ID), User: "user//ann", Node: a.Node})
	if err != nil {
		return err
	}
	return p.device.Dispatch(context.Background(), &relay.Request{
		URL: a.URL, UserID: "user//ann", Rights: relay.RightRemoteControl, TCPPort: a.TCPPort, TCPAddr: a.TCPAddr,
	})
}

// RelayURL is the URL of the server.
func (p *inProcess) RelayURL() (relay.URL, error) {
	return relay.NewURL(p.url + "/meshrelay.ashx"), nil
}

func ExampleOpen() {
	server, stop := newInProcess()
	defer stop()
	ctx := context.Background()
	tunnel, err := relay.Open(ctx, server, "node//machine", relay.Options{
		Protocol: relay.ProtocolFiles,
		OnEvent: func(e relay.Event) {
			if e.Kind == relay.EventConnected {
				fmt.Println("connected, recorded:", e.Recorded)
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tunnel.Close(1000, "")
	if err := tunnel.WriteMessage(ctx, relay.Text, []byte(`{"action":"ls","path":"/"}`)); err != nil {
		fmt.Println(err)
	}
	_, b, err := tunnel.ReadMessage(ctx)
	fmt.Printf("%s %v\n", b, err)
	// Output:
	// connected, recorded: false
	// asked: {"action":"ls","path":"/"} <nil>
}

func ExampleDialer() {
	server, stop := newInProcess()
	defer stop()
	// A web server that only the device reaches.
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the device's page") }))
	defer web.Close()
	dialer := &relay.Dialer{Requester: server, Node: "node//machine"}
	transport := &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(web.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	fmt.Println(resp.Status, string(b), err)
	// Output: 200 OK the device's page <nil>
}

func ExampleParseControl() {
	c, err := relay.ParseControl([]byte(`{"ctrlChannel":"102938","type":"termsize","cols":120,"rows":40}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	switch c := c.(type) {
	case *relay.ControlTermSize:
		fmt.Println(c.Cols, c.Rows)
	}
	b, err := relay.AppendControl(nil, &relay.ControlOptions{Cols: new(80), Rows: new(25)})
	fmt.Println(string(b), err)
	// Output:
	// 120 40
	// {"ctrlChannel":"102938","type":"options","cols":80,"rows":25} <nil>
}

func ExampleParseAgentURL() {
	u, err := relay.ParseAgentURL("*/meshrelay.ashx?p=5&nodeid=node//machine&id=55de41b3ced0&rauth=secret")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(u.Own(), u.Query.Protocol, u.Query.Node)
	// A server that passes the request on replaces the cookie by one for this tunnel alone.
	u.Query.RelayAuth = relay.NewSecret("a cookie for this tunnel")
	fmt.Println(u)
	// Output:
	// true files node//machine
	// */meshrelay.ashx?p=5&nodeid=node//machine&id=[redacted]&rauth=[redacted]
}
