package x11

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/jezek/xgb/xproto"
)

// ErrFormat is a display whose pixels are not red, green and blue of 8 bits each in 32.
var ErrFormat = errors.New("x11: the format of the display is not supported")

// bytesPerPixel is that of the pictures of X and of ours.
const bytesPerPixel = 4

// pixelFormat says at which bytes of a pixel its colours are.
type pixelFormat struct{ red, green, blue int }

// formatOf finds out the format of the pictures of a screen.
func formatOf(setup *xproto.SetupInfo, screen *xproto.ScreenInfo) (pixelFormat, error) {
	var p pixelFormat
	if screen.RootDepth != 24 && screen.RootDepth != 32 {
		return p, fmt.Errorf("%w: its depth is %d, not 24 or 32", ErrFormat, screen.RootDepth)
	}
	for _, f := range setup.PixmapFormats {
		if f.Depth == screen.RootDepth && (f.BitsPerPixel != 8*bytesPerPixel || f.ScanlinePad != 8*bytesPerPixel) {
			return p, fmt.Errorf("%w: %d bits per pixel, lines of a multiple of %d", ErrFormat, f.BitsPerPixel, f.ScanlinePad)
		}
	}
	for _, d := range screen.AllowedDepths {
		for _, v := range d.Visuals {
			if v.VisualId != screen.RootVisual {
				continue
			}
			if v.Class != xproto.VisualClassTrueColor {
				return p, fmt.Errorf("%w: its pixels are not colours (visual class %d)", ErrFormat, v.Class)
			}
			for _, c := range [...]struct {
				mask uint32
				at   *int
			}{{v.RedMask, &p.red}, {v.GreenMask, &p.green}, {v.BlueMask, &p.blue}} {
				shift := bits.TrailingZeros32(c.mask)
				if c.mask>>(shift%32) != 0xFF || shift%8 != 0 {
					return p, fmt.Errorf("%w: a colour is in the bits %#x", ErrFormat, c.mask)
				}
				*c.at = shift / 8
				if setup.ImageByteOrder == xproto.ImageOrderMSBFirst {
					*c.at = bytesPerPixel - 1 - shift/8
				}
			}
			return p, nil
		}
	}
	return p, fmt.Errorf("%w: it has no visual", ErrFormat)
}

// convert makes opaque pixels in red, green, blue and alpha, as many as both slices have whole.
func (p pixelFormat) convert(to, from []byte) {
	for len(to) >= bytesPerPixel && len(from) >= bytesPerPixel {
		to[0], to[1], to[2], to[3] = from[p.red], from[p.green], from[p.blue], 0xFF
		to, from = to[bytesPerPixel:], from[bytesPerPixel:]
	}
}
