//go:build linux

package x11

import (
	"context"
	"image"
	"image/color"
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/randr"
	"github.com/jezek/xgb/xproto"
	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/examples/agent/x11/x11test"
	"github.com/meshcentral-go/sdk/relay/desktop"
)

func open(t *testing.T) *Screen {
	t.Helper()
	s, err := connect(t.Context(), os.Getenv("DISPLAY"), 2*time.Minute) // is [Open] on a machine that is busy
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

// expect waits for what happens on a window next.
func expect(t *testing.T, w *x11test.Window, events ...string) {
	t.Helper()
	for _, want := range events {
		select {
		case got := <-w.Events:
			require.Equal(t, want, got)
		case <-time.After(2 * time.Minute):
			require.FailNow(t, "nothing happened", "instead of %s", want)
		}
	}
}

func TestCapture(t *testing.T) {
	x11test.StartX(t, "1001x777x24")
	x11test.Open(t, 300, 500) // more than a strip
	s := open(t)
	for range 2 {
		img, err := s.Capture(t.Context(), 0)
		require.NoError(t, err)
		require.Equal(t, image.Rect(0, 0, 1001, 777), img.Bounds())
		for p, want := range map[image.Point]color.RGBA{
			{X: 0, Y: 0}: {255, 0, 0, 255}, {X: 299, Y: 499}: {255, 0, 0, 255}, {X: 300, Y: 499}: {0, 0, 0, 255},
			{X: 299, Y: 500}: {0, 0, 0, 255}, {X: 1000, Y: 776}: {0, 0, 0, 255},
		} {
			require.Equal(t, want, img.At(p.X, p.Y), p)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Capture(ctx, 0)
	require.ErrorIs(t, err, context.Canceled)

	// The monitor changes.
	resize(t, 800, 600)
	img, err := s.Capture(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, image.Rect(0, 0, 800, 600), img.Bounds())
	require.NoError(t, s.Input(t.Context(), 0, desktop.Mouse{X: 65535, Y: 65535}))
	pointer, err := xproto.QueryPointer(s.conn, s.root).Reply()
	require.NoError(t, err)
	require.Equal(t, img.Bounds().Max.Sub(image.Pt(1, 1)), image.Pt(int(pointer.RootX), int(pointer.RootY)))
}

// resize turns the monitor off and makes the screen smaller.
func resize(t *testing.T, width, height uint16) {
	conn, err := xgb.NewConnDisplay(os.Getenv("DISPLAY"))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, randr.Init(conn))
	_, err = randr.QueryVersion(conn, 1, 3).Reply()
	require.NoError(t, err)
	root := xproto.Setup(conn).DefaultScreen(conn).Root
	info, err := randr.GetScreenResourcesCurrent(conn, root).Reply()
	require.NoError(t, err)
	for _, crtc := range info.Crtcs {
		_, err = randr.SetCrtcConfig(conn, crtc, 0, info.ConfigTimestamp, 0, 0, 0, randr.RotationRotate0, nil).Reply()
		require.NoError(t, err)
	}
	require.NoError(t, randr.SetScreenSizeChecked(conn, root, width, height, 200, 150).Check())
}

func TestInput(t *testing.T) {
	x11test.StartX(t, "640x480x24")
	w := x11test.Open(t, 300, 200)
	s := open(t)
	do := func(messages ...desktop.Message) {
		t.Helper()
		for _, m := range messages {
			require.NoError(t, s.Input(t.Context(), 0, m))
		}
	}
	typed := func(text string) {
		t.Helper()
		for _, r := range text {
			if r > 0xFFFF {
				r -= 0x10000
				do(desktop.Unicode{Unit: uint16(0xD800 + r>>10)}, desktop.Unicode{Unit: uint16(0xDC00 + r&0x3FF)})
				continue
			}
			do(desktop.Unicode{Unit: uint16(r)}, desktop.Unicode{Up: true, Unit: uint16(r)})
		}
	}
	do(desktop.Mouse{X: 30, Y: 40}, desktop.Mouse{Action: desktop.MouseLeftDown, X: 31, Y: 41}, desktop.Mouse{Action: desktop.MouseLeftUp, X: 32, Y: 42})
	expect(t, w, "button 1 at 31,41", "button 1 released at 32,42")
	do(desktop.Mouse{Action: desktop.MouseRightDown, X: 1, Y: 2}, desktop.Mouse{Action: desktop.MouseRightUp, X: 1, Y: 2},
		desktop.Mouse{Action: desktop.MouseMiddleDown, X: 1, Y: 2}, desktop.Mouse{Action: desktop.MouseMiddleUp, X: 1, Y: 2},
		desktop.Mouse{X: 1, Y: 2, HasWheel: true, Wheel: 240}, desktop.Mouse{X: 1, Y: 2, HasWheel: true, Wheel: -119},
		desktop.Mouse{Action: desktop.MouseDoubleClick, X: 1, Y: 2})
	for _, b := range []string{"3", "2", "4", "4", "5"} {
		expect(t, w, "button "+b+" at 1,2", "button "+b+" released at 1,2")
	}

	key := func(action desktop.KeyAction, code uint8) desktop.Key { return desktop.Key{Action: action, Code: code} }
	do(key(desktop.KeyDown, 'Q'), key(desktop.KeyUp, 'Q'), key(desktop.KeyExtendedDown, 0x25), key(desktop.KeyExtendedUp, 0x25))
	expect(t, w, "key 0x71", "release 0x71", "key 0xff51", "release 0xff51")
	do(key(desktop.KeyDown, 0), key(desktop.KeyUp, 0xFF)) // no such keys
	do(key(desktop.KeyDown, 0x10), key(desktop.KeyDown, '5'), key(desktop.KeyUp, '5'))
	expect(t, w, "key 0xffe1", "key 0x25", "release 0x25")

	// Characters, whatever is held; those too that the keyboard does not have.
	typed("a")
	expect(t, w, "release 0xffe1", "key 0x61", "release 0x61", "key 0xffe1")
	do(key(desktop.KeyUp, 0x10))
	expect(t, w, "release 0xffe1")
	typed("A")
	expect(t, w, "key 0xffe1", "key 0x41", "release 0x41", "release 0xffe1")
	typed("\r")
	expect(t, w, "key 0xff0d", "release 0xff0d")
	for r, want := range map[string]string{"ж": "0x1000436", "😀": "0x101f600", "ü": "0xfc", "語": "0x1008a9e"} {
		typed(r)
		expect(t, w, "key "+want, "release "+want)
	}
	for i := range 3 * maxLent { // more of them than there are keys
		typed(string(rune(0x3041 + i)))
		sym := "0x" + strconv.FormatInt(int64(0x1003041+i), 16)
		expect(t, w, "key "+sym, "release "+sym)
	}
	// Caps Lock does not matter to characters.
	do(key(desktop.KeyDown, 0x14), key(desktop.KeyUp, 0x14))
	expect(t, w, "key 0xffe5", "release 0xffe5")
	typed("a")
	expect(t, w, "key 0xffe1", "key 0x41", "release 0x41", "release 0xffe1") // Shift and Lock together
	typed("B")
	expect(t, w, "key 0x62", "release 0x62")
	typed("1")
	expect(t, w, "key 0x31", "release 0x31")
	do(key(desktop.KeyDown, 0x14), key(desktop.KeyUp, 0x14))
	expect(t, w, "key 0xffe5", "release 0xffe5")
	do(desktop.InputLock{}, desktop.Touches{}, desktop.CtrlAltDel{})
	expect(t, w, "key 0xffe3", "key 0xffe9", "key 0xffff", "release 0xffff", "release 0xffe9", "release 0xffe3")

	// What is held is let go of at the end, and the keyboard is as it was.
	do(key(desktop.KeyDown, 0x11), desktop.Mouse{Action: desktop.MouseLeftDown, X: 5, Y: 5})
	expect(t, w, "key 0xffe3", "button 1 at 5,5")
	s.Close()
	expect(t, w, "release 0xffe3", "button 1 released at 5,5")
	after := open(t)
	require.NoError(t, after.readKeyboard())
	_, _, ok := after.input.keyboard.find(symUnicode | 0x3041 + 3*maxLent - 1)
	require.False(t, ok)
	require.ErrorIs(t, s.Input(t.Context(), 0, desktop.Mouse{}), ErrGone)
}

func TestServerEnds(t *testing.T) {
	server := x11test.StartX(t, "640x480x24")
	s := open(t)
	_, err := s.Capture(t.Context(), 0)
	require.NoError(t, err)
	server.Stop()
	<-s.Done()
	require.ErrorIs(t, s.Err(), ErrGone)
	_, err = s.Capture(t.Context(), 0)
	require.ErrorIs(t, err, ErrGone)
	require.ErrorIs(t, s.Input(t.Context(), 0, desktop.Key{Code: 'A'}), ErrGone)
	s.Close()
	_, err = Open(t.Context(), os.Getenv("DISPLAY"))
	require.ErrorContains(t, err, "x11: connect: ")
}

func TestServerHangs(t *testing.T) {
	server := x11test.StartX(t, "640x480x24")
	s := open(t)
	server.Signal(t, syscall.SIGSTOP)
	defer server.Signal(t, syscall.SIGCONT)
	s.wire.patience = 50 * time.Millisecond
	_, err := s.Capture(t.Context(), 0)
	require.ErrorIs(t, err, ErrNoAnswer)
	<-s.Done()
	_, err = connect(t.Context(), os.Getenv("DISPLAY"), 50*time.Millisecond) // connected, and not answered
	require.ErrorContains(t, err, "x11: log in: ")
	require.ErrorIs(t, err, ErrNoAnswer)
}

func TestRefusals(t *testing.T) {
	x11test.StartX(t, "640x480x16")
	_, err := Open(t.Context(), os.Getenv("DISPLAY"))
	require.ErrorIs(t, err, ErrFormat)
	_, err = Open(t.Context(), os.Getenv("DISPLAY")+".5")
	require.ErrorContains(t, err, "no screen 5")

	// Something else than an X server.
	l, err := net.Listen("unix", t.TempDir()+"/x:0")
	require.NoError(t, err)
	defer l.Close()
	for _, answer := range []string{"HTTP/1.1 400\r\n\r\n", "\x00\xff\x0b\x00\x00\x00\x00\x00", "\x01\x00\x0b\x00\x00\x00\x02\x00abcdefgh", ""} {
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = conn.Write([]byte(answer))
			_, _ = conn.Read(make([]byte, 12))
		}()
		_, err = Open(t.Context(), l.Addr().String())
		require.ErrorContains(t, err, "x11: log in: ", "%q", answer)
	}
}
