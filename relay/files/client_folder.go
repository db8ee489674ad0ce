package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"sync"
	"time"
)

// The device answers none of these. They are followed by listings, which show what has come of them.

// Mkdir makes a folder. That it is there already is no error.
func (c *Client) Mkdir(ctx context.Context, path string) error {
	e, err := c.Stat(ctx, path)
	switch {
	case err == nil && e.IsDir():
		return nil
	case err == nil:
		return fmt.Errorf("files: mkdir %s: %w", quote(path), fs.ErrExist)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := c.send(ctx, &Mkdir{RequestID: c.newID(), Path: path}); err != nil {
		return fmt.Errorf("files: mkdir %s: %w", quote(path), err)
	}
	e, err = c.Stat(ctx, path)
	return outcome("mkdir", path, err == nil && e.IsDir(), err)
}

// Remove removes a file or an empty folder.
func (c *Client) Remove(ctx context.Context, path string) error { return c.remove(ctx, path, false) }

// RemoveAll removes a file, or a folder with all that is in it. Stock agents then go through links to folders, and remove what
// they find there.
func (c *Client) RemoveAll(ctx context.Context, path string) error { return c.remove(ctx, path, true) }

func (c *Client) remove(ctx context.Context, path string, recursive bool) error {
	folder, name := split(path)
	if name == "" {
		return fmt.Errorf("files: remove: %w: %s", ErrPath, quote(path))
	}
	if _, err := c.Stat(ctx, path); err != nil {
		return err
	}
	m := &Remove{RequestID: c.newID(), Path: folder, Names: []string{name}, Recursive: recursive}
	if err := c.send(ctx, m); err != nil {
		return fmt.Errorf("files: remove %s: %w", quote(path), err)
	}
	_, err := c.Stat(ctx, path)
	return outcome("remove", path, err != nil, err)
}

// Rename gives a file or folder another name within its folder.
func (c *Client) Rename(ctx context.Context, path, name string) error {
	folder, old := split(path)
	if old == "" || name == "" {
		return fmt.Errorf("files: rename: %w: %s to %s", ErrPath, quote(path), quote(name))
	}
	before, err := c.List(ctx, folder)
	if err != nil {
		return err
	}
	if find(before, old) == nil {
		return fmt.Errorf("files: rename %s: %w", quote(path), fs.ErrNotExist)
	}
	if find(before, name) != nil {
		return fmt.Errorf("files: rename %s: %s: %w", quote(path), quote(name), fs.ErrExist)
	}
	m := &Rename{RequestID: c.newID(), Path: folder, OldName: old, NewName: name}
	if err := c.send(ctx, m); err != nil {
		return fmt.Errorf("files: rename %s: %w", quote(path), err)
	}
	after, err := c.List(ctx, folder)
	return outcome("rename", path, find(after, old) == nil && find(after, name) != nil, err)
}

// Copy copies files of one folder to another, where they replace those of the same names. Folders are not copied. The error
// joins those of the files.
func (c *Client) Copy(ctx context.Context, from, to string, names ...string) error {
	return c.copyFiles(ctx, from, to, names, "copy")
}

// Move moves files of one folder to another. See [Client.Copy].
func (c *Client) Move(ctx context.Context, from, to string, names ...string) error {
	return c.copyFiles(ctx, from, to, names, "move")
}

func (c *Client) copyFiles(ctx context.Context, from, to string, names []string, op string) error {
	before, err := c.List(ctx, from)
	if err != nil {
		return err
	}
	var m Message = &Copy{RequestID: c.newID(), From: from, To: to, Names: names}
	if op == "move" {
		m = &Move{RequestID: c.newID(), From: from, To: to, Names: names}
	}
	if err := c.send(ctx, m); err != nil {
		return fmt.Errorf("files: %s: %w", op, err)
	}
	there, err := c.List(ctx, to)
	if err != nil {
		return err
	}
	after := before
	if op == "move" {
		if after, err = c.List(ctx, from); err != nil {
			return err
		}
	}
	var errs []error
	for _, name := range names {
		source, copied := find(before, name), find(there, name)
		switch {
		case source == nil:
			errs = append(errs, fmt.Errorf("files: %s %s: %w", op, quote(name), fs.ErrNotExist))
		case copied == nil || source.Size != copied.Size || op == "move" && find(after, name) != nil:
			errs = append(errs, fmt.Errorf("files: %s %s: %w", op, quote(name), ErrRefused))
		}
	}
	return errors.Join(errs...)
}

// maxFound bounds results that wait to be taken.
const maxFound = 100_000

// search is a Find that goes on.
type search struct {
	id ID

	mu    sync.Mutex
	found []string
	ended bool
	more  chan struct{}
}

// take notes a result.
func (s *search) take(m *Found) error {
	if s == nil || string(s.id) != string(m.RequestID) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.Path == nil {
		s.ended = true
	} else {
		if len(s.found) == maxFound {
			return fmt.Errorf("%w: results of a search that nobody takes", ErrTooLarge)
		}
		s.found = append(s.found, *m.Path)
	}
	select {
	case s.more <- struct{}{}:
	default:
	}
	return nil
}

// Find looks for files and folders below a path whose names match a pattern such as "*.txt". It yields what is to be put behind
// the path to get to them. Breaking off ends the search. The stock agent of Linux finds nothing.
func (c *Client) Find(ctx context.Context, path, pattern string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := c.turnFind.take(ctx, c); err != nil {
			yield("", fmt.Errorf("files: find: %w", err))
			return
		}
		defer c.turnFind.leave()
		s := &search{id: c.newID(), more: make(chan struct{}, 1)}
		c.mu.Lock()
		c.find = s
		c.mu.Unlock()
		looks := false // the device, for all that is known
		defer func() {
			c.mu.Lock()
			c.find = nil
			c.mu.Unlock()
			if looks {
				c.sendLast(&CancelFind{RequestID: s.id})
			}
		}()
		if err := c.send(ctx, &Find{RequestID: s.id, Path: path, Filter: pattern}); err != nil {
			yield("", fmt.Errorf("files: find: %w", err))
			return
		}
		looks = true
		for {
			if _, err := wait(ctx, c, s.more); err != nil {
				yield("", fmt.Errorf("files: find: %w", err))
				return
			}
			s.mu.Lock()
			found := s.found
			s.found, looks = nil, !s.ended
			s.mu.Unlock()
			for _, f := range found {
				if !yield(f, nil) {
					return
				}
			}
			if !looks {
				return
			}
		}
	}
}

// cancelled is how long a cancelled packing may take to end.
const cancelled = 5 * time.Second

// Zip packs files and folders of a folder into a file there. The progress, if it is not nil, is told about once a second.
// Cancelling removes the file.
func (c *Client) Zip(ctx context.Context, folder string, names []string, output string, progress func(file string, percent float64)) error {
	if len(names) == 0 {
		return fmt.Errorf("files: zip: %w: nothing to pack", ErrPath)
	}
	err := c.pack(ctx, &Zip{Path: folder, Files: names, Output: output}, folder, progress)
	if err != nil {
		return fmt.Errorf("files: zip %s: %w", quote(output), err)
	}
	there, err := c.List(ctx, folder)
	e := find(there, output)
	return outcome("zip", output, e != nil && !e.IsDir(), err)
}

// Unzip unpacks a file into a folder.
func (c *Client) Unzip(ctx context.Context, input, folder string) error {
	parent, _ := split(input)
	if err := c.pack(ctx, &Unzip{Input: input, Dest: folder}, parent, nil); err != nil {
		return fmt.Errorf("files: unzip %s: %w", quote(input), err)
	}
	return nil
}

// pack waits for the end of what a message starts. If the device starts nothing it says nothing: a listing, which it answers
// afterwards, shows that.
func (c *Client) pack(ctx context.Context, m Message, folder string, progress func(string, float64)) error {
	if err := c.turnZip.take(ctx, c); err != nil {
		return err
	}
	defer c.turnZip.leave()
	dialogs := make(chan *Dialog, 64)
	c.mu.Lock()
	c.dialogs = dialogs
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.dialogs = nil
		c.mu.Unlock()
	}()
	if err := c.send(ctx, m); err != nil {
		return err
	}
	_, zipping := m.(*Zip)
	stop := func() {
		if zipping {
			c.sendLast(&Cancel{})
			c.lastDialog(dialogs)
		}
	}
	if zipping {
		if _, err := c.List(ctx, folder); err != nil {
			if !errors.Is(err, fs.ErrNotExist) { // no answer, and it may have started
				stop()
			}
			return err
		}
		if len(dialogs) == 0 {
			return ErrRefused
		}
	}
	for {
		d, err := wait(ctx, c, dialogs)
		if err != nil {
			stop()
			return err
		}
		switch {
		case d.Msg == nil:
			return nil
		case *d.Msg == "unziperror":
			return fmt.Errorf("%w: %s", ErrRefused, quote(string(d.Error)))
		case *d.Msg == "zippingFile" && progress != nil:
			progress(d.File, d.Progress)
		}
	}
}

// lastDialog waits for the end of what was cancelled, so that it is not taken for that of the next.
func (c *Client) lastDialog(dialogs <-chan *Dialog) {
	timeout := time.NewTimer(cancelled)
	defer timeout.Stop()
	for {
		select {
		case d := <-dialogs:
			if d.Msg == nil {
				return
			}
		case <-timeout.C:
			return
		case <-c.ctx.Done():
			return
		}
	}
}
