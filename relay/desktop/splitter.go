package desktop

import "fmt"

// Splitter finds the commands in binary messages. An agent sends one a message; viewers may send several. Over WebRTC a
// command may come in pieces.
type Splitter struct {
	// Fragments has commands go on in the next message, as over WebRTC. Without it a command that its message does not
	// hold is an error, except for texts, which some agents cut short.
	Fragments bool

	buf []byte
}

// Feed takes a message and calls f with each whole command, which is valid during the call. An error of f ends it. After an
// error of its own nothing that follows can be made sense of. A message of less than a header is passed over, as the stock
// viewer does.
func (s *Splitter) Feed(message []byte, f func(command []byte) error) error {
	b := message
	if len(s.buf) > 0 {
		// A command that announces much and sends little makes no buffer of that size: append grows with what comes.
		s.buf = append(s.buf, message...)
		b = s.buf
	} else if len(b) < headerSize && !s.Fragments {
		return nil
	}
	for len(b) > 0 {
		n, err := commandSize(b)
		if err != nil {
			return err
		}
		if n == 0 || n > len(b) {
			if s.Fragments {
				s.keep(b)
				return nil
			}
			if n == 0 || !isText(Command(b[0])<<8|Command(b[1])) {
				return fmt.Errorf("%w: %d of %d bytes", ErrShort, len(b), n)
			}
			n = len(b)
		}
		if err := f(b[:n:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	s.keep(nil)
	return nil
}

// keep keeps the beginning of a command.
func (s *Splitter) keep(b []byte) {
	if len(b) == 0 && cap(s.buf) > 1<<20 {
		s.buf = nil
		return
	}
	if len(b) == len(s.buf) {
		return // it is all that was kept: a large command in many pieces is not copied for each
	}
	s.buf = append(s.buf[:0], b...)
}
