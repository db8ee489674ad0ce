package sqlstore

import (
	"encoding/json"
	"time"

	"github.com/meshcentral-go/sdk/nodeid"
)

// EventKind names what happened.
type EventKind string

const (
	// DeviceAdded is the first login of a device.
	DeviceAdded EventKind = "device added"
	// DeviceConnected is a device that came online and had been gone for a while.
	DeviceConnected EventKind = "device connected"
	// DeviceDisconnected is a device that went offline and did not come back soon.
	DeviceDisconnected EventKind = "device disconnected"
	// DeviceRemoved is a temporary device whose session ended.
	DeviceRemoved EventKind = "device removed"
	// ServerStarted is this server's start.
	ServerStarted EventKind = "server started"
	// ServerStopped is its orderly end.
	ServerStopped EventKind = "server stopped"
)

// Event is an entry of the log that operators read.
type Event struct {
	ID     int64          `json:"-"` // given by AppendEvent, in rising order
	Time   time.Time      `json:"-"`
	Device nodeid.NodeKey `json:"-"` // zero if it is not about a device
	Kind   EventKind      `json:"-"`
	Name   string         `json:"name,omitempty"` // of the device at that time
	Addr   string         `json:"addr,omitempty"`
	Detail string         `json:"detail,omitempty"`
}

func scanEvent(row scanner) (e Event, err error) {
	var ms int64
	var device string
	var doc []byte
	if err := row.Scan(&e.ID, &ms, &device, &e.Kind, &doc); err != nil {
		return e, err
	}
	e.Time = fromMillis(ms)
	if device != "" {
		if e.Device, err = nodeid.ParseNodeKey(device); err != nil {
			return e, err
		}
	}
	return e, json.Unmarshal(doc, &e)
}

// AppendEvent adds an event. Its ID is not looked at.
func (t *Tx) AppendEvent(e Event) error {
	device := ""
	if !e.Device.IsZero() {
		device = e.Device.String()
	}
	_, err := t.exec("event", "INSERT INTO event (time, device, kind, doc) VALUES (?, ?, ?, ?)",
		millis(e.Time), device, e.Kind, document(e))
	return err
}

// Events returns the last events, the newest first, up to limit of them.
func (t *Tx) Events(limit int) ([]Event, error) {
	return list(t, "events", scanEvent, "SELECT id, time, device, kind, doc FROM event ORDER BY id DESC LIMIT ?", limit)
}

// DeviceEvents returns the last events of a device, the newest first, up to limit of them.
func (t *Tx) DeviceEvents(device nodeid.NodeKey, limit int) ([]Event, error) {
	return list(t, "events", scanEvent,
		"SELECT id, time, device, kind, doc FROM event WHERE device = ? ORDER BY id DESC LIMIT ?", device.String(), limit)
}

// TrimEvents removes the events before a time, and the oldest beyond a number. It tells how many.
func (t *Tx) TrimEvents(before time.Time, keep int) (int64, error) {
	return t.exec("events", `DELETE FROM event WHERE time < ?
		OR id <= (SELECT id FROM event ORDER BY id DESC LIMIT 1 OFFSET ?)`, millis(before), keep)
}
