package sqlstore

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/meshcentral-go/sdk/nodeid"
)

// ReportKind names what a report is about.
type ReportKind string

const (
	// NetworkReport is the agent's message "netinfo".
	NetworkReport ReportKind = "netinfo"
	// SystemReport is the agent's message "sysinfo".
	SystemReport ReportKind = "sysinfo"
	// CoreReport is the agent's message "coreinfo".
	CoreReport ReportKind = "coreinfo"
)

// Report is the last message of a kind that a device sent about itself.
type Report struct {
	Device nodeid.NodeKey
	Kind   ReportKind
	Time   time.Time
	Hash   string // changes with the document
	Doc    Document
}

// Document is the JSON text of a report. It can hold secrets, such as recovery keys of disks, so that printing it shows
// its size only.
type Document []byte

// String tells the size.
func (d Document) String() string { return fmt.Sprintf("[%d bytes]", len(d)) }

// GoString tells the size.
func (d Document) GoString() string { return d.String() }

// Format tells the size, for every verb.
func (d Document) Format(f fmt.State, _ rune) { io.WriteString(f, d.String()) }

// LogValue tells the size.
func (d Document) LogValue() slog.Value { return slog.StringValue(d.String()) }

// MarshalText tells the size.
func (d Document) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func scanReport(row scanner) (r Report, err error) {
	var id string
	var ms int64
	var doc []byte
	if err := row.Scan(&id, &r.Kind, &ms, &r.Hash, &doc); err != nil {
		return r, err
	}
	r.Time, r.Doc = fromMillis(ms), doc
	r.Device, err = nodeid.ParseNodeKey(id)
	return r, err
}

// Report returns the last report of a kind, or ErrNotFound.
func (t *Tx) Report(device nodeid.NodeKey, kind ReportKind) (Report, error) {
	return get(t, "report", scanReport,
		"SELECT device_id, kind, time, hash, doc FROM report WHERE device_id = ? AND kind = ?", device.String(), kind)
}

// ReportHash returns the hash of the last report of a kind without reading all of it, or "" if there is none.
func (t *Tx) ReportHash(device nodeid.NodeKey, kind ReportKind) (string, error) {
	hashes, err := list(t, "report", func(row scanner) (h string, err error) { return h, row.Scan(&h) },
		"SELECT hash FROM report WHERE device_id = ? AND kind = ?", device.String(), kind)
	if err != nil || len(hashes) == 0 {
		return "", err
	}
	return hashes[0], nil
}

// PutReport adds a report or replaces it. Its device must exist.
func (t *Tx) PutReport(r Report) error {
	_, err := t.exec("report", `INSERT INTO report (device_id, kind, time, hash, doc) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (device_id, kind) DO UPDATE SET time = excluded.time, hash = excluded.hash, doc = excluded.doc`,
		r.Device.String(), r.Kind, millis(r.Time), r.Hash, string(r.Doc))
	return err
}
