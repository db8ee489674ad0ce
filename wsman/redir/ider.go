package redir

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// defaultSilence is three heartbeats of a device.
const defaultSilence = 60 * time.Second

// Medium is what is in a drive: an image, and how large it is. The zero value is none.
type Medium struct {
	Reader io.ReaderAt
	Size   int64
}

func (m *Medium) size() int64 {
	if m.Reader == nil {
		return 0
	}
	return m.Size
}

// IDERConfig is what an IDE redirection session is opened with.
type IDERConfig struct {
	Config
	// Floppy and CD are the media, of any size; they are read-only for the host.
	Floppy, CD Medium
	// Mode is when the host gets the drives: StartOnReboot if it is 0.
	Mode StartMode
	// Silence is how long the device may send nothing, not even the heartbeats it is asked for every 20 s; 60 s if it is 0.
	Silence time.Duration
}

// IDERSession is the operator's end of an IDE redirection session: it serves the media until it is closed or the device ends
// it.
type IDERSession struct {
	t       *transport
	media   [2]Medium
	trace   *Trace
	silence time.Duration
	closing chan struct{}
	done    chan struct{}
	workers sync.WaitGroup
	server  *MediaServer // of one goroutine, so that its hooks may ask for Stats

	mu     sync.Mutex
	closed bool
	device IDEROpenReply
	stats  MediaStats
	err    error
}

// OpenIDER starts an IDE redirection session on conn, and returns when the device has switched the drives on; a mode says when
// the host sees them. Cancelling ctx has no effect after that. OpenIDER closes conn if it fails.
func OpenIDER(ctx context.Context, conn net.Conn, cfg IDERConfig) (*IDERSession, error) {
	cfg.Config = cfg.Config.orDefaults()
	s := &IDERSession{
		t: newTransport(conn, AMT, cfg.WriteTimeout), media: [2]Medium{cfg.Floppy, cfg.CD}, trace: cfg.Trace,
		silence: orElse(cfg.Silence, defaultSilence), closing: make(chan struct{}), done: make(chan struct{}),
	}
	s.server = NewMediaServer(MediaServerConfig{
		Floppy: cfg.Floppy.size(), CD: cfg.CD.size(), Mode: cfg.Mode, Events: cfg.Trace.Media,
	})
	err := s.t.login(ctx, IDER, &cfg.Config, func() error {
		if err := s.t.send(s.server.Start(nil), time.Time{}); err != nil {
			return err
		}
		for !s.server.Ready() {
			m, err := s.t.receive(0)
			if err != nil {
				return err
			}
			out, err := s.server.Receive(nil, m)
			if err := errors.Join(err, s.t.send(out, time.Time{})); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	s.device, s.stats = s.server.Device(), s.server.Stats()
	messages := make(chan Message, maxCommands)
	s.workers.Go(func() { s.fail(s.receive(messages)) })
	s.workers.Go(func() { s.fail(s.serve(messages)) })
	return s, nil
}

// receive passes messages on, so that the device is heard while a medium is read.
func (s *IDERSession) receive(messages chan<- Message) error {
	for {
		m, err := s.t.receive(s.silence)
		if err != nil {
			return err
		}
		select {
		case messages <- slices.Clone(m):
		case <-s.done:
			return net.ErrClosed
		}
	}
}

// serve answers the device. It is the only one who sends.
func (s *IDERSession) serve(messages <-chan Message) error {
	buf := make([]byte, maxBuffer)
	var out []byte
	var err error
	for {
		select {
		case m := <-messages: // first: it may be a reset
			out, err = s.server.Receive(out[:0], m)
		case <-s.closing:
			return s.goodbye(messages)
		default:
			if request, ok := s.server.Next(); ok {
				data, readErr := s.read(request, buf)
				out = s.server.Deliver(out[:0], data, readErr)
				break
			}
			select {
			case m := <-messages:
				out, err = s.server.Receive(out[:0], m)
			case <-s.closing:
				return s.goodbye(messages)
			case <-s.done:
				return net.ErrClosed
			}
		}
		s.note()
		if sendErr := s.t.send(out, time.Time{}); err == nil {
			err = sendErr
		}
		if err != nil {
			return err
		}
		out = out[:0]
	}
}

// note keeps the counts for Stats.
func (s *IDERSession) note() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats = s.server.Stats()
}

// goodbye ends the session and gives the device a moment to agree.
func (s *IDERSession) goodbye(messages <-chan Message) error {
	if err := s.t.send(s.server.Close(nil), time.Now().Add(closeTimeout)); err != nil {
		return net.ErrClosed
	}
	patience := time.NewTimer(closeTimeout)
	defer patience.Stop()
	for {
		select {
		case m := <-messages:
			if m.Command() == CommandIDERClosed {
				return net.ErrClosed
			}
		case <-patience.C:
			return net.ErrClosed
		case <-s.done:
			return net.ErrClosed
		}
	}
}

// read reads a piece of a medium. What is beyond its end is zeros.
func (s *IDERSession) read(r ReadRequest, buf []byte) ([]byte, error) {
	medium := &s.media[driveIndex(r.Drive)]
	buf = buf[:r.Length]
	inside := buf[:max(min(int64(r.Length), medium.Size-r.Offset), 0)]
	n, err := medium.Reader.ReadAt(inside, r.Offset)
	if n < len(inside) {
		return nil, orElse(err, io.ErrUnexpectedEOF)
	}
	clear(buf[n:])
	return buf, nil
}

// fail ends the session. The first reason counts.
func (s *IDERSession) fail(err error) {
	s.mu.Lock()
	first := s.err == nil
	if first {
		if s.closed {
			err = net.ErrClosed // what the device does then does not matter
		}
		s.err = err
		close(s.done)
	}
	s.mu.Unlock()
	if first {
		_ = s.t.conn.Close()
		s.trace.Ended(IDER, err)
	}
}

// Device is what the device said of itself.
func (s *IDERSession) Device() IDEROpenReply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.device
}

// Stats returns what went through so far. Hooks may call it; it does not have what they are called for yet.
func (s *IDERSession) Stats() MediaStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Done is closed when the session has ended.
func (s *IDERSession) Done() <-chan struct{} { return s.done }

// Err is why the session has ended, or nil. It is ErrEnded if the device did it in order.
func (s *IDERSession) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close ends the session: the host's drives are gone. It waits until nothing of it runs any more, reads of the media included.
func (s *IDERSession) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	s.mu.Unlock()
	s.workers.Wait()
	return nil
}
