package desktop

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

func encode(t testing.TB, m Message) []byte {
	b, err := m.Append(nil)
	require.NoError(t, err)
	return b
}

func handle(t testing.TB, v *Viewer, messages ...Message) {
	t.Helper()
	for _, m := range messages {
		require.NoError(t, v.Handle(msgconn.Binary, encode(t, m)))
	}
}

// said are the commands a viewer wants to send.
func said(t testing.TB, v *Viewer) (all []Message) {
	for {
		typ, b, ok := v.Next()
		if !ok {
			return all
		}
		require.Equal(t, msgconn.Binary, typ)
		m, err := ParseFromViewer(b)
		require.NoError(t, err)
		all = append(all, m)
	}
}

func plain(w, h int, c color.Color) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(img, img.Rect, image.NewUniform(c), image.Point{}, draw.Src)
	return img
}

func pngTile(t testing.TB, x, y int, img image.Image) Tile {
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, img))
	return Tile{X: uint16(x), Y: uint16(y), Image: b.Bytes()}
}

// TestViewerSession shows the recorded session of a real agent.
func TestViewerSession(t *testing.T) {
	v := NewViewer(ViewerConfig{})
	for _, r := range session(t) {
		if r.Dir == "agent" {
			typ, b := r.message(t)
			require.NoError(t, v.Handle(typ, b))
		}
	}
	require.Equal(t, image.Rect(0, 0, 1024, 768), v.Image().Rect)
	c := v.Changes()
	require.True(t, c.Resized && c.Displays && c.Cursor && c.KeyState)
	require.Zero(t, c.BadTiles)
	require.Positive(t, c.Tiles)
	require.Equal(t, CursorNone, v.Cursor())
	require.Equal(t, Displays{IDs: []uint16{0}}, v.Displays())
	// The X server's root window is black; the terminal in it is white.
	require.Equal(t, color.RGBA{A: 255}, v.Image().RGBAAt(1000, 700))
	white := 0
	for i := 0; i < len(v.Image().Pix); i += 4 {
		if v.Image().Pix[i] > 240 {
			white++
		}
	}
	require.Greater(t, white, 50_000)
	require.False(t, (&Changes{}).Any())
	require.Empty(t, v.Changes().Damage)
}

func TestViewerScreen(t *testing.T) {
	v := NewViewer(ViewerConfig{})
	handle(t, v, Screen{64, 48})
	want := []Message{Compression{ImageJPEG, 50, 1024, 100}, Pause{}, InputLock{InputQuery}}
	ups := []Message{Key{KeyUp, 16}, Key{KeyUp, 17}, Key{KeyUp, 18}, Key{KeyUp, 91}, Key{KeyUp, 92}}
	require.Equal(t, append(want, ups...), said(t, v))
	handle(t, v, pngTile(t, 32, 32, plain(64, 64, color.White)))
	c := v.Changes()
	require.True(t, c.Resized)
	require.Equal(t, 1, c.Tiles, "the damage of the new size hides that of the tile")
	require.Equal(t, []image.Rectangle{image.Rect(0, 0, 64, 48)}, c.Damage)
	require.Equal(t, color.RGBA{255, 255, 255, 255}, v.Image().RGBAAt(63, 47))
	require.Equal(t, color.RGBA{A: 255}, v.Image().RGBAAt(31, 47))

	handle(t, v, Screen{64, 48}) // repeated
	require.Equal(t, ups, said(t, v))
	require.False(t, v.Changes().Resized)
	require.Equal(t, color.RGBA{255, 255, 255, 255}, v.Image().RGBAAt(63, 47))

	handle(t, v, Copy{SrcX: 40, SrcY: 40, DstX: 0, DstY: 0, Width: 100, Height: 4})
	require.Equal(t, []image.Rectangle{image.Rect(0, 0, 24, 4)}, v.Changes().Damage)
	require.Equal(t, color.RGBA{255, 255, 255, 255}, v.Image().RGBAAt(23, 3))
	require.Equal(t, color.RGBA{A: 255}, v.Image().RGBAAt(24, 3))
	handle(t, v, Copy{SrcX: 60000, DstX: 1, Width: 9, Height: 9})
	require.Empty(t, v.Changes().Damage)

	handle(t, v, pngTile(t, 64, 0, plain(32, 32, color.White)))
	require.Empty(t, v.Changes().Damage, "a tile beside the screen")
	handle(t, v, Screen{32, 32}, pngTile(t, 0, 0, plain(32, 32, color.White)))
	require.Equal(t, image.Rect(0, 0, 32, 32), v.Image().Rect)
	require.Equal(t, append(want, ups...), said(t, v))

	v = NewViewer(ViewerConfig{ViewOnly: true, Compression: Compression{Format: ImageJPEG, Quality: 9}})
	handle(t, v, Screen{64, 48})
	require.Equal(t, []Message{Compression{Format: ImageJPEG, Quality: 9}, Pause{}}, said(t, v))
}

func TestViewerState(t *testing.T) {
	v := NewViewer(ViewerConfig{})
	area := Area{ID: 1, X: -5, Width: 9, Height: 9}
	handle(t, v, Displays{IDs: []uint16{1, 2}, Selected: 1}, Display{2}, DisplayLayout{[]Area{area}}, KeyState{CapsLock},
		InputLockState{1}, TouchReady{1}, TouchReset{}, DebugText{"x"}, Notice{"hello"}, Alert{"no"}, Unknown{Number: 70})
	require.Equal(t, Displays{IDs: []uint16{1, 2}, Selected: 2}, v.Displays())
	require.Equal(t, []Area{area}, v.Layout().Areas)
	require.Equal(t, CapsLock, v.Locks())
	require.True(t, v.InputLocked() && v.TouchReady())
	require.NoError(t, v.Handle(msgconn.Text, []byte(`{"ctrlChannel":"102938","type":"console","msg":"Waiting","msgid":1}`)))
	require.NoError(t, v.Handle(msgconn.Text, []byte(`{"ctrlChannel":102938,"type":"ping"}`)))
	require.NoError(t, v.Handle(msgconn.Text, []byte(`{bad`)))
	require.Equal(t, Changes{
		Displays: true, KeyState: true, InputLock: true, TouchReady: true, Notices: []Notice{{"hello"}}, Alerts: []Alert{{"no"}},
		Console: []Console{{"Waiting", 1}},
	}, v.Changes())
	typ, b, ok := v.Next()
	require.True(t, ok)
	require.Equal(t, msgconn.Text, typ)
	require.JSONEq(t, pong, string(b))
}

// TestViewerBounds: a hostile agent costs no more than was agreed to.
func TestViewerBounds(t *testing.T) {
	v := NewViewer(ViewerConfig{MaxPixels: 100 * 100})
	require.ErrorIs(t, v.Handle(msgconn.Binary, encode(t, Screen{101, 100})), ErrTooLarge)
	v = NewViewer(ViewerConfig{MaxPixels: 100 * 100})
	handle(t, v, Screen{100, 100})
	large := Tile{Image: pngTile(t, 0, 0, plain(500, 500, color.White)).Image}
	handle(t, v, large, Tile{Image: []byte("GIF89a")}, Tile{Image: nil})
	require.Equal(t, 3, v.Changes().BadTiles)
	for i := range 100 {
		handle(t, v, pngTile(t, i%10*10, i/10*10, plain(10, 10, color.White)), Notice{"x"}, Screen{100, 100})
	}
	c := v.Changes()
	require.LessOrEqual(t, len(c.Damage), maxDamage+1)
	require.Len(t, c.Notices, maxTexts)
	union := image.Rectangle{}
	for _, r := range c.Damage {
		union = union.Union(r)
	}
	require.Equal(t, v.Image().Rect, union)
	require.LessOrEqual(t, len(v.out), maxOutgoing)
}

func TestClient(t *testing.T) {
	ours, agent := msgconn.Pipe()
	c := NewClient(ours, ClientConfig{Clipboard: &clipboard{}})
	ended := make(chan error, 1)
	go func() { ended <- c.Run(t.Context()) }()
	send := func(m Message) { require.NoError(t, agent.WriteMessage(t.Context(), msgconn.Binary, encode(t, m))) }
	next := func() Message {
		_, b, err := agent.ReadMessage(t.Context())
		require.NoError(t, err)
		m, err := ParseFromViewer(b)
		require.NoError(t, err)
		return m
	}
	send(Screen{64, 48})
	for range 8 {
		next()
	}
	ch, err := c.Wait(t.Context())
	require.NoError(t, err)
	require.True(t, ch.Resized)
	send(pngTile(t, 0, 0, plain(64, 48, color.White)))
	ch, err = c.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, []image.Rectangle{image.Rect(0, 0, 64, 48)}, ch.Damage)
	require.Equal(t, plain(64, 48, color.White).Pix, c.Snapshot().Pix)

	ctx := t.Context()
	for _, step := range []struct {
		do   func() error
		want []Message
	}{
		{func() error { return c.Move(ctx, -5, 1000) }, []Message{Mouse{Y: 47}}},
		{func() error { return c.Click(ctx, 3, 4) }, []Message{Mouse{Action: MouseLeftDown, X: 3, Y: 4}, Mouse{Action: MouseLeftUp, X: 3, Y: 4}}},
		{func() error { return c.Wheel(ctx, 3, 4, -120) }, []Message{Mouse{X: 3, Y: 4, HasWheel: true, Wheel: -120}}},
		{func() error { return c.Press(ctx, 13) }, []Message{Key{KeyDown, 13}, Key{KeyUp, 13}}},
		{func() error { return c.Type(ctx, "é😀") }, []Message{
			Unicode{false, 0xE9}, Unicode{true, 0xE9}, Unicode{false, 0xD83D}, Unicode{false, 0xDE00}, Unicode{true, 0xD83D}, Unicode{true, 0xDE00},
		}},
		{func() error { return c.Refresh(ctx) }, []Message{Refresh{}}},
		{func() error { return c.SetCompression(ctx, Compression{Format: ImageJPEG, Quality: 80}) }, []Message{Compression{Format: ImageJPEG, Quality: 80}}},
		{func() error { return c.Send(ctx, SelectDisplay{2}, CtrlAltDel{}) }, []Message{SelectDisplay{2}, CtrlAltDel{}}},
	} {
		require.NoError(t, step.do())
		for _, want := range step.want {
			require.Equal(t, want, next())
		}
	}
	require.NoError(t, c.SetClipboard(ctx, "text"))
	text, err := c.Clipboard(ctx)
	require.NoError(t, err)
	require.Equal(t, "text", text)
	_, err = NewClient(ours, ClientConfig{}).Clipboard(ctx)
	require.ErrorIs(t, err, ErrNoClipboard)

	require.NoError(t, agent.WriteMessage(ctx, msgconn.Binary, []byte{0, 3, 0, 1}))
	require.ErrorIs(t, <-ended, ErrSize)
	_, err = c.Wait(ctx)
	require.ErrorIs(t, err, ErrSize)
	_, _, err = agent.ReadMessage(ctx)
	var closed *msgconn.CloseError
	require.ErrorAs(t, err, &closed)
	require.Equal(t, msgconn.CloseProtocolError, closed.Code)
}

type clipboard struct{ text string }

func (c *clipboard) Clipboard(context.Context) (string, error) { return c.text, nil }

func (c *clipboard) SetClipboard(_ context.Context, text string) error { c.text = text; return nil }

// FuzzViewer: no message of an agent makes a viewer panic or grow.
func FuzzViewer(f *testing.F) {
	var b bytes.Buffer
	require.NoError(f, jpeg.Encode(&b, plain(16, 16, color.White), nil))
	f.Add(append(encode(f, Screen{32, 32}), encode(f, Tile{X: 16, Y: 16, Image: b.Bytes()})...))
	f.Add(append(encode(f, Screen{32, 32}), encode(f, Copy{1, 2, 3, 4, 50, 60})...))
	f.Fuzz(func(t *testing.T, b []byte) {
		v := NewViewer(ViewerConfig{MaxPixels: 1 << 12, Fragments: true})
		_ = v.Handle(msgconn.Binary, b)
		_ = v.Handle(msgconn.Text, b)
		for _, r := range v.Changes().Damage {
			if !r.In(v.Image().Rect) {
				t.Fatalf("damage %v outside of %v", r, v.Image().Rect)
			}
		}
		if len(v.Image().Pix) > 4<<12 {
			t.Fatal("the picture is larger than was agreed to")
		}
	})
}

func BenchmarkViewerTile(b *testing.B) {
	var j bytes.Buffer
	require.NoError(b, jpeg.Encode(&j, plain(256, 256, color.White), nil))
	v := NewViewer(ViewerConfig{})
	handle(b, v, Screen{1024, 768})
	tile := encode(b, Tile{X: 64, Y: 64, Image: j.Bytes()})
	b.SetBytes(256 * 256 * 4)
	for b.Loop() {
		if err := v.Handle(msgconn.Binary, tile); err != nil {
			b.Fatal(err)
		}
	}
}
