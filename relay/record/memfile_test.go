package record

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// memFile is a file in memory.
type memFile struct{ b []byte }

func (f *memFile) Write(p []byte) (int, error) { f.b = append(f.b, p...); return len(p), nil }

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(f.b).ReadAt(p, off)
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	if end := int(off) + len(p); end > len(f.b) {
		f.b = append(f.b, make([]byte, end-len(f.b))...)
	}
	return copy(f.b[off:], p), nil
}

func (f *memFile) reader(t testing.TB) *Reader {
	t.Helper()
	r, err := NewReader(f, int64(len(f.b)))
	require.NoError(t, err)
	return r
}

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func jpegTile(t testing.TB, x, y, w, h int, c color.Color) []byte {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		img.Set(i%w, i/w, c)
	}
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, img, nil))
	head := binary.BigEndian.AppendUint16(nil, commandTile)
	head = binary.BigEndian.AppendUint16(head, uint16(8+b.Len()))
	head = binary.BigEndian.AppendUint16(head, uint16(x))
	head = binary.BigEndian.AppendUint16(head, uint16(y))
	return append(head, b.Bytes()...)
}

// desktop is a session of 35 seconds: a screen of 96 by 64, a full picture, tiles over it, a new screen size.
func desktop(t testing.TB, cfg WriterConfig) *memFile {
	t.Helper()
	f := new(memFile)
	w, err := NewWriter(f, Metadata{
		UserID: "user//admin", UserName: "admin", SessionID: "dn1is13t6aen", Protocol: 2, NodeID: "node//a", DeviceName: "d1",
	}, began, cfg)
	require.NoError(t, err)
	device := func(after time.Duration, b []byte) {
		require.NoError(t, w.Write(began.Add(after), Device, msgconn.Binary, b))
	}
	require.NoError(t, w.Write(began.Add(100*time.Millisecond), User, msgconn.Text, []byte("2")))
	require.NoError(t, w.Write(began.Add(100*time.Millisecond), User, msgconn.Binary, []byte{0, 6, 0, 4}))
	device(200*time.Millisecond, []byte{0, 7, 0, 8, 0, 96, 0, 64})
	device(300*time.Millisecond, jpegTile(t, 0, 0, 96, 64, color.White))
	require.NoError(t, w.Write(began.Add(time.Second), Device, msgconn.Text, []byte(`{"type":"metadata"}`)))
	device(5*time.Second, jpegTile(t, 32, 32, 32, 32, color.Black))
	device(12*time.Second, jpegTile(t, 64, 0, 32, 32, color.Gray{128}))
	jumbo := jpegTile(t, 0, 0, 64, 32, color.Gray{40})
	jumbo = append(binary.BigEndian.AppendUint32([]byte{0, 27, 0, 8}, uint32(len(jumbo))), jumbo...)
	device(13*time.Second, jumbo)
	device(31*time.Second, []byte{0, 7, 0, 8, 0, 32, 0, 32})
	device(34*time.Second, jpegTile(t, 0, 0, 32, 32, color.White))
	require.NoError(t, w.Close(began.Add(50*time.Second)))
	require.Equal(t, int64(len(f.b)), w.Size())
	return f
}
