package desktop

import (
	"bytes"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
)

const (
	// tileGrid is the side of the squares in which agents look for changes; the tools for recordings want multiples of 16.
	tileGrid = 32
	// The largest tile, in squares. Small enough that a tile rarely needs a jumbo command, and that a slow line is not
	// busy with one for long.
	maxTileColumns = 16
	maxTileRows    = 8

	defaultQuality = 60
)

// Encoder turns pictures of a screen into tiles, without any I/O. It is given pictures as they come and asked for tiles as
// they can be sent: what changes twice before its tile was sent is sent once, as it is then.
type Encoder struct {
	quality   int
	scaling   int
	maxPixels int

	size    image.Point // of the picture, scaled
	shadow  *image.RGBA // the last picture, its sides rounded up to the grid
	scratch *image.RGBA // for pictures of other kinds and sizes
	columns int
	rows    int
	dirty   []bool // squares that were not sent since they changed
	pending int
	cursor  int // where to look for the next, so that no part of the screen waits for ever
	jpeg    jpegBuffer
}

// NewEncoder returns an encoder for pictures of up to a number of pixels; 0 is 33,554,432.
func NewEncoder(maxPixels int) *Encoder {
	if maxPixels <= 0 {
		maxPixels = defaultMaxPixels
	}
	return &Encoder{quality: defaultQuality, scaling: FullScale, maxPixels: maxPixels, shadow: new(image.RGBA)}
}

// SetCompression takes what a viewer asks for, as agents do: a quality from 1 to 100, a scaling from 64 to 1024 (a picture is
// not enlarged), and nothing else. All formats are answered in JPEG.
func (e *Encoder) SetCompression(c Compression) {
	e.quality = defaultQuality
	if c.Quality >= 1 && c.Quality <= 100 {
		e.quality = int(c.Quality)
	}
	if c.Scaling >= 64 && c.Scaling <= 4096 {
		e.scaling = min(int(c.Scaling), FullScale)
	}
}

// Scaling is what the picture's sides are multiplied by, in parts of [FullScale].
func (e *Encoder) Scaling() int { return e.scaling }

// Screen is the size of the picture.
func (e *Encoder) Screen() Screen { return Screen{Width: uint16(e.size.X), Height: uint16(e.size.Y)} }

// Pending is how many squares of the picture were not sent since they changed.
func (e *Encoder) Pending() int { return e.pending }

// Refresh has the whole picture sent again.
func (e *Encoder) Refresh() {
	for i := range e.dirty {
		e.dirty[i] = true
	}
	e.pending = len(e.dirty)
}

// Update takes the picture as it is now. It returns whether the size is a new one, which a viewer has to be told before any
// tile. The picture is not kept.
func (e *Encoder) Update(img image.Image) (resized bool, err error) {
	full := img.Bounds().Size()
	if full.X < 1 || full.Y < 1 || full.X > 0xFFFF || full.Y > 0xFFFF || int64(full.X)*int64(full.Y) > int64(e.maxPixels) {
		return false, fmt.Errorf("%w: picture of %d by %d pixels", ErrTooLarge, full.X, full.Y)
	}
	size := image.Pt(max(full.X*e.scaling/FullScale, 1), max(full.Y*e.scaling/FullScale, 1))
	src := e.source(img, size)
	if size != e.size {
		e.resize(size)
		resized = true
	}
	for row := range e.rows {
		for column := range e.columns {
			i := row*e.columns + column
			if e.copySquare(src, column*tileGrid, row*tileGrid) && !e.dirty[i] {
				e.dirty[i] = true
				e.pending++
			}
		}
	}
	return resized, nil
}

// source returns the picture in the kind and the size that is compared.
func (e *Encoder) source(img image.Image, size image.Point) *image.RGBA {
	rgba, ok := img.(*image.RGBA)
	if !ok {
		rgba = image.NewRGBA(image.Rectangle{Max: img.Bounds().Size()})
		draw.Draw(rgba, rgba.Rect, img, img.Bounds().Min, draw.Src)
	}
	if rgba.Rect.Size() == size {
		return rgba
	}
	if e.scratch == nil || e.scratch.Rect.Size() != size {
		e.scratch = image.NewRGBA(image.Rectangle{Max: size})
	}
	shrink(e.scratch, rgba)
	return e.scratch
}

func (e *Encoder) resize(size image.Point) {
	e.size = size
	e.columns, e.rows = (size.X+tileGrid-1)/tileGrid, (size.Y+tileGrid-1)/tileGrid
	e.shadow = image.NewRGBA(image.Rect(0, 0, e.columns*tileGrid, e.rows*tileGrid))
	e.dirty = make([]bool, e.columns*e.rows)
	e.cursor = 0
	e.Refresh()
}

// copySquare brings a square of the shadow up to date and says whether it was not.
func (e *Encoder) copySquare(src *image.RGBA, x, y int) (changed bool) {
	w, h := min(tileGrid, e.size.X-x), min(tileGrid, e.size.Y-y)
	at := src.PixOffset(src.Rect.Min.X+x, src.Rect.Min.Y+y)
	to := e.shadow.PixOffset(x, y)
	for range h {
		from, into := src.Pix[at:at+4*w], e.shadow.Pix[to:to+4*w]
		if !bytes.Equal(from, into) {
			copy(into, from)
			changed = true
		}
		at += src.Stride
		to += e.shadow.Stride
	}
	if changed && (w < tileGrid || h < tileGrid) {
		e.pad(x, y, w, h)
	}
	return changed
}

// pad repeats the last column and row of a square at the edge, as any other content would only cost bytes.
func (e *Encoder) pad(x, y, w, h int) {
	for row := range h {
		line := e.shadow.Pix[e.shadow.PixOffset(x, y+row):][:4*tileGrid]
		for i := 4 * w; i < len(line); i += 4 {
			copy(line[i:i+4], line[4*w-4:4*w])
		}
	}
	last := e.shadow.Pix[e.shadow.PixOffset(x, y+h-1):][:4*tileGrid]
	for row := h; row < tileGrid; row++ {
		copy(e.shadow.Pix[e.shadow.PixOffset(x, y+row):][:4*tileGrid], last)
	}
}

// Append appends the next tile, or returns false if nothing has changed. Squares that changed beside each other go in one.
func (e *Encoder) Append(b []byte) ([]byte, bool, error) {
	area, ok := e.take()
	if !ok {
		return b, false, nil
	}
	e.jpeg.b = e.jpeg.b[:0]
	if err := jpeg.Encode(&e.jpeg, e.shadow.SubImage(area), &jpeg.Options{Quality: e.quality}); err != nil {
		return b, false, fmt.Errorf("desktop: encode tile: %w", err)
	}
	b, err := Tile{X: uint16(area.Min.X), Y: uint16(area.Min.Y), Image: e.jpeg.b}.Append(b)
	return b, err == nil, err
}

// take finds the next rectangle of changed squares and marks it as sent.
func (e *Encoder) take() (image.Rectangle, bool) {
	if e.pending == 0 {
		return image.Rectangle{}, false
	}
	for !e.dirty[e.cursor] {
		e.cursor = (e.cursor + 1) % len(e.dirty)
	}
	left, top := e.cursor%e.columns, e.cursor/e.columns
	right := left
	for right < e.columns && right-left < maxTileColumns && e.dirty[top*e.columns+right] {
		right++
	}
	bottom := top + 1
	for bottom < e.rows && bottom-top < maxTileRows && e.changed(bottom, left, right) {
		bottom++
	}
	for row := top; row < bottom; row++ {
		clear(e.dirty[row*e.columns+left : row*e.columns+right])
	}
	e.pending -= (right - left) * (bottom - top)
	return image.Rect(left*tileGrid, top*tileGrid, right*tileGrid, bottom*tileGrid), true
}

// changed says whether all squares of a part of a row have changed.
func (e *Encoder) changed(row, left, right int) bool {
	for _, d := range e.dirty[row*e.columns+left : row*e.columns+right] {
		if !d {
			return false
		}
	}
	return true
}

// shrink scales a picture down: each pixel is the mean of those that it stands for.
func shrink(dst, src *image.RGBA) {
	size, full := dst.Rect.Size(), src.Rect.Size()
	for y := range size.Y {
		y0, y1 := y*full.Y/size.Y, (y+1)*full.Y/size.Y
		for x := range size.X {
			x0, x1 := x*full.X/size.X, (x+1)*full.X/size.X
			var sum [3]uint32
			for sy := y0; sy < y1; sy++ {
				line := src.Pix[sy*src.Stride:]
				for i := 4 * x0; i < 4*x1; i += 4 {
					sum[0] += uint32(line[i])
					sum[1] += uint32(line[i+1])
					sum[2] += uint32(line[i+2])
				}
			}
			n := uint32((y1 - y0) * (x1 - x0))
			p := dst.Pix[dst.PixOffset(dst.Rect.Min.X+x, dst.Rect.Min.Y+y):]
			p[0], p[1], p[2], p[3] = uint8(sum[0]/n), uint8(sum[1]/n), uint8(sum[2]/n), 0xFF
		}
	}
}

// jpegBuffer is what image/jpeg writes to without a buffer of its own.
type jpegBuffer struct{ b []byte }

func (w *jpegBuffer) Write(p []byte) (int, error) { w.b = append(w.b, p...); return len(p), nil }
func (w *jpegBuffer) WriteByte(c byte) error      { w.b = append(w.b, c); return nil }
func (w *jpegBuffer) Flush() error                { return nil }
