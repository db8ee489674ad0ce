package record

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

var update = flag.Bool("update", false, "write the golden files anew")

// blocks reads the rest of a recording.
func blocks(t testing.TB, r *Reader) (all []Block) {
	t.Helper()
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		b.Payload = bytes.Clone(b.Payload)
		all = append(all, b)
	}
}

func TestHeader(t *testing.T) {
	golden, _ := hex.DecodeString("0002" + "0003" + "00000004" + "0000" + "019b7cd95b08")
	h := Header{Type: BlockTraffic, Flags: FlagBinary | FlagUser, Size: 4, Clock: 0x019b7cd95b08}
	require.Equal(t, golden, h.Append(nil))
	got, err := ParseHeader(golden)
	require.NoError(t, err)
	require.Equal(t, h, got)
	for i := range golden {
		_, err := ParseHeader(golden[:i])
		require.ErrorIs(t, err, ErrTruncated)
	}
	b := make([]byte, 0, HeaderSize)
	require.Zero(t, testing.AllocsPerRun(100, func() { b = h.Append(b[:0]) }))
}

// TestGolden: the bytes of a recording do not change. The file was written by this test; mcrec.js of MeshCentral 1.1.55
// accepts it, which TestStockIndexer shows.
func TestGolden(t *testing.T) {
	f := desktop(t, WriterConfig{})
	name := filepath.Join("testdata", "desktop.mcrec")
	if *update {
		require.NoError(t, os.WriteFile(name, f.b, 0o600))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, want, f.b)
}

// TestStockRecording plays a recording of a terminal session that a stock MeshCentral 1.1.55 made with its native agent
// (TestStockRecorder writes it), and writes the same bytes from what was read.
func TestStockRecording(t *testing.T) {
	want, err := os.ReadFile(filepath.Join("testdata", "stock-terminal.mcrec"))
	require.NoError(t, err)
	r, err := NewReader(bytes.NewReader(want), int64(len(want)))
	require.NoError(t, err)
	m := r.Metadata()
	require.Equal(t, "user//admin", m.UserID)
	require.Equal(t, 1, m.Protocol)
	require.True(t, r.Complete())
	require.False(t, r.Indexed())
	all := blocks(t, r)
	typ, p := all[0].Message()
	require.Equal(t, msgconn.Text, typ)
	require.Contains(t, string(p), `"options"`)
	require.Equal(t, User, all[0].From())
	require.Contains(t, terminalOutput(all), "42")

	got := bytes.Clone(want[:all[0].Offset])
	for _, b := range all {
		got = append(b.Append(got), b.Payload...)
	}
	got = append(r.end.Append(got), endPlain...)
	require.Equal(t, want, got)
}

func terminalOutput(all []Block) string {
	var out strings.Builder
	for _, b := range all {
		if b.From() == Device && b.Flags&FlagBinary != 0 {
			out.Write(b.Payload)
		}
	}
	return out.String()
}

func TestReader(t *testing.T) {
	r := desktop(t, WriterConfig{}).reader(t)
	require.Equal(t, "admin", r.Metadata().UserName)
	d, err := r.Duration()
	require.NoError(t, err)
	require.Equal(t, 49900*time.Millisecond, d)
	all := blocks(t, r)
	require.Len(t, all, 10)
	require.Equal(t, 200*time.Millisecond, all[3].At)
	require.Equal(t, User, all[1].From())
	require.Equal(t, Device, all[2].From())
	typ, p := all[4].Message()
	require.Equal(t, msgconn.Text, typ)
	require.Equal(t, `{"type":"metadata"}`, string(p))

	for _, c := range []struct {
		at   time.Duration
		next int
	}{{0, 0}, {time.Second, 5}, {200 * time.Millisecond, 3}, {4900 * time.Millisecond, 5}, {33 * time.Second, 9}, {time.Hour, 10}, {0, 0}} {
		require.NoError(t, r.Seek(c.at))
		require.Len(t, blocks(t, r), 10-c.next, "from %v", c.at)
	}
	_, err = r.Block(3)
	require.ErrorIs(t, err, ErrFormat)
	_, err = r.Block(-1)
	require.ErrorIs(t, err, ErrFormat)
}

// TestEveryPrefix: a recording that was cut anywhere plays up to there.
func TestEveryPrefix(t *testing.T) {
	f := desktop(t, WriterConfig{})
	all := blocks(t, f.reader(t))
	last := all[len(all)-1]
	end := last.Offset + HeaderSize + int64(last.Size)
	for i := range f.b {
		r, err := NewReader(bytes.NewReader(f.b[:i]), int64(i))
		if int64(i) < all[0].Offset {
			require.ErrorIs(t, err, ErrTruncated)
			continue
		}
		require.NoError(t, err)
		require.False(t, r.Complete())
		n := 0
		for err == nil {
			if _, err = r.Next(); err == nil {
				n++
			}
		}
		whole := 0
		cut := int64(i) != all[0].Offset && int64(i) != end
		for _, b := range all {
			if b.Offset+HeaderSize+int64(b.Size) <= int64(i) {
				whole++
			}
			cut = cut && int64(i) != b.Offset
		}
		require.Equal(t, whole, n)
		require.Equal(t, cut, errors.Is(err, ErrTruncated), "%d: %v", i, err)
	}
}

// TestIndex: an index that is written at the end of the recording is the one that is added later.
func TestIndex(t *testing.T) {
	at := desktop(t, WriterConfig{Index: true})
	later := desktop(t, WriterConfig{})
	size, err := AddIndex(later, int64(len(later.b)))
	require.NoError(t, err)
	require.Equal(t, int64(len(later.b)), size)
	require.Equal(t, at.b, later.b)

	r := at.reader(t)
	require.True(t, r.Indexed())
	require.True(t, r.Complete())
	require.Len(t, blocks(t, r), 10)
	x, err := r.Index()
	require.NoError(t, err)
	require.Len(t, x.Entries, 4)
	require.Len(t, x.Entries[0].Tiles, 2, "the full picture and a tile over it")
	require.Len(t, x.Entries[1].Tiles, 4)
	require.Equal(t, []int{32, 32}, []int{x.Entries[3].Width, x.Entries[3].Height})
	require.Len(t, x.Entries[3].Tiles, 1)

	e, err := r.SeekScreen(15 * time.Second)
	require.NoError(t, err)
	require.Equal(t, &x.Entries[0], e)
	for _, p := range e.Tiles {
		b, err := r.Block(p)
		require.NoError(t, err)
		require.Equal(t, uint16(commandTile), binary.BigEndian.Uint16(b.Payload))
	}
	b, err := r.Next()
	require.NoError(t, err)
	require.Equal(t, 11900*time.Millisecond, b.At)
	e, err = r.SeekScreen(9 * time.Second)
	require.NoError(t, err)
	require.Nil(t, e)
	require.Len(t, blocks(t, r), 10)

	_, err = AddIndex(at, int64(len(at.b)))
	require.ErrorIs(t, err, ErrIndexed)
}

func TestAddIndexRefuses(t *testing.T) {
	f := new(memFile)
	w, err := NewWriter(f, Metadata{Protocol: 1}, began, WriterConfig{Index: true})
	require.NoError(t, err)
	require.NoError(t, w.Close(began))
	before := bytes.Clone(f.b)
	_, err = AddIndex(f, int64(len(f.b)))
	require.ErrorContains(t, err, "only desktops")
	f2 := desktop(t, WriterConfig{})
	f2.b = f2.b[:len(f2.b)-1]
	_, err = AddIndex(f2, int64(len(f2.b)))
	require.ErrorIs(t, err, ErrTruncated)
	require.Equal(t, before, f.b)
}

func TestWriterLimits(t *testing.T) {
	f := new(memFile)
	w, err := NewWriter(f, Metadata{}, began, WriterConfig{MaxSize: 400})
	require.NoError(t, err)
	for err == nil {
		err = w.Write(began, User, msgconn.Text, []byte("0123456789"))
	}
	require.ErrorIs(t, err, ErrFull)
	require.ErrorIs(t, w.Write(began, User, msgconn.Text, []byte("0")), ErrFull)
	require.NoError(t, w.Close(began))
	require.NoError(t, w.Close(began))
	require.LessOrEqual(t, len(f.b), 400)
	r := f.reader(t)
	require.True(t, r.Complete())
	require.NotEmpty(t, blocks(t, r))

	w, err = NewWriter(io.Discard, Metadata{}, began, WriterConfig{})
	require.NoError(t, err)
	require.NoError(t, w.Write(began, User, msgconn.Text, nil))
	size := w.Size()
	require.ErrorIs(t, w.Write(began, User, msgconn.Text, make([]byte, maxPayload+1)), ErrTooLarge)
	require.Equal(t, size, w.Size(), "neither an empty message nor one too large leaves anything")
	message := make([]byte, 4096)
	require.NoError(t, w.Write(began, User, msgconn.Binary, message))
	require.Zero(t, testing.AllocsPerRun(100, func() { w.Write(began, Device, msgconn.Binary, message) }))
	require.NoError(t, w.Close(began))
	require.ErrorIs(t, w.Write(began, User, msgconn.Text, []byte("late")), ErrClosed)
}

type failing struct{ after int }

func (f *failing) Write(p []byte) (int, error) {
	if f.after--; f.after < 0 {
		return len(p) / 2, errors.New("disk full")
	}
	return len(p), nil
}

func TestWriterFails(t *testing.T) {
	_, err := NewWriter(new(failing), Metadata{}, began, WriterConfig{})
	require.ErrorContains(t, err, "disk full")
	w, err := NewWriter(&failing{after: 1}, Metadata{}, began, WriterConfig{})
	require.NoError(t, err)
	require.ErrorContains(t, w.Write(began, User, msgconn.Text, []byte("x")), "disk full")
	require.ErrorContains(t, w.Write(began, User, msgconn.Text, []byte("x")), "disk full")
	require.ErrorContains(t, w.Close(began), "disk full")
}

// TestBrowserClock: recordings that a browser made have the low half of the time in the upper half of the field.
func TestBrowserClock(t *testing.T) {
	ms := uint64(began.UnixMilli())
	at := func(after time.Duration) uint64 { return (ms+uint64(after.Milliseconds()))<<32 | 32 }
	require.Equal(t, 90*time.Second, since(at(0), at(90*time.Second)))
	require.Equal(t, time.Duration(0), since(at(90*time.Second), at(0)))
	require.Equal(t, 2*time.Second, since(uint64(0xFFFFFFFF-999)<<32, uint64(1000)<<32|32), "past zero")
	require.Equal(t, time.Second, since(ms, ms+1000))
	require.Equal(t, time.Duration(0), since(ms, ms-1000), "a clock set back")
	require.Positive(t, since(0, 1<<48-1))
}

func TestTap(t *testing.T) {
	f := new(memFile)
	w, err := NewWriter(f, Metadata{}, began, WriterConfig{})
	require.NoError(t, err)
	a, b := msgconn.Pipe()
	operator := Tap(a, w, Device, func() time.Time { return began })
	require.NoError(t, operator.WriteMessage(t.Context(), msgconn.Text, []byte("1")))
	_, got, err := b.ReadMessage(t.Context())
	require.NoError(t, err)
	require.Equal(t, "1", string(got))
	require.NoError(t, b.WriteMessage(t.Context(), msgconn.Binary, []byte("$ ")))
	_, got, err = operator.ReadMessage(t.Context())
	require.NoError(t, err)
	require.Equal(t, "$ ", string(got))
	require.NoError(t, w.Close(began))
	require.ErrorIs(t, operator.WriteMessage(t.Context(), msgconn.Text, []byte("1")), ErrClosed)
	require.NoError(t, b.WriteMessage(t.Context(), msgconn.Binary, []byte("$ ")))
	_, _, err = operator.ReadMessage(t.Context())
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, operator.Close(msgconn.CloseNormal, ""))
	all := blocks(t, f.reader(t))
	require.Len(t, all, 2)
	require.Equal(t, []Side{User, Device}, []Side{all[0].From(), all[1].From()})
}

func TestPlay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := desktop(t, WriterConfig{}).reader(t)
		start, n := time.Now(), 0
		require.NoError(t, r.Play(t.Context(), 2, 3*time.Second, func(b Block) error { n++; return nil }))
		require.Equal(t, 10, n)
		// Pauses of 0.1, 0.1, 0.7, 4, 7, 1, 18 and 3 seconds, halved, none over 3.
		require.Equal(t, (50+50+350+2000+3000+500+3000+1500)*time.Millisecond, time.Since(start))

		require.NoError(t, r.Seek(0))
		ctx, cancel := context.WithCancelCause(t.Context())
		enough := errors.New("enough")
		require.ErrorIs(t, r.Play(ctx, 1, 0, func(b Block) error { cancel(enough); return nil }), enough)
		require.Error(t, r.Play(t.Context(), 0, 0, nil))
		require.ErrorIs(t, r.Play(t.Context(), 1, 0, func(b Block) error { return enough }), enough)
	})
}

func TestFileName(t *testing.T) {
	require.Equal(t, "relaysession-2026-01-02-03-04-05-admin-d1-dn1is13t6aen.mcrec", FileName(began, "", "admin", "d1", "dn1is13t6aen"))
	require.Equal(t, "relaysession-dom-2026-01-02-03-04-05-a_b-.._.._etc-x.mcrec", FileName(began, "dom", "a b", "../../etc", "x"))
	require.LessOrEqual(t, len(FileName(began, "d", strings.Repeat("ä", 999), strings.Repeat("x", 999), "y")), 255)
}

// TestHostileIndex: an index is not believed.
func TestHostileIndex(t *testing.T) {
	for _, text := range []string{
		``, `[]`, `{"indexInterval":0}`, `{"indexInterval":10,"indexes":[[1,2]]}`, `{"indexInterval":10,"indexes":[[-1,2,3]]}`,
		`{"indexInterval":10,"indexes":[[1,65536,3]]}`, `{"indexInterval":10,"indexes":[[1,2,3,1001]]}`,
		`{"indexInterval":10,"indexes":[[[[[[[[[[1]]]]]]]]]]}`, `{"indexInterval":10,"indexes":` + strings.Repeat("[", 1<<20),
	} {
		_, err := parseIndex([]byte(text), 1000)
		require.ErrorIs(t, err, ErrFormat, "%.60s", text)
	}
	x, err := parseIndex([]byte(`{"indexInterval":10,"indexStartTime":5,"indexes":[[1,2,3],[4,5,6,7]]}`), 1000)
	require.NoError(t, err)
	require.Equal(t, []int64{7}, x.Entries[1].Tiles)
	require.Equal(t, `{"indexInterval":10,"indexStartTime":5,"indexes":[[1,2,3],[4,5,6,7]]}`, string(x.append(nil)))

	// As many days as are more than a time.Duration can be.
	x = &Index{Interval: 24 * time.Hour, Entries: make([]IndexEntry, 200_000)}
	require.Nil(t, x.entry(-time.Hour))
	require.Nil(t, x.entry(24*time.Hour-1))
	require.Same(t, &x.Entries[0], x.entry(24*time.Hour))
	require.Same(t, &x.Entries[99], x.entry(101*24*time.Hour-1))
	require.Same(t, &x.Entries[100], x.entry(101*24*time.Hour))
}

func FuzzReader(f *testing.F) {
	f.Add(desktop(f, WriterConfig{}).b)
	f.Add(desktop(f, WriterConfig{Index: true}).b)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		var total int
		for {
			b, err := r.Next()
			if err != nil {
				break
			}
			total += len(b.Payload) + HeaderSize
		}
		if total > len(b) {
			t.Fatalf("%d bytes of messages in a file of %d", total, len(b))
		}
		if _, err := r.Duration(); err == nil {
			_ = r.Seek(10 * time.Second)
		}
		if e, err := r.SeekScreen(20 * time.Second); err == nil && e != nil {
			for _, p := range e.Tiles {
				_, _ = r.Block(p)
			}
		}
		file := &memFile{bytes.Clone(b)}
		if size, err := AddIndex(file, int64(len(b))); err == nil {
			again, err := NewReader(file, size)
			require.NoError(t, err)
			require.True(t, again.Indexed())
			index, err := again.Index()
			require.NoError(t, err)
			for _, e := range index.Entries[:min(len(index.Entries), 100)] {
				for _, p := range e.Tiles {
					_, err := again.Block(p)
					require.NoError(t, err)
				}
			}
		}
	})
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"indexInterval":10,"indexStartTime":5,"indexes":[[1,2,3],[4,5,6,7]]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := parseIndex(b, 1000)
		if err != nil {
			return
		}
		again, err := parseIndex(x.append(nil), 1000)
		require.NoError(t, err)
		require.Equal(t, string(x.append(nil)), string(again.append(nil)))
	})
}

func BenchmarkWriter(b *testing.B) {
	w, err := NewWriter(io.Discard, Metadata{Protocol: 2}, began, WriterConfig{})
	require.NoError(b, err)
	message := make([]byte, 64<<10)
	for i := range message {
		message[i] = byte(rand.Uint32())
	}
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		if err := w.Write(began, Device, msgconn.Binary, message); err != nil {
			b.Fatal(err)
		}
	}
}
