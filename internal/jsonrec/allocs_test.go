//go:build !race

package jsonrec

import "testing"

// TestAllocs: checking and appending to a buffer that is large enough need no memory. The race detector would add its
// own.
func TestAllocs(t *testing.T) {
	text := []byte(deviceText(1))
	none := func(what string, most float64, f func()) {
		t.Helper()
		if n := testing.AllocsPerRun(100, f); n > most {
			t.Errorf("%s: %v allocations, want at most %v", what, n, most)
		}
	}
	none("Check", 0, func() { _ = Check(text, Limits{Size: 1 << 20, Depth: 10, Values: 1000}) })
	none("Peek", 1, func() { _, _ = Peek(text, "name", "_id") })
	none("AppendString", 0, func() { _ = AppendString(text[:0:len(text)], "a\nb") })

	text = []byte(deviceText(1))
	flat := struct {
		Name string `json:"name"`
		Conn int    `json:"conn"`
	}{}
	none("fields of a struct", 2, func() { _ = Unmarshal(text, &flat) })
	buf := make([]byte, 0, 100)
	none("Append", 0, func() { buf, _ = Append(buf[:0], &flat) })
}
