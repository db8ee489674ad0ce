package redir

import (
	"encoding/binary"
	"fmt"
)

// MaxMessage is the size of the largest message there can be, an IDERDataToHost of 65535 bytes.
const MaxMessage = toHostLen + 0xFFFF

// Message is one whole message of the protocol.
type Message []byte

// Command is what kind of message it is.
func (m Message) Command() Command {
	if len(m) == 0 {
		return 0
	}
	return Command(m[0])
}

// Sequence is the number of a message of SOL or IDE-R, which all have one.
func (m Message) Sequence() uint32 {
	if len(m) < signalLen {
		return 0
	}
	return binary.LittleEndian.Uint32(m[4:])
}

// check says whether m is a message of a kind, with at least n bytes.
func (m Message) check(c Command, n int) error {
	if m.Command() != c {
		return protocolError("command %02X in place of %02X", uint8(m.Command()), uint8(c))
	}
	if len(m) < n {
		return protocolError("command %02X with %d bytes, %d is the least", uint8(c), len(m), n)
	}
	return nil
}

// Parser cuts the stream of one side into messages. It keeps no more than the message that is incomplete, and refuses one
// that is too large when it sees the length.
type Parser struct {
	from    Side
	session SessionType // 0 before the authentication
	buf     []byte
	whole   bool // buf was returned
	err     error
}

// NewParser returns a parser for what a side sends.
func NewParser(from Side) *Parser { return &Parser{from: from} }

// SetSession says that the authentication is done and what is spoken from here on: SOL, IDER, or KVM for the one message that
// comes before RFB.
func (p *Parser) SetSession(t SessionType) { p.session = t }

// Next takes bytes from src, n of them, and returns a message as soon as there is a whole one. The message may be a part of
// src or of the parser's buffer: it is good until the next call. Without a message, all of src was taken. An error is final.
func (p *Parser) Next(src []byte) (m Message, n int, err error) {
	if p.err != nil {
		return nil, 0, p.err
	}
	if p.whole {
		p.buf, p.whole = p.buf[:0], false
	}
	if len(p.buf) == 0 {
		size, err := size(p.from, p.session, src)
		if err != nil {
			p.err = err
			return nil, 0, err
		}
		if size > 0 && size <= len(src) {
			return Message(src[:size:size]), size, nil
		}
		p.buf = append(p.buf, src...) // all of it belongs to this message
		return nil, len(src), nil
	}
	for n < len(src) {
		size, err := p.size()
		if err != nil {
			return nil, n, err
		}
		take := 1 // until the length is known
		if size > 0 {
			take = min(size-len(p.buf), len(src)-n)
		}
		p.buf = append(p.buf, src[n:n+take]...)
		n += take
		if size == 0 {
			if size, err = p.size(); err != nil {
				return nil, n, err
			}
		}
		if size > 0 && len(p.buf) >= size {
			p.whole = true
			return Message(p.buf), n, nil
		}
	}
	return nil, n, nil
}

// size is that of the message in the buffer.
func (p *Parser) size() (n int, err error) {
	n, err = size(p.from, p.session, p.buf)
	p.err = err
	return n, err
}

// size returns the length of the message at the start of b, or 0 as long as b does not tell it.
func size(from Side, session SessionType, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	var n int
	switch session {
	case 0:
		n = loginSize(from, b)
	case SOL:
		n = solSize(from, b)
	case IDER:
		n = iderSize(from, b)
	case KVM:
		n = kvmSize(from, b)
	default:
		n = unknownCommand
	}
	switch {
	case n == unknownCommand:
		kind := "login"
		if session != 0 {
			kind = session.String() + " session"
		}
		return 0, protocolError("command %02X from the %v in %s", b[0], from, kind)
	case n > MaxMessage:
		return 0, fmt.Errorf("%w: command %02X", ErrTooLarge, b[0])
	}
	return n, nil
}

// unknownCommand is no size.
const unknownCommand = -1

func loginSize(from Side, b []byte) int {
	switch c := Command(b[0]); {
	case c == CommandStart && from == Operator:
		return startLen
	case c == CommandEnd && from == Operator:
		return endLen
	case c == CommandAuth && from == Operator, c == CommandAuthReply && from == AMT:
		return authSize(b)
	case c == CommandStarted && from == AMT:
		switch {
		case len(b) < 2:
			return 0
		case StartStatus(b[1]) != StartOK:
			return refusedLen
		}
		return withLength8(b, 12, startReplyLen)
	default:
		return unknownCommand
	}
}

func authSize(b []byte) int {
	if len(b) < authLen {
		return 0
	}
	n := binary.LittleEndian.Uint32(b[5:])
	if n > maxAuthData {
		return MaxMessage + 1
	}
	return authLen + int(n)
}

// withLength8 is the size of a message of n bytes, and as many more as the byte at i says.
func withLength8(b []byte, i, n int) int {
	if len(b) <= i {
		return 0
	}
	return n + int(b[i])
}

// withLength16 is the same with two bytes.
func withLength16(b []byte, i, n int) int {
	if len(b) < i+2 {
		return 0
	}
	return n + int(binary.LittleEndian.Uint16(b[i:]))
}

// appendRest appends to b what the parser holds of an incomplete message, and forgets it.
func (p *Parser) appendRest(b []byte) []byte {
	if !p.whole {
		b = append(b, p.buf...)
	}
	p.buf, p.whole = nil, false
	return b
}
