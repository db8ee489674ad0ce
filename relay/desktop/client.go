package desktop

import (
	"context"
	"errors"
	"fmt"
	"image"
	"sync"
	"unicode/utf16"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// Conn is the connection of a tunnel, after the two ends have met and the protocol number was sent.
type Conn = msgconn.Conn

// ErrNoClipboard is a client that was given no way to the clipboard.
var ErrNoClipboard = errors.New("desktop: no clipboard was configured")

// Clipboard is the clipboard of the device. It is not part of a desktop tunnel: it is reached by messages of the control
// channel ("getclip" and "setclip").
type Clipboard interface {
	Clipboard(ctx context.Context) (string, error)
	SetClipboard(ctx context.Context, text string) error
}

// ClientConfig is the configuration of a [Client].
type ClientConfig struct {
	ViewerConfig
	Clipboard Clipboard // nil: the methods for it return [ErrNoClipboard]
}

// Client is a viewer over a connection: the picture of a device's screen, and its keyboard and mouse. Its methods can be
// called from several goroutines.
type Client struct {
	conn      Conn
	clipboard Clipboard

	mu      sync.Mutex
	viewer  *Viewer
	changed chan struct{} // closed and replaced when there are changes
	ended   bool
	err     error

	sending sync.Mutex // keeps answers in order, and commands that belong together
}

// NewClient returns a client. Nothing happens until Run is called.
func NewClient(conn Conn, cfg ClientConfig) *Client {
	return &Client{conn: conn, clipboard: cfg.Clipboard, viewer: NewViewer(cfg.ViewerConfig), changed: make(chan struct{})}
}

// Run receives until the connection or the context ends, and returns why. It is called once. The connection is closed.
func (c *Client) Run(ctx context.Context) error {
	err := c.run(ctx)
	code, reason := msgconn.CloseNormal, ""
	if errors.Is(err, ErrSize) || errors.Is(err, ErrShort) || errors.Is(err, ErrTooLarge) {
		code, reason = msgconn.CloseProtocolError, "protocol error"
	}
	_ = c.conn.Close(code, reason)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended, c.err = true, err
	close(c.changed)
	return err
}

func (c *Client) run(ctx context.Context) error {
	for {
		typ, b, err := c.conn.ReadMessage(ctx)
		if err != nil {
			return fmt.Errorf("desktop: read: %w", err)
		}
		c.mu.Lock()
		err = c.viewer.Handle(typ, b)
		if c.viewer.changes.Any() {
			close(c.changed)
			c.changed = make(chan struct{})
		}
		c.mu.Unlock()
		if err != nil {
			return err
		}
		if err := c.flush(ctx); err != nil {
			return err
		}
	}
}

// flush sends what the viewer has to say.
func (c *Client) flush(ctx context.Context) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	for {
		c.mu.Lock()
		typ, b, ok := c.viewer.Next()
		c.mu.Unlock()
		if !ok {
			return nil
		}
		if err := c.conn.WriteMessage(ctx, typ, b); err != nil {
			return fmt.Errorf("desktop: write: %w", err)
		}
	}
}

// Wait returns what has happened since the last call, when something has. Once Run has ended it returns why.
func (c *Client) Wait(ctx context.Context) (Changes, error) {
	for {
		c.mu.Lock()
		ch := c.viewer.Changes()
		changed, ended, err := c.changed, c.ended, c.err
		c.mu.Unlock()
		switch {
		case ch.Any():
			return ch, nil
		case ended:
			return Changes{}, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Changes{}, context.Cause(ctx)
		}
	}
}

// View calls f with the viewer, whose state does not change meanwhile. f keeps nothing of it and does not block.
func (c *Client) View(f func(v *Viewer)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c.viewer)
}

// Snapshot returns a copy of the picture. Before the first size of the screen it is empty.
func (c *Client) Snapshot() *image.RGBA {
	c.mu.Lock()
	defer c.mu.Unlock()
	img := *c.viewer.Image()
	img.Pix = append([]byte(nil), img.Pix...)
	return &img
}

// Send sends commands, each in a message of its own.
func (c *Client) Send(ctx context.Context, messages ...Message) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	var buf [64]byte
	for _, m := range messages {
		b, err := m.Append(buf[:0])
		if err != nil {
			return err
		}
		if err := c.conn.WriteMessage(ctx, msgconn.Binary, b); err != nil {
			return fmt.Errorf("desktop: write: %w", err)
		}
	}
	return nil
}

// Move moves the mouse to a place of the picture.
func (c *Client) Move(ctx context.Context, x, y int) error { return c.Mouse(ctx, MouseMove, x, y) }

// Mouse does something with the mouse at a place of the picture. Places outside are taken to its edge.
func (c *Client) Mouse(ctx context.Context, action MouseAction, x, y int) error {
	m := c.at(x, y)
	m.Action = action
	return c.Send(ctx, m)
}

// Click presses the left button and lets it go.
func (c *Client) Click(ctx context.Context, x, y int) error {
	down, up := c.at(x, y), c.at(x, y)
	down.Action, up.Action = MouseLeftDown, MouseLeftUp
	return c.Send(ctx, down, up)
}

// Wheel turns the wheel, up if delta is positive; a notch is 120.
func (c *Client) Wheel(ctx context.Context, x, y int, delta int16) error {
	m := c.at(x, y)
	m.HasWheel, m.Wheel = true, delta
	return c.Send(ctx, m)
}

func (c *Client) at(x, y int) Mouse {
	c.mu.Lock()
	size := c.viewer.Image().Rect.Size()
	c.mu.Unlock()
	return Mouse{X: uint16(min(max(x, 0), max(size.X-1, 0))), Y: uint16(min(max(y, 0), max(size.Y-1, 0)))}
}

// Press presses a key, given as a virtual-key code of Windows, and lets it go.
func (c *Client) Press(ctx context.Context, code uint8) error {
	return c.Send(ctx, Key{Action: KeyDown, Code: code}, Key{Action: KeyUp, Code: code})
}

// Type types a text as characters, whatever the keyboard of the device.
func (c *Client) Type(ctx context.Context, text string) error {
	for _, r := range text {
		units := utf16.AppendRune(nil, r)
		for _, up := range [...]bool{false, true} {
			for _, u := range units {
				if err := c.Send(ctx, Unicode{Up: up, Unit: u}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// SetCompression says how the picture is to be sent, from now on.
func (c *Client) SetCompression(ctx context.Context, m Compression) error {
	c.mu.Lock()
	c.viewer.SetCompression(m)
	c.mu.Unlock()
	return c.flush(ctx)
}

// Refresh asks for the whole picture.
func (c *Client) Refresh(ctx context.Context) error { return c.Send(ctx, Refresh{}) }

// Clipboard returns what is on the device's clipboard.
func (c *Client) Clipboard(ctx context.Context) (string, error) {
	if c.clipboard == nil {
		return "", ErrNoClipboard
	}
	return c.clipboard.Clipboard(ctx)
}

// SetClipboard puts a text on the device's clipboard.
func (c *Client) SetClipboard(ctx context.Context, text string) error {
	if c.clipboard == nil {
		return ErrNoClipboard
	}
	return c.clipboard.SetClipboard(ctx, text)
}
