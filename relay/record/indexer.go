package record

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/jpeg"
	"image/png"
	"slices"
	"time"
)

// The grid of an index, that of mcrec.js, and the largest screen it is made for.
const (
	cellSize = 16
	maxCells = 1 << 20 // 16384 by 16384 pixels; 8 MiB of memory

	maxEntries = 1 << 16 // seven days
)

// indexer makes an index from the blocks of a recording, which it is given in order.
type indexer struct {
	base    int64 // where the messages begin
	began   bool
	entries Index
	numbers int

	width, height int
	columns, rows int
	cells         []int64 // for each cell the block that covers it, 1 more than relative to base; 0 is none
	scratch       []int64
	current       []int64 // the tiles of the last entry; nil once they changed
}

// empty says whether there was no traffic, which an index cannot be made of.
func (x *indexer) empty() bool { return !x.began }

// index is what was gathered.
func (x *indexer) index() *Index {
	x.entries.Interval = indexInterval
	return &x.entries
}

// begin says where and when the messages begin: with the first one, unless the file has another block before it.
func (x *indexer) begin(base int64, clock uint64) {
	x.began, x.base, x.entries.Start = true, base, clock
}

// block takes the next traffic block, which is at an offset of the file.
func (x *indexer) block(h Header, offset int64, payload []byte) error {
	if !x.began {
		x.begin(offset, h.Clock)
	}
	if err := x.until(h.Clock, offset); err != nil {
		return err
	}
	if h.Flags&(FlagBinary|FlagUser) != FlagBinary {
		return nil
	}
	return x.command(payload, offset-x.base)
}

// until makes the entries that are due before a block at a time.
func (x *indexer) until(clock uint64, offset int64) error {
	elapsed := since(x.entries.Start, clock)
	for time.Duration(len(x.entries.Entries)+1)*indexInterval < elapsed {
		tiles := x.tiles()
		if x.numbers += 3 + len(tiles); x.numbers > maxIndexNumbers/2 || len(x.entries.Entries) >= maxEntries {
			return ErrTooLarge
		}
		x.entries.Entries = append(x.entries.Entries, IndexEntry{
			Next: offset - x.base, Width: x.width, Height: x.height, Tiles: tiles,
		})
	}
	return nil
}

// tiles are the blocks that cover the screen, each once, ascending.
func (x *indexer) tiles() []int64 {
	if x.current != nil {
		return x.current
	}
	x.scratch = x.scratch[:0]
	last := int64(0)
	for _, p := range x.cells {
		if p != 0 && p != last {
			x.scratch = append(x.scratch, p-1)
			last = p
		}
	}
	slices.Sort(x.scratch)
	x.current = append(make([]int64, 0, 1), slices.Compact(x.scratch)...)
	return x.current
}

// The commands of the desktop protocol that change the picture, as far as an index knows them.
const (
	commandTile   = 3
	commandScreen = 7
	commandJumbo  = 27
)

// command takes a message of the device. What is not understood is passed over, as it is in the stock tools.
func (x *indexer) command(b []byte, at int64) error {
	if len(b) >= 12 && binary.BigEndian.Uint16(b) == commandJumbo && binary.BigEndian.Uint16(b[2:]) == 8 {
		if uint64(len(b)) != uint64(binary.BigEndian.Uint32(b[4:]))+8 {
			return nil
		}
		b = b[8:]
	}
	if len(b) < 8 {
		return nil
	}
	p, q := int(binary.BigEndian.Uint16(b[4:])), int(binary.BigEndian.Uint16(b[6:]))
	switch binary.BigEndian.Uint16(b) {
	case commandScreen:
		columns, rows := (p+cellSize-1)/cellSize, (q+cellSize-1)/cellSize
		if columns*rows > maxCells {
			return ErrTooLarge
		}
		x.width, x.height, x.columns, x.rows = p, q, columns, rows
		x.cells = append(x.cells[:0], make([]int64, columns*rows)...)
		x.current = nil
	case commandTile:
		size, ok := imageSize(b[8:])
		if !ok {
			return nil
		}
		cells := image.Rect(p/cellSize, q/cellSize, (p+size.X+cellSize-1)/cellSize, (q+size.Y+cellSize-1)/cellSize)
		cells = cells.Intersect(image.Rect(0, 0, x.columns, x.rows))
		x.current = nil
		for row := cells.Min.Y; row < cells.Max.Y; row++ {
			line := x.cells[row*x.columns:]
			for column := cells.Min.X; column < cells.Max.X; column++ {
				line[column] = at + 1
			}
		}
	}
	return nil
}

// imageSize reads the size of a JPEG or PNG image from its header.
func imageSize(b []byte) (image.Point, bool) {
	decode := jpeg.DecodeConfig
	if bytes.HasPrefix(b, []byte("\x89PNG")) {
		decode = png.DecodeConfig
	}
	c, err := decode(bytes.NewReader(b))
	return image.Pt(c.Width, c.Height), err == nil
}
