package sqlstore

import (
	"encoding/json"
	"time"

	"github.com/meshcentral-go/sdk/nodeid"
)

// GroupType is what kind of devices a group holds, with the numbers of the protocol (mtype).
type GroupType int

const (
	// AMTGroup holds devices that are managed by Intel AMT alone.
	AMTGroup GroupType = 1
	// AgentGroup holds devices with agents. Only into these are agents enrolled.
	AgentGroup GroupType = 2
	// LocalGroup holds devices that are reached through another device.
	LocalGroup GroupType = 3
)

// Group is a device group, "mesh" in the protocol.
type Group struct {
	Key         nodeid.MeshKey `json:"-"`
	Name        string         `json:"-"`
	Type        GroupType      `json:"type"`
	Description string         `json:"description,omitempty"`
	Created     time.Time      `json:"created"`
}

func scanGroup(row scanner) (g Group, err error) {
	var id string
	var doc []byte
	if err := row.Scan(&id, &g.Name, &doc); err != nil {
		return g, err
	}
	if g.Key, err = nodeid.ParseMeshKey(id); err != nil {
		return g, err
	}
	return g, json.Unmarshal(doc, &g)
}

// Group returns the group with a key, or ErrNotFound.
func (t *Tx) Group(key nodeid.MeshKey) (Group, error) {
	return get(t, "device group", scanGroup, "SELECT id, name, doc FROM device_group WHERE id = ?", key.String())
}

// Groups returns all groups by name.
func (t *Tx) Groups() ([]Group, error) {
	return list(t, "device groups", scanGroup, "SELECT id, name, doc FROM device_group ORDER BY name, id")
}

// PutGroup adds a group or replaces it.
func (t *Tx) PutGroup(g Group) error {
	_, err := t.exec("device group", `INSERT INTO device_group (id, name, doc) VALUES (?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, doc = excluded.doc`, g.Key.String(), g.Name, document(g))
	return err
}
