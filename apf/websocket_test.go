package apf

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// TestTextMessages: what the native agent sends as text is the same bytes.
func TestTextMessages(t *testing.T) {
	zeros := strings.Repeat("00", 64)
	for wire, want := range map[string]Message{
		"c3ba0000001f7b22616374696f6e223a22636f6e6e54797065222c2276616c7565223a327d":           &JSONControl{b(`{"action":"connType","value":2}`)},
		"c3800000000100000000000000003322110055447766c288c299c2aac2bbc38cc39dc3aec3bf" + zeros: &ProtocolVersion{1, 0, 0, testUUID},
		"c390000000c3bf": &KeepAliveRequest{255},
		"5b000000010000000100010000c3bfc3bfc3bfc3bf": &ChannelOpenConfirmation{1, 1, 65536},
	} {
		text, err := hex.DecodeString(wire)
		require.NoError(t, err)
		p, q := msgconn.Pipe()
		s := NewWebSocketStream(p)
		require.NoError(t, q.WriteMessage(t.Context(), msgconn.Text, text))
		require.NoError(t, q.Close(msgconn.CloseNormal, ""))
		got, err := io.ReadAll(iotest.OneByteReader(s))
		require.NoError(t, err)
		require.Equal(t, want.Append(nil), got)
		require.NoError(t, s.Close())
	}
}

func TestBytesOf(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "",
		"\x00a\x7f":                "\x00a\x7f",
		"\u0080\u00ff":             "\x80\xff",
		"Ā€\uFFFD":                 "???",
		"😀":                        "??", // two characters of UTF-16
		"\xed\xa0\xbd\xed\xb8\x80": "??", // the same, its halves one by one
	} {
		got, err := bytesOf(nil, b(text))
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	for _, wrong := range []string{"\xff", "\x80", "a\xc3", "\xed\xa0", "\xed\xa0\x20", "\xf8\x88\x80\x80\x80"} {
		_, err := bytesOf(nil, b(wrong))
		require.ErrorIs(t, err, ErrMalformed, "%q", wrong)
	}
}

func FuzzBytesOf(f *testing.F) {
	f.Add(b("\u00ff😀\xed\xa0\xbd"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := bytesOf(nil, text)
		if err == nil && len(got) > len(text) {
			t.Fatal("more bytes than text")
		}
		// As text, one character a byte, anything comes through.
		var chars []rune
		for _, c := range text {
			chars = append(chars, rune(c))
		}
		if got, err = bytesOf(nil, []byte(string(chars))); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%q became %q, %v", text, got, err)
		}
	})
}

// TestWebSocketStream: messages out are binary and whole, deadlines end the connection, and ends are ends.
func TestWebSocketStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, q := msgconn.Pipe()
		s := NewWebSocketStream(p)
		n, err := s.Write(b("message"))
		require.NoError(t, err)
		require.Equal(t, 7, n)
		typ, got, err := q.ReadMessage(t.Context())
		require.NoError(t, err)
		require.Equal(t, msgconn.Binary, typ)
		require.Equal(t, "message", string(got))
		require.NoError(t, q.WriteMessage(t.Context(), msgconn.Binary, nil))
		require.NoError(t, s.SetReadDeadline(time.Now().Add(time.Hour)))
		require.NoError(t, s.SetReadDeadline(time.Now().Add(time.Second)))
		n, err = s.Read(nil)
		require.NoError(t, err)
		require.Zero(t, n)
		_, err = s.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		_, err = s.Write(make([]byte, 1))
		require.Error(t, err)
		require.NoError(t, s.Close())
	})
	synctest.Test(t, func(t *testing.T) {
		p, _ := msgconn.Pipe()
		s := NewWebSocketStream(p)
		require.NoError(t, s.SetWriteDeadline(time.Now().Add(time.Second)))
		var err error
		for err == nil {
			_, err = s.Write(make([]byte, 1))
		}
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, s.Close())
	})
}

// TestStockClient: what the client in stock agents can not bear is not sent, and everything in messages of its own.
func TestStockClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, q := msgconn.Pipe()
		server := run(t.Context(), NewServerConn(NewWebSocketStream(p), testServerConfig()), nil)
		text := func(m Message) {
			t.Helper()
			var s strings.Builder
			for _, c := range m.Append(nil) {
				s.WriteRune(rune(c))
			}
			require.NoError(t, q.WriteMessage(t.Context(), msgconn.Text, b(s.String())))
		}
		parser := NewParser(SideDevice, Limits{})
		parser.LoggedIn()
		parser.Expect(true)
		parser.Expect(true)
		hear := func(want ...Message) {
			t.Helper()
			for _, w := range want {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				typ, got, err := q.ReadMessage(ctx)
				cancel()
				require.NoError(t, err)
				require.Equal(t, msgconn.Binary, typ)
				m, n, err := parser.Next(got)
				require.NoError(t, err)
				require.Equal(t, len(got), n, "one message")
				require.Equal(t, show(w), show(m))
			}
		}
		for _, m := range []Message{isLMS, state, version, wantAuth, login, wantPfwd, &TCPForward{false, b("pc1"), 16992}, &TCPForward{false, b("pc1"), 16993}} {
			text(m)
		}
		hear(acceptAuth, &UserAuthSuccess{}, acceptPfwd, &RequestSuccess{true, 16992}, &RequestSuccess{true, 16993})
		text(&TCPForward{false, nil, 0})                                                 // it would be refused
		text(&ChannelOpen{ChannelType: b(ChannelDirect), Sender: 1, Window: 1, Port: 1}) // so would this
		text(&KeepAliveRequest{255})
		hear(&KeepAliveReply{255})
		result := dial(t.Context(), server)
		hear(&ChannelOpen{b(ChannelForwarded), 4, 128 << 10, nil, 16992, b("1.2.3.4"), 1024})
		text(&ChannelOpenConfirmation{4, 4, 128 << 10}) // the server's own number and window
		d := <-result
		require.NoError(t, d.err)
		go func() { _, _ = d.ch.Write(make([]byte, 2000)) }()
		hear(&ChannelData{4, 1024, 0, make([]byte, 1024)}, &ChannelData{4, 976, 0, make([]byte, 976)})
		require.Error(t, server.SendControl(t.Context(), JSONControl{}), "stock ends do not survive a message without an action")
		// It does not look at windows: up to four of them are taken.
		for range 127 {
			require.NoError(t, q.WriteMessage(t.Context(), msgconn.Binary, ChannelData{Recipient: 4, Data: make([]byte, 4096)}.Append(nil)))
		}
		synctest.Wait()
		_, err := io.ReadFull(d.ch, make([]byte, 1))
		require.NoError(t, err)
		// It answers probes.
		hear(&KeepAliveRequest{1})
		text(&KeepAliveReply{1})
		synctest.Wait()
		require.NoError(t, server.CloseWith(DisconnectByApplication))
		_, _, err = q.ReadMessage(t.Context())
		var closed *msgconn.CloseError
		require.ErrorAs(t, err, &closed, "no DISCONNECT, but an orderly end")
		require.Equal(t, msgconn.CloseNormal, closed.Code)
		require.ErrorIs(t, server.wait(t), ErrClosed)
	})
	synctest.Test(t, func(t *testing.T) {
		p, q := msgconn.Pipe()
		server := run(t.Context(), NewServerConn(NewWebSocketStream(p), testServerConfig()), nil)
		require.NoError(t, q.WriteMessage(t.Context(), msgconn.Text, b("\xff")))
		_, _, err := q.ReadMessage(t.Context())
		var closed *msgconn.CloseError
		require.ErrorAs(t, err, &closed)
		require.Equal(t, msgconn.CloseProtocolError, closed.Code)
		require.ErrorIs(t, server.wait(t), ErrMalformed)
	})
}

// stuckConn is a WebSocket whose writes end after its reads.
type stuckConn struct {
	*msgconn.PipeConn
	closed, read chan struct{}
}

func (c *stuckConn) Close(code int, reason string) error {
	err := c.PipeConn.Close(code, reason)
	select {
	case <-c.closed:
	default:
		close(c.closed)
	}
	return err
}

func (c *stuckConn) WriteMessage(context.Context, msgconn.Type, []byte) error {
	<-c.closed
	<-c.read
	return io.ErrClosedPipe
}

// TestSlowWebSocket: a peer that does not take what it is sent is told from others whichever call notices first.
func TestSlowWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, q := msgconn.Pipe()
		s := testServerConfig()
		s.Limits.WriteTimeout = 10 * time.Second
		stuck := &stuckConn{p, make(chan struct{}), make(chan struct{})}
		server := run(t.Context(), NewServerConn(NewWebSocketStream(stuck), s), nil)
		require.NoError(t, q.WriteMessage(t.Context(), msgconn.Binary, version.Append(nil)))
		require.NoError(t, q.WriteMessage(t.Context(), msgconn.Binary, wantAuth.Append(nil)))
		<-server.Done()
		close(stuck.read)
		require.ErrorIs(t, server.wait(t), ErrSlow)
	})
}

// TestWebSocketLimits: who has not logged in can not have the server hold a large message, and who has can send data.
func TestWebSocketLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, q := msgconn.Pipe()
		server := run(t.Context(), NewServerConn(NewWebSocketStream(p), testServerConfig()), nil)
		require.NoError(t, q.WriteMessage(t.Context(), msgconn.Binary, append(version.Append(nil), make([]byte, 64<<10)...)))
		require.ErrorIs(t, server.wait(t), ErrLimit)
	})
	synctest.Test(t, func(t *testing.T) {
		p, q := msgconn.Pipe()
		s := testServerConfig()
		s.Window = 1 << 20
		server := run(t.Context(), NewServerConn(NewWebSocketStream(p), s), nil)
		say := func(m Message) {
			t.Helper()
			require.NoError(t, q.WriteMessage(t.Context(), msgconn.Binary, m.Append(nil)))
		}
		for _, m := range []Message{version, wantAuth, login, wantPfwd, forward} {
			say(m)
		}
		synctest.Wait()
		result := dial(t.Context(), server)
		synctest.Wait()
		say(&ChannelOpenConfirmation{4, 1, 1000})
		d := <-result
		require.NoError(t, d.err)
		say(&ChannelData{Recipient: 4, Data: make([]byte, 1<<20)})
		_, err := io.ReadFull(d.ch, make([]byte, 1<<20))
		require.NoError(t, err)
		server.Close()
		require.ErrorIs(t, server.wait(t), ErrClosed)
	})
}
