package desktop

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"slices"
)

// cellSide is the grid in which a [Multiplexor] knows which tiles are still to be seen; tiles should keep to it.
const cellSide = 16

// picture is the screen as the commands that make it up: its size and the tiles of which something is still to be seen,
// in the order in which they came. A viewer walks along this list at its own speed. What was painted over leaves the list,
// so that it never holds much more than one screen, and a viewer that is slow or late gets only what counts.
type picture struct {
	max   int // bytes of all tiles
	bytes int

	size          Screen
	first, last   *muxFrame // first is the size of the screen; nil before there is one
	columns, rows int
	cells         [][]*muxFrame // for each cell the tiles that it takes, the oldest first
}

// frameOverhead is counted for each tile beside its bytes, or many tiny ones would take more memory than was agreed to.
const frameOverhead = 256

// muxFrame is a command in the list.
type muxFrame struct {
	prev, next *muxFrame
	data       []byte
	cells      int // that show something of it
}

// resize empties the picture if the size is a new one, and says whether it was. Agents repeat the size.
func (p *picture) resize(s Screen, command []byte) (bool, error) {
	if p.first != nil && s == p.size {
		return false, nil
	}
	columns, rows := (int(s.Width)+cellSide-1)/cellSide, (int(s.Height)+cellSide-1)/cellSide
	if columns*rows > defaultMaxPixels/(cellSide*cellSide) {
		return false, fmt.Errorf("%w: screen of %d by %d pixels", ErrTooLarge, s.Width, s.Height)
	}
	f := &muxFrame{data: slices.Clone(command)}
	*p = picture{max: p.max, size: s, first: f, last: f, columns: columns, rows: rows, cells: make([][]*muxFrame, columns*rows)}
	return true, nil
}

// tile adds a tile. gone is called with each frame that leaves the list, while it is still in it.
func (p *picture) tile(t Tile, command []byte, gone func(*muxFrame)) error {
	if p.first == nil {
		return nil
	}
	config := jpeg.DecodeConfig
	if bytes.HasPrefix(t.Image, []byte("\x89PNG")) {
		config = png.DecodeConfig
	}
	c, err := config(bytes.NewReader(t.Image))
	if err != nil {
		return nil // not an image that is known here: no viewer is troubled with it
	}
	area := image.Rect(int(t.X), int(t.Y), int(t.X)+c.Width, int(t.Y)+c.Height)
	area = area.Intersect(image.Rect(0, 0, int(p.size.Width), int(p.size.Height)))
	if area.Empty() {
		return nil
	}
	if p.bytes += len(command) + frameOverhead; p.bytes > p.max {
		return fmt.Errorf("%w: tiles of the picture take more than %d bytes", ErrTooLarge, p.max)
	}
	f := &muxFrame{data: slices.Clone(command), prev: p.last}
	p.last.next, p.last = f, f
	for row := area.Min.Y / cellSide; row*cellSide < area.Max.Y; row++ {
		for column := area.Min.X / cellSide; column*cellSide < area.Max.X; column++ {
			p.cover(row, column, area, f, gone)
		}
	}
	return nil
}

// cover has a cell show a new tile: instead of what it showed, or, if the tile takes only a part of it, as well.
func (p *picture) cover(row, column int, area image.Rectangle, f *muxFrame, gone func(*muxFrame)) {
	i := row*p.columns + column
	cell := image.Rect(column*cellSide, row*cellSide, (column+1)*cellSide, (row+1)*cellSide)
	cell = cell.Intersect(image.Rect(0, 0, int(p.size.Width), int(p.size.Height)))
	if cell.In(area) {
		for _, old := range p.cells[i] {
			if old.cells--; old.cells == 0 {
				gone(old)
				p.remove(old)
			}
		}
		clear(p.cells[i])
		p.cells[i] = p.cells[i][:0]
	}
	p.cells[i] = append(p.cells[i], f)
	f.cells++
}

// remove takes a tile out of the list. It is never the first, which is the size.
func (p *picture) remove(f *muxFrame) {
	p.bytes -= len(f.data) + frameOverhead
	f.prev.next = f.next
	if f.next != nil {
		f.next.prev = f.prev
	} else {
		p.last = f.prev
	}
}
