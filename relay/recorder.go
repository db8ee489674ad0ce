package relay

// Recorder gets what goes through a tunnel, before the other end does. Its methods are called one at a time.
type Recorder interface {
	// Record gets a message, or a piece of one. The piece is valid during the call.
	Record(p Piece) error
	// Close is called once, after the last piece, with the reason for which the tunnel ended.
	Close(reason error) error
}

// Piece is a part of a message. A message comes in pieces as it arrived; pieces of the two directions may alternate.
// [WholeMessages] puts them together.
type Piece struct {
	From   Key // which end sent it: see [Pair.End]
	Type   Type
	Size   uint64 // of the whole message
	Offset uint64 // of this piece
	Data   []byte
}

// Last says whether the message ends with this piece.
func (p *Piece) Last() bool { return p.Offset+uint64(len(p.Data)) == p.Size }

// WholeMessages returns a [Recorder] that puts messages together and calls f with each. Of a message longer than limit f
// gets the first limit bytes, and the true size. closed may be nil.
func WholeMessages(limit int, f func(from Key, t Type, size uint64, data []byte) error, closed func(reason error) error) Recorder {
	return &wholeMessages{limit: uint64(max(limit, 0)), f: f, closed: closed, parts: make(map[Key][]byte)}
}

type wholeMessages struct {
	limit  uint64
	f      func(Key, Type, uint64, []byte) error
	closed func(error) error
	parts  map[Key][]byte
}

// Record implements [Recorder].
func (w *wholeMessages) Record(p Piece) error {
	if p.Offset == 0 && p.Last() {
		return w.f(p.From, p.Type, p.Size, p.Data[:min(uint64(len(p.Data)), w.limit)])
	}
	have := w.parts[p.From]
	have = append(have, p.Data[:min(uint64(len(p.Data)), w.limit-uint64(len(have)))]...)
	if !p.Last() {
		w.parts[p.From] = have
		return nil
	}
	delete(w.parts, p.From)
	return w.f(p.From, p.Type, p.Size, have)
}

// Close implements [Recorder].
func (w *wholeMessages) Close(reason error) error {
	if w.closed == nil {
		return nil
	}
	return w.closed(reason)
}
