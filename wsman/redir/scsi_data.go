package redir

import "encoding/binary"

// What drives answer to commands about themselves. Multi-byte numbers are big-endian here.

// drive is one of the two drives as a host sees it.
type drive struct {
	id    DriveID
	size  int64 // of the medium in bytes, 0 without one
	ready bool  // the host has been told of the medium
	sense Sense // of the last command
}

// blocks is how many blocks the medium has. The last one may be filled up with zeros.
func (d *drive) blocks() int64 {
	blocks := d.size / d.id.BlockSize()
	if d.size%d.id.BlockSize() != 0 {
		blocks++
	}
	return blocks
}

// lastLBA is what READ CAPACITY tells.
func (d *drive) lastLBA() uint32 {
	return uint32(min(d.blocks()-1, 0xFFFF_FFFF)) //nolint:gosec // bounded
}

// geometry is that of a floppy drive.
type geometry struct {
	mediumType byte
	rate       uint16 // kbit/s
	heads      byte
	sectors    byte // per track
	cylinders  uint16
}

// largestFloppy is how many blocks a 1.44 MB floppy has. A larger medium is presented as that of an LS-120 drive.
const largestFloppy = 2880

func (d *drive) geometry() geometry {
	if d.blocks() <= largestFloppy {
		return geometry{0x24, 1200, 2, 18, 80}
	}
	return geometry{0x31, 4265, 8, 32, 963}
}

// modePages returns the pages of MODE SENSE(10) with their header, or nil for a page that the drive does not have. All media
// are write-protected.
func (d *drive) modePages(page byte) []byte {
	mediumType := byte(0x01) // a CD with data
	if d.id == Floppy {
		mediumType = d.geometry().mediumType
	}
	b := []byte{0, 0, mediumType, 0x80, 0, 0, 0, 0}
	pages := []byte{page}
	if page == 0x3F { // all of them
		pages = []byte{0x01, 0x2A}
		if d.id == Floppy {
			pages = []byte{0x01, 0x03, 0x05, 0x08, 0x0B}
		}
	}
	for _, p := range pages {
		content := d.modePage(p)
		if content == nil {
			return nil
		}
		b = append(b, p, byte(len(content)))
		b = append(b, content...)
	}
	binary.BigEndian.PutUint16(b, uint16(len(b)-2)) //nolint:gosec // a few dozen bytes
	return b
}

func (d *drive) modePage(page byte) []byte {
	be := binary.BigEndian
	if d.id == CD {
		switch page {
		case 0x01: // error recovery: as many retries as there can be
			return []byte{0, 0xFF, 0, 0, 0, 0}
		case 0x1A, 0x1D: // power, time-outs: no timers
			return make([]byte, 10)
		case 0x2A: // capabilities: a tray, 128 KB of buffer
			p := make([]byte, 24)
			p[4] = 0x20
			be.PutUint16(p[10:], 128)
			return p
		}
		return nil
	}
	g := d.geometry()
	switch page {
	case 0x01: // error recovery: one retry
		return []byte{0, 1, 0, 0, 0, 0, 2, 0, 0, 0}
	case 0x03: // format
		p := make([]byte, 22)
		be.PutUint16(p, 160) // tracks per zone
		be.PutUint16(p[8:], uint16(g.sectors))
		be.PutUint16(p[10:], 512)
		p[18] = 0xA0 // soft sectors, removable
		return p
	case 0x05: // flexible disk
		p := make([]byte, 30)
		be.PutUint16(p, g.rate)
		p[2], p[3] = g.heads, g.sectors
		be.PutUint16(p[4:], 512)
		be.PutUint16(p[6:], g.cylinders)
		be.PutUint16(p[26:], 720) // rotations per minute
		p[18] = 0x28              // motor-off delay
		return p
	case 0x08: // caching: none
		return make([]byte, 10)
	case 0x0B: // media types
		return []byte{0, 0, 0, 0x11, 0x24, 0x31}
	}
	return nil
}

// inquiry is the standard data of INQUIRY.
func (d *drive) inquiry() []byte {
	b := []byte{0x00, 0x80, 0x00, 0x21, 31, 0, 0, 0} // removable, ATAPI
	product := "IDE-R FLOPPY    "
	if d.id == CD {
		b[0] = 0x05
		product = "IDE-R CD-ROM    "
	}
	b = append(b, "REMOTE  "...)
	b = append(b, product...)
	return append(b, "1.0 "...)
}

// senseData is the answer to REQUEST SENSE, in the fixed format.
func (d *drive) senseData() []byte {
	b := make([]byte, 18)
	b[0], b[2], b[7], b[12], b[13] = 0x70, d.sense.Key, 10, d.sense.ASC, d.sense.ASCQ
	return b
}

// capacity is the answer to READ CAPACITY.
func (d *drive) capacity() []byte {
	b := binary.BigEndian.AppendUint32(nil, d.lastLBA())
	return binary.BigEndian.AppendUint32(b, uint32(d.id.BlockSize())) //nolint:gosec // 512 or 2048
}

// formatCapacities is the answer to READ FORMAT CAPACITIES: one, of formatted media.
func (d *drive) formatCapacities() []byte {
	b := []byte{0, 0, 0, 8}
	b = binary.BigEndian.AppendUint32(b, uint32(min(d.blocks(), 0xFFFF_FFFF))) //nolint:gosec // bounded
	size := d.id.BlockSize()
	return append(b, 0x02, byte(size>>16), byte(size>>8), byte(size))
}

// toc is the answer to READ TOC: one track with data. It is nil for a format that the drive does not have.
func (d *drive) toc(format uint8, msf bool) []byte {
	address := func(lba int64) []byte {
		if !msf {
			return binary.BigEndian.AppendUint32(nil, uint32(min(lba, 0xFFFF_FFFF))) //nolint:gosec // bounded
		}
		frames := lba + 150 // two seconds of lead-in
		return []byte{0, byte(min(frames/75/60, 255)), byte(frames / 75 % 60), byte(frames % 75)}
	}
	switch format {
	case 0:
		b := []byte{0, 18, 1, 1, 0, 0x14, 1, 0}
		b = append(b, address(0)...)
		b = append(b, 0, 0x14, 0xAA, 0) // lead-out
		return append(b, address(d.blocks())...)
	case 1:
		return append([]byte{0, 10, 1, 1, 0, 0x14, 1, 0}, address(0)...)
	default:
		return nil
	}
}

// The features of a CD-ROM drive, as GET CONFIGURATION tells them: code, version and flags, and what is particular.
func cdFeatures() []feature {
	return []feature{
		{0x0000, 0x03, []byte{0x00, 0x08, 1, 0}},       // profiles: CD-ROM, current
		{0x0001, 0x03, []byte{0, 0, 0, 0x02}},          // core: ATAPI
		{0x0002, 0x03, []byte{0, 0, 0, 0}},             // morphing
		{0x0003, 0x03, []byte{0x29, 0, 0, 0}},          // removable: tray, ejects, locks
		{0x0010, 0x01, []byte{0, 0, 8, 0, 0, 1, 0, 0}}, // random reads of 2048 bytes
		{0x001E, 0x03, nil},                            // CD read
		{0x0100, 0x03, nil},                            // power management
		{0x0105, 0x03, nil},                            // time-outs
	}
}

type feature struct {
	code    uint16
	flags   byte
	content []byte
}

// configuration is the answer to GET CONFIGURATION.
func configuration(first uint16, only bool) []byte {
	b := []byte{0, 0, 0, 0, 0, 0, 0, 0x08} // current profile: CD-ROM
	for _, f := range cdFeatures() {
		if f.code == first || f.code > first && !only {
			b = binary.BigEndian.AppendUint16(b, f.code)
			b = append(b, f.flags, byte(len(f.content)))
			b = append(b, f.content...)
		}
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4)) //nolint:gosec // a few dozen bytes
	return b
}
