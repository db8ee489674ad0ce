package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/wsman/amt"
	"github.com/meshcentral-go/sdk/wsman/flows"
	"github.com/meshcentral-go/sdk/wsman/redir"
)

// iderStarts are when the host gets the drives.
var iderStarts = map[string]redir.StartMode{ //nolint:gochecknoglobals // constant
	"reboot": redir.StartOnReboot, "graceful": redir.StartGraceful, "now": redir.StartNow,
}

// iderFlags are those of IDE redirection.
type iderFlags struct {
	iso, floppy string
	start       string
	boots, sol  bool
	boot        bootFlags
}

// image is a file in a drive.
type image struct {
	drive string
	name  string
	file  *os.File
	size  int64
}

// served is what ider prints at its end, of each drive.
type served struct {
	Drive string `json:"drive"`
	Image string `json:"image"`
	Size  int64  `json:"size"`
	Reads uint64 `json:"reads"`
	Bytes uint64 `json:"bytes"`
}

// statistics is what ider prints at its end.
type statistics struct {
	Drives   []served `json:"drives"`
	Commands uint64   `json:"commands"`
	Errors   uint64   `json:"errors"`
	Resets   uint64   `json:"resets"`
	Sent     uint64   `json:"sent"`
	Received uint64   `json:"received"`
}

// iderCommands is the command for IDE redirection.
func (a *app) iderCommands() []*cobra.Command {
	var f iderFlags
	c := a.on("ider", "Put an ISO or a floppy image into drives of the host (IDE redirection)", cobra.NoArgs, func(ctx context.Context, s *session, _ []string) error {
		mode, err := choice("--start", f.start, iderStarts)
		switch {
		case err != nil:
			return err
		case f.iso == "" && f.floppy == "":
			return usageError("which image? --iso or --floppy")
		case f.sol && !f.boots:
			return usageError("--sol goes with --boot")
		}
		var boot *flows.Boot
		if f.boots {
			b, err := f.boot.of(ctx, s, "ider")
			if err != nil {
				return err
			}
			b.SOL = f.sol
			if f.iso == "" {
				b.IDERDevice = amt.IDERBootDeviceFloppy
			}
			boot = &b
		}
		return s.ider(ctx, &f, mode, boot)
	})
	c.Long = c.Short + ".\n\nThe drives are there until the device ends the session, or Ctrl-C does; then it prints what was read. Images are read-only\n" +
		"for the host, and may be of any size."
	c.Flags().StringVar(&f.iso, "iso", "", "`FILE` for the CD drive")
	c.Flags().StringVar(&f.floppy, "floppy", "", "`FILE` for the floppy drive")
	c.Flags().StringVar(&f.start, "start", "reboot", "when the host gets the drives: `WHEN` it boots next (reboot), graceful, or now")
	c.Flags().BoolVar(&f.boots, "boot", false, "boot the host from the image")
	c.Flags().BoolVar(&f.sol, "sol", false, "with --boot: show the texts of the BIOS in a serial-over-LAN session, see amtctl sol")
	f.boot.add(c.Flags())
	return []*cobra.Command{c}
}

// openImage opens a file for a drive. Its size may be that of a block device.
func openImage(drive, name string) (*image, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, usageError("--%s: %v", drive, err)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil && size == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		f.Close()
		return nil, usageError("--%s %s: %v", drive, name, err)
	}
	return &image{drive, name, f, size}, nil
}

func (i *image) medium() redir.Medium {
	if i == nil {
		return redir.Medium{}
	}
	return redir.Medium{Reader: i.file, Size: i.size}
}

func (i *image) close() {
	if i != nil {
		i.file.Close()
	}
}

// ider serves the images.
func (s *session) ider(ctx context.Context, f *iderFlags, mode redir.StartMode, boot *flows.Boot) error {
	floppy, err := openImage("floppy", f.floppy)
	if err != nil {
		return err
	}
	defer floppy.close()
	iso, err := openImage("iso", f.iso)
	if err != nil {
		return err
	}
	defer iso.close()
	conn, err := s.dialRedirection(ctx)
	if err != nil {
		return err
	}
	session, err := redir.OpenIDER(ctx, conn, redir.IDERConfig{Config: s.redirection(), Floppy: floppy.medium(), CD: iso.medium(), Mode: mode})
	if err != nil {
		return err
	}
	defer session.Close()
	s.note("the drives are there; Ctrl-C takes them away")
	if boot != nil {
		p, err := s.boot(ctx, *boot, f.boot.power)
		if err != nil {
			return err
		}
		s.note("the host is %s", powerText(p))
	}
	s.watch(ctx, session)
	reason := session.Err() // before it is closed here
	_ = session.Close()
	if err := s.printStatistics(session.Stats(), floppy, iso); err != nil {
		return err
	}
	switch {
	case reason == nil, errors.Is(reason, redir.ErrEnded):
		return nil
	case errors.Is(reason, io.EOF):
		return fmt.Errorf("the device has closed the connection: %w", reason)
	}
	return reason
}

// watch shows how much was read, until the session ends or is to end.
func (s *session) watch(ctx context.Context, session *redir.IDERSession) {
	var tick <-chan time.Time
	if s.errTerminal {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		tick = ticker.C
		defer fmt.Fprintln(s.err)
	}
	for {
		select {
		case <-tick:
			st := session.Stats()
			fmt.Fprintf(s.err, "\r%s in %d commands, %d errors ", size(st.Bytes[0]+st.Bytes[1], 1024), st.Commands, st.Errors)
		case <-session.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

func (s *session) printStatistics(st redir.MediaStats, images ...*image) error {
	r := statistics{Drives: []served{}, Commands: st.Commands, Errors: st.Errors, Resets: st.Resets, Sent: st.ToDevice, Received: st.FromDevice}
	t := &table{columns: []string{"drive", "image", "size", "reads", "read"}}
	for i, img := range images { // in the order of the counters
		if img == nil {
			continue
		}
		r.Drives = append(r.Drives, served{img.drive, img.name, img.size, st.Reads[i], st.Bytes[i]})
		t.add(img.drive, img.name, strconv.FormatInt(img.size, 10), strconv.FormatUint(st.Reads[i], 10), strconv.FormatUint(st.Bytes[i], 10))
	}
	if err := s.list(t, r); err != nil || s.flags.json {
		return err
	}
	return s.println(fmt.Sprintf("%d commands, %d errors, %d resets; %d bytes sent, %d received", st.Commands, st.Errors, st.Resets, st.ToDevice, st.FromDevice))
}
