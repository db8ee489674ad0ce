package hostinfo

import (
	"encoding/binary"
	"os"
	"syscall"
	"time"
)

func readSystem() System {
	s := System{OS: "macOS", Root: os.Geteuid() == 0}
	if version, err := syscall.Sysctl("kern.osproductversion"); err == nil {
		s.OS += " " + clean(version)
	}
	if seconds := sysctlUint64("kern.boottime"); seconds != 0 { // a struct timeval, whose seconds come first
		s.Booted = time.Unix(int64(seconds), 0)
	}
	return s
}

func readHardware() Hardware {
	h := Hardware{Identifiers: Identifiers{
		BoardVendor: "Apple", BoardName: sysctlText("hw.model"), CPUName: sysctlText("machdep.cpu.brand_string"),
	}}
	if bytes := sysctlUint64("hw.memsize"); bytes != 0 {
		h.Darwin = new(DarwinMemory)
		h.Darwin.Memory = []struct{ DeviceLocator, Size string }{{"Total", mebibytes(bytes)}}
	}
	return h
}

func readGateways() map[string]string { return nil }

func sysctlText(name string) string {
	s, err := syscall.Sysctl(name)
	if err != nil {
		return ""
	}
	return clean(s)
}

// sysctlUint64 reads a number, of which Sysctl, made for text, takes a last byte that is zero.
func sysctlUint64(name string) uint64 {
	s, err := syscall.Sysctl(name)
	if err != nil {
		return 0
	}
	var b [8]byte
	copy(b[:], s)
	return binary.LittleEndian.Uint64(b[:])
}
