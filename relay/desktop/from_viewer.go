package desktop

import (
	"encoding/binary"
	"fmt"
	"time"
)

// ParseFromViewer returns a command of a viewer with its fields. Byte slices in it alias the command.
func ParseFromViewer(command []byte) (Message, error) {
	c, p, err := Split(command)
	if err != nil {
		return nil, err
	}
	switch c {
	case CommandKey:
		return parsed(ParseKey(p))
	case CommandMouse:
		return parsed(ParseMouse(p))
	case CommandCompression:
		return parsed(parseCompression(p))
	case CommandRefresh:
		return Refresh{}, exactly(c, p, 0)
	case CommandPause:
		v, err := single(c, p)
		return Pause{Paused: v != 0}, err
	case CommandCtrlAltDel:
		return CtrlAltDel{}, exactly(c, p, 0)
	case CommandDisplays:
		return ListDisplays{}, exactly(c, p, 0)
	case CommandDisplay:
		w, err := word(c, p)
		return SelectDisplay{ID: w}, err
	case CommandFrameInterval:
		w, err := word(c, p)
		return FrameInterval{Milliseconds: w}, err
	case CommandInitTouch:
		return InitTouch{}, exactly(c, p, 0)
	case CommandTouch:
		return parsed(parseTouches(p))
	case CommandDisplayLayout:
		return QueryLayout{}, exactly(c, p, 0)
	case CommandUnicode:
		return parsed(ParseUnicode(p))
	case CommandInputLock:
		v, err := single(c, p)
		return InputLock{Action: InputLockAction(v)}, err
	default:
		return Unknown{Number: c, Payload: p}, nil
	}
}

// KeyAction says what happened to a key.
type KeyAction uint8

// The actions. The extended ones are for the keys on the right (Ctrl, Alt, Shift), arrows, the block above them, Enter and
// Divide of the number block, NumLock and Pause.
const (
	KeyDown         KeyAction = 0
	KeyUp           KeyAction = 1
	KeyExtendedUp   KeyAction = 3
	KeyExtendedDown KeyAction = 4
)

// Key is a key that was pressed or let go: command 1 (KEY), viewer to agent. The code is a virtual-key code of Windows on
// all platforms. Needs the right to control the device.
//
//	| 1 | 6 | action u8 | code u8 |
type Key struct {
	Action KeyAction
	Code   uint8
}

// Command is [CommandKey].
func (Key) Command() Command { return CommandKey }

// Append appends the command.
func (m Key) Append(b []byte) ([]byte, error) {
	return append(header(b, CommandKey, 2), byte(m.Action), m.Code), nil
}

// ParseKey reads the payload of a key, without allocating.
func ParseKey(p []byte) (Key, error) {
	if err := exactly(CommandKey, p, 2); err != nil {
		return Key{}, err
	}
	return Key{Action: KeyAction(p[0]), Code: p[1]}, nil
}

// MouseAction says what happened to the mouse.
type MouseAction uint8

// The actions. Turning the wheel is a move with a wheel.
const (
	MouseMove        MouseAction = 0x00
	MouseLeftDown    MouseAction = 0x02
	MouseLeftUp      MouseAction = 0x04
	MouseRightDown   MouseAction = 0x08
	MouseRightUp     MouseAction = 0x10
	MouseMiddleDown  MouseAction = 0x20
	MouseMiddleUp    MouseAction = 0x40
	MouseDoubleClick MouseAction = 0x88 // Windows and Linux ignore it
)

// Mouse is the mouse: command 2 (MOUSE), viewer to agent. Coordinates are those of the picture. The wheel is positive
// upwards, 120 a notch; stock viewers send one less when negative, and Linux looks only at the sign. Needs the right to
// control the device.
//
//	| 2 | 10 | 0 | action u8 | x u16 | y u16 |
//	| 2 | 12 | 0 | action u8 | x u16 | y u16 | wheel i16 |
type Mouse struct {
	Action   MouseAction
	X, Y     uint16
	HasWheel bool // the form with a wheel
	Wheel    int16
}

// Command is [CommandMouse].
func (Mouse) Command() Command { return CommandMouse }

// Append appends the command.
func (m Mouse) Append(b []byte) ([]byte, error) {
	n := 6
	if m.HasWheel {
		n = 8
	}
	b = append(header(b, CommandMouse, n), 0, byte(m.Action))
	b = binary.BigEndian.AppendUint16(b, m.X)
	b = binary.BigEndian.AppendUint16(b, m.Y)
	if m.HasWheel {
		b = binary.BigEndian.AppendUint16(b, uint16(m.Wheel))
	}
	return b, nil
}

// ParseMouse reads the payload of a mouse, without allocating.
func ParseMouse(p []byte) (Mouse, error) {
	if len(p) != 8 {
		if err := exactly(CommandMouse, p, 6); err != nil {
			return Mouse{}, err
		}
	}
	m := Mouse{Action: MouseAction(p[1]), X: binary.BigEndian.Uint16(p[2:]), Y: binary.BigEndian.Uint16(p[4:])}
	if len(p) == 8 {
		m.HasWheel, m.Wheel = true, int16(binary.BigEndian.Uint16(p[6:]))
	}
	return m, nil
}

// ImageType is the format of tiles.
type ImageType uint8

// The formats. Native agents for Linux send JPEG whatever is asked for, and none sends WebP.
const (
	ImageJPEG ImageType = 1
	ImagePNG  ImageType = 2
	ImageTIFF ImageType = 3
	ImageWebP ImageType = 4
)

// FullScale is the scaling of a picture in its own size.
const FullScale = 1024

// Compression says how the picture is to be sent: command 5 (COMPRESSION), viewer to agent. Agents take a scaling from 64 to
// 4096 and an interval from 20 to 5000, and ignore others; 0 leaves both out, and makes the command shorter.
//
//	| 5 | 6, 8 or 10 | format u8 | quality u8 | scaling u16 | milliseconds between frames u16 |
type Compression struct {
	Format       ImageType
	Quality      uint8 // 1 to 100
	Scaling      uint16
	Milliseconds uint16
}

// Command is [CommandCompression].
func (Compression) Command() Command { return CommandCompression }

// Append appends the command.
func (m Compression) Append(b []byte) ([]byte, error) {
	n := 6
	switch {
	case m.Milliseconds != 0:
	case m.Scaling != 0:
		n = 4
	default:
		n = 2
	}
	b = append(header(b, CommandCompression, n), byte(m.Format), m.Quality)
	if n > 2 {
		b = binary.BigEndian.AppendUint16(b, m.Scaling)
	}
	if n > 4 {
		b = binary.BigEndian.AppendUint16(b, m.Milliseconds)
	}
	return b, nil
}

func parseCompression(p []byte) (Compression, error) {
	switch len(p) {
	case 2, 4, 6:
	default:
		return Compression{}, exactly(CommandCompression, p, 6)
	}
	m := Compression{Format: ImageType(p[0]), Quality: p[1]}
	if len(p) > 2 {
		m.Scaling = binary.BigEndian.Uint16(p[2:])
	}
	if len(p) > 4 {
		m.Milliseconds = binary.BigEndian.Uint16(p[4:])
	}
	return m, nil
}

// Interval is the time between frames; 0 if none is given.
func (m Compression) Interval() time.Duration {
	return time.Duration(m.Milliseconds) * time.Millisecond
}

// Refresh asks for the screen's size and the whole picture: command 6 (REFRESH), viewer to agent.
//
//	| 6 | 4 |
type Refresh struct{}

// Command is [CommandRefresh].
func (Refresh) Command() Command { return CommandRefresh }

// Append appends the command.
func (Refresh) Append(b []byte) ([]byte, error) { return header(b, CommandRefresh, 0), nil }

// Pause asks for no pictures, or for pictures again: command 8 (PAUSE), viewer to agent. Native agents do not act on it.
//
//	| 8 | 5 | 1 or 0 |
type Pause struct{ Paused bool }

// Command is [CommandPause].
func (Pause) Command() Command { return CommandPause }

// Append appends the command.
func (m Pause) Append(b []byte) ([]byte, error) {
	b = append(header(b, CommandPause, 1), 0)
	if m.Paused {
		b[len(b)-1] = 1
	}
	return b, nil
}

// CtrlAltDel presses these keys: command 10 (CTRLALTDEL), viewer to agent. It works only on Windows, where the agent is a
// service, and as the first command of a message.
//
//	| 10 | 4 |
type CtrlAltDel struct{}

// Command is [CommandCtrlAltDel].
func (CtrlAltDel) Command() Command { return CommandCtrlAltDel }

// Append appends the command.
func (CtrlAltDel) Append(b []byte) ([]byte, error) { return header(b, CommandCtrlAltDel, 0), nil }

// ListDisplays asks for [Displays]: command 11 (GET_DISPLAYS), viewer to agent.
//
//	| 11 | 4 |
type ListDisplays struct{}

// Command is [CommandDisplays].
func (ListDisplays) Command() Command { return CommandDisplays }

// Append appends the command.
func (ListDisplays) Append(b []byte) ([]byte, error) { return header(b, CommandDisplays, 0), nil }

// SelectDisplay asks for the picture of a display: command 12 (SET_DISPLAY), viewer to agent. See [AllDisplays].
//
//	| 12 | 6 | id u16 |
type SelectDisplay struct{ ID uint16 }

// Command is [CommandDisplay].
func (SelectDisplay) Command() Command { return CommandDisplay }

// Append appends the command.
func (m SelectDisplay) Append(b []byte) ([]byte, error) { return appendWords(b, CommandDisplay, m.ID) }

// FrameInterval asks for a time between frames, of 20 to 5000 milliseconds: command 13 (FRAME_RATE_TIMER), viewer to agent.
//
//	| 13 | 6 | milliseconds u16 |
type FrameInterval struct{ Milliseconds uint16 }

// Command is [CommandFrameInterval].
func (FrameInterval) Command() Command { return CommandFrameInterval }

// Append appends the command.
func (m FrameInterval) Append(b []byte) ([]byte, error) {
	return appendWords(b, CommandFrameInterval, m.Milliseconds)
}

// InitTouch asks for touch input: command 14 (INIT_TOUCH), viewer to agent. It is answered by [TouchReady].
//
//	| 14 | 4 |
type InitTouch struct{}

// Command is [CommandInitTouch].
func (InitTouch) Command() Command { return CommandInitTouch }

// Append appends the command.
func (InitTouch) Append(b []byte) ([]byte, error) { return header(b, CommandInitTouch, 0), nil }

// Touch is a finger on the screen. The flags are POINTER_FLAGS of Windows: [TouchDown], [TouchUpdate], [TouchUp].
type Touch struct {
	ID    uint8
	Flags uint32
	X, Y  uint16
}

// What viewers send as flags.
const (
	TouchDown   uint32 = 0x00010000 | 2 | 4
	TouchUpdate uint32 = 0x00020000 | 2 | 4
	TouchUp     uint32 = 0x00040000
)

// Touches are touches: command 15 (TOUCH), viewer to agent.
//
//	| 15 | 14 | 1 | id u8 | flags u32 | x u16 | y u16 |
//	| 15 | 5+9n | 2 | id u8 | flags u32 | x u16 | y u16 | ... |
type Touches struct {
	Version uint8 // 1: one touch; 2: up to 16
	Touches []Touch
}

const (
	touchSize  = 9
	maxTouches = 16
)

// Command is [CommandTouch].
func (Touches) Command() Command { return CommandTouch }

// Append appends the command.
func (m Touches) Append(b []byte) ([]byte, error) {
	if err := m.check(); err != nil {
		return b, err
	}
	b = append(header(b, CommandTouch, 1+touchSize*len(m.Touches)), m.Version)
	for _, t := range m.Touches {
		b = binary.BigEndian.AppendUint32(append(b, t.ID), t.Flags)
		b = binary.BigEndian.AppendUint16(b, t.X)
		b = binary.BigEndian.AppendUint16(b, t.Y)
	}
	return b, nil
}

func (m Touches) check() error {
	if m.Version == 1 && len(m.Touches) == 1 || m.Version == 2 && len(m.Touches) <= maxTouches {
		return nil
	}
	return fmt.Errorf("%w: %d touches of version %d", ErrSize, len(m.Touches), m.Version)
}

func parseTouches(p []byte) (Touches, error) {
	if len(p) < 1 || (len(p)-1)%touchSize != 0 || len(p) > 1+touchSize*maxTouches {
		return Touches{}, fmt.Errorf("%w: touches of %d bytes", ErrSize, len(p))
	}
	m := Touches{Version: p[0]}
	for p = p[1:]; len(p) > 0; p = p[touchSize:] {
		m.Touches = append(m.Touches, Touch{
			ID: p[0], Flags: binary.BigEndian.Uint32(p[1:]), X: binary.BigEndian.Uint16(p[5:]), Y: binary.BigEndian.Uint16(p[7:]),
		})
	}
	return m, m.check()
}

// QueryLayout asks for [DisplayLayout]: command 82 (DISPLAY_INFO), viewer to a server that shares the agent among viewers.
// Agents ignore it.
//
//	| 82 | 4 |
type QueryLayout struct{}

// Command is [CommandDisplayLayout].
func (QueryLayout) Command() Command { return CommandDisplayLayout }

// Append appends the command.
func (QueryLayout) Append(b []byte) ([]byte, error) { return header(b, CommandDisplayLayout, 0), nil }

// Unicode is a character that was typed: command 85 (KEY_UNICODE), viewer to agent. A character beyond the first 65536
// takes two, its surrogates. Linux acts on those that go down only.
//
//	| 85 | 7 | 0 down, 1 up | UTF-16 code unit u16 |
type Unicode struct {
	Up   bool
	Unit uint16
}

// Command is [CommandUnicode].
func (Unicode) Command() Command { return CommandUnicode }

// Append appends the command.
func (m Unicode) Append(b []byte) ([]byte, error) {
	b = append(header(b, CommandUnicode, 3), 0)
	if m.Up {
		b[len(b)-1] = 1
	}
	return binary.BigEndian.AppendUint16(b, m.Unit), nil
}

// ParseUnicode reads the payload of a character, without allocating.
func ParseUnicode(p []byte) (Unicode, error) {
	if err := exactly(CommandUnicode, p, 3); err != nil {
		return Unicode{}, err
	}
	return Unicode{Up: p[0] != 0, Unit: binary.BigEndian.Uint16(p[1:])}, nil
}

// InputLockAction is what is to happen to the keyboard and the mouse of the device.
type InputLockAction uint8

// The actions.
const (
	InputUnlock InputLockAction = 0
	InputLocked InputLockAction = 1
	InputQuery  InputLockAction = 2
)

// InputLock locks the keyboard and the mouse of the device, or asks whether they are: command 87 (INPUT_LOCK), viewer to
// agent. Windows answers [InputLockState].
//
//	| 87 | 5 | action u8 |
type InputLock struct{ Action InputLockAction }

// Command is [CommandInputLock].
func (InputLock) Command() Command { return CommandInputLock }

// Append appends the command.
func (m InputLock) Append(b []byte) ([]byte, error) {
	return append(header(b, CommandInputLock, 1), byte(m.Action)), nil
}
