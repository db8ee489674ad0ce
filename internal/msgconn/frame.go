package msgconn

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
)

// Opcodes of RFC 6455, section 5.2, that are no [Type].
const (
	OpContinuation = 0
	OpClose        = 8
	OpPing         = 9
	OpPong         = 10
)

// MaxFrameHeader is the length of the longest frame header, MaxControlPayload that of the longest payload of a control
// frame.
const (
	MaxFrameHeader    = 14
	MaxControlPayload = 125
)

// ErrFrame is a frame header that breaks the rules of RFC 6455.
var ErrFrame = errors.New("msgconn: bad frame")

// FrameHeader is the header of a WebSocket frame, for those who pass frames on without collecting messages. Everybody
// else uses a [Conn].
//
//	0  FIN 1 bit, RSV 3 bits, opcode 4 bits
//	1  MASK 1 bit, length 7 bits: the length, or 126 and u16, or 127 and u64
//	   mask, 4 bytes if MASK is set: clients mask, servers do not
type FrameHeader struct {
	Final  bool
	Opcode uint8
	Masked bool
	Mask   [4]byte
	Length uint64
}

// Control says whether the frame is a ping, a pong or a close frame.
func (h *FrameHeader) Control() bool { return h.Opcode&8 != 0 }

// ParseFrameHeader reads the header at the start of b and returns its length, which is zero if b holds only a part of it.
func ParseFrameHeader(b []byte) (h FrameHeader, n int, err error) {
	if len(b) < 2 {
		return h, 0, nil
	}
	h.Final, h.Opcode, h.Masked = b[0]&0x80 != 0, b[0]&0xF, b[1]&0x80 != 0
	if b[0]&0x70 != 0 {
		return h, 0, fmt.Errorf("%w: reserved bits are set", ErrFrame)
	}
	if h.Opcode > OpPong || h.Opcode > 2 && h.Opcode < OpClose {
		return h, 0, fmt.Errorf("%w: opcode %d", ErrFrame, h.Opcode)
	}
	n, h.Length = 2, uint64(b[1]&0x7F)
	if h.Control() && (!h.Final || h.Length > MaxControlPayload) {
		return h, 0, fmt.Errorf("%w: a control frame that is long or fragmented", ErrFrame)
	}
	switch h.Length {
	case 126:
		if n = 4; len(b) < n {
			return h, 0, nil
		}
		h.Length = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if n = 10; len(b) < n {
			return h, 0, nil
		}
		if h.Length = binary.BigEndian.Uint64(b[2:]); h.Length>>63 != 0 {
			return h, 0, fmt.Errorf("%w: length %d", ErrFrame, h.Length)
		}
	}
	if h.Masked {
		if len(b) < n+4 {
			return h, 0, nil
		}
		n += copy(h.Mask[:], b[n:])
	}
	return h, n, nil
}

// AppendFrameHeader appends a header.
func AppendFrameHeader(b []byte, h FrameHeader) []byte {
	first, mask := h.Opcode, byte(0)
	if h.Final {
		first |= 0x80
	}
	if h.Masked {
		mask = 0x80
	}
	switch {
	case h.Length < 126:
		b = append(b, first, mask|byte(h.Length))
	case h.Length < 1<<16:
		b = append(b, first, mask|126, byte(h.Length>>8), byte(h.Length))
	default:
		b = append(b, first, mask|127)
		b = binary.BigEndian.AppendUint64(b, h.Length)
	}
	if h.Masked {
		b = append(b, h.Mask[:]...)
	}
	return b
}

// AppendFrame appends a whole frame, masked in the way of clients if mask is not nil.
func AppendFrame(b []byte, opcode uint8, mask *[4]byte, payload []byte) []byte {
	h := FrameHeader{Final: true, Opcode: opcode, Length: uint64(len(payload))}
	if mask != nil {
		h.Masked, h.Mask = true, *mask
	}
	b = AppendFrameHeader(b, h)
	at := len(b)
	b = append(b, payload...)
	if mask != nil {
		m := NewMasker(*mask)
		m.XOR(b[at:], b[at:])
	}
	return b
}

// AppendCloseFrame appends the close frame of a server; with code zero it has neither code nor reason.
func AppendCloseFrame(b []byte, code int, reason string) []byte {
	var payload []byte
	if code > 0 {
		payload = append(payload, byte(code>>8), byte(code))
		payload = append(payload, closeReason(reason)...)
	}
	return AppendFrame(b, OpClose, nil, payload)
}

// ParseClosePayload reads the payload of a close frame.
func ParseClosePayload(p []byte) *CloseError {
	if len(p) < 2 {
		return &CloseError{Code: CloseNoStatus}
	}
	return &CloseError{Code: int(binary.BigEndian.Uint16(p)), Reason: string(p[2:])}
}

// maskPattern is how much is masked at a time. It is a multiple of the mask's length.
const maskPattern = 512

// Masker masks and unmasks the payload of one frame, in pieces.
type Masker struct {
	pattern [maskPattern + 4]byte
	pos     int
	filled  bool
	key     [4]byte
}

// NewMasker starts a frame.
func NewMasker(key [4]byte) Masker { return Masker{key: key} }

// Reset starts another frame.
func (m *Masker) Reset(key [4]byte) { m.key, m.pos, m.filled = key, 0, false }

// XOR writes src, masked, to dst, which is as long and is src itself or does not overlap with it.
func (m *Masker) XOR(dst, src []byte) {
	if len(src) < 32 && !m.filled {
		for i, c := range src {
			dst[i] = c ^ m.key[(m.pos+i)&3]
		}
		m.pos = (m.pos + len(src)) & 3
		return
	}
	if !m.filled {
		m.filled = true
		n := copy(m.pattern[:], m.key[:])
		for n < len(m.pattern) {
			n += copy(m.pattern[n:], m.pattern[:n])
		}
	}
	for len(src) > 0 {
		n := subtle.XORBytes(dst, src[:min(len(src), maskPattern)], m.pattern[m.pos:])
		dst, src = dst[n:], src[n:]
		m.pos = (m.pos + n) & 3
	}
}
