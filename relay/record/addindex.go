package record

import (
	"errors"
	"fmt"
	"io"
)

// ErrIndexed is a recording that has an index already.
var ErrIndexed = errors.New("record: recording already has an index")

// ReadWriterAt is a file that can be changed in place, such as an *os.File.
type ReadWriterAt interface {
	io.ReaderAt
	io.WriterAt
}

// AddIndex adds an index to a complete recording of a desktop, in place, and returns the new size. The blocks of the
// session stay as they are. A COPY command, which current agents do not send, is not covered, as it is not by mcrec.js.
func AddIndex(f ReadWriterAt, size int64) (int64, error) {
	r, err := NewReader(f, size)
	switch {
	case err != nil:
		return 0, err
	case r.Metadata().Protocol != protocolDesktop:
		return 0, fmt.Errorf("record: index of a recording of protocol %d: only desktops have one", r.Metadata().Protocol)
	case r.Indexed():
		return 0, ErrIndexed
	case !r.Complete():
		return 0, fmt.Errorf("record: index: %w", ErrTruncated)
	}
	var x indexer
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		if x.empty() {
			x.begin(r.first, r.start) // what a Reader goes by
		}
		if err := x.block(b.Header, b.Offset, b.Payload); err != nil {
			return 0, fmt.Errorf("record: index: %w", err)
		}
	}
	if x.empty() {
		return 0, fmt.Errorf("%w: no messages to make an index of", ErrFormat)
	}
	if err := x.until(r.end.Clock, r.limit); err != nil {
		return 0, fmt.Errorf("record: index: %w", err)
	}
	b := x.index().append(make([]byte, HeaderSize, 4096))
	Header{Type: BlockIndex, Size: uint32(len(b) - HeaderSize), Clock: r.end.Clock}.Append(b[:0])
	b = Header{Type: BlockEnd, Size: uint32(len(endIndexed)), Clock: uint64(r.limit)}.Append(b)
	b = append(b, endIndexed...)
	if _, err := f.WriteAt(b, r.limit); err != nil {
		return 0, fmt.Errorf("record: write index: %w", err)
	}
	return r.limit + int64(len(b)), nil
}
