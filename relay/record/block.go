package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// BlockType says what a block holds.
type BlockType uint16

// The types of blocks.
const (
	BlockMetadata BlockType = 1 // the first block: JSON
	BlockTraffic  BlockType = 2 // one message of the tunnel
	BlockEnd      BlockType = 3 // the last block, of a fixed text
	BlockIndex    BlockType = 4 // the index, JSON, before the last block
)

// Flags are what is known of a message.
type Flags uint16

// The flags of a traffic block.
const (
	FlagBinary Flags = 1 // a binary message; without it, text
	FlagUser   Flags = 2 // from the operator; without it, from the device
)

// HeaderSize is the size of a block without its payload.
const HeaderSize = 16

// The payload of the last block, without and with an index.
const (
	endPlain   = "MeshCentralMCREC"
	endIndexed = "MeshCentralMCNDX"
	endSize    = HeaderSize + len(endPlain)
)

// maxPayload is the most a block can hold here: what a MeshCentral server takes in one message (ws, 100 MiB).
const maxPayload = 100 << 20

// Errors of this package, for errors.Is.
var (
	// ErrFormat is a file that is not a recording, or whose blocks do not fit together.
	ErrFormat = errors.New("record: not a valid recording")
	// ErrTooLarge is a message, a picture or an index over the limits of this package.
	ErrTooLarge = errors.New("record: too large")
	// ErrTruncated is a recording that ends within a block, as one does whose server crashed.
	ErrTruncated = fmt.Errorf("%w: it ends within a block", ErrFormat)
	// ErrFull is a recording that reached the size it may have.
	ErrFull = errors.New("record: recording is full")
	// ErrClosed is a recording that was closed.
	ErrClosed = errors.New("record: recording is closed")
)

// Header is the beginning of a block.
//
//	0               1               2               3
//	+---------------+---------------+---------------+---------------+
//	| type                          | flags                         |
//	| size of the payload                                           |
//	| milliseconds since 1970-01-01 UTC, 64 bits                    |
//	|                                                               |
//	+---------------+---------------+---------------+---------------+
//
// The last block of a recording with an index has the file offset of the index in the place of the time.
type Header struct {
	Type  BlockType
	Flags Flags
	Size  uint32
	// Clock is the time as it is in the file. Recordings that a browser made of its own session have the low 32 bits of
	// the milliseconds in the upper half, so only differences are to be trusted: see [Reader].
	Clock uint64
}

// Append appends the header to b.
func (h Header) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(h.Type))
	b = binary.BigEndian.AppendUint16(b, uint16(h.Flags))
	b = binary.BigEndian.AppendUint32(b, h.Size)
	return binary.BigEndian.AppendUint64(b, h.Clock)
}

// ParseHeader returns the header at the start of b.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderSize {
		return Header{}, ErrTruncated
	}
	return Header{
		Type:  BlockType(binary.BigEndian.Uint16(b)),
		Flags: Flags(binary.BigEndian.Uint16(b[2:])),
		Size:  binary.BigEndian.Uint32(b[4:]),
		Clock: binary.BigEndian.Uint64(b[8:]),
	}, nil
}

// clock is the time of a header that is written now.
func clock(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) }

// byBrowser says whether the clock is one of a browser's own recordings: the upper half then holds the low 32 bits of
// the time, and otherwise nothing until the year 10889 (the server's field has 48 bits).
func byBrowser(clock uint64) bool { return clock>>48 != 0 }

// since is the time from one clock to another.
func since(from, to uint64) time.Duration {
	if byBrowser(from) || byBrowser(to) {
		// 32 bits that may have passed zero once; the lower half is no time.
		return time.Duration(max(int32(uint32(to>>32)-uint32(from>>32)), 0)) * time.Millisecond
	}
	if to <= from {
		return 0 // a clock that was set back
	}
	return time.Duration(min(to-from, math.MaxInt64/uint64(time.Millisecond))) * time.Millisecond
}
