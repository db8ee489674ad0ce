// Package terminal is a shell of a device, seen from both ends of a tunnel.
//
// The operator's end is [Terminal], an io.ReadWriteCloser whose size can be changed; [Open] starts it on a tunnel whose ends
// have met, [New] takes a tunnel on which the protocol was already said. The device's end is [Serve], with a shell on a real
// pseudo terminal on Linux and macOS ([PTY]), or with anything else that is a [Shell].
//
// Keystrokes and output are binary messages of any size, without framing. Text messages are JSON beside the stream
// ([Control]) and never become part of it, in neither direction.
package terminal

import (
	"context"
	"errors"
	"fmt"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// Conn carries the messages of a tunnel: a tunnel of package relay, its connection, or anything else with these methods.
type Conn = msgconn.Conn

// Type tells text messages from binary ones.
type Type = msgconn.Type

// The types of messages.
const (
	Text   = msgconn.Text
	Binary = msgconn.Binary
)

// Kind is the kind of a shell: the number by which an operator starts it, the protocol of its tunnel.
//
// Confirmed in meshcore.js, onTunnelData: 1, 6, 8 and 9.
type Kind int

// The kinds of shells.
const (
	System         Kind = 1 // a shell of the agent's own account, mostly root's or the system's
	PowerShell     Kind = 6 // the same, as a PowerShell; a plain shell elsewhere than on Windows
	UserShell      Kind = 8 // a shell of the user who is logged in
	UserPowerShell Kind = 9 // the same, as a PowerShell; stock agents elsewhere than on Windows start a root shell
)

// String returns a word for the kind, or its number.
func (k Kind) String() string {
	switch k {
	case System:
		return "shell"
	case PowerShell:
		return "powershell"
	case UserShell:
		return "user shell"
	case UserPowerShell:
		return "user powershell"
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

// Valid says whether there is such a kind.
func (k Kind) Valid() bool {
	switch k {
	case System, PowerShell, UserShell, UserPowerShell:
		return true
	}
	return false
}

// OfUser says whether the shell is to run as the user who is logged in.
func (k Kind) OfUser() bool { return k == UserShell || k == UserPowerShell }

// Errors of both ends.
var (
	// ErrMessage is a message that is none of a terminal.
	ErrMessage = errors.New("terminal: no message of a terminal")
	// ErrKind is a kind that does not exist, or that the device does not have.
	ErrKind = errors.New("terminal: no such kind of shell")
	// ErrDenied is a shell that the device did not start: the text has its words.
	ErrDenied = errors.New("terminal: the device refused")
	// ErrUnsupported is a system without pseudo terminals, as far as this package knows. It matches [errors.ErrUnsupported].
	ErrUnsupported = fmt.Errorf("terminal: no pseudo terminals on this system: %w", errors.ErrUnsupported)
)

// Size is a size in characters. Zero is not known, and is left to the device.
type Size struct{ Cols, Rows int }

// maxSide bounds sizes: no screen is larger, and a program may make memory for one.
const maxSide = 4096

// bounded is the size as far as it can be one.
func (s Size) bounded() Size { return Size{min(max(s.Cols, 0), maxSide), min(max(s.Rows, 0), maxSide)} }

// known says whether there is a size at all.
func (s Size) known() bool { return s.Cols > 0 && s.Rows > 0 }

// write sends a message.
func write(ctx context.Context, c Conn, m Message) error {
	t, b, err := Append(nil, m)
	if err != nil {
		return err
	}
	return c.WriteMessage(ctx, t, b)
}
