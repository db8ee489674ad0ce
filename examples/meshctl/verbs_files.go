package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/examples/internal/console"
	"github.com/meshcentral-go/sdk/relay"
	"github.com/meshcentral-go/sdk/relay/files"
)

// fileCommands are the verbs that copy files from and to devices.
func (a *app) fileCommands() []*cobra.Command { return []*cobra.Command{a.upload(), a.download()} }

// onFiles opens the files of a device.
func (s *session) onFiles(ctx context.Context, device controlproto.ID, do func(*files.Client) error) error {
	t, err := relay.Open(ctx, s.client, string(device), s.tunnelOptions(relay.ProtocolFiles))
	if err != nil {
		return err
	}
	c := files.New(t, files.Config{})
	defer c.Close()
	return do(c)
}

func (a *app) upload() *cobra.Command {
	var file, target string
	var resume bool
	c := a.onDevice("upload", "Copy a file to a device", func(ctx context.Context, s *session, device controlproto.ID) error {
		f, err := os.Open(file)
		if err != nil {
			return usageError("%v", err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return usageError("%s is no file", file)
		}
		return s.onFiles(ctx, device, func(c *files.Client) error {
			return s.sendFile(ctx, c, f, info.Size(), remotePath(target, filepath.Base(file)), resume)
		})
	})
	c.Long = c.Short + ".\n\nIts SHA-384 is compared with that of the file on the device in the end."
	c.Flags().StringVar(&file, "file", "", "local `FILE`")
	c.Flags().StringVar(&target, "target", "", "`FOLDER` on the device")
	c.Flags().BoolVar(&resume, "resume", false, "go on where an upload was cut off, and leave it for the next time if that happens again")
	need(c, "file", "target")
	return c
}

// remotePath is a file in a folder of a device of whatever system.
func remotePath(folder, name string) string {
	separator := "/"
	if strings.Contains(folder, `\`) && !strings.Contains(folder, "/") {
		separator = `\`
	}
	return strings.TrimSuffix(folder, separator) + separator + name
}

// sendFile uploads.
func (s *session) sendFile(ctx context.Context, c *files.Client, from io.ReadSeeker, size int64, path string, resume bool) error {
	p := s.progress(size)
	defer p.end()
	r, err := c.Upload(ctx, from, path, files.UploadOptions{
		Size: size, Resume: resume, Progress: func(at files.Progress) { p.at(at.Done) },
	})
	if err != nil {
		return err
	}
	p.end()
	text := "Upload done."
	if r.Resumed > 0 {
		text = fmt.Sprintf("Upload done: %d bytes were there already.", r.Resumed)
	}
	return s.done(text, field{"bytes", fmt.Sprint(r.Size)}, field{"resumed", fmt.Sprint(r.Resumed)}, field{"sha384", r.Hash})
}

func (a *app) download() *cobra.Command {
	var file, target string
	c := a.onDevice("download", "Copy a file from a device", func(ctx context.Context, s *session, device controlproto.ID) error {
		to, err := downloadTarget(file, target)
		if err != nil {
			return err
		}
		return s.onFiles(ctx, device, func(c *files.Client) error { return s.receiveFile(ctx, c, file, to) })
	})
	c.Long = c.Short + ".\n\nIts SHA-384 is compared with that of the file on the device in the end; a file that breaks off is not kept."
	c.Flags().StringVar(&file, "file", "", "`FILE` on the device")
	c.Flags().StringVar(&target, "target", "", "local `FILE` or folder; the current folder")
	need(c, "file")
	return c
}

// receiveFile downloads.
func (s *session) receiveFile(ctx context.Context, c *files.Client, file, to string) error {
	e, err := c.Stat(ctx, file)
	if err != nil {
		return err
	}
	p := s.progress(e.Size)
	defer p.end()
	var r *files.Result
	err = writeWhole(to, func(w io.Writer) (err error) {
		r, err = c.Download(ctx, file, w, files.DownloadOptions{Size: e.Size, Progress: func(at files.Progress) { p.at(at.Done) }})
		return err
	})
	if err != nil {
		return err
	}
	p.end()
	return s.done(fmt.Sprintf("Download done: %d bytes to %q.", r.Size, to),
		field{"file", to}, field{"bytes", fmt.Sprint(r.Size)}, field{"sha384", r.Hash})
}

// downloadTarget is the local file of a download: a folder gets the file under its own name.
func downloadTarget(file, target string) (string, error) {
	info, err := os.Stat(target)
	switch {
	case target == "":
		target = "."
	case err == nil && info.IsDir(), strings.HasSuffix(target, "/"), strings.HasSuffix(target, string(filepath.Separator)):
	case err == nil || errors.Is(err, fs.ErrNotExist):
		return target, nil
	default:
		return "", usageError("%v", err)
	}
	name := localName(file)
	if name == "" {
		return "", usageError("--file %.80q has no name: use --target with a file", file)
	}
	return filepath.Join(target, name), nil
}

// localName is the last part of a path on whatever system, or nothing if that cannot be the name of a file here.
func localName(path string) string {
	name := path[strings.LastIndexAny(path, `/\`)+1:]
	if name == "." || name == ".." || console.Clean(name) != name || strings.ContainsRune(name, filepath.Separator) || strings.Contains(name, ":") {
		return ""
	}
	return name
}
