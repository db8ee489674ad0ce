package apf

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// muxEnd is a Mux whose peer is bytes.
type muxEnd struct {
	*Mux
	t          testing.TB
	p          *Parser
	now        time.Time
	violations []error
	events     []MuxEvent
	incoming   []*MuxChannel
}

func newMuxEnd(t testing.TB, cfg MuxConfig) *muxEnd {
	e := &muxEnd{t: t, p: NewParser(cfg.Side, Limits{}), now: time.Unix(1000, 0)}
	e.p.LoggedIn()
	cfg.OnEvent = func(_ *MuxChannel, ev MuxEvent) { e.events = append(e.events, ev) }
	cfg.OnViolation = func(err error) { e.violations = append(e.violations, err) }
	cfg.OnOpen = func(o *ChannelOpen, _ time.Time) {
		ch := new(MuxChannel)
		if e.Incoming(ch, o) {
			e.incoming = append(e.incoming, ch)
		}
	}
	e.Mux = NewMux(cfg)
	return e
}

func (e *muxEnd) open() *MuxChannel {
	ch := new(MuxChannel)
	require.NoError(e.t, e.Open(ch, OpenRequest{Port: 16992}, e.now))
	return ch
}

// hear feeds messages in hexadecimal digits.
func (e *muxEnd) hear(wire string) {
	e.t.Helper()
	b, err := hex.DecodeString(wire)
	require.NoError(e.t, err)
	e.feed(b)
}

func (e *muxEnd) feed(b []byte) {
	for len(b) > 0 {
		m, n, err := e.p.Next(b)
		if err != nil {
			e.t.Fatal(err)
		}
		if b = b[n:]; m != nil {
			e.Handle(m, e.now)
		}
	}
}

// said returns what the Mux sends, in hexadecimal digits.
func (e *muxEnd) said() string { return hex.EncodeToString(e.Append(nil, 1<<20, e.now)) }

func (e *muxEnd) after(d time.Duration) {
	e.now = e.now.Add(d)
	e.Tick(e.now)
}

func (e *muxEnd) confirm(id, peer, window uint32) {
	e.feed(ChannelOpenConfirmation{id, peer, window}.Append(nil))
}

func read(m *Mux, ch *MuxChannel) string {
	p := make([]byte, 1<<20)
	return string(p[:m.Read(ch, p)])
}

// TestMuxWindow: what is written early waits, and frames are as large as the window allows.
func TestMuxWindow(t *testing.T) {
	e := newMuxEnd(t, MuxConfig{Window: 32768})
	ch := e.open()
	require.Equal(t, hex.EncodeToString(vectors(t)["open"]), e.said())
	require.Equal(t, 5, e.Write(ch, b("hello")))
	require.Empty(t, e.said())
	e.hear("5b000000040000000700000003ffffffff")
	require.Equal(t, "5e000000070000000368656c", e.said())
	require.Equal(t, 3, e.Write(ch, b("wor")))
	require.Empty(t, e.said())
	e.hear("5d0000000400000004")
	require.Equal(t, "5e00000007000000046c6f776f", e.said())
	e.hear("5d0000000400000064")
	require.Equal(t, "5e000000070000000172", e.said())
	require.EqualValues(t, 99, ch.Credit())
	e.hear("5d0000000400000000")
	require.Empty(t, e.said(), "no empty frames")
	require.Empty(t, e.violations)
}

// TestMuxCredit: a window is granted again when more than half of it was read, not when it came.
func TestMuxCredit(t *testing.T) {
	e := newMuxEnd(t, MuxConfig{Window: 32768})
	ch := e.open()
	e.said()
	e.confirm(4, 7, 0)
	e.feed(ChannelData{Recipient: 4, Data: make([]byte, 16384)}.Append(nil))
	e.feed(ChannelData{Recipient: 4, Data: make([]byte, 1)}.Append(nil))
	require.Empty(t, e.said(), "nothing was read")
	p := make([]byte, 16384)
	require.Equal(t, 16384, e.Read(ch, p))
	require.Empty(t, e.said())
	require.Equal(t, 1, e.Read(ch, p))
	require.Equal(t, "5d0000000700004001", e.said())
	require.Equal(t, 0, e.Read(ch, p))

	// In the steps of firmware.
	e = newMuxEnd(t, MuxConfig{Window: 4096, AdjustStep: 499})
	ch = e.open()
	e.said()
	e.confirm(4, 7, 0)
	e.feed(ChannelData{Recipient: 4, Data: make([]byte, 1200)}.Append(nil))
	require.Equal(t, 1200, e.Read(ch, p))
	require.Equal(t, "5d00000007000001f3"+"5d00000007000001f3", e.said())
}

// TestMuxSmallWindow: steps that are larger than the window do not stop a channel for ever.
func TestMuxSmallWindow(t *testing.T) {
	e := newMuxEnd(t, MuxConfig{Window: 100, AdjustStep: 499})
	ch := e.open()
	e.said()
	e.confirm(4, 7, 0)
	e.feed(ChannelData{Recipient: 4, Data: make([]byte, 100)}.Append(nil))
	require.Len(t, read(e.Mux, ch), 100)
	require.Equal(t, "5d0000000700000064", e.said())
}

// TestMuxConfirmedWrong: a confirmation that ends its channel makes room for the next open all the same.
func TestMuxConfirmedWrong(t *testing.T) {
	e := newMuxEnd(t, MuxConfig{MaxOpens: 1})
	e.open()
	e.open()
	require.Equal(t, 1, e.opens())
	e.confirm(4, 7, math.MaxUint32)
	require.Contains(t, e.said(), hex.EncodeToString(ChannelOpen{ChannelType: b(ChannelForwarded), Sender: 5}.Append(nil))[:46])
}

// TestMuxPeerCloses: a close is answered once, and what came before it can be read.
func TestMuxPeerCloses(t *testing.T) {
	e := newMuxEnd(t, MuxConfig{})
	ch := e.open()
	e.said()
	e.confirm(4, 7, 10)
	e.Write(ch, make([]byte, 100))
	e.said()
	e.feed(ChannelData{Recipient: 4, Data: b("last words")}.Append(nil))
	e.hear("6100000004")
	require.Equal(t, "6100000007", e.said(), "what was not sent is dropped")
	require.ErrorIs(t, ch.Err(), io.EOF)
	require.Equal(t, "last words", read(e.Mux, ch))
	require.Zero(t, e.Write(ch, b("x")))
	e.Close(ch, e.now)
	e.Close(ch, e.now)
	require.Empty(t, e.said(), "one close, and no credit")
	require.Empty(t, e.violations)
	// Nothing is left of it.
	e.feed(ChannelData{Recipient: 4, Data: b("late")}.Append(nil))
	e.hear("6100000004" + "5d0000000400000004" + "5b000000040000000700000003ffffffff" + "5c00000004000000020000000000000000")
	require.Empty(t, e.said())
	require.Len(t, e.violations, 5)
	for _, err := range e.violations {
		require.ErrorIs(t, err, ErrProtocol)
	}
	require.Zero(t, e.slots+e.opening+len(e.channels))
}

// TestMuxCloseEarly: a channel that was given up before the answer is closed when the answer comes, and never twice.
func TestMuxCloseEarly(t *testing.T) {
	e := newMuxEnd(t, MuxConfig{})
	e.open()
	ch := e.open()
	e.said()
	e.Close(ch, e.now)
	require.ErrorIs(t, ch.Err(), net.ErrClosed)
	require.Empty(t, e.said())
	e.hear("5b00000005000000080000000affffffff")
	require.Equal(t, "6100000008", e.said())
	e.hear("5e00000005000000016c")
	e.hear("6100000005")
	require.Empty(t, e.said())
	require.Empty(t, e.violations)
	require.Equal(t, 1, e.slots, "the first")

	ch = e.open()
	e.Close(ch, e.now)
	e.said()
	e.feed(ChannelOpenFailure{6, OpenConnectFailed}.Append(nil))
	require.Equal(t, 1, len(e.channels))
	require.Empty(t, e.said())
}

// TestMuxClose: what was written is sent before the close, the number is kept until the peer closes too, and data that
// nobody will read is granted again as long as the channel is not closed.
func TestMuxClose(t *testing.T) {
	e := newMuxEnd(t, MuxConfig{Window: 100})
	ch := e.open()
	e.said()
	e.confirm(4, 7, 3)
	e.feed(ChannelData{Recipient: 4, Data: make([]byte, 40)}.Append(nil))
	e.Write(ch, b("hello"))
	e.Close(ch, e.now)
	require.Zero(t, ch.Buffered())
	require.Equal(t, "5e000000070000000368656c", e.said())
	require.NoError(t, ch.Err())
	e.feed(ChannelData{Recipient: 4, Data: make([]byte, 40)}.Append(nil))
	require.Equal(t, "5d0000000700000050", e.said())
	e.hear("5d0000000400000064")
	require.Equal(t, "5e00000007000000026c6f"+"6100000007", e.said())
	require.ErrorIs(t, ch.Err(), net.ErrClosed)
	require.Equal(t, 1, e.slots, "until the peer has closed")
	e.feed(ChannelData{Recipient: 4, Data: make([]byte, 90)}.Append(nil))
	e.hear("5d0000000400000064")
	require.Empty(t, e.said())
	e.hear("6100000004")
	require.Empty(t, e.said())
	require.Zero(t, e.slots)
	require.Empty(t, e.violations)

	// The peer does not let it be sent.
	ch = e.open()
	e.said()
	e.confirm(5, 8, 0)
	e.Write(ch, b("hello"))
	e.Close(ch, e.now)
	e.after(4 * time.Second)
	require.Empty(t, e.said())
	e.after(time.Second)
	require.Equal(t, "6100000008", e.said())
	// Nor does it close.
	require.Equal(t, 1, e.slots)
	require.Equal(t, e.now.Add(10*time.Second), e.Next())
	e.after(10 * time.Second)
	require.Zero(t, e.slots+len(e.channels))
	require.True(t, e.Next().IsZero())
}

// TestMuxFlushThenPeerCloses: a close that crosses the last data is not answered twice.
func TestMuxFlushThenPeerCloses(t *testing.T) {
	e := newMuxEnd(t, MuxConfig{})
	ch := e.open()
	e.said()
	e.confirm(4, 7, 0)
	e.Write(ch, b("hello"))
	e.Close(ch, e.now)
	e.hear("6100000004")
	require.Equal(t, "6100000007", e.said())
	e.after(time.Minute)
	require.Empty(t, e.said())
	require.ErrorIs(t, ch.Err(), net.ErrClosed)
}

// TestMuxOverflow: who sends more than the window, or grants more than there can be, loses the channel and nothing else.
func TestMuxOverflow(t *testing.T) {
	for name, c := range map[string]struct {
		cfg   MuxConfig
		wrong func(e *muxEnd)
		ok    int // bytes that are still taken
	}{
		"data":    {MuxConfig{Window: 1000}, func(e *muxEnd) { e.feed(ChannelData{Recipient: 4, Data: make([]byte, 5097)}.Append(nil)) }, 5096},
		"ignored": {MuxConfig{Window: 5000, NoWindow: true}, func(e *muxEnd) { e.feed(ChannelData{Recipient: 4, Data: make([]byte, 20001)}.Append(nil)) }, 20000},
		"adjust":  {MuxConfig{}, func(e *muxEnd) { e.hear("5d000000047fffffff" + "5d000000047fffffff") }, 0},
		"adjusts": {MuxConfig{}, func(e *muxEnd) { e.hear("5d00000004ffffffff") }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			e := newMuxEnd(t, c.cfg)
			ch, other := e.open(), e.open()
			e.said()
			e.confirm(4, 7, 0)
			e.confirm(5, 8, 5)
			c.wrong(e)
			require.Equal(t, "6100000007", e.said())
			require.ErrorIs(t, ch.Err(), ErrWindow)
			require.Len(t, e.violations, 1)
			e.feed(ChannelData{Recipient: 4, Data: make([]byte, 5097)}.Append(nil))
			e.hear("6100000004")
			require.Len(t, e.violations, 1)
			require.Equal(t, 1, e.slots)
			e.Write(other, b("x"))
			e.feed(ChannelData{Recipient: 5, Data: b("y")}.Append(nil))
			require.Equal(t, "5e000000080000000178", e.said())
			require.Equal(t, "y", read(e.Mux, other))

			e = newMuxEnd(t, c.cfg)
			ch = e.open()
			e.said()
			e.confirm(4, 7, 0)
			e.feed(ChannelData{Recipient: 4, Data: make([]byte, c.ok)}.Append(nil))
			require.NoError(t, ch.Err())
			require.Len(t, read(e.Mux, ch), c.ok)
		})
	}
	t.Run("confirmation", func(t *testing.T) {
		e := newMuxEnd(t, MuxConfig{})
		ch := e.open()
		e.said()
		e.confirm(4, 7, math.MaxUint32)
		require.ErrorIs(t, ch.Err(), ErrWindow)
		require.Equal(t, "6100000007", e.said())
	})
}

// TestMuxConfirmedTwice: a second confirmation changes nothing.
func TestMuxConfirmedTwice(t *testing.T) {
	e := newMuxEnd(t, MuxConfig{})
	ch := e.open()
	e.said()
	e.confirm(4, 7, 10)
	e.confirm(4, 9, 1000)
	e.feed(ChannelOpenFailure{4, OpenProhibited}.Append(nil))
	require.Len(t, e.violations, 2)
	require.EqualValues(t, 10, ch.Credit())
	e.Write(ch, b("x"))
	require.Equal(t, "5e000000070000000178", e.said())
	require.Equal(t, []MuxEvent{MuxOpened}, e.events)
}

// TestMuxNotOpen: data, credit and a close for a channel that is not open yet.
func TestMuxNotOpen(t *testing.T) {
	e := newMuxEnd(t, MuxConfig{})
	ch := e.open()
	e.said()
	e.hear("5e00000004000000016c" + "5d0000000400000064")
	require.Len(t, e.violations, 2)
	require.Zero(t, ch.Buffered())
	e.hear("6100000004")
	require.ErrorIs(t, ch.Err(), ErrChannelClosed)
	require.Empty(t, e.said(), "the peer's number is not known")
	require.Zero(t, e.slots+e.opening+len(e.channels))
}

// TestMuxRetry: passing troubles of firmware get a second try, others none.
func TestMuxRetry(t *testing.T) {
	for _, reason := range []OpenReason{OpenConnectFailed, OpenResourceShortage} {
		e := newMuxEnd(t, MuxConfig{})
		ch := e.open()
		e.said()
		e.feed(ChannelOpenFailure{4, reason}.Append(nil))
		require.NoError(t, ch.Err())
		require.Empty(t, e.said())
		require.Equal(t, e.now.Add(250*time.Millisecond), e.Next())
		e.after(249 * time.Millisecond)
		require.Empty(t, e.said())
		e.after(time.Millisecond)
		require.Equal(t, 1, e.opens())
		e.feed(ChannelOpenFailure{5, reason}.Append(nil))
		var o *OpenError
		require.True(t, errors.As(ch.Err(), &o))
		require.Equal(t, reason, o.Reason)
		require.EqualValues(t, 16992, o.Port)
		e.after(time.Minute)
		require.Empty(t, e.said())
		require.Zero(t, e.slots+e.opening+len(e.channels))
	}
	for _, reason := range []OpenReason{OpenProhibited, OpenUnknownType, 0, 77} {
		e := newMuxEnd(t, MuxConfig{})
		ch := e.open()
		e.said()
		e.feed(ChannelOpenFailure{4, reason}.Append(nil))
		var o *OpenError
		require.True(t, errors.As(ch.Err(), &o))
		require.Equal(t, reason, o.Reason)
	}
	// Given up between the tries.
	e := newMuxEnd(t, MuxConfig{})
	ch := e.open()
	e.said()
	e.feed(ChannelOpenFailure{4, OpenConnectFailed}.Append(nil))
	e.Close(ch, e.now)
	e.after(time.Minute)
	require.Empty(t, e.said())
	require.Zero(t, e.slots+e.opening)
}

// opens counts the opens in what a Mux sends.
func (e *muxEnd) opens() (n int) {
	r := reader{p: expecting(SideDevice)}
	wire, _ := hex.DecodeString(e.said())
	for len(wire) > 0 {
		m, k, err := r.p.Next(wire)
		require.NoError(e.t, err)
		if wire = wire[k:]; m.Type() == TypeChannelOpen {
			n++
		}
	}
	return n
}

// TestMuxPlaces: six opens at once, eight channels, and the others wait in their order.
func TestMuxPlaces(t *testing.T) {
	e := newMuxEnd(t, MuxConfig{})
	var all []*MuxChannel
	for range 12 {
		all = append(all, e.open())
	}
	require.Equal(t, 6, e.opens())
	e.confirm(4, 0, 0)
	e.confirm(5, 1, 0)
	require.Equal(t, 2, e.opens(), "eight places")
	e.confirm(6, 2, 0)
	require.Zero(t, e.opens())
	e.Close(all[0], e.now)
	require.Zero(t, e.opens(), "the device has it until it has closed too")
	e.hear("6100000004")
	require.Equal(t, 1, e.opens())
	e.Close(all[11], e.now)
	require.ErrorIs(t, all[11].Err(), net.ErrClosed)
	e.feed(ChannelOpenFailure{7, OpenProhibited}.Append(nil))
	require.Equal(t, 1, e.opens())
	require.Error(t, all[3].Err())

	// Who waits for a place does not wait for ever.
	e.after(9 * time.Second)
	require.NoError(t, all[10].Err())
	for _, id := range []uint32{8, 9, 10, 11, 12, 13} {
		e.confirm(id, id, 0)
	}
	e.after(time.Second)
	var o *OpenError
	require.True(t, errors.As(all[10].Err(), &o))
	require.Equal(t, OpenResourceShortage, o.Reason)
	require.ErrorIs(t, o, ErrBusy)
	require.Equal(t, 8, e.slots)
	require.Zero(t, e.opening)

	e = newMuxEnd(t, MuxConfig{MaxQueue: 3, MaxOpens: 1})
	for range 4 {
		e.open()
	}
	err := e.Open(new(MuxChannel), OpenRequest{Port: 1}, e.now)
	require.ErrorIs(t, err, ErrBusy)
}

// TestMuxNoAnswer: firmware that never answers costs the open its time, but not the others their places.
func TestMuxNoAnswer(t *testing.T) {
	e := newMuxEnd(t, MuxConfig{})
	var all []*MuxChannel
	for range 6 {
		all = append(all, e.open())
	}
	require.Equal(t, 6, e.opens())
	e.after(10 * time.Second)
	for _, ch := range all {
		var o *OpenError
		require.True(t, errors.As(ch.Err(), &o))
		require.True(t, o.Timeout())
		require.ErrorIs(t, o, ErrNoAnswer)
	}
	ch := e.open()
	require.Equal(t, 1, e.opens())
	e.confirm(10, 0, 5)
	require.True(t, ch.Opened())
	// A late answer is closed.
	e.confirm(4, 77, 100)
	require.Equal(t, "610000004d", e.said())
	require.Empty(t, e.violations)
	e.hear("6100000004")

	// Nor does it cost memory for ever.
	for range 1000 {
		e.open()
		e.opens()
		e.after(10 * time.Second)
	}
	require.LessOrEqual(t, len(e.channels), maxLost+1)
	require.Equal(t, 1, e.slots)
}

// TestMuxFair: channels take turns, frame by frame.
func TestMuxFair(t *testing.T) {
	e := newMuxEnd(t, MuxConfig{MaxFrame: 100, SendBuffer: 10000})
	var all []*MuxChannel
	for range 3 {
		all = append(all, e.open())
	}
	e.said()
	for i, ch := range all {
		e.confirm(4+uint32(i), uint32(i), 1<<20)
		require.Equal(t, 1000, e.Write(ch, make([]byte, 1000)))
	}
	wire := e.Append(nil, 1<<20, e.now)
	p := NewParser(SideDevice, Limits{})
	for i := range uint32(30) {
		m, n, err := p.Next(wire)
		require.NoError(t, err)
		wire = wire[n:]
		require.Equal(t, i%3, m.(*ChannelData).Recipient)
		require.EqualValues(t, 100, m.(*ChannelData).Length)
	}
	require.Empty(t, wire)
	require.False(t, e.Pending())
}

// TestMuxSendBuffer: writes are taken up to the buffer's size, and told when there is room again.
func TestMuxSendBuffer(t *testing.T) {
	e := newMuxEnd(t, MuxConfig{SendBuffer: 1000})
	ch := e.open()
	e.said()
	e.confirm(4, 7, 400)
	e.events = nil
	require.Equal(t, 1000, e.Write(ch, make([]byte, 5000)))
	require.Zero(t, e.Write(ch, make([]byte, 1)))
	e.said()
	require.Empty(t, e.events, "600 of 1000 wait")
	e.feed(WindowAdjust{4, 100}.Append(nil))
	e.said()
	require.Equal(t, []MuxEvent{MuxWritable}, e.events)
	require.Equal(t, 500, e.Write(ch, make([]byte, 1000)))
	// The window of a peer is up to 2 GiB, which must not make an endless frame.
	e.feed(WindowAdjust{4, maxWindow - 1}.Append(nil))
	require.EqualValues(t, maxWindow-1, ch.Credit())
	require.Len(t, e.said(), 2*1009)
}

// TestMuxOneMessage: one message each time.
func TestMuxOneMessage(t *testing.T) {
	e := newMuxEnd(t, MuxConfig{OneMessage: true, MaxFrame: 10})
	ch := e.open()
	e.open()
	require.Len(t, e.said(), 2*len(vectors(t)["open"]))
	require.Len(t, e.said(), 2*len(vectors(t)["open"]))
	require.Empty(t, e.said())
	e.confirm(4, 7, 100)
	e.Write(ch, make([]byte, 15))
	e.Close(ch, e.now)
	require.Len(t, e.said(), 2*19)
	require.Len(t, e.said(), 2*14)
	require.Equal(t, "6100000007", e.said())
	require.Empty(t, e.said())
}

// TestMuxIncoming: the channels that the peer opens.
func TestMuxIncoming(t *testing.T) {
	e := newMuxEnd(t, MuxConfig{Side: SideDevice, MaxChannels: 2, ReuseSlots: true, Window: 4096})
	open := ChannelOpen{ChannelType: b(ChannelForwarded), Sender: 70, Window: 10, Port: 16992, Originator: b("x"), OriginatorPort: 1}
	for range 3 {
		e.feed(open.Append(nil))
		open.Sender++
	}
	require.Len(t, e.incoming, 2)
	require.Equal(t, hex.EncodeToString(ChannelOpenFailure{72, OpenResourceShortage}.Append(nil)), e.said())
	require.True(t, e.Accept(e.incoming[0]))
	require.False(t, e.Accept(e.incoming[0]))
	e.Refuse(e.incoming[1], OpenConnectFailed, e.now)
	e.Refuse(e.incoming[1], OpenConnectFailed, e.now)
	require.Equal(t, hex.EncodeToString(ChannelOpenFailure{71, OpenConnectFailed}.Append(
		ChannelOpenConfirmation{70, 0, 4096}.Append(nil))), e.said())
	require.EqualValues(t, 10, e.incoming[0].Credit())
	// The number is used again at once, but only after both closes.
	e.feed(open.Append(nil))
	require.True(t, e.Accept(e.incoming[2]))
	require.EqualValues(t, 1, e.incoming[2].ID())
	e.said()
	e.Close(e.incoming[0], e.now)
	require.Equal(t, "6100000046", e.said())
	e.hear("6100000000")
	open.Sender = 90
	e.feed(open.Append(nil))
	require.True(t, e.Accept(e.incoming[3]))
	require.EqualValues(t, 0, e.incoming[3].ID())
	e.said()

	for _, wrong := range []ChannelOpen{{Sender: 5, Port: 0}, {Sender: 5, Port: 1 << 16}, {Sender: 5, Port: 1, Window: math.MaxUint32}} {
		e := newMuxEnd(t, MuxConfig{Side: SideDevice})
		e.feed(wrong.Append(nil))
		require.Empty(t, e.incoming)
		require.Contains(t, e.said(), "5c00000005")
	}
	// Towards peers that do not bear refusals.
	e = newMuxEnd(t, MuxConfig{NoFailure: true})
	e.RefuseOpen(1, OpenUnknownType)
	require.Empty(t, e.said())
	// Nobody takes them.
	m := NewMux(MuxConfig{})
	m.Handle(&open, e.now)
	require.Equal(t, ChannelOpenFailure{90, OpenUnknownType}.Append(nil), m.Append(nil, 100, e.now))
}

// TestMuxFail: when the connection ends, so does every channel, in whatever state it is.
func TestMuxFail(t *testing.T) {
	e := newMuxEnd(t, MuxConfig{MaxOpens: 3})
	var all []*MuxChannel
	for range 5 {
		all = append(all, e.open())
	}
	e.said()
	e.confirm(4, 7, 0)
	e.feed(ChannelOpenFailure{5, OpenConnectFailed}.Append(nil))
	e.feed(ChannelData{Recipient: 4, Data: b("rest")}.Append(nil))
	e.Write(all[0], b("x"))
	e.Fail(io.ErrUnexpectedEOF)
	e.Fail(io.EOF)
	ended := 0
	for _, ev := range e.events {
		if ev == MuxEnded {
			ended++
		}
	}
	require.Equal(t, 5, ended)
	for _, ch := range all {
		require.ErrorIs(t, ch.Err(), io.ErrUnexpectedEOF)
	}
	require.Equal(t, "rest", read(e.Mux, all[0]))
	require.Zero(t, e.Write(all[0], b("x")))
	e.confirm(6, 1, 1)
	e.after(time.Hour)
	require.ErrorIs(t, e.Open(new(MuxChannel), OpenRequest{Port: 1}, e.now), io.ErrUnexpectedEOF)
	require.True(t, e.Next().IsZero())
	require.Empty(t, e.channels)
}

// TestMuxFrameOfTheDead: the rest of a frame does not reach the next channel with its number.
func TestMuxFrameOfTheDead(t *testing.T) {
	e := newMuxEnd(t, MuxConfig{Side: SideDevice, ReuseSlots: true})
	open := ChannelOpen{ChannelType: b(ChannelForwarded), Sender: 70, Port: 1}
	e.feed(open.Append(nil))
	e.Accept(e.incoming[0])
	e.said()
	e.hear("5e00000000000000046161")
	e.Close(e.incoming[0], e.now)
	e.after(time.Minute) // the peer's close does not come
	e.Handle(&open, e.now)
	e.Accept(e.incoming[1])
	require.Zero(t, e.incoming[1].ID())
	e.hear("6262")
	require.Zero(t, e.incoming[1].Buffered())
	e.hear("5e000000000000000163")
	require.Equal(t, "c", read(e.Mux, e.incoming[1]))
}

// TestMuxRandomFrames: whatever a peer says, the channels that it leaves alone work, and nothing is left in the end.
func TestMuxRandomFrames(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	e := newMuxEnd(t, MuxConfig{Window: 1 << 20})
	good := e.open()
	e.said()
	e.confirm(4, 1000, 1<<20)
	var sent, got bytes.Buffer
	buf := make([]byte, 1<<10)
	peer := muxEnd{p: NewParser(SideDevice, Limits{})}
	for i := range 10000 {
		id := 5 + rnd.Uint32N(20)
		n := rnd.Uint32N(1 << (1 + rnd.UintN(31)))
		switch rnd.UintN(8) {
		case 0:
			e.open()
		case 1:
			e.feed(ChannelOpenConfirmation{id, id, n}.Append(nil))
		case 2:
			e.feed(ChannelOpenFailure{id, OpenReason(n % 6)}.Append(nil))
		case 3:
			e.feed(WindowAdjust{id, n}.Append(nil))
		case 4:
			e.feed(ChannelData{Recipient: id, Data: make([]byte, n%10000)}.Append(nil))
		case 5:
			e.feed(ChannelClose{id}.Append(nil))
		case 6:
			e.feed(ChannelOpen{ChannelType: b(ChannelDirect), Sender: id, Window: n, Port: n % 70000}.Append(nil))
		case 7:
			e.after(time.Duration(rnd.UintN(5000)) * time.Millisecond)
		}
		word := []byte{byte(i), byte(i >> 8)}
		e.feed(ChannelData{Recipient: 4, Data: word}.Append(nil))
		k := e.Read(good, buf)
		if !bytes.Equal(word, buf[:k]) {
			t.Fatalf("frame %d: got %x, want %x", i, buf[:k], word)
		}
		if i%10 == 0 {
			require.Equal(t, 2, e.Write(good, word))
			sent.Write(word)
		}
		wire := e.Append(nil, 1<<20, e.now)
		for len(wire) > 0 {
			m, n, err := peer.p.Next(wire)
			require.NoError(t, err)
			if d, ok := m.(*ChannelData); ok && d.Recipient == 1000 {
				got.Write(d.Data)
			}
			wire = wire[n:]
		}
	}
	require.Equal(t, sent.Bytes(), got.Bytes())
	require.NoError(t, good.Err())
	require.NotEmpty(t, e.violations)
	for _, ch := range e.channels {
		if ch != good {
			e.Close(ch, e.now)
		}
	}
	for _, ch := range append([]*MuxChannel(nil), e.incoming...) {
		e.Refuse(ch, OpenConnectFailed, e.now)
	}
	e.after(time.Minute)
	e.after(time.Minute)
	e.Fail(io.EOF)
	require.Zero(t, e.slots+e.opening+len(e.channels)+len(e.queue)+len(e.retries))
}
