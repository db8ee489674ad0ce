package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

const (
	// streamPiece is how much of a stream goes in one message.
	streamPiece = 32 << 10
	// maxDatagram is the longest datagram of IPv4.
	maxDatagram = 65507
)

// portConn reads messages of a [Conn] in a goroutine of its own, so that reads can have deadlines: a Conn itself is of no
// more use after a read whose context ended.
type portConn struct {
	conn  Conn
	text  bool // text messages count too
	local Addr
	addr  Addr

	ctx    context.Context
	cancel context.CancelFunc

	next chan []byte   // the message that was read; its reader has it until taken is sent to
	done chan struct{} // taken
	end  chan struct{} // closed when nothing more is read
	err  error         // why

	readMu  sync.Mutex
	left    []byte // of the message being read
	reading deadline

	writeMu sync.Mutex
	writing deadline
}

func newPortConn(c Conn, addr Addr, text bool) *portConn {
	p := &portConn{
		conn: c, text: text, addr: addr, local: Addr{Node: addr.Node, Net: addr.Net, Address: "tunnel"},
		next: make(chan []byte), done: make(chan struct{}), end: make(chan struct{}),
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.reading.init()
	p.writing.init()
	go p.pump()
	return p
}

// pump hands messages over, one at a time: whoever does not read slows the sender down.
func (p *portConn) pump() {
	defer close(p.end)
	for {
		t, b, err := p.conn.ReadMessage(p.ctx)
		if err != nil {
			p.err = err
			return
		}
		if t == Text && !p.text || len(b) == 0 && !p.text {
			continue // control messages never are data of a stream
		}
		select {
		case p.next <- b:
		case <-p.ctx.Done():
			p.err = net.ErrClosed
			return
		}
		select {
		case <-p.done:
		case <-p.ctx.Done():
			p.err = net.ErrClosed
			return
		}
	}
}

// message waits for the next message.
func (p *portConn) message() ([]byte, error) {
	expired := p.reading.wait()
	select {
	case <-expired:
		return nil, os.ErrDeadlineExceeded
	case <-p.ctx.Done():
		return nil, net.ErrClosed
	default:
	}
	select {
	case b := <-p.next:
		return b, nil
	case <-p.end:
		var closed *msgconn.CloseError
		if p.ctx.Err() != nil {
			return nil, net.ErrClosed
		}
		if errors.As(p.err, &closed) && !errors.Is(p.err, ErrDenied) {
			return nil, io.EOF
		}
		return nil, p.err
	case <-expired:
		return nil, os.ErrDeadlineExceeded
	case <-p.ctx.Done():
		return nil, net.ErrClosed
	}
}

// taken gives the message back to the reader.
func (p *portConn) taken() {
	select {
	case p.done <- struct{}{}:
	case <-p.end:
	case <-p.ctx.Done():
	}
}

// write sends one message.
func (p *portConn) write(b []byte) error {
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	expired := p.writing.wait()
	select {
	case <-expired:
		return os.ErrDeadlineExceeded
	default:
	}
	over, finished := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		select {
		case <-expired:
			cancel()
		case <-over:
		}
	}()
	err := p.conn.WriteMessage(ctx, Binary, b)
	close(over)
	<-finished
	if err == nil {
		return nil
	}
	if p.ctx.Err() != nil {
		return net.ErrClosed
	}
	if ctx.Err() != nil {
		return os.ErrDeadlineExceeded
	}
	return err
}

// Close ends the tunnel, and with it the connection at the far end.
func (p *portConn) Close() error {
	if p.ctx.Err() != nil {
		return net.ErrClosed
	}
	p.cancel()
	err := p.conn.Close(msgconn.CloseNormal, "")
	<-p.end
	return err
}

// LocalAddr names the tunnel.
func (p *portConn) LocalAddr() net.Addr { return p.local }

// RemoteAddr is the address that the device connected to.
func (p *portConn) RemoteAddr() net.Addr { return p.addr }

// SetDeadline sets both deadlines.
func (p *portConn) SetDeadline(t time.Time) error {
	p.reading.set(t)
	p.writing.set(t)
	return nil
}

// SetReadDeadline ends reads, also one that waits, at a time. Reads after a later deadline go on where they were.
func (p *portConn) SetReadDeadline(t time.Time) error { p.reading.set(t); return nil }

// SetWriteDeadline ends writes at a time. After a write that was cut the connection is of no more use.
func (p *portConn) SetWriteDeadline(t time.Time) error { p.writing.set(t); return nil }

// StreamConn makes a stream of the binary messages of a tunnel's end: a TCP connection. Text messages are dropped. There is
// no half-close in tunnels.
func StreamConn(c Conn, remote Addr) net.Conn { return &streamConn{newPortConn(c, remote, false)} }

type streamConn struct{ *portConn }

// Read implements [net.Conn].
func (s *streamConn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	s.readMu.Lock()
	defer s.readMu.Unlock()
	if len(s.left) == 0 {
		m, err := s.message()
		if err != nil {
			return 0, err
		}
		s.left = m
	}
	n := copy(b, s.left)
	if s.left = s.left[n:]; len(s.left) == 0 {
		s.left = nil
		s.taken()
	}
	return n, nil
}

// Write implements [net.Conn].
func (s *streamConn) Write(b []byte) (int, error) {
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	sent := 0
	for len(b) > 0 {
		n := min(len(b), streamPiece)
		if err := s.write(b[:n]); err != nil {
			return sent, err
		}
		sent, b = sent+n, b[n:]
	}
	return sent, nil
}

// PacketConn is datagrams over a tunnel: a [net.PacketConn] with one address, and a [net.Conn].
type PacketConn struct{ *portConn }

var (
	_ net.PacketConn = (*PacketConn)(nil)
	_ net.Conn       = (*PacketConn)(nil)
)

// DatagramConn makes datagrams of the messages of a tunnel's end.
func DatagramConn(c Conn, remote Addr) *PacketConn { return &PacketConn{newPortConn(c, remote, true)} }

// ReadFrom implements [net.PacketConn]. What does not fit into b of a datagram is lost.
func (c *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := c.Read(b)
	if err != nil {
		return 0, nil, err
	}
	return n, c.addr, nil
}

// Read implements [net.Conn].
func (c *PacketConn) Read(b []byte) (int, error) {
	c.readMu.Lock()
	defer c.readMu.Unlock()
	m, err := c.message()
	if err != nil {
		return 0, err
	}
	n := copy(b, m)
	c.taken()
	return n, nil
}

// errAddr is a datagram to somewhere else than where the tunnel leads.
var errAddr = errors.New("relay: the tunnel leads to another address")

// WriteTo implements [net.PacketConn].
func (c *PacketConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	if addr != nil && addr.String() != c.addr.String() {
		return 0, errAddr
	}
	return c.Write(b)
}

// Write implements [net.Conn].
func (c *PacketConn) Write(b []byte) (int, error) {
	if len(b) > maxDatagram {
		return 0, errors.New("relay: datagram is too long")
	}
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	if err := c.write(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// deadline is a time at which a channel is closed, in the manner of net.Pipe.
type deadline struct {
	mu      sync.Mutex
	timer   *time.Timer
	at      time.Time // when it runs
	expired chan struct{}
}

func (d *deadline) init() { d.expired = make(chan struct{}) }

// wait returns the channel that is closed when the time has come. A deadline that is set later closes it too.
func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !time.Now().Before(d.at) { // the timer may be about to run
		if d.timer.Stop() {
			close(d.expired)
		} else {
			<-d.expired
		}
		d.timer = nil
	}
	return d.expired
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		<-d.expired // the timer has just run, and closes
	}
	d.timer = nil
	over := false
	select {
	case <-d.expired:
		over = true
	default:
	}
	if t.IsZero() {
		if over {
			d.expired = make(chan struct{})
		}
		return
	}
	if wait := time.Until(t); wait > 0 {
		if over {
			d.expired = make(chan struct{})
		}
		c := d.expired
		d.at = t
		d.timer = time.AfterFunc(wait, func() { close(c) })
		return
	}
	if !over {
		close(d.expired)
	}
}
