package hostinfo

import (
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"
)

var (
	kernel32             = syscall.NewLazyDLL("kernel32.dll")
	getTickCount64       = kernel32.NewProc("GetTickCount64")
	globalMemoryStatusEx = kernel32.NewProc("GlobalMemoryStatusEx")
	rtlGetVersion        = syscall.NewLazyDLL("ntdll.dll").NewProc("RtlGetVersion")
)

func readSystem() System {
	s := System{OS: windowsName(), Root: elevated()}
	if getTickCount64.Find() == nil {
		ms, _, _ := getTickCount64.Call() // on 386 the upper half is lost, after 49 days
		s.Booted = time.Now().Add(-time.Duration(ms) * time.Millisecond).Truncate(time.Second)
	}
	return s
}

// windowsName returns name and build. Unlike its relatives RtlGetVersion tells programs without a manifest the truth.
func windowsName() string {
	var v struct { // OSVERSIONINFOW
		size, major, minor, build, platform uint32
		pack                                [128]uint16
	}
	v.size = uint32(unsafe.Sizeof(v))
	if rtlGetVersion.Find() != nil {
		return "Microsoft Windows"
	}
	if status, _, _ := rtlGetVersion.Call(uintptr(unsafe.Pointer(&v))); status != 0 {
		return "Microsoft Windows"
	}
	name := fmt.Sprint(v.major)
	if v.major == 10 && v.build >= 22000 {
		name = "11"
	} else if v.minor != 0 {
		name = fmt.Sprintf("%d.%d", v.major, v.minor)
	}
	return fmt.Sprintf("Microsoft Windows %s (build %d)", name, v.build)
}

// elevated reports whether the process has an administrator's rights in force.
func elevated() bool {
	token, err := syscall.OpenCurrentProcessToken()
	if err != nil {
		return false
	}
	defer func() { _ = token.Close() }()
	const tokenElevation = 20
	var is, n uint32
	err = syscall.GetTokenInformation(token, tokenElevation, (*byte)(unsafe.Pointer(&is)), uint32(unsafe.Sizeof(is)), &n)
	return err == nil && is != 0
}

func readHardware() Hardware {
	h := Hardware{Identifiers: Identifiers{CPUName: clean(os.Getenv("PROCESSOR_IDENTIFIER"))}}
	var m struct { // MEMORYSTATUSEX
		size, load                                                 uint32
		total, free, allPage, freePage, allVirtual, freeVirtual, x uint64
	}
	m.size = uint32(unsafe.Sizeof(m))
	if globalMemoryStatusEx.Find() != nil {
		return h
	}
	if ok, _, _ := globalMemoryStatusEx.Call(uintptr(unsafe.Pointer(&m))); ok != 0 {
		h.Windows = new(WindowsMemory)
		h.Windows.Memory = []struct {
			BankLabel string
			Capacity  uint64
		}{{"Total", m.total}}
	}
	return h
}

func readGateways() map[string]string { return nil }
