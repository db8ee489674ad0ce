package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/derwalk"
)

// The defaults of a [ProxyConfig], and the least time between two refreshes on demand.
const (
	defaultProxyTimeout  = 10 * time.Second
	defaultProxyInterval = time.Hour
	defaultProxyOverlap  = 24 * time.Hour
	proxyRetry           = time.Minute     // after a failure
	proxyDemandPause     = 2 * time.Minute // confirmed in meshcentral.js, updateProxyCertificates
	maxProxyCertificates = 8               // the current one and former ones
)

// ErrProxyURL reports an address that no certificate can be fetched from.
var ErrProxyURL = errors.New("certs: the address of a proxy's certificate is https://HOST[:PORT] or file://PATH")

// ProxyConfig says where the certificate of a proxy is.
type ProxyConfig struct {
	// URL is https://HOST[:PORT] of the proxy, or file://PATH of a copy of its certificate in PEM or DER form.
	URL string
	// ServerName is the TLS server name to ask for, which should be the one that agents use. The default is the host in
	// URL.
	ServerName string
	// TLS verifies the proxy: with RootCAs, VerifyConnection or as tls.Config verifies by default. Nil accepts any
	// certificate; see [ProxyCertificate] for what that means.
	TLS *tls.Config
	// Dial opens the connection. The default is that of net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Timeout bounds one fetch. The default is 10 seconds.
	Timeout time.Duration
	// Interval is the time between the fetches of [ProxyCertificate.Run]. The default is an hour.
	Interval time.Duration
	// Overlap is how long the hashes of a former certificate go on being accepted. The default is 24 hours; negative
	// means not at all.
	Overlap time.Duration

	// Changed is called after another certificate was fetched than before, the first one included. Agents that were
	// refused may be welcome now. Those who wait for the fetch wait for Changed too.
	Changed func(der []byte)
	// Logger gets changes and failures. Nil discards them.
	Logger *slog.Logger
}

// ProxyCertificate knows the certificate that a TLS-terminating proxy shows to agents. An agent hashes the certificate
// that it sees, and the server must know the hash to accept the agent; this is what the reference server's certUrl does.
//
// By default the certificate is not verified, neither its name nor its chain. Only its hash is of use, many proxies have
// certificates of private authorities, and the reference server does not verify it either. This is what it implies:
// whoever can answer in place of the proxy on the way from this server to URL can have the hash of a certificate of
// their own accepted, and then stand between agents and server unnoticed, if they can also get in the way of the agents.
// So fetch over loopback or a trusted network, use a file, or set [ProxyConfig.TLS].
//
// A proxy with an RSA and an ECDSA certificate shows one or the other, depending on the client. Make a ProxyCertificate
// for each then, with TLS.MaxVersion 1.2 and the CipherSuites of one kind. A certificate that crypto/x509 refuses
// cannot be fetched over TLS; use a file.
//
// All methods may be called at the same time. A certificate is fetched once at a time, and failures leave what is known
// in place.
//
// Confirmed in meshcentral.js, updateProxyCertificates, and certoperations.js, loadCertificate.
type ProxyCertificate struct {
	cfg     ProxyConfig
	address string // host and port; empty for a file
	path    string // of a file
	log     *slog.Logger

	mu       sync.Mutex
	known    []proxyCertificate // the current one first
	flight   *flight
	demanded time.Time // of the last refresh on demand
}

// proxyCertificate is a certificate that was fetched.
type proxyCertificate struct {
	der    []byte
	hashes []Hash
	until  time.Time // of the acceptance; zero for the current one
}

// flight is a fetch that is under way, and those who wait for it.
type flight struct {
	cancel  context.CancelFunc
	waiting int
	done    chan struct{} // closed when changed and err are set
	changed bool
	err     error
}

// NewProxyCertificate returns a ProxyCertificate that has not fetched anything yet.
func NewProxyCertificate(cfg ProxyConfig) (*ProxyCertificate, error) {
	p := &ProxyCertificate{cfg: cfg, log: cfg.Logger}
	if path, ok := strings.CutPrefix(cfg.URL, "file://"); ok {
		// What follows is the path as it is, without escapes, as the reference server has it.
		if runtime.GOOS == "windows" && len(path) > 2 && path[0] == '/' && path[2] == ':' {
			path = path[1:]
		}
		if path == "" {
			return nil, fmt.Errorf("%w: %q", ErrProxyURL, cfg.URL)
		}
		p.path = path
	} else {
		u, err := url.Parse(cfg.URL)
		if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
			return nil, fmt.Errorf("%w: not %q", ErrProxyURL, truncate(cfg.URL, 200))
		}
		port := u.Port()
		if port == "" {
			port = "443"
		}
		p.address = net.JoinHostPort(u.Hostname(), port)
		if p.cfg.ServerName == "" {
			p.cfg.ServerName = u.Hostname()
		}
	}
	if p.cfg.Dial == nil {
		p.cfg.Dial = new(net.Dialer).DialContext
	}
	if p.cfg.Timeout <= 0 {
		p.cfg.Timeout = defaultProxyTimeout
	}
	if p.cfg.Interval <= 0 {
		p.cfg.Interval = defaultProxyInterval
	}
	if p.cfg.Overlap == 0 {
		p.cfg.Overlap = defaultProxyOverlap
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	return p, nil
}

// Certificate returns the certificate of the proxy, or nil if none was fetched yet.
func (p *ProxyCertificate) Certificate() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) == 0 {
		return nil
	}
	return bytes.Clone(p.known[0].der)
}

// Hashes returns the hashes that agents may show now: those of the current certificate first, then those of former
// ones that are still accepted.
func (p *ProxyCertificate) Hashes() []Hash {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	var hashes []Hash
	for i := range p.known {
		if p.known[i].accepted(now) {
			hashes = append(hashes, p.known[i].hashes...)
		}
	}
	return hashes
}

// Accepts reports whether h is among the [ProxyCertificate.Hashes].
func (p *ProxyCertificate) Accepts(h Hash) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for i := range p.known {
		if p.known[i].accepted(now) && slices.Contains(p.known[i].hashes, h) {
			return true
		}
	}
	return false
}

func (c *proxyCertificate) accepted(now time.Time) bool {
	return c.until.IsZero() || now.Before(c.until)
}

// Run fetches the certificate at once and then at every interval, and earlier after a failure, until ctx is done. It
// returns the cause of that.
func (p *ProxyCertificate) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
		}
		pause := p.cfg.Interval
		if _, err := p.Refresh(ctx); err != nil {
			pause = min(pause, proxyRetry)
		}
		timer.Reset(pause)
	}
}

// Refresh fetches the certificate and reports whether it is another one than before. Callers at the same time share one
// fetch.
func (p *ProxyCertificate) Refresh(ctx context.Context) (changed bool, err error) {
	p.mu.Lock()
	f := p.join(ctx)
	p.mu.Unlock()
	return p.wait(ctx, f)
}

// RefreshOnDemand is for an agent that showed an unknown hash. It refreshes, but at most once in two minutes: until then
// it returns false at once. If a fetch is under way it waits for that one.
func (p *ProxyCertificate) RefreshOnDemand(ctx context.Context) (changed bool, err error) {
	p.mu.Lock()
	if p.flight == nil {
		now := time.Now()
		if !p.demanded.IsZero() && now.Sub(p.demanded) < proxyDemandPause {
			p.mu.Unlock()
			return false, nil
		}
		p.demanded = now
	}
	f := p.join(ctx)
	p.mu.Unlock()
	return p.wait(ctx, f)
}

// join returns the fetch that is under way, or starts one. The lock is held.
func (p *ProxyCertificate) join(ctx context.Context) *flight {
	f := p.flight
	if f == nil {
		// The fetch serves everyone who waits for it, so it does not end with the context of the first.
		fetchCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.cfg.Timeout)
		f = &flight{cancel: cancel, done: make(chan struct{})}
		p.flight = f
		go p.fly(fetchCtx, f)
	}
	f.waiting++
	return f
}

// wait waits for a fetch. The last one to give up ends it.
func (p *ProxyCertificate) wait(ctx context.Context, f *flight) (bool, error) {
	select {
	case <-f.done:
		return f.changed, f.err
	case <-ctx.Done():
	}
	p.mu.Lock()
	f.waiting--
	if f.waiting == 0 {
		f.cancel()
		if p.flight == f {
			p.flight = nil // whoever comes now wants one that is not being ended
		}
	}
	p.mu.Unlock()
	return false, context.Cause(ctx)
}

// fly fetches once.
func (p *ProxyCertificate) fly(ctx context.Context, f *flight) {
	defer f.cancel()
	der, err := p.fetch(ctx)
	var hashes []Hash
	if err == nil {
		hashes = WebHashes(der)
	}

	p.mu.Lock()
	if p.flight == f {
		p.flight = nil
	}
	if err == nil {
		f.changed = p.learn(der, hashes)
	}
	f.err = err
	p.mu.Unlock()

	switch {
	case err != nil:
		p.log.Warn("certs: the certificate of the proxy was not fetched", "url", p.cfg.URL, "err", err)
	case f.changed:
		p.log.Info("certs: the proxy has another certificate", "url", p.cfg.URL, "hash", hashes[0])
		if p.cfg.Changed != nil {
			p.cfg.Changed(bytes.Clone(der))
		}
	}
	close(f.done)
}

// learn makes der the current certificate. The lock is held.
func (p *ProxyCertificate) learn(der []byte, hashes []Hash) (changed bool) {
	if len(p.known) > 0 && bytes.Equal(p.known[0].der, der) {
		return false
	}
	now := time.Now()
	if len(p.known) > 0 {
		p.known[0].until = now.Add(max(p.cfg.Overlap, 0))
	}
	// A proxy that alternates between certificates has its former one back here.
	p.known = slices.DeleteFunc(p.known, func(c proxyCertificate) bool {
		return bytes.Equal(c.der, der) || !c.accepted(now)
	})
	p.known = slices.Insert(p.known, 0, proxyCertificate{der: der, hashes: hashes})
	if len(p.known) > maxProxyCertificates {
		p.known = slices.Delete(p.known, maxProxyCertificates, len(p.known))
	}
	return true
}

// fetch returns the certificate that is at the address now.
func (p *ProxyCertificate) fetch(ctx context.Context) ([]byte, error) {
	if p.path != "" {
		return readProxyFile(p.path)
	}
	raw, err := p.cfg.Dial(ctx, "tcp", p.address)
	if err != nil {
		return nil, fmt.Errorf("certs: connecting to the proxy: %w", err)
	}
	defer func() { _ = raw.Close() }()
	config := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // see the comment on ProxyCertificate
	if p.cfg.TLS != nil {
		config = p.cfg.TLS.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = p.cfg.ServerName
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("certs: TLS handshake with the proxy: %w", err)
	}
	return conn.ConnectionState().PeerCertificates[0].Raw, nil
}

// readProxyFile reads the first certificate in a PEM file, or a DER file.
func readProxyFile(path string) ([]byte, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	var der []byte
	err = pemBlocks(b, func(block *pem.Block) error {
		if der == nil && block.Type == pemCertificate {
			der = block.Bytes
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if der == nil {
		der = b
	}
	if _, err := derwalk.Parse(der); err != nil {
		return nil, fmt.Errorf("%w: %w (in %s)", ErrCertificate, err, path)
	}
	return der, nil
}
