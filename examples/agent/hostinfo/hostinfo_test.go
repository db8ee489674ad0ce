package hostinfo

import (
	"encoding/json"
	"io/fs"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
)

func files(m map[string]string) fstest.MapFS {
	out := make(fstest.MapFS)
	for name, text := range m {
		out[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o444}
	}
	return out
}

// pc is what a Linux machine says of itself.
var pc = files(map[string]string{
	"etc/os-release":         "NAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
	"proc/stat":              "cpu  1 2 3\nintr 5\nbtime 1795388713\n",
	"proc/cpuinfo":           "processor\t: 0\nmodel name\t: Some CPU @ 3.00GHz\n\nprocessor\t: 1\nmodel name\t: Some CPU @ 3.00GHz\n",
	"proc/meminfo":           "MemTotal:       16384000 kB\nMemFree:         100 kB\n",
	"proc/net/route":         "Iface\tDestination\tGateway \tFlags\neth0\t00000000\t010200C0\t0003\neth0\t000200C0\t00000000\t0001\n",
	"run/systemd/users/0":    "NAME=root\nSTATE=closing\n",
	"run/systemd/users/1000": "# private\nNAME=ann\nSTATE=active\n",

	"sys/class/dmi/id/bios_vendor":  "Vendor\n",
	"sys/class/dmi/id/board_name":   "Board \x00\x1b[31m\n",
	"sys/class/dmi/id/product_name": strings.Repeat("é", 1000) + "\n",
	"sys/firmware/efi/config_table": "",

	"sys/block/sda/size":          "2048\n",
	"sys/block/sda/device/model":  "DISK 1  \n",
	"sys/block/loop0/size":        "2048\n",
	"sys/block/sr0/size":          "0\n",
	"sys/block/sr0/device/model":  "CD\n",
	"sys/block/sdb/size":          "many\n",
	"sys/block/sdb/device/vendor": "x\n",
})

func TestLinuxSystem(t *testing.T) {
	require.Equal(t, System{
		OS: "Debian GNU/Linux 12 (bookworm)", Booted: time.Unix(1795388713, 0), Users: []string{"ann"},
	}, linuxSystem(pc))
	require.Equal(t, map[string]string{"eth0": "192.0.2.1"}, linuxGateways(pc))
}

func TestLinuxHardware(t *testing.T) {
	h := linuxHardware(pc)
	require.Equal(t, "Vendor", h.Identifiers.BIOSVendor)
	require.Equal(t, "UEFI", h.Identifiers.BIOSMode)
	require.Equal(t, "Board [31m", h.Identifiers.BoardName, "no control characters")
	require.Equal(t, strings.Repeat("é", 512), h.Identifiers.ProductName, "cut at a character")
	require.Equal(t, "Some CPU @ 3.00GHz", h.Identifiers.CPUName)
	require.Equal(t, []Storage{{Caption: "sda", Model: "DISK 1", Size: 1 << 20}}, h.Identifiers.Storage)
	b, err := json.Marshal(h.Linux)
	require.NoError(t, err)
	require.JSONEq(t, `{"memory":{"Memory_Device":[{"Locator":"Total","Size":"16000 MB"}]}}`, string(b))
}

// TestLinuxThatTellsNothing is a container, or a kernel without /proc and /sys.
func TestLinuxThatTellsNothing(t *testing.T) {
	empty := fstest.MapFS{}
	require.Equal(t, System{OS: "Linux"}, linuxSystem(empty))
	require.Equal(t, Hardware{Identifiers: Identifiers{BIOSMode: "Legacy"}}, linuxHardware(empty))
	require.Empty(t, linuxGateways(empty))
}

func TestLinuxNonsense(t *testing.T) {
	nonsense := files(map[string]string{
		"proc/stat": "btime soon\n", "proc/meminfo": "MemTotal: -1 kB\n",
		"proc/net/route":                     "eth0 00000000\neth0 00000000 zz\neth1 00000000 00000000\n\n",
		"usr/lib/os-release":                 "PRETTY_NAME='Other Linux'\n",
		"sys/firmware/devicetree/base/model": "Small Board 4\x00",
	})
	require.Equal(t, System{OS: "Other Linux"}, linuxSystem(nonsense))
	h := linuxHardware(nonsense)
	require.Nil(t, h.Linux)
	require.Equal(t, "Small Board 4", h.Identifiers.BoardName)
	require.Empty(t, linuxGateways(nonsense))
}

// endless is a file system whose files have no end.
type endless struct{}

func (endless) Open(string) (fs.File, error) { return endlessFile{}, nil }

type endlessFile struct{ fs.File }

func (endlessFile) Read(p []byte) (int, error) { return len(p), nil }
func (endlessFile) Close() error               { return nil }

func TestFilesAreBounded(t *testing.T) {
	require.Len(t, readFile(endless{}, "x"), maxFile)
}

func TestThisMachine(t *testing.T) {
	s := ReadSystem()
	require.NotEmpty(t, s.OS)
	require.Equal(t, runtime.GOARCH, s.Arch)
	require.True(t, s.Booted.Before(time.Now()))
	require.Equal(t, ReadHardware(), ReadHardware(), "its hash must not change by itself")
	list, err := ReadNetwork()
	require.NoError(t, err)
	for _, i := range list {
		require.NotEmpty(t, i.Name)
		require.Len(t, i.MAC, 17)
	}
}

func TestAddress(t *testing.T) {
	parse := func(s string) *net.IPNet {
		ip, n, err := net.ParseCIDR(s)
		require.NoError(t, err)
		n.IP = ip
		return n
	}
	require.Equal(t, Address{IP: "192.0.2.7", Netmask: "255.255.255.0", Gateway: "192.0.2.1"}, address(parse("192.0.2.7/24"), 2, "192.0.2.1"))
	require.Equal(t, Address{IP: "2001:db8::1", V6: true, Netmask: "ffff:ffff:ffff:ffff::"}, address(parse("2001:db8::1/64"), 2, "192.0.2.1"))
	require.Equal(t, Address{IP: "fe80::1%2", V6: true, Netmask: "ffff:ffff:ffff:ffff::"}, address(parse("fe80::1/64"), 2, ""))
	hw, err := net.ParseMAC("02:fc:00:00:00:01")
	require.NoError(t, err)
	require.Equal(t, "02:FC:00:00:00:01", mac(hw))
	require.Equal(t, "00:00:00:00:00:00", mac(nil))
}
