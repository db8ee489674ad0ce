package desktop

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/relay/record"
)

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// recording records messages of an agent, each at its time.
func recording(t testing.TB, protocol int, index bool, at []time.Duration, messages ...Message) *record.Reader {
	var file bytes.Buffer
	w, err := record.NewWriter(&file, record.Metadata{Protocol: protocol}, began, record.WriterConfig{Index: index})
	require.NoError(t, err)
	require.NoError(t, w.Write(began, record.User, msgconn.Text, []byte("2")))
	for i, m := range messages {
		require.NoError(t, w.Write(began.Add(at[i]), record.Device, msgconn.Binary, encode(t, m)))
	}
	require.NoError(t, w.Close(began.Add(time.Hour)))
	r, err := record.NewReader(bytes.NewReader(file.Bytes()), int64(file.Len()))
	require.NoError(t, err)
	return r
}

func TestFrames(t *testing.T) {
	const s = time.Second
	gray := func(g uint8) color.Color { return color.Gray{g} }
	for _, index := range []bool{false, true} {
		r := recording(t, 2, index, []time.Duration{s / 10, s / 10, 3 * s / 2, 16 * s / 10, 30 * s, 60 * s},
			Screen{32, 32}, pngTile(t, 0, 0, plain(32, 32, gray(10))),
			pngTile(t, 0, 0, plain(16, 16, gray(20))), pngTile(t, 0, 0, plain(16, 16, gray(30))),
			pngTile(t, 16, 16, plain(16, 16, gray(40))), Screen{16, 16})
		var times []time.Duration
		var corners [][2]uint8
		frame := func(at time.Duration, img *image.RGBA) error {
			times = append(times, at)
			last := img.Rect.Max.Sub(image.Pt(1, 1))
			corners = append(corners, [2]uint8{img.RGBAAt(0, 0).R, img.RGBAAt(last.X, last.Y).R})
			return nil
		}
		require.NoError(t, Frames(r, s, 0, frame))
		require.Equal(t, []time.Duration{s, 2 * s, 30 * s, 60 * s}, times)
		require.Equal(t, [][2]uint8{{10, 10}, {30, 10}, {30, 40}, {0, 0}}, corners)

		for _, c := range []struct {
			at   time.Duration
			want [2]uint8
		}{{s, [2]uint8{10, 10}}, {1550 * time.Millisecond, [2]uint8{20, 10}}, {25 * s, [2]uint8{30, 10}}, {45 * s, [2]uint8{30, 40}}, {time.Hour, [2]uint8{}}} {
			img, err := FrameAt(r, c.at, 0)
			require.NoError(t, err)
			corners = nil
			require.NoError(t, frame(0, img))
			require.Equal(t, c.want, corners[0], "at %v, index %v", c.at, index)
		}
		enough := errors.New("enough")
		require.ErrorIs(t, Frames(r, s, 0, func(time.Duration, *image.RGBA) error { return enough }), enough)
		require.ErrorIs(t, Frames(r, s, 100, frame), ErrTooLarge)
		_, err := FrameAt(r, 45*s, 100)
		require.ErrorIs(t, err, ErrTooLarge)
		require.Error(t, Frames(r, 0, 0, frame))
	}
	_, err := FrameAt(recording(t, 1, false, nil), 0, 0)
	require.ErrorIs(t, err, ErrNotDesktop)
}

// TestFramesOfBrowser: recordings of the stock web page wrap large commands in jumbo commands of their own kind.
func TestFramesOfBrowser(t *testing.T) {
	inner := encode(t, Tile{X: 1, Y: 2, Image: make([]byte, 1000)})
	b := binary.BigEndian.AppendUint32([]byte{0, 27, 0, 8}, uint32(len(inner)))
	b = append(b, 0, 3, 0, 0, 0, 0, 0, 0)
	b = plainJumbo(append(b, inner...))
	m, err := ParseFromAgent(b)
	require.NoError(t, err)
	require.Equal(t, Tile{X: 1, Y: 2, Image: make([]byte, 1000)}, m)
	large := encode(t, Tile{Image: make([]byte, maxPlainImage+1)})
	require.Equal(t, large, plainJumbo(large))
}
