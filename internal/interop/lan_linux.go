package interop

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// lanReportFD is the descriptor on which the process inside tells the one
	// outside that it is on a LAN, or why not.
	lanReportFD = 3
	onLAN       = "on a LAN"
	// lanMargin is what the process inside has less time than the one outside,
	// so that the latter can print where the former hung.
	lanMargin = 5 * time.Second

	// The capabilities with which a user who is not root makes and sets up network
	// namespaces inside a user namespace (linux/capability.h).
	capNetAdmin = 12
	capSysAdmin = 21
)

// errNotStarted says that there could be no process inside.
var errNotStarted = errors.New("not started")

// repeatOnLAN runs the test in another process in a network namespace of its own.
func repeatOnLAN(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil {
		unavailable(t, "the program ip was not found: install it (Debian: apt-get install iproute2)")
	}
	// The kernel's "kill the child when its parent is gone" means the parent's
	// thread, so this goroutine keeps it until the child has ended.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	inside := runOnLAN(t, syscall.CLONE_NEWNET)
	if errors.Is(inside.err, errNotStarted) { // not root
		inside = runOnLAN(t, syscall.CLONE_NEWNET|syscall.CLONE_NEWUSER)
	}
	switch {
	case errors.Is(inside.err, errNotStarted):
		unavailable(t, "a network namespace could not be made, run as root or allow user namespaces: "+inside.err.Error())
	case inside.report != onLAN && inside.report != "":
		unavailable(t, "a network for the test could not be made: "+inside.report)
	case inside.err != nil:
		t.Fatalf("on a LAN: %v\n%s", inside.err, inside.output)
	case inside.report == "":
		t.Fatalf("on a LAN the test did not run:\n%s", inside.output)
	default:
		t.Logf("on a LAN:\n%s", inside.output)
	}
}

// lanProcess is what came of the process inside.
type lanProcess struct {
	output string
	report string // onLAN, why it is not on a LAN, or nothing if it did not come to that
	err    error
}

// runOnLAN runs the test inside namespaces of the kinds that flags says.
func runOnLAN(t testing.TB, flags uintptr) lanProcess {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var output bytes.Buffer
	cmd := exec.Command(program, lanArgs(t)...)
	cmd.Env = append(os.Environ(), lanEnv+"="+t.Name())
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.ExtraFiles = []*os.File{w} // the first of which is lanReportFD
	cmd.WaitDelay = patience       // for a descendant that holds the output open
	cmd.SysProcAttr = lanNamespaces(flags)
	err = cmd.Start()
	_ = w.Close()
	if err != nil {
		return lanProcess{err: fmt.Errorf("%w: %w", errNotStarted, err)}
	}
	report, readErr := io.ReadAll(r)
	err = errors.Join(cmd.Wait(), readErr)
	return lanProcess{output: output.String(), report: string(report), err: err}
}

// lanArgs are the arguments with which this test binary runs this test alone.
func lanArgs(t testing.TB) []string {
	names := strings.Split(t.Name(), "/")
	for i, name := range names {
		names[i] = "^" + regexp.QuoteMeta(name) + "$"
	}
	args := []string{"-test.run=" + strings.Join(names, "/"), "-test.v", "-test.timeout=0"}
	if limited, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if deadline, ok := limited.Deadline(); ok {
			args[2] = "-test.timeout=" + max(time.Until(deadline)-lanMargin, time.Second).String()
		}
	}
	return args
}

func lanNamespaces(flags uintptr) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: flags}
	dieWithParent(attr)
	if flags&syscall.CLONE_NEWUSER != 0 {
		// The same user as outside, who owns the caches.
		user, group := os.Getuid(), os.Getgid()
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: user, HostID: user, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: group, HostID: group, Size: 1}}
		attr.AmbientCaps = []uintptr{capNetAdmin, capSysAdmin}
	}
	return attr
}

// newLAN makes the network, in the process inside.
func newLAN(t testing.TB) *LAN {
	t.Helper()
	report := os.NewFile(lanReportFD, "report")
	defer report.Close() // before the peers start, which would inherit it
	l := &LAN{
		Here:  netip.MustParseAddr("192.168.77.1"),
		There: netip.MustParseAddr("192.168.77.2"),
		calls: make(chan func()),
	}
	if present("/proc/self/net/if_inet6") {
		l.Here6 = netip.MustParseAddr("fe80::1%" + cable)
		l.There6 = netip.MustParseAddr("fe80::2%" + cable)
	}
	ended := make(chan struct{})
	onOwnThread(func() {
		defer close(ended)
		for f := range l.calls {
			f()
		}
	})
	t.Cleanup(func() {
		close(l.calls)
		<-ended
	})
	result, err := onLAN, l.connect()
	if err != nil {
		result = strings.Join(strings.Fields(err.Error()), " ")
	}
	if _, err := report.WriteString(result); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.SkipNow() // the process outside says why
	}
	return l
}

// onOwnThread calls f in a goroutine with a thread that is used by nothing else
// and ends with it. It is not the process's first thread: where the kernel is
// asked for the namespace of a process, it takes that one's.
func onOwnThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if syscall.Gettid() != os.Getpid() {
			f()
			return // still locked, which ends the thread
		}
		// While the first thread is held here, another goroutine gets another one.
		defer runtime.UnlockOSThread()
		begun := make(chan struct{})
		onOwnThread(func() {
			close(begun)
			f()
		})
		<-begun
	}()
}

// connect makes the other machine and the cable, and waits until that carries.
func (l *LAN) connect() error {
	var err error
	l.OnOther(func() {
		if err = syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
			err = fmt.Errorf("namespace of the other machine: %w", err)
			return
		}
		err = setUpMachine(l.There, l.There6, fmt.Sprintf("link add %[1]s index %[2]d type veth peer name %[1]s index %[2]d netns %[3]d",
			cable, cableIndex, os.Getpid()))
	})
	if err == nil {
		err = setUpMachine(l.Here, l.Here6)
	}
	if err == nil {
		err = waitForCable()
	}
	if err == nil {
		l.OnOther(func() { err = waitForCable() })
	}
	return err
}

// setUpMachine gives the calling thread's namespace its interfaces and
// addresses, after other commands of the program ip.
func setUpMachine(v4, v6 netip.Addr, commands ...string) error {
	commands = append(commands, "link set lo up",
		fmt.Sprintf("address add %s/24 broadcast + dev %s", v4, cable))
	if v6.IsValid() {
		// An address of the kernel's choice would be of no use for the first seconds,
		// in which the kernel looks for another machine that has it.
		commands = append(commands, "link set "+cable+" addrgenmode none",
			fmt.Sprintf("address add %s/64 dev %s nodad", v6.WithZone(""), cable))
	}
	commands = append(commands, "link set "+cable+" up")
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip: %w: %s", err, out)
	}
	return nil
}

// waitForCable waits until the kernel sends what the calling thread's namespace
// has for the cable. Until some time after both ends are up it drops that.
func waitForCable() error {
	// The kernel tells of changed interfaces on such a socket.
	changes, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("netlink socket: %w", err)
	}
	defer syscall.Close(changes)
	timeout := syscall.NsecToTimeval(int64(patience))
	if err := syscall.SetsockoptTimeval(changes, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &timeout); err != nil {
		return fmt.Errorf("netlink socket: %w", err)
	}
	err = syscall.Bind(changes, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Groups: 1 << (syscall.RTNLGRP_LINK - 1)})
	if err != nil {
		return fmt.Errorf("netlink socket: %w", err)
	}
	buf := make([]byte, 64<<10)
	for {
		ifi, err := net.InterfaceByName(cable)
		if err != nil {
			return err
		}
		if ifi.Flags&net.FlagRunning != 0 {
			return nil
		}
		if _, _, err := syscall.Recvfrom(changes, buf, 0); err != nil && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("waiting for the cable: %w", err)
		}
	}
}
