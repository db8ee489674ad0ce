package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/relay"
)

// maxForwarded bounds the connections of one forwarding that are open at once. More wait.
const maxForwarded = 256

// forwardCommands is the verb that makes ports of a device's network ports of this machine.
func (a *app) forwardCommands() []*cobra.Command {
	var specs []string
	var forwards []forward
	c := a.onDevice("forward", "Forward local TCP ports through a device", func(ctx context.Context, s *session, device controlproto.ID) error {
		return s.forward(ctx, forwards, func(ctx context.Context, to string) (net.Conn, error) {
			return relay.DialTCP(ctx, s.client, string(device), to, s.tunnelOptions(relay.ProtocolNone))
		})
	})
	c.Long = c.Short + ", until interrupted.\n\n" +
		"Each connection to the local port becomes one of the device to HOST:PORT, as the device sees it. Local ports take\n" +
		"connections of this machine alone unless an address is given; * is all of them. Port 0 is any that is free."
	c.Flags().StringArrayVarP(&specs, "local", "L", nil, "what to forward, `[BIND:]PORT:HOST:PORT`; may be repeated")
	c.PreRunE = func(*cobra.Command, []string) error {
		for _, spec := range specs {
			f, err := parseForward(spec)
			if err != nil {
				return err
			}
			forwards = append(forwards, f)
		}
		return nil
	}
	complete(c, "local", cobra.NoFileCompletions)
	need(c, "local")
	return []*cobra.Command{c}
}

// forward is where connections are taken and where they go.
type forward struct{ listen, to string }

// parseForward reads [bind:]port:host:port. Addresses of IPv6 are in brackets.
func parseForward(text string) (forward, error) {
	wrong := usageError("-L %.128q: want [BIND:]PORT:HOST:PORT, with IPv6 addresses in brackets", text)
	parts, ok := splitColons(text)
	if !ok {
		return forward{}, wrong
	}
	bind := "127.0.0.1"
	if len(parts) == 4 {
		if bind, parts = parts[0], parts[1:]; bind == "" {
			return forward{}, wrong
		}
		if bind == "*" {
			bind = ""
		}
	}
	if len(parts) != 3 || parts[1] == "" {
		return forward{}, wrong
	}
	from, err := strconv.ParseUint(parts[0], 10, 16)
	if err != nil {
		return forward{}, wrong
	}
	to, err := strconv.ParseUint(parts[2], 10, 16)
	if err != nil || to == 0 {
		return forward{}, wrong
	}
	return forward{
		listen: net.JoinHostPort(bind, strconv.FormatUint(from, 10)),
		to:     net.JoinHostPort(parts[1], strconv.FormatUint(to, 10)),
	}, nil
}

// splitColons splits at colons outside of brackets, which are removed.
func splitColons(text string) (parts []string, ok bool) {
	for {
		part, rest, more := strings.Cut(text, ":")
		if strings.HasPrefix(text, "[") {
			var closed bool
			if part, rest, closed = strings.Cut(text[1:], "]"); !closed {
				return nil, false
			}
			if rest, more = strings.CutPrefix(rest, ":"); !more && rest != "" {
				return nil, false
			}
		}
		if parts = append(parts, part); !more {
			return parts, true
		}
		text = rest
	}
}

// dialFunc connects to an address as a device sees it.
type dialFunc func(ctx context.Context, to string) (net.Conn, error)

// forward takes connections until it is interrupted, which is how it ends well, or the server is lost.
func (s *session) forward(ctx context.Context, forwards []forward, dial dialFunc) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	listeners := make([]net.Listener, 0, len(forwards))
	stop := func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	}
	defer stop()
	for _, f := range forwards {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", f.listen)
		if err != nil {
			return fmt.Errorf("forward: %w", err)
		}
		listeners = append(listeners, l)
	}
	for i, l := range listeners {
		at := l.Addr().String()
		if err := s.done("Forwarding "+at+" to "+forwards[i].to, field{"listen", at}, field{"to", forwards[i].to}); err != nil {
			return err
		}
	}
	var all sync.WaitGroup
	failed := make(chan error, len(listeners))
	for i, l := range listeners {
		all.Go(func() { failed <- s.accept(ctx, l, forwards[i].to, dial) })
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	case <-s.lost():
		err = s.client.Err()
	}
	cancel()
	stop()
	all.Wait()
	return err
}

// lost is closed when there is no session with the server any more.
func (s *session) lost() <-chan struct{} {
	if s.client == nil {
		return nil
	}
	return s.client.Done()
}

// accept takes the connections of one port, and returns when they have ended, too.
func (s *session) accept(ctx context.Context, l net.Listener, to string, dial dialFunc) error {
	var open sync.WaitGroup
	defer open.Wait()
	room := make(chan struct{}, maxForwarded)
	for {
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		near, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("forward: %w", err)
		}
		open.Go(func() {
			defer func() { <-room }()
			defer near.Close()
			far, err := dial(ctx, to)
			if err != nil {
				if ctx.Err() == nil {
					s.noteLine("forward to %s: %v", to, err)
				}
				return
			}
			joinConns(ctx, near, far)
		})
	}
}

// noteLine is note from goroutines.
func (s *session) noteLine(format string, args ...any) {
	s.notes.Lock()
	defer s.notes.Unlock()
	s.note(format, args...)
}

// joinConns copies both ways until the far end has ended, or is silent after the near one has. It closes both.
func joinConns(ctx context.Context, near, far net.Conn) {
	closeBoth := func() {
		_ = near.Close()
		_ = far.Close()
	}
	defer context.AfterFunc(ctx, closeBoth)()
	l := &lingering{Conn: far, time: lingerTime}
	var up sync.WaitGroup
	up.Go(func() {
		_, err := io.Copy(far, near)
		if err != nil { // nothing more can be said to the near end, or by it
			closeBoth()
			return
		}
		l.end()
	})
	_, _ = io.Copy(near, l) // whatever ended it, both ends learn that it has
	closeBoth()
	up.Wait()
}

// lingering is a connection that is read until it is silent for a time, once it is told so.
type lingering struct {
	net.Conn
	time  time.Duration
	ended atomic.Bool
}

func (l *lingering) end() {
	l.ended.Store(true)
	_ = l.SetReadDeadline(time.Now().Add(l.time)) // also for a read that waits
}

func (l *lingering) Read(p []byte) (int, error) {
	if l.ended.Load() {
		_ = l.SetReadDeadline(time.Now().Add(l.time))
	}
	return l.Conn.Read(p)
}
