//go:build !js

package mps

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/meshcentral-go/sdk/apf"
)

// refuseAll is an Authenticate for tests of what comes before.
func refuseAll(context.Context, *Login) (Identity, error) { return Identity{}, ErrRefused }

// patience is how long the slowest machine may take for anything.
const patience = 2 * time.Minute

// startServer serves on loopback until the test ends, and returns the events.
func startServer(t *testing.T, cfg Config) (s *Server, addr string, events <-chan Event) {
	t.Helper()
	ch := make(chan Event, 4096)
	if cfg.Authenticate == nil {
		cfg.Authenticate = refuseAll
	}
	// A loaded machine may take a while between two ports of a device, which is online with what there is by then. All
	// devices of these tests have the port that is the last one. Nor is anything else of them late.
	if cfg.APF == nil {
		cfg.APF = &apf.ServerConfig{ForwardTime: patience, OpenTimeout: patience}
	}
	def(&cfg.Limits.LoginTime, patience)
	def(&cfg.Limits.HTTPTime, patience)
	trace := Trace{}
	if cfg.Trace != nil {
		trace = *cfg.Trace
	}
	trace.Event = func(e Event) { ch <- e }
	cfg.Trace = &trace
	s, err := NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(t.Context(), ln) }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, ErrShutdown) && !errors.Is(err, context.Canceled) {
			t.Errorf("Serve: %v", err)
		}
	})
	return s, ln.Addr().String(), ch
}

// endOf returns the event of the end of a connection.
func endOf(events <-chan Event) Event {
	for e := range events {
		if e.Err != nil {
			return e
		}
	}
	panic("unreachable")
}

func dialTCP(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// testCertificate is self-signed; more are organisations.
func testCertificate(name string, more ...string) tls.Certificate {
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Organization: more},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), DNSNames: []string{name},
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, testKey().Public(), testKey())
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: testKey()}
}

func TestHTTP(t *testing.T) {
	for _, withTLS := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", withTLS), func(t *testing.T) {
			cfg := Config{}
			if withTLS {
				cfg.Certificates = []tls.Certificate{testCertificate("mps.example")}
			}
			_, addr, events := startServer(t, cfg)
			dial := func() net.Conn {
				conn := dialTCP(t, addr)
				if withTLS {
					conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
				}
				return conn
			}
			for _, c := range []struct {
				request []string // as many writes
				status  int
				body    string
			}{
				{[]string{"GET / HTTP/1.1\r\nHost: mps.example\r\n\r\n"}, 200, page},
				{[]string{"G", "ET / HTTP/1.1\r\nHost: mps.example\r\n", "\r\n"}, 200, page},
				{[]string{"HEAD / HTTP/1.1\r\nHost: mps.example\r\n\r\n"}, 200, ""},
				{[]string{"GET /c/abc.img HTTP/1.1\r\nHost: mps.example\r\n\r\n"}, 404, "Invalid request"},
				{[]string{"GET / HTTP/1.0\r\n\r\n"}, 200, page},
				{[]string{"GET /\r\n\r\n"}, 400, "400 Bad Request"},
				{[]string{"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 3*maxHeader) + "\r\n\r\n"}, 431, "431 Request Header Fields Too Large"},
			} {
				conn := dial()
				for _, part := range c.request {
					if _, err := io.WriteString(conn, part); err != nil {
						t.Fatal(err)
					}
				}
				method, _, _ := strings.Cut(strings.Join(c.request, ""), " ")
				in := bufio.NewReader(conn)
				resp, err := http.ReadResponse(in, &http.Request{Method: method})
				if err != nil {
					t.Fatalf("%.40q: %v", c.request, err)
				}
				body, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				if resp.StatusCode != c.status || string(body) != c.body || !resp.Close {
					t.Errorf("%.40q: %s, close %v, %q", c.request, resp.Status, resp.Close, body)
				}
				if c.status < 400 && resp.ContentLength != 150 {
					t.Errorf("%.40q: Content-Length %d", c.request, resp.ContentLength)
				}
				if _, err := in.ReadByte(); err == nil {
					t.Errorf("%.40q: something follows the answer", c.request)
				}
				conn.Close()
				if e := endOf(events); !errors.Is(e.Err, ErrHTTP) || e.Phase != PhaseFirst {
					t.Errorf("%.40q: %v", c.request, e.Err)
				}
			}
			// Not a method for which the port is known to answer: it would be a message of APF.
			conn := dial()
			io.WriteString(conn, "POST / HTTP/1.1\r\nHost: mps.example\r\n\r\n")
			if b, _ := io.ReadAll(conn); strings.HasPrefix(string(b), "HTTP") {
				t.Errorf("POST is answered: %q", b)
			}
			if e := endOf(events); e.Phase != PhaseLogin || string(e.Peer.First) != "POST / HTTP/1.1\r" {
				t.Errorf("POST: %v, first bytes %q", e.Err, e.Peer.First)
			}
		})
	}
}

func TestHTTPHandler(t *testing.T) {
	_, addr, events := startServer(t, Config{HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) })})
	resp, err := http.Get("http://" + addr + "/c/file.img")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); string(body) != "/c/file.img" || err != nil {
		t.Errorf("%q, %v", body, err)
	}
	endOf(events)
}

func TestRefusedBeforeLogin(t *testing.T) {
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	cert := []tls.Certificate{testCertificate("mps.example")}
	hello := unhex("16030100c8010000c40303") // of a TLS client
	for _, c := range []struct {
		name  string
		cfg   Config
		send  string
		want  error
		phase Phase
		first string
	}{
		{"TLS on a plain port", Config{}, hello, ErrNotPlain, PhaseFirst, hello},
		{"PROXY header of a stranger", Config{}, proxyHeaders[0].header, ErrProxyHeader, PhaseFirst, proxyHeaders[0].header[:16]},
		{"PROXY header v2 of a stranger", Config{}, proxyHeaders[6].header, ErrProxyHeader, PhaseFirst, proxyHeaders[6].header[:16]},
		{"PROXY header of a stranger before TLS", Config{Certificates: cert}, proxyHeaders[0].header, ErrProxyHeader, PhaseTLS, "PROXY"},
		{"bad PROXY header of a proxy", Config{TrustedProxies: loopback}, "PROXY TCP5 \r\n", ErrProxyHeader, PhaseProxy, ""},
		{"nothing", Config{}, "", io.EOF, PhaseFirst, ""},
		{"nothing of a proxy", Config{TrustedProxies: loopback}, "", io.EOF, PhaseProxy, ""},
		{"half a PROXY header", Config{TrustedProxies: loopback}, "PROXY TCP4 1", io.EOF, PhaseProxy, ""},
		{"nothing after a PROXY header", Config{TrustedProxies: loopback}, proxyHeaders[0].header, io.EOF, PhaseFirst, ""},
		{"nothing before TLS", Config{Certificates: cert}, "", io.EOF, PhaseTLS, ""},
		{"HTTP before TLS", Config{Certificates: cert}, "GET / HTTP/1.1\r\n\r\n", nil, PhaseTLS, "GET /"},
		{"half a TLS handshake", Config{Certificates: cert}, hello, io.ErrUnexpectedEOF, PhaseTLS, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, addr, events := startServer(t, c.cfg)
			conn := dialTCP(t, addr)
			if _, err := io.WriteString(conn, c.send); err != nil {
				t.Fatal(err)
			}
			conn.(*net.TCPConn).CloseWrite()
			e := endOf(events)
			if c.want != nil && !errors.Is(e.Err, c.want) || e.Phase != c.phase || string(e.Peer.First) != c.first {
				t.Errorf("%v in phase %v, first bytes %q", e.Err, e.Phase, e.Peer.First)
			}
			var at *Error
			if !errors.As(e.Err, &at) || at.Phase != c.phase {
				t.Errorf("no *Error of the phase: %v", e.Err)
			}
		})
	}
}

func TestProxyTellsAddress(t *testing.T) {
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	for _, c := range proxyHeaders {
		_, addr, events := startServer(t, Config{TrustedProxies: loopback})
		conn := dialTCP(t, addr)
		for i := range c.header { // in as many writes as there can be
			if _, err := io.WriteString(conn, c.header[i:i+1]); err != nil {
				t.Fatal(err)
			}
		}
		io.WriteString(conn, "\x99")
		e := endOf(events)
		self := conn.LocalAddr().String()
		if c.source == "" {
			if e.Peer.Addr.String() != self || e.Peer.Proxy.IsValid() {
				t.Errorf("%s: %v by %v", c.name, e.Peer.Addr, e.Peer.Proxy)
			}
		} else if e.Peer.Addr.String() != c.source || e.Peer.Proxy.String() != self {
			t.Errorf("%s: %v by %v", c.name, e.Peer.Addr, e.Peer.Proxy)
		}
		if string(e.Peer.First) != "\x99" {
			t.Errorf("%s: first bytes %q", c.name, e.Peer.First)
		}
	}
}

func TestLimitsBeforeLogin(t *testing.T) {
	_, addr, events := startServer(t, Config{Limits: Limits{Connections: Rate{Events: 3, Window: time.Hour}}})
	for i := range 5 {
		conn := dialTCP(t, addr)
		io.WriteString(conn, "\x99")
		e := endOf(events)
		if errors.Is(e.Err, ErrBusy) != (i >= 3) {
			t.Errorf("connection %d: %v", i, e.Err)
		}
	}
	// A proxy is as many as there are behind it, but it may say who.
	_, addr, events = startServer(t, Config{
		Limits:         Limits{Connections: Rate{Events: 1, Window: time.Hour}},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
	})
	for i, header := range []string{"", "", proxyHeaders[0].header, proxyHeaders[1].header, proxyHeaders[0].header} {
		conn := dialTCP(t, addr)
		io.WriteString(conn, header+"\x99")
		if e := endOf(events); errors.Is(e.Err, ErrBusy) != (i == 4) {
			t.Errorf("connection %d behind a proxy: %v", i, e.Err)
		}
	}
	// Half of those that wait may be of one source.
	_, addr, events = startServer(t, Config{Limits: Limits{Pending: 4}})
	for range 3 {
		dialTCP(t, addr)
	}
	if e := endOf(events); !errors.Is(e.Err, ErrBusy) {
		t.Errorf("the third that waits: %v", e.Err)
	}
}

// pipeConn is a net.Pipe end that has an address.
type pipeConn struct{ net.Conn }

func (pipeConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 40000} }

// TestLoginTime is that nobody stays who does not log in, however far he came.
func TestLoginTime(t *testing.T) {
	cert := []tls.Certificate{testCertificate("mps.example")}
	trusted := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	for _, c := range []struct {
		name  string
		cfg   Config
		send  string
		phase Phase
	}{
		{"nothing", Config{}, "", PhaseFirst},
		{"proxy says nothing", Config{TrustedProxies: trusted}, "", PhaseProxy},
		{"proxy begins", Config{TrustedProxies: trusted}, "PROX", PhaseProxy},
		{"proxy says who, and no more", Config{TrustedProxies: trusted}, proxyHeaders[0].header, PhaseFirst},
		{"no TLS", Config{Certificates: cert}, "", PhaseTLS},
		{"begins TLS", Config{Certificates: cert}, "\x16\x03\x01", PhaseTLS},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				events := make(chan Event, 16)
				c.cfg.Authenticate, c.cfg.Trace = refuseAll, &Trace{Event: func(e Event) { events <- e }}
				s, err := NewServer(c.cfg)
				if err != nil {
					t.Fatal(err)
				}
				here, there := net.Pipe()
				began := time.Now()
				s.Accept(pipeConn{there})
				if _, err := io.WriteString(here, c.send); err != nil {
					t.Fatal(err)
				}
				e := endOf(events)
				if !errors.Is(e.Err, ErrLoginTime) || e.Phase != c.phase {
					t.Errorf("%v in phase %v", e.Err, e.Phase)
				}
				if took := time.Since(began); took != 30*time.Second {
					t.Errorf("after %v", took)
				}
				if err := s.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
				here.Close()
			})
		})
	}
}

func FuzzFirstBytes(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), uint8(3))
	f.Add([]byte("HEAD /x HTTP/1.0\r\n\r\n"), uint8(1))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), uint8(0))
	f.Add([]byte(proxyHeaders[0].header), uint8(9))
	f.Add([]byte("\x16\x03\x01"), uint8(1))
	f.Add([]byte("\xc0\x00"), uint8(0))
	f.Fuzz(func(t *testing.T, b []byte, cut uint8) {
		ended := make(chan Event, 1)
		s, err := NewServer(Config{Authenticate: refuseAll, Limits: Limits{Connections: NoLimit, HTTPTime: 20 * time.Millisecond}, Trace: &Trace{Event: func(e Event) {
			if e.Err != nil {
				ended <- e
			}
		}}})
		if err != nil {
			t.Fatal(err)
		}
		here, there := net.Pipe()
		s.Accept(pipeConn{there})
		go func() {
			n := min(int(cut), len(b))
			here.Write(b[:n])
			here.Write(b[n:])
			if !isHTTP(b) { // it would wait for more
				here.Close()
			}
		}()
		answer, _ := io.ReadAll(here)
		here.Close()
		e := <-ended
		if isHTTP(b) {
			if !errors.Is(e.Err, ErrHTTP) {
				t.Errorf("HTTP: %v", e.Err)
			}
			if len(answer) > 0 {
				resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(answer))), &http.Request{Method: "GET"})
				if err != nil {
					t.Fatalf("answer %q: %v", answer, err)
				}
				resp.Body.Close()
			}
		} else if errors.Is(e.Err, ErrHTTP) || strings.HasPrefix(string(answer), "HTTP") {
			t.Errorf("not HTTP: %v, %q", e.Err, answer)
		}
		if err := s.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}
