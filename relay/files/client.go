package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// Config changes a [Client]. Its zero value works.
type Config struct {
	// Timeout is how long the device may say nothing that is waited for. Zero is two minutes: it answers a listing only after
	// it has done what it was told before.
	Timeout time.Duration
	// OnConsole is told of lines of the device for the operator, as while its user is asked; an empty one takes the last back. It
	// must not wait, nor call Close.
	OnConsole func(text string)
}

const defaultTimeout = 2 * time.Minute

// Client is the operator's end. Its methods may be called from several goroutines; of transfers in one direction, of searches
// and of packing there is one at a time, the others wait. Paths are the device's. Cancelling a context ends only what it
// was given for.
type Client struct {
	conn   Conn
	cfg    Config
	ctx    context.Context
	cancel context.CancelCauseFunc
	out    *outbox
	wg     sync.WaitGroup

	pool sync.Pool // *[]byte, of file contents

	turnUpload, turnDownload, turnFind, turnZip turn

	mu       sync.Mutex
	lastID   uint64
	waiting  map[string]chan Message // listings and hashes
	upload   *transfer
	download *transfer
	find     *search
	dialogs  chan *Dialog
	denied   string
}

// turn is a lock that can be waited for with a context.
type turn chan struct{}

func (t turn) take(ctx context.Context, c *Client) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
}

func (t turn) leave() { <-t }

// Open starts the protocol on a tunnel whose ends have met. The context is for the start only.
func Open(ctx context.Context, conn Conn, cfg Config) (*Client, error) {
	t, b, err := Append(nil, Start{Protocol})
	if err == nil {
		err = conn.WriteMessage(ctx, t, b)
	}
	if err != nil {
		return nil, fmt.Errorf("files: start: %w", err)
	}
	return New(conn, cfg), nil
}

// New is the operator's end of a tunnel on which the number is already said. It takes the connection over, until Close.
func New(conn Conn, cfg Config) *Client {
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if l, ok := conn.(msgconn.Limiter); ok {
		l.SetReadLimit(maxReply)
	}
	c := &Client{
		conn: conn, cfg: cfg, out: newOutbox(), waiting: make(map[string]chan Message),
		turnUpload: make(turn, 1), turnDownload: make(turn, 1), turnFind: make(turn, 1), turnZip: make(turn, 1),
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.wg.Go(c.read)
	c.wg.Go(c.write)
	return c
}

// Close ends the tunnel, and all calls. What is uploaded then stays on the device as far as it came.
func (c *Client) Close() error {
	c.fail(net.ErrClosed)
	_ = c.conn.Close(msgconn.CloseNormal, "")
	c.wg.Wait()
	return nil
}

// fail ends the client. Only the first cause counts.
func (c *Client) fail(err error) { c.cancel(fmt.Errorf("files: tunnel: %w", err)) }

// broken ends the client because the tunnel has. If it has ended already, whoever has done that closes the tunnel.
func (c *Client) broken(err error) {
	first := c.ctx.Err() == nil
	c.fail(err)
	if first {
		_ = c.conn.Close(0, "")
	}
}

func (c *Client) write() {
	for {
		m, err := c.out.take(c.ctx)
		if err != nil {
			return
		}
		err = c.conn.WriteMessage(c.ctx, m.t, m.b)
		if m.back != nil {
			c.pool.Put(m.back)
		}
		if err != nil {
			c.broken(err)
			return
		}
	}
}

// send queues a message.
func (c *Client) send(ctx context.Context, m Message) error {
	t, b, err := Append(nil, m)
	if err != nil {
		return err
	}
	return c.queue(ctx, outgoing{t: t, b: b})
}

func (c *Client) queue(ctx context.Context, m outgoing) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	select {
	case c.out.room <- struct{}{}:
		m.counted = true
		c.out.put(m)
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
}

// sendLast says something on behalf of a call that has ended, after all that it has said before. It does not wait: however
// slow the tunnel is, a device is not left with half a file, or at work for nobody.
func (c *Client) sendLast(m Message) {
	if t, b, err := Append(nil, m); err == nil {
		c.out.put(outgoing{t: t, b: b})
	}
}

// read takes messages in and never waits for those who want them.
func (c *Client) read() {
	for {
		t, b, err := c.conn.ReadMessage(c.ctx)
		if err == nil {
			err = c.take(t, b)
		}
		if err != nil {
			c.mu.Lock()
			if c.denied != "" {
				err = fmt.Errorf("%w: %s: %w", ErrRefused, quote(c.denied), err)
			}
			c.mu.Unlock()
			c.broken(err)
			return
		}
	}
}

// take hands a message to who waits for it. Errors end the tunnel.
func (c *Client) take(t Type, b []byte) error {
	m, err := ParseReply(t, b)
	if err != nil {
		return nil //nolint:nilerr // what is not understood is dropped, as by the stock clients
	}
	if console, ok := m.(*Control); ok {
		c.control(console)
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch m := m.(type) {
	case *Listing:
		c.answer(m.RequestID, m)
	case *Hash:
		c.answer(m.RequestID, m)
	case *UploadStart:
		if c.upload.is(m.RequestID) {
			c.upload.started = true
			return c.upload.tell(m)
		}
	case *UploadAck:
		if c.upload.is(m.RequestID) {
			return c.upload.tell(m)
		}
	case *UploadDone:
		if c.upload.is(m.RequestID) {
			return c.upload.tell(m)
		}
	case *UploadError:
		// One without an id is about a block. Before the start it is about those of the upload before.
		if c.upload.is(m.RequestID) || c.upload != nil && c.upload.started && len(m.RequestID) == 0 {
			return c.upload.tell(m)
		}
	case *Download:
		if c.download.is(m.ID) {
			c.download.started = c.download.started || m.Step == DownloadStart
			return c.download.tell(m)
		}
	case Block:
		if c.download != nil && c.download.started { // otherwise it is of the download before
			p := c.buffer(len(m.Data))
			copy(*p, m.Data)
			return c.download.tell(ownBlock{p, m.Last})
		}
	case *Found:
		return c.find.take(m)
	case *Dialog:
		c.dialog(m)
	}
	return nil
}

// dialog passes on what packing is at. Where nobody takes it only the end counts, for which something else is left out. The
// lock is held, so nobody else puts anything in.
func (c *Client) dialog(m *Dialog) {
	if c.dialogs == nil {
		return
	}
	for {
		select {
		case c.dialogs <- m:
			return
		default:
		}
		if m.Msg != nil {
			return
		}
		select {
		case <-c.dialogs:
		default: // has been taken meanwhile
		}
	}
}

// ownBlock is a Block in a buffer of the pool.
type ownBlock struct {
	data *[]byte
	last bool
}

func (ownBlock) message() {}

// buffer is one of the pool.
func (c *Client) buffer(n int) *[]byte {
	p, _ := c.pool.Get().(*[]byte)
	if p == nil {
		p = new([]byte)
	}
	if cap(*p) < n {
		*p = make([]byte, n)
	}
	*p = (*p)[:n]
	return p
}

// control sees to messages of the tunnel itself.
func (c *Client) control(m *Control) {
	switch m.Type {
	case "ping":
		t, b, err := Append(nil, &Control{Channel: Marker, Type: "pong"})
		if err == nil {
			select {
			case c.out.room <- struct{}{}:
				c.out.put(outgoing{t: t, b: b, counted: true})
			default: // there is enough under way to show that this end lives
			}
		}
	case "console":
		line := ""
		if m.Msg != nil {
			line = *m.Msg
		}
		if m.MsgID != nil && *m.MsgID >= 2 && *m.MsgID <= 4 { // refused, failed, timed out
			c.mu.Lock()
			c.denied = line
			c.mu.Unlock()
		}
		if c.cfg.OnConsole != nil {
			c.cfg.OnConsole(line)
		}
	}
}

// answer wakes up who has made a request. The lock is held.
func (c *Client) answer(id ID, m Message) {
	if ch, ok := c.waiting[string(id)]; ok {
		delete(c.waiting, string(id))
		ch <- m // has room for it
	}
}

// newID makes the id of a request.
func (c *Client) newID() ID {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastID++
	return TextID("r" + strconv.FormatUint(c.lastID, 10))
}

// ask makes a request and waits for its answer.
func (c *Client) ask(ctx context.Context, id ID, m Message) (Message, error) {
	ch := make(chan Message, 1)
	c.mu.Lock()
	c.waiting[string(id)] = ch
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, string(id))
		c.mu.Unlock()
	}()
	if err := c.send(ctx, m); err != nil {
		return nil, err
	}
	return wait(ctx, c, ch)
}

// wait waits for something from the device.
func wait[T any](ctx context.Context, c *Client, ch <-chan T) (T, error) {
	var none T
	timeout := time.NewTimer(c.cfg.Timeout)
	defer timeout.Stop()
	select {
	case m := <-ch:
		return m, nil
	case <-ctx.Done():
		return none, context.Cause(ctx)
	case <-c.ctx.Done():
		select {
		case m := <-ch: // it came before the end
			return m, nil
		default:
		}
		return none, context.Cause(c.ctx)
	case <-timeout.C:
		select {
		case m := <-ch: // it came, and this end was late
			return m, nil
		default:
		}
		return none, ErrTimeout
	}
}

// List returns what is in a folder; that of "/" is the root, or, on a Windows, "" are the drives. A folder that is not there, or
// that must not be read, is [fs.ErrNotExist].
func (c *Client) List(ctx context.Context, path string) ([]Entry, error) {
	id := c.newID()
	m, err := c.ask(ctx, id, &List{RequestID: id, Path: path})
	if err != nil {
		return nil, fmt.Errorf("files: list %s: %w", quote(path), err)
	}
	l, ok := m.(*Listing)
	if !ok || l.Dir == nil {
		return nil, fmt.Errorf("files: list %s: %w", quote(path), fs.ErrNotExist)
	}
	return l.Dir, nil
}

// Stat returns the entry of a file or folder, by listing the folder that it is in.
func (c *Client) Stat(ctx context.Context, path string) (*Entry, error) {
	folder, name := split(path)
	entries, err := c.List(ctx, folder)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return &Entry{Name: folder, Type: TypeFolder}, nil
	}
	if e := find(entries, name); e != nil {
		return e, nil
	}
	return nil, fmt.Errorf("files: stat %s: %w", quote(path), fs.ErrNotExist)
}

func find(entries []Entry, name string) *Entry {
	for i := range entries {
		if entries[i].Name == name {
			return &entries[i]
		}
	}
	return nil
}

// split cuts a path of the device into folder and name. The name of a root is empty.
func split(path string) (folder, name string) {
	separators := "/"
	if windows := len(path) > 1 && path[1] == ':' || strings.HasPrefix(path, `\\`); windows {
		separators = `/\`
		if len(path) <= 3 {
			return path, "" // a drive
		}
	}
	for len(path) > 1 && strings.IndexByte(separators, path[len(path)-1]) >= 0 {
		path = path[:len(path)-1]
	}
	i := strings.LastIndexAny(path, separators)
	switch {
	case i == 0 || i < 0 && path != "":
		return "/", path[i+1:]
	case i < 0:
		return "/", ""
	case i == 2 && path[1] == ':':
		return path[:3], path[3:]
	}
	return path[:i], path[i+1:]
}

// outcome is [ErrRefused] if a listing does not show what it should.
func outcome(op, path string, ok bool, err error) error {
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case !ok:
		return fmt.Errorf("files: %s %s: %w", op, quote(path), ErrRefused)
	}
	return nil
}
