// Package x11test has, for tests, an X server without a monitor and a window that tells what is typed and clicked on it.
package x11test

import (
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// events is how many events a window keeps that nobody has asked for.
const events = 1000

// Window is a window at the top left of a display, whose background is red.
type Window struct {
	// Events are what happened: "key SYM" and "release SYM" with the symbol in hexadecimal, which is that with Shift if it is held,
	// "button N at X,Y" and "button N released at X,Y". It is closed with the connection.
	Events chan string

	conn   *xgb.Conn
	window xproto.Window
}

// Open opens a window of a size. It has the keyboard while the mouse is on it, as there is no window manager. The test's environment has
// to have the display's address and key.
func Open(t testing.TB, width, height uint16) *Window {
	t.Helper()
	xgb.Logger.SetOutput(io.Discard) // that there is no cookie
	conn, err := xgb.NewConnDisplay(os.Getenv("DISPLAY"))
	if err != nil {
		t.Fatal(err)
	}
	w := &Window{Events: make(chan string, events), conn: conn}
	t.Cleanup(func() {
		conn.Close()
		for range w.Events {
		}
	})
	shown := make(chan bool, 1)
	go w.run(shown)
	if w.window, err = xproto.NewWindowId(conn); err != nil {
		t.Fatal(err)
	}
	screen := xproto.Setup(conn).DefaultScreen(conn)
	err = xproto.CreateWindowChecked(conn, screen.RootDepth, w.window, screen.Root, 0, 0, width, height, 0, xproto.WindowClassInputOutput,
		screen.RootVisual, xproto.CwBackPixel|xproto.CwEventMask, []uint32{0xFF0000, xproto.EventMaskExposure |
			xproto.EventMaskKeyPress | xproto.EventMaskKeyRelease | xproto.EventMaskButtonPress | xproto.EventMaskButtonRelease}).Check()
	if err == nil {
		err = xproto.MapWindowChecked(conn, w.window).Check()
	}
	if err != nil {
		t.Fatal(err)
	}
	if !<-shown {
		t.Fatal("the X server has gone")
	}
	return w
}

// run tells of events until the connection ends.
func (w *Window) run(shown chan<- bool) {
	defer close(w.Events)
	defer func() {
		if shown != nil {
			shown <- false
		}
	}()
	for {
		event, err := w.conn.WaitForEvent()
		if event == nil && err == nil {
			return
		}
		text := ""
		switch e := event.(type) {
		case xproto.ExposeEvent:
			if shown != nil {
				shown <- true
				shown = nil
			}
			continue
		case xproto.KeyPressEvent:
			text = fmt.Sprintf("key %#x", w.symbol(e.Detail, e.State))
		case xproto.KeyReleaseEvent:
			text = fmt.Sprintf("release %#x", w.symbol(e.Detail, e.State))
		case xproto.ButtonPressEvent:
			text = fmt.Sprintf("button %d at %d,%d", e.Detail, e.RootX, e.RootY)
		case xproto.ButtonReleaseEvent:
			text = fmt.Sprintf("button %d released at %d,%d", e.Detail, e.RootX, e.RootY)
		default:
			continue
		}
		select {
		case w.Events <- text:
		default: // nobody listens
		}
	}
}

// symbol is what a key means now, as programs see it.
func (w *Window) symbol(code xproto.Keycode, state uint16) xproto.Keysym {
	reply, err := xproto.GetKeyboardMapping(w.conn, code, 1).Reply()
	if err != nil || len(reply.Keysyms) == 0 {
		return 0
	}
	if state&xproto.ModMaskShift != 0 && len(reply.Keysyms) > 1 && reply.Keysyms[1] != 0 {
		return reply.Keysyms[1]
	}
	return reply.Keysyms[0]
}
