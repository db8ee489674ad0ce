package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
)

// maxNeDBLine is the largest document that is read. Those of groups and devices have a few KB.
const maxNeDBLine = 8 << 20

// nedbLine is a version of a document, or its removal.
type nedbLine struct {
	id, typ string
	deleted bool
	doc     []byte // valid until the next line is read
}

// scanNeDB reads a database file of NeDB, which MeshCentral keeps by default: a JSON document a line, appended for every
// change, so that of several with the same _id the last one counts. bad is how many lines could not be read; as NeDB itself
// does, they are passed over.
//
// Confirmed in @seald-io/nedb, lib/persistence.js.
func scanNeDB(r io.Reader, f func(nedbLine) error) (lines, bad int, err error) {
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		line, tooLong, err := readLine(in)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return lines, bad, err
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
		} else if head.ID != "" {
			if err := f(nedbLine{head.ID, head.Type, head.Deleted, line}); err != nil {
				return lines, bad, err
			}
		}
	}
}

// readNeDB reads the last versions of the documents that are wanted.
func readNeDB(r io.Reader, want func(id, typ string) bool) (docs map[string]json.RawMessage, lines, bad int, err error) {
	docs = make(map[string]json.RawMessage)
	lines, bad, err = scanNeDB(r, func(l nedbLine) error {
		if l.deleted {
			delete(docs, l.id)
		} else if want(l.id, l.typ) {
			docs[l.id] = append(json.RawMessage(nil), l.doc...)
		}
		return nil
	})
	return docs, lines, bad, err
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
