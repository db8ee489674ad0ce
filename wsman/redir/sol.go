package redir

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// serialBuffer is how much of the other side's output is held for the reader. When it is full nothing more is read
	// from the connection, until it is fetched.
	serialBuffer = 64 << 10
	// operatorChunk is the most that an operator sends in one message. It types.
	operatorChunk = 1024
	// closeTimeout is for the message that ends a session.
	closeTimeout = time.Second
)

// SOLConfig is what a serial-over-LAN session is opened with. The zero value, with credentials, has the settings of stock
// MeshCentral. Times are sent in milliseconds, up to 65 seconds.
type SOLConfig struct {
	Config
	// MaxTransmit is how many bytes the device gathers before it sends; 10000 if it is 0.
	MaxTransmit uint16
	// TransmitTimeout is how long it gathers at most; 100 ms if it is 0.
	TransmitTimeout time.Duration
	// OverflowTimeout is how long the device holds output that it cannot send, before it drops some; 0 is for ever.
	OverflowTimeout time.Duration
	// ReceiveTimeout is how long the device waits for the heartbeats of this end; 10 s if it is 0.
	ReceiveTimeout time.Duration
	// FlushTimeout is how long the device holds input that the host does not fetch; 100 ms if it is 0.
	FlushTimeout time.Duration
	// DeviceHeartbeat asks the device for heartbeats. The session ends with ErrSilent after three that did not come. 0 asks
	// for none, as stock MeshCentral does.
	DeviceHeartbeat time.Duration
	// Heartbeat is between the heartbeats of this end; 2 s if it is 0.
	Heartbeat time.Duration
	// FlowControl lets Write wait while the host does not assert RTS. Not all hosts do.
	FlowControl bool
}

func (c *SOLConfig) orDefaults() {
	c.Config = c.Config.orDefaults()
	c.MaxTransmit = orElse(c.MaxTransmit, 10_000)
	c.TransmitTimeout = orElse(c.TransmitTimeout, 100*time.Millisecond)
	c.ReceiveTimeout = orElse(c.ReceiveTimeout, 10*time.Second)
	c.FlushTimeout = orElse(c.FlushTimeout, 100*time.Millisecond)
	c.Heartbeat = orElse(c.Heartbeat, 2*time.Second)
}

func milliseconds(d time.Duration) uint16 {
	return uint16(min(max(d.Milliseconds(), 0), 0xFFFF)) //nolint:gosec // bounded
}

// Serial is one end of a serial-over-LAN session: a net.Conn whose bytes are those of the host's serial port. For the
// operator, Read gives the screen and Write is the keyboard; for the device it is the other way round.
//
// A write that fails ends the session, as nobody knows what arrived of it.
type Serial struct {
	t           *transport
	side        Side
	chunk       int
	flowControl bool
	silence     time.Duration
	trace       *Trace
	readLimit   deadline
	writeLimit  deadline
	done        chan struct{}
	workers     sync.WaitGroup
	next        uint32 // sequence number, under t.mu
	out         []byte // under t.mu

	mu       sync.Mutex
	in       []byte
	readable chan struct{} // something changed for a reader
	space    chan struct{} // there is room in the buffer
	status   SOLStatus
	known    bool          // there was a status
	changed  chan struct{} // closed with the next status
	stats    SerialStats
	err      error
}

// SerialStats count what went through a serial port.
type SerialStats struct {
	Read, Written uint64 // bytes
	Overflows     uint64 // how often the device said that output was lost
	Flushes       uint64 // how often the device said that input was dropped
}

var _ net.Conn = (*Serial)(nil)

// OpenSOL starts a serial-over-LAN session on conn and returns the operator's end of it. Cancelling ctx has no effect after
// that. OpenSOL closes conn if it fails.
func OpenSOL(ctx context.Context, conn net.Conn, cfg SOLConfig) (*Serial, error) {
	cfg.orDefaults()
	t := newTransport(conn, AMT, cfg.WriteTimeout)
	err := t.login(ctx, SOL, &cfg.Config, func() error {
		open := SOLOpen{
			Sequence: 1, MaxTransmit: cfg.MaxTransmit, TransmitTimeout: milliseconds(cfg.TransmitTimeout),
			OverflowTimeout: milliseconds(cfg.OverflowTimeout), ReceiveTimeout: milliseconds(cfg.ReceiveTimeout),
			FlushTimeout: milliseconds(cfg.FlushTimeout), Heartbeat: milliseconds(cfg.DeviceHeartbeat),
		}
		if err := t.send(open.Append(nil), time.Time{}); err != nil {
			return err
		}
		m, err := t.receive(0)
		for err == nil && (m.Command() == CommandSOLHeartbeat || m.Command() == CommandSOLStatus) {
			m, err = t.receive(0) // may come first
		}
		if err != nil {
			return err
		}
		var opened SOLOpenReply
		if err := opened.Parse(m); err != nil {
			return err
		}
		if opened.Status != 0 {
			return protocolError("status %d of the serial port", opened.Status)
		}
		return t.send(SOLControls{Sequence: 2, Lines: DefaultLines}.Append(nil), time.Time{})
	})
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	s := newSerial(t, Operator, cfg.Trace)
	s.next, s.chunk, s.flowControl, s.silence = 3, operatorChunk, cfg.FlowControl, 3*cfg.DeviceHeartbeat
	s.start(cfg.Heartbeat)
	return s, nil
}

func newSerial(t *transport, side Side, trace *Trace) *Serial {
	s := &Serial{
		t: t, side: side, trace: trace, done: make(chan struct{}),
		readable: make(chan struct{}, 1), space: make(chan struct{}, 1), changed: make(chan struct{}),
	}
	s.readLimit.init()
	s.writeLimit.init()
	return s
}

func (s *Serial) start(heartbeat time.Duration) {
	s.workers.Go(func() { s.fail(s.receive()) })
	if heartbeat > 0 {
		s.workers.Go(func() { s.beat(heartbeat) })
	}
}

// beat sends heartbeats until the session ends.
func (s *Serial) beat(every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-ticker.C:
			if err := s.signal(CommandSOLHeartbeat); err != nil {
				s.fail(err)
				return
			}
		}
	}
}

func (s *Serial) signal(c Command) error {
	return s.send(time.Time{}, func(b []byte, n uint32) []byte { return SOLSignal{c, n}.Append(b) })
}

func (s *Serial) send(limit time.Time, message func(b []byte, sequence uint32) []byte) error {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	return s.sendLocked(limit, message)
}

func (s *Serial) sendLocked(limit time.Time, message func(b []byte, sequence uint32) []byte) error {
	s.out = message(s.out[:0], s.next)
	s.next++
	return s.t.sendLocked(s.out, limit)
}

// receive takes messages until the session ends, and returns why.
func (s *Serial) receive() error {
	for {
		m, err := s.t.receive(s.silence)
		if err != nil {
			return err
		}
		switch m.Command() {
		case CommandSOLFromHost, CommandSOLToHost:
			var data SOLData
			if err := data.Parse(m); err != nil {
				return err
			}
			if !s.put(data.Data) {
				return net.ErrClosed
			}
		case CommandSOLStatus:
			var status SOLStatus
			if err := status.Parse(m); err != nil {
				return err
			}
			s.noteStatus(status)
			s.trace.SerialStatus(status)
		case CommandSOLPing:
			if err := s.signal(CommandSOLPong); err != nil {
				return err
			}
		case CommandSOLPong, CommandSOLHeartbeat:
		case CommandSOLControls:
			// The first thing that an operator is told is what state the port is in.
			if err := s.SetStatus(LineRTS|LineDTR, StatePowered); err != nil {
				return err
			}
		case CommandSOLClose:
			_ = s.signal(CommandSOLClosed)
			return ErrEnded
		case CommandSOLClosed, CommandEnd:
			return ErrEnded
		default:
			return protocolError("command %02X in an open SOL session", uint8(m.Command()))
		}
	}
}

// put holds data for the reader. It waits for room, and says whether the session is still open.
func (s *Serial) put(data []byte) bool {
	for len(data) > 0 {
		s.mu.Lock()
		n := min(len(data), serialBuffer-len(s.in))
		s.in = append(s.in, data[:n]...)
		s.mu.Unlock()
		if data = data[n:]; n > 0 {
			notify(s.readable)
			continue
		}
		select {
		case <-s.space:
		case <-s.done:
			return false
		}
	}
	return true
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Read waits for bytes of the other side.
func (s *Serial) Read(b []byte) (int, error) {
	for {
		limit := s.readLimit.wait()
		if isClosed(limit) {
			return 0, os.ErrDeadlineExceeded
		}
		s.mu.Lock()
		n := copy(b, s.in)
		s.in = append(s.in[:0], s.in[n:]...)
		s.stats.Read += uint64(n) //nolint:gosec // not negative
		more, err := len(s.in) > 0, s.err
		s.mu.Unlock()
		switch {
		case n > 0 || len(b) == 0:
			notify(s.space)
			if more {
				notify(s.readable)
			}
			return n, nil
		case err != nil:
			notify(s.readable) // for other readers
			if errors.Is(err, ErrEnded) {
				err = io.EOF
			}
			return 0, err
		}
		select {
		case <-s.readable:
		case <-s.done:
			// What came last is still to be read.
		case <-limit:
			return 0, os.ErrDeadlineExceeded
		}
	}
}

// Write sends bytes to the other side.
func (s *Serial) Write(b []byte) (int, error) {
	written := 0
	for written < len(b) {
		if err := s.clear(); err != nil {
			return written, err
		}
		piece := b[written:min(len(b), written+s.chunk)]
		err := s.send(s.writeLimit.time(), func(b []byte, n uint32) []byte { return SOLData{s.side, n, piece}.Append(b) })
		if err != nil {
			s.fail(err)
			return written, err
		}
		written += len(piece)
		s.mu.Lock()
		s.stats.Written += uint64(len(piece))
		s.mu.Unlock()
	}
	return written, nil
}

// clear waits until the host is clear to be sent to.
func (s *Serial) clear() error {
	for {
		limit := s.writeLimit.wait()
		s.mu.Lock()
		wait := s.flowControl && s.known && s.status.Lines&LineRTS == 0
		changed, err := s.changed, s.err
		s.mu.Unlock()
		switch {
		case err != nil:
			return err
		case isClosed(limit):
			return os.ErrDeadlineExceeded
		case !wait:
			return nil
		}
		select {
		case <-changed:
		case <-s.done:
		case <-limit:
		}
	}
}

func (s *Serial) noteStatus(status SOLStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.known = status, true
	if status.State&StateOverflow != 0 {
		s.stats.Overflows++
	}
	if status.State&StateFlushed != 0 {
		s.stats.Flushes++
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// Status is what the device said last of the host's serial port, and whether it said something.
func (s *Serial) Status() (SOLStatus, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status, s.known
}

// SetStatus tells the operator of the host's serial port. Device's end only.
func (s *Serial) SetStatus(lines SOLLines, state SOLState) error {
	if s.side != AMT {
		return errors.New("redir: the operator has no serial port")
	}
	s.noteStatus(SOLStatus{Lines: lines, State: state})
	return s.send(time.Time{}, func(b []byte, n uint32) []byte { return SOLStatus{n, lines, state}.Append(b) })
}

// Stats returns what went through so far.
func (s *Serial) Stats() SerialStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// fail ends the session. The first reason counts.
func (s *Serial) fail(err error) {
	if s.end(err) {
		_ = s.t.conn.Close()
		s.trace.Ended(SOL, err)
	}
}

// end notes the reason, and says whether it is the first one.
func (s *Serial) end(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false
	}
	s.err = err
	close(s.done)
	return true
}

// Close ends the session, for the operator with the message that says so, and waits until nothing of it runs any more.
func (s *Serial) Close() error {
	if s.end(net.ErrClosed) {
		// A message that is stuck is not waited for.
		if s.side == Operator && s.t.mu.TryLock() {
			_ = s.sendLocked(time.Now().Add(closeTimeout), func(b []byte, n uint32) []byte { return SOLSignal{CommandSOLClose, n}.Append(b) })
			s.t.mu.Unlock()
		}
		_ = s.t.conn.Close()
		s.trace.Ended(SOL, net.ErrClosed)
	}
	s.workers.Wait()
	return nil
}

// Done is closed when the session has ended.
func (s *Serial) Done() <-chan struct{} { return s.done }

// Err is why the session has ended, or nil.
func (s *Serial) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// LocalAddr is that of the connection.
func (s *Serial) LocalAddr() net.Addr { return s.t.conn.LocalAddr() }

// RemoteAddr is that of the connection.
func (s *Serial) RemoteAddr() net.Addr { return s.t.conn.RemoteAddr() }

// SetDeadline sets both deadlines.
func (s *Serial) SetDeadline(t time.Time) error {
	s.readLimit.set(t)
	s.writeLimit.set(t)
	return nil
}

// SetReadDeadline is for Read.
func (s *Serial) SetReadDeadline(t time.Time) error {
	s.readLimit.set(t)
	return nil
}

// SetWriteDeadline is for Write. It counts when a message is begun, and one that is not sent by then ends the session.
func (s *Serial) SetWriteDeadline(t time.Time) error {
	s.writeLimit.set(t)
	return nil
}
