package relay

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// heard is a sink that notes what it hears.
type heard struct {
	log     []string
	typ     msgconn.Type
	size    uint64
	message []byte
}

func (h *heard) begin(t msgconn.Type, size uint64) error {
	h.typ, h.size, h.message = t, size, nil
	return nil
}

func (h *heard) payload(p []byte, m *msgconn.Masker, last bool) error {
	at := len(h.message)
	h.message = append(h.message, p...)
	if m != nil {
		m.XOR(h.message[at:], h.message[at:])
	}
	if last {
		if uint64(len(h.message)) != h.size {
			return fmt.Errorf("announced %d bytes, got %d", h.size, len(h.message))
		}
		h.log = append(h.log, fmt.Sprintf("%v %.40q %d", h.typ, h.message, h.size))
	}
	return nil
}

func (h *heard) ping(p []byte) { h.log = append(h.log, fmt.Sprintf("ping %q", p)) }

func newHeard() (*heard, *stream) {
	h := new(heard)
	return h, &stream{to: h, max: 1000}
}

var testMask = [4]byte{0xA1, 0xB2, 0xC3, 0xD4}

// fragment appends a masked frame that is a part of a message.
func fragment(b []byte, opcode uint8, final bool, p string) []byte {
	whole := msgconn.AppendFrame(nil, opcode, &testMask, []byte(p))
	if !final {
		whole[0] &^= 0x80
	}
	return append(b, whole...)
}

// However the bytes are cut, the messages are the same: one in one frame as it is, one in several as one.
func TestStreamSplits(t *testing.T) {
	var b []byte
	b = msgconn.AppendFrame(b, uint8(Text), &testMask, []byte("hello"))
	b = msgconn.AppendFrame(b, uint8(Binary), &testMask, nil)
	b = fragment(b, uint8(Binary), false, "one")
	b = msgconn.AppendFrame(b, msgconn.OpPing, &testMask, []byte("here?"))
	b = fragment(b, msgconn.OpContinuation, false, "")
	b = fragment(b, msgconn.OpContinuation, true, " and two")
	b = msgconn.AppendFrame(b, uint8(Binary), &testMask, []byte(strings.Repeat("z", 300)))
	b = msgconn.AppendFrame(b, msgconn.OpPong, &testMask, []byte("yes"))
	b = msgconn.AppendFrame(b, msgconn.OpClose, &testMask, []byte("\x03\xe8bye"))
	want := []string{
		`text "hello" 5`, `binary "" 0`, `ping "here?"`, `binary "one and two" 11`,
		fmt.Sprintf("binary %q 300", strings.Repeat("z", 40)),
	}
	for i := range len(b) + 1 {
		h, s := newHeard()
		require.NoError(t, s.feed(bytes.Clone(b[:i])))
		require.Equal(t, i == len(b), s.ended)
		require.NoError(t, s.feed(bytes.Clone(b[i:])))
		require.Equal(t, want, h.log, "cut at %d", i)
		require.True(t, s.ended)
		require.Equal(t, int64(4), s.messages)
		require.Equal(t, int64(5+11+300), s.bytes)
	}
	h, s := newHeard()
	for _, c := range b {
		require.NoError(t, s.feed([]byte{c}))
	}
	require.Equal(t, want, h.log)
}

func TestStreamRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"not masked":           {msgconn.AppendFrame(nil, uint8(Text), nil, []byte("x")), msgconn.ErrFrame},
		"a part of nothing":    {fragment(nil, msgconn.OpContinuation, true, "x"), msgconn.ErrFrame},
		"a message in another": {fragment(fragment(nil, uint8(Text), false, "x"), uint8(Text), true, "y"), msgconn.ErrFrame},
		"too much":             {fragment(fragment(nil, uint8(Text), false, strings.Repeat("x", 600)), 0, true, strings.Repeat("x", 401)), ErrTooLarge},
		"reserved bits":        {[]byte{0xF1, 0x80}, msgconn.ErrFrame},
	} {
		_, s := newHeard()
		require.ErrorIs(t, s.feed(c.b), c.want, name)
	}
	_, s := newHeard()
	require.NoError(t, s.feed(msgconn.AppendFrame(nil, uint8(Text), &testMask, make([]byte, 5000))), "one frame may be of any size")
}

// FuzzStream feeds bytes whole and cut, which must come to the same.
func FuzzStream(f *testing.F) {
	f.Add(msgconn.AppendFrame(nil, uint8(Text), &testMask, []byte("hello")), 3)
	f.Add(fragment(fragment(nil, uint8(Binary), false, "one"), 0, true, "two"), 9)
	f.Add(msgconn.AppendFrame(nil, msgconn.OpClose, &testMask, nil), 1)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		h1, s1 := newHeard()
		err1 := s1.feed(bytes.Clone(b))
		h2, s2 := newHeard()
		if cut < 0 || cut > len(b) {
			cut = len(b) / 2
		}
		err2 := s2.feed(bytes.Clone(b[:cut]))
		if err2 == nil {
			err2 = s2.feed(bytes.Clone(b[cut:]))
		}
		if fmt.Sprint(h1.log, err1 == nil, s1.ended, s1.bytes) != fmt.Sprint(h2.log, err2 == nil, s2.ended, s2.bytes) {
			t.Fatalf("whole: %v, %v; cut at %d: %v, %v", h1.log, err1, cut, h2.log, err2)
		}
	})
}

func TestWholeMessages(t *testing.T) {
	var got []string
	w := WholeMessages(5, func(from Key, t Type, size uint64, b []byte) error {
		got = append(got, fmt.Sprintf("%d %v %d %s", from, t, size, b))
		return nil
	}, nil)
	for _, p := range []Piece{
		{From: 1, Type: Text, Size: 3, Data: []byte("abc")},
		{From: 1, Type: Binary, Size: 4, Data: []byte("ab")},
		{From: 2, Type: Binary, Size: 8, Data: []byte("1234567")},
		{From: 1, Type: Binary, Size: 4, Offset: 2, Data: []byte("cd")},
		{From: 2, Type: Binary, Size: 8, Offset: 7, Data: []byte("8")},
		{From: 2, Type: Binary},
		{From: 2, Type: Binary, Size: 9, Data: []byte("123456789")},
	} {
		require.NoError(t, w.Record(p))
	}
	require.Equal(t, []string{"1 text 3 abc", "1 binary 4 abcd", "2 binary 8 12345", "2 binary 0 ", "2 binary 9 12345"}, got)
	require.NoError(t, w.Close(nil))
}
