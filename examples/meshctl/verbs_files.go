package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/msgconn"
)

const (
	uploadBlock  = 65536 - 64 // what stock agents take at once is a little more
	uploadWindow = 16         // blocks that may be under way
)

// fileCommands are the verbs that copy files from and to devices.
func (a *app) fileCommands() []*cobra.Command { return []*cobra.Command{a.upload(), a.download()} }

func (a *app) upload() *cobra.Command {
	var file, target string
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
		t, err := s.openTunnel(ctx, device, controlproto.TunnelFiles, nil)
		if err != nil {
			return err
		}
		defer t.close()
		if err := s.sendFile(ctx, t, f, filepath.Base(file), target, info.Size()); err != nil {
			return fmt.Errorf("upload: %w", err)
		}
		return s.done("Upload done.", field{"bytes", fmt.Sprint(info.Size())})
	})
	c.Flags().StringVar(&file, "file", "", "local `FILE`")
	c.Flags().StringVar(&target, "target", "", "`FOLDER` on the device")
	need(c, "file", "target")
	return c
}

// fileMessage is what agents say and are told about files.
type fileMessage struct {
	Action    string `json:"action"`
	Sub       string `json:"sub,omitempty"`
	RequestID string `json:"reqid,omitempty"`
	ID        string `json:"id,omitempty"`
	Path      string `json:"path,omitempty"`
	Name      string `json:"name,omitempty"`
	Size      *int64 `json:"size,omitempty"`
}

// sendFile uploads: the agent begins, then says of every block that it has it.
func (s *session) sendFile(ctx context.Context, t *tunnel, from io.Reader, name, target string, size int64) error {
	begin := fileMessage{Action: "upload", RequestID: "up", Path: target, Name: name, Size: &size}
	if err := t.sendJSON(ctx, begin); err != nil {
		return err
	}
	p := s.progress(size)
	defer p.end()
	buf := make([]byte, uploadBlock+1)
	var sent int64
	underWay, ended := 0, false
	for {
		m, err := t.nextFileMessage(ctx)
		if err != nil {
			return err
		}
		room := 1
		switch m.Action {
		case "uploadstart":
			room = uploadWindow
		case "uploadack":
			underWay--
		case "uploaderror":
			return errRefused("the device refused it: is the folder right?")
		default:
			continue
		}
		for ; room > 0 && !ended; room-- {
			n, err := io.ReadFull(from, buf[1:])
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				ended, err = true, nil
			}
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			if err := t.conn.WriteMessage(ctx, msgconn.Binary, escapedBlock(buf[:n+1])); err != nil {
				return err
			}
			underWay++
			sent += int64(n)
			p.at(sent)
		}
		if ended && underWay <= 0 {
			return nil
		}
	}
}

// escapedBlock is a block as it is sent: one that begins like a message, or with a zero, has a zero before it. The first byte
// of b is room for that.
func escapedBlock(b []byte) []byte {
	if b[1] != 0 && b[1] != '{' {
		return b[1:]
	}
	b[0] = 0
	return b
}

// nextFileMessage reads a message of the agent, dropping what is none.
func (t *tunnel) nextFileMessage(ctx context.Context) (fileMessage, error) {
	for {
		b, err := t.next(ctx)
		if err != nil {
			return fileMessage{}, err
		}
		var m fileMessage
		if len(b) > 0 && b[0] == '{' && json.Unmarshal(b, &m) == nil {
			return m, nil
		}
	}
}

func (a *app) download() *cobra.Command {
	var file, target string
	c := a.onDevice("download", "Copy a file from a device", func(ctx context.Context, s *session, device controlproto.ID) error {
		to, err := downloadTarget(file, target)
		if err != nil {
			return err
		}
		f, err := os.CreateTemp(filepath.Dir(to), ".meshctl-*")
		if err != nil {
			return err
		}
		defer os.Remove(f.Name()) // is gone if all went well
		defer f.Close()
		t, err := s.openTunnel(ctx, device, controlproto.TunnelFiles, nil)
		if err != nil {
			return err
		}
		defer t.close()
		size, err := s.receiveFile(ctx, t, f, file)
		if err != nil {
			return fmt.Errorf("download: %w", err)
		}
		if err := f.Close(); err != nil {
			return err
		}
		if err := os.Rename(f.Name(), to); err != nil {
			return err
		}
		return s.done(fmt.Sprintf("Download done: %d bytes to %q.", size, to), field{"file", to}, field{"bytes", fmt.Sprint(size)})
	})
	c.Flags().StringVar(&file, "file", "", "`FILE` on the device")
	c.Flags().StringVar(&target, "target", "", "local `FILE` or folder; the current folder")
	need(c, "file")
	return c
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
	if name == "." || name == ".." || clean(name) != name || strings.ContainsRune(name, filepath.Separator) || strings.Contains(name, ":") {
		return ""
	}
	return name
}

// receiveFile downloads. Blocks have four bytes of flags before them, of which the lowest bit says that it is the last.
func (s *session) receiveFile(ctx context.Context, t *tunnel, to io.Writer, file string) (size int64, err error) {
	const blockHeader = 4
	say := func(sub string) error {
		return t.sendJSON(ctx, fileMessage{Action: "download", Sub: sub, ID: file, Path: pathFor(sub, file)})
	}
	if err := say("start"); err != nil {
		return 0, err
	}
	p := s.progress(0)
	defer p.end()
	for {
		b, err := t.next(ctx)
		if err != nil {
			return size, err
		}
		if len(b) > 0 && b[0] == '{' {
			var m fileMessage
			if json.Unmarshal(b, &m) != nil || m.Action != "download" {
				continue
			}
			switch m.Sub {
			case "start":
				if err := say("startack"); err != nil {
					return size, err
				}
			case "cancel":
				return size, errRefused("the device has no such file, or cannot read it")
			}
			continue
		}
		if len(b) < blockHeader {
			return size, errors.New("the device sent a block without a header")
		}
		last := b[blockHeader-1]&1 != 0
		n, err := to.Write(b[blockHeader:])
		size += int64(n)
		if err != nil || last {
			return size, err
		}
		p.at(size)
		if err := say("ack"); err != nil {
			return size, err
		}
	}
}

// pathFor is the path, which is told at the start only.
func pathFor(sub, file string) string {
	if sub == "start" {
		return file
	}
	return ""
}
