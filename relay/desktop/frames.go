package desktop

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/relay/record"
)

// protocolDesktop is the protocol number of a desktop in the metadata of a recording.
const protocolDesktop = 2

// ErrNotDesktop is a recording of something else.
var ErrNotDesktop = errors.New("desktop: not the recording of a desktop")

// Frames plays a recording from the beginning and calls f with the picture whenever it has changed, but no more often than
// once in every. The time is a multiple of that, since the first message; f keeps nothing of the picture. maxPixels bounds
// the screen; 0 is 33,554,432.
func Frames(r *record.Reader, every time.Duration, maxPixels int, f func(at time.Duration, img *image.RGBA) error) error {
	if every <= 0 {
		return errors.New("desktop: frames: the time between frames must be above zero")
	}
	v, err := player(r, maxPixels)
	if err != nil {
		return err
	}
	if err := r.Seek(0); err != nil {
		return err
	}
	due, changed := time.Duration(0), false
	for {
		b, err := r.Next()
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return err
		}
		if changed && (end || b.At > due) {
			if err := f(due, v.Image()); err != nil {
				return err
			}
			changed = false
		}
		if end {
			return nil
		}
		if err := playBlock(v, b); err != nil {
			return fmt.Errorf("%w, %v into the recording", err, b.At)
		}
		if c := v.Changes(); (c.Resized || len(c.Damage) > 0) && !changed {
			due, changed = (b.At+every-1)/every*every, true
		}
	}
}

// FrameAt returns the picture of a recording at a time. With an index not all that was before is played.
func FrameAt(r *record.Reader, at time.Duration, maxPixels int) (*image.RGBA, error) {
	v, err := player(r, maxPixels)
	if err != nil {
		return nil, err
	}
	e, err := r.SeekScreen(at)
	if err != nil {
		return nil, err
	}
	if e != nil && e.Width > 0 && e.Height > 0 {
		if err := v.canvas.Resize(e.Width, e.Height); err != nil {
			return nil, err
		}
		for _, p := range e.Tiles {
			b, err := r.Block(p)
			if err == nil {
				err = playBlock(v, b)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) || err == nil && b.At > at {
			return v.Image(), nil
		}
		if err == nil {
			err = playBlock(v, b)
		}
		if err != nil {
			return nil, err
		}
	}
}

func player(r *record.Reader, maxPixels int) (*Viewer, error) {
	if p := r.Metadata().Protocol; p != protocolDesktop {
		return nil, fmt.Errorf("%w, but of protocol %d", ErrNotDesktop, p)
	}
	return NewViewer(ViewerConfig{MaxPixels: maxPixels, ViewOnly: true}), nil
}

// playBlock gives a message of the agent to a viewer.
func playBlock(v *Viewer, b record.Block) error {
	typ, message := b.Message()
	if typ != msgconn.Binary || b.From() != record.Device {
		return nil
	}
	err := v.Handle(typ, plainJumbo(message))
	for _, _, ok := v.Next(); ok; _, _, ok = v.Next() { // nobody is there to be answered
		continue
	}
	return err
}

// plainJumbo changes the jumbo commands of recordings that a browser made, in place, to those of an agent: between header and
// command there are eight bytes more.
func plainJumbo(b []byte) []byte {
	if len(b) < 20 || Command(binary.BigEndian.Uint16(b)) != CommandJumbo ||
		uint64(len(b)) != 16+uint64(binary.BigEndian.Uint32(b[4:])) {
		return b
	}
	return append(b[:8], b[16:]...)
}
