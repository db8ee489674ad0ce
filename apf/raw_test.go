package apf

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// raw is a peer that is played by hand.
type raw struct {
	t    *testing.T
	conn net.Conn
	p    *Parser
	left []byte
	buf  []byte
}

// rawDevice returns a server's end and the device at the other end of it.
func rawDevice(t *testing.T, s *ServerConfig) (*runs, *raw) {
	t.Helper()
	a, conn := net.Pipe()
	ready := make(chan struct{})
	cfg := *s
	cfg.Ready = func(c *Conn) {
		close(ready)
		if s.Ready != nil {
			s.Ready(c)
		}
	}
	server := run(t.Context(), NewServerConn(a, &cfg), ready)
	t.Cleanup(func() {
		conn.Close()
		server.Close()
		server.wait(t)
	})
	return server, &raw{t: t, conn: conn, p: NewParser(SideDevice, Limits{}), buf: make([]byte, 1<<16)}
}

// say writes messages, all at once.
func (r *raw) say(messages ...Message) {
	r.t.Helper()
	_, err := r.conn.Write(r.wire(messages...))
	require.NoError(r.t, err)
}

// wire returns messages as they are written, and expects the answers to them.
func (r *raw) wire(messages ...Message) (wire []byte) {
	for _, m := range messages {
		switch m := m.(type) {
		case *TCPForward:
			r.p.Expect(m.Port > 0 && m.Port < 1<<16)
		case *CancelTCPForward:
			r.p.Expect(false)
		}
		wire = m.Append(wire)
	}
	return wire
}

// next returns the next message, or nil at the end.
func (r *raw) next() Message {
	for {
		m, n, err := r.p.Next(r.left)
		require.NoError(r.t, err)
		if r.left = r.left[n:]; m != nil {
			return m
		}
		k, err := r.conn.Read(r.buf)
		if k == 0 && err != nil {
			require.ErrorIs(r.t, err, io.EOF)
			return nil
		}
		r.left = r.buf[:k]
	}
}

// hear checks the next messages.
func (r *raw) hear(messages ...Message) {
	r.t.Helper()
	for _, want := range messages {
		got := r.next()
		if want == nil {
			require.Nil(r.t, got)
			continue
		}
		require.NotNil(r.t, got, "the end instead of %v", want)
		require.Equal(r.t, show(want), show(got))
	}
}

// login logs in, and forwards ports.
func (r *raw) login(ports ...uint16) {
	r.t.Helper()
	r.say(version, wantAuth)
	r.hear(acceptAuth)
	r.say(login)
	r.hear(&UserAuthSuccess{})
	r.say(wantPfwd)
	r.hear(acceptPfwd)
	r.p.LoggedIn()
	for _, port := range ports {
		r.say(&TCPForward{true, b("h"), uint32(port)})
		r.hear(&RequestSuccess{true, uint32(port)})
	}
}

// dialed is the result of a Dial.
type dialed struct {
	ch  *Channel
	err error
}

func dial(ctx context.Context, c *runs) chan dialed {
	result := make(chan dialed, 1)
	go func() {
		ch, err := c.Dial(ctx, "", 16992)
		result <- dialed{ch, err}
	}()
	return result
}

// opened dials a port and has it confirmed.
func (r *raw) opened(c *runs, peer, window uint32) *Channel {
	r.t.Helper()
	result := dial(r.t.Context(), c)
	open, ok := r.next().(*ChannelOpen)
	require.True(r.t, ok)
	r.say(&ChannelOpenConfirmation{open.Sender, peer, window})
	d := <-result
	require.NoError(r.t, d.err)
	return d.ch
}
