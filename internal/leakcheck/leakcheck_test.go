package leakcheck

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

// settle waits until nothing is left of the tests before.
func settle(t *testing.T) {
	t.Helper()
	if left := wait(patience); len(left) != 0 {
		t.Fatalf("left by tests before: %s", strings.Join(left, "\n\n"))
	}
}

func TestRunReportsWhatIsLeft(t *testing.T) {
	settle(t)
	begun, block := make(chan struct{}), make(chan struct{})
	var out bytes.Buffer
	code := run(func() int {
		go leakyFunction(begun, block)
		<-begun // its name is in its stack
		return 0
	}, 20*time.Millisecond, &out)
	if code != 1 {
		t.Errorf("run = %d, want 1", code)
	}
	for _, want := range []string{"leakcheck: 1 goroutines left", "leakyFunction"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
	close(block)
}

func leakyFunction(begun chan<- struct{}, block <-chan struct{}) {
	close(begun)
	<-block
}

func TestRunWaitsForWhatIsEnding(t *testing.T) {
	var out bytes.Buffer
	code := run(func() int {
		timer := time.NewTimer(20 * time.Millisecond)
		go func() { <-timer.C }()
		return 0
	}, time.Minute, &out)
	if code != 0 || out.Len() != 0 {
		t.Errorf("run = %d, %q, want 0 and nothing", code, &out)
	}
}

func TestRunClosesIdleConnections(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip("no network: ", err)
	}
	defer listener.Close()
	var out bytes.Buffer
	code := run(func() int {
		served := make(chan net.Conn, 1)
		go func() {
			conn, err := listener.Accept()
			if err == nil {
				_, err = http.ReadRequest(bufio.NewReader(conn))
			}
			if err == nil {
				_, err = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
			}
			if err != nil {
				t.Error(err)
			}
			served <- conn
		}()
		resp, err := http.Get("http://" + listener.Addr().String())
		if err != nil {
			t.Error(err)
			return 0
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		conn := <-served
		t.Cleanup(func() { conn.Close() }) // the server's end stays open meanwhile
		return 0
	}, time.Minute, &out)
	if code != 0 || out.Len() != 0 {
		t.Errorf("run = %d, want 0:\n%s", code, &out)
	}
}

func TestRunKeepsTheStatusOfFailedTests(t *testing.T) {
	var out bytes.Buffer
	block := make(chan struct{})
	defer close(block)
	code := run(func() int {
		go func() { <-block }()
		return 3
	}, time.Minute, &out)
	if code != 3 || out.Len() != 0 {
		t.Errorf("run = %d, %q, want 3 and nothing", code, &out)
	}
}

func TestSignalsAreNotALeak(t *testing.T) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	defer signal.Stop(c)
	if left := wait(patience); len(left) != 0 {
		t.Errorf("left: %s", strings.Join(left, "\n\n"))
	}
}
