package wsmantest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/wsman/digest"
)

// The ports of AMT. Not every version has all of them, see [Device.Ports].
const (
	PortHTTP           = 16992 // WS-Management
	PortHTTPS          = 16993 // the same inside TLS
	PortRedirection    = 16994 // SOL, IDE-R, KVM
	PortRedirectionTLS = 16995 // the same inside TLS
)

// Device is a simulated AMT. All its methods are safe for concurrent use; it handles one request at a time, as the
// firmware does.
type Device struct {
	cfg  Config
	prof profile
	log  *slog.Logger

	mu         sync.Mutex // guards what follows, up to the empty line
	realm      string
	nonces     *digest.Nonces
	locks      map[string]*lock // wrong passwords by user
	classes    map[string]*class
	enums      enumerations
	messages   uint64 // ids of answers
	writes     int    // changes of the flash
	state      state
	calls      []Call
	faults     []*Injection
	changed    chan struct{} // closed and replaced by every change; see wait
	events     []Event       // to be delivered by unlock
	delivering bool
	conns      map[net.Conn]*connection
	sessions   map[string]int // redirection sessions by kind
	closed     bool
	notifiers  map[*object]*notifier // by CIM_FilterCollectionSubscription
	// indications counts alerts.
	indications uint64

	ctx    context.Context //nolint:containedctx // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// New makes a device. It panics if the configuration makes no sense, as a test's mistake.
func New(cfg Config) *Device {
	d, err := newDevice(cfg)
	if err != nil {
		panic(err)
	}
	return d
}

func newDevice(cfg Config) (*Device, error) {
	prof, err := newProfile(cfg.Version)
	if err != nil {
		return nil, err
	}
	if cfg.Mode > ModeNone {
		return nil, fmt.Errorf("wsmantest: control mode %d", cfg.Mode)
	}
	if cfg.User == "" {
		cfg.User = "admin"
	}
	if cfg.Password.Reveal() == "" {
		cfg.Password = NewSecret(DefaultPassword)
	}
	if cfg.Power == 0 {
		cfg.Power = PowerOn
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.IdleTime == 0 {
		cfg.IdleTime = time.Minute
	}
	if cfg.UUID == [16]byte{} {
		if _, err := io.ReadFull(cfg.Rand, cfg.UUID[:]); err != nil {
			return nil, fmt.Errorf("wsmantest: random: %w", err)
		}
		cfg.UUID[6], cfg.UUID[8] = cfg.UUID[6]&15|0x40, cfg.UUID[8]&0x3F|0x80
	}
	if cfg.HostName == "" {
		cfg.HostName = "amt-" + hex.EncodeToString(cfg.UUID[:4])
	}
	q := &cfg.Quirks
	for _, n := range []struct {
		field *int
		value int
	}{{&q.ChunkSize, 4096}, {&q.PullItems, 100}} {
		if *n.field <= 0 {
			*n.field = n.value
		}
	}
	if q.NonceTime <= 0 {
		q.NonceTime = 10 * time.Minute
	}
	if q.LockTime <= 0 {
		q.LockTime = 20 * time.Second
	}
	d := &Device{
		cfg: cfg, prof: prof, log: cfg.Logger, locks: map[string]*lock{}, changed: make(chan struct{}),
		conns: map[net.Conn]*connection{}, sessions: map[string]int{},
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	if err := d.build(); err != nil {
		return nil, err
	}
	return d, nil
}

// random returns bytes of the configured source. There is nothing to be done if it fails.
func (d *Device) random(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(d.cfg.Rand, b); err != nil {
		panic(fmt.Sprintf("wsmantest: random: %v", err))
	}
	return b
}

// newRealm is what a digest realm looks like.
func (d *Device) newRealm() string {
	return "Digest:" + strings.ToUpper(hex.EncodeToString(d.random(16)))
}

// Ports returns the ports on which the device answers now, which are also those that it forwards over CIRA: by its
// version, which has no ports without TLS from 19 on, and its TLS settings.
func (d *Device) Ports() []uint16 {
	d.mu.Lock()
	defer d.unlock()
	var out []uint16
	for _, p := range []uint16{PortHTTP, PortHTTPS, PortRedirection, PortRedirectionTLS} {
		if d.openLocked(p) {
			out = append(out, p)
		}
	}
	return out
}

// openLocked says whether the device answers on a port.
func (d *Device) openLocked(port uint16) bool {
	switch port {
	case PortHTTP, PortRedirection:
		return d.prof.clear && !d.state.tls.only
	case PortHTTPS, PortRedirectionTLS:
		return d.state.tls.enabled
	}
	return false
}

// Serve accepts connections for a port until the listener is closed, and then returns nil.
func (d *Device) Serve(l net.Listener, port uint16) error {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("wsmantest: accept: %w", err)
		}
		go d.ServeConn(c, port)
	}
}

// Handler returns ServeConn for one port, for what hands out connections: a simulated CIRA device, for example.
func (d *Device) Handler(port uint16) func(net.Conn) {
	return func(c net.Conn) { d.ServeConn(c, port) }
}

// ServeConn serves one connection to a port of the device and returns when it has ended. It closes the connection. On a
// port that the device does not have it closes at once.
func (d *Device) ServeConn(conn net.Conn, port uint16) {
	defer conn.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := &connection{d: d, conn: conn, port: port, cancel: cancel}
	tlsConfig, ok := d.add(c)
	if !ok {
		return
	}
	defer d.remove(conn)
	if tlsConfig != nil {
		t := tls.Server(conn, tlsConfig)
		_ = conn.SetDeadline(time.Now().Add(d.cfg.IdleTime))
		if err := t.HandshakeContext(ctx); err != nil {
			d.log.Info("wsmantest: TLS", "port", port, "err", err)
			return
		}
		_ = conn.SetDeadline(time.Time{})
		c.conn, c.peers = t, t.ConnectionState().PeerCertificates
		defer t.Close()
	}
	if port == PortRedirection || port == PortRedirectionTLS {
		d.serveRedirection(ctx, c.conn)
		return
	}
	c.serveHTTP(ctx)
}

// add registers a connection and returns the TLS configuration that its port has.
func (d *Device) add(c *connection) (config *tls.Config, ok bool) {
	d.mu.Lock()
	defer d.unlock()
	if d.closed || !d.openLocked(c.port) {
		return nil, false
	}
	if c.port == PortHTTPS || c.port == PortRedirectionTLS {
		config = d.tlsConfigLocked()
	}
	d.conns[c.conn] = c
	d.wg.Add(1)
	return config, true
}

func (d *Device) remove(conn net.Conn) {
	d.mu.Lock()
	delete(d.conns, conn)
	d.changedLocked()
	d.unlock()
	d.wg.Done()
}

// dropLocked ends all connections, as the firmware does after what changes its network settings or accounts. The one
// that is being answered ends after its answer.
func (d *Device) dropLocked(except *connection) {
	for conn, c := range d.conns {
		if c == except {
			c.last = true
			continue
		}
		c.cancel()
		_ = conn.Close()
	}
}

// Disconnect ends all connections, as a restart of the firmware does.
func (d *Device) Disconnect() {
	d.mu.Lock()
	defer d.unlock()
	d.dropLocked(nil)
}

// Close ends all connections, those to listeners too, and waits for what serves them.
func (d *Device) Close() {
	d.cancel()
	d.mu.Lock()
	d.closed = true
	d.dropLocked(nil)
	d.changedLocked()
	d.unlock()
	d.wg.Wait()
}

// changedLocked wakes who waits: the state or the recorded calls have changed.
func (d *Device) changedLocked() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// Wait returns when a condition holds. It is asked after every change and every request; it may use all methods of the
// Device. It returns the context's error if that ends before.
func (d *Device) Wait(ctx context.Context, condition func() bool) error {
	for {
		d.mu.Lock()
		changed := d.changed
		d.mu.Unlock()
		if condition() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wsmantest: waiting: %w", ctx.Err())
		}
	}
}

// String names the device without its secrets.
func (d *Device) String() string {
	return fmt.Sprintf("AMT %s %s", d.prof.version, d.UUID())
}

// Version returns the whole version of the firmware.
func (d *Device) Version() string { return d.prof.version }

// UUID returns the platform's UUID as text.
func (d *Device) UUID() string {
	b := d.cfg.UUID
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// serverHeader is the Server header.
func (d *Device) serverHeader() string {
	if d.cfg.Server != "" {
		return d.cfg.Server
	}
	return "Intel(R) Active Management Technology " + d.prof.version
}
