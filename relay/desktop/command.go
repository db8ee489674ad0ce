package desktop

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Command is the number of a command.
type Command uint16

// The commands of the protocol. Those left out are not used by current agents and viewers.
const (
	CommandNop           Command = 0
	CommandKey           Command = 1
	CommandMouse         Command = 2
	CommandTile          Command = 3
	CommandCopy          Command = 4
	CommandCompression   Command = 5
	CommandRefresh       Command = 6
	CommandScreen        Command = 7
	CommandPause         Command = 8
	CommandCtrlAltDel    Command = 10
	CommandDisplays      Command = 11
	CommandDisplay       Command = 12
	CommandFrameInterval Command = 13
	CommandInitTouch     Command = 14
	CommandTouch         Command = 15
	CommandNotice        Command = 17
	CommandKeyState      Command = 18
	CommandJumbo         Command = 27
	CommandDebug         Command = 64
	CommandAlert         Command = 65
	CommandDisplayLayout Command = 82
	CommandUnicode       Command = 85
	CommandInputLock     Command = 87
	CommandCursor        Command = 88
)

// Sizes of commands.
const (
	headerSize      = 4
	jumboHeaderSize = 12
	maxPlain        = 0xFFFF
	// maxCommand bounds a command: the stock viewer reads 24 bits of a jumbo command's size.
	maxCommand = 1<<24 - 1 + 8
	// maxPlainImage is the largest image that agents send without a jumbo command.
	maxPlainImage = 65500
)

// Errors of this package, for errors.Is.
var (
	// ErrShort is a command that ends too early.
	ErrShort = errors.New("desktop: command is too short")
	// ErrSize is a command whose size cannot be.
	ErrSize = errors.New("desktop: wrong size of a command")
	// ErrTooLarge is a command, a screen or an image over the limits.
	ErrTooLarge = errors.New("desktop: too large")
	// ErrImage is an image that cannot be decoded.
	ErrImage = errors.New("desktop: image cannot be decoded")
)

// Message is one command with its fields.
type Message interface {
	// Command is the number of the command.
	Command() Command
	// Append appends the whole command to b, which it leaves as it is on an error.
	Append(b []byte) ([]byte, error)
}

// Unknown is a command that is not one of this package, or that has no meaning in its direction. It is passed on as it is.
type Unknown struct {
	Number  Command
	Payload []byte
}

// Command is the number.
func (m Unknown) Command() Command { return m.Number }

// Append appends the command.
func (m Unknown) Append(b []byte) ([]byte, error) { return appendBytes(b, m.Number, m.Payload) }

// header appends the header of a command with n bytes of payload.
func header(b []byte, c Command, n int) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(c))
	return binary.BigEndian.AppendUint16(b, uint16(headerSize+n))
}

func appendBytes[T string | []byte](b []byte, c Command, payload T) ([]byte, error) {
	if headerSize+len(payload) > maxPlain {
		return b, fmt.Errorf("%w: command %d of %d bytes", ErrTooLarge, c, len(payload))
	}
	return append(header(b, c, len(payload)), payload...), nil
}

// appendWords appends a command whose payload is 16-bit numbers.
func appendWords(b []byte, c Command, words ...uint16) ([]byte, error) {
	b = header(b, c, 2*len(words))
	for _, w := range words {
		b = binary.BigEndian.AppendUint16(b, w)
	}
	return b, nil
}

// isText says whether a command is nothing but text. One helper of the native agent writes such commands two bytes shorter
// than their size field says.
func isText(c Command) bool { return c == CommandNotice || c == CommandDebug || c == CommandAlert }

// Split returns the number and the payload of one whole command, out of its jumbo command if it is in one.
func Split(command []byte) (Command, []byte, error) {
	n, err := commandSize(command)
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: %d bytes", ErrShort, len(command))
	}
	if err != nil {
		return 0, nil, err
	}
	c := Command(binary.BigEndian.Uint16(command))
	switch {
	case n > len(command) && !isText(c):
		return 0, nil, fmt.Errorf("%w: %d bytes", ErrShort, len(command))
	case n < len(command):
		return 0, nil, fmt.Errorf("%w: command %d of %d bytes has %d more", ErrSize, c, n, len(command)-n)
	case c == CommandJumbo:
		if c = Command(binary.BigEndian.Uint16(command[8:])); c == CommandJumbo {
			return 0, nil, fmt.Errorf("%w: jumbo command in a jumbo command", ErrSize)
		}
		return c, command[jumboHeaderSize:], nil
	}
	return c, command[headerSize:], nil
}

// commandSize is the size of the command that b begins with, or 0 if that cannot be told yet.
func commandSize(b []byte) (int, error) {
	if len(b) < headerSize {
		return 0, nil
	}
	c, n := Command(binary.BigEndian.Uint16(b)), int(binary.BigEndian.Uint16(b[2:]))
	switch {
	case n < headerSize:
		return 0, fmt.Errorf("%w: command %d of %d bytes", ErrSize, c, n)
	case c != CommandJumbo:
		return n, nil
	case n != 8:
		return 0, fmt.Errorf("%w: jumbo command of %d bytes", ErrSize, n)
	case len(b) < 8:
		return 0, nil
	}
	inner := uint64(binary.BigEndian.Uint32(b[4:]))
	if inner < headerSize {
		return 0, fmt.Errorf("%w: jumbo command around %d bytes", ErrSize, inner)
	}
	if inner+8 > maxCommand {
		return 0, fmt.Errorf("%w: jumbo command around %d bytes", ErrTooLarge, inner)
	}
	return int(inner) + 8, nil
}
