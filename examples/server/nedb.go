package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
)

// maxNeDBLine is the largest document that is read. Those of groups and devices have a few KB.
const maxNeDBLine = 8 << 20

// readNeDB reads a database file of NeDB, which MeshCentral keeps by default: a JSON document a line, appended for every
// change, so that of several with the same _id the last one counts. want picks the documents to keep by type. bad is
// how many lines could not be read; as NeDB itself does, they are passed over.
//
// Confirmed in @seald-io/nedb, lib/persistence.js.
func readNeDB(r io.Reader, want func(typ string) bool) (docs map[string]json.RawMessage, lines, bad int, err error) {
	docs = make(map[string]json.RawMessage)
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		line, tooLong, err := readLine(in)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return docs, lines, bad, err
		}
		if len(line) == 0 && !tooLong {
			continue
		}
		lines++
		var head struct {
			ID      string `json:"_id"`
			Type    string `json:"type"`
			Deleted bool   `json:"$$deleted"`
		}
		var wrongType *json.UnmarshalTypeError // of a field that other documents use otherwise
		if tooLong {
			bad++
		} else if err := json.Unmarshal(line, &head); err != nil && !errors.As(err, &wrongType) {
			bad++
		} else if head.Deleted {
			delete(docs, head.ID)
		} else if head.ID != "" && want(head.Type) {
			docs[head.ID] = append(json.RawMessage(nil), line...)
		}
	}
}

// readLine returns the next line without its end, or io.EOF after the last. What is over maxNeDBLine is not kept. The
// line is valid until the next call.
func readLine(in *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > maxNeDBLine {
			tooLong, line = true, nil
		}
		if !tooLong {
			if line == nil && err == nil {
				return trimLine(part), false, nil // the common case, without a copy
			}
			line = append(line, part...)
		}
		switch {
		case err == nil || errors.Is(err, io.EOF) && (len(line) > 0 || tooLong):
			return trimLine(line), tooLong, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, false, err
		}
	}
}

func trimLine(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}
