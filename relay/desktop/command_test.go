package desktop

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// sample is one message and its bytes. Those marked so were seen in testdata/session.jsonl; the others follow from the
// sources named in the package's documentation.
type sample struct {
	hex string
	m   Message
}

var fromAgent = []sample{
	{"0007000804000300", Screen{1024, 768}},                                  // session.jsonl
	{"000c000500", Display{0}},                                               // session.jsonl
	{"0012000500", KeyState{}},                                               // session.jsonl
	{"000b000a000100000000", Displays{IDs: []uint16{0}}},                     // session.jsonl
	{"005800050e", CursorShape{CursorNone}},                                  // session.jsonl
	{"0003000a00400020ffd8", Tile{X: 64, Y: 32, Image: []byte{0xFF, 0xD8}}},  //
	{"00040010000100020003000400050006", Copy{1, 2, 3, 4, 5, 6}},             //
	{"000b000800000000", Displays{}},                                         // Windows, one display
	{"000b000e000300010002ffffffff", Displays{[]uint16{1, 2, 65535}, 65535}}, //
	{"000c00060101", Display{257}},                                           //
	{"000e00060002", TouchReady{2}},                                          //
	{"000f0004", TouchReset{}},                                               //
	{"001100066869", Notice{"hi"}},                                           //
	{"0012000505", KeyState{NumLock | CapsLock}},                             //
	{"004000066869", DebugText{"hi"}},                                        //
	{"004100072e6869", Alert{".hi"}},                                         //
	{"0052000e0001fff6ffec07800438", DisplayLayout{[]Area{{1, -10, -20, 1920, 1080}}}},
	{"00520004", DisplayLayout{}},
	{"0057000501", InputLockState{1}},
	{"00460006abcd", Unknown{70, []byte{0xAB, 0xCD}}},
}

var fromViewer = []sample{
	{"0005000a013204000064", Compression{ImageJPEG, 50, 1024, 100}}, // session.jsonl
	{"0008000500", Pause{}},                                           // session.jsonl
	{"00060004", Refresh{}},                                           // session.jsonl
	{"000100060041", Key{KeyDown, 'A'}},                               //
	{"000100060325", Key{KeyExtendedUp, 37}},                          //
	{"0002000a000200640032", Mouse{MouseLeftDown, 100, 50, false, 0}}, //
	{"0002000c000000640032ff88", Mouse{MouseMove, 100, 50, true, -120}},
	{"0002000c0000006400320000", Mouse{MouseMove, 100, 50, true, 0}},
	{"000500060128", Compression{Format: ImageJPEG, Quality: 40}},
	{"0005000801280080", Compression{Format: ImageJPEG, Quality: 40, Scaling: 128}},
	{"0008000501", Pause{true}},
	{"000a0004", CtrlAltDel{}},
	{"000b0004", ListDisplays{}},
	{"000c0006ffff", SelectDisplay{AllDisplays}},
	{"000d00060032", FrameInterval{50}},
	{"000e0004", InitTouch{}},
	{"000f000e01070001000600010002", Touches{1, []Touch{{7, TouchDown, 1, 2}}}},
	{"000f00170201000200060001000202000400000003" + "0004", Touches{2, []Touch{{1, TouchUpdate, 1, 2}, {2, TouchUp, 3, 4}}}},
	{"00520004", QueryLayout{}},
	{"005500070020ac", Unicode{false, 0x20AC}},
	{"005500070120ac", Unicode{true, 0x20AC}},
	{"0057000502", InputLock{InputQuery}},
	{"003b0004", Unknown{59, []byte{}}},
}

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func TestMessages(t *testing.T) {
	for _, set := range []struct {
		samples []sample
		parse   func([]byte) (Message, error)
	}{{fromAgent, ParseFromAgent}, {fromViewer, ParseFromViewer}} {
		for _, s := range set.samples {
			want := unhex(t, s.hex)
			got, err := s.m.Append([]byte("x"))
			require.NoError(t, err)
			require.Equal(t, "x"+string(want), string(got), "%#v", s.m)
			m, err := set.parse(want)
			require.NoError(t, err)
			require.Equal(t, s.m, m)
			c, _, err := Split(want)
			require.NoError(t, err)
			require.Equal(t, s.m.Command(), c)
			for i := range want {
				// A text may be cut, as agents do; an unknown payload cannot be judged, but its size can.
				if _, err := set.parse(want[:i]); i < headerSize || !isText(c) {
					require.Error(t, err, "%#v cut to %d bytes", s.m, i)
				}
			}
			_, err = set.parse(append(want, 0))
			require.Error(t, err, "%#v and one byte more", s.m)
			_, twoForms := s.m.(Display)
			if !isText(c) && !twoForms && c != CommandTile && c < 59 || c == CommandUnicode {
				longer := append(bytes.Clone(want), 0)
				longer[3]++
				_, err = set.parse(longer)
				require.Error(t, err, "%#v with a payload of one byte more", s.m)
			}
		}
	}
}

func TestCutText(t *testing.T) {
	m, err := ParseFromAgent(unhex(t, "004100086869"))
	require.NoError(t, err)
	require.Equal(t, Alert{"hi"}, m)
}

func TestJumbo(t *testing.T) {
	tile := Tile{X: 1, Y: 2, Image: bytes.Repeat([]byte{7}, maxPlainImage)}
	b, err := tile.Append(nil)
	require.NoError(t, err)
	require.Equal(t, "0003", hex.EncodeToString(b[:2]))
	tile.Image = append(tile.Image, 8)
	b, err = tile.Append(nil)
	require.NoError(t, err)
	require.Equal(t, "001b00080000ffe5000300000001000207", hex.EncodeToString(b[:17]))
	m, err := ParseFromAgent(b)
	require.NoError(t, err)
	require.Equal(t, tile, m)
	for _, bad := range []string{"001b0008", "001b000800000003" + "000300", "001b000c0000000800030000", "001b0008ffffffff00030000"} {
		_, err := ParseFromAgent(unhex(t, bad))
		require.Error(t, err, bad)
	}
	_, err = Tile{Image: make([]byte, maxCommand)}.Append(nil)
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = Notice{string(make([]byte, maxPlain))}.Append(nil)
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = Displays{IDs: make([]uint16, 40000)}.Append(nil)
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = DisplayLayout{make([]Area, 7000)}.Append(nil)
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = Touches{1, make([]Touch, 2)}.Append(nil)
	require.ErrorIs(t, err, ErrSize)
}

// recorded are the messages of a real session.
type recorded struct {
	Dir  string
	Text string
	Hex  string
}

func (r recorded) message(t testing.TB) (msgconn.Type, []byte) {
	if r.Hex == "" {
		return msgconn.Text, []byte(r.Text)
	}
	return msgconn.Binary, unhex(t, r.Hex)
}

func session(t testing.TB) (all []recorded) {
	f, err := os.Open(filepath.Join("testdata", "session.jsonl"))
	require.NoError(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r recorded
		require.NoError(t, json.Unmarshal(lines.Bytes(), &r))
		all = append(all, r)
	}
	require.NoError(t, lines.Err())
	require.Len(t, all, 16)
	return all
}

// TestSession decodes the recorded session and writes the same bytes again.
func TestSession(t *testing.T) {
	tiles := 0
	for _, r := range session(t) {
		typ, b := r.message(t)
		if typ == msgconn.Text {
			continue
		}
		parse := ParseFromAgent
		if r.Dir == "viewer" {
			parse = ParseFromViewer
		}
		m, err := parse(b)
		require.NoError(t, err)
		_, unknown := m.(Unknown)
		require.False(t, unknown, "%#v", m)
		again, err := m.Append(nil)
		require.NoError(t, err)
		require.Equal(t, b, again)
		if _, ok := m.(Tile); ok {
			tiles++
		}
	}
	require.Equal(t, 3, tiles)
}

// TestEverySplit: in fragments of any size the commands are the same.
func TestEverySplit(t *testing.T) {
	var stream []byte
	var want []string
	for _, s := range append(fromAgent, fromViewer...) {
		stream = append(stream, unhex(t, s.hex)...)
		want = append(want, s.hex)
	}
	jumbo, err := Tile{Image: make([]byte, maxPlainImage+1)}.Append(nil)
	require.NoError(t, err)
	stream, want = append(stream, jumbo...), append(want, hex.EncodeToString(jumbo))
	feed := func(split *Splitter, pieces ...[]byte) (got []string) {
		for _, p := range pieces {
			require.NoError(t, split.Feed(p, func(c []byte) error { got = append(got, hex.EncodeToString(c)); return nil }))
		}
		return got
	}
	require.Equal(t, want, feed(&Splitter{}, stream), "one message")
	for i := range 600 {
		require.Equal(t, want, feed(&Splitter{Fragments: true}, stream[:i], stream[i:]), "split at %d", i)
	}
	var ones [][]byte
	for i := range stream {
		ones = append(ones, stream[i:i+1])
	}
	require.Equal(t, want, feed(&Splitter{Fragments: true}, ones...))
}

func TestSplitterRefuses(t *testing.T) {
	none := func([]byte) error { return nil }
	require.ErrorIs(t, new(Splitter).Feed(unhex(t, "00030003"), none), ErrSize)
	require.ErrorIs(t, new(Splitter).Feed(unhex(t, "0003000800"), none), ErrShort)
	require.ErrorIs(t, new(Splitter).Feed(unhex(t, "0006000400"), none), ErrShort)
	require.ErrorIs(t, new(Splitter).Feed(unhex(t, "001b0008010000000003"), none), ErrTooLarge)
	require.NoError(t, new(Splitter).Feed([]byte{0}, none), "passed over")
	enough := errors.New("enough")
	require.ErrorIs(t, new(Splitter).Feed(unhex(t, "00060004"), func([]byte) error { return enough }), enough)
}

func TestAllocs(t *testing.T) {
	buf := make([]byte, 0, 4096)
	image := make([]byte, 1000)
	tile, _ := Tile{Image: image}.Append(nil)
	mouse, _ := Mouse{X: 1, HasWheel: true}.Append(nil)
	key, _ := Key{Code: 65}.Append(nil)
	split := new(Splitter)
	var err error
	check := func(name string, f func()) {
		require.Zero(t, testing.AllocsPerRun(100, f), name)
		require.NoError(t, err)
	}
	check("append", func() {
		buf, err = Tile{X: 1, Image: image}.Append(buf[:0])
		buf, err = Mouse{X: 1}.Append(buf[:0])
		buf, err = Key{Code: 65}.Append(buf[:0])
		buf, err = Unicode{Unit: 65}.Append(buf[:0])
		buf, err = Screen{1, 2}.Append(buf[:0])
	})
	count := func(c []byte) error {
		n, p, err := Split(c)
		if err != nil {
			return err
		}
		switch n {
		case CommandTile:
			_, err = ParseTile(p)
		case CommandMouse:
			_, err = ParseMouse(p)
		case CommandKey:
			_, err = ParseKey(p)
		default:
			return ErrSize
		}
		return err
	}
	check("parse", func() {
		for _, b := range [...][]byte{tile, mouse, key} {
			err = errors.Join(err, split.Feed(b, count))
		}
	})
}

func FuzzFromAgent(f *testing.F)  { fuzzMessages(f, fromAgent, ParseFromAgent) }
func FuzzFromViewer(f *testing.F) { fuzzMessages(f, fromViewer, ParseFromViewer) }

// fuzzMessages: whatever is understood is written as what means the same.
func fuzzMessages(f *testing.F, seeds []sample, parse func([]byte) (Message, error)) {
	for _, s := range seeds {
		f.Add(unhex(f, s.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parse(b)
		if err != nil {
			return
		}
		again, err := m.Append(nil)
		if errors.Is(err, ErrTooLarge) {
			return // out of a jumbo command, which is for tiles
		}
		require.NoError(t, err)
		same, err := parse(again)
		require.NoError(t, err)
		require.Equal(t, m, same)
	})
}

func FuzzSplitter(f *testing.F) {
	f.Add(unhex(f, "0007000804000300000600040012000505"), uint8(3))
	f.Add(unhex(f, "001b00080000000a0003000000010002ffff"), uint8(9))
	f.Fuzz(func(t *testing.T, b []byte, cut uint8) {
		var whole, pieces []byte
		wholeErr := (&Splitter{Fragments: true}).Feed(b, func(c []byte) error { whole = append(whole, c...); return nil })
		at := min(int(cut), len(b))
		s := Splitter{Fragments: true}
		keep := func(c []byte) error { pieces = append(pieces, c...); return nil }
		err := s.Feed(b[:at], keep)
		if err == nil {
			err = s.Feed(b[at:], keep)
		}
		require.Equal(t, wholeErr == nil, err == nil)
		require.Equal(t, whole, pieces)
	})
}
