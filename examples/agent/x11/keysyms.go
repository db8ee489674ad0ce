package x11

import "github.com/jezek/xgb/xproto"

// What X calls keys, where it is not the character (X11/keysymdef.h).
const (
	symBackspace = 0xFF08
	symTab       = 0xFF09
	symReturn    = 0xFF0D
	symEscape    = 0xFF1B
	symDelete    = 0xFFFF
	symKPEnter   = 0xFF8D
	symKP0       = 0xFFB0
	symF1        = 0xFFBE
	symShiftL    = 0xFFE1
	symShiftR    = 0xFFE2
	symControlL  = 0xFFE3
	symControlR  = 0xFFE4
	symAltL      = 0xFFE9
	symAltR      = 0xFFEA
	symLevel3    = 0xFE03 // AltGr
	symUnicode   = 0x01000000
)

// virtualKeys are the keys of Windows that are neither letters nor digits, as on a keyboard of the United States.
var virtualKeys = map[uint8]xproto.Keysym{
	0x08: symBackspace, 0x09: symTab, 0x0C: 0xFF0B /* Clear */, 0x0D: symReturn,
	0x10: symShiftL, 0x11: symControlL, 0x12: symAltL, 0x13: 0xFF13 /* Pause */, 0x14: 0xFFE5, /* Caps_Lock */
	0x1B: symEscape, 0x20: ' ',
	0x21: 0xFF55 /* Prior */, 0x22: 0xFF56 /* Next */, 0x23: 0xFF57 /* End */, 0x24: 0xFF50, /* Home */
	0x25: 0xFF51 /* Left */, 0x26: 0xFF52 /* Up */, 0x27: 0xFF53 /* Right */, 0x28: 0xFF54, /* Down */
	0x2C: 0xFF61 /* Print */, 0x2D: 0xFF63 /* Insert */, 0x2E: symDelete, 0x2F: 0xFF6A, /* Help */
	0x5B: 0xFFEB /* Super_L */, 0x5C: 0xFFEC /* Super_R */, 0x5D: 0xFF67, /* Menu */
	0x6A: 0xFFAA /* KP_Multiply */, 0x6B: 0xFFAB /* KP_Add */, 0x6C: 0xFFAC, /* KP_Separator */
	0x6D: 0xFFAD /* KP_Subtract */, 0x6E: 0xFFAE /* KP_Decimal */, 0x6F: 0xFFAF, /* KP_Divide */
	0x90: 0xFF7F /* Num_Lock */, 0x91: 0xFF14, /* Scroll_Lock */
	0xA0: symShiftL, 0xA1: symShiftR, 0xA2: symControlL, 0xA3: symControlR, 0xA4: symAltL, 0xA5: symAltR,
	0xBA: ';', 0xBB: '=', 0xBC: ',', 0xBD: '-', 0xBE: '.', 0xBF: '/', 0xC0: '`',
	0xDB: '[', 0xDC: '\\', 0xDD: ']', 0xDE: '\'', 0xE1: symLevel3, 0xE2: '<',
}

// extendedKeys are those that another key of the same code is told from by being an extended one.
var extendedKeys = map[uint8]xproto.Keysym{0x0D: symKPEnter, 0x10: symShiftR, 0x11: symControlR, 0x12: symAltR}

// keyOf returns what X calls a key of Windows; 0 if it has no name for it.
func keyOf(code uint8, extended bool) xproto.Keysym {
	if sym, ok := extendedKeys[code]; ok && extended {
		return sym
	}
	switch {
	case code >= '0' && code <= '9':
		return xproto.Keysym(code)
	case code >= 'A' && code <= 'Z':
		return xproto.Keysym(code - 'A' + 'a')
	case code >= 0x60 && code <= 0x69:
		return symKP0 + xproto.Keysym(code-0x60)
	case code >= 0x70 && code <= 0x87:
		return symF1 + xproto.Keysym(code-0x70)
	}
	return virtualKeys[code]
}

// characterOf returns what X calls a character; 0 if it has no name for it.
func characterOf(r rune) xproto.Keysym {
	switch {
	case r == '\b':
		return symBackspace
	case r == '\t':
		return symTab
	case r == '\r' || r == '\n':
		return symReturn
	case r == 0x1B:
		return symEscape
	case r == 0x7F:
		return symDelete
	case r >= ' ' && r < 0x7F, r >= 0xA0 && r <= 0xFF:
		return xproto.Keysym(r)
	case r > 0xFF && r <= 0x10FFFF && (r < 0xD800 || r > 0xDFFF):
		return symUnicode | xproto.Keysym(r)
	}
	return 0
}
