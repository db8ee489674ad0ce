package files

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"strings"
)

// Progress is told about a transfer.
type Progress struct {
	Done  int64 // bytes that the other end has, those of an earlier attempt included
	Total int64 // zero if it is not known
}

// Result is what became of a transfer.
type Result struct {
	Size     int64  // of the whole file
	Resumed  int64  // how much of it was there already
	Blocks   int    // that were sent
	InFlight int    // the most that were under way at once
	Hash     string // SHA-384 in lower-case hex, if it was compared
}

const (
	uploadWindow = 32
	uploadBlock  = 64 << 10 // stock operators send 65564 bytes
	maxBlockSize = 128 << 10
	// downloadWindow is 1 MiB of the blocks of stock agents.
	downloadWindow = 64
	maxWindow      = 1024
)

// UploadOptions change an upload. The zero value works.
type UploadOptions struct {
	// Size is told to the device and to Progress. Zero is not known.
	Size int64
	// Resume goes on where the device's file ends, if that is how this one begins; a file that is complete is left alone. The
	// reader must be an io.ReadSeeker. An upload that is cut off then leaves what it has written.
	Resume bool
	// NoVerify does without comparing the hashes in the end.
	NoVerify bool
	// Window is how many blocks are under way: 32. BlockSize is theirs: 64 KiB.
	Window, BlockSize int
	// Progress is called after each block that the device has written.
	Progress func(Progress)
}

// DownloadOptions change a download. The zero value works.
type DownloadOptions struct {
	// Size is that of the file as listed, for Progress. Zero is not known.
	Size int64
	// NoVerify does without comparing the hashes in the end.
	NoVerify bool
	// Window is how many blocks are asked for before the first has come: 64, of 16380 bytes from stock agents.
	Window int
	// Progress is called after each block that was written.
	Progress func(Progress)
}

// transfer is an upload or a download that goes on: what the device says of it.
type transfer struct {
	id      ID
	started bool // the client's lock
	events  chan Message
}

// is says whether an id is that of the transfer, if there is one.
func (t *transfer) is(id ID) bool { return t != nil && string(t.id) == string(id) }

// tell passes a message on. There is room for all that the device may send.
func (t *transfer) tell(m Message) error {
	select {
	case t.events <- m:
		return nil
	default:
		return fmt.Errorf("%w: more blocks or acknowledgements than asked for", ErrProtocol)
	}
}

// control is how many messages besides those of the window can come.
const controls = 4

func (c *Client) begin(slot **transfer, window int) *transfer {
	t := &transfer{id: c.newID(), events: make(chan Message, window+controls)}
	c.mu.Lock()
	*slot = t
	c.mu.Unlock()
	return t
}

func (c *Client) end(slot **transfer) {
	c.mu.Lock()
	*slot = nil
	c.mu.Unlock()
}

// Hash returns the SHA-384 of a file as the device reckons it, in lower-case hex. A file that cannot be read is
// [fs.ErrNotExist].
func (c *Client) Hash(ctx context.Context, path string) (string, error) {
	id := c.newID()
	m, err := c.ask(ctx, id, &UploadHash{RequestID: id, Path: path})
	if err != nil {
		return "", fmt.Errorf("files: hash %s: %w", quote(path), err)
	}
	h, ok := m.(*Hash)
	if !ok || h.Hash == nil {
		return "", fmt.Errorf("files: hash %s: %w", quote(path), fs.ErrNotExist)
	}
	return strings.ToLower(*h.Hash), nil
}

// verify compares the hash of what was transferred with that of the device's file.
func (c *Client) verify(ctx context.Context, path string, h hash.Hash, r *Result) error {
	remote, err := c.Hash(ctx, path)
	if err != nil {
		return err
	}
	local := hex.EncodeToString(h.Sum(nil))
	if remote != local {
		return fmt.Errorf("files: %s: %w: it is %.96q there and %q here", quote(path), ErrHash, remote, local)
	}
	r.Hash = local
	return nil
}

// Upload writes what r has to a file of the device. Cancelling the context removes the file, or, with Resume, leaves what is there;
// it does not end a call of r.Read.
func (c *Client) Upload(ctx context.Context, r io.Reader, path string, o UploadOptions) (*Result, error) {
	u := &uploading{c: c, r: r, path: path, o: o, hash: sha512.New384()}
	u.o.Window = min(max(u.o.Window, 0), maxWindow)
	if u.o.Window == 0 {
		u.o.Window = uploadWindow
	}
	u.o.BlockSize = min(max(u.o.BlockSize, 0), maxBlockSize)
	if u.o.BlockSize == 0 {
		u.o.BlockSize = uploadBlock
	}
	if err := c.turnUpload.take(ctx, c); err != nil {
		return nil, fmt.Errorf("files: upload %s: %w", quote(path), err)
	}
	defer c.turnUpload.leave()
	if err := u.run(ctx); err != nil {
		return nil, fmt.Errorf("files: upload %s: %w", quote(path), err)
	}
	return &u.result, nil
}

type uploading struct {
	c    *Client
	r    io.Reader
	path string
	o    UploadOptions
	hash hash.Hash

	t        *transfer
	result   Result
	inFlight []int // sizes of the blocks under way
	done     int64
}

func (u *uploading) run(ctx context.Context) error {
	complete := false
	if u.o.Resume {
		var err error
		if complete, err = u.resume(ctx); err != nil {
			return err
		}
	}
	if !complete {
		u.t = u.c.begin(&u.c.upload, u.o.Window)
		defer u.c.end(&u.c.upload)
		if err := u.transfer(ctx); err != nil {
			return err
		}
	}
	u.result.Size = u.done
	if u.o.NoVerify {
		return nil
	}
	return u.c.verify(ctx, u.path, u.hash, &u.result)
}

// resume finds out how much of the file the device has, and says whether that is all of it.
func (u *uploading) resume(ctx context.Context) (complete bool, err error) {
	seeker, ok := u.r.(io.Seeker)
	if !ok {
		return false, errors.New("files: to resume the reader must be able to seek")
	}
	start, err := seeker.Seek(0, io.SeekCurrent)
	if err != nil {
		return false, err
	}
	end, err := seeker.Seek(0, io.SeekEnd)
	if err != nil {
		return false, err
	}
	if _, err := seeker.Seek(start, io.SeekStart); err != nil {
		return false, err
	}
	size := end - start
	if u.o.Size == 0 {
		u.o.Size = size
	}
	e, err := u.c.Stat(ctx, u.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (e.IsDir() || e.Size == 0 && size > 0 || e.Size > size) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if _, err := io.CopyN(u.hash, readerWith(ctx, u.r), e.Size); err != nil {
		return false, err
	}
	remote, err := u.c.Hash(ctx, u.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err != nil || remote != hex.EncodeToString(u.hash.Sum(nil)) {
		u.hash.Reset() // another file: from the start
		_, err := seeker.Seek(start, io.SeekStart)
		return false, err
	}
	u.done, u.result.Resumed = e.Size, e.Size
	return e.Size == size, nil
}

// transfer sends the file.
func (u *uploading) transfer(ctx context.Context) (err error) {
	begin := &Upload{RequestID: u.t.id, Path: u.path, Append: u.result.Resumed > 0}
	if u.o.Size > 0 {
		begin.Size = &u.o.Size
	}
	if err := u.c.send(ctx, begin); err != nil {
		return err
	}
	defer func() {
		if err == nil {
			return
		}
		if u.o.Resume {
			u.c.sendLast(&UploadDone{RequestID: u.t.id}) // closes the file, and leaves it
		} else {
			u.c.sendLast(&UploadCancel{RequestID: u.t.id})
		}
	}()
	m, err := wait(ctx, u.c, u.t.events)
	if err != nil {
		return err
	}
	if _, ok := m.(*UploadStart); !ok {
		return ErrRefused
	}
	for ended := false; !ended || len(u.inFlight) > 0; {
		if !ended && len(u.inFlight) < u.o.Window {
			if ended, err = u.sendBlock(ctx); err != nil {
				return err
			}
			for len(u.t.events) > 0 {
				if err := u.acked(ctx); err != nil {
					return err
				}
			}
			continue
		}
		if err := u.acked(ctx); err != nil {
			return err
		}
	}
	if err := u.c.send(ctx, &UploadDone{RequestID: u.t.id}); err != nil {
		return err
	}
	if m, err = wait(ctx, u.c, u.t.events); err != nil {
		return err
	}
	switch m.(type) {
	case *UploadDone:
		return nil
	case *UploadError:
		return ErrRefused
	}
	return fmt.Errorf("%w: %T at the end of an upload", ErrProtocol, m)
}

// sendBlock sends the next block, and says whether it is the last.
func (u *uploading) sendBlock(ctx context.Context) (ended bool, err error) {
	p := u.c.buffer(1 + u.o.BlockSize) // room for the escape
	n, err := io.ReadFull(u.r, (*p)[1:])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		ended, err = true, nil
	}
	if err != nil || n == 0 {
		u.c.pool.Put(p)
		return ended, err
	}
	b := (*p)[:1+n]
	_, _ = u.hash.Write(b[1:])
	if b[1] == 0 || b[1] == '{' {
		b[0] = 0
	} else {
		b = b[1:]
	}
	if err := u.c.queue(ctx, outgoing{t: Binary, b: b, back: p}); err != nil {
		return false, err
	}
	u.inFlight = append(u.inFlight, n)
	u.result.Blocks++
	u.result.InFlight = max(u.result.InFlight, len(u.inFlight))
	return ended, nil
}

// acked waits for the device to have written a block.
func (u *uploading) acked(ctx context.Context) error {
	m, err := wait(ctx, u.c, u.t.events)
	if err != nil {
		return err
	}
	switch m.(type) {
	case *UploadAck:
	case *UploadError:
		return fmt.Errorf("%w: it cannot write", ErrRefused)
	default:
		return fmt.Errorf("%w: %T during an upload", ErrProtocol, m)
	}
	if len(u.inFlight) == 0 {
		return fmt.Errorf("%w: an acknowledgement for nothing", ErrProtocol)
	}
	u.done += int64(u.inFlight[0])
	u.inFlight = append(u.inFlight[:0], u.inFlight[1:]...)
	if u.o.Progress != nil {
		u.o.Progress(Progress{Done: u.done, Total: u.o.Size})
	}
	return nil
}

// Download writes a file of the device to w. If it fails, w has got a part of it, which is not compared.
func (c *Client) Download(ctx context.Context, path string, w io.Writer, o DownloadOptions) (*Result, error) {
	o.Window = min(max(o.Window, 0), maxWindow)
	if o.Window == 0 {
		o.Window = downloadWindow
	}
	if o.Size > 0 && o.Size/MaxBlock < int64(o.Window) {
		o.Window = int(o.Size/MaxBlock) + 1
	}
	if err := c.turnDownload.take(ctx, c); err != nil {
		return nil, fmt.Errorf("files: download %s: %w", quote(path), err)
	}
	defer c.turnDownload.leave()
	r := new(Result)
	h := sha512.New384()
	err := c.receive(ctx, path, io.MultiWriter(w, h), o, r)
	if err == nil && !o.NoVerify {
		err = c.verify(ctx, path, h, r)
	}
	if err != nil {
		return nil, fmt.Errorf("files: download %s: %w", quote(path), err)
	}
	return r, nil
}

func (c *Client) receive(ctx context.Context, path string, w io.Writer, o DownloadOptions, r *Result) (err error) {
	t := c.begin(&c.download, o.Window)
	defer c.end(&c.download)
	if err := c.send(ctx, &Download{Step: DownloadStart, ID: t.id, Path: &path}); err != nil {
		return err
	}
	ended := false
	defer func() {
		if err != nil && !ended {
			c.sendLast(&Download{Step: DownloadStop, ID: t.id})
		}
	}()
	m, err := wait(ctx, c, t.events)
	if err != nil {
		return err
	}
	if d, ok := m.(*Download); !ok || d.Step != DownloadStart {
		ended = true
		return fmt.Errorf("%w: %w", ErrRefused, fs.ErrNotExist)
	}
	// One block for the start, and one for each acknowledgement: that no block has come yet does not matter to the device.
	one := 1
	if err := c.send(ctx, &Download{Step: DownloadStartAck, ID: t.id, Ack: &one}); err != nil {
		return err
	}
	asked := 1
	for {
		for asked < o.Window {
			if err := c.send(ctx, &Download{Step: DownloadAck, ID: t.id}); err != nil {
				return err
			}
			asked++
		}
		r.InFlight = max(r.InFlight, asked)
		m, err := wait(ctx, c, t.events)
		if err != nil {
			return err
		}
		b, ok := m.(ownBlock)
		if !ok {
			ended = true
			return fmt.Errorf("%w: it cannot read on", ErrRefused)
		}
		if asked--; asked < 0 {
			return fmt.Errorf("%w: a block that was not asked for", ErrProtocol)
		}
		n, err := w.Write(*b.data)
		c.pool.Put(b.data)
		if err != nil {
			return err
		}
		r.Size += int64(n)
		r.Blocks++
		if o.Progress != nil {
			o.Progress(Progress{Done: r.Size, Total: o.Size})
		}
		if b.last {
			ended = true
			return nil
		}
	}
}
