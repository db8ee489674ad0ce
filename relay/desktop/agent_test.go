package desktop

import (
	"context"
	"errors"
	"image"
	"image/color"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// pattern is a picture with smooth and sharp parts.
func pattern(w, h, seed int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{uint8(x / 2), uint8(y / 2), uint8(seed * 40), 255}
			if (x/24+y/40)%5 == seed%5 {
				c = color.RGBA{255, 255, 255, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

// requireAlike: two pictures are the same but for what JPEG loses.
func requireAlike(t testing.TB, want, got *image.RGBA, mean, most float64) {
	t.Helper()
	require.Equal(t, want.Rect.Size(), got.Rect.Size())
	var sum, worst float64
	for i := range want.Pix {
		d := float64(want.Pix[i]) - float64(got.Pix[i])
		d = max(d, -d)
		sum += d
		worst = max(worst, d)
	}
	require.LessOrEqual(t, sum/float64(len(want.Pix)), mean, "mean difference")
	require.LessOrEqual(t, worst, most, "largest difference")
}

// drawn paints all tiles that an encoder has.
func drawn(t testing.TB, e *Encoder, c *Canvas) (tiles int) {
	for {
		b, ok, err := e.Append(nil)
		require.NoError(t, err)
		if !ok {
			require.Zero(t, e.Pending())
			return tiles
		}
		_, p, err := Split(b)
		require.NoError(t, err)
		tile, err := ParseTile(p)
		require.NoError(t, err)
		_, err = c.DrawTile(tile)
		require.NoError(t, err)
		tiles++
	}
}

func TestEncoder(t *testing.T) {
	e, c := NewEncoder(0), NewCanvas(0)
	e.SetCompression(Compression{Quality: 95, Scaling: FullScale})
	img := pattern(700, 300, 0) // not a multiple of the grid
	resized, err := e.Update(img)
	require.NoError(t, err)
	require.True(t, resized)
	require.Equal(t, Screen{700, 300}, e.Screen())
	require.Equal(t, 22*10, e.Pending())
	require.NoError(t, c.Resize(700, 300))
	tiles := drawn(t, e, c)
	require.Equal(t, 4, tiles)
	requireAlike(t, img, c.Image(), 3, 140)

	resized, err = e.Update(img)
	require.NoError(t, err)
	require.False(t, resized)
	require.Zero(t, e.Pending(), "the same picture")

	// One pixel, and then a part at the edge: only their squares are sent.
	img.SetRGBA(40, 70, color.RGBA{1, 2, 3, 255})
	_, err = e.Update(img)
	require.NoError(t, err)
	require.Equal(t, 1, e.Pending())
	area, ok := e.take()
	require.True(t, ok)
	require.Equal(t, image.Rect(32, 64, 64, 96), area)
	for i := range 5 {
		img.SetRGBA(699, 60*i, color.RGBA{R: 200, A: 255})
	}
	_, err = e.Update(img)
	require.NoError(t, err)
	require.Equal(t, 5, e.Pending())
	drawn(t, e, c)
	requireAlike(t, img, c.Image(), 3, 140)

	// What changes twice is sent once.
	for seed := range 5 {
		_, err = e.Update(pattern(700, 300, seed))
		require.NoError(t, err)
	}
	tiles = drawn(t, e, c)
	require.LessOrEqual(t, tiles, 40)
	requireAlike(t, pattern(700, 300, 4), c.Image(), 3, 140)

	// Random changes are all found.
	random := rand.New(rand.NewPCG(1, 2))
	img = pattern(700, 300, 4)
	for range 30 {
		x, y := random.IntN(700), random.IntN(300)
		sub := img.SubImage(image.Rect(x, y, x+random.IntN(90), y+random.IntN(90))).(*image.RGBA)
		for yy := sub.Rect.Min.Y; yy < sub.Rect.Max.Y; yy++ {
			for xx := sub.Rect.Min.X; xx < sub.Rect.Max.X; xx++ {
				img.SetRGBA(xx, yy, color.RGBA{uint8(x), uint8(y), 99, 255})
			}
		}
		_, err = e.Update(img)
		require.NoError(t, err)
		drawn(t, e, c)
	}
	requireAlike(t, img, c.Image(), 3, 140)
	e.Refresh()
	require.Equal(t, 22*10, e.Pending())
}

func TestEncoderScaling(t *testing.T) {
	e, c := NewEncoder(0), NewCanvas(0)
	e.SetCompression(Compression{Quality: 90, Scaling: 512})
	_, err := e.Update(plain(301, 99, color.RGBA{10, 200, 30, 255}))
	require.NoError(t, err)
	require.Equal(t, Screen{150, 49}, e.Screen())
	require.NoError(t, c.Resize(150, 49))
	drawn(t, e, c)
	requireAlike(t, plain(150, 49, color.RGBA{10, 200, 30, 255}), c.Image(), 2, 4)

	e.SetCompression(Compression{Scaling: 4096})
	resized, err := e.Update(image.NewGray(image.Rect(5, 5, 69, 37))) // another kind of picture, not at zero
	require.NoError(t, err)
	require.True(t, resized)
	require.Equal(t, Screen{64, 32}, e.Screen(), "pictures are not enlarged")
	_, err = NewEncoder(100).Update(image.NewGray(image.Rect(0, 0, 11, 10)))
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = e.Update(image.NewGray(image.Rectangle{}))
	require.ErrorIs(t, err, ErrTooLarge)
}

func TestPacer(t *testing.T) {
	now := time.Unix(1000, 0)
	p := pacer{interval: 100 * time.Millisecond, rate: 1000, since: now}
	require.True(t, p.frameDue(now))
	require.False(t, p.frameDue(now.Add(99*time.Millisecond)))
	require.True(t, p.maySend(now))
	p.sent(500)
	require.False(t, p.maySend(now.Add(499*time.Millisecond)))
	require.InDelta(t, time.Millisecond, p.wait(now.Add(499*time.Millisecond), true), float64(time.Microsecond))
	require.True(t, p.maySend(now.Add(500*time.Millisecond)))
	require.Equal(t, 100*time.Millisecond, p.wait(now, false))
	p = pacer{interval: time.Second}
	p.sent(1 << 30)
	require.True(t, p.maySend(now), "without a limit")
}

// screen is a source and a sink of input.
type screen struct {
	mu     sync.Mutex
	img    *image.RGBA
	inputs []Message
	got    chan struct{}
	asked  []uint16
	err    error
}

func (s *screen) set(img *image.RGBA) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.img = img
}

func (s *screen) captures() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func (s *screen) last() uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[len(s.asked)-1]
}

func (s *screen) seen() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.inputs)
}

func (s *screen) Capture(_ context.Context, display uint16) (image.Image, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, display)
	return s.img, s.err
}

func (s *screen) Input(_ context.Context, _ uint16, m Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inputs = append(s.inputs, m)
	s.got <- struct{}{}
	return nil
}

// both are a client and an agent at the ends of a pipe.
type both struct {
	client   *Client
	screen   *screen
	raw      *msgconn.PipeConn
	ended    chan error
	received chan error
}

func connect(t *testing.T, img *image.RGBA, cfg AgentConfig, viewer ViewerConfig) *both {
	s := &screen{img: img, got: make(chan struct{}, 100)}
	cfg.Source, cfg.Input = s, s
	a, b := msgconn.Pipe()
	v := &both{NewClient(a, ClientConfig{ViewerConfig: viewer}), s, a, make(chan error, 1), make(chan error, 1)}
	go func() { v.ended <- NewAgent(b, cfg).Run(t.Context()) }()
	go func() { v.received <- v.client.Run(t.Context()) }()
	t.Cleanup(func() { a.Close(0, "") })
	return v
}

// TestBothEnds: what the agent's source shows is what the client sees.
func TestBothEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quality := ViewerConfig{Compression: Compression{ImageJPEG, 95, FullScale, 100}}
		v := connect(t, pattern(400, 200, 1), AgentConfig{Displays: Displays{IDs: []uint16{1, 2}, Selected: 1}}, quality)
		ctx := t.Context()
		time.Sleep(time.Second) // of the bubble: no time at all
		synctest.Wait()
		requireAlike(t, pattern(400, 200, 1), v.client.Snapshot(), 3, 140)
		ch, err := v.client.Wait(ctx)
		require.NoError(t, err)
		require.True(t, ch.Resized && ch.Displays)

		v.screen.set(pattern(400, 200, 2))
		_, err = v.client.Wait(ctx)
		require.NoError(t, err)
		time.Sleep(time.Second)
		synctest.Wait()
		requireAlike(t, pattern(400, 200, 2), v.client.Snapshot(), 3, 140)

		// Half size, a new size of the screen, and input in pixels of the display.
		require.NoError(t, v.client.SetCompression(ctx, Compression{ImageJPEG, 95, 512, 100}))
		v.screen.set(plain(300, 100, color.White))
		time.Sleep(time.Second)
		synctest.Wait()
		requireAlike(t, plain(150, 50, color.White), v.client.Snapshot(), 1, 3)
		before := len(v.screen.seen())
		require.NoError(t, v.client.Click(ctx, 100, 20))
		require.NoError(t, v.client.Type(ctx, "a"))
		synctest.Wait()
		require.Equal(t, []Message{
			Mouse{Action: MouseLeftDown, X: 200, Y: 40}, Mouse{Action: MouseLeftUp, X: 200, Y: 40}, Unicode{false, 'a'}, Unicode{true, 'a'},
		}, v.screen.seen()[before:])

		require.NoError(t, v.client.Send(ctx, SelectDisplay{2}, SelectDisplay{77}))
		time.Sleep(time.Second)
		synctest.Wait()
		v.client.View(func(v *Viewer) { require.Equal(t, uint16(2), v.Displays().Selected) })
		require.Equal(t, uint16(2), v.screen.last())

		// Paused: no picture is taken. A refresh waits.
		require.NoError(t, v.client.Send(ctx, Pause{true}, Refresh{}))
		synctest.Wait()
		captures := v.screen.captures()
		v.client.View(func(v *Viewer) { v.Changes() })
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, captures, v.screen.captures())
		v.client.View(func(v *Viewer) { c := v.Changes(); require.False(t, c.Any(), "%+v", c) })
		require.NoError(t, v.client.Send(ctx, Pause{false}, FrameInterval{1000}))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.InDelta(t, captures+10, v.screen.captures(), 2)
		v.client.View(func(v *Viewer) { require.NotEmpty(t, v.Changes().Damage) })

		require.NoError(t, v.raw.WriteMessage(ctx, msgconn.Text, []byte(`{"ctrlChannel":"102938","type":"close"}`)))
		require.ErrorIs(t, <-v.ended, ErrEnded)
		require.ErrorIs(t, <-v.received, net.ErrClosed)
	})
}

// TestAgentText: the agent answers what keeps a tunnel alive.
func TestAgentText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var other []string
		a, b := msgconn.Pipe()
		ended := make(chan error, 1)
		s := &screen{img: plain(8, 8, color.White)}
		go func() {
			ended <- NewAgent(b, AgentConfig{Source: s, Text: func(kind string, _ []byte) { other = append(other, kind) }}).Run(t.Context())
		}()
		for _, text := range []string{`{"type":"ping"}`, `{"type":"rtt","time":123.5}`, `{"type":"lock"}`} {
			require.NoError(t, a.WriteMessage(t.Context(), msgconn.Text, []byte(text)))
		}
		require.NoError(t, a.WriteMessage(t.Context(), msgconn.Binary, encode(t, Key{Code: 1})), "nobody takes it")
		var texts []string
		for len(texts) < 2 {
			typ, b, err := a.ReadMessage(t.Context())
			require.NoError(t, err)
			if typ == msgconn.Text {
				texts = append(texts, string(b))
			}
		}
		require.Equal(t, []string{pong, `{"type":"rtt","ctrlChannel":"102938","time":123.5}`}, texts)
		synctest.Wait()
		require.Equal(t, []string{"lock"}, other)
		require.NoError(t, a.WriteMessage(t.Context(), msgconn.Binary, []byte{0, 6, 0, 3}))
		require.ErrorIs(t, <-ended, ErrSize)
	})
}

// TestAgentBudget: pictures that change all the time cost no more than they may, and the newest gets through.
func TestAgentBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := msgconn.Pipe()
		s := &screen{img: pattern(800, 600, 0)}
		go NewAgent(b, AgentConfig{Source: s, BytesPerSecond: 20_000}).Run(t.Context())
		var got atomic.Int64
		v := NewViewer(ViewerConfig{})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				typ, b, err := a.ReadMessage(t.Context())
				if err != nil {
					return
				}
				got.Add(int64(len(b)))
				_ = v.Handle(typ, b)
			}
		}()
		for i := range 50 {
			s.set(pattern(800, 600, i))
			time.Sleep(200 * time.Millisecond)
		}
		s.set(plain(800, 600, color.White))
		synctest.Wait()
		require.Less(t, got.Load(), int64(10*20_000+60_000))
		require.Greater(t, got.Load(), int64(8*20_000))
		time.Sleep(20 * time.Second)
		a.Close(0, "")
		<-ended
		requireAlike(t, plain(800, 600, color.White), v.Image(), 1, 3)
	})
}

func TestAgentCaptureFails(t *testing.T) {
	broken := errors.New("no display")
	a, b := msgconn.Pipe()
	err := NewAgent(b, AgentConfig{Source: &screen{img: plain(8, 8, color.White), err: broken}}).Run(t.Context())
	require.ErrorIs(t, err, broken)
	_, _, err = a.ReadMessage(t.Context())
	require.ErrorIs(t, err, net.ErrClosed)
}

// FuzzEncoder: whatever changes, the viewer ends with the picture the encoder was given.
func FuzzEncoder(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8}, uint8(70), uint8(40))
	f.Fuzz(func(t *testing.T, changes []byte, w, h uint8) {
		width, height := int(w)+1, int(h)+1
		img := plain(width, height, color.Black)
		e, c := NewEncoder(0), NewCanvas(0)
		e.SetCompression(Compression{Quality: 100})
		require.NoError(t, c.Resize(width, height))
		for i := 0; i+1 < min(len(changes), 32); i += 2 {
			g := uint8(i * 8)
			img.SetRGBA(int(changes[i])%width, int(changes[i+1])%height, color.RGBA{g, g, g, 255})
			_, err := e.Update(img)
			require.NoError(t, err)
			if i%4 == 0 {
				if b, ok, err := e.Append(nil); ok && err == nil {
					_, p, _ := Split(b)
					tile, _ := ParseTile(p)
					_, err = c.DrawTile(tile)
					require.NoError(t, err)
				}
			}
		}
		drawn(t, e, c)
		if len(changes) > 1 {
			requireAlike(t, img, c.Image(), 6, 60)
		}
	})
}

func BenchmarkEncoderUnchanged(b *testing.B) {
	e := NewEncoder(0)
	img := pattern(1920, 1080, 1)
	b.SetBytes(int64(len(img.Pix)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Update(img); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncoderTile(b *testing.B) {
	e := NewEncoder(0)
	if _, err := e.Update(pattern(512, 256, 1)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(512 * 256 * 4)
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		e.Refresh()
		var err error
		if buf, _, err = e.Append(buf[:0]); err != nil {
			b.Fatal(err)
		}
	}
}
