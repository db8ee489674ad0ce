package redir

import "fmt"

const (
	// maxBuffer is the largest read or write buffer that a device may have.
	maxBuffer = 8192
	// maxCommands is how many commands may wait. A host has one bus and so one command at a time.
	maxCommands = 16
)

// MediaServer is the operator's end of IDE-R, without I/O: it answers the commands of a host to a floppy and a CD drive. It
// says what is to be read from the media, and takes what was read; see [MediaServer.Next]. Media are read-only.
//
// Where stock MeshCentral sends "good" for errors, this sends the sense that was meant, and an answer where there is none.
type MediaServer struct {
	mode    StartMode
	drives  [2]drive
	in      uint32
	out     uint32
	state   mediaState
	device  IDEROpenReply
	queue   []IDERCommand
	job     readJob
	taken   bool    // Next was called, Deliver was not
	resets  int     // to be answered after Deliver
	writing DriveID // 0, or what the host was asked for data for
	write   SCSICommand
	stats   MediaStats
	events  MediaEvents
	err     error
}

// MediaServerConfig is what a MediaServer is made with.
type MediaServerConfig struct {
	// Floppy and CD are the sizes of the media in bytes; 0 is none.
	Floppy, CD int64
	// Mode is when the host gets the drives: StartOnReboot if it is 0.
	Mode StartMode
	// Events are called as things happen. Any may be nil.
	Events MediaEvents
}

// MediaEvents are hooks. They are called with what the device says, and must not block.
type MediaEvents struct {
	// Opened is called with what the device can take.
	Opened func(IDEROpenReply)
	// Command is called when a command was answered with a sense, or its data has been sent.
	Command func(DriveID, SCSICommand, Sense)
	// Status is called when the device says whether the host has the drives.
	Status func(enabled bool)
	// Reset is called when the host has reset its bus.
	Reset func(mask uint8)
	// Aborted is called when the device reports an error.
	Aborted func(code [3]byte)
}

// MediaStats count what went through.
type MediaStats struct {
	ToDevice, FromDevice uint64 // bytes of messages
	Commands             uint64
	Resets               uint64
	Reads                [2]uint64 // by drive: floppy, CD
	Bytes                [2]uint64 // of the media that were sent
	Errors               uint64    // commands that ended with a sense
}

type mediaState uint8

const (
	mediaOpening mediaState = iota
	mediaSwitching
	mediaOn
)

// readJob is the read that is under way.
type readJob struct {
	drive   DriveID
	dma     bool
	offset  int64
	left    int64
	command SCSICommand
}

// ReadRequest is a piece of a medium that is to be read. What is beyond its end is zeros.
type ReadRequest struct {
	Drive  DriveID
	Offset int64
	Length int
}

// NewMediaServer returns the operator's end of a session.
func NewMediaServer(cfg MediaServerConfig) *MediaServer {
	s := &MediaServer{mode: cfg.Mode, events: cfg.Events}
	if s.mode == 0 {
		s.mode = StartOnReboot
	}
	s.drives = [2]drive{{id: Floppy, size: max(cfg.Floppy, 0)}, {id: CD, size: max(cfg.CD, 0)}}
	return s
}

// Start appends the first message, with the defaults of stock MeshCentral.
func (s *MediaServer) Start(b []byte) []byte {
	return s.sent(b, IDEROpen{s.next(), 30_000, 0, 20_000, 1}.Append(b))
}

// Ready says whether the device has switched the drives on.
func (s *MediaServer) Ready() bool { return s.state == mediaOn }

// Device is what the device said of itself; its OEM data is left out.
func (s *MediaServer) Device() IDEROpenReply { return s.device }

// Stats returns what went through so far.
func (s *MediaServer) Stats() MediaStats { return s.stats }

// Close appends the message that ends the session. The device answers with 43, for which Receive returns ErrEnded.
func (s *MediaServer) Close(b []byte) []byte { return s.signal(b, CommandIDERClose) }

// Ping appends a message that the device answers.
func (s *MediaServer) Ping(b []byte) []byte { return s.signal(b, CommandIDERPing) }

func (s *MediaServer) next() uint32 {
	n := s.out
	s.out++
	return n
}

func (s *MediaServer) sent(before, after []byte) []byte {
	s.stats.ToDevice += uint64(len(after) - len(before)) //nolint:gosec // after is the longer one
	return after
}

func (s *MediaServer) signal(b []byte, c Command) []byte {
	return s.sent(b, IDERSignal{c, s.next()}.Append(b))
}

// Receive takes a message of the device and appends what it is answered with. An error is final.
func (s *MediaServer) Receive(b []byte, m Message) ([]byte, error) {
	if s.err != nil {
		return b, s.err
	}
	b, err := s.receive(b, m)
	s.err = err
	return b, err
}

func (s *MediaServer) receive(b []byte, m Message) ([]byte, error) {
	s.stats.FromDevice += uint64(len(m))
	if n := m.Sequence(); n != s.in {
		return b, fmt.Errorf("%w: %d in place of %d", ErrSequence, n, s.in)
	}
	s.in++
	if s.state == mediaOpening && m.Command() != CommandIDEROpened {
		switch m.Command() {
		case CommandIDERHeartbeat, CommandIDERPing, CommandIDERPong, CommandIDERClosed:
		default:
			return b, protocolError("command %02X before the session is open", uint8(m.Command()))
		}
	}
	switch m.Command() {
	case CommandIDEROpened:
		return s.opened(b, m)
	case CommandIDERClosed:
		return b, ErrEnded
	case CommandIDERPing:
		return s.signal(b, CommandIDERPong), nil
	case CommandIDERPong, CommandIDERHeartbeat:
		return b, nil
	case CommandIDERReset:
		return s.resetBus(b, m)
	case CommandIDERFeaturesReply:
		return s.features(b, m)
	case CommandIDERError:
		var e IDERError
		if err := e.Parse(m); err != nil {
			return b, err
		}
		if s.events.Aborted != nil {
			s.events.Aborted(e.Code)
		}
		return b, nil
	case CommandIDERCommand:
		var c IDERCommand
		if err := c.Parse(m); err != nil {
			return b, err
		}
		if len(s.queue) == maxCommands {
			return b, protocolError("%d commands at once", len(s.queue)+1)
		}
		s.queue = append(s.queue, c)
		return s.work(b), nil
	case CommandIDERFromHost:
		// What the host wants to write is not looked at.
		if s.writing == 0 {
			return b, protocolError("data from the host that nobody asked for")
		}
		d, c := s.writing, s.write
		s.writing = 0
		return s.work(s.end(b, d, c, SenseWriteProtected)), nil
	default:
		return b, protocolError("command %02X from the device", uint8(m.Command()))
	}
}

func (s *MediaServer) opened(b []byte, m Message) ([]byte, error) {
	if s.state != mediaOpening {
		return b, protocolError("the session was opened twice")
	}
	if err := s.device.Parse(m); err != nil {
		return b, err
	}
	s.device.OEM = nil // a part of the message
	switch d := &s.device; {
	case d.Status != 0:
		return b, fmt.Errorf("%w: the device does not open IDE-R: status %d", ErrUnsupported, d.Status)
	case d.Protocol != 0:
		return b, fmt.Errorf("%w: IDE-R protocol %d", ErrUnsupported, d.Protocol)
	case d.ReadBuffer == 0 || d.ReadBuffer > maxBuffer || d.WriteBuffer > maxBuffer:
		return b, protocolError("buffers of %d and %d bytes", d.ReadBuffer, d.WriteBuffer)
	}
	if s.events.Opened != nil {
		s.events.Opened(s.device)
	}
	s.state = mediaSwitching
	return s.sent(b, IDERFeatures{s.next(), FeaturesToggle, s.mode}.Append(b)), nil
}

func (s *MediaServer) features(b []byte, m Message) ([]byte, error) {
	var f IDERFeaturesReply
	if err := f.Parse(m); err != nil {
		return b, err
	}
	switch f.Type {
	case FeaturesAvailable:
	case FeaturesStatus:
		if s.events.Status != nil {
			s.events.Status(f.Value&2 != 0)
		}
	case FeaturesToggle:
		if f.Value != 1 {
			return b, fmt.Errorf("%w: the device does not switch the drives on (%v): %d", ErrUnsupported, s.mode, f.Value)
		}
		s.state = mediaOn
	default:
		return b, protocolError("features of type %d", f.Type)
	}
	return b, nil
}

// resetBus forgets all commands. A piece that is being read is sent before the answer, as stock MeshCentral does it.
func (s *MediaServer) resetBus(b []byte, m Message) ([]byte, error) {
	var r IDERReset
	if err := r.Parse(m); err != nil {
		return b, err
	}
	s.stats.Resets++
	if s.events.Reset != nil {
		s.events.Reset(r.Mask)
	}
	s.queue, s.writing = s.queue[:0], 0
	if s.taken {
		s.resets++
		return b, nil
	}
	s.job = readJob{}
	return s.signal(b, CommandIDERResetDone), nil
}

// work answers commands until one has to wait for its medium.
func (s *MediaServer) work(b []byte) []byte {
	for len(s.queue) > 0 && s.job.left == 0 && !s.taken && s.writing == 0 {
		c := s.queue[0]
		s.queue = append(s.queue[:0], s.queue[1:]...)
		s.stats.Commands++
		b = s.command(b, &c)
	}
	return b
}

// Next says what is to be read now, if anything is. Deliver has to follow before the next call; messages may be received in
// between.
func (s *MediaServer) Next() (ReadRequest, bool) {
	if s.job.left == 0 || s.taken || s.err != nil {
		return ReadRequest{}, false
	}
	s.taken = true
	return ReadRequest{s.job.drive, s.job.offset, int(min(s.job.left, int64(s.device.ReadBuffer)))}, true
}

// Deliver appends the message with what was read for Next, or, if err is not nil, the end of the command.
func (s *MediaServer) Deliver(b []byte, data []byte, err error) []byte {
	if !s.taken {
		return b
	}
	s.taken = false
	j := &s.job
	n := min(int64(len(data)), j.left)
	switch {
	case err != nil || n == 0:
		j.left = 0
		b = s.end(b, j.drive, j.command, SenseReadError)
	default:
		j.offset += n
		j.left -= n
		b = s.sent(b, IDERDataToHost{
			Sequence: s.next(), Select: byte(j.drive), Completed: j.left == 0, DMA: j.dma, Data: data[:n],
		}.Append(b))
		s.stats.Bytes[driveIndex(j.drive)] += uint64(n) //nolint:gosec // not negative
		if j.left == 0 {
			s.finished(j.drive, j.command, SenseGood)
		}
	}
	if s.resets > 0 {
		s.job = readJob{}
	}
	for ; s.resets > 0; s.resets-- {
		b = s.signal(b, CommandIDERResetDone)
	}
	return s.work(b)
}

func driveIndex(id DriveID) int {
	if id == CD {
		return 1
	}
	return 0
}

// end appends the end of a command that has no data.
func (s *MediaServer) end(b []byte, id DriveID, c SCSICommand, sense Sense) []byte {
	s.finished(id, c, sense)
	return s.sent(b, IDERCommandEnd{s.next(), id, sense}.Append(b))
}

func (s *MediaServer) finished(id DriveID, c SCSICommand, sense Sense) {
	if c.Op != OpRequestSense {
		s.drives[driveIndex(id)].sense = sense
	}
	if sense != SenseGood {
		s.stats.Errors++
	}
	if s.events.Command != nil {
		s.events.Command(id, c, sense)
	}
}
