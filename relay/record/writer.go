package record

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// Side is an end of a tunnel.
type Side uint8

// The ends of a tunnel.
const (
	Device Side = iota
	User        // the operator
)

// WriterConfig is how a recording is made. The zero value is one without limit and without an index.
type WriterConfig struct {
	// MaxSize is the most bytes the recording may have, its end included; 0 is no limit. Once a message does not fit,
	// Write returns [ErrFull], and so for all after it.
	MaxSize int64
	// Index has Close write the index of a desktop recording, so that players can jump. It costs memory for the
	// tiles of the screen and 10 to 100 bytes a second. Ignored for other protocols.
	Index bool
}

// Writer makes a recording. Its methods can be called from several goroutines.
type Writer struct {
	mu      sync.Mutex
	w       io.Writer
	cfg     WriterConfig
	buf     []byte
	size    int64
	indexer *indexer
	err     error // what ended the recording
	closed  bool
}

// NewWriter writes the beginning of a recording. Each block is one call of w.Write, so that a recording is whole up to the
// last message if the program ends without closing it.
func NewWriter(w io.Writer, m Metadata, start time.Time, cfg WriterConfig) (*Writer, error) {
	m.Magic, m.Version = magic, 1
	b, err := jsonrec.Append(make([]byte, HeaderSize, 1024), &m)
	if err != nil {
		return nil, fmt.Errorf("record: metadata: %w", err)
	}
	if len(b)-HeaderSize > maxMetadata {
		return nil, fmt.Errorf("record: metadata: %w", ErrTooLarge)
	}
	wr := &Writer{w: w, cfg: cfg, buf: b}
	if cfg.Index && m.Protocol == protocolDesktop {
		wr.indexer = new(indexer)
	}
	if err := wr.flush(Header{Type: BlockMetadata, Clock: clock(start)}); err != nil {
		return nil, err
	}
	return wr, nil
}

// Write records a message of a tunnel: when it went through, from which end, and what it was. The message is not kept.
// An empty one is left out, as the stock tools would read such a block for ever.
func (w *Writer) Write(t time.Time, from Side, typ msgconn.Type, message []byte) error {
	if len(message) == 0 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
		return w.err
	case w.closed:
		return ErrClosed
	case len(message) > maxPayload:
		return ErrTooLarge
	case w.cfg.MaxSize > 0 && w.size+int64(HeaderSize+len(message)+endSize) > w.cfg.MaxSize:
		w.err = ErrFull
		return w.err
	}
	h := Header{Type: BlockTraffic, Clock: clock(t)}
	if typ == msgconn.Binary {
		h.Flags |= FlagBinary
	}
	if from == User {
		h.Flags |= FlagUser
	}
	if w.indexer != nil {
		h.Size = uint32(len(message))
		if w.indexer.block(h, w.size, message) != nil {
			w.indexer = nil // a recording without an index is better than none
		}
	}
	w.buf = append(w.buf[:HeaderSize], message...)
	return w.flush(h)
}

// Size is how many bytes were written.
func (w *Writer) Size() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.size
}

// Close writes the end of the recording, and the index if there is to be one. It does not close what it writes to.
// Only the first call has an effect.
func (w *Writer) Close(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	if w.err != nil && w.err != ErrFull { //nolint:errorlint // set by Write, never wrapped
		return w.err
	}
	w.err = nil
	end, text := Header{Type: BlockEnd, Clock: clock(t)}, endPlain
	if index := w.index(end.Clock); index != nil {
		end.Clock, text = uint64(w.size), endIndexed
		w.buf = append(w.buf[:HeaderSize], index...)
		if err := w.flush(Header{Type: BlockIndex, Clock: clock(t)}); err != nil {
			return err
		}
	}
	w.buf = append(w.buf[:HeaderSize], text...)
	err := w.flush(end)
	w.buf = nil
	return err
}

// index is the payload of the index block, or nil if there is none or it does not fit.
func (w *Writer) index(end uint64) []byte {
	if w.indexer == nil || w.indexer.empty() || w.indexer.until(end, w.size) != nil {
		return nil
	}
	b := w.indexer.index().append(nil)
	if w.cfg.MaxSize > 0 && w.size+int64(HeaderSize+len(b)+endSize) > w.cfg.MaxSize {
		return nil
	}
	return b
}

// flush writes the block in buf.
func (w *Writer) flush(h Header) error {
	n := len(w.buf) - HeaderSize
	if n > maxPayload {
		return ErrTooLarge
	}
	h.Size = uint32(n)
	h.Append(w.buf[:0])
	written, err := w.w.Write(w.buf)
	w.size += int64(written)
	if err == nil && written < len(w.buf) {
		err = io.ErrShortWrite
	}
	if err != nil {
		w.err = fmt.Errorf("record: write: %w", err)
		return w.err
	}
	if cap(w.buf) > 1<<20 { // one large message shall not be paid for until the end
		w.buf = make([]byte, HeaderSize, 1<<16)
	}
	return nil
}
