package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// Shell is a running shell. Read returns its output, and an error once it has ended; Write types; Close ends it, with all
// that it has started, and unblocks both.
type Shell interface {
	io.ReadWriteCloser
	Resize(Size) error
}

// Request is what an operator asks for.
type Request struct {
	Kind    Kind
	Options Options // sizes are within bounds
}

// Size is the size that the operator has, as far as it is known.
func (r *Request) Size() Size { return Size{r.Options.Cols, r.Options.Rows} }

// ServeConfig says how [Serve] makes shells.
type ServeConfig struct {
	// Start makes the shell. Nil is that of a [PTY] without any setting. The text of a [Refusal] is told to the operator, that
	// of other errors is not. The context ends with the tunnel.
	Start func(context.Context, *Request) (Shell, error)
	// Logger is told of starts that failed. Nil discards.
	Logger *slog.Logger
}

// Refusal is an error whose text the operator sees.
type Refusal struct{ Msg string }

// Error returns the text.
func (e *Refusal) Error() string { return fmt.Sprintf("terminal: refused: %.256q", e.Msg) }

// Accept reads options and number on a tunnel whose ends have met, or are about to. What comes before is dropped; a number
// that is no shell's is [ErrKind].
func Accept(ctx context.Context, conn Conn) (*Request, error) {
	r := new(Request)
	for {
		t, b, err := conn.ReadMessage(ctx)
		if err != nil {
			return nil, fmt.Errorf("terminal: accept: %w", err)
		}
		m, err := Parse(t, b)
		if err != nil {
			continue
		}
		switch m := m.(type) {
		case *Options:
			r.Options = *m
		case Start:
			if !m.Kind.Valid() {
				return nil, fmt.Errorf("%w: %d", ErrKind, int(m.Kind))
			}
			r.Kind = m.Kind
			return r, nil
		case Control:
			if end, err := answer(ctx, conn, m); end || err != nil {
				return nil, fmt.Errorf("terminal: accept: %w", errors.Join(net.ErrClosed, err))
			}
		}
	}
}

// answer sees to what every device answers. It says whether the operator has ended the tunnel.
func answer(ctx context.Context, conn Conn, m Control) (end bool, err error) {
	switch m := m.(type) {
	case *Ping:
		return false, write(ctx, conn, &Pong{})
	case *RTT:
		return false, write(ctx, conn, m)
	case *Close:
		return true, nil
	}
	return false, nil
}

// Serve is the device's end of a shell, from the number on: r is what [Accept] returned, or what a dispatcher of package relay
// has read. It returns when the shell or the tunnel has ended, and both then have. The error is nil if the shell ended, or the
// operator.
func Serve(ctx context.Context, conn Conn, r *Request, cfg ServeConfig) error {
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer conn.Close(msgconn.CloseNormal, "")
	if !r.Kind.Valid() {
		return fmt.Errorf("%w: %d", ErrKind, int(r.Kind))
	}
	size := r.Size().bounded()
	r.Options.Cols, r.Options.Rows = size.Cols, size.Rows
	start := cfg.Start
	if start == nil {
		start = (&PTY{}).Start
	}
	shell, err := start(ctx, r)
	if err != nil {
		log.Warn("terminal not started", "kind", r.Kind, "error", err)
		msg, id := "Unable to start a terminal", ConsoleStartFailed
		var refusal *Refusal
		if errors.As(err, &refusal) {
			msg = refusal.Msg
		}
		// Stock viewers show it and wait for the end of the tunnel.
		_ = write(ctx, conn, &Console{Msg: msg, ID: &id})
		return fmt.Errorf("terminal: start: %w", err)
	}

	output := make(chan error, 1)
	go func() {
		err := sendOutput(ctx, conn, shell)
		conn.Close(msgconn.CloseNormal, "") // which ends the reading below
		output <- err
	}()
	inErr := typeInput(ctx, conn, shell)
	// The end of the tunnel is that of the shell; if it was the other way, both have ended already.
	conn.Close(msgconn.CloseNormal, "")
	shell.Close()
	if err := <-output; err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	if inErr != nil && ctx.Err() != nil {
		return fmt.Errorf("terminal: %w", context.Cause(ctx))
	}
	return nil
}

// errOutput is what sending output failed with: the tunnel has ended, which is nobody's mistake.
var errOutput = errors.New("write output")

// sendOutput sends what the shell writes until it ends.
func sendOutput(ctx context.Context, conn Conn, shell Shell) error {
	buf := make([]byte, maxWrite)
	for {
		n, err := shell.Read(buf)
		if n > 0 {
			if werr := conn.WriteMessage(ctx, Binary, buf[:n]); werr != nil {
				if errors.Is(werr, net.ErrClosed) || ctx.Err() != nil {
					return nil
				}
				return fmt.Errorf("%w: %w", errOutput, werr)
			}
		}
		if err != nil {
			return nil //nolint:nilerr // however a shell ends, it has
		}
	}
}

// typeInput passes on what is typed until the tunnel ends.
func typeInput(ctx context.Context, conn Conn, shell Shell) error {
	for {
		t, b, err := conn.ReadMessage(ctx)
		if err != nil {
			return err
		}
		m, err := Parse(t, b)
		if err != nil {
			continue
		}
		switch m := m.(type) {
		case Data:
			if len(m) == 0 {
				continue
			}
			if _, err := shell.Write(m); err != nil {
				return err
			}
		case *Resize:
			if s := (Size{m.Cols, m.Rows}).bounded(); s.known() {
				_ = shell.Resize(s) // a shell that has just ended
			}
		case Control:
			if end, err := answer(ctx, conn, m); end || err != nil {
				return err
			}
		}
	}
}
