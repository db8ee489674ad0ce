package record

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// Block is one message of a recording.
type Block struct {
	Header
	Offset  int64         // where the block is in the file
	At      time.Duration // since the first message
	Payload []byte        // valid until the next call of the reader
}

// From is the end of the tunnel that sent the message. A server knows it by the "browser" parameter of the URL; where that
// was missing, an operator's messages seem to be the device's.
func (b *Block) From() Side {
	if b.Flags&FlagUser != 0 {
		return User
	}
	return Device
}

// Message is the message as it went through the tunnel.
func (b *Block) Message() (msgconn.Type, []byte) {
	if b.Flags&FlagBinary != 0 {
		return msgconn.Binary, b.Payload
	}
	return msgconn.Text, b.Payload
}

// Reader plays a recording. It is not for use by several goroutines.
type Reader struct {
	r        io.ReaderAt
	metadata Metadata
	first    int64 // the block after the metadata: the first message
	limit    int64 // where the messages end: the index, the last block or the end of the file
	complete bool
	indexed  bool
	end      Header

	start uint64 // the clock of the first message
	next  int64
	buf   []byte
}

// NewReader opens a recording of a number of bytes. A recording without an end, whose server crashed, can be played too;
// Complete tells.
func NewReader(r io.ReaderAt, size int64) (*Reader, error) {
	rd := &Reader{r: r, limit: size}
	h, err := rd.header(0)
	if err != nil {
		return nil, fmt.Errorf("record: open: %w", err)
	}
	if h.Type != BlockMetadata || h.Size > maxMetadata {
		return nil, fmt.Errorf("record: open: %w: first block of type %d, %d bytes", ErrFormat, h.Type, h.Size)
	}
	b, err := rd.payload(0, h)
	if err != nil {
		return nil, fmt.Errorf("record: open: %w", err)
	}
	if rd.metadata, err = parseMetadata(b); err != nil {
		return nil, fmt.Errorf("record: open: %w", err)
	}
	rd.first = HeaderSize + int64(h.Size)
	rd.next, rd.start = rd.first, h.Clock
	if err := rd.trailer(size); err != nil {
		return nil, fmt.Errorf("record: open: %w", err)
	}
	if rd.first+HeaderSize <= rd.limit {
		h, err := rd.header(rd.first)
		if err != nil {
			return nil, fmt.Errorf("record: open: %w", err)
		}
		rd.start = h.Clock
	}
	return rd, nil
}

// trailer looks for the end of the recording in the last bytes of the file.
func (r *Reader) trailer(size int64) error {
	at := size - int64(endSize)
	if at < r.first {
		return nil
	}
	h, err := r.header(at)
	if err != nil {
		return err
	}
	if h.Type != BlockEnd || h.Size != uint32(len(endPlain)) {
		return nil
	}
	text, err := r.payload(at, h)
	if err != nil {
		return err
	}
	switch string(text) {
	case endPlain:
		r.complete, r.end, r.limit = true, h, at
	case endIndexed:
		if h.Clock < uint64(r.first) || h.Clock > uint64(at-HeaderSize) {
			return nil // not an end, or one that was tampered with: the blocks are still there
		}
		index, err := r.header(int64(h.Clock))
		if err != nil {
			return err
		}
		if index.Type != BlockIndex || int64(h.Clock)+HeaderSize+int64(index.Size) != at {
			return nil
		}
		r.complete, r.indexed, r.end, r.limit = true, true, index, int64(h.Clock)
	}
	return nil
}

// Metadata says whose session it is.
func (r *Reader) Metadata() Metadata { return r.metadata }

// Complete says whether the recording has its end.
func (r *Reader) Complete() bool { return r.complete }

// Indexed says whether there is an index.
func (r *Reader) Indexed() bool { return r.indexed }

// Index reads the index; nil if there is none.
func (r *Reader) Index() (*Index, error) {
	if !r.indexed {
		return nil, nil
	}
	if r.end.Size > maxIndex {
		return nil, fmt.Errorf("record: index: %w", ErrTooLarge)
	}
	b := make([]byte, r.end.Size)
	if _, err := r.r.ReadAt(b, r.limit+HeaderSize); err != nil {
		return nil, fmt.Errorf("record: index: %w", truncated(err))
	}
	return parseIndex(b, r.limit-r.first)
}

// Duration is the time from the first message to the end of the recording, or, without an end, to the last message, for
// which the whole recording is gone through.
func (r *Reader) Duration() (time.Duration, error) {
	if r.complete {
		return since(r.start, r.end.Clock), nil
	}
	var last time.Duration
	for at := r.first; at+HeaderSize <= r.limit; {
		h, err := r.header(at)
		if err != nil {
			return 0, err
		}
		if h.Type == BlockTraffic {
			last = max(last, since(r.start, h.Clock))
		}
		at += HeaderSize + int64(h.Size)
	}
	return last, nil
}

// Next returns the next message. At the end it returns io.EOF, and [ErrTruncated] if the last message was cut off.
func (r *Reader) Next() (Block, error) {
	for {
		if r.next >= r.limit {
			return Block{}, io.EOF
		}
		b, err := r.block(r.next)
		if err != nil {
			return Block{}, err
		}
		r.next += HeaderSize + int64(b.Size)
		if b.Type == BlockTraffic {
			return b, nil // others can only be the ends of recordings that were joined
		}
	}
}

// Block returns a message of an index entry. It does not change what Next returns.
func (r *Reader) Block(relative int64) (Block, error) {
	if relative < 0 || relative > r.limit-r.first {
		return Block{}, fmt.Errorf("%w: no block at %d", ErrFormat, relative)
	}
	b, err := r.block(r.first + relative)
	if err == nil && b.Type != BlockTraffic {
		err = fmt.Errorf("%w: no message at %d", ErrFormat, relative)
	}
	return b, err
}

// Seek makes Next go on with the first message at or after a time. Only headers are read, those from where the reader is,
// or from the beginning when going back.
func (r *Reader) Seek(at time.Duration) error {
	next, before := r.first, time.Duration(0)
	if r.next > r.first && r.next+HeaderSize <= r.limit {
		if h, err := r.header(r.next); err == nil && since(r.start, h.Clock) < at {
			next = r.next
		}
	}
	for next+HeaderSize <= r.limit {
		h, err := r.header(next)
		if err != nil {
			return err
		}
		// A clock that was set back does not play the same messages twice.
		if before = max(before, since(r.start, h.Clock)); before >= at && h.Type == BlockTraffic {
			break
		}
		next += HeaderSize + int64(h.Size)
	}
	r.next = next
	return nil
}

// SeekScreen is Seek for desktop recordings with an index. It returns the last entry before the time: draw its tiles
// ([Reader.Block]) on a screen of its size, then play on with Next until the time is reached. nil means that there is no
// entry before, or no usable index, and that Next goes on from the beginning.
func (r *Reader) SeekScreen(at time.Duration) (*IndexEntry, error) {
	r.next = r.first
	index, err := r.Index()
	if err != nil || index == nil {
		return nil, err
	}
	e := index.entry(at)
	if e != nil {
		r.next = r.first + e.Next
	}
	return e, nil
}

func (r *Reader) block(at int64) (Block, error) {
	h, err := r.header(at)
	if err != nil {
		return Block{}, err
	}
	p, err := r.payload(at, h)
	if err != nil {
		return Block{}, err
	}
	return Block{Header: h, Offset: at, At: since(r.start, h.Clock), Payload: p}, nil
}

// header reads the header of a block.
func (r *Reader) header(at int64) (Header, error) {
	if at < 0 || at > r.limit-HeaderSize {
		return Header{}, ErrTruncated
	}
	if cap(r.buf) < HeaderSize {
		r.buf = make([]byte, 4096)
	}
	b := r.buf[:HeaderSize]
	if n, err := r.r.ReadAt(b, at); n < len(b) {
		return Header{}, truncated(err)
	}
	return ParseHeader(b)
}

// payload reads the payload of a block. Nothing is allocated that the file does not have.
func (r *Reader) payload(at int64, h Header) ([]byte, error) {
	at += HeaderSize
	if int64(h.Size) > r.limit-at {
		return nil, ErrTruncated
	}
	if h.Size > maxPayload {
		return nil, ErrTooLarge
	}
	n := int(h.Size)
	if cap(r.buf) < n {
		r.buf = make([]byte, n+n/4)
	}
	b := r.buf[:n]
	if read, err := r.r.ReadAt(b, at); read < n {
		return nil, truncated(err)
	}
	return b, nil
}

// truncated is the error of a file that is shorter than it was said to be.
func truncated(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	return fmt.Errorf("record: read: %w", err)
}
