//go:build linux

package desktop

import (
	"bytes"
	"context"
	"encoding/binary"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/interop"
	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/relay/record"
)

// TestStockDesktop shows the X display of a stock agent, through a stock server, and compares it with a screenshot that was
// taken on the display. Then the recording that the server made has to show the same.
func TestStockDesktop(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral, interop.PeerAgent)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	x := interop.StartX(t)
	x.Run(t, "xlogo", "-geometry", "500x400+100+60", "-fg", "red", "-bg", "#30a0e0")

	recordings := t.TempDir()
	s := interop.StartServer(t, interop.ServerOptions{Domain: map[string]any{"sessionRecording": map[string]any{"filepath": recordings}}})
	group := s.CreateGroup(t, "desktops")
	interop.StartAgent(t, s.MSH(t, group), interop.AgentOptions{Env: x.Env})
	device := s.WaitDevice(t, interop.CoreRuns)
	conn := s.OpenTunnel(t, s.Control(t), device.ID, 2)
	require.NoError(t, conn.WriteMessage(ctx, msgconn.Text, []byte("2")))
	c := NewClient(conn, ClientConfig{ViewerConfig: ViewerConfig{Compression: Compression{ImageJPEG, 90, FullScale, 100}}})
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()

	// The mouse goes where it can be left out: the agent paints its cursor into the picture.
	cursor := image.Rect(900, 640, 1024, 768)
	for c.Snapshot().Rect.Dx() != 1024 {
		_, err := c.Wait(ctx)
		require.NoError(t, err)
	}
	require.NoError(t, c.Move(ctx, 960, 700))
	require.NoError(t, c.Refresh(ctx))
	var got, want *image.RGBA
	for {
		_, err := c.Wait(ctx)
		if err != nil && got != nil && want != nil {
			t.Fatalf("mean difference to the screenshot %.2f: %v", difference(want, got, cursor), err)
		}
		require.NoError(t, err)
		got, want = c.Snapshot(), screenshot(ctx, t, x)
		// Both must show the logo, and the same but for what JPEG loses.
		if want.RGBAAt(105, 450) == (color.RGBA{0x30, 0xA0, 0xE0, 0xFF}) && difference(want, got, cursor) < 1 {
			break
		}
	}
	t.Logf("mean difference of the picture to the screenshot: %.3f", difference(want, got, cursor))
	var picture bytes.Buffer
	require.NoError(t, png.Encode(&picture, got))
	again, err := png.Decode(&picture)
	require.NoError(t, err)
	require.Equal(t, got.Bounds(), again.Bounds())

	conn.Close(msgconn.CloseNormal, "")
	<-ended
	b := finished(ctx, t, recordings)
	r, err := record.NewReader(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	require.Equal(t, device.ID, r.Metadata().NodeID)
	last, err := FrameAt(r, time.Hour, 0)
	require.NoError(t, err)
	require.Less(t, difference(want, last, cursor), 1.0)
	frames := 0
	require.NoError(t, Frames(r, 100*time.Millisecond, 0, func(time.Duration, *image.RGBA) error { frames++; return nil }))
	require.Positive(t, frames)
}

// difference is the mean difference of two pictures outside of a part of them.
func difference(a, b *image.RGBA, without image.Rectangle) float64 {
	if a.Rect != b.Rect {
		return 255
	}
	sum, n := 0, 0
	for y := range a.Rect.Dy() {
		for x := range a.Rect.Dx() {
			if image.Pt(x, y).In(without) {
				continue
			}
			p, q := a.RGBAAt(x, y), b.RGBAAt(x, y)
			for _, d := range [...]int{int(p.R) - int(q.R), int(p.G) - int(q.G), int(p.B) - int(q.B)} {
				sum += max(d, -d)
				n++
			}
		}
	}
	return float64(sum) / float64(n)
}

// screenshot takes a picture of the display, in the format of xwd: a header of 32-bit numbers, colours, pixels.
func screenshot(ctx context.Context, t *testing.T, x *interop.Display) *image.RGBA {
	t.Helper()
	cmd := exec.CommandContext(ctx, "xwd", "-root", "-silent")
	cmd.Env = x.Env
	b, err := cmd.Output()
	require.NoError(t, err)
	field := func(i int) int { return int(binary.BigEndian.Uint32(b[4*i:])) }
	width, height, line := field(4), field(5), field(12)
	require.Equal(t, 32, field(11), "bits per pixel")
	require.Zero(t, field(7), "byte order")
	pixels := b[field(0)+12*field(19):]
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(img, img.Rect, image.Black, image.Point{}, draw.Src)
	for y := range height {
		for i := range width {
			p := pixels[y*line+4*i:]
			img.SetRGBA(i, y, color.RGBA{p[2], p[1], p[0], 0xFF})
		}
	}
	return img
}

// finished waits for the recording that is written into a folder: its end comes five seconds after the session's.
func finished(ctx context.Context, t *testing.T, dir string) []byte {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		names, err := filepath.Glob(filepath.Join(dir, "*.mcrec"))
		require.NoError(t, err)
		if len(names) == 1 {
			b, err := os.ReadFile(names[0])
			require.NoError(t, err)
			if r, err := record.NewReader(bytes.NewReader(b), int64(len(b))); err == nil && r.Complete() {
				return b
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			require.FailNow(t, "no finished recording", "%v", names)
		}
	}
}
