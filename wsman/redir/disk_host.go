package redir

import (
	"bytes"
	"fmt"
)

// DiskHost is the device's end of IDE-R, without I/O: the host that reads the operator's media, with the firmware between
// them. It has one command at a time.
type DiskHost struct {
	cfg     DiskHostConfig
	in      uint32
	out     uint32
	opened  bool
	open    IDEROpen
	mode    StartMode
	pending bool
	resets  int // that the operator has not answered
	drive   DriveID
	into    []byte
	got     int
	write   []byte
	result  *DiskResult
	stats   DiskStats
	err     error
}

// DiskHostConfig is what a DiskHost is made with. The zero value is that of a device with buffers of 8192 bytes.
type DiskHostConfig struct {
	ReadBuffer, WriteBuffer uint16
	// Refuse switches no drives on, whatever the operator asks for.
	Refuse bool
	// OEM is sent when the session is opened.
	OEM []byte
}

// DiskResult is how a command ended.
type DiskResult struct {
	Drive DriveID // as the operator named it
	N     int     // bytes that were read, or fetched to be written
	Sense Sense
	// Ended says that there was a message of its own for the end: a read that ended so with a good sense has no data.
	Ended bool
	// Select is the device register of the answer.
	Select uint8
}

// DiskStats count what went through.
type DiskStats struct {
	Commands, Messages, Bytes uint64
}

// NewDiskHost returns the device's end of a session.
func NewDiskHost(cfg DiskHostConfig) *DiskHost {
	if cfg.ReadBuffer == 0 {
		cfg.ReadBuffer = maxBuffer
	}
	if cfg.WriteBuffer == 0 {
		cfg.WriteBuffer = maxBuffer
	}
	return &DiskHost{cfg: cfg}
}

func (h *DiskHost) next() uint32 {
	n := h.out
	h.out++
	return n
}

func (h *DiskHost) signal(b []byte, c Command) []byte { return IDERSignal{c, h.next()}.Append(b) }

// Open is what the operator opened the session with.
func (h *DiskHost) Open() (IDEROpen, bool) { return h.open, h.opened }

// Mode is how the operator wants the drives to be switched on, or 0 as long as it did not say so.
func (h *DiskHost) Mode() StartMode { return h.mode }

// Stats returns what went through so far.
func (h *DiskHost) Stats() DiskStats { return h.stats }

// Heartbeat appends a heartbeat. The operator does not answer it.
func (h *DiskHost) Heartbeat(b []byte) []byte { return h.signal(b, CommandIDERHeartbeat) }

// Ping appends a message that the operator answers.
func (h *DiskHost) Ping(b []byte) []byte { return h.signal(b, CommandIDERPing) }

// Reset appends a reset of the bus. What the operator sends of a command under way does not count any more; see
// [DiskHost.Resetting].
func (h *DiskHost) Reset(b []byte, mask uint8) []byte {
	h.resets++
	h.pending, h.into, h.write, h.result = false, nil, nil, nil
	return IDERReset{h.next(), mask}.Append(b)
}

// Resetting says whether the operator has a reset to answer.
func (h *DiskHost) Resetting() bool { return h.resets > 0 }

// HostCommand is a command of the host.
type HostCommand struct {
	Drive DriveID
	CDB   [12]byte
	DMA   bool
	Into  []byte // where data goes; more than that is against the protocol
	Write []byte // what is to be written, if the operator asks for it
}

// Command appends a command. There is no other one until Result has its end.
func (h *DiskHost) Command(b []byte, c HostCommand) ([]byte, error) {
	switch {
	case h.err != nil:
		return b, h.err
	case h.mode == 0:
		return b, protocolError("no drives")
	case h.pending || h.resets > 0:
		return b, protocolError("a command before the end of the last one")
	}
	h.pending, h.drive, h.into, h.got, h.write, h.result = true, c.Drive, c.Into, 0, c.Write, nil
	h.stats.Commands++
	m := IDERCommand{Sequence: h.next(), Feature: bit(c.DMA, 1), Select: byte(c.Drive), CDB: c.CDB}
	return m.Append(b), nil
}

// Result returns the end of the command, as soon as there is one.
func (h *DiskHost) Result() (DiskResult, bool) {
	if h.result == nil {
		return DiskResult{}, false
	}
	return *h.result, true
}

// giveUp lets the data of the command under way go elsewhere.
func (h *DiskHost) giveUp() {
	if h.pending {
		h.into, h.write = make([]byte, len(h.into)), bytes.Clone(h.write)
	}
}

// Receive takes a message of the operator and appends what it is answered with. An error is final.
func (h *DiskHost) Receive(b []byte, m Message) ([]byte, error) {
	if h.err != nil {
		return b, h.err
	}
	b, err := h.receive(b, m)
	h.err = err
	return b, err
}

func (h *DiskHost) receive(b []byte, m Message) ([]byte, error) {
	if m.Command() == CommandEnd {
		return b, ErrEnded
	}
	h.stats.Messages++
	if n := m.Sequence(); n != h.in {
		return b, fmt.Errorf("%w: %d in place of %d", ErrSequence, n, h.in)
	}
	h.in++
	if h.opened == (m.Command() == CommandIDEROpen) {
		return b, protocolError("command %02X at the wrong time", uint8(m.Command()))
	}
	switch m.Command() {
	case CommandIDEROpen:
		if err := h.open.Parse(m); err != nil {
			return b, err
		}
		h.opened = true
		return IDEROpenReply{
			Sequence: h.next(), Major: 1, ReadBuffer: h.cfg.ReadBuffer, WriteBuffer: h.cfg.WriteBuffer, OEM: h.cfg.OEM,
		}.Append(b), nil
	case CommandIDERClose:
		return h.signal(b, CommandIDERClosed), ErrEnded
	case CommandIDERPing:
		return h.signal(b, CommandIDERPong), nil
	case CommandIDERPong, CommandIDERHeartbeat:
		return b, nil
	case CommandIDERResetDone:
		if h.resets == 0 {
			return b, protocolError("end of a reset that was not")
		}
		h.resets--
		return b, nil
	case CommandIDERFeatures:
		return h.features(b, m)
	case CommandIDEREnd, CommandIDERGetData, CommandIDERToHost:
		return h.answer(b, m)
	default:
		return b, protocolError("command %02X from the operator", uint8(m.Command()))
	}
}

func (h *DiskHost) features(b []byte, m Message) ([]byte, error) {
	var f IDERFeatures
	if err := f.Parse(m); err != nil {
		return b, err
	}
	reply := IDERFeaturesReply{Sequence: h.next(), Type: f.Type}
	switch f.Type {
	case FeaturesAvailable:
		reply.Value = 1
	case FeaturesStatus:
		if reply.Value = 1; h.mode != 0 {
			reply.Value |= 2
		}
	case FeaturesToggle:
		switch f.Value {
		case StartOnReboot, StartGraceful, StartNow:
			if !h.cfg.Refuse {
				h.mode = f.Value
				reply.Value = 1
			}
		}
	}
	return reply.Append(b), nil
}

func (h *DiskHost) answer(b []byte, m Message) ([]byte, error) {
	if h.resets > 0 {
		return b, nil // of a command that the reset has ended
	}
	if !h.pending {
		return b, protocolError("command %02X without a command of the host", uint8(m.Command()))
	}
	switch m.Command() {
	case CommandIDEREnd:
		var end IDERCommandEnd
		if err := end.Parse(m); err != nil {
			return b, err
		}
		h.end(DiskResult{Drive: end.Drive, N: h.got, Sense: end.Sense, Ended: true, Select: uint8(end.Drive)})
	case CommandIDERGetData:
		var get IDERGetData
		if err := get.Parse(m); err != nil {
			return b, err
		}
		if int(get.Length) > len(h.write) || get.Length > h.cfg.WriteBuffer {
			return b, protocolError("the operator asks for %d bytes, the host has %d", get.Length, len(h.write))
		}
		data := h.write[:get.Length]
		h.write = h.write[get.Length:]
		h.got += len(data)
		return IDERDataFromHost{h.next(), data}.Append(b), nil
	default:
		var data IDERDataToHost
		if err := data.Parse(m); err != nil {
			return b, err
		}
		switch {
		case len(data.Data) > int(h.cfg.ReadBuffer):
			return b, protocolError("%d bytes for a buffer of %d", len(data.Data), h.cfg.ReadBuffer)
		case len(data.Data) > len(h.into):
			return b, protocolError("more data than the host wants")
		}
		n := copy(h.into, data.Data)
		h.into = h.into[n:]
		h.got += n
		h.stats.Bytes += uint64(n) //nolint:gosec // not negative
		if data.Completed {
			h.end(DiskResult{Drive: driveOf(data.Select), N: h.got, Select: data.Select})
		}
	}
	return b, nil
}

func (h *DiskHost) end(r DiskResult) {
	h.pending, h.into, h.write, h.result = false, nil, nil, &r
}
