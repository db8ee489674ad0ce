package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// maxLog bounds what is kept of one peer's output: when it has grown to twice as
// much, the beginning is cut off.
const maxLog = 1 << 20

// logBuffer collects the output of a peer and lets tests wait for a text in it.
type logBuffer struct {
	mu      sync.Mutex
	kept    []byte
	dropped int           // bytes that were cut off at the beginning
	grown   chan struct{} // closed and replaced by each write
}

func newLogBuffer() *logBuffer {
	return &logBuffer{grown: make(chan struct{})}
}

// Write appends b, without the carriage returns of terminals.
func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, bytes.ReplaceAll(b, []byte("\r"), nil)...)
	if len(l.kept) > 2*maxLog {
		over := len(l.kept) - maxLog
		l.dropped += over
		l.kept = append(l.kept[:0], l.kept[over:]...)
	}
	close(l.grown)
	l.grown = make(chan struct{})
	return len(b), nil
}

// String returns all that is kept.
func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.kept)
}

// mark returns the position after what was written so far.
func (l *logBuffer) mark() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped + len(l.kept)
}

// since returns what was written after mark, and a channel that is closed when
// there is more.
func (l *logBuffer) since(mark int) (string, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.kept[min(max(mark-l.dropped, 0), len(l.kept)):]), l.grown
}

// errEnded says that a peer ended while something was expected of it.
var errEnded = errors.New("the process has ended")

// shownLog is how much of a peer's output an error shows.
const shownLog = 2000

// wait returns once one of the texts was written after mark. When it gives up,
// its error says what it waited for and what came last, and wraps the context's
// error, or errEnded when the writer has ended without.
func (l *logBuffer) wait(ctx context.Context, ended <-chan struct{}, mark int, texts ...string) error {
	err := l.await(ctx, ended, mark, texts)
	if err != nil {
		return fmt.Errorf("it did not print %q: %w; its output ends with %q", texts, err, lastBytes(l.String(), shownLog))
	}
	return nil
}

func (l *logBuffer) await(ctx context.Context, ended <-chan struct{}, mark int, texts []string) error {
	for {
		got, grown := l.since(mark)
		if containsAny(got, texts) {
			return nil
		}
		select {
		case <-grown:
		case <-ended:
			// The last words may have come between the look and the end.
			if got, _ := l.since(mark); containsAny(got, texts) {
				return nil
			}
			return errEnded
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func containsAny(s string, texts []string) bool {
	for _, text := range texts {
		if strings.Contains(s, text) {
			return true
		}
	}
	return false
}

// lastBytes returns the end of s, from the start of a line where it was cut.
func lastBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[len(s)-n:]
	if _, rest, ok := strings.Cut(s, "\n"); ok {
		return rest
	}
	return s
}
