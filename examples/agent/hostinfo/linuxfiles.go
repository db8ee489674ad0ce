package hostinfo

import (
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// What Linux tells in files. The functions take the root of the file system, so that tests can have one of their own.

// maxFile bounds what is read of a file.
const maxFile = 1 << 20

// readText returns the cleaned content of a small file, or "".
func readText(root fs.FS, name string) string { return clean(readFile(root, name)) }

func readFile(root fs.FS, name string) string {
	f, err := root.Open(name)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return ""
	}
	return string(b)
}

// field returns the value of the first line "NAME<separator>VALUE" of a file.
func field(text, name, separator string) string {
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, separator)
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func linuxSystem(root fs.FS) System {
	return System{OS: linuxName(root), Booted: linuxBooted(root), Users: linuxUsers(root)}
}

// linuxName is the distribution's name (os-release(5)).
func linuxName(root fs.FS) string {
	for _, name := range []string{"etc/os-release", "usr/lib/os-release"} {
		if pretty := field(readFile(root, name), "PRETTY_NAME", "="); pretty != "" {
			return clean(strings.Trim(pretty, `"'`))
		}
	}
	return "Linux"
}

func linuxBooted(root fs.FS) time.Time {
	for line := range strings.Lines(readFile(root, "proc/stat")) {
		if value, ok := strings.CutPrefix(line, "btime "); ok {
			seconds, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			if err != nil {
				return time.Time{}
			}
			return time.Unix(seconds, 0)
		}
	}
	return time.Time{}
}

// linuxUsers are the users that systemd says are logged in. Without systemd there is no such list.
func linuxUsers(root fs.FS) []string {
	const dir = "run/systemd/users"
	entries, err := fs.ReadDir(root, dir)
	if err != nil {
		return nil
	}
	var users []string
	for _, e := range entries {
		text := readFile(root, dir+"/"+e.Name())
		switch field(text, "STATE", "=") {
		case "active", "online":
			if name := clean(field(text, "NAME", "=")); name != "" {
				users = append(users, name)
			}
		}
	}
	return users
}

func linuxHardware(root fs.FS) Hardware {
	const dmi = "sys/class/dmi/id/" // some of it is for root alone
	h := Hardware{Identifiers: Identifiers{
		BIOSVendor:   readText(root, dmi+"bios_vendor"),
		BIOSVersion:  readText(root, dmi+"bios_version"),
		BIOSDate:     readText(root, dmi+"bios_date"),
		BIOSSerial:   readText(root, dmi+"product_serial"),
		BIOSMode:     "Legacy",
		BoardVendor:  readText(root, dmi+"board_vendor"),
		BoardName:    readText(root, dmi+"board_name"),
		BoardVersion: readText(root, dmi+"board_version"),
		BoardSerial:  readText(root, dmi+"board_serial"),
		ProductName:  readText(root, dmi+"product_name"),
		ProductUUID:  readText(root, dmi+"product_uuid"),
		CPUName:      clean(field(readFile(root, "proc/cpuinfo"), "model name", ":")),
		Storage:      linuxStorage(root),
	}}
	if _, err := fs.Stat(root, "sys/firmware/efi"); err == nil {
		h.Identifiers.BIOSMode = "UEFI"
	}
	if h.Identifiers.BoardName == "" { // a board without DMI, such as a Raspberry Pi
		h.Identifiers.BoardName = readText(root, "sys/firmware/devicetree/base/model")
	}
	kib, err := strconv.ParseUint(strings.TrimSuffix(field(readFile(root, "proc/meminfo"), "MemTotal", ":"), " kB"), 10, 64)
	if err == nil {
		h.Linux = new(LinuxMemory)
		h.Linux.Memory.Devices = []struct{ Locator, Size string }{{"Total", mebibytes(kib << 10)}}
	}
	return h
}

func mebibytes(bytes uint64) string { return fmt.Sprintf("%d MB", bytes>>20) }

// maxDisks bounds the list of disks.
const maxDisks = 64

// linuxStorage lists the disks that are hardware, or a virtual machine's.
func linuxStorage(root fs.FS) []Storage {
	entries, err := fs.ReadDir(root, "sys/block")
	if err != nil {
		return nil
	}
	var disks []Storage
	for _, e := range entries {
		dir := "sys/block/" + e.Name() + "/"
		if _, err := fs.Stat(root, dir+"device"); err != nil {
			continue // loop devices, RAM disks, volumes on other disks
		}
		sectors, err := strconv.ParseUint(readText(root, dir+"size"), 10, 64)
		if err != nil || sectors == 0 || len(disks) == maxDisks {
			continue
		}
		const sector = 512 // whatever the disk's own is
		disks = append(disks, Storage{Caption: clean(e.Name()), Model: readText(root, dir+"device/model"), Size: sectors * sector})
	}
	return disks
}

// linuxGateways maps interfaces to their IPv4 gateway (proc_net_route, "/proc/net/route").
func linuxGateways(root fs.FS) map[string]string {
	gateways := make(map[string]string)
	for line := range strings.Lines(readFile(root, "proc/net/route")) {
		f := strings.Fields(line)
		if len(f) < 3 || f[1] != "00000000" {
			continue
		}
		ip, err := strconv.ParseUint(f[2], 16, 32)
		if err != nil || ip == 0 {
			continue
		}
		// The kernel prints the bytes of the address as a number of the machine, and all that matter are little-endian.
		gateways[f[0]] = fmt.Sprintf("%d.%d.%d.%d", byte(ip), byte(ip>>8), byte(ip>>16), byte(ip>>24))
	}
	return gateways
}
