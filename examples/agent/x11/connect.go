package x11

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// cookieName is the one way to log in to an X server that is in use.
const cookieName = "MIT-MAGIC-COOKIE-1"

// maxAuthority bounds the file of cookies.
const maxAuthority = 1 << 20

// address is a display's.
type address struct {
	network, address string
	number           string
	screen           int
}

// parseDisplay reads the name of a display, as in $DISPLAY: [HOST]:NUMBER[.SCREEN].
func parseDisplay(name string) (address, error) {
	bad := fmt.Errorf("x11: %.80q is not the name of a display", name)
	colon := strings.LastIndexByte(name, ':')
	if colon < 0 {
		return address{}, bad
	}
	host := name[:colon]
	number, screen, hasScreen := strings.Cut(name[colon+1:], ".")
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n > 65535-6000 {
		return address{}, bad
	}
	a := address{number: strconv.FormatUint(n, 10)}
	if hasScreen {
		s, err := strconv.ParseUint(screen, 10, 8)
		if err != nil {
			return address{}, bad
		}
		a.screen = int(s)
	}
	switch {
	case host == "" || host == "unix":
		a.network, a.address = "unix", "/tmp/.X11-unix/X"+a.number
	case host[0] == '/': // as of macOS, where the name is a socket's
		a.network, a.address = "unix", host+":"+a.number
	default:
		a.network, a.address = "tcp", net.JoinHostPort(strings.Trim(host, "[]"), strconv.FormatUint(6000+n, 10))
	}
	return a, nil
}

// wire is a connection to an X server that logs in by its own: xgb looks for a cookie only where it connects itself, and then
// nothing else can end a connection to a server that hangs.
type wire struct {
	net.Conn
	setup    []byte // goes out in place of what is written first
	patience time.Duration
	hung     atomic.Bool // the server did not take or answer something in time
}

// Write implements [io.Writer].
func (w *wire) Write(b []byte) (int, error) {
	out := b
	if w.setup != nil {
		out, w.setup = w.setup, nil
	}
	if err := w.SetWriteDeadline(time.Now().Add(w.patience)); err != nil {
		return 0, err
	}
	if _, err := w.Conn.Write(out); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			w.hung.Store(true) // xgb ends the connection now
		}
		return 0, err
	}
	return len(b), nil
}

// giveUp ends the connection to a server that hangs.
func (w *wire) giveUp() {
	w.hung.Store(true)
	_ = w.Close()
}

// dial connects to a display.
func dial(ctx context.Context, a address) (*wire, error) {
	conn, err := new(net.Dialer).DialContext(ctx, a.network, a.address)
	if err != nil {
		return nil, err
	}
	cookie, err := findCookie(authorityFile(), conn.RemoteAddr(), a.number)
	if err != nil {
		_ = conn.Close() // nothing was said on it
		return nil, err
	}
	return &wire{Conn: conn, setup: appendSetup(nil, cookie)}, nil
}

// appendSetup appends the first request of a connection: byte order, version 11.0, and the cookie if there is one.
func appendSetup(b, cookie []byte) []byte {
	name := cookieName
	if len(cookie) == 0 {
		name = ""
	}
	b = append(b, 'l', 0, 11, 0, 0, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(name)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(cookie)))
	b = append(b, 0, 0)
	pad := func() {
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	b = append(b, name...)
	pad()
	b = append(b, cookie...)
	pad()
	return b
}

func authorityFile() string {
	if name := os.Getenv("XAUTHORITY"); name != "" {
		return name
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".Xauthority")
}

// findCookie looks a display up in a file of cookies. Without a file or an entry there is none, as with servers that let in
// every program of the account.
func findCookie(file string, remote net.Addr, number string) ([]byte, error) {
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxAuthority))
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	return cookieIn(b, host, remote, number), nil
}

// The kinds of addresses in a file of cookies.
const (
	family4     = 0
	family6     = 6
	familyLocal = 256
	familyAny   = 65535
)

// cookieIn returns the first cookie of a file that fits. An entry is a kind of address, and with 16 bits of length each the
// address, the display's number, the name of the way to log in, and the cookie.
func cookieIn(b []byte, host string, remote net.Addr, number string) []byte {
	var ip net.IP
	if tcp, ok := remote.(*net.TCPAddr); ok {
		ip = tcp.IP
	}
	for len(b) >= 2 {
		family := binary.BigEndian.Uint16(b)
		b = b[2:]
		var fields [4][]byte
		for i := range fields {
			if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
				return nil
			}
			n := 2 + int(binary.BigEndian.Uint16(b))
			fields[i], b = b[2:n], b[n:]
		}
		var here bool
		switch family {
		case familyAny:
			here = true
		case familyLocal:
			here = string(fields[0]) == host && (ip == nil || ip.IsLoopback())
		case family4, family6:
			here = ip != nil && ip.Equal(fields[0])
		}
		if here && (len(fields[1]) == 0 || string(fields[1]) == number) && string(fields[2]) == cookieName {
			return fields[3]
		}
	}
	return nil
}
