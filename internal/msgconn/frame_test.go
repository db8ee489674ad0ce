package msgconn

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// The examples of RFC 6455, section 5.7.
func TestFrameExamples(t *testing.T) {
	mask := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	require.Equal(t, []byte{0x81, 0x05, 'H', 'e', 'l', 'l', 'o'}, AppendFrame(nil, uint8(Text), nil, []byte("Hello")))
	require.Equal(t, []byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58},
		AppendFrame(nil, uint8(Text), &mask, []byte("Hello")))
	require.Equal(t, []byte{0x8a, 0x05, 'H', 'e', 'l', 'l', 'o'}, AppendFrame(nil, OpPong, nil, []byte("Hello")))
	require.Equal(t, []byte{0x82, 0x7e, 0x01, 0x00}, AppendFrame(nil, uint8(Binary), nil, make([]byte, 256))[:4])
	require.Equal(t, []byte{0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0}, AppendFrame(nil, uint8(Binary), nil, make([]byte, 65536))[:10])
	require.Equal(t, []byte{0x88, 0x04, 0x03, 0xe8, 'o', 'k'}, AppendCloseFrame(nil, CloseNormal, "ok"))
	require.Equal(t, []byte{0x88, 0x00}, AppendCloseFrame(nil, 0, "ignored"))
	require.Equal(t, &CloseError{Code: CloseNormal, Reason: "ok"}, ParseClosePayload([]byte("\x03\xe8ok")))
	require.Equal(t, &CloseError{Code: CloseNoStatus}, ParseClosePayload(nil))
}

func TestFrameHeader(t *testing.T) {
	for _, length := range []uint64{0, 1, 125, 126, 65535, 65536, 1<<63 - 1} {
		for _, masked := range []bool{false, true} {
			h := FrameHeader{Final: true, Opcode: uint8(Binary), Masked: masked, Length: length}
			if masked {
				h.Mask = [4]byte{1, 2, 3, 4}
			}
			b := AppendFrameHeader(nil, h)
			require.LessOrEqual(t, len(b), MaxFrameHeader)
			for i := range b {
				_, n, err := ParseFrameHeader(b[:i])
				require.NoError(t, err)
				require.Zero(t, n, "prefix of %d bytes", i)
			}
			got, n, err := ParseFrameHeader(append(b, "payload"...))
			require.NoError(t, err)
			require.Equal(t, len(b), n)
			require.Equal(t, h, got)
		}
	}
	for _, bad := range []string{"\xc1\x00", "\x83\x00", "\x8b\x00", "\x09\x00", "\x89\x7e", "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00"} {
		_, _, err := ParseFrameHeader([]byte(bad))
		require.ErrorIs(t, err, ErrFrame, "%x", bad)
	}
}

// Masking in pieces of every size is masking at once.
func TestMasker(t *testing.T) {
	key := [4]byte{0x11, 0x22, 0x33, 0x44}
	src := make([]byte, 1300)
	want := make([]byte, len(src))
	for i := range src {
		src[i] = byte(i * 7)
		want[i] = src[i] ^ key[i&3]
	}
	for size := 1; size <= len(src); size += 1 + size/9 {
		m := NewMasker([4]byte{9, 9, 9, 9})
		m.XOR(make([]byte, 70), src[:70])
		m.Reset(key)
		got := bytes.Clone(src)
		for at := 0; at < len(got); at += size {
			piece := got[at:min(at+size, len(got))]
			m.XOR(piece, piece)
		}
		require.Equal(t, want, got, "pieces of %d", size)
	}
}

func FuzzParseFrameHeader(f *testing.F) {
	f.Add([]byte("\x81\x85\x37\xfa\x21\x3d"))
	f.Add([]byte("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := ParseFrameHeader(b)
		if err != nil || n == 0 {
			return
		}
		again, m, err := ParseFrameHeader(AppendFrameHeader(nil, h))
		if err != nil || again != h || m > n { // a sender may use a longer form than it needs
			t.Fatalf("%x: %+v, again %+v, %d of %d bytes, %v", b, h, again, m, n, err)
		}
	})
}
