package main

import (
	"bytes"
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

// A device that needs long for the next piece of a picture is waited for, and one of which a piece does not come for wholeTime.
func TestSlowSnapshot(t *testing.T) {
	for _, missing := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			near, far := msgconn.Pipe()
			begun := time.Now()
			served := make(chan struct{})
			go func() {
				defer close(served)
				send := func(b []byte, err error) {
					_ = far.WriteMessage(t.Context(), msgconn.Binary, must(b, err))
				}
				send(desktop.Screen{Width: 64, Height: 32}.Append(nil))
				send(desktop.Tile{Image: tile()}.Append(nil))
				if !missing {
					time.Sleep(5 * quietTime)
					send(desktop.Tile{X: 32, Image: tile()}.Append(nil))
				}
				for { // what the viewer says, until it goes
					if _, _, err := far.ReadMessage(t.Context()); err != nil {
						return
					}
				}
			}()
			img, err := snapshot(t.Context(), near)
			require.NoError(t, err)
			<-served
			left, right := color.RGBA{255, 255, 255, 255}, color.RGBA{255, 255, 255, 255}
			takes := 6 * quietTime
			if missing {
				right, takes = color.RGBA{A: 255}, wholeTime
			}
			require.Equal(t, left, img.RGBAAt(16, 16))
			require.Equal(t, right, img.RGBAAt(48, 16))
			require.Equal(t, takes, time.Since(begun))
		})
	}
}

// tile is a white piece of a picture.
func tile() []byte {
	img := image.NewGray(image.Rect(0, 0, 32, 32))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	var b bytes.Buffer
	must(0, png.Encode(&b, img))
	return b.Bytes()
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
