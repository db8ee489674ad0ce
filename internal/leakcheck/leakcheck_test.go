package leakcheck

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

func TestRunReportsWhatIsLeft(t *testing.T) {
	block := make(chan struct{})
	ended := make(chan struct{})
	var out bytes.Buffer
	code := run(func() int {
		go leakyFunction(block, ended)
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
	<-ended
}

func leakyFunction(block <-chan struct{}, ended chan<- struct{}) {
	defer close(ended)
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
	server := httptest.NewServer(http.NotFoundHandler())
	var out bytes.Buffer
	code := run(func() int {
		resp, err := http.Get(server.URL)
		if err != nil {
			t.Error(err)
			return 0
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		// The server stays: its accepting goroutine must be the only one reported.
		return 0
	}, 50*time.Millisecond, &out)
	if code != 1 || strings.Contains(out.String(), "persistConn") || !strings.Contains(out.String(), "httptest.(*Server)") {
		t.Errorf("run = %d, want 1 for the server's goroutine alone:\n%s", code, &out)
	}
	server.Close()
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
	if left := wait(time.Second); len(left) != 0 {
		t.Errorf("left: %s", strings.Join(left, "\n\n"))
	}
}
