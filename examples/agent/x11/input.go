package x11

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"unicode"
	"unicode/utf16"

	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"

	"github.com/meshcentral-go/sdk/relay/desktop"
)

const (
	wheelNotch = 120
	maxNotches = 16 // of one turn of the wheel
	// maxLent is how many unused keys are lent to characters that the keyboard does not have. One after the other: a program
	// looks a character up some time after its key was pressed.
	maxLent = 8
	// groupMask are the bits of the state that say which of several layouts is in use.
	groupMask = 0x6000
)

// errNoKey is a character or key that neither the keyboard has nor an unused key is there for.
var errNoKey = errors.New("x11: the keyboard has no key for it")

// input is the state of mouse and keyboard.
type input struct {
	first, last xproto.Keycode
	remapped    atomic.Bool // the keyboard is to be asked for
	keyboard    keyboard

	keys    map[xproto.Keycode]bool // that are held
	buttons map[byte]bool
	lent    []loan
	oldest  int    // the next of lent to be used again
	high    uint16 // half a character
}

// loan is an unused key that has a symbol for a while.
type loan struct {
	code xproto.Keycode
	sym  xproto.Keysym
}

// Input implements the Input of package desktop. Touches and locking the input are not possible.
func (s *Screen) Input(_ context.Context, _ uint16, m desktop.Message) error {
	select {
	case <-s.gone:
		return s.Err()
	default:
	}
	defer s.guard()()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m := m.(type) {
	case desktop.Mouse:
		s.mouse(m)
	case desktop.Key:
		down := m.Action == desktop.KeyDown || m.Action == desktop.KeyExtendedDown
		return s.key(keyOf(m.Code, m.Action == desktop.KeyExtendedDown || m.Action == desktop.KeyExtendedUp), down)
	case desktop.Unicode:
		return s.unicode(m)
	case desktop.CtrlAltDel:
		chord := []xproto.Keysym{symControlL, symAltL, symDelete}
		var errs []error
		for _, sym := range chord {
			errs = append(errs, s.key(sym, true))
		}
		for _, sym := range slices.Backward(chord) {
			errs = append(errs, s.key(sym, false))
		}
		return errors.Join(errs...)
	}
	return nil
}

// fake has the server act as if a device had done something.
func (s *Screen) fake(event, detail byte, x, y int) {
	xtest.FakeInput(s.conn, event, detail, xproto.TimeCurrentTime, s.root, int16(x), int16(y), 0)
}

// buttonsOf are the buttons that an action of the mouse presses and lets go.
var buttonsOf = map[desktop.MouseAction]struct {
	button byte
	down   bool
}{
	desktop.MouseLeftDown: {1, true}, desktop.MouseLeftUp: {1, false},
	desktop.MouseMiddleDown: {2, true}, desktop.MouseMiddleUp: {2, false},
	desktop.MouseRightDown: {3, true}, desktop.MouseRightUp: {3, false},
}

func (s *Screen) mouse(m desktop.Mouse) {
	s.fake(xproto.MotionNotify, 0, min(int(m.X), s.size.X-1), min(int(m.Y), s.size.Y-1))
	if b, ok := buttonsOf[m.Action]; ok {
		s.button(b.button, b.down)
	}
	if !m.HasWheel || m.Wheel == 0 {
		return
	}
	wheel, amount := byte(4), int(m.Wheel)
	if amount < 0 {
		wheel, amount = 5, -amount
	}
	for range min((amount+wheelNotch-1)/wheelNotch, maxNotches) {
		s.button(wheel, true)
		s.button(wheel, false)
	}
}

func (s *Screen) button(button byte, down bool) {
	if !down {
		delete(s.input.buttons, button)
		s.fake(xproto.ButtonRelease, button, 0, 0)
		return
	}
	if s.input.buttons == nil {
		s.input.buttons = make(map[byte]bool)
	}
	s.input.buttons[button] = true
	s.fake(xproto.ButtonPress, button, 0, 0)
}

// key presses a key or lets it go. Keys that X has no name for are ignored.
func (s *Screen) key(sym xproto.Keysym, down bool) error {
	if sym == 0 {
		return nil
	}
	if err := s.readKeyboard(); err != nil {
		return err
	}
	code, _, ok := s.input.keyboard.find(sym)
	if !ok && sym == symLevel3 { // a layout without AltGr
		code, _, ok = s.input.keyboard.find(symAltR)
	}
	if !ok {
		var err error
		if code, err = s.lend(sym); err != nil {
			return err
		}
	}
	s.press(code, down)
	return nil
}

// press presses a key, unless it is held: X repeats keys by itself.
func (s *Screen) press(code xproto.Keycode, down bool) {
	if !down {
		delete(s.input.keys, code)
		s.fake(xproto.KeyRelease, byte(code), 0, 0)
		return
	}
	if s.input.keys[code] {
		return
	}
	if s.input.keys == nil {
		s.input.keys = make(map[xproto.Keycode]bool)
	}
	s.input.keys[code] = true
	s.fake(xproto.KeyPress, byte(code), 0, 0)
}

// unicode types a character when it goes down. One of two units is typed with the second.
func (s *Screen) unicode(m desktop.Unicode) error {
	if m.Up {
		return nil
	}
	r, high := rune(m.Unit), s.input.high
	s.input.high = 0
	switch {
	case m.Unit >= 0xD800 && m.Unit < 0xDC00:
		s.input.high = m.Unit
		return nil
	case utf16.IsSurrogate(r):
		r = utf16.DecodeRune(rune(high), r)
	}
	sym := characterOf(r)
	if sym == 0 || r == unicode.ReplacementChar {
		return nil
	}
	return s.character(r, sym)
}

// character types a character: with the key that has it alone or with Shift, or with an unused key that is lent to it.
func (s *Screen) character(r rune, sym xproto.Keysym) error {
	if err := s.readKeyboard(); err != nil {
		return err
	}
	pointer, err := xproto.QueryPointer(s.conn, s.root).Reply()
	if err != nil {
		return fmt.Errorf("x11: state of the keyboard: %w", s.failure(err))
	}
	code, column, ok := s.input.keyboard.find(sym)
	shift := column == columnShift
	if !ok || column > columnShift || pointer.Mask&groupMask != 0 {
		if code, err = s.lend(sym); err != nil {
			return err
		}
		shift = false
	}
	// Caps Lock turns letters round.
	if pointer.Mask&xproto.ModMaskLock != 0 && unicode.ToUpper(r) != unicode.ToLower(r) {
		shift = !shift
	}
	undo := s.holdShift(shift)
	s.press(code, true)
	s.press(code, false)
	undo()
	return nil
}

// holdShift presses Shift or lets it go, and returns what brings it back to what it was.
func (s *Screen) holdShift(want bool) (undo func()) {
	var held []xproto.Keycode
	for _, sym := range [...]xproto.Keysym{symShiftL, symShiftR} {
		if code, _, ok := s.input.keyboard.find(sym); ok && s.input.keys[code] {
			held = append(held, code)
		}
	}
	if want == (len(held) > 0) {
		return func() {}
	}
	if want {
		code, _, ok := s.input.keyboard.find(symShiftL)
		if !ok {
			return func() {}
		}
		held = []xproto.Keycode{code}
	}
	for _, code := range held {
		s.press(code, want)
	}
	return func() {
		for _, code := range held {
			s.press(code, !want)
		}
	}
}

// lend puts a symbol on an unused key.
func (s *Screen) lend(sym xproto.Keysym) (xproto.Keycode, error) {
	in := &s.input
	if in.lent == nil {
		for _, code := range in.keyboard.unused(maxLent) {
			in.lent = append(in.lent, loan{code: code})
		}
	}
	for _, l := range in.lent {
		if l.sym == sym && in.keyboard.alone(l.code) == sym { // another session may use the same keys
			return l.code, nil
		}
	}
	for range in.lent {
		l := &in.lent[in.oldest]
		in.oldest = (in.oldest + 1) % len(in.lent)
		if in.keys[l.code] {
			continue
		}
		l.sym = sym
		xproto.ChangeKeyboardMapping(s.conn, 1, l.code, 2, []xproto.Keysym{sym, sym})
		in.remapped.Store(true)
		return l.code, nil
	}
	return 0, fmt.Errorf("%w: symbol %#x", errNoKey, uint32(sym))
}

// release lets go of everything that is held, and takes back what was lent.
func (s *Screen) release() {
	for _, code := range slices.Sorted(maps.Keys(s.input.keys)) {
		s.press(code, false)
	}
	for _, button := range slices.Sorted(maps.Keys(s.input.buttons)) {
		s.button(button, false)
	}
	for _, l := range s.input.lent {
		if l.sym != 0 {
			xproto.ChangeKeyboardMapping(s.conn, 1, l.code, 1, []xproto.Keysym{0})
		}
	}
	s.input.lent = nil
}
