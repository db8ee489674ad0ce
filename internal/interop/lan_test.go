package interop

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestOnLAN(t *testing.T) {
	// A subtest whose name is no regular expression.
	t.Run("two machines (and a cable", func(t *testing.T) {
		OnLAN(t, func(lan *LAN) {
			for name, machine := range map[string]func(func()){"here": func(f func()) { f() }, "there": lan.OnOther} {
				var interfaces []net.Interface
				var err, outside error
				machine(func() {
					if interfaces, err = net.Interfaces(); err == nil {
						_, outside = net.DialTimeout("tcp", "192.0.2.1:9", time.Minute)
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				if len(interfaces) != 2 || interfaces[0].Name != "lo" || interfaces[1].Name != cable || interfaces[1].Index != cableIndex {
					t.Errorf("%s there are the interfaces %v", name, interfaces)
				}
				if !errors.Is(outside, syscall.ENETUNREACH) {
					t.Errorf("%s there may be a way out: %v", name, outside)
				}
			}
			talk(t, lan, "udp4", netip.MustParseAddr("239.255.255.235"), lan.There)
			if lan.Here6.IsValid() {
				talk(t, lan, "udp6", netip.MustParseAddr("ff02::fe%"+cable), lan.There6)
			}
		})
	})
}

// talk sends a packet from the other machine to a group, and the answer back.
func talk(t *testing.T, lan *LAN, network string, group, there netip.Addr) {
	t.Helper()
	ifi, err := net.InterfaceByName(cable)
	if err != nil {
		t.Fatal(err)
	}
	hears, err := net.ListenMulticastUDP(network, ifi, &net.UDPAddr{IP: group.AsSlice(), Port: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer hears.Close()
	var speaks *net.UDPConn
	lan.OnOther(func() {
		speaks, err = net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(there, 8)))
	})
	if err != nil {
		t.Fatal(err)
	}
	defer speaks.Close()
	deadline := time.Now().Add(time.Minute)
	for _, conn := range []*net.UDPConn{hears, speaks} {
		if err := conn.SetDeadline(deadline); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := speaks.WriteToUDPAddrPort([]byte("question"), netip.AddrPortFrom(group, 7)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, from, err := hears.ReadFromUDPAddrPort(buf)
	if err != nil || string(buf[:n]) != "question" || from != netip.AddrPortFrom(there, 8) {
		t.Fatalf("heard %q from %v: %v", buf[:n], from, err)
	}
	if _, err := hears.WriteToUDPAddrPort([]byte("answer"), from); err != nil {
		t.Fatal(err)
	}
	if n, _, err = speaks.ReadFromUDPAddrPort(buf); err != nil || string(buf[:n]) != "answer" {
		t.Fatalf("heard %q: %v", buf[:n], err)
	}
}

// TestOnLANFails looks at what is said outside of a test that fails inside.
func TestOnLANFails(t *testing.T) {
	const reason = "the reason why it failed"
	if os.Getenv(lanEnv) != "" {
		OnLAN(t, func(*LAN) { t.Fatal(reason) })
	}
	f := repeatWith(t)
	if f.skipped {
		t.Skip(f.said)
	}
	if !strings.Contains(f.said, reason) || !strings.Contains(f.said, "exit status 1") {
		t.Errorf("said %q", f.said)
	}
}

// repeatWith calls repeatOnLAN and returns what became of the test.
func repeatWith(t *testing.T) *fakeTest {
	f := &fakeTest{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		repeatOnLAN(f)
	}()
	<-done
	return f
}

func TestOnLANWithoutProgram(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, ci := range []string{"false", "true"} {
		t.Setenv("CI", ci)
		f := repeatWith(t)
		if f.skipped != (ci == "false") || strings.Contains(f.said, "\n") ||
			runtime.GOOS == "linux" && !strings.Contains(f.said, "apt-get install iproute2") {
			t.Errorf("CI=%s: skipped %v, said %q", ci, f.skipped, f.said)
		}
	}
}
