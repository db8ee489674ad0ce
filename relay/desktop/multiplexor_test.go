package desktop

import (
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

func newState() *muxState {
	return NewMultiplexor(MultiplexorConfig{MaxCache: 1 << 20, Now: func() time.Time { return time.UnixMilli(1000) }}).stateForTest()
}

func (m *Multiplexor) stateForTest() *muxState { return &m.state }

func (m *muxState) agentSays(t testing.TB, messages ...Message) {
	t.Helper()
	for _, msg := range messages {
		require.NoError(t, m.fromAgent(msgconn.Binary, encode(t, msg)))
	}
}

// viewerSays returns what the agent gets.
func (m *muxState) viewerSays(t testing.TB, v *muxViewer, messages ...any) (got []string) {
	t.Helper()
	for _, msg := range messages {
		typ, b := msgconn.Text, []byte(nil)
		switch msg := msg.(type) {
		case string:
			b = []byte(msg)
		case Message:
			typ, b = msgconn.Binary, encode(t, msg)
		}
		out, err := m.fromViewer(v, true, typ, b)
		require.NoError(t, err)
		got = append(got, shown(t, out)...)
	}
	return got
}

func shown(t testing.TB, out []outgoing) (got []string) {
	for _, o := range out {
		if o.typ == msgconn.Text {
			got = append(got, string(o.data))
			continue
		}
		m, err := ParseFromViewer(o.data)
		require.NoError(t, err)
		got = append(got, fmt.Sprintf("%T%v", m, m))
	}
	return got
}

// watch paints everything that waits for a viewer and returns the rest.
func (m *muxState) watch(t testing.TB, v *muxViewer, canvas *Canvas, most int) (rest []string, tiles int) {
	for ; most != 0; most-- {
		o, ok := m.next(v)
		if !ok {
			return rest, tiles
		}
		if o.typ == msgconn.Text {
			rest = append(rest, string(o.data))
			continue
		}
		msg, err := ParseFromAgent(o.data)
		require.NoError(t, err)
		switch msg := msg.(type) {
		case Screen:
			require.NoError(t, canvas.Resize(int(msg.Width), int(msg.Height)))
		case Tile:
			_, err := canvas.DrawTile(msg)
			require.NoError(t, err)
			tiles++
		default:
			rest = append(rest, fmt.Sprintf("%T%v", msg, msg))
		}
	}
	return rest, tiles
}

const metadata1 = `{"ctrlChannel":"102938","type":"metadata","users":{"user//a":1},"startTime":1000}`

// TestMuxRules goes through who gets what.
func TestMuxRules(t *testing.T) {
	m := newState()
	a := &muxViewer{user: "user//a"}
	m.join(a)
	rest, _ := m.watch(t, a, NewCanvas(0), -1)
	require.Equal(t, []string{metadata1}, rest)
	out, err := m.fromViewer(a, false, msgconn.Text, []byte(`{"type":"options","consent":1}`))
	require.NoError(t, err)
	require.Empty(t, out)
	want := Compression{ImageWebP, 40, 512, 100}
	out, err = m.fromViewer(a, false, msgconn.Binary, encode(t, want))
	require.NoError(t, err)
	require.Empty(t, out, "no agent yet")
	out, err = m.fromViewer(a, false, msgconn.Text, []byte("2"))
	require.NoError(t, err)
	require.Empty(t, out)
	require.Equal(t, []string{`{"type":"options","consent":1}`, "2", fmt.Sprintf("%T%v", want, want)}, shown(t, m.begin()))
	require.Empty(t, m.begin(), "once")

	m.agentSays(t, Displays{IDs: []uint16{1}}, KeyState{1}, KeyState{2}, CursorShape{3}, Notice{"hello"}, Copy{}, DebugText{"x"}, TouchReady{1})
	require.NoError(t, m.fromAgent(msgconn.Text, []byte(`{"type":"console","msg":"wait","msgid":1}`)))
	require.NoError(t, m.fromAgent(msgconn.Text, []byte(`{"type":"metadata"}`)))
	rest, _ = m.watch(t, a, NewCanvas(0), -1)
	require.Equal(t, []string{
		"desktop.Displays{[1] 0}", "desktop.KeyState{2}", "desktop.CursorShape{3}", "desktop.Notice{hello}",
		`{"type":"console","msg":"wait","msgid":1}`,
	}, rest)

	// A late viewer, who may only look.
	b := &muxViewer{user: "user//b", viewOnly: true}
	m.join(b)
	rest, _ = m.watch(t, b, NewCanvas(0), -1)
	both := `{"ctrlChannel":"102938","type":"metadata","users":{"user//a":1,"user//b":1},"startTime":1000}`
	require.Equal(t, []string{`{"type":"console","msg":"wait","msgid":1}`, both}, rest)
	require.NoError(t, m.fromAgent(msgconn.Text, []byte(`{"type":"console","msg":null,"msgid":0}`)))
	require.Nil(t, m.console)
	require.Empty(t, m.viewerSays(t, b, Key{Code: 1}, Mouse{}, Unicode{}, CtrlAltDel{}, SelectDisplay{1}, InputLock{1}, `{"type":"lock"}`,
		ListDisplays{}, Touches{Version: 2}, Unknown{Number: 59}))
	require.Equal(t, []string{"desktop.Key{0 1}", `{"type":"lock"}`}, m.viewerSays(t, a, Key{Code: 1}, `{"type":"lock"}`, `{"type":"offer"}`))

	// The agent sends what the one wants who wants most.
	require.Equal(t, []string{"desktop.Compression{1 80 512 50}"}, m.viewerSays(t, b, Compression{ImageJPEG, 80, 128, 50}))
	require.Empty(t, m.viewerSays(t, b, Compression{ImageJPEG, 80, 256, 50}))
	require.Empty(t, m.viewerSays(t, a, Pause{true}))
	require.Equal(t, []string{"desktop.Pause{true}"}, m.viewerSays(t, b, Pause{true}))
	require.Equal(t, []string{"desktop.Compression{4 40 512 100}"}, shown(t, m.leave(b)))
	require.Equal(t, []string{"desktop.Pause{false}"}, m.viewerSays(t, a, Pause{}))

	m.watch(t, a, NewCanvas(0), -1)
	require.Empty(t, m.viewerSays(t, a, `{"type":"ping"}`, `{"type":"rtt","time":7}`, ListDisplays{}, QueryLayout{}))
	rest, _ = m.watch(t, a, NewCanvas(0), -1)
	require.Equal(t, []string{pong, `{"type":"rtt","ctrlChannel":"102938","time":7}`, "desktop.Displays{[1] 0}"}, rest)

	_, err = m.fromViewer(a, true, msgconn.Binary, append(encode(t, Refresh{}), encode(t, Refresh{})...))
	require.ErrorIs(t, err, ErrSize)
	require.ErrorIs(t, m.fromAgent(msgconn.Binary, []byte{0, 7, 0, 5, 1}), ErrSize)
	require.Empty(t, m.leave(a))
}

// TestMuxPicture: late and slow viewers end with the picture of one who saw everything, and get less.
func TestMuxPicture(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	m := newState()
	slow := &muxViewer{}
	m.join(slow)
	m.watch(t, slow, NewCanvas(0), -1)
	direct, slowCanvas := NewCanvas(0), NewCanvas(0)
	slowTiles := 0
	size := Screen{200, 150} // not a multiple of the grid
	for round := range 400 {
		if round == 200 {
			size = Screen{120, 170}
		}
		if round%200 == 0 {
			m.agentSays(t, size)
			require.NoError(t, direct.Resize(int(size.Width), int(size.Height)))
		}
		m.agentSays(t, size) // repeated
		x, y := random.IntN(13)*16, random.IntN(11)*16
		if round%5 == 0 {
			x, y = random.IntN(200), random.IntN(170) // beside the grid
		}
		tile := pngTile(t, x, y, plain(16*(1+random.IntN(4)), 16*(1+random.IntN(4)), color.RGBA{uint8(round), uint8(x), uint8(y), 255}))
		m.agentSays(t, tile)
		_, err := direct.DrawTile(tile)
		require.NoError(t, err)
		if round%10 == 0 {
			_, n := m.watch(t, slow, slowCanvas, 3)
			slowTiles += n
		}
		if round%50 == 49 {
			late, canvas := &muxViewer{}, NewCanvas(0)
			m.join(late)
			require.True(t, m.allBehind())
			_, n := m.watch(t, late, canvas, -1)
			require.Equal(t, direct.Image().Pix, canvas.Image().Pix, "after %d", round)
			require.Less(t, n, 150)
			require.False(t, m.allBehind())
			m.viewerSays(t, late, Refresh{})
			_, again := m.watch(t, late, canvas, -1)
			require.Equal(t, n, again)
			m.leave(late)
		}
	}
	_, n := m.watch(t, slow, slowCanvas, -1)
	require.Equal(t, direct.Image().Pix, slowCanvas.Image().Pix)
	require.Less(t, slowTiles+n, 350)
	frames, total := 0, 0
	for f := m.picture.first.next; f != nil; f = f.next {
		frames, total = frames+1, total+len(f.data)+frameOverhead
		require.Positive(t, f.cells)
	}
	require.Equal(t, total, m.picture.bytes)
	require.Less(t, frames, 150)

	// Bounds.
	m.picture.max = m.picture.bytes + 500
	require.ErrorIs(t, m.fromAgent(msgconn.Binary, encode(t, pngTile(t, 0, 0, image.NewRGBA(image.Rect(0, 0, 16, 16))))), nil)
	require.ErrorIs(t, m.fromAgent(msgconn.Binary, encode(t, pngTile(t, 3, 3, pattern(100, 100, 1)))), ErrTooLarge)
	require.ErrorIs(t, m.fromAgent(msgconn.Binary, encode(t, Screen{65535, 65535})), ErrTooLarge)
	for i := range 100 {
		m.agentSays(t, Notice{fmt.Sprint(i)}, KeyState{Locks(i)})
	}
	require.Less(t, len(slow.urgent), 30)
}

// TestMultiplexor: one agent and three viewers over connections.
func TestMultiplexor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var recorded atomic.Int64
		m := NewMultiplexor(MultiplexorConfig{Record: func(_ msgconn.Type, b []byte) error { recorded.Add(int64(len(b))); return nil }})
		quality := Compression{ImageJPEG, 95, FullScale, 100}
		join := func(who MultiplexedViewer) (*Client, *msgconn.PipeConn, chan error) {
			a, b := msgconn.Pipe()
			ended := make(chan error, 1)
			go func() { ended <- m.ServeViewer(t.Context(), b, who) }()
			c := NewClient(a, ClientConfig{ViewerConfig: ViewerConfig{Compression: quality, ViewOnly: who.ViewOnly}})
			require.NoError(t, a.WriteMessage(t.Context(), msgconn.Text, []byte("2")))
			go c.Run(t.Context())
			return c, a, ended
		}
		first, firstConn, firstEnded := join(MultiplexedViewer{UserID: "user//a"})
		synctest.Wait()

		// The agent comes after the first viewer, waits for the number and serves.
		a, b := msgconn.Pipe()
		s := &screen{img: pattern(320, 200, 1), got: make(chan struct{}, 100)}
		served, agentEnded := make(chan error, 1), make(chan error, 1)
		go func() { served <- m.ServeAgent(t.Context(), a) }()
		_, number, err := b.ReadMessage(t.Context())
		require.NoError(t, err)
		require.Equal(t, "2", string(number))
		go func() { agentEnded <- NewAgent(b, AgentConfig{Source: s, Input: s}).Run(t.Context()) }()
		other, _ := msgconn.Pipe()
		synctest.Wait()
		require.ErrorIs(t, m.ServeAgent(t.Context(), other), ErrAgentConnected)

		time.Sleep(time.Second)
		synctest.Wait()
		requireAlike(t, pattern(320, 200, 1), first.Snapshot(), 3, 140)
		late, lateConn, lateEnded := join(MultiplexedViewer{UserID: "user//b", ViewOnly: true})
		// One that never reads holds nobody up.
		stuck, stuckEnd := msgconn.Pipe()
		stuckEnded := make(chan error, 1)
		go func() { stuckEnded <- m.ServeViewer(t.Context(), stuckEnd, MultiplexedViewer{UserID: "user//c"}) }()
		time.Sleep(time.Second)
		synctest.Wait()
		requireAlike(t, pattern(320, 200, 1), late.Snapshot(), 3, 140)
		for i := range 20 {
			s.set(pattern(320, 200, i))
			time.Sleep(200 * time.Millisecond)
		}
		synctest.Wait()
		requireAlike(t, pattern(320, 200, 19), first.Snapshot(), 3, 140)
		requireAlike(t, pattern(320, 200, 19), late.Snapshot(), 3, 140)

		require.NoError(t, late.Press(t.Context(), 65))
		require.NoError(t, first.Press(t.Context(), 66))
		synctest.Wait()
		require.Contains(t, s.seen(), Message(Key{KeyDown, 66}))
		require.NotContains(t, s.seen(), Message(Key{KeyDown, 65}))
		require.NotZero(t, recorded.Load())

		stuck.Close(0, "")
		<-stuckEnded
		lateConn.Close(0, "")
		require.Error(t, <-lateEnded)
		synctest.Wait()
		select {
		case <-m.Done():
			t.Fatal("ended with a viewer left")
		default:
		}
		firstConn.Close(0, "")
		<-firstEnded
		require.ErrorIs(t, <-served, ErrNoViewers)
		require.Error(t, <-agentEnded)
		require.ErrorIs(t, m.Err(), ErrNoViewers)
		require.ErrorIs(t, m.ServeViewer(t.Context(), other, MultiplexedViewer{}), ErrNoViewers)
		require.ErrorIs(t, m.ServeAgent(t.Context(), other), ErrNoViewers)
	})
}

// TestMultiplexorEnds: the agent leaves, or takes nothing; there can be too many viewers.
func TestMultiplexorEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMultiplexor(MultiplexorConfig{MaxViewers: 1})
		viewer, v := msgconn.Pipe()
		agent, a := msgconn.Pipe()
		viewerEnded, agentEnded := make(chan error, 1), make(chan error, 1)
		go func() { viewerEnded <- m.ServeViewer(t.Context(), v, MultiplexedViewer{}) }()
		go func() { agentEnded <- m.ServeAgent(t.Context(), a) }()
		synctest.Wait()
		_, extra := msgconn.Pipe()
		require.ErrorIs(t, m.ServeViewer(t.Context(), extra, MultiplexedViewer{}), ErrTooManyViewers)
		agent.Close(0, "")
		require.ErrorIs(t, <-agentEnded, ErrAgentLeft)
		require.ErrorIs(t, <-viewerEnded, ErrAgentLeft)
		_, _, err := viewer.ReadMessage(t.Context())
		for err == nil {
			_, _, err = viewer.ReadMessage(t.Context())
		}

		m = NewMultiplexor(MultiplexorConfig{})
		viewer, v = msgconn.Pipe()
		_, a = msgconn.Pipe() // nobody reads the other end
		go func() { viewerEnded <- m.ServeViewer(t.Context(), v, MultiplexedViewer{}) }()
		go func() { agentEnded <- m.ServeAgent(t.Context(), a) }()
		synctest.Wait() // what a viewer says before the agent is there goes nowhere
		require.NoError(t, viewer.WriteMessage(t.Context(), msgconn.Text, []byte("2")))
		for range 40 {
			if viewer.WriteMessage(t.Context(), msgconn.Binary, encode(t, Mouse{})) != nil {
				break
			}
		}
		require.ErrorIs(t, <-agentEnded, ErrAgentLeft)
		require.ErrorIs(t, <-viewerEnded, ErrAgentLeft)
	})
}

// FuzzMultiplexor: whatever both sides send, nothing panics, a viewer who keeps up sees what a late one sees, and what is kept
// for late ones is counted right.
func FuzzMultiplexor(f *testing.F) {
	f.Add([]byte("\x00abcdefgh\x01ijklmnop\x02qrstuvwx"))
	f.Add([]byte("\x00\x40\x40\x00\x00\x00\x01\x00\x00\x1f\x1f\x03\x03\x04\x01\x00\x00\x00\x00\x06\x00\x04\x03\x05\x01\x00\x00\x00\x00\x08\x00\x05\x01\x02\x10\x10\x0f\x0f\x09"))
	f.Add([]byte("\x00\x40\x40\x00\x00\x00\x03\x05\x00\x00\x00\x00\x00\x12\x00\x05\x01\x03\x01\x03\x00\x00\x00\x32\x03\x08\x00\x00\x00\x00\x00\x07\x00\x08\x00\x10\x00\x10"))
	f.Fuzz(func(t *testing.T, script []byte) {
		m := newState()
		early, canvas := &muxViewer{}, NewCanvas(1<<20)
		m.join(early)
		for step := 0; len(script) >= 6 && step < 100; step++ {
			c := script[:6]
			script = script[6:]
			switch c[0] % 4 {
			case 0:
				m.agentSays(t, Screen{uint16(c[1]) + 1, uint16(c[2]) + 1})
			case 1, 2:
				img := plain(int(c[3])%64+1, int(c[4])%64+1, color.Gray{c[5]})
				m.agentSays(t, pngTile(t, int(c[1]), int(c[2]), img))
			case 3: // anything, by either, as text or not
				raw := script[:min(int(c[1])%64, len(script))]
				script = script[len(raw):]
				typ := msgconn.Binary
				if c[2]&2 != 0 {
					typ = msgconn.Text
				}
				if c[2]&1 != 0 {
					_, _ = m.fromViewer(early, c[2]&4 == 0, typ, raw)
				} else if !screenAbove(raw, 1<<20) {
					_ = m.fromAgent(typ, raw)
				}
			}
			m.watch(t, early, canvas, int(c[5])%4)
		}
		early.paused = false
		m.watch(t, early, canvas, -1)
		late, lateCanvas := &muxViewer{}, NewCanvas(1<<20)
		m.join(late)
		m.watch(t, late, lateCanvas, -1)
		require.Equal(t, canvas.Image().Pix, lateCanvas.Image().Pix)
		if m.picture.first == nil {
			return
		}
		total := 0
		for f := m.picture.first.next; f != nil; f = f.next {
			total += len(f.data) + frameOverhead
			require.Positive(t, f.cells)
		}
		require.Equal(t, total, m.picture.bytes)
	})
}

// screenAbove says whether a message has a screen of more pixels than that in it, which would only take time.
func screenAbove(message []byte, pixels int) (above bool) {
	_ = new(Splitter).Feed(message, func(command []byte) error {
		if m, err := ParseFromAgent(command); err == nil {
			s, ok := m.(Screen)
			above = above || ok && int(s.Width)*int(s.Height) > pixels
		}
		return nil
	})
	return above
}
