package apf

// outbox holds messages that wait to be sent, in one piece of memory.
type outbox struct {
	buf  []byte
	one  bool  // whether messages are sent one by one, for which their ends are kept
	ends []int // in all that was in buf since it was empty
	gone int   // how much of that was sent
	sent uint64
}

// end is called after a message was appended to buf.
func (o *outbox) end() {
	o.sent++
	if o.one {
		o.ends = append(o.ends, o.gone+len(o.buf))
	}
}

// add appends a message. It allocates; messages of which there are many are appended to buf.
func (o *outbox) add(m Message) {
	o.buf = m.Append(o.buf)
	o.end()
}

// moveTo appends the messages, or only the first if they are sent one by one, to b.
func (o *outbox) moveTo(b []byte) []byte {
	if !o.one {
		b = append(b, o.buf...)
		o.reset()
		return b
	}
	if len(o.ends) == 0 {
		return b
	}
	n := o.ends[0] - o.gone
	b = append(b, o.buf[:n]...)
	if len(o.ends) == 1 {
		o.reset()
		return b
	}
	// Nothing is moved: a peer can make many small messages wait.
	o.buf, o.ends = o.buf[n:], o.ends[1:]
	o.gone += n
	return b
}

// reset forgets what was sent, and its memory if that is more than answers to keep-alives need.
func (o *outbox) reset() {
	o.gone = 0
	if o.buf, o.ends = o.buf[:0], o.ends[:0]; cap(o.buf) > 256 {
		o.buf = nil
	}
	if cap(o.ends) > 16 {
		o.ends = nil
	}
}
