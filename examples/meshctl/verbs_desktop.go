package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/relay"
	"github.com/meshcentral-go/sdk/relay/desktop"
)

// A picture comes in pieces, and nothing says that it is all there: it is taken when all of it was painted and it has not
// changed for quietTime, or, of a screen that never rests, mostTime after it began, or wholeTime after it began if a part of it
// does not come.
const (
	quietTime = time.Second
	mostTime  = 8 * time.Second
	wholeTime = 20 * time.Second
)

// snapshotQuality is the quality of the pieces, which are JPEG.
const snapshotQuality = 90

// desktopCommands is the verb about the screens of devices.
func (a *app) desktopCommands() []*cobra.Command {
	var file string
	c := a.onDevice("desktop", "Take a picture of a device's screen", func(ctx context.Context, s *session, device controlproto.ID) error {
		ctx, cancel := context.WithTimeout(ctx, s.flags.wait)
		defer cancel()
		t, err := relay.Open(ctx, s.client, string(device), s.tunnelOptions(relay.ProtocolDesktop))
		if err != nil {
			return err
		}
		img, err := snapshot(ctx, t)
		if err != nil {
			return fmt.Errorf("desktop: %w", err)
		}
		if err := writePNG(file, img); err != nil {
			return err
		}
		size := fmt.Sprintf("%dx%d", img.Rect.Dx(), img.Rect.Dy())
		return s.done("Picture of "+size+" pixels in "+file+".", field{"file", file}, field{"size", size})
	})
	c.Flags().StringVar(&file, "snapshot", "", "PNG `FILE` for the picture")
	need(c, "snapshot")
	return []*cobra.Command{c}
}

// snapshot takes the picture of a screen, and closes the tunnel.
func snapshot(ctx context.Context, conn desktop.Conn) (*image.RGBA, error) {
	defer func() { _ = conn.Close(msgconn.CloseNormal, "") }()
	viewer := desktop.NewViewer(desktop.ViewerConfig{
		ViewOnly:    true,
		Compression: desktop.Compression{Format: desktop.ImageJPEG, Quality: snapshotQuality, Scaling: desktop.FullScale, Milliseconds: 100},
	})
	quiet := ctx
	var began time.Time
	var seen coverage
	for {
		typ, b, err := conn.ReadMessage(quiet)
		switch {
		case err == nil:
		case !began.IsZero() && quiet.Err() != nil && ctx.Err() == nil:
			return viewer.Image(), nil
		default:
			return nil, err
		}
		if err := viewer.Handle(typ, b); err != nil {
			return nil, err
		}
		for typ, b, ok := viewer.Next(); ok; typ, b, ok = viewer.Next() {
			if err := conn.WriteMessage(ctx, typ, b); err != nil {
				return nil, err
			}
		}
		changes := viewer.Changes()
		for _, a := range changes.Alerts {
			return nil, errRefused(fmt.Sprintf("the device: %.200q", a.Text))
		}
		seen.add(&changes, viewer.Image().Rect)
		if changes.Tiles == 0 {
			continue
		}
		now := time.Now()
		if began.IsZero() {
			began = now
		}
		until := began.Add(wholeTime)
		if seen.whole() {
			until = now.Add(quietTime)
			if most := began.Add(mostTime); most.Before(until) {
				until = most
			}
		}
		var stop context.CancelFunc
		quiet, stop = context.WithDeadline(ctx, until)
		defer stop()
	}
}

// coverage is which parts of a picture were painted.
type coverage struct{ mask *image.Alpha }

// add adds what a message has changed in a picture of a size.
func (c *coverage) add(changes *desktop.Changes, size image.Rectangle) {
	if changes.Resized {
		c.mask = image.NewAlpha(size)
		if changes.Tiles == 0 { // all of it is damaged, and none of it painted
			return
		}
	}
	for _, r := range changes.Damage {
		if c.mask != nil {
			draw.Draw(c.mask, r, image.Opaque, image.Point{}, draw.Src)
		}
	}
}

// whole says whether there is nothing that was not painted.
func (c *coverage) whole() bool { return c.mask == nil || bytes.IndexByte(c.mask.Pix, 0) < 0 }

// writePNG writes a picture to a file, which is there when it is whole.
func writePNG(path string, img image.Image) error {
	return writeWhole(path, func(w io.Writer) error { return png.Encode(w, img) })
}

// writeWhole makes a file, which is there when all of it is.
func writeWhole(path string, write func(w io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".meshctl-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // is gone if all went well
	if err := errors.Join(write(f), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
