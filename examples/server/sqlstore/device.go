package sqlstore

import (
	"encoding/json"
	"time"

	"github.com/meshcentral-go/sdk/nodeid"
)

// Device is a machine with an agent, "node" in the protocol. Its texts are the agent's word: clean, but not to be
// trusted.
type Device struct {
	Key   nodeid.NodeKey `json:"-"`
	Group nodeid.MeshKey `json:"-"`
	Name  string         `json:"-"` // shown; given at the first login

	Host         string    `json:"host,omitempty"` // computer name, as of the last login
	Icon         uint32    `json:"icon,omitempty"` // platform type
	AgentID      uint32    `json:"agentId,omitempty"`
	AgentVersion uint32    `json:"agentVersion,omitempty"`
	Capabilities uint32    `json:"capabilities,omitempty"`
	Core         string    `json:"core,omitempty"` // what the running core calls itself
	OS           string    `json:"os,omitempty"`
	Tag          string    `json:"tag,omitempty"`
	Temporary    bool      `json:"temporary,omitempty"` // removed when its session ends
	Created      time.Time `json:"created"`
	Connected    time.Time `json:"connected,omitzero"`    // when it last came online
	Disconnected time.Time `json:"disconnected,omitzero"` // when it last went offline
	Addr         string    `json:"addr,omitempty"`        // from which it last came
}

const deviceColumns = "id, group_id, name, doc"

func scanDevice(row scanner) (d Device, err error) {
	var id, group string
	var doc []byte
	if err := row.Scan(&id, &group, &d.Name, &doc); err != nil {
		return d, err
	}
	if d.Key, err = nodeid.ParseNodeKey(id); err != nil {
		return d, err
	}
	if d.Group, err = nodeid.ParseMeshKey(group); err != nil {
		return d, err
	}
	return d, json.Unmarshal(doc, &d)
}

// Device returns the device with a key, or ErrNotFound.
func (t *Tx) Device(key nodeid.NodeKey) (Device, error) {
	return get(t, "device", scanDevice, "SELECT "+deviceColumns+" FROM device WHERE id = ?", key.String())
}

// Devices returns all devices by name, up to limit of them.
func (t *Tx) Devices(limit int) ([]Device, error) {
	return list(t, "devices", scanDevice, "SELECT "+deviceColumns+" FROM device ORDER BY name, id LIMIT ?", limit)
}

// TemporaryDevices returns the devices whose session should have removed them when it ended.
func (t *Tx) TemporaryDevices() ([]Device, error) {
	return list(t, "devices", scanDevice, "SELECT "+deviceColumns+" FROM device WHERE doc ->> 'temporary'")
}

// CountDevices returns how many devices each group has.
func (t *Tx) CountDevices() (map[nodeid.MeshKey]int, error) {
	type entry struct {
		group nodeid.MeshKey
		n     int
	}
	entries, err := list(t, "device count", func(row scanner) (e entry, err error) {
		var id string
		if err := row.Scan(&id, &e.n); err != nil {
			return e, err
		}
		e.group, err = nodeid.ParseMeshKey(id)
		return e, err
	}, "SELECT group_id, count(*) FROM device GROUP BY group_id")
	counts := make(map[nodeid.MeshKey]int, len(entries))
	for _, e := range entries {
		counts[e.group] = e.n
	}
	return counts, err
}

// PutDevice adds a device or replaces it. Its group must exist.
func (t *Tx) PutDevice(d Device) error {
	_, err := t.exec("device", `INSERT INTO device (id, group_id, name, doc) VALUES (?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET group_id = excluded.group_id, name = excluded.name, doc = excluded.doc`,
		d.Key.String(), d.Group.String(), d.Name, document(d))
	return err
}

// DeleteDevice removes a device with its reports, and tells whether it was there. Its events stay.
func (t *Tx) DeleteDevice(key nodeid.NodeKey) (bool, error) {
	n, err := t.exec("device", "DELETE FROM device WHERE id = ?", key.String())
	return n > 0, err
}
