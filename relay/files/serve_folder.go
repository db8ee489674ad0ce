package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// list answers with what is in a folder. Links count as what they lead to; those that lead out of the root, or nowhere, are not
// shown.
func (s *server) list(m *List) error {
	reply := &Listing{Path: m.Path, RequestID: m.RequestID}
	name, err := rooted(m.Path)
	if err == nil {
		err = s.allow("ls", false, name)
	}
	if err == nil {
		reply.Dir, err = s.entries(name)
	}
	s.note("ls", err)
	return s.reply(Binary, reply)
}

func (s *server) entries(name string) ([]Entry, error) {
	info, err := s.root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%w: %s is no folder", ErrRefused, quote(name))
	}
	dir, err := s.root.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	entries := []Entry{}
	for len(entries) < maxEntries && s.ctx.Err() == nil {
		names, err := dir.Readdirnames(1000)
		for _, n := range names {
			info, err := s.root.Stat(filepath.Join(name, n))
			if err != nil {
				continue
			}
			e := Entry{Name: n, Type: TypeFile, Size: info.Size(), ModTime: info.ModTime().UTC()}
			if info.IsDir() {
				e.Type, e.Size = TypeFolder, 0
			}
			entries = append(entries, e)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				return nil, err
			}
			break
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	return entries, nil
}

func (s *server) mkdir(m *Mkdir) error {
	name, err := rooted(m.Path)
	if err != nil {
		return err
	}
	if err := s.allow("mkdir", true, name); err != nil {
		return err
	}
	return s.root.Mkdir(name, 0o755)
}

// remove removes links, and not what they lead to.
func (s *server) remove(m *Remove) error {
	folder, err := rooted(m.Path)
	if err != nil {
		return err
	}
	var errs []error
	for _, n := range m.Names {
		name, err := below(folder, n)
		if err == nil {
			err = s.allow("rm", true, name)
		}
		if err == nil {
			if m.Recursive {
				err = s.root.RemoveAll(name)
			} else {
				err = s.root.Remove(name)
			}
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *server) rename(m *Rename) error {
	folder, err := rooted(m.Path)
	if err != nil {
		return err
	}
	from, err1 := below(folder, m.OldName)
	to, err2 := below(folder, m.NewName)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if err := s.allow("rename", true, from, to); err != nil {
		return err
	}
	return s.root.Rename(from, to)
}

func (s *server) copyFiles(action, from, to string, names []string, move bool) error {
	source, err1 := rooted(from)
	target, err2 := rooted(to)
	if err := errors.Join(err1, err2); err != nil || source == target {
		return err
	}
	var errs []error
	for _, n := range names {
		a, err := below(source, n)
		if err == nil {
			b := filepath.Join(target, n)
			if err = s.allow(action, true, a, b); err == nil {
				err = s.copyOrMove(a, b, move)
			}
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *server) copyOrMove(from, to string, move bool) error {
	if move {
		if err := s.root.Rename(from, to); err == nil {
			return nil
		}
		// Another file system, perhaps.
	}
	if err := s.copyFile(from, to); err != nil || !move {
		return err
	}
	return s.root.Remove(from)
}

func (s *server) copyFile(from, to string) error {
	in, err := s.open(from, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if there, err := s.root.Stat(to); err == nil && os.SameFile(info, there) {
		return nil // through a link: writing would empty it
	}
	out, err := s.open(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, readerWith(s.ctx, in))
	if err = errors.Join(err, out.Close()); err != nil {
		_ = s.root.Remove(to) // half a file is none
	}
	return err
}

// readerWith is a reader that ends with a context.
func readerWith(ctx context.Context, r io.Reader) io.Reader { return &ctxReader{ctx, r} }

type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *ctxReader) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// find looks for names beside the other work. Links are not followed.
func (s *server) find(m *Find) error {
	name, err := rooted(m.Path)
	if err == nil {
		_, err = path.Match(m.Filter, "")
	}
	if err == nil {
		err = s.allow("findfile", false, name)
	}
	s.note("findfile", err)
	end := &Found{RequestID: m.RequestID}
	if err != nil {
		return s.reply(Binary, end)
	}
	// One that still runs is of no use any more.
	if old := s.cancel(&s.finding); old != nil {
		<-old.done
	}
	started := s.begin(&s.finding, func(ctx context.Context) func() {
		found := 0
		_ = fs.WalkDir(s.root.FS(), filepath.ToSlash(name), func(at string, d fs.DirEntry, err error) error {
			if ctx.Err() != nil || found == maxEntries {
				return fs.SkipAll
			}
			if err != nil {
				return nil //nolint:nilerr // a folder that cannot be read holds nothing
			}
			if ok, _ := path.Match(m.Filter, d.Name()); !ok || at == filepath.ToSlash(name) {
				return nil
			}
			found++
			rest := at
			if name != "." {
				rest = strings.TrimPrefix(at, filepath.ToSlash(name)+"/")
			}
			if !strings.HasSuffix(m.Path, "/") {
				rest = "/" + rest // it follows the path of the request
			}
			return s.reply(Binary, &Found{Path: &rest, RequestID: m.RequestID})
		})
		return func() { _ = s.reply(Binary, end) }
	})
	if !started {
		return s.reply(Binary, end)
	}
	return nil
}
