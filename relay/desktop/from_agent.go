package desktop

import (
	"encoding/binary"
	"fmt"
)

// ParseFromAgent returns a command of the agent with its fields. Byte slices in it alias the command.
func ParseFromAgent(command []byte) (Message, error) {
	c, p, err := Split(command)
	if err != nil {
		return nil, err
	}
	switch c {
	case CommandTile:
		return parsed(ParseTile(p))
	case CommandCopy:
		return parsed(parseCopy(p))
	case CommandScreen:
		return parsed(ParseScreen(p))
	case CommandDisplays:
		return parsed(parseDisplays(p))
	case CommandDisplay:
		return parsed(parseDisplay(p))
	case CommandInitTouch:
		w, err := word(c, p)
		return TouchReady{State: w}, err
	case CommandTouch:
		return TouchReset{}, exactly(c, p, 0)
	case CommandNotice:
		return Notice{Text: string(p)}, nil
	case CommandKeyState:
		v, err := single(c, p)
		return KeyState{Locks: Locks(v)}, err
	case CommandDebug:
		return DebugText{Text: string(p)}, nil
	case CommandAlert:
		return Alert{Text: string(p)}, nil
	case CommandDisplayLayout:
		return parsed(parseLayout(p))
	case CommandInputLock:
		v, err := single(c, p)
		return InputLockState{State: v}, err
	case CommandCursor:
		v, err := single(c, p)
		return CursorShape{Cursor: Cursor(v)}, err
	default:
		return Unknown{Number: c, Payload: p}, nil
	}
}

// parsed makes a Message of what a parser returns.
func parsed[T Message](m T, err error) (Message, error) {
	if err != nil {
		return nil, err
	}
	return m, nil
}

// exactly checks the size of a payload.
func exactly(c Command, p []byte, n int) error {
	if len(p) != n {
		return fmt.Errorf("%w: command %d with %d bytes instead of %d", ErrSize, c, len(p), n)
	}
	return nil
}

func single(c Command, p []byte) (uint8, error) {
	if err := exactly(c, p, 1); err != nil {
		return 0, err
	}
	return p[0], nil
}

func word(c Command, p []byte) (uint16, error) {
	if err := exactly(c, p, 2); err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint16(p), nil
}

// Tile is a part of the picture, painted in the order of arrival: command 3 (PICTURE), agent to viewer. Sides are multiples
// of 32 pixels, so a tile may reach beyond the screen. A large one goes in a jumbo command (27).
//
//	| 3 | size | x u16 | y u16 | image file: JPEG |
//	| 27 | 8 | n u32 | 3 | 0 | x u16 | y u16 | image file | with n the bytes after it
type Tile struct {
	X, Y  uint16
	Image []byte
}

// Command is [CommandTile].
func (Tile) Command() Command { return CommandTile }

// Append appends the command, as a jumbo command if it has to be.
func (m Tile) Append(b []byte) ([]byte, error) {
	n := 8 + len(m.Image)
	switch {
	case n+8 > maxCommand:
		return b, fmt.Errorf("%w: image of %d bytes", ErrTooLarge, len(m.Image))
	case len(m.Image) > maxPlainImage:
		b = header(b, CommandJumbo, 4)
		b = binary.BigEndian.AppendUint32(b, uint32(n))
		b = binary.BigEndian.AppendUint16(b, uint16(CommandTile))
		b = binary.BigEndian.AppendUint16(b, 0)
	default:
		b = header(b, CommandTile, n-headerSize)
	}
	b = binary.BigEndian.AppendUint16(b, m.X)
	b = binary.BigEndian.AppendUint16(b, m.Y)
	return append(b, m.Image...), nil
}

// ParseTile reads the payload of a tile, without allocating. The image aliases it.
func ParseTile(p []byte) (Tile, error) {
	if len(p) < 4 {
		return Tile{}, fmt.Errorf("%w: tile of %d bytes", ErrShort, len(p))
	}
	return Tile{X: binary.BigEndian.Uint16(p), Y: binary.BigEndian.Uint16(p[2:]), Image: p[4:]}, nil
}

// Copy moves a part of the picture: command 4 (COPY), agent to viewer. Current agents do not send it and the stock viewer
// does not understand it.
//
//	| 4 | 16 | source x, y | destination x, y | width, height | all u16
type Copy struct{ SrcX, SrcY, DstX, DstY, Width, Height uint16 }

// Command is [CommandCopy].
func (Copy) Command() Command { return CommandCopy }

// Append appends the command.
func (m Copy) Append(b []byte) ([]byte, error) {
	return appendWords(b, CommandCopy, m.SrcX, m.SrcY, m.DstX, m.DstY, m.Width, m.Height)
}

func parseCopy(p []byte) (Copy, error) {
	if err := exactly(CommandCopy, p, 12); err != nil {
		return Copy{}, err
	}
	w := func(i int) uint16 { return binary.BigEndian.Uint16(p[2*i:]) }
	return Copy{w(0), w(1), w(2), w(3), w(4), w(5)}, nil
}

// Screen is the size of the picture, after scaling: command 7 (SCREEN), agent to viewer, first of a session and after each
// change.
//
//	| 7 | 8 | width u16 | height u16 |
type Screen struct{ Width, Height uint16 }

// Command is [CommandScreen].
func (Screen) Command() Command { return CommandScreen }

// Append appends the command.
func (m Screen) Append(b []byte) ([]byte, error) {
	return appendWords(b, CommandScreen, m.Width, m.Height)
}

// ParseScreen reads the payload of a screen size, without allocating.
func ParseScreen(p []byte) (Screen, error) {
	if err := exactly(CommandScreen, p, 4); err != nil {
		return Screen{}, err
	}
	return Screen{Width: binary.BigEndian.Uint16(p), Height: binary.BigEndian.Uint16(p[2:])}, nil
}

// AllDisplays is the id that stands for all displays together.
const AllDisplays = 0xFFFF

// Displays lists the displays of the device: command 11 (GET_DISPLAYS), agent to viewer. Windows with one display lists
// none, Linux with one the id 0.
//
//	| 11 | size | count u16 | ids, u16 each | selected u16 |
type Displays struct {
	IDs      []uint16
	Selected uint16
}

// Command is [CommandDisplays].
func (Displays) Command() Command { return CommandDisplays }

// Append appends the command.
func (m Displays) Append(b []byte) ([]byte, error) {
	n := 4 + 2*len(m.IDs)
	if headerSize+n > maxPlain {
		return b, fmt.Errorf("%w: %d displays", ErrTooLarge, len(m.IDs))
	}
	b = header(b, CommandDisplays, n)
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.IDs)))
	for _, id := range m.IDs {
		b = binary.BigEndian.AppendUint16(b, id)
	}
	return binary.BigEndian.AppendUint16(b, m.Selected), nil
}

func parseDisplays(p []byte) (Displays, error) {
	if len(p) < 4 {
		return Displays{}, fmt.Errorf("%w: list of displays of %d bytes", ErrShort, len(p))
	}
	n := int(binary.BigEndian.Uint16(p))
	if err := exactly(CommandDisplays, p, 4+2*n); err != nil {
		return Displays{}, err
	}
	m := Displays{Selected: binary.BigEndian.Uint16(p[2+2*n:])}
	for i := range n {
		m.IDs = append(m.IDs, binary.BigEndian.Uint16(p[2+2*i:]))
	}
	return m, nil
}

// Display says which display the picture is of: command 12 (SET_DISPLAY), agent to viewer. The same command of the viewer
// is [SelectDisplay].
//
//	| 12 | 5 | id u8 | or | 12 | 6 | id u16 |
type Display struct{ ID uint16 }

// Command is [CommandDisplay].
func (Display) Command() Command { return CommandDisplay }

// Append appends the command, in the form of one byte if the id fits.
func (m Display) Append(b []byte) ([]byte, error) {
	if m.ID <= 0xFF {
		return append(header(b, CommandDisplay, 1), byte(m.ID)), nil
	}
	return appendWords(b, CommandDisplay, m.ID)
}

func parseDisplay(p []byte) (Display, error) {
	if len(p) == 1 {
		return Display{ID: uint16(p[0])}, nil
	}
	w, err := word(CommandDisplay, p)
	return Display{ID: w}, err
}

// TouchReady answers [InitTouch]: command 14 (INIT_TOUCH), agent to viewer. State is 1 if touch input can be used, 2 if not.
//
//	| 14 | 6 | state u16 |
type TouchReady struct{ State uint16 }

// Command is [CommandInitTouch].
func (TouchReady) Command() Command { return CommandInitTouch }

// Append appends the command.
func (m TouchReady) Append(b []byte) ([]byte, error) {
	return appendWords(b, CommandInitTouch, m.State)
}

// TouchReset says that the device has forgotten all touches: command 15 (TOUCH), agent to viewer.
//
//	| 15 | 4 |
type TouchReset struct{}

// Command is [CommandTouch].
func (TouchReset) Command() Command { return CommandTouch }

// Append appends the command.
func (TouchReset) Append(b []byte) ([]byte, error) { return header(b, CommandTouch, 0), nil }

// Notice is a text for the operator: command 17 (MESSAGE), agent to viewer.
//
//	| 17 | size | text |
type Notice struct{ Text string }

// Command is [CommandNotice].
func (Notice) Command() Command { return CommandNotice }

// Append appends the command.
func (m Notice) Append(b []byte) ([]byte, error) { return appendBytes(b, CommandNotice, m.Text) }

// Locks are the keys of a keyboard that stay on.
type Locks uint8

// The bits of [Locks].
const (
	NumLock    Locks = 1
	ScrollLock Locks = 2
	CapsLock   Locks = 4
)

// KeyState says which lock keys are on: command 18 (KEYSTATE), agent to viewer.
//
//	| 18 | 5 | bits u8 |
type KeyState struct{ Locks Locks }

// Command is [CommandKeyState].
func (KeyState) Command() Command { return CommandKeyState }

// Append appends the command.
func (m KeyState) Append(b []byte) ([]byte, error) {
	return append(header(b, CommandKeyState, 1), byte(m.Locks)), nil
}

// DebugText is for the log of the agent: command 64 (DEBUG). It may reach the viewer, which ignores it.
//
//	| 64 | size | text |
type DebugText struct{ Text string }

// Command is [CommandDebug].
func (DebugText) Command() Command { return CommandDebug }

// Append appends the command.
func (m DebugText) Append(b []byte) ([]byte, error) { return appendBytes(b, CommandDebug, m.Text) }

// Alert is an error for the operator, or for the console only if it begins with a dot: command 65 (ERROR), agent to viewer.
//
//	| 65 | size | text |
type Alert struct{ Text string }

// Command is [CommandAlert].
func (Alert) Command() Command { return CommandAlert }

// Append appends the command.
func (m Alert) Append(b []byte) ([]byte, error) { return appendBytes(b, CommandAlert, m.Text) }

// Area is where a display is on the device's whole screen. The stock viewer reads X and Y without sign, by mistake.
type Area struct {
	ID            uint16
	X, Y          int16
	Width, Height uint16
}

// DisplayLayout says where the displays are: command 82 (DISPLAY_INFO), agent to viewer.
//
//	| 82 | size | id u16, x i16, y i16, width u16, height u16 | ... |
type DisplayLayout struct{ Areas []Area }

const areaSize = 10

// Command is [CommandDisplayLayout].
func (DisplayLayout) Command() Command { return CommandDisplayLayout }

// Append appends the command.
func (m DisplayLayout) Append(b []byte) ([]byte, error) {
	n := areaSize * len(m.Areas)
	if headerSize+n > maxPlain {
		return b, fmt.Errorf("%w: %d displays", ErrTooLarge, len(m.Areas))
	}
	b = header(b, CommandDisplayLayout, n)
	for _, a := range m.Areas {
		for _, w := range [...]uint16{a.ID, uint16(a.X), uint16(a.Y), a.Width, a.Height} {
			b = binary.BigEndian.AppendUint16(b, w)
		}
	}
	return b, nil
}

func parseLayout(p []byte) (DisplayLayout, error) {
	if len(p)%areaSize != 0 {
		return DisplayLayout{}, fmt.Errorf("%w: layout of displays of %d bytes", ErrSize, len(p))
	}
	var m DisplayLayout
	for ; len(p) > 0; p = p[areaSize:] {
		w := func(i int) uint16 { return binary.BigEndian.Uint16(p[2*i:]) }
		m.Areas = append(m.Areas, Area{ID: w(0), X: int16(w(1)), Y: int16(w(2)), Width: w(3), Height: w(4)})
	}
	return m, nil
}

// InputLockState says whether keyboard and mouse of the device are locked: command 87 (INPUT_LOCK), agent to viewer, in
// answer to [InputLock] (Windows only).
//
//	| 87 | 5 | state u8 |
type InputLockState struct{ State uint8 }

// Command is [CommandInputLock].
func (InputLockState) Command() Command { return CommandInputLock }

// Append appends the command.
func (m InputLockState) Append(b []byte) ([]byte, error) {
	return append(header(b, CommandInputLock, 1), m.State), nil
}

// Cursor is the shape of the mouse cursor.
type Cursor uint8

// The shapes of the cursor.
const (
	CursorArrow Cursor = iota
	CursorProgress
	CursorCrosshair
	CursorHand
	CursorHelp
	CursorText
	CursorNoDrop
	CursorMove
	CursorResizeNESW
	CursorResizeNS
	CursorResizeNWSE
	CursorResizeWE
	CursorAlias
	CursorWait
	CursorNone // the agent paints the cursor into the picture
	CursorNotAllowed
	CursorResizeColumn
	CursorResizeRow
	CursorCopy
	CursorZoomIn
	CursorZoomOut
)

// CursorShape says what the cursor looks like: command 88 (MOUSE_CURSOR), agent to viewer.
//
//	| 88 | 5 | shape u8 |
type CursorShape struct{ Cursor Cursor }

// Command is [CommandCursor].
func (CursorShape) Command() Command { return CommandCursor }

// Append appends the command.
func (m CursorShape) Append(b []byte) ([]byte, error) {
	return append(header(b, CommandCursor, 1), byte(m.Cursor)), nil
}
