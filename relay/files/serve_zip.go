package files

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// dialog tells what is going on.
func (s *server) dialog(d Dialog) error { return s.reply(Binary, &d) }

func words(s string) *string { return &s }

// endDialog says that it is over, and that there is something new.
func (s *server) endDialog() {
	if s.dialog(Dialog{}) == nil {
		_ = s.reply(Binary, &Refresh{})
	}
}

// zip packs files beside the other work. As with stock agents nothing is said when there is nothing to pack.
func (s *server) zip(m *Zip) error {
	folder, err := rooted(m.Path)
	var output string
	if err == nil {
		output, err = below(folder, m.Output)
	}
	var names []string
	if err == nil {
		for _, n := range m.Files {
			name, err := below(folder, n)
			if err != nil {
				s.note("zip", err)
				continue
			}
			if _, err := s.root.Lstat(name); err == nil {
				names = append(names, name)
			}
		}
		if info, statErr := s.root.Stat(output); statErr == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("%w: %s is no file", ErrRefused, quote(output))
		} else {
			err = s.allow("zip", true, append([]string{output}, names...)...)
		}
	}
	if err != nil || len(names) == 0 {
		s.note("zip", err)
		return nil
	}
	ready := make(chan struct{})
	started := s.begin(&s.packing, func(ctx context.Context) func() {
		<-ready
		if err := s.pack(ctx, folder, names, output); err != nil {
			s.note("zip", err)
		}
		return s.endDialog
	})
	defer close(ready)
	if !started {
		return nil
	}
	return s.dialog(Dialog{Msg: words("zipping")})
}

func (s *server) pack(ctx context.Context, folder string, names []string, output string) error {
	out, err := s.open(output, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	self, err := out.Stat()
	if err != nil {
		return errors.Join(err, out.Close())
	}
	z := zip.NewWriter(out)
	p := &progress{s: s, ctx: ctx}
	entries := 0
	for _, name := range names {
		err = fs.WalkDir(s.root.FS(), filepath.ToSlash(name), func(at string, d fs.DirEntry, err error) error {
			if err != nil || ctx.Err() != nil {
				return errors.Join(err, context.Cause(ctx))
			}
			if entries++; entries > maxEntries {
				return ErrTooLarge
			}
			if d.IsDir() || !d.Type().IsRegular() {
				return nil
			}
			return p.add(z, folder, at, self)
		})
		if err != nil {
			break
		}
	}
	if err = errors.Join(err, z.Close(), out.Close()); err != nil {
		_ = s.root.Remove(output)
	}
	return err
}

// progress reads what is packed, and tells of it once a second.
type progress struct {
	s    *server
	ctx  context.Context
	in   io.Reader
	file string
	done int64
	size int64
	told time.Time
}

func (p *progress) add(z *zip.Writer, folder, at string, self os.FileInfo) error {
	f, err := p.s.open(filepath.FromSlash(at), os.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || os.SameFile(info, self) {
		return err
	}
	h, err := zip.FileInfoHeader(info)
	if err != nil {
		return err
	}
	h.Method = zip.Deflate
	h.Name = at
	if folder != "." {
		h.Name = strings.TrimPrefix(at, filepath.ToSlash(folder)+"/")
	}
	w, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	p.in, p.file, p.done, p.size = f, h.Name, 0, info.Size()
	_, err = io.Copy(w, p)
	return err
}

// Read implements io.Reader.
func (p *progress) Read(b []byte) (int, error) {
	if err := context.Cause(p.ctx); err != nil {
		return 0, err
	}
	n, err := p.in.Read(b)
	p.done += int64(n)
	if now := time.Now(); now.Sub(p.told) >= time.Second {
		p.told = now
		percent := float64(100)
		if p.size > 0 {
			percent = float64(min(p.done, p.size) * 100 / p.size)
		}
		_ = p.s.dialog(Dialog{Msg: words("zippingFile"), File: p.file, Progress: percent})
	}
	return n, err
}

// unzip unpacks beside the other work.
func (s *server) unzip(m *Unzip) error {
	input, err1 := rooted(m.Input)
	dest, err2 := rooted(m.Dest)
	err := errors.Join(err1, err2)
	if err == nil {
		err = s.allow("unzip", true, input, dest)
	}
	fail := func(err error) error {
		s.note("unzip", err)
		return s.dialog(Dialog{Msg: words("unziperror"), Error: json.RawMessage(`"The file could not be unpacked"`)})
	}
	if err != nil {
		return fail(err)
	}
	ready := make(chan struct{})
	started := s.begin(&s.packing, func(ctx context.Context) func() {
		<-ready
		if err := s.unpack(ctx, input, dest); err != nil {
			return func() { _ = fail(err) }
		}
		return s.endDialog
	})
	defer close(ready)
	if !started {
		return nil
	}
	return s.dialog(Dialog{Msg: words("unzipping")})
}

func (s *server) unpack(ctx context.Context, input, dest string) error {
	f, err := s.open(input, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	z, err := zip.NewReader(f, info.Size())
	if err != nil {
		return err
	}
	if len(z.File) > maxEntries {
		return ErrTooLarge
	}
	left := s.cfg.MaxUnzip
	for _, e := range z.File {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if left, err = s.unpackFile(ctx, e, dest, left); err != nil {
			return err
		}
	}
	return nil
}

// unpackFile unpacks one file, or folder, into dest. Its name is as little to be trusted as any.
func (s *server) unpackFile(ctx context.Context, e *zip.File, dest string, left int64) (int64, error) {
	inside, err := rooted(e.Name)
	if err != nil || strings.HasPrefix(e.Name, "/") {
		return left, errors.Join(fmt.Errorf("%w: %s in a packed file", ErrPath, quote(e.Name)), err)
	}
	name := filepath.Join(dest, inside)
	if e.Mode().IsDir() {
		return left, s.root.MkdirAll(name, 0o755)
	}
	if !e.Mode().IsRegular() {
		return left, nil // a link could lead anywhere
	}
	if err := s.root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return left, err
	}
	in, err := e.Open()
	if err != nil {
		return left, err
	}
	defer in.Close()
	out, err := s.open(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return left, err
	}
	n, err := io.Copy(out, io.LimitReader(readerWith(ctx, in), left+1))
	if left -= n; left < 0 {
		err = errors.Join(err, ErrTooLarge)
	}
	return left, errors.Join(err, out.Close())
}
