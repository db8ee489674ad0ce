package x11

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"

	"github.com/jezek/xgb/xproto"
	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// setupOf is what a server says of a screen of a depth.
func setupOf(depth, bitsPerPixel, class byte, order byte, red, green, blue uint32) (*xproto.SetupInfo, *xproto.ScreenInfo) {
	screen := &xproto.ScreenInfo{RootDepth: depth, RootVisual: 33, AllowedDepths: []xproto.DepthInfo{
		{Depth: 1},
		{Depth: depth, Visuals: []xproto.VisualInfo{
			{VisualId: 7}, {VisualId: 33, Class: class, RedMask: red, GreenMask: green, BlueMask: blue},
		}},
	}}
	return &xproto.SetupInfo{ImageByteOrder: order, PixmapFormats: []xproto.Format{
		{Depth: 1, BitsPerPixel: 1, ScanlinePad: 32}, {Depth: depth, BitsPerPixel: bitsPerPixel, ScanlinePad: 32},
	}}, screen
}

func TestPixels(t *testing.T) {
	const r, g, b = 0x11, 0x22, 0x33
	want := []byte{r, g, b, 0xFF}
	for name, tt := range map[string]struct {
		depth, order     byte
		red, green, blue uint32
		pixel            []byte
	}{
		"as on a PC":          {24, xproto.ImageOrderLSBFirst, 0xFF0000, 0xFF00, 0xFF, []byte{b, g, r, 0}},
		"with alpha":          {32, xproto.ImageOrderLSBFirst, 0xFF0000, 0xFF00, 0xFF, []byte{b, g, r, 0x44}},
		"blue first":          {24, xproto.ImageOrderLSBFirst, 0xFF, 0xFF00, 0xFF0000, []byte{r, g, b, 0}},
		"the other way round": {24, xproto.ImageOrderMSBFirst, 0xFF0000, 0xFF00, 0xFF, []byte{0, r, g, b}},
		"colours at the top":  {32, xproto.ImageOrderLSBFirst, 0xFF000000, 0xFF0000, 0xFF00, []byte{0x44, b, g, r}},
	} {
		format, err := formatOf(setupOf(tt.depth, 32, xproto.VisualClassTrueColor, tt.order, tt.red, tt.green, tt.blue))
		require.NoError(t, err, name)
		got := make([]byte, 8)
		format.convert(got, append(tt.pixel, 1, 2, 3)) // the second is not whole
		require.Equal(t, append(want, 0, 0, 0, 0), got, name)
	}
	for name, tt := range map[string]struct {
		depth, bits, class byte
		red                uint32
	}{
		"depth 8":        {8, 8, xproto.VisualClassPseudoColor, 0},
		"depth 16":       {16, 16, xproto.VisualClassTrueColor, 0xF800},
		"depth 30":       {30, 32, xproto.VisualClassTrueColor, 0x3FF00000},
		"24 bits packed": {24, 24, xproto.VisualClassTrueColor, 0xFF0000},
		"a palette":      {24, 32, xproto.VisualClassDirectColor, 0xFF0000},
		"no red":         {24, 32, xproto.VisualClassTrueColor, 0},
		"odd bits":       {24, 32, xproto.VisualClassTrueColor, 0x7F8000},
		"ten bits":       {32, 32, xproto.VisualClassTrueColor, 0x3FF00000},
	} {
		_, err := formatOf(setupOf(tt.depth, tt.bits, tt.class, 0, tt.red, 0xFF00, 0xFF))
		require.ErrorIs(t, err, ErrFormat, name)
	}
	setup, screen := setupOf(24, 32, xproto.VisualClassTrueColor, 0, 0xFF0000, 0xFF00, 0xFF)
	screen.RootVisual = 99
	_, err := formatOf(setup, screen)
	require.ErrorIs(t, err, ErrFormat)
}

func TestKeys(t *testing.T) {
	for _, tt := range []struct {
		code     uint8
		extended bool
		want     xproto.Keysym
	}{
		{'A', false, 'a'}, {'Z', false, 'z'}, {'0', false, '0'}, {'9', true, '9'}, {0x60, false, symKP0}, {0x69, false, symKP0 + 9},
		{0x70, false, symF1}, {0x7B, false, 0xFFC9}, {0x0D, false, symReturn}, {0x0D, true, symKPEnter},
		{0x10, false, symShiftL}, {0x10, true, symShiftR}, {0x11, true, symControlR}, {0x12, true, symAltR}, {0xA1, false, symShiftR},
		{0x25, true, 0xFF51}, {0x25, false, 0xFF51}, {0xBD, false, '-'}, {225, false, symLevel3}, {0, false, 0}, {0xFF, true, 0},
	} {
		require.Equal(t, tt.want, keyOf(tt.code, tt.extended), "%#x", tt.code)
	}
	for r, want := range map[rune]xproto.Keysym{
		'a': 'a', 'A': 'A', '~': '~', 'ä': 0xE4, '\r': symReturn, '\n': symReturn, '\b': symBackspace, '\t': symTab,
		0x1B: symEscape, 0x7F: symDelete, '€': 0x010020AC, '😀': 0x0101F600, 0x80: 0, 1: 0, -1: 0, 0xD800: 0, 0x110000: 0,
	} {
		require.Equal(t, want, characterOf(r), "%#x", r)
	}
}

func TestKeyboard(t *testing.T) {
	k := keyboard{first: 8, width: 3, syms: []xproto.Keysym{
		'a', 'A', 0,
		0, 0, 0,
		'q', 'Q', '@',
		'@', 0, 0,
		0, 0, 0,
		0, 0, 'x',
	}}
	find := func(sym xproto.Keysym) [3]int {
		code, column, ok := k.find(sym)
		if !ok {
			return [3]int{-1, column, 0}
		}
		return [3]int{int(code), column, 1}
	}
	require.Equal(t, [3]int{8, 0, 1}, find('a'))
	require.Equal(t, [3]int{8, 1, 1}, find('A'))
	require.Equal(t, [3]int{11, 0, 1}, find('@'), "alone is better")
	require.Equal(t, [3]int{13, 2, 1}, find('x'))
	require.Equal(t, [3]int{-1, 0, 0}, find('y'))
	require.Equal(t, []xproto.Keycode{12, 9}, k.unused(5))
	require.Equal(t, []xproto.Keycode{12}, k.unused(1))
	require.Equal(t, xproto.Keysym('q'), k.alone(10))
	require.Zero(t, k.alone(7))
	require.Zero(t, k.alone(14))
	require.Zero(t, (&keyboard{}).alone(0))
	require.Empty(t, (&keyboard{}).unused(5))
}

func TestParseDisplay(t *testing.T) {
	for name, want := range map[string]address{
		":0":               {"unix", "/tmp/.X11-unix/X0", "0", 0},
		"unix:7.1":         {"unix", "/tmp/.X11-unix/X7", "7", 1},
		"localhost:10.0":   {"tcp", "localhost:6010", "10", 0},
		"[::1]:2":          {"tcp", "[::1]:6002", "2", 0},
		"/private/tmp/x:0": {"unix", "/private/tmp/x:0", "0", 0},
	} {
		got, err := parseDisplay(name)
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}
	for _, name := range []string{"", "0", ":", ":x", ":0.", ":0.x", ":-1", ":60000", ":0.300", "host"} {
		_, err := parseDisplay(name)
		require.ErrorContains(t, err, "is not the name of a display", name)
	}
	_, err := Open(t.Context(), "nonsense")
	require.Error(t, err)
}

func TestCookie(t *testing.T) {
	var b []byte
	entry := func(family uint16, fields ...string) {
		b = binary.BigEndian.AppendUint16(b, family)
		for _, f := range fields {
			b = append(binary.BigEndian.AppendUint16(b, uint16(len(f))), f...)
		}
	}
	entry(familyLocal, "other", "1", cookieName, "other host")
	entry(familyLocal, "here", "1", "XDM-AUTHORIZATION-1", "other way")
	entry(familyLocal, "here", "1", cookieName, "local")
	entry(family4, "\x0a\x00\x00\x05", "2", cookieName, "four")
	entry(family6, string(net.IPv6loopback), "", cookieName, "six")
	entry(familyAny, "", "3", cookieName, "any")
	unix, tcp := &net.UnixAddr{}, func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip)} }
	for _, tt := range []struct {
		remote net.Addr
		number string
		want   string
	}{
		{unix, "1", "local"}, {unix, "2", ""}, {unix, "3", "any"}, {tcp("127.0.0.1"), "1", "local"}, {tcp("10.0.0.5"), "1", ""},
		{tcp("10.0.0.5"), "2", "four"}, {tcp("::1"), "2", "six"}, {tcp("10.0.0.5"), "3", "any"},
	} {
		require.Equal(t, tt.want, string(cookieIn(b, "here", tt.remote, tt.number)), "%v %s", tt.remote, tt.number)
	}
	for i := range b { // a file that ends early
		require.Empty(t, cookieIn(b[:i], "here", unix, "3"), i)
	}
	require.Equal(t, "l\x00\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00", string(appendSetup(nil, nil)))
	require.Equal(t, "l\x00\x0b\x00\x00\x00\x12\x00\x05\x00\x00\x00MIT-MAGIC-COOKIE-1\x00\x0012345\x00\x00\x00", string(appendSetup(nil, []byte("12345"))))
}

func FuzzCookie(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x04here\x00\x011\x00\x12MIT-MAGIC-COOKIE-1\x00\x03abc"), "1")
	f.Fuzz(func(t *testing.T, b []byte, number string) {
		cookie := cookieIn(b, "here", &net.UnixAddr{}, number)
		require.True(t, bytes.Contains(b, cookie))
		if len(cookie) > 0 {
			require.Contains(t, string(b), cookieName)
		}
	})
}
