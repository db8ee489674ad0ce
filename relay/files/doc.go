// Package files reaches the files of a device, seen from both ends of a tunnel.
//
// The operator's end is [Client], with calls as in package os. The device's end is [Serve], which is confined to a folder that
// the embedder gives it as an os.Root: neither ".." nor symbolic links lead out of it.
//
// Requests are JSON in text messages, answers are JSON in binary or text ones, contents are binary. What the protocol does not
// answer (making folders, renaming, removing, copying) the client finds out by listing afterwards, which works because devices
// do one thing after the other.
//
// # Transfers
//
// An upload is a row of blocks, each of which the device acknowledges; the client keeps several under way. In a download each
// acknowledgement makes the device send one more block, and nothing hinders the client from sending several before the first has
// come: stock agents then have as many blocks under way. Both are compared by hash in the end. An upload can go on where an
// earlier one was cut off; downloads start at the beginning, as the protocol cannot ask for less.
package files

import (
	"errors"
	"fmt"
	"io/fs"

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

// Protocol is the number that an operator sends as text to start ("5"), the protocol of the tunnel.
const Protocol = 5

// Errors of both ends.
var (
	// ErrMessage is a message that is none of this protocol.
	ErrMessage = errors.New("files: no message about files")
	// ErrProtocol is a device that does what the protocol does not allow.
	ErrProtocol = errors.New("files: the device breaks the protocol")
	// ErrRefused is a request that the device did not do. It does not say why.
	ErrRefused = errors.New("files: the device refused")
	// ErrHash is a transfer whose two ends differ afterwards.
	ErrHash = errors.New("files: the file differs after the transfer")
	// ErrTimeout is a device that has not answered for too long.
	ErrTimeout = fmt.Errorf("files: the device does not answer: %w", errTimeout{})
	// ErrPath is a path, or a name, that cannot be one.
	ErrPath = fmt.Errorf("files: no valid path: %w", fs.ErrInvalid)
	// ErrTooLarge is something over a bound.
	ErrTooLarge = errors.New("files: over the limit")
)

// errTimeout makes ErrTimeout a net.Error.
type errTimeout struct{}

func (errTimeout) Error() string   { return "timeout" }
func (errTimeout) Timeout() bool   { return true }
func (errTimeout) Temporary() bool { return true }

// quote bounds a peer's or caller's text in errors.
func quote(s string) string { return fmt.Sprintf("%.256q", s) }
