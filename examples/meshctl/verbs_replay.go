package main

import (
	"context"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/relay"
	"github.com/meshcentral-go/sdk/relay/desktop"
	"github.com/meshcentral-go/sdk/relay/record"
)

// replay are the flags of the verb.
type replay struct {
	speed   float64
	longest time.Duration
	frames  string
	every   time.Duration
}

// replayCommands is the verb that shows recorded sessions.
func (a *app) replayCommands() []*cobra.Command {
	var r replay
	c := a.verb("replay", "Show a recorded session, a file of a server", func(ctx context.Context, cmd *cobra.Command) error {
		return a.replay(ctx, cmd.Flags().Arg(0), r)
	})
	c.Use, c.Args = "replay FILE.mcrec", cobra.ExactArgs(1)
	c.Long = c.Short + ".\n\n" +
		"What a shell printed is printed, at once, or with --speed as it came; it goes to the terminal as it is, as it did when it\n" +
		"was recorded. Of a desktop, pictures are written to the folder of --frames."
	f := c.Flags()
	f.Float64Var(&r.speed, "speed", 0, "with the pauses that were, so many `TIMES` as fast: 1, 2.5, ...; 0 is without pauses")
	f.DurationVar(&r.longest, "longest", 0, "with --speed, the longest pause: 2s, ...; 0 is any")
	f.StringVar(&r.frames, "frames", "", "`FOLDER` for the pictures of a desktop, as PNG; made if it is not there")
	f.DurationVar(&r.every, "every", time.Second, "the time between pictures, of which those without a change are left out")
	return []*cobra.Command{c}
}

func (a *app) replay(ctx context.Context, file string, r replay) error {
	switch {
	case !(r.speed >= 0) || math.IsInf(r.speed, 0):
		return usageError("--speed must not be negative")
	case r.every < time.Millisecond:
		return usageError("--every must be a millisecond or more")
	}
	f, err := os.Open(file)
	if err != nil {
		return usageError("%v", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	rec, err := record.NewReader(f, info.Size())
	if err != nil {
		return err
	}
	if !rec.Complete() {
		a.note("the recording has no end: the server may have crashed, or is still at it")
	}
	p := relay.Protocol(rec.Metadata().Protocol)
	switch {
	case p.Terminal() && r.frames != "":
		return usageError("--frames is for recordings of desktops, and this is one of a terminal")
	case p.Terminal():
		return a.replayText(ctx, rec, r)
	case p == relay.ProtocolDesktop && r.frames == "":
		return usageError("a recording of a desktop needs --frames FOLDER")
	case p == relay.ProtocolDesktop:
		return a.replayFrames(ctx, rec, r)
	}
	return usageError("a recording of %s cannot be shown", p)
}

// replayText prints what a shell printed.
func (a *app) replayText(ctx context.Context, rec *record.Reader, r replay) error {
	speed, longest := r.speed, r.longest
	if speed == 0 {
		speed, longest = 1, time.Nanosecond
	}
	return rec.Play(ctx, speed, longest, func(b record.Block) error {
		if typ, text := b.Message(); typ == msgconn.Binary && b.From() == record.Device {
			_, err := a.out.Write(text)
			return err
		}
		return nil
	})
}

// replayFrames writes the pictures of a desktop.
func (a *app) replayFrames(ctx context.Context, rec *record.Reader, r replay) error {
	if err := os.MkdirAll(r.frames, 0o700); err != nil { // a screen may show anything
		return err
	}
	n := 0
	err := desktop.Frames(rec, r.every, 0, func(at time.Duration, img *image.RGBA) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		n++
		return writePNG(filepath.Join(r.frames, fmt.Sprintf("%09d.png", at.Milliseconds())), img)
	})
	if err != nil {
		return err
	}
	return a.done(fmt.Sprintf("%d pictures in %s, named by the milliseconds since the beginning.", n, r.frames),
		field{"folder", r.frames}, field{"pictures", fmt.Sprint(n)})
}
