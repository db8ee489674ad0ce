package terminal

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

const (
	// maxWrite is how much goes into one message.
	maxWrite = 32 << 10
	// farewell is how long Close tries to say so.
	farewell = time.Second
	// maxLine bounds the device's words in errors.
	maxLine = 256
)

// Config says what an operator's end does beside the stream. Its zero value works.
type Config struct {
	// OnConsole is told of lines for the operator: that the device's user is asked, has agreed or not. It is called by Read.
	OnConsole func(*Console)
	// OnControl is told of all other control messages that need no answer. It is called by Read.
	OnControl func(Control)
}

// Terminal is the operator's end of a shell. Read returns what the shell writes, as it comes, and io.EOF once the shell has
// ended; Write sends what was typed. Pings are answered while Read is called. Methods may be called from several goroutines.
type Terminal struct {
	conn   Conn
	cfg    Config
	ctx    context.Context
	cancel context.CancelFunc

	readMu sync.Mutex
	rest   []byte // of the last message
	err    error
	denied string

	once   sync.Once
	closed chan struct{}
}

var _ io.ReadWriteCloser = (*Terminal)(nil)

// Open starts a shell on a tunnel whose ends have met. The context is for the start only. Options may be nil.
func Open(ctx context.Context, conn Conn, kind Kind, o *Options, cfg Config) (*Terminal, error) {
	if !kind.Valid() {
		return nil, fmt.Errorf("%w: %d", ErrKind, int(kind))
	}
	if o != nil {
		if err := write(ctx, conn, o); err != nil {
			return nil, fmt.Errorf("terminal: options: %w", err)
		}
	}
	if err := write(ctx, conn, Start{kind}); err != nil {
		return nil, fmt.Errorf("terminal: start: %w", err)
	}
	return New(conn, cfg), nil
}

// New is the operator's end of a tunnel on which options and number are already said. It takes the connection over.
func New(conn Conn, cfg Config) *Terminal {
	t := &Terminal{conn: conn, cfg: cfg, closed: make(chan struct{})}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// Read returns output of the shell. It is io.EOF when the shell has ended and [net.ErrClosed] after Close.
func (t *Terminal) Read(p []byte) (int, error) {
	t.readMu.Lock()
	defer t.readMu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	for len(t.rest) == 0 {
		if t.err != nil {
			return 0, t.err
		}
		if err := t.next(); err != nil {
			t.err = t.ended(err)
			return 0, t.err
		}
	}
	n := copy(p, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

// next reads one message.
func (t *Terminal) next() error {
	typ, b, err := t.conn.ReadMessage(t.ctx)
	if err != nil {
		return err
	}
	m, err := Parse(typ, b)
	if err != nil {
		return nil //nolint:nilerr // text that is no control message is not shown, as by the stock clients
	}
	switch m := m.(type) {
	case Data:
		t.rest = m
	case *Ping:
		return write(t.ctx, t.conn, &Pong{})
	case *Console:
		if m.ID != nil && *m.ID >= ConsoleDenied && *m.ID <= ConsoleTimeout {
			t.denied = m.Msg
		}
		if t.cfg.OnConsole != nil {
			t.cfg.OnConsole(m)
		}
	case Control:
		if t.cfg.OnControl != nil {
			t.cfg.OnControl(m)
		}
	}
	return nil
}

// ended is what Read returns for the end of the connection.
func (t *Terminal) ended(err error) error {
	select {
	case <-t.closed:
		return fmt.Errorf("terminal: read: %w", net.ErrClosed)
	default:
	}
	if t.denied != "" {
		return fmt.Errorf("%w: %q", ErrDenied, t.denied[:min(len(t.denied), maxLine)])
	}
	if ce, ok := err.(*msgconn.CloseError); ok { //nolint:errorlint // an error around it says why, as of a tunnel that was refused
		switch ce.Code {
		case msgconn.CloseNormal, msgconn.CloseGoingAway, msgconn.CloseNoStatus:
			return io.EOF
		}
	}
	return fmt.Errorf("terminal: read: %w", err)
}

// Write sends what was typed. Enter is "\r".
func (t *Terminal) Write(p []byte) (int, error) {
	done := 0
	for len(p) > 0 {
		b := p[:min(len(p), maxWrite)]
		if err := t.conn.WriteMessage(t.ctx, Binary, b); err != nil {
			return done, t.writeError(err)
		}
		done += len(b)
		p = p[len(b):]
	}
	return done, nil
}

// Resize tells the shell the size of the screen. A size that is not known is not sent.
func (t *Terminal) Resize(s Size) error {
	if s = s.bounded(); !s.known() {
		return nil
	}
	return t.Send(&Resize{Cols: s.Cols, Rows: s.Rows})
}

// Send sends a control message.
func (t *Terminal) Send(m Control) error {
	if err := write(t.ctx, t.conn, m); err != nil {
		return t.writeError(err)
	}
	return nil
}

func (t *Terminal) writeError(err error) error {
	select {
	case <-t.closed:
		err = net.ErrClosed
	default:
	}
	return fmt.Errorf("terminal: write: %w", err)
}

// Close ends the shell and unblocks all calls.
func (t *Terminal) Close() error {
	t.once.Do(func() {
		close(t.closed)
		ctx, cancel := context.WithTimeout(t.ctx, farewell)
		defer cancel()
		// The device ends its shell when the tunnel does; the word before is for stock agents, and may fail.
		_ = write(ctx, t.conn, &Close{})
		_ = t.conn.Close(msgconn.CloseNormal, "")
		t.cancel()
	})
	return nil
}
