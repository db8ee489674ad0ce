package record

import (
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"time"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// indexInterval is the time from one entry of an index to the next, the one that mcrec.js uses.
const indexInterval = 10 * time.Second

// Bounds of an index: 8 MiB hold a day of a busy screen.
const (
	maxIndex        = 16 << 20 // bytes of the JSON
	maxIndexNumbers = 2 << 20
)

// Index says what a desktop recording shows every ten seconds.
//
//	{"indexInterval":10,"indexStartTime":1770000000000,"indexes":[[ptr,width,height,p1,p2,...],...]}
//
// Confirmed in mcrec.js (createIndex, writeIndex).
type Index struct {
	Interval time.Duration
	Start    uint64 // the clock of the first message
	Entries  []IndexEntry
}

// IndexEntry is the state after a number of intervals: the first entry is after one.
type IndexEntry struct {
	Next          int64 // the block to go on with
	Width, Height int   // of the screen; 0 if there was none yet
	// Tiles are the blocks of the messages that make up the picture, in the order in which to draw them. Like Next they
	// are relative to the first traffic block: see [Reader.Block].
	Tiles []int64
}

// append appends the payload of the index block.
func (x *Index) append(b []byte) []byte {
	b = append(b, `{"indexInterval":`...)
	b = strconv.AppendInt(b, int64(x.Interval/time.Second), 10)
	b = append(b, `,"indexStartTime":`...)
	b = strconv.AppendUint(b, x.Start, 10)
	b = append(b, `,"indexes":[`...)
	for i, e := range x.Entries {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		b = strconv.AppendInt(b, e.Next, 10)
		for _, n := range []int{e.Width, e.Height} {
			b = append(b, ',')
			b = strconv.AppendInt(b, int64(n), 10)
		}
		for _, p := range e.Tiles {
			b = append(b, ',')
			b = strconv.AppendInt(b, p, 10)
		}
		b = append(b, ']')
	}
	return append(b, `]}`...)
}

// parseIndex reads the payload of an index block. size is how many bytes of blocks the entries can point into.
func parseIndex(b []byte, size int64) (*Index, error) {
	if err := jsonrec.Check(b, jsonrec.Limits{Size: maxIndex, Depth: 8, Values: maxIndexNumbers}); err != nil {
		return nil, fmt.Errorf("%w: index: %w", ErrFormat, err)
	}
	var raw struct {
		Interval int64     `json:"indexInterval"`
		Start    uint64    `json:"indexStartTime"`
		Indexes  [][]int64 `json:"indexes"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, fmt.Errorf("%w: index: %w", ErrFormat, err)
	}
	if raw.Interval < 1 || raw.Interval > 24*60*60 {
		return nil, fmt.Errorf("%w: index every %d seconds", ErrFormat, raw.Interval)
	}
	x := &Index{Interval: time.Duration(raw.Interval) * time.Second, Start: raw.Start}
	for i, e := range raw.Indexes {
		if len(e) < 3 || e[1] < 0 || e[1] > 0xFFFF || e[2] < 0 || e[2] > 0xFFFF {
			return nil, fmt.Errorf("%w: index entry %d", ErrFormat, i)
		}
		for k, p := range e {
			if k != 1 && k != 2 && (p < 0 || p > size) {
				return nil, fmt.Errorf("%w: index entry %d points to %d", ErrFormat, i, p)
			}
		}
		x.Entries = append(x.Entries, IndexEntry{Next: e[0], Width: int(e[1]), Height: int(e[2]), Tiles: e[3:]})
	}
	return x, nil
}

// entry returns the last entry at or before a time, or nil.
func (x *Index) entry(at time.Duration) *IndexEntry {
	passed := int64(at / x.Interval)
	n := sort.Search(len(x.Entries), func(i int) bool { return int64(i) >= passed })
	if n == 0 {
		return nil
	}
	return &x.Entries[n-1]
}
