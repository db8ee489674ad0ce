// Package x11 is the desktop of an X display: its picture, and its mouse and keyboard by the extension XTEST. It is written
// against the X server of the account that runs the program, which is trusted as that account is.
package x11

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"sync"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

const (
	// answerTime bounds how long an X server may take to answer, or to take a request.
	answerTime = 30 * time.Second
	// maxPixels bounds a picture; it is what package desktop takes. maxSide is the largest place in the protocol of X, and one.
	maxPixels = 1 << 25
	maxSide   = 1 << 15
	// stripBytes is about what is asked for at once. A server does nothing else while it copies a strip.
	stripBytes = 1 << 20
	// maxRetries is how often a picture is begun anew because the screen became smaller meanwhile.
	maxRetries = 3
)

var (
	// ErrGone is an X server that has ended the connection.
	ErrGone = errors.New("x11: the X server has gone")
	// ErrNoAnswer is an X server that did not answer in time. The connection was ended.
	ErrNoAnswer = errors.New("x11: the X server does not answer")
	// ErrTooLarge is a screen of too many pixels.
	ErrTooLarge = errors.New("x11: the screen is too large")
)

// Screen is a screen of an X display. It implements the Source and the Input of package desktop, each for one goroutine at a
// time.
type Screen struct {
	wire   *wire
	conn   *xgb.Conn
	root   xproto.Window
	format pixelFormat
	gone   chan struct{} // closed when the connection has ended

	picture *image.RGBA // only Capture touches it

	mu    sync.Mutex
	size  image.Point
	input input
}

// Open connects to a display, named as in $DISPLAY, with the cookie of $XAUTHORITY.
func Open(ctx context.Context, display string) (*Screen, error) {
	return connect(ctx, display, answerTime)
}

func connect(ctx context.Context, display string, patience time.Duration) (*Screen, error) {
	a, err := parseDisplay(display)
	if err != nil {
		return nil, err
	}
	dialing, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	w, err := dial(dialing, a)
	if err != nil {
		return nil, fmt.Errorf("x11: connect: %w", err)
	}
	w.patience = patience
	xgb.Logger.SetOutput(io.Discard) // what it would print is returned as an error, too
	defer context.AfterFunc(ctx, func() { _ = w.Close() })()
	defer time.AfterFunc(patience, w.giveUp).Stop()
	s := &Screen{wire: w, gone: make(chan struct{})}
	setup, err := s.logIn()
	if err != nil {
		_ = w.Close() // it is of no use
		if w.hung.Load() {
			err = ErrNoAnswer
		}
		return nil, fmt.Errorf("x11: log in: %w", err)
	}
	go s.events()
	if err := s.begin(setup, a.screen); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// logIn begins the connection. xgb does not expect an X server that sends nonsense.
func (s *Screen) logIn() (setup *xproto.SetupInfo, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the X server's answer is not understood: %.200v", r)
		}
	}()
	conn, err := xgb.NewConnNet(s.wire)
	if err != nil {
		return nil, err
	}
	s.conn = conn
	return xproto.Setup(conn), nil
}

// begin looks at what the display can do.
func (s *Screen) begin(setup *xproto.SetupInfo, number int) error {
	if number >= len(setup.Roots) {
		return fmt.Errorf("x11: the display has no screen %d", number)
	}
	screen := &setup.Roots[number]
	format, err := formatOf(setup, screen)
	if err != nil {
		return err
	}
	s.format, s.root = format, screen.Root
	if _, err := s.geometry(); err != nil {
		return err
	}
	if err := xtest.Init(s.conn); err != nil {
		return fmt.Errorf("x11: extension XTEST: %w", s.failure(err))
	}
	s.input.first, s.input.last = setup.MinKeycode, setup.MaxKeycode
	s.input.remapped.Store(true)
	return nil
}

// events reads what the server sends by itself, or xgb would stop when it has too much of it.
func (s *Screen) events() {
	defer close(s.gone)
	for {
		event, err := s.conn.WaitForEvent()
		if event == nil && err == nil {
			return
		}
		if _, ok := event.(xproto.MappingNotifyEvent); ok {
			s.input.remapped.Store(true)
		}
	}
}

// Done returns a channel that is closed when the connection has ended.
func (s *Screen) Done() <-chan struct{} { return s.gone }

// Err returns why the connection has ended.
func (s *Screen) Err() error {
	if s.wire.hung.Load() {
		return ErrNoAnswer
	}
	return ErrGone
}

// failure is the reason for an error of a request.
func (s *Screen) failure(err error) error {
	if errors.Is(err, io.EOF) { // so xgb calls any end
		return s.Err()
	}
	return err
}

// guard ends the connection if the returned function is not called in time.
func (s *Screen) guard() (done func() bool) {
	return time.AfterFunc(s.wire.patience, func() {
		select {
		case <-s.gone: // that is another reason
		default:
			s.wire.giveUp()
		}
	}).Stop
}

// Close lets go of all keys and buttons, and ends the connection.
func (s *Screen) Close() {
	defer s.guard()()
	s.mu.Lock()
	s.release()
	s.mu.Unlock()
	s.conn.Close() // when the server has done what it was asked
	<-s.gone
}

// geometry asks for the size of the screen, which changes as monitors do.
func (s *Screen) geometry() (image.Point, error) {
	g, err := xproto.GetGeometry(s.conn, xproto.Drawable(s.root)).Reply()
	if err != nil {
		return image.Point{}, fmt.Errorf("x11: size of the screen: %w", s.failure(err))
	}
	size := image.Pt(int(g.Width), int(g.Height))
	if min(size.X, size.Y) == 0 || max(size.X, size.Y) > maxSide || size.X*size.Y > maxPixels {
		return size, fmt.Errorf("%w: %d by %d", ErrTooLarge, size.X, size.Y)
	}
	s.mu.Lock()
	s.size = size
	s.mu.Unlock()
	return size, nil
}

// Capture returns the picture of the screen, without the mouse cursor. It is valid until the next call.
func (s *Screen) Capture(ctx context.Context, _ uint16) (image.Image, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer s.guard()()
	for retries := 0; ; retries++ {
		size, err := s.geometry()
		if err != nil {
			return nil, err
		}
		if s.picture == nil || s.picture.Rect.Max != size {
			s.picture = image.NewRGBA(image.Rectangle{Max: size})
		}
		err = s.copyPicture()
		if err == nil {
			return s.picture, nil
		}
		var match xproto.MatchError
		if !errors.As(err, &match) || retries == maxRetries {
			return nil, fmt.Errorf("x11: picture: %w", s.failure(err))
		}
	}
}

// copyPicture copies the screen in strips. The next one is on its way while one is converted.
func (s *Screen) copyPicture() error {
	size := s.picture.Rect.Max
	rows := max(stripBytes/(size.X*bytesPerPixel), 1)
	ask := func(y int) xproto.GetImageCookie {
		return xproto.GetImage(s.conn, xproto.ImageFormatZPixmap, xproto.Drawable(s.root),
			0, int16(y), uint16(size.X), uint16(min(rows, size.Y-y)), ^uint32(0))
	}
	next := ask(0)
	for y := 0; y < size.Y; y += rows {
		strip := next
		more := y+rows < size.Y
		if more {
			next = ask(y + rows)
		}
		reply, err := strip.Reply()
		to := s.picture.Pix[y*s.picture.Stride : min(y+rows, size.Y)*s.picture.Stride]
		if err == nil && len(reply.Data) < len(to) {
			err = fmt.Errorf("a strip of %d bytes instead of %d", len(reply.Data), len(to))
		}
		if err != nil {
			if more {
				_, _ = next.Reply() // it fails likewise, and nobody else takes it
			}
			return err
		}
		s.format.convert(to, reply.Data)
	}
	return nil
}
