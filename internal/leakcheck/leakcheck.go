// Package leakcheck fails a test binary that leaves goroutines behind.
package leakcheck

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// patience is how long goroutines that are about to end may take, also on a
// machine that does much else. Only who has a leak waits for so long.
const patience = time.Minute

// Main runs the tests and then exits, with status 1 if the tests passed but
// goroutines remain that none of them should have left. It is called as
//
//	func TestMain(m *testing.M) { leakcheck.Main(m) }
func Main(m *testing.M) {
	os.Exit(run(m.Run, patience, os.Stderr))
}

func run(tests func() int, patience time.Duration, out io.Writer) int {
	code := tests()
	if code != 0 {
		return code // a test that failed may not have come to its cleaning up
	}
	leaked := wait(patience)
	if len(leaked) == 0 {
		return 0
	}
	fmt.Fprintf(out, "leakcheck: %d goroutines left after the tests:\n\n%s\n", len(leaked), strings.Join(leaked, "\n\n"))
	return 1
}

// wait looks until no goroutine is left over, and returns those that remain
// when patience is at its end.
func wait(patience time.Duration) []string {
	deadline := time.Now().Add(patience)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		// Idle connections of the default client belong to nobody in particular.
		// They become idle some time after the last byte was read.
		if transport, ok := http.DefaultTransport.(*http.Transport); ok {
			transport.CloseIdleConnections()
		}
		leaked := leftOver()
		if len(leaked) == 0 || time.Now().After(deadline) {
			return leaked
		}
		time.Sleep(pause) // a goroutine tells nobody that it has ended
	}
}

// leftOver returns the stacks of all goroutines but the caller's, the main one,
// the one that package os/signal keeps for ever, and the one in which js/wasm
// handles events. The runtime does not list its other ones.
func leftOver() []string {
	stacks := strings.Split(allStacks(), "\n\n")
	var leaked []string
	for _, stack := range stacks[1:] { // the first is the caller's
		stack = strings.TrimSpace(stack)
		if strings.HasPrefix(stack, "goroutine 1 [") || strings.Contains(stack, "os/signal.signal_recv(") ||
			strings.Contains(stack, "runtime.handleEvent(") {
			continue
		}
		leaked = append(leaked, stack)
	}
	return leaked
}

func allStacks() string {
	for size := 1 << 20; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return string(buf[:n])
		}
	}
}
