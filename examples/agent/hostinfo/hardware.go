package hostinfo

import (
	"strings"
	"unicode"
)

// Hardware is the "hardware" of a sysinfo message. Its names are those that the stock server's pages and meshctrl look for
// (computer-identifiers.js). It holds nothing that changes by itself, as its hash decides whether it is sent again.
type Hardware struct {
	Identifiers Identifiers    `json:"identifiers"`
	Linux       *LinuxMemory   `json:"linux,omitempty"`
	Windows     *WindowsMemory `json:"windows,omitempty"`
	Darwin      *DarwinMemory  `json:"darwin,omitempty"`
}

// Identifiers are firmware, mainboard, processor and disks.
type Identifiers struct {
	BIOSVendor   string    `json:"bios_vendor,omitempty"`
	BIOSVersion  string    `json:"bios_version,omitempty"`
	BIOSDate     string    `json:"bios_date,omitempty"`
	BIOSSerial   string    `json:"bios_serial,omitempty"`
	BIOSMode     string    `json:"bios_mode,omitempty"` // UEFI or Legacy
	BoardVendor  string    `json:"board_vendor,omitempty"`
	BoardName    string    `json:"board_name,omitempty"`
	BoardVersion string    `json:"board_version,omitempty"`
	BoardSerial  string    `json:"board_serial,omitempty"`
	ProductName  string    `json:"product_name,omitempty"`
	ProductUUID  string    `json:"product_uuid,omitempty"`
	CPUName      string    `json:"cpu_name,omitempty"`
	Storage      []Storage `json:"storage_devices,omitempty"`
}

// Storage is a disk.
type Storage struct {
	Caption string
	Model   string `json:",omitempty"`
	Size    uint64 // bytes
}

// Every system has a form of its own for memory. What is known here is all of it together.
type (
	// LinuxMemory is that of Linux.
	LinuxMemory struct {
		Memory struct {
			Devices []struct{ Locator, Size string } `json:"Memory_Device"`
		} `json:"memory"`
	}
	// WindowsMemory is that of Windows.
	WindowsMemory struct {
		Memory []struct {
			BankLabel string
			Capacity  uint64
		} `json:"memory"`
	}
	// DarwinMemory is that of macOS.
	DarwinMemory struct {
		Memory []struct{ DeviceLocator, Size string } `json:"memory"`
	}
)

// ReadHardware asks the operating system.
func ReadHardware() Hardware { return readHardware() }

// maxText is the longest text that the stock server stores (common.js, validateObjectForMongo).
const maxText = 1024

// clean makes one line of what firmware says, which may be anything.
func clean(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s))
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}
