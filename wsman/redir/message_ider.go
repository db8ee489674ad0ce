package redir

import (
	"encoding/binary"
	"fmt"
)

const (
	iderOpenLen     = 18
	iderOpenedLen   = 30 // and OEM data
	iderResetLen    = 9
	iderFeaturesLen = 9 // and four bytes for a toggle
	iderReplyLen    = 13
	iderErrorLen    = 11
	iderCommandLen  = 28
	iderEndLen      = 31
	iderGetLen      = 31
	fromHostLen     = 14 // and data
	toHostLen       = 34 // and data
)

// Attributes in the header of an IDE-R message.
const (
	attrDMA       = 1
	attrCompleted = 2
)

func iderSize(from Side, b []byte) int {
	switch c := Command(b[0]); {
	case c == CommandIDERPing || c == CommandIDERPong || c == CommandIDERHeartbeat:
		return signalLen
	case from == Operator:
		return iderOperatorSize(b)
	default:
		return iderDeviceSize(b)
	}
}

func iderOperatorSize(b []byte) int {
	switch Command(b[0]) {
	case CommandEnd:
		return endLen
	case CommandIDEROpen:
		return iderOpenLen
	case CommandIDERClose, CommandIDERResetDone:
		return signalLen
	case CommandIDERFeatures:
		switch {
		case len(b) < iderFeaturesLen:
			return 0
		case FeaturesType(b[8]) == FeaturesToggle:
			return iderFeaturesLen + 4
		default:
			return iderFeaturesLen
		}
	case CommandIDEREnd:
		return iderEndLen
	case CommandIDERGetData:
		return iderGetLen
	case CommandIDERToHost:
		return withLength16(b, 9, toHostLen)
	default:
		return unknownCommand
	}
}

func iderDeviceSize(b []byte) int {
	switch Command(b[0]) {
	case CommandIDEROpened:
		return withLength8(b, 29, iderOpenedLen)
	case CommandIDERClosed:
		return signalLen
	case CommandIDERReset:
		return iderResetLen
	case CommandIDERFeaturesReply:
		return iderReplyLen
	case CommandIDERError:
		return iderErrorLen
	case CommandIDERCommand:
		return iderCommandLen
	case CommandIDERFromHost:
		return withLength16(b, 9, fromHostLen)
	default:
		return unknownCommand
	}
}

// DriveID is one of the two drives that IDE-R gives a host.
type DriveID uint8

// The drives.
const (
	Floppy DriveID = 0xA0
	CD     DriveID = 0xB0
)

// driveOf reads a device select byte.
func driveOf(selected byte) DriveID {
	if selected&0x10 != 0 {
		return CD
	}
	return Floppy
}

// String names the drive.
func (d DriveID) String() string {
	switch d {
	case Floppy:
		return "floppy"
	case CD:
		return "CD"
	default:
		return fmt.Sprintf("drive %02X", uint8(d))
	}
}

// BlockSize is 2048 for a CD and 512 for a floppy.
func (d DriveID) BlockSize() int64 {
	if d == CD {
		return 2048
	}
	return 512
}

// IDEROpen starts IDE redirection. Operator to device, after the authentication. Times are in milliseconds.
//
//	40 00 00 00 <sequence> <ReceiveTimeout> <TransmitTimeout> <Heartbeat> <Version, 4 bytes>
//
// Confirmed in amt-ider-module.js, Start.
type IDEROpen struct {
	Sequence        uint32
	ReceiveTimeout  uint16 // 30000
	TransmitTimeout uint16 // 0
	Heartbeat       uint16 // between heartbeats of the device, 20000
	Version         uint32 // 1
}

// Append appends the message to b.
func (m IDEROpen) Append(b []byte) []byte {
	b = appendHeader(b, CommandIDEROpen, 0, m.Sequence)
	b = binary.LittleEndian.AppendUint16(b, m.ReceiveTimeout)
	b = binary.LittleEndian.AppendUint16(b, m.TransmitTimeout)
	b = binary.LittleEndian.AppendUint16(b, m.Heartbeat)
	return binary.LittleEndian.AppendUint32(b, m.Version)
}

// Parse reads a whole message.
func (m *IDEROpen) Parse(b Message) error {
	if err := b.check(CommandIDEROpen, iderOpenLen); err != nil {
		return err
	}
	le := binary.LittleEndian
	*m = IDEROpen{b.Sequence(), le.Uint16(b[8:]), le.Uint16(b[10:]), le.Uint16(b[12:]), le.Uint32(b[14:])}
	return nil
}

// IDEROpenReply answers IDEROpen with what the device can take. Device to operator.
//
//	41 <status> 00 00 <sequence> <major> <minor> <firmware major> <firmware minor> 00 00 00 00
//	<ReadBuffer @16> <WriteBuffer @18> 00 <Protocol @21> 00 00 00 <IANA @25> <OEM length @29> <OEM data>
//
// Confirmed in amt-ider-module.js, ProcessDataEx.
type IDEROpenReply struct {
	Sequence                 uint32
	Status                   uint8 // 0 is success
	Major, Minor             uint8
	FirmwareMajor, FirmMinor uint8
	ReadBuffer               uint16 // the most data in an IDERDataToHost, up to 8192
	WriteBuffer              uint16 // the most data in an IDERDataFromHost, up to 8192
	Protocol                 uint8  // 0
	IANA                     uint32
	OEM                      []byte // at most 255 bytes
}

// Append appends the message to b. OEM data beyond 255 bytes is cut.
func (m IDEROpenReply) Append(b []byte) []byte {
	oem := m.OEM[:min(len(m.OEM), 255)]
	b = append(b, byte(CommandIDEROpened), m.Status, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, m.Sequence)
	b = append(b, m.Major, m.Minor, m.FirmwareMajor, m.FirmMinor, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint16(b, m.ReadBuffer)
	b = binary.LittleEndian.AppendUint16(b, m.WriteBuffer)
	b = append(b, 0, m.Protocol, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, m.IANA)
	b = append(b, byte(len(oem)))
	return append(b, oem...)
}

// Parse reads a whole message. OEM is a part of b.
func (m *IDEROpenReply) Parse(b Message) error {
	if err := b.check(CommandIDEROpened, iderOpenedLen); err != nil {
		return err
	}
	*m = IDEROpenReply{
		Sequence: b.Sequence(), Status: b[1], Major: b[8], Minor: b[9], FirmwareMajor: b[10], FirmMinor: b[11],
		ReadBuffer: binary.LittleEndian.Uint16(b[16:]), WriteBuffer: binary.LittleEndian.Uint16(b[18:]),
		Protocol: b[21], IANA: binary.LittleEndian.Uint32(b[25:]), OEM: b[iderOpenedLen:],
	}
	return nil
}

// IDERSignal is a message without content: closing (42, answered by 43), pinging (44, answered by 45, both directions), the
// end of a reset (47, operator to device) and the heartbeat (4B).
//
//	<command> 00 00 00 <sequence>
//
// Confirmed in amt-ider-module.js, ProcessDataEx.
type IDERSignal struct {
	Command  Command
	Sequence uint32
}

// Append appends the message to b.
func (m IDERSignal) Append(b []byte) []byte { return appendHeader(b, m.Command, 0, m.Sequence) }

// Parse reads a whole message.
func (m *IDERSignal) Parse(b Message) error {
	switch b.Command() {
	case CommandIDERClose, CommandIDERClosed, CommandIDERPing, CommandIDERPong, CommandIDERResetDone, CommandIDERHeartbeat:
	default:
		return protocolError("command %02X is no signal of IDE-R", uint8(b.Command()))
	}
	if err := b.check(b.Command(), signalLen); err != nil {
		return err
	}
	*m = IDERSignal{b.Command(), b.Sequence()}
	return nil
}

// IDERReset says that the host has reset its IDE bus. Device to operator, who answers with the signal 47 at once, or after
// the read that is under way.
//
//	46 00 00 00 <sequence> <mask>
//
// Confirmed in amt-ider-module.js, ProcessDataEx.
type IDERReset struct {
	Sequence uint32
	Mask     uint8
}

// Append appends the message to b.
func (m IDERReset) Append(b []byte) []byte {
	return append(appendHeader(b, CommandIDERReset, 0, m.Sequence), m.Mask)
}

// Parse reads a whole message.
func (m *IDERReset) Parse(b Message) error {
	if err := b.check(CommandIDERReset, iderResetLen); err != nil {
		return err
	}
	*m = IDERReset{b.Sequence(), b[8]}
	return nil
}

// FeaturesType is what IDERFeatures asks for.
type FeaturesType uint8

// The kinds of IDERFeatures.
const (
	FeaturesAvailable FeaturesType = 1 // which features there are: bit 0 is redirection
	FeaturesStatus    FeaturesType = 2 // what is in force: bit 1 is "the drives are there"
	FeaturesToggle    FeaturesType = 3 // switches the drives on: the answer is 1
)

// StartMode is when the host gets its redirected drives. It is the value of a toggle.
type StartMode uint32

// The start modes. Each switches redirection on (1) and says when.
const (
	StartOnReboot StartMode = 0x09
	StartGraceful StartMode = 0x11
	StartNow      StartMode = 0x19
)

// String names the mode.
func (m StartMode) String() string {
	switch m {
	case StartOnReboot:
		return "on reboot"
	case StartGraceful:
		return "graceful"
	case StartNow:
		return "now"
	default:
		return fmt.Sprintf("start mode %#x", uint32(m))
	}
}

// IDERFeatures asks for, or switches, what is redirected. Operator to device.
//
//	48 00 00 00 <sequence> <type> [<value, 4 bytes, for a toggle>]
//
// Confirmed in amt-ider-module.js, SendDisableEnableFeatures.
type IDERFeatures struct {
	Sequence uint32
	Type     FeaturesType
	Value    StartMode // of a toggle
}

// Append appends the message to b.
func (m IDERFeatures) Append(b []byte) []byte {
	b = append(appendHeader(b, CommandIDERFeatures, 0, m.Sequence), byte(m.Type))
	if m.Type == FeaturesToggle {
		b = binary.LittleEndian.AppendUint32(b, uint32(m.Value))
	}
	return b
}

// Parse reads a whole message.
func (m *IDERFeatures) Parse(b Message) error {
	if err := b.check(CommandIDERFeatures, iderFeaturesLen); err != nil {
		return err
	}
	*m = IDERFeatures{Sequence: b.Sequence(), Type: FeaturesType(b[8])}
	if m.Type != FeaturesToggle {
		return nil
	}
	if err := b.check(CommandIDERFeatures, iderFeaturesLen+4); err != nil {
		return err
	}
	m.Value = StartMode(binary.LittleEndian.Uint32(b[9:]))
	return nil
}

// IDERFeaturesReply answers IDERFeatures. Device to operator.
//
//	49 00 00 00 <sequence> <type> <value, 4 bytes>
//
// Confirmed in amt-ider-module.js, ProcessDataEx.
type IDERFeaturesReply struct {
	Sequence uint32
	Type     FeaturesType
	Value    uint32
}

// Append appends the message to b.
func (m IDERFeaturesReply) Append(b []byte) []byte {
	b = append(appendHeader(b, CommandIDERFeaturesReply, 0, m.Sequence), byte(m.Type))
	return binary.LittleEndian.AppendUint32(b, m.Value)
}

// Parse reads a whole message.
func (m *IDERFeaturesReply) Parse(b Message) error {
	if err := b.check(CommandIDERFeaturesReply, iderReplyLen); err != nil {
		return err
	}
	*m = IDERFeaturesReply{b.Sequence(), FeaturesType(b[8]), binary.LittleEndian.Uint32(b[9:])}
	return nil
}

// IDERError says that a command was aborted. Device to operator.
//
//	4A 00 00 00 <sequence> <code> <2 bytes>
//
// Confirmed in amt-ider-module.js, ProcessDataEx.
type IDERError struct {
	Sequence uint32
	Code     [3]byte
}

// Append appends the message to b.
func (m IDERError) Append(b []byte) []byte {
	return append(appendHeader(b, CommandIDERError, 0, m.Sequence), m.Code[:]...)
}

// Parse reads a whole message.
func (m *IDERError) Parse(b Message) error {
	if err := b.check(CommandIDERError, iderErrorLen); err != nil {
		return err
	}
	*m = IDERError{b.Sequence(), [3]byte(b[8:])}
	return nil
}

// IDERCommand is an ATAPI command that the host has written to a drive. Device to operator, who answers with IDERCommandEnd,
// with IDERDataToHost, or with IDERGetData.
//
//	50 00 00 00 <sequence> <registers, 8 bytes> <CDB, 12 bytes>
//
// The registers are those of the task file: feature @9 (bit 0 is DMA), device select @14 (bit 4 is the CD).
//
// Confirmed in amt-ider-module.js, ProcessDataEx.
type IDERCommand struct {
	Sequence uint32
	Feature  uint8
	Select   uint8 // the whole register
	CDB      [12]byte
}

// Drive is the drive that is meant.
func (m *IDERCommand) Drive() DriveID { return driveOf(m.Select) }

// DMA says whether the answer is to be fetched by DMA.
func (m *IDERCommand) DMA() bool { return m.Feature&1 != 0 }

// Append appends the message to b. The last register is that of the command, A0, PACKET.
func (m IDERCommand) Append(b []byte) []byte {
	b = appendHeader(b, CommandIDERCommand, 0, m.Sequence)
	b = append(b, 0, m.Feature, 0, 0, 0, 0, m.Select, 0xA0)
	return append(b, m.CDB[:]...)
}

// Parse reads a whole message.
func (m *IDERCommand) Parse(b Message) error {
	if err := b.check(CommandIDERCommand, iderCommandLen); err != nil {
		return err
	}
	*m = IDERCommand{Sequence: b.Sequence(), Feature: b[9], Select: b[14], CDB: [12]byte(b[16:])}
	return nil
}

// Sense is how a command ended: the zero value is good.
type Sense struct {
	Key, ASC, ASCQ uint8
}

// The senses of this package.
var (
	SenseGood           = Sense{}
	SenseNoMedium       = Sense{0x02, 0x3A, 0x00}
	SenseReadError      = Sense{0x03, 0x11, 0x00}
	SenseBadCommand     = Sense{0x05, 0x20, 0x00}
	SenseBadAddress     = Sense{0x05, 0x21, 0x00}
	SenseBadField       = Sense{0x05, 0x24, 0x00}
	SenseMediumChanged  = Sense{0x06, 0x28, 0x00}
	SenseWriteProtected = Sense{0x07, 0x27, 0x00}
)

// String gives the three numbers, as data sheets do.
func (s Sense) String() string {
	if s == SenseGood {
		return "good"
	}
	return fmt.Sprintf("%02X/%02X/%02X", s.Key, s.ASC, s.ASCQ)
}

// IDERCommandEnd ends a command. Operator to device, always "completed". For a good end, and for a check condition:
//
//	51 00 00 02 <sequence> <12 zeros> C5 00 03 00 00 00 <drive> 50 00 00 00
//	51 00 00 02 <sequence> <12 zeros> 87 <sense << 4> 03 00 00 00 <drive> 51 <sense> <ASC> <ASCQ>
//
// Stock MeshCentral reads its flag for this the wrong way round, and so sends the first form for most errors.
//
// Confirmed in amt-ider-module.js, SendCommandEndResponse.
type IDERCommandEnd struct {
	Sequence uint32
	Drive    DriveID
	Sense    Sense
}

// Append appends the message to b.
func (m IDERCommandEnd) Append(b []byte) []byte {
	b = appendHeader(b, CommandIDEREnd, attrCompleted, m.Sequence)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	if m.Sense == SenseGood {
		return append(b, 0xC5, 0, 3, 0, 0, 0, byte(m.Drive), 0x50, 0, 0, 0)
	}
	return append(b, 0x87, m.Sense.Key<<4, 3, 0, 0, 0, byte(m.Drive), 0x51, m.Sense.Key, m.Sense.ASC, m.Sense.ASCQ)
}

// Parse reads a whole message. The sense counts only if the error bit of the status register is set.
func (m *IDERCommandEnd) Parse(b Message) error {
	if err := b.check(CommandIDEREnd, iderEndLen); err != nil {
		return err
	}
	*m = IDERCommandEnd{Sequence: b.Sequence(), Drive: DriveID(b[26])}
	if b[27]&1 != 0 {
		m.Sense = Sense{b[28], b[29], b[30]}
	}
	return nil
}

// IDERGetData asks for what the host wants to write. Operator to device, as the answer to a command.
//
//	52 00 00 00 <sequence> 00 <n, 2 bytes> 00 B5 00 00 00 <n, 2 bytes> <drive> 58 <11 zeros>
//
// Confirmed in amt-ider-module.js, SendGetDataFromHost.
type IDERGetData struct {
	Sequence uint32
	Drive    DriveID
	Length   uint16
}

// Append appends the message to b.
func (m IDERGetData) Append(b []byte) []byte {
	low, high := byte(m.Length), byte(m.Length>>8)
	b = appendHeader(b, CommandIDERGetData, 0, m.Sequence)
	b = append(b, 0, low, high, 0, 0xB5, 0, 0, 0, low, high, byte(m.Drive), 0x58)
	return append(b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
}

// Parse reads a whole message.
func (m *IDERGetData) Parse(b Message) error {
	if err := b.check(CommandIDERGetData, iderGetLen); err != nil {
		return err
	}
	*m = IDERGetData{b.Sequence(), DriveID(b[18]), binary.LittleEndian.Uint16(b[9:])}
	return nil
}

// IDERDataFromHost is what the host writes. Device to operator, the answer to IDERGetData.
//
//	53 00 00 00 <sequence> 00 <n, 2 bytes> 00 00 00 <n bytes of data>
//
// Confirmed in amt-ider-module.js, ProcessDataEx.
type IDERDataFromHost struct {
	Sequence uint32
	Data     []byte // at most 65535 bytes
}

// Append appends the message to b. Data beyond 65535 bytes is cut.
func (m IDERDataFromHost) Append(b []byte) []byte {
	data := m.Data[:min(len(m.Data), 0xFFFF)]
	n := len(data)
	b = appendHeader(b, CommandIDERFromHost, 0, m.Sequence)
	b = append(b, 0, byte(n), byte(n>>8), 0, 0, 0)
	return append(b, data...)
}

// Parse reads a whole message. Data is a part of b.
func (m *IDERDataFromHost) Parse(b Message) error {
	if err := b.check(CommandIDERFromHost, fromHostLen); err != nil {
		return err
	}
	*m = IDERDataFromHost{b.Sequence(), b[fromHostLen:]}
	return nil
}

// IDERDataToHost is the answer to a command, or a part of it of at most the device's read buffer. Operator to device.
//
//	54 00 00 <2 completed, 1 DMA> <sequence> 00 <n> 00 <B5, with DMA B4> 00 02 00 <n, with DMA 0> <select> 58
//	85 00 03 00 00 00 <select> 50 00 00 00 00 00 00, or 14 zeros when more follows
//	<n bytes of data>
//
// Confirmed in amt-ider-module.js, SendDataToHost.
type IDERDataToHost struct {
	Sequence  uint32
	Select    uint8 // the drive; in the answer to READ CAPACITY the select register of the command
	Completed bool  // nothing of the answer follows
	DMA       bool
	Data      []byte // at most 65535 bytes
}

// Append appends the message to b. Data beyond 65535 bytes is cut.
func (m IDERDataToHost) Append(b []byte) []byte {
	data := m.Data[:min(len(m.Data), 0xFFFF)]
	return append(m.appendHeader(b, len(data)), data...)
}

// appendHeader appends all but the data.
func (m *IDERDataToHost) appendHeader(b []byte, n int) []byte {
	var attributes byte
	if m.Completed {
		attributes |= attrCompleted
	}
	low, high, mode := byte(n), byte(n>>8), byte(0xB5)
	countLow, countHigh := low, high
	if m.DMA {
		attributes |= attrDMA
		mode, countLow, countHigh = 0xB4, 0, 0
	}
	b = appendHeader(b, CommandIDERToHost, attributes, m.Sequence)
	b = append(b, 0, low, high, 0, mode, 0, 2, 0, countLow, countHigh, m.Select, 0x58)
	if m.Completed {
		return append(b, 0x85, 0, 3, 0, 0, 0, m.Select, 0x50, 0, 0, 0, 0, 0, 0)
	}
	return append(b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
}

// Parse reads a whole message. Data is a part of b.
func (m *IDERDataToHost) Parse(b Message) error {
	if err := b.check(CommandIDERToHost, toHostLen); err != nil {
		return err
	}
	*m = IDERDataToHost{
		Sequence: b.Sequence(), Select: b[18], Completed: b[3]&attrCompleted != 0, DMA: b[3]&attrDMA != 0,
		Data: b[toHostLen:],
	}
	return nil
}
