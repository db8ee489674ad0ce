package redir

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// mediaTest is a media server with a device that has opened its session.
type mediaTest struct {
	t      *testing.T
	s      *MediaServer
	in     uint32 // of the device's messages
	out    uint32 // of the server's
	parser *Parser
	ends   []Sense
}

func newMediaTest(t *testing.T, cfg MediaServerConfig, buffer uint16) *mediaTest {
	m := &mediaTest{t: t, parser: NewParser(Operator)}
	m.parser.SetSession(IDER)
	cfg.Events.Command = func(_ DriveID, _ SCSICommand, sense Sense) { m.ends = append(m.ends, sense) }
	m.s = NewMediaServer(cfg)
	m.messages(m.s.Start(nil))
	m.send(IDEROpenReply{Sequence: m.next(), ReadBuffer: buffer, WriteBuffer: buffer})
	m.send(IDERFeaturesReply{Sequence: m.next(), Type: FeaturesToggle, Value: 1})
	require.True(t, m.s.Ready())
	return m
}

func (m *mediaTest) next() uint32 {
	m.in++
	return m.in - 1
}

// messages cuts what the server sends, and checks that it is numbered.
func (m *mediaTest) messages(b []byte) []Message {
	var all []Message
	for len(b) > 0 {
		one, n, err := m.parser.Next(b)
		require.NoError(m.t, err)
		require.NotNil(m.t, one)
		require.Equal(m.t, m.out, one.Sequence())
		m.out++
		all = append(all, bytes.Clone(one))
		b = b[n:]
	}
	return all
}

func (m *mediaTest) send(message wireMessage) []Message {
	m.t.Helper()
	out, err := m.s.Receive(nil, message.Append(nil))
	require.NoError(m.t, err)
	return m.messages(out)
}

// command sends a command block, and delivers what is to be read.
func (m *mediaTest) command(selected uint8, dma bool, text string) []Message {
	m.t.Helper()
	var cdb [12]byte
	copy(cdb[:], unhex(m.t, text))
	all := m.send(IDERCommand{Sequence: m.next(), Feature: bit(dma, 1), Select: selected, CDB: cdb})
	for {
		r, ok := m.s.Next()
		if !ok {
			return all
		}
		data := make([]byte, r.Length)
		for i := range data {
			data[i] = byte((r.Offset + int64(i)) >> 9)
		}
		all = append(all, m.messages(m.s.Deliver(nil, data, nil))...)
	}
}

func (m *mediaTest) sense(selected uint8, cdb string) Sense {
	m.t.Helper()
	all := m.command(selected, false, cdb)
	require.Len(m.t, all, 1)
	var end IDERCommandEnd
	require.NoError(m.t, end.Parse(all[0]))
	require.Equal(m.t, driveOf(selected), end.Drive)
	require.Equal(m.t, byte(attrCompleted), all[0][3]) // always "completed"
	return end.Sense
}

func (m *mediaTest) data(selected uint8, cdb string) IDERDataToHost {
	m.t.Helper()
	all := m.command(selected, false, cdb)
	require.Len(m.t, all, 1)
	var data IDERDataToHost
	require.NoError(m.t, data.Parse(all[0]))
	require.True(m.t, data.Completed)
	return data
}

const (
	selectFloppy = 0xA0
	selectCD     = 0xB0
)

func TestMediaOpening(t *testing.T) {
	for _, mode := range []StartMode{0, StartOnReboot, StartGraceful, StartNow} {
		s := NewMediaServer(MediaServerConfig{CD: 1, Mode: mode})
		require.Equal(t, unhex(t, "40 00 00 00 00 00 00 00 30 75 00 00 20 4E 01 00 00 00"), s.Start(nil))
		out, err := s.Receive(nil, IDEROpenReply{ReadBuffer: 8192, WriteBuffer: 8192, OEM: []byte("abc")}.Append(nil))
		require.NoError(t, err)
		require.False(t, s.Ready())
		require.Equal(t, IDERFeatures{1, FeaturesToggle, orElse(mode, StartOnReboot)}.Append(nil), out)
		_, err = s.Receive(nil, IDERFeaturesReply{1, FeaturesToggle, 1}.Append(nil))
		require.NoError(t, err)
		require.True(t, s.Ready())
	}
	for name, c := range map[string]struct {
		reply IDEROpenReply
		want  error
	}{
		"protocol":     {IDEROpenReply{ReadBuffer: 8192, Protocol: 1}, ErrUnsupported},
		"status":       {IDEROpenReply{ReadBuffer: 8192, Status: 1}, ErrUnsupported},
		"read buffer":  {IDEROpenReply{ReadBuffer: 8193}, ErrProtocol},
		"no buffer":    {IDEROpenReply{}, ErrProtocol},
		"write buffer": {IDEROpenReply{ReadBuffer: 8192, WriteBuffer: 8193}, ErrProtocol},
		"sequence":     {IDEROpenReply{ReadBuffer: 8192, Sequence: 1}, ErrSequence},
	} {
		s := NewMediaServer(MediaServerConfig{CD: 1})
		s.Start(nil)
		_, err := s.Receive(nil, c.reply.Append(nil))
		require.ErrorIs(t, err, c.want, name)
		_, err = s.Receive(nil, IDERSignal{CommandIDERHeartbeat, 1}.Append(nil))
		require.ErrorIs(t, err, c.want, name) // it is final
	}
	s := NewMediaServer(MediaServerConfig{CD: 1})
	s.Start(nil)
	_, err := s.Receive(nil, IDEROpenReply{ReadBuffer: 512}.Append(nil))
	require.NoError(t, err)
	_, err = s.Receive(nil, IDERFeaturesReply{1, FeaturesToggle, 0}.Append(nil))
	require.ErrorIs(t, err, ErrUnsupported)
}

func TestMediaSignals(t *testing.T) {
	var enabled []bool
	var aborted [3]byte
	m := newMediaTest(t, MediaServerConfig{CD: 1, Events: MediaEvents{
		Status:  func(on bool) { enabled = append(enabled, on) },
		Aborted: func(code [3]byte) { aborted = code },
	}}, 512)
	out := m.send(IDERSignal{CommandIDERPing, m.next()})
	require.Len(t, out, 1)
	require.Equal(t, CommandIDERPong, out[0].Command())
	require.Empty(t, m.send(IDERSignal{CommandIDERHeartbeat, m.next()}))
	require.Empty(t, m.send(IDERSignal{CommandIDERPong, m.next()}))
	require.Empty(t, m.send(IDERError{m.next(), [3]byte{1, 2, 3}}))
	require.Equal(t, [3]byte{1, 2, 3}, aborted)
	require.Empty(t, m.send(IDERFeaturesReply{m.next(), FeaturesStatus, 3}))
	require.Empty(t, m.send(IDERFeaturesReply{m.next(), FeaturesStatus, 1}))
	require.Equal(t, []bool{true, false}, enabled)
	require.Equal(t, CommandIDERPing, m.messages(m.s.Ping(nil))[0].Command())
	require.Equal(t, CommandIDERClose, m.messages(m.s.Close(nil))[0].Command())
	_, err := m.s.Receive(nil, IDERSignal{CommandIDERClosed, m.next()}.Append(nil))
	require.ErrorIs(t, err, ErrEnded)
}

func TestMediaSequence(t *testing.T) {
	m := newMediaTest(t, MediaServerConfig{CD: 1}, 512)
	_, err := m.s.Receive(nil, IDERSignal{CommandIDERPing, m.next() + 1}.Append(nil))
	require.ErrorIs(t, err, ErrSequence)
}

// TestMediaSense has the senses that were meant. Stock MeshCentral sends "good" for most of them.
func TestMediaSense(t *testing.T) {
	with := func() *mediaTest { return newMediaTest(t, MediaServerConfig{Floppy: 2880 * 512, CD: 10 * 2048}, 8192) }
	without := func() *mediaTest { return newMediaTest(t, MediaServerConfig{}, 8192) }
	for _, c := range []struct {
		name          string
		cdb           string
		with, without Sense
	}{
		{"test unit ready", "00", SenseMediumChanged, SenseNoMedium},
		{"write(6)", "0A 00 00 00 01", SenseNoMedium, SenseNoMedium},
		{"mode sense(6), a page", "1A 00 05 00 FF", SenseBadField, SenseBadField},
		{"start stop", "1B 00 00 00 02", SenseGood, SenseGood},
		{"prevent removal", "1E 00 00 00 01", SenseGood, SenseNoMedium},
		{"beyond the end", "28 00 00 00 FF FF 00 00 01", SenseBadAddress, SenseNoMedium},
		{"over the end", "28 00 00 00 00 09 00 FF FF", SenseBadAddress, SenseNoMedium},
		{"the last address there is", "28 00 FF FF FF FF 00 FF FF", SenseBadAddress, SenseNoMedium},
		{"read of nothing", "28 00 00 00 00 00 00 00 00", SenseGood, SenseNoMedium},
		{"read(12) beyond the end", "A8 00 00 00 00 00 FF FF FF FF", SenseBadAddress, SenseNoMedium},
		{"disc info", "51", SenseBadCommand, SenseBadCommand},
		{"mode select", "55", SenseBadCommand, SenseBadCommand},
		{"mode sense(10), unknown page", "5A 00 33 00 00 00 00 00 FF", SenseBadCommand, SenseBadCommand},
		{"log select", "4C", SenseBadCommand, SenseBadCommand},
		{"unknown", "FF", SenseBadCommand, SenseBadCommand},
		{"inquiry, vital product data", "12 01 80 00 FF", SenseBadField, SenseBadField},
		{"event status, not polled", "4A 00 00 00 00 00 00 00 08", SenseBadField, SenseBadField},
	} {
		for _, drive := range []uint8{selectFloppy, selectCD} {
			require.Equal(t, c.with, with().sense(drive, c.cdb), "%s, %02X", c.name, drive)
			require.Equal(t, c.without, without().sense(drive, c.cdb), "%s without a medium, %02X", c.name, drive)
		}
	}
	for _, drive := range []uint8{selectFloppy, selectCD} {
		require.Equal(t, SenseNoMedium, without().sense(drive, "25"))
		require.Equal(t, SenseBadField, without().sense(drive, "23"))
		require.Equal(t, SenseNoMedium, without().sense(drive, "1A 00 3F 00 FF"))
	}
	require.Equal(t, SenseBadField, with().sense(selectCD, "43 00 02 00 00 00 00 00 FF")) // stock: no answer at all
	require.Equal(t, SenseBadCommand, with().sense(selectFloppy, "43 00 00 00 00 00 00 00 FF"))
	require.Equal(t, SenseBadCommand, with().sense(selectFloppy, "46 00 00 00 00 00 00 00 FF"))
}

// TestMediaBecomesReady: each drive says once that there is a new medium.
func TestMediaBecomesReady(t *testing.T) {
	m := newMediaTest(t, MediaServerConfig{Floppy: 512, CD: 2048}, 512)
	require.Equal(t, SenseMediumChanged, m.sense(selectCD, "00"))
	require.Equal(t, []byte{0x70, 0, 6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x28, 0, 0, 0, 0, 0}, m.data(selectCD, "03 00 00 00 12").Data)
	require.Equal(t, SenseGood, m.sense(selectCD, "00"))
	require.Equal(t, SenseMediumChanged, m.sense(selectFloppy, "00"))
	require.Equal(t, SenseGood, m.sense(selectFloppy, "00"))
}

func TestMediaData(t *testing.T) {
	m := newMediaTest(t, MediaServerConfig{Floppy: 2880 * 512, CD: 0x12345 * 2048}, 8192)
	ls120 := newMediaTest(t, MediaServerConfig{Floppy: 0x3c300 * 512, CD: 2048 + 1}, 8192)
	for _, c := range []struct {
		name  string
		m     *mediaTest
		drive uint8
		cdb   string
		want  string
	}{
		{"capacity of a CD", m, selectCD, "25", "00012344 00000800"},
		{"capacity of a floppy", m, selectFloppy, "25", "00000b3f 00000200"},
		{"capacity, the last block filled up", ls120, selectCD, "25", "00000001 00000800"},
		{"format capacities", m, selectFloppy, "23 00 00 00 00 00 00 00 FF", "00000008 00000b40 02000200"},
		{"mode sense(6) of a floppy", m, selectFloppy, "1A 00 3F 00 FF", "00008000"},
		{"mode sense(6) of a CD", m, selectCD, "1A 00 3F 00 FF", "00058000"},
		{"error recovery, floppy", m, selectFloppy, "5A 00 01 00 00 00 00 00 FF", "0012248000000000 010a 00010000000002000000"},
		{"error recovery, LS-120", ls120, selectFloppy, "5A 00 01 00 00 00 00 00 FF", "0012318000000000 010a 00010000000002000000"},
		{"error recovery, CD", m, selectCD, "5A 00 01 00 00 00 00 00 FF", "000e018000000000 0106 00ff00000000"},
		{"flexible disk", m, selectFloppy, "5A 00 05 00 00 00 00 00 FF", "0026248000000000 051e 04b0021202000050 00000000000000000000 2800000000000000 02d00000"},
		{"flexible disk, LS-120", ls120, selectFloppy, "5A 00 05 00 00 00 00 00 FF", "0026318000000000 051e 10a90820020003c3 00000000000000000000 2800000000000000 02d00000"},
		{"CD power", m, selectCD, "5A 00 1A 00 00 00 00 00 FF", "0012018000000000 1a0a 00000000000000000000"},
		{"CD time-outs", m, selectCD, "5A 00 1D 00 00 00 00 00 FF", "0012018000000000 1d0a 00000000000000000000"},
		{"CD capabilities", m, selectCD, "5A 00 2A 00 00 00 00 00 FF", "0020018000000000 2a18 00000000200000000000 0080 000000000000000000000000"},
		{"all pages of a CD", m, selectCD, "5A 00 3F 00 00 00 00 00 FF", "0028018000000000 010600ff00000000 2a18 00000000200000000000 0080 000000000000000000000000"},
		{"a part of the pages", m, selectCD, "5A 00 3F 00 00 00 00 00 08", "0028018000000000"},
		{"TOC", m, selectCD, "43 00 00 00 00 00 00 00 FF", "00120101 00140100 00000000 0014aa00 00012345"},
		{"TOC, MSF", m, selectCD, "43 02 00 00 00 00 00 00 FF", "00120101 00140100 00000200 0014aa00 00" + msf(0x12345)},
		{"TOC, sessions", m, selectCD, "43 00 01 00 00 00 00 00 FF", "000a0101 00140100 00000000"},
		{"TOC, format where old hosts have it", m, selectCD, "43 00 00 00 00 00 00 00 FF 40", "000a0101 00140100 00000000"},
		{"TOC cut", m, selectCD, "43 00 00 00 00 00 00 00 04", "00120101"},
		{
			"configuration", m, selectCD, "46 00 00 00 00 00 00 00 FF",
			"0000003c 00000008 0000030400080100 0001030400000002 0002030400000000 0003030429000000 00100108 0000080000010000 001e0300 01000300 01050300",
		},
		{"one feature", m, selectCD, "46 02 00 1E 00 00 00 00 FF", "00000008 00000008 001e0300"},
		{"features from one on", m, selectCD, "46 00 01 00 00 00 00 00 FF", "0000000c 00000008 01000300 01050300"},
		{"no such feature", m, selectCD, "46 02 01 23 00 00 00 00 FF", "00000004 00000008"},
		{"event status", m, selectCD, "4A 01 00 00 10 00 00 00 08", "00028000"},
		{"performance", m, selectCD, "AC", "00000004 02000000"},
		{"inquiry of a CD", m, selectCD, "12 00 00 00 24", "05800021 1f000000 " + hex.EncodeToString([]byte("REMOTE  IDE-R CD-ROM    1.0 "))},
		{"inquiry of a floppy, cut", m, selectFloppy, "12 00 00 00 05", "00800021 1f"},
	} {
		require.Equal(t, hexOf(unhex(t, c.want)), hexOf(c.m.data(c.drive, c.cdb).Data), c.name)
	}
	all := m.data(selectFloppy, "5A 00 3F 00 00 00 00 00 FF").Data
	require.Equal(t, len(all)-2, int(all[0])<<8|int(all[1]))
	empty := newMediaTest(t, MediaServerConfig{}, 512)
	require.Equal(t, "00008000", hexOf(empty.data(selectCD, "4A 01 00 00 10 00 00 00 08").Data))
	require.Equal(t, SenseGood, m.sense(selectCD, "5A 00 3F 00 00 00 00 00 00")) // no room for an answer
}

// msf is an address in minutes, seconds and frames, after two seconds.
func msf(lba int) string {
	f := lba + 150
	return hex.EncodeToString([]byte{byte(f / 75 / 60), byte(f / 75 % 60), byte(f % 75)})
}

// TestMediaCapacitySelect: the answer to READ CAPACITY has the whole device register, all others have the drive.
func TestMediaCapacitySelect(t *testing.T) {
	m := newMediaTest(t, MediaServerConfig{Floppy: 512, CD: 2048}, 512)
	require.EqualValues(t, 0xF7, m.data(0xF7, "25").Select)
	require.EqualValues(t, 0x40, m.data(0x40, "25").Select)
	require.EqualValues(t, 0xB0, m.data(0xF7, "12 00 00 00 24").Select)
	require.EqualValues(t, 0xA0, m.data(0x40, "12 00 00 00 24").Select)
}

// TestMediaReads: every kind of read, split by the device's buffer.
func TestMediaReads(t *testing.T) {
	m := newMediaTest(t, MediaServerConfig{Floppy: 2880 * 512, CD: 100 * 2048}, 3000)
	for _, c := range []struct {
		name          string
		drive         uint8
		cdb           string
		first, length int
	}{
		{"read(6)", selectFloppy, "08 00 01 02 03", 0x102 * 512, 3 * 512},
		{"read(6), 256 blocks", selectFloppy, "08 00 00 00 00", 0, 256 * 512},
		{"read(10)", selectCD, "28 00 00 00 00 07 00 00 05", 7 * 2048, 5 * 2048},
		{"read(12)", selectCD, "A8 00 00 00 00 07 00 00 00 05", 7 * 2048, 5 * 2048},
		{"up to the end", selectCD, "28 00 00 00 00 63 00 00 01", 99 * 2048, 2048},
	} {
		for _, dma := range []bool{false, true} {
			all := m.command(c.drive, dma, c.cdb)
			require.Len(t, all, (c.length+2999)/3000, c.name)
			offset := c.first
			for i, message := range all {
				var data IDERDataToHost
				require.NoError(t, data.Parse(message))
				require.LessOrEqual(t, len(data.Data), 3000)
				require.Equal(t, i == len(all)-1, data.Completed)
				require.Equal(t, dma, data.DMA)
				require.Equal(t, c.drive, data.Select)
				for j, b := range data.Data {
					if b != byte((offset+j)>>9) {
						t.Fatalf("%s: byte %d", c.name, offset+j)
					}
				}
				offset += len(data.Data)
			}
			require.Equal(t, c.first+c.length, offset)
		}
	}
}

// TestMediaLargeImage: stock MeshCentral shifts 32 bits, so it reads images over 2 GiB at the wrong place.
func TestMediaLargeImage(t *testing.T) {
	m := newMediaTest(t, MediaServerConfig{CD: math.MaxInt64 / 2}, 8192)
	m.send(IDERCommand{Sequence: m.next(), Select: selectCD, CDB: SCSICommand{Op: OpRead10, LBA: math.MaxUint32, Blocks: 1}.CDB()})
	r, ok := m.s.Next()
	require.True(t, ok)
	require.EqualValues(t, int64(math.MaxUint32)*2048, r.Offset)
	_, ok = m.s.Next()
	require.False(t, ok) // it was taken
	require.Len(t, m.messages(m.s.Deliver(nil, make([]byte, 2048), nil)), 1)
	require.Equal(t, "ffffffff00000800", hexOf(m.data(selectCD, "25").Data))
}

func TestMediaReadError(t *testing.T) {
	m := newMediaTest(t, MediaServerConfig{CD: 100 * 2048}, 2048)
	m.send(IDERCommand{Sequence: m.next(), Select: selectCD, CDB: SCSICommand{Op: OpRead10, Blocks: 3}.CDB()})
	_, ok := m.s.Next()
	require.True(t, ok)
	require.Len(t, m.messages(m.s.Deliver(nil, make([]byte, 2048), nil)), 1)
	_, ok = m.s.Next()
	require.True(t, ok)
	all := m.messages(m.s.Deliver(nil, nil, errors.New("bad disk")))
	require.Len(t, all, 1)
	var end IDERCommandEnd
	require.NoError(t, end.Parse(all[0]))
	require.Equal(t, SenseReadError, end.Sense)
	_, ok = m.s.Next()
	require.False(t, ok)
	require.Equal(t, []Sense{SenseReadError}, m.ends)
	require.EqualValues(t, 1, m.s.Stats().Errors)
}

// TestMediaWrite: the host is asked for its data, because it expects to be, and is told then that there is no writing.
func TestMediaWrite(t *testing.T) {
	for _, drive := range []uint8{selectFloppy, selectCD} {
		for _, op := range []string{"2A", "2E"} {
			m := newMediaTest(t, MediaServerConfig{Floppy: 2880 * 512, CD: 2048}, 8192)
			all := m.command(drive, false, op+" 00 00 00 00 01 00 00 02")
			require.Len(t, all, 1)
			var get IDERGetData
			require.NoError(t, get.Parse(all[0]))
			require.Equal(t, IDERGetData{Sequence: get.Sequence, Drive: DriveID(drive), Length: 1024}, get)
			// A command that comes before the data waits.
			require.Empty(t, m.command(drive, false, "00"))
			all = m.send(IDERDataFromHost{m.next(), make([]byte, 1024)})
			require.Len(t, all, 2)
			var end IDERCommandEnd
			require.NoError(t, end.Parse(all[0]))
			require.Equal(t, SenseWriteProtected, end.Sense)
			require.Equal(t, DriveID(drive), end.Drive)
		}
	}
	m := newMediaTest(t, MediaServerConfig{Floppy: 2880 * 512}, 8192)
	var get IDERGetData
	require.NoError(t, get.Parse(m.command(selectFloppy, false, "2A 00 00 00 00 01 00 FF FF")[0]))
	require.EqualValues(t, 8192, get.Length) // no more than the device can send
	m = newMediaTest(t, MediaServerConfig{Floppy: 2880 * 512}, 8192)
	_, err := m.s.Receive(nil, IDERDataFromHost{m.next(), []byte{1}}.Append(nil))
	require.ErrorIs(t, err, ErrProtocol)
}

// TestMediaReset: the answer comes at once, or after the piece that is being read.
func TestMediaReset(t *testing.T) {
	resets := 0
	m := newMediaTest(t, MediaServerConfig{CD: 100 * 2048, Events: MediaEvents{Reset: func(uint8) { resets++ }}}, 2048)
	out := m.send(IDERReset{m.next(), 1})
	require.Len(t, out, 1)
	require.Equal(t, CommandIDERResetDone, out[0].Command())

	read := SCSICommand{Op: OpRead10, Blocks: 5}.CDB()
	m.send(IDERCommand{Sequence: m.next(), Select: selectCD, CDB: read})
	require.Empty(t, m.send(IDERCommand{Sequence: m.next(), Select: selectCD, CDB: read})) // waits
	_, ok := m.s.Next()
	require.True(t, ok)
	require.Empty(t, m.send(IDERReset{m.next(), 1}))
	out = m.messages(m.s.Deliver(nil, make([]byte, 2048), nil))
	require.Len(t, out, 2)
	require.Equal(t, CommandIDERToHost, out[0].Command())
	require.Equal(t, CommandIDERResetDone, out[1].Command())
	_, ok = m.s.Next()
	require.False(t, ok) // all of it is forgotten

	m.send(IDERCommand{Sequence: m.next(), Select: selectCD, CDB: read})
	out = m.send(IDERReset{m.next(), 1}) // nobody is reading just now
	require.Len(t, out, 1)
	require.Equal(t, CommandIDERResetDone, out[0].Command())
	_, ok = m.s.Next()
	require.False(t, ok)
	require.Equal(t, 3, resets)
	require.EqualValues(t, 3, m.s.Stats().Resets)
}

func TestMediaQueue(t *testing.T) {
	m := newMediaTest(t, MediaServerConfig{CD: 100 * 2048}, 2048)
	read := SCSICommand{Op: OpRead10, Blocks: 1}.CDB()
	for range maxCommands + 1 { // one is under way
		m.send(IDERCommand{Sequence: m.next(), Select: selectCD, CDB: read})
	}
	_, err := m.s.Receive(nil, IDERCommand{Sequence: m.next(), Select: selectCD, CDB: read}.Append(nil))
	require.ErrorIs(t, err, ErrProtocol)
}

func TestDiskHost(t *testing.T) {
	h := NewDiskHost(DiskHostConfig{ReadBuffer: 1024})
	_, err := h.Command(nil, HostCommand{Drive: CD})
	require.ErrorIs(t, err, ErrProtocol) // no drives yet
	receive := func(m wireMessage) []byte {
		t.Helper()
		out, err := h.Receive(nil, m.Append(nil))
		require.NoError(t, err)
		return out
	}
	require.Equal(t, IDEROpenReply{Major: 1, ReadBuffer: 1024, WriteBuffer: 8192}.Append(nil), receive(IDEROpen{0, 1, 2, 3, 4}))
	require.Equal(t, IDERFeaturesReply{1, FeaturesAvailable, 1}.Append(nil), receive(IDERFeatures{1, FeaturesAvailable, 0}))
	require.Equal(t, IDERFeaturesReply{2, FeaturesStatus, 1}.Append(nil), receive(IDERFeatures{2, FeaturesStatus, 0}))
	require.Equal(t, IDERFeaturesReply{3, FeaturesToggle, 0}.Append(nil), receive(IDERFeatures{3, FeaturesToggle, 7}))
	require.Equal(t, IDERFeaturesReply{4, FeaturesToggle, 1}.Append(nil), receive(IDERFeatures{4, FeaturesToggle, StartNow}))
	require.Equal(t, IDERFeaturesReply{5, FeaturesStatus, 3}.Append(nil), receive(IDERFeatures{5, FeaturesStatus, 0}))
	require.Equal(t, IDERSignal{CommandIDERPong, 6}.Append(nil), receive(IDERSignal{CommandIDERPing, 6}))
	into := make([]byte, 2000)
	out, err := h.Command(nil, HostCommand{Drive: CD, Into: into, CDB: [12]byte{0x28}})
	require.NoError(t, err)
	require.Equal(t, IDERCommand{7, 0, 0xB0, [12]byte{0x28}}.Append(nil), out)
	_, err = h.Command(nil, HostCommand{Drive: CD})
	require.ErrorIs(t, err, ErrProtocol) // one at a time
	receive(IDERDataToHost{7, 0xB0, false, false, bytes.Repeat([]byte{1}, 1000)})
	_, ok := h.Result()
	require.False(t, ok)
	receive(IDERDataToHost{8, 0xB0, true, false, bytes.Repeat([]byte{2}, 1000)})
	r, ok := h.Result()
	require.True(t, ok)
	require.Equal(t, DiskResult{Drive: CD, N: 2000, Select: 0xB0}, r)
	require.EqualValues(t, 1, into[999])
	require.EqualValues(t, 2, into[1000])

	for name, c := range map[string]struct {
		message wireMessage
		want    error
	}{
		"too much":            {IDERDataToHost{Sequence: 9, Select: 0xB0, Data: make([]byte, 11)}, ErrProtocol},
		"over the buffer":     {IDERDataToHost{Sequence: 9, Select: 0xB0, Data: make([]byte, 1025)}, ErrProtocol},
		"more than there is":  {IDERGetData{9, CD, 5}, ErrProtocol},
		"sequence":            {IDERSignal{CommandIDERPing, 10}, ErrSequence},
		"end of no reset":     {IDERSignal{CommandIDERResetDone, 9}, ErrProtocol},
		"opened once more":    {IDEROpen{Sequence: 9}, ErrProtocol},
		"closed":              {IDERSignal{CommandIDERClose, 9}, ErrEnded},
		"end of the session":  {EndSession{}, ErrEnded},
		"what a device sends": {IDERError{Sequence: 9}, ErrProtocol},
	} {
		copied := *h
		_, err := copied.Command(nil, HostCommand{Drive: CD, Into: make([]byte, 10)})
		require.NoError(t, err)
		_, err = copied.Receive(nil, c.message.Append(nil))
		require.ErrorIs(t, err, c.want, name)
		_, err = copied.Command(nil, HostCommand{Drive: CD})
		require.ErrorIs(t, err, c.want, name)
	}
	_, err = h.Receive(nil, IDERCommandEnd{9, CD, SenseGood}.Append(nil))
	require.ErrorIs(t, err, ErrProtocol) // nobody asked
}

func TestSCSIRoundTrip(t *testing.T) {
	for op := range 256 {
		for _, fill := range []byte{0, 1, 0x55, 0xFF} {
			cdb := [12]byte(bytes.Repeat([]byte{fill}, 12))
			cdb[0] = byte(op)
			c := ParseSCSI(cdb)
			again := ParseSCSI(c.CDB())
			require.Equal(t, c, again, "%02X %02X", op, fill)
		}
	}
}

// TestMediaResets: each reset has its answer.
func TestMediaResets(t *testing.T) {
	m := newMediaTest(t, MediaServerConfig{CD: 100 * 2048}, 2048)
	m.send(IDERCommand{Sequence: m.next(), Select: selectCD, CDB: SCSICommand{Op: OpRead10, Blocks: 5}.CDB()})
	_, ok := m.s.Next()
	require.True(t, ok)
	require.Empty(t, m.send(IDERReset{m.next(), 1}))
	require.Empty(t, m.send(IDERReset{m.next(), 1}))
	out := m.messages(m.s.Deliver(nil, make([]byte, 2048), nil))
	require.Len(t, out, 3)
	require.Equal(t, CommandIDERResetDone, out[1].Command())
	require.Equal(t, CommandIDERResetDone, out[2].Command())
}
