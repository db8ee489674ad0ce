package certs_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/certs/certstest"
)

// fakeProxy answers dials over pipes with a certificate that can be changed.
type fakeProxy struct {
	mu    sync.Mutex
	cert  *certs.Certificate
	dials int
	names []string // TLS server names that were asked for
	block bool     // accept connections and say nothing
	err   error    // of the next dials
	wg    sync.WaitGroup
}

func (p *fakeProxy) set(f func(*fakeProxy)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

func (p *fakeProxy) dial(context.Context, string, string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dials++
	if p.err != nil {
		return nil, p.err
	}
	client, server := net.Pipe()
	cert, block := p.cert, p.block
	p.wg.Go(func() {
		defer func() { _ = server.Close() }()
		if block {
			var b [1 << 12]byte
			for {
				if _, err := server.Read(b[:]); err != nil {
					return
				}
			}
		}
		conn := tls.Server(server, &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			p.set(func(p *fakeProxy) { p.names = append(p.names, hello.ServerName) })
			pair := cert.TLSCertificate()
			return &pair, nil
		}})
		_ = conn.Handshake()
		_ = conn.Close()
	})
	return client, nil
}

func (p *fakeProxy) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dials
}

// webCertificates returns different certificates of proxies.
func webCertificates(t testing.TB, n int) []*certs.Certificate {
	t.Helper()
	authority, err := certs.NewAuthority(certs.Config{Host: "proxy.example", NewKey: certstest.NewKey})
	require.NoError(t, err)
	all := make([]*certs.Certificate, n)
	for i := range all {
		all[i], err = authority.Issue(certs.Web, nil)
		require.NoError(t, err)
	}
	return all
}

func newProxy(t testing.TB, cfg certs.ProxyConfig) *certs.ProxyCertificate {
	t.Helper()
	if cfg.URL == "" {
		cfg.URL = "https://proxy.example"
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Minute // for machines that do much else
	}
	p, err := certs.NewProxyCertificate(cfg)
	require.NoError(t, err)
	return p
}

func TestProxyChange(t *testing.T) {
	made := webCertificates(t, 2)
	synctest.Test(t, func(t *testing.T) {
		proxy := &fakeProxy{cert: made[0]}
		var seen [][]byte
		var log bytes.Buffer
		p := newProxy(t, certs.ProxyConfig{
			Dial: proxy.dial, Overlap: time.Hour, Changed: func(der []byte) { seen = append(seen, der) },
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		require.Nil(t, p.Certificate())
		require.Empty(t, p.Hashes())
		require.False(t, p.Accepts(certs.Hash{}))

		changed, err := p.Refresh(t.Context())
		require.NoError(t, err)
		require.True(t, changed)
		require.Equal(t, made[0].DER, p.Certificate())
		require.Equal(t, made[0].Hashes(), p.Hashes())
		changed, err = p.Refresh(t.Context())
		require.NoError(t, err)
		require.False(t, changed)

		proxy.set(func(p *fakeProxy) { p.cert = made[1] })
		changed, err = p.Refresh(t.Context())
		require.NoError(t, err)
		require.True(t, changed)
		require.Equal(t, append(made[1].Hashes(), made[0].Hashes()...), p.Hashes())
		for _, c := range made {
			for _, h := range c.Hashes() {
				require.True(t, p.Accepts(h))
			}
		}
		time.Sleep(time.Hour)
		require.Equal(t, made[1].Hashes(), p.Hashes())
		require.False(t, p.Accepts(made[0].Hashes()[0]))
		require.True(t, p.Accepts(made[1].Hashes()[0]))

		require.Equal(t, [][]byte{made[0].DER, made[1].DER}, seen)
		require.Contains(t, log.String(), made[1].Hashes()[0].String())
		require.Equal(t, []string{"proxy.example", "proxy.example", "proxy.example"}, proxy.names)
		proxy.wg.Wait()
	})
}

// TestProxyAlternates: of a proxy with several certificates all stay accepted, as long as each is met now and then.
func TestProxyAlternates(t *testing.T) {
	made := webCertificates(t, 10)
	synctest.Test(t, func(t *testing.T) {
		proxy := &fakeProxy{}
		p := newProxy(t, certs.ProxyConfig{Dial: proxy.dial, Overlap: time.Hour})
		for i := range 20 {
			proxy.set(func(p *fakeProxy) { p.cert = made[i%2] })
			changed, err := p.Refresh(t.Context())
			require.NoError(t, err)
			require.True(t, changed)
			time.Sleep(50 * time.Minute)
		}
		require.Len(t, p.Hashes(), 4)
		for _, cert := range made {
			proxy.set(func(p *fakeProxy) { p.cert = cert })
			_, err := p.Refresh(t.Context())
			require.NoError(t, err)
		}
		require.Len(t, p.Hashes(), 16, "what is kept is bounded")

		none := newProxy(t, certs.ProxyConfig{Dial: proxy.dial, Overlap: -1})
		for _, cert := range made {
			proxy.set(func(p *fakeProxy) { p.cert = cert })
			_, err := none.Refresh(t.Context())
			require.NoError(t, err)
			require.Equal(t, cert.Hashes(), none.Hashes())
		}
		proxy.wg.Wait()
	})
}

func TestProxyOnDemand(t *testing.T) {
	made := webCertificates(t, 2)
	synctest.Test(t, func(t *testing.T) {
		proxy := &fakeProxy{cert: made[0]}
		p := newProxy(t, certs.ProxyConfig{Dial: proxy.dial})
		changed, err := p.RefreshOnDemand(t.Context())
		require.NoError(t, err)
		require.True(t, changed)
		proxy.set(func(p *fakeProxy) { p.cert = made[1] })
		for range 100 { // a crowd of agents with an unknown hash
			changed, err = p.RefreshOnDemand(t.Context())
			require.NoError(t, err)
			require.False(t, changed)
		}
		require.Equal(t, 1, proxy.count())
		time.Sleep(2*time.Minute - time.Nanosecond)
		_, err = p.RefreshOnDemand(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, proxy.count())
		time.Sleep(time.Nanosecond)
		changed, err = p.RefreshOnDemand(t.Context())
		require.NoError(t, err)
		require.True(t, changed)
		require.Equal(t, 2, proxy.count())

		// A failure counts as well: the proxy is not to be hammered.
		proxy.set(func(p *fakeProxy) { p.err = errors.New("refused") })
		time.Sleep(2 * time.Minute)
		_, err = p.RefreshOnDemand(t.Context())
		require.ErrorContains(t, err, "refused")
		_, err = p.RefreshOnDemand(t.Context())
		require.NoError(t, err)
		require.Equal(t, 3, proxy.count())
		require.Equal(t, made[1].Hashes()[0], p.Hashes()[0], "what is known stays")
		proxy.wg.Wait()
	})
}

func TestProxySingleFlight(t *testing.T) {
	made := webCertificates(t, 1)
	synctest.Test(t, func(t *testing.T) {
		proxy := &fakeProxy{cert: made[0]}
		release := make(chan struct{})
		p := newProxy(t, certs.ProxyConfig{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			<-release
			return proxy.dial(ctx, network, address)
		}})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { // the first, who gives up
			_, err := p.Refresh(ctx)
			assert.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		for i := range 10 {
			wg.Go(func() {
				refresh := p.Refresh
				if i%2 == 0 {
					refresh = p.RefreshOnDemand
				}
				changed, err := refresh(t.Context())
				assert.NoError(t, err)
				assert.True(t, changed)
			})
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(release)
		wg.Wait()
		require.Equal(t, 1, proxy.count())
		proxy.wg.Wait()
	})
}

// TestProxyGivenUp: a fetch ends when nobody waits for it, and does not get in the way of the next one.
func TestProxyGivenUp(t *testing.T) {
	made := webCertificates(t, 1)
	synctest.Test(t, func(t *testing.T) {
		proxy := &fakeProxy{cert: made[0], block: true}
		p := newProxy(t, certs.ProxyConfig{Dial: proxy.dial})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := p.Refresh(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		synctest.Wait()
		proxy.wg.Wait() // the connection is closed
		proxy.set(func(p *fakeProxy) { p.block = false })
		changed, err := p.Refresh(t.Context())
		require.NoError(t, err)
		require.True(t, changed)
		proxy.wg.Wait()
	})
}

func TestProxyTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proxy := &fakeProxy{block: true}
		p := newProxy(t, certs.ProxyConfig{Dial: proxy.dial, Timeout: 3 * time.Second})
		start := time.Now()
		_, err := p.Refresh(t.Context())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "TLS handshake")
		require.Equal(t, 3*time.Second, time.Since(start))
		proxy.wg.Wait()
	})
}

func TestProxyRun(t *testing.T) {
	made := webCertificates(t, 1)
	synctest.Test(t, func(t *testing.T) {
		proxy := &fakeProxy{cert: made[0], err: errors.New("not there yet")}
		p := newProxy(t, certs.ProxyConfig{Dial: proxy.dial, Interval: 30 * time.Minute})
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		synctest.Wait()
		require.Equal(t, 1, proxy.count(), "at once")
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, 2, proxy.count(), "soon after a failure")
		proxy.set(func(p *fakeProxy) { p.err = nil })
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, 3, proxy.count())
		require.Len(t, p.Hashes(), 2)
		time.Sleep(29 * time.Minute)
		synctest.Wait()
		require.Equal(t, 3, proxy.count())
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, 4, proxy.count(), "at the interval")
		stop := errors.New("stop")
		cancel(stop)
		require.ErrorIs(t, <-done, stop)
		proxy.wg.Wait()
	})
}

func TestProxyVerified(t *testing.T) {
	set := certstest.ServerSet()
	root, err := set.Root.X509()
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(root)
	pin := func(want []byte) *tls.Config {
		return &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(state tls.ConnectionState) error {
			if !bytes.Equal(state.PeerCertificates[0].Raw, want) {
				return fs.ErrInvalid
			}
			return nil
		}}
	}
	for name, test := range map[string]struct {
		config     *tls.Config
		serverName string
		want       error
	}{
		"trusted":      {config: &tls.Config{RootCAs: pool}, serverName: "localhost"},
		"name of TLS":  {config: &tls.Config{RootCAs: pool, ServerName: "localhost"}},
		"another name": {config: &tls.Config{RootCAs: pool}, want: x509.HostnameError{}},
		"another root": {config: &tls.Config{RootCAs: x509.NewCertPool()}, serverName: "localhost", want: x509.UnknownAuthorityError{}},
		"pinned":       {config: pin(set.Web.DER)},
		"wrong pin":    {config: pin(set.MPS.DER), want: fs.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := &fakeProxy{cert: set.Web}
			p := newProxy(t, certs.ProxyConfig{Dial: proxy.dial, TLS: test.config, ServerName: test.serverName})
			_, err := p.Refresh(t.Context())
			if test.want == nil {
				require.NoError(t, err)
				require.Equal(t, set.Web.Hashes(), p.Hashes())
			} else {
				require.Error(t, err)
				require.Empty(t, p.Hashes(), "nothing is learned of a proxy that is not trusted")
				var hostname x509.HostnameError
				var authority x509.UnknownAuthorityError
				require.True(t, errors.Is(err, test.want) || errors.As(err, &hostname) || errors.As(err, &authority), err)
			}
			proxy.wg.Wait()
		})
	}
}

func TestProxyOnLoopback(t *testing.T) {
	set := certstest.ServerSet()
	config, err := set.TLSConfig()
	require.NoError(t, err)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).Handshake()
			_ = conn.Close()
		}
	}()
	p := newProxy(t, certs.ProxyConfig{URL: "https://" + listener.Addr().String()})
	changed, err := p.Refresh(t.Context())
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, set.Web.Hashes(), p.Hashes())
	require.NoError(t, listener.Close())
	<-done
	// Nobody is given this port, as somebody may be given that of the listener.
	_, err = newProxy(t, certs.ProxyConfig{URL: "https://127.0.0.1:1"}).Refresh(t.Context())
	require.ErrorContains(t, err, "connecting to the proxy")
}

func TestProxyFile(t *testing.T) {
	dir := t.TempDir()
	der := oddCertificate(t, "root", "a_b.example.com", certstest.Key(0), certstest.Key(0)) // crypto/x509 refuses it
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	path := filepath.Join(dir, "proxy %41.crt")
	p := newProxy(t, certs.ProxyConfig{URL: "file://" + path})
	_, err := p.Refresh(t.Context())
	require.ErrorIs(t, err, fs.ErrNotExist)
	for _, content := range [][]byte{text, der, append([]byte("a comment\n"), text...), append(text, text...)} {
		require.NoError(t, os.WriteFile(path, content, 0o600))
		_, err = p.Refresh(t.Context())
		require.NoError(t, err)
		require.Equal(t, certs.WebHashes(der), p.Hashes())
	}
	for _, content := range [][]byte{nil, []byte("x"), der[:100], pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})} {
		require.NoError(t, os.WriteFile(path, content, 0o600))
		_, err = p.Refresh(t.Context())
		require.ErrorIs(t, err, certs.ErrCertificate)
		require.Equal(t, certs.WebHashes(der), p.Hashes())
	}
}

func TestProxyURL(t *testing.T) {
	for _, url := range []string{
		"", "http://a", "a.example", "https://", "https://:443", "https://u:p@a", "file://", "file:/x", "://", "https://[::1", "\n",
	} {
		_, err := certs.NewProxyCertificate(certs.ProxyConfig{URL: url})
		require.ErrorIs(t, err, certs.ErrProxyURL, url)
	}
	for url, want := range map[string]string{
		"https://a.example":           "a.example:443",
		"https://a.example:8443/path": "a.example:8443",
		"https://[::1]":               "[::1]:443",
	} {
		var got string
		p := newProxy(t, certs.ProxyConfig{URL: url, Dial: func(_ context.Context, _, address string) (net.Conn, error) {
			got = address
			return nil, fs.ErrClosed
		}})
		_, err := p.Refresh(t.Context())
		require.ErrorIs(t, err, fs.ErrClosed)
		require.Equal(t, want, got)
	}
}
