package relay

import (
	"fmt"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// sink is where the messages of a stream go.
type sink interface {
	// begin starts a message of a known size. Its payload follows in pieces.
	begin(t msgconn.Type, size uint64) error
	// payload is a piece of the message. It is to be unmasked with m, unless that is nil, and may be changed.
	payload(p []byte, m *msgconn.Masker, last bool) error
	// ping is a control frame that wants an answer.
	ping(p []byte)
}

// stream reads the frames of a client. It has no I/O: bytes go in as they come, messages come out in pieces. A message
// in one frame is passed on while it comes, so that its size does not matter; one in several frames is collected first,
// because it must leave as one.
type stream struct {
	to  sink
	max int // of a message in several frames

	head    []byte // an unfinished header
	headBuf [msgconn.MaxFrameHeader]byte
	h       msgconn.FrameHeader
	mask    msgconn.Masker
	inFrame bool
	left    uint64

	control    []byte // payload of a control frame
	parts      []byte // of a message in several frames
	partsType  msgconn.Type
	fragmented bool
	ended      bool // a close frame came
	messages   int64
	bytes      int64
}

// feed takes the next bytes. Its errors are final. It changes b.
func (s *stream) feed(b []byte) error {
	for len(b) > 0 && !s.ended {
		if !s.inFrame {
			n, err := s.header(b)
			if err != nil {
				return err
			}
			b = b[n:]
			if !s.inFrame {
				return nil // the header goes on in the next bytes
			}
			if s.left > 0 {
				continue
			}
		}
		n := min(uint64(len(b)), s.left)
		s.left -= n
		if err := s.piece(b[:n], s.left == 0); err != nil {
			return err
		}
		b = b[n:]
		if s.left == 0 {
			s.inFrame = false
		}
	}
	return nil
}

// header takes as much of a header as there is, and returns how many bytes that was.
func (s *stream) header(b []byte) (int, error) {
	from, had := b, len(s.head)
	if had > 0 {
		s.head = append(s.head, b[:min(len(b), msgconn.MaxFrameHeader-had)]...)
		from = s.head
	}
	h, n, err := msgconn.ParseFrameHeader(from)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		if had == 0 {
			s.head = append(s.headBuf[:0], b...)
		}
		return len(b), nil
	}
	s.head = s.head[:0]
	s.h, s.inFrame, s.left = h, true, h.Length
	if !h.Masked {
		return 0, fmt.Errorf("%w: a client's frame is not masked", msgconn.ErrFrame)
	}
	s.mask.Reset(h.Mask)
	return n - had, s.start()
}

// start is the beginning of a frame.
func (s *stream) start() error {
	h := &s.h
	switch {
	case h.Control():
		s.control = s.control[:0]
		return nil
	case (h.Opcode == msgconn.OpContinuation) != s.fragmented:
		return fmt.Errorf("%w: opcode %d out of order", msgconn.ErrFrame, h.Opcode)
	case h.Final && !s.fragmented:
		return s.to.begin(msgconn.Type(h.Opcode), h.Length)
	}
	if !s.fragmented {
		s.fragmented, s.partsType = true, msgconn.Type(h.Opcode)
	}
	if h.Length > uint64(s.max-len(s.parts)) {
		return ErrTooLarge
	}
	return nil
}

// piece is a part of a frame's payload, the last one if last is set.
func (s *stream) piece(p []byte, last bool) error {
	switch {
	case s.h.Control():
		at := len(s.control)
		s.control = append(s.control, p...)
		s.mask.XOR(s.control[at:], s.control[at:])
		if last {
			s.controlFrame()
		}
		return nil
	case s.fragmented:
		at := len(s.parts)
		s.parts = append(s.parts, p...)
		s.mask.XOR(s.parts[at:], s.parts[at:])
		if !last || !s.h.Final {
			return nil
		}
		whole := s.parts
		s.parts, s.fragmented = nil, false
		s.count(len(whole), true)
		if err := s.to.begin(s.partsType, uint64(len(whole))); err != nil {
			return err
		}
		return s.to.payload(whole, nil, true)
	}
	s.count(len(p), last)
	return s.to.payload(p, &s.mask, last)
}

func (s *stream) count(bytes int, last bool) {
	s.bytes += int64(bytes)
	if last {
		s.messages++
	}
}

func (s *stream) controlFrame() {
	switch s.h.Opcode {
	case msgconn.OpPing:
		s.to.ping(s.control)
	case msgconn.OpClose:
		s.ended = true
	}
}
