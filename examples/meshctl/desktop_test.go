package main

import (
	"context"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/relay/desktop"
)

// screen shows two halves, and something that never rests if it moves.
type screen struct {
	moves bool
	shown uint8
}

func (s *screen) Capture(context.Context, uint16) (image.Image, error) {
	img := image.NewRGBA(image.Rect(0, 0, 320, 200))
	for y := range 200 {
		for x := range 320 {
			c := color.RGBA{200, 0, 0, 255}
			if x >= 160 {
				c = color.RGBA{0, 0, 200, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	if s.moves {
		s.shown += 100
		for i := range 32 * 32 {
			img.SetRGBA(i%32, i/32, color.RGBA{s.shown, s.shown, s.shown, 255})
		}
	}
	return img, nil
}

func TestSnapshot(t *testing.T) {
	for _, moves := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) { testSnapshot(t, moves) })
	}
}

func testSnapshot(t *testing.T, moves bool) {
	near, far := msgconn.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = desktop.NewAgent(far, desktop.AgentConfig{Source: &screen{moves: moves}}).Run(context.Background())
	}()
	begun := time.Now()
	img, err := snapshot(t.Context(), near)
	require.NoError(t, err)
	require.LessOrEqual(t, time.Since(begun), mostTime+quietTime)
	<-served
	path := filepath.Join(t.TempDir(), "s.png")
	require.NoError(t, writePNG(path, img))
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	back, err := png.Decode(f)
	require.NoError(t, err)
	require.Equal(t, image.Rect(0, 0, 320, 200), back.Bounds())
	for x, want := range map[int]color.RGBA{80: {200, 0, 0, 255}, 300: {0, 0, 200, 255}} {
		r, g, b, _ := back.At(x, 100).RGBA()
		for i, pair := range [][2]uint8{{uint8(r >> 8), want.R}, {uint8(g >> 8), want.G}, {uint8(b >> 8), want.B}} {
			require.InDelta(t, pair[1], pair[0], 10, "%d at %d", i, x)
		}
	}
}

// A device that has no screen, or says so, makes no picture.
func TestNoSnapshot(t *testing.T) {
	near, far := msgconn.Pipe()
	require.NoError(t, far.Close(msgconn.CloseNormal, ""))
	_, err := snapshot(t.Context(), near)
	require.Error(t, err)

	near, far = msgconn.Pipe()
	b, err := desktop.Alert{Text: "no display\x1b"}.Append(nil)
	require.NoError(t, err)
	require.NoError(t, far.WriteMessage(t.Context(), msgconn.Binary, b))
	_, err = snapshot(t.Context(), near)
	require.ErrorContains(t, err, "no display")
	require.Equal(t, exitRefused, exitCode(err))

	near, _ = msgconn.Pipe()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = snapshot(ctx, near)
	require.Equal(t, exitConnection, exitCode(err))
}

// What could not be written whole is not there.
func TestWriteWhole(t *testing.T) {
	dir := t.TempDir()
	require.Error(t, writePNG(filepath.Join(dir, "x.png"), image.NewRGBA(image.Rectangle{})), "a picture without pixels")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
	require.Error(t, writePNG(filepath.Join(dir, "none", "x.png"), image.NewRGBA(image.Rect(0, 0, 1, 1))), "no such folder")
}
