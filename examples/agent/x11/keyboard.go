package x11

import (
	"fmt"

	"github.com/jezek/xgb/xproto"
)

// columns of a key in a keyboard's mapping that matter here: alone, and with Shift.
const (
	columnAlone = iota
	columnShift
)

// keyboard is which keys a display has, and what is on them.
type keyboard struct {
	first xproto.Keycode
	width int // columns
	syms  []xproto.Keysym
}

// keys is the number of keys.
func (k *keyboard) keys() int {
	if k.width == 0 {
		return 0
	}
	return len(k.syms) / k.width
}

// find returns the key and the column of a symbol: alone if there is one, or the first column that has it.
func (k *keyboard) find(sym xproto.Keysym) (code xproto.Keycode, column int, ok bool) {
	for column := range k.width {
		for i := range k.keys() {
			if k.syms[i*k.width+column] == sym {
				return k.first + xproto.Keycode(i), column, true
			}
		}
	}
	return 0, 0, false
}

// alone returns what a key has without Shift.
func (k *keyboard) alone(code xproto.Keycode) xproto.Keysym {
	i := int(code) - int(k.first)
	if i < 0 || i >= k.keys() {
		return 0
	}
	return k.syms[i*k.width+columnAlone]
}

// unused returns the keys that have nothing on them, the last ones first: programs use the first ones for keys of their own.
func (k *keyboard) unused(most int) []xproto.Keycode {
	var codes []xproto.Keycode
	for i := k.keys() - 1; i >= 0 && len(codes) < most; i-- {
		free := true
		for _, sym := range k.syms[i*k.width : (i+1)*k.width] {
			free = free && sym == 0
		}
		if free {
			codes = append(codes, k.first+xproto.Keycode(i))
		}
	}
	return codes
}

// readKeyboard asks for the keyboard, if it is not known as it is now.
func (s *Screen) readKeyboard() error {
	in := &s.input
	if !in.remapped.Swap(false) {
		return nil
	}
	count := int(in.last) - int(in.first) + 1
	if count < 1 || count > 255 {
		in.remapped.Store(true)
		return fmt.Errorf("x11: keyboard of %d keys", count)
	}
	reply, err := xproto.GetKeyboardMapping(s.conn, in.first, byte(count)).Reply()
	if err == nil && int(reply.KeysymsPerKeycode)*count > len(reply.Keysyms) {
		err = fmt.Errorf("%d symbols for %d keys", len(reply.Keysyms), count)
	}
	if err != nil {
		in.remapped.Store(true)
		return fmt.Errorf("x11: keyboard: %w", s.failure(err))
	}
	width := int(reply.KeysymsPerKeycode)
	in.keyboard = keyboard{first: in.first, width: width, syms: reply.Keysyms[:count*width]}
	return nil
}
