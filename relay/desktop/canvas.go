package desktop

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
)

// defaultMaxPixels is four displays of 4K side by side: 128 MiB of memory.
const defaultMaxPixels = 1 << 25

// Canvas is the picture that tiles are painted on.
type Canvas struct {
	img       *image.RGBA
	maxPixels int
}

// NewCanvas returns a canvas without a picture, that will not be larger than a number of pixels; 0 is 33,554,432.
func NewCanvas(maxPixels int) *Canvas {
	if maxPixels <= 0 {
		maxPixels = defaultMaxPixels
	}
	return &Canvas{img: new(image.RGBA), maxPixels: maxPixels}
}

// Image is the picture. It changes with the canvas.
func (c *Canvas) Image() *image.RGBA { return c.img }

// Resize makes the picture black, and of another size.
func (c *Canvas) Resize(width, height int) error {
	if width < 0 || height < 0 || int64(width)*int64(height) > int64(c.maxPixels) {
		return fmt.Errorf("%w: screen of %d by %d pixels", ErrTooLarge, width, height)
	}
	c.img = image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(c.img, c.img.Rect, image.NewUniform(color.Black), image.Point{}, draw.Src)
	return nil
}

// DrawTile paints a tile and returns what changed. What reaches beyond the screen is cut off. An image that is much larger
// than the screen is refused before it is decoded.
func (c *Canvas) DrawTile(t Tile) (image.Rectangle, error) {
	at := image.Pt(int(t.X), int(t.Y))
	if !at.In(c.img.Rect) {
		return image.Rectangle{}, nil
	}
	codec := jpeg.Decode
	config := jpeg.DecodeConfig
	if bytes.HasPrefix(t.Image, []byte("\x89PNG")) {
		codec, config = png.Decode, png.DecodeConfig
	}
	size, err := config(bytes.NewReader(t.Image))
	if err != nil {
		return image.Rectangle{}, fmt.Errorf("%w: %w", ErrImage, err)
	}
	const grid = 64 // agents round up to 32
	if at.X+size.Width > c.img.Rect.Dx()+grid || at.Y+size.Height > c.img.Rect.Dy()+grid {
		return image.Rectangle{}, fmt.Errorf("%w: tile of %d by %d pixels at %v", ErrTooLarge, size.Width, size.Height, at)
	}
	img, err := codec(bytes.NewReader(t.Image))
	if err != nil {
		return image.Rectangle{}, fmt.Errorf("%w: %w", ErrImage, err)
	}
	area := image.Rectangle{Min: at, Max: at.Add(img.Bounds().Size())}.Intersect(c.img.Rect)
	draw.Draw(c.img, area, img, img.Bounds().Min, draw.Src)
	return area, nil
}

// CopyArea moves a part of the picture and returns what changed.
func (c *Canvas) CopyArea(m Copy) image.Rectangle {
	from := image.Pt(int(m.SrcX), int(m.SrcY))
	to := image.Pt(int(m.DstX), int(m.DstY))
	size := image.Pt(int(m.Width), int(m.Height))
	// The part of the source that there is, and of its destination.
	src := image.Rectangle{Min: from, Max: from.Add(size)}.Intersect(c.img.Rect)
	dst := src.Add(to.Sub(from)).Intersect(c.img.Rect)
	draw.Draw(c.img, dst, c.img, dst.Min.Sub(to).Add(from), draw.Src) // overlaps are seen to
	return dst
}
