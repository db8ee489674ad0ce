package desktop

import (
	"fmt"
	"image"
	"slices"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// ViewerConfig is how a viewer wants the picture. The zero value asks for JPEG of quality 50 in full size, every 100 ms.
type ViewerConfig struct {
	// Compression is sent with the first size of the screen and each new one, as stock viewers do.
	Compression Compression
	// MaxPixels bounds the screen; 0 is 33,554,432, four displays of 4K.
	MaxPixels int
	// Fragments is for transports that cut commands in pieces. See [Splitter].
	Fragments bool
	// ViewOnly has the viewer send nothing of its own accord but how it wants the picture.
	ViewOnly bool
}

// Changes is what has happened since it was last asked.
type Changes struct {
	Damage     []image.Rectangle // the parts of the picture that were painted
	Resized    bool              // the picture has a new size, and all of it is damaged
	Displays   bool              // the displays or the selected one
	Cursor     bool
	KeyState   bool
	InputLock  bool
	TouchReady bool
	Notices    []Notice  // the last of them
	Alerts     []Alert   // the last of them
	Console    []Console // what the tunnel says: that the user is asked, that he refused
	Tiles      int       // images that were painted; with a size alone the picture is black yet
	BadTiles   int       // images that could not be decoded
}

// Bounds of what is kept for a caller that does not ask.
const (
	maxDamage = 32
	maxTexts  = 16
	maxText   = 4096
)

// Any says whether anything has happened.
func (c *Changes) Any() bool {
	return len(c.Damage) > 0 || c.Resized || c.Displays || c.Cursor || c.KeyState || c.InputLock || c.TouchReady ||
		len(c.Notices) > 0 || len(c.Alerts) > 0 || len(c.Console) > 0 || c.BadTiles > 0
}

// damage adds a rectangle. Where there are many they become the one around them all.
func (c *Changes) damage(r image.Rectangle) {
	if r.Empty() {
		return
	}
	for _, d := range c.Damage {
		if r.In(d) {
			return
		}
	}
	if len(c.Damage) == maxDamage {
		for _, d := range c.Damage {
			r = r.Union(d)
		}
		c.Damage = c.Damage[:0]
	}
	c.Damage = append(c.Damage, r)
}

func keepLast[T any](list []T, v T) []T {
	if len(list) == maxTexts {
		list = slices.Delete(list, 0, 1)
	}
	return append(list, v)
}

// Viewer is the viewer's end of a desktop without any I/O. What arrives is given to Handle; what is to be sent is taken
// with Next.
type Viewer struct {
	cfg      ViewerConfig
	canvas   *Canvas
	split    Splitter
	displays Displays
	layout   DisplayLayout
	cursor   Cursor
	locks    Locks
	locked   bool
	touch    bool
	changes  Changes
	out      []outgoing
}

type outgoing struct {
	typ  msgconn.Type
	data []byte
}

// NewViewer returns a viewer that has seen nothing yet.
func NewViewer(cfg ViewerConfig) *Viewer {
	if cfg.Compression == (Compression{}) {
		cfg.Compression = Compression{Format: ImageJPEG, Quality: 50, Scaling: FullScale, Milliseconds: 100}
	}
	return &Viewer{cfg: cfg, canvas: NewCanvas(cfg.MaxPixels), split: Splitter{Fragments: cfg.Fragments}}
}

// Image is the picture. It changes with the next message.
func (v *Viewer) Image() *image.RGBA { return v.canvas.Image() }

// Displays lists the displays of the device, and which is shown.
func (v *Viewer) Displays() Displays { return v.displays }

// Layout says where the displays are; Linux does not tell.
func (v *Viewer) Layout() DisplayLayout { return v.layout }

// Cursor is the shape of the mouse cursor.
func (v *Viewer) Cursor() Cursor { return v.cursor }

// Locks are the lock keys that are on.
func (v *Viewer) Locks() Locks { return v.locks }

// InputLocked says whether the keyboard and the mouse of the device are locked.
func (v *Viewer) InputLocked() bool { return v.locked }

// TouchReady says whether touch input can be used.
func (v *Viewer) TouchReady() bool { return v.touch }

// Changes returns what has happened since the last call.
func (v *Viewer) Changes() Changes {
	c := v.changes
	v.changes = Changes{}
	return c
}

// Next returns the next message that is to be sent, or false if there is none.
func (v *Viewer) Next() (msgconn.Type, []byte, bool) {
	if len(v.out) == 0 {
		v.out = nil
		return 0, nil, false
	}
	o := v.out[0]
	v.out = v.out[1:]
	return o.typ, o.data, true
}

// SetCompression says how the picture is to be sent, from now on.
func (v *Viewer) SetCompression(c Compression) {
	v.cfg.Compression = c
	v.send(c)
}

// maxOutgoing bounds what waits to be sent to an agent that makes the viewer answer and does not read.
const maxOutgoing = 256

// send queues commands. None of those that the viewer sends can fail to be encoded.
func (v *Viewer) send(messages ...Message) {
	for _, m := range messages {
		if b, err := m.Append(nil); err == nil {
			v.queue(msgconn.Binary, b)
		}
	}
}

func (v *Viewer) queue(typ msgconn.Type, b []byte) {
	if len(v.out) < maxOutgoing {
		v.out = append(v.out, outgoing{typ, b})
	}
}

// Handle takes a message of the tunnel. An error is a peer that breaks the protocol; the tunnel is then to be closed.
func (v *Viewer) Handle(typ msgconn.Type, message []byte) error {
	if typ == msgconn.Text {
		v.control(message)
		return nil
	}
	return v.split.Feed(message, v.command)
}

// control takes a text message. What is not understood is of no concern to a viewer.
func (v *Viewer) control(message []byte) {
	c, ok := parseControl(message)
	if !ok {
		return
	}
	switch c.Type {
	case "ping":
		v.queue(msgconn.Text, []byte(pong))
	case "console":
		v.changes.Console = keepLast(v.changes.Console, Console{Text: clip(c.Message), ID: c.MessageID})
	}
}

func (v *Viewer) command(command []byte) error {
	c, p, err := Split(command)
	if err != nil {
		return err
	}
	switch c {
	case CommandTile: // without the detour over Message: this is most of what comes
		t, err := ParseTile(p)
		if err != nil {
			return err
		}
		area, err := v.canvas.DrawTile(t)
		if err != nil {
			v.changes.BadTiles++ // an image in a format that is not known here does not end a session
			return nil
		}
		v.changes.Tiles++
		v.changes.damage(area)
		return nil
	case CommandScreen:
		s, err := ParseScreen(p)
		if err != nil {
			return err
		}
		return v.screen(s)
	default:
		m, err := ParseFromAgent(command)
		if err != nil {
			return fmt.Errorf("from agent: %w", err)
		}
		v.message(m)
		return nil
	}
}

// screen is a size of the screen. Only a new one changes the picture: agents repeat it.
func (v *Viewer) screen(s Screen) error {
	if size := v.canvas.Image().Rect.Size(); size != image.Pt(int(s.Width), int(s.Height)) {
		if err := v.canvas.Resize(int(s.Width), int(s.Height)); err != nil {
			return err
		}
		v.changes.Resized, v.changes.Damage = true, []image.Rectangle{v.canvas.Image().Rect}
		v.send(v.cfg.Compression, Pause{})
		if !v.cfg.ViewOnly {
			v.send(InputLock{Action: InputQuery})
		}
	}
	if !v.cfg.ViewOnly {
		// Shift, Ctrl, Alt and the two Windows keys: what another session left pressed would spoil all input.
		for _, code := range [...]uint8{16, 17, 18, 91, 92} {
			v.send(Key{Action: KeyUp, Code: code})
		}
	}
	return nil
}

func (v *Viewer) message(m Message) {
	switch m := m.(type) {
	case Copy:
		v.changes.damage(v.canvas.CopyArea(m))
	case Displays:
		v.displays, v.changes.Displays = m, true
	case Display:
		v.displays.Selected, v.changes.Displays = m.ID, true
	case DisplayLayout:
		v.layout, v.changes.Displays = m, true
	case KeyState:
		v.locks, v.changes.KeyState = m.Locks, true
	case InputLockState:
		v.locked, v.changes.InputLock = m.State != 0, true
	case CursorShape:
		v.cursor, v.changes.Cursor = m.Cursor, true
	case TouchReady:
		v.touch, v.changes.TouchReady = m.State == 1, true
	case Notice:
		v.changes.Notices = keepLast(v.changes.Notices, Notice{clip(m.Text)})
	case Alert:
		v.changes.Alerts = keepLast(v.changes.Alerts, Alert{clip(m.Text)})
	}
}

func clip(s string) string { return s[:min(len(s), maxText)] }
