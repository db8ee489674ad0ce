package redir

import (
	"encoding/binary"
	"fmt"
)

// SCSIOp is the first byte of a command to a drive.
type SCSIOp uint8

// The commands that hosts send to redirected drives.
const (
	OpTestUnitReady    SCSIOp = 0x00
	OpRequestSense     SCSIOp = 0x03
	OpRead6            SCSIOp = 0x08
	OpWrite6           SCSIOp = 0x0A
	OpInquiry          SCSIOp = 0x12
	OpModeSense6       SCSIOp = 0x1A
	OpStartStop        SCSIOp = 0x1B
	OpPreventRemoval   SCSIOp = 0x1E
	OpFormatCapacities SCSIOp = 0x23
	OpReadCapacity     SCSIOp = 0x25
	OpRead10           SCSIOp = 0x28
	OpWrite10          SCSIOp = 0x2A
	OpWriteVerify10    SCSIOp = 0x2E
	OpReadTOC          SCSIOp = 0x43
	OpGetConfiguration SCSIOp = 0x46
	OpEventStatus      SCSIOp = 0x4A
	OpReadDiscInfo     SCSIOp = 0x51
	OpModeSelect10     SCSIOp = 0x55
	OpModeSense10      SCSIOp = 0x5A
	OpRead12           SCSIOp = 0xA8
	OpGetPerformance   SCSIOp = 0xAC
)

// String names the command.
func (o SCSIOp) String() string {
	switch o {
	case OpTestUnitReady:
		return "TEST UNIT READY"
	case OpRequestSense:
		return "REQUEST SENSE"
	case OpRead6:
		return "READ(6)"
	case OpWrite6:
		return "WRITE(6)"
	case OpInquiry:
		return "INQUIRY"
	case OpModeSense6:
		return "MODE SENSE(6)"
	case OpStartStop:
		return "START STOP UNIT"
	case OpPreventRemoval:
		return "PREVENT ALLOW MEDIUM REMOVAL"
	case OpFormatCapacities:
		return "READ FORMAT CAPACITIES"
	case OpReadCapacity:
		return "READ CAPACITY"
	case OpRead10:
		return "READ(10)"
	case OpWrite10:
		return "WRITE(10)"
	case OpWriteVerify10:
		return "WRITE AND VERIFY(10)"
	case OpReadTOC:
		return "READ TOC"
	case OpGetConfiguration:
		return "GET CONFIGURATION"
	case OpEventStatus:
		return "GET EVENT STATUS NOTIFICATION"
	case OpReadDiscInfo:
		return "READ DISC INFORMATION"
	case OpModeSelect10:
		return "MODE SELECT(10)"
	case OpModeSense10:
		return "MODE SENSE(10)"
	case OpRead12:
		return "READ(12)"
	case OpGetPerformance:
		return "GET PERFORMANCE"
	default:
		return fmt.Sprintf("SCSI command %02X", uint8(o))
	}
}

// SCSICommand is a decoded command block. Fields that a command does not have are zero.
type SCSICommand struct {
	Op     SCSIOp
	LBA    uint32 // first block of a read or write
	Blocks uint32 // how many
	// Allocation is the most bytes of an answer that the host takes.
	Allocation int
	Page       uint8  // of MODE SENSE
	SubPage    uint8  // of MODE SENSE(6)
	MSF        bool   // READ TOC: addresses as minutes, seconds, frames
	Format     uint8  // of READ TOC
	Feature    uint16 // GET CONFIGURATION: the first one
	Only       bool   // GET CONFIGURATION: no other one
	Polled     bool   // GET EVENT STATUS NOTIFICATION
	Events     uint8  // GET EVENT STATUS NOTIFICATION: classes asked for
}

// ParseSCSI decodes a command block. Any bytes are a command, though it may be one that no drive has.
func ParseSCSI(cdb [12]byte) SCSICommand {
	c := SCSICommand{Op: SCSIOp(cdb[0])}
	be := binary.BigEndian
	switch c.Op {
	case OpRead6, OpWrite6:
		c.LBA = uint32(cdb[1]&0x1F)<<16 | uint32(cdb[2])<<8 | uint32(cdb[3])
		if c.Blocks = uint32(cdb[4]); c.Blocks == 0 {
			c.Blocks = 256
		}
	case OpRead10, OpWrite10, OpWriteVerify10:
		c.LBA = be.Uint32(cdb[2:])
		c.Blocks = uint32(be.Uint16(cdb[7:]))
	case OpRead12:
		c.LBA = be.Uint32(cdb[2:])
		c.Blocks = be.Uint32(cdb[6:])
	case OpRequestSense:
		c.Allocation = int(cdb[4])
	case OpInquiry:
		c.Allocation = int(be.Uint16(cdb[3:]))
		c.Page = cdb[2]
		c.Only = cdb[1]&1 != 0 // a page of vital product data
	case OpModeSense6:
		c.Page, c.SubPage, c.Allocation = cdb[2]&0x3F, cdb[3], int(cdb[4])
	case OpModeSense10:
		c.Page, c.Allocation = cdb[2]&0x3F, int(be.Uint16(cdb[7:]))
	case OpFormatCapacities:
		c.Allocation = int(be.Uint16(cdb[7:]))
	case OpReadTOC:
		c.Allocation = int(be.Uint16(cdb[7:]))
		c.MSF = cdb[1]&2 != 0
		if c.Format = cdb[2] & 7; c.Format == 0 {
			c.Format = cdb[9] >> 6 // where older hosts have it
		}
	case OpGetConfiguration:
		c.Allocation = int(be.Uint16(cdb[7:]))
		c.Feature = be.Uint16(cdb[2:])
		c.Only = cdb[1]&3 == 2
	case OpEventStatus:
		c.Allocation = int(be.Uint16(cdb[7:]))
		c.Polled, c.Events = cdb[1]&1 != 0, cdb[4]
	case OpTestUnitReady, OpStartStop, OpPreventRemoval, OpReadCapacity, OpReadDiscInfo, OpModeSelect10, OpGetPerformance:
	}
	return c
}

// CDB encodes the command, for a host.
func (c SCSICommand) CDB() [12]byte {
	cdb := [12]byte{byte(c.Op)}
	be := binary.BigEndian
	allocation := uint16(min(c.Allocation, 0xFFFF)) //nolint:gosec // bounded
	switch c.Op {
	case OpRead6, OpWrite6:
		cdb[1], cdb[2], cdb[3], cdb[4] = byte(c.LBA>>16)&0x1F, byte(c.LBA>>8), byte(c.LBA), byte(c.Blocks)
	case OpRead10, OpWrite10, OpWriteVerify10:
		be.PutUint32(cdb[2:], c.LBA)
		be.PutUint16(cdb[7:], uint16(min(c.Blocks, 0xFFFF))) //nolint:gosec // bounded
	case OpRead12:
		be.PutUint32(cdb[2:], c.LBA)
		be.PutUint32(cdb[6:], c.Blocks)
	case OpRequestSense:
		cdb[4] = byte(min(c.Allocation, 0xFF))
	case OpInquiry:
		cdb[1], cdb[2] = bit(c.Only, 1), c.Page
		be.PutUint16(cdb[3:], allocation)
	case OpModeSense6:
		cdb[2], cdb[3], cdb[4] = c.Page, c.SubPage, byte(min(c.Allocation, 0xFF))
	case OpModeSense10:
		cdb[2] = c.Page
		be.PutUint16(cdb[7:], allocation)
	case OpFormatCapacities:
		be.PutUint16(cdb[7:], allocation)
	case OpReadTOC:
		cdb[1], cdb[2] = bit(c.MSF, 2), c.Format&7
		be.PutUint16(cdb[7:], allocation)
	case OpGetConfiguration:
		cdb[1] = bit(c.Only, 2)
		be.PutUint16(cdb[2:], c.Feature)
		be.PutUint16(cdb[7:], allocation)
	case OpEventStatus:
		cdb[1], cdb[4] = bit(c.Polled, 1), c.Events
		be.PutUint16(cdb[7:], allocation)
	case OpTestUnitReady, OpStartStop, OpPreventRemoval, OpReadCapacity, OpReadDiscInfo, OpModeSelect10, OpGetPerformance:
	}
	return cdb
}

func bit(set bool, value byte) byte {
	if set {
		return value
	}
	return 0
}
