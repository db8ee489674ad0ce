package interop

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestLogWait(t *testing.T) {
	log := newLogBuffer()
	fmt.Fprint(log, "one\r\n")
	mark := log.mark()
	never := make(chan struct{})
	if err := log.wait(t.Context(), never, 0, "nothing", "one\n"); err != nil {
		t.Errorf("a text that is there: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if err := log.wait(ctx, never, mark, "one"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a text from before the mark: %v", err)
	}
	go fmt.Fprint(log, "two\n")
	if err := log.wait(t.Context(), never, mark, "two"); err != nil {
		t.Errorf("a text that comes: %v", err)
	}
	ended := make(chan struct{})
	close(ended)
	if err := log.wait(t.Context(), ended, mark, "three"); !errors.Is(err, errEnded) {
		t.Errorf("a writer that has ended: %v", err)
	}
}

func TestLogIsBounded(t *testing.T) {
	log := newLogBuffer()
	for i := range 3000 {
		fmt.Fprintf(log, "%01023d\n", i)
	}
	mark := log.mark()
	fmt.Fprint(log, "the end")
	if got := log.String(); len(got) < maxLog || len(got) > 2*maxLog || !strings.HasSuffix(got, "the end") {
		t.Errorf("%d bytes are kept, ending with %q", len(got), got[len(got)-10:])
	}
	if got, _ := log.since(mark); got != "the end" {
		t.Errorf("since the mark: %q", got)
	}
	if got := lastBytes("first\nsecond\nthird", 10); got != "third" {
		t.Errorf("lastBytes cuts to %q", got)
	}
}
