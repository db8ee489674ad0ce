package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
	"github.com/meshcentral-go/sdk/nodeid"
)

const (
	stockDatabase = "meshcentral.db"
	stockImported = "stock database imported" // setting
)

// importStock takes the device groups and devices over from the database of a MeshCentral server, once, if the data
// folder is that of one. It only reads that database. Groups and devices that are here already stay as they are.
func importStock(ctx context.Context, store *sqlstore.Store, folder string, log *slog.Logger) error {
	path := filepath.Join(folder, stockDatabase)
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return store.Update(ctx, func(tx *sqlstore.Tx) error {
		if _, done, err := tx.Setting(stockImported); err != nil || done {
			return err
		}
		docs, lines, bad, err := readNeDB(f, func(typ string) bool { return typ == "mesh" || typ == "node" })
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if lines > 0 && bad == lines {
			return fmt.Errorf("%s: no line is a JSON document; a database that was encrypted by dbEncryptKey can not be taken over", path)
		}
		groups, devices, skipped, err := putStock(tx, docs)
		if err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(folder, "config.json")); err == nil {
			log.Warn("MeshCentral's config.json is not read: what it says, such as the port, is to be said by flags")
		}
		log.Info("MeshCentral's database imported", "file", path, "groups", groups, "devices", devices, "skipped", skipped, "badLines", bad)
		return tx.SetSetting(stockImported, time.Now().UTC().Format(time.RFC3339))
	})
}

// putStock stores the documents that are groups and devices. skipped is how many are neither usable nor here already.
func putStock(tx *sqlstore.Tx, docs map[string]json.RawMessage) (groups, devices, skipped int, err error) {
	var nodes []sqlstore.Device
	for id, doc := range docs {
		var d stockDocument
		if !d.parse(doc) {
			skipped++
			continue
		}
		switch d.Type {
		case "mesh":
			g, ok := d.group(id)
			if !ok {
				skipped++
				continue
			}
			if _, err := tx.Group(g.Key); !errors.Is(err, sqlstore.ErrNotFound) {
				if err != nil {
					return 0, 0, 0, err
				}
				continue
			}
			if err := tx.PutGroup(g); err != nil {
				return 0, 0, 0, err
			}
			groups++
		case "node":
			if node, ok := d.device(id); ok {
				nodes = append(nodes, node)
			} else {
				skipped++
			}
		}
	}
	for _, node := range nodes { // after all groups
		_, groupErr := tx.Group(node.Group)
		_, err := tx.Device(node.Key)
		switch {
		case errors.Is(groupErr, sqlstore.ErrNotFound):
			skipped++
			continue
		case groupErr != nil:
			return 0, 0, 0, groupErr
		case err == nil:
			continue
		case !errors.Is(err, sqlstore.ErrNotFound):
			return 0, 0, 0, err
		}
		if err := tx.PutDevice(node); err != nil {
			return 0, 0, 0, err
		}
		devices++
	}
	return groups, devices, skipped, nil
}

// stockDocument has the fields of both kinds of documents that are of use here.
type stockDocument struct {
	Type string `json:"type"`
	Name string `json:"name"`

	// of a group
	MType    float64         `json:"mtype"`
	Desc     string          `json:"desc"`
	Creation float64         `json:"creation"` // milliseconds
	Deleted  json.RawMessage `json:"deleted"`  // a date

	// of a device
	MeshID       string  `json:"meshid"`
	RName        string  `json:"rname"`
	Icon         float64 `json:"icon"`
	IP           string  `json:"ip"`
	OSDesc       string  `json:"osdesc"`
	FirstConnect float64 `json:"firstconnect"` // milliseconds
	Agent        struct {
		ID   float64 `json:"id"`
		Ver  float64 `json:"ver"`
		Caps float64 `json:"caps"`
		Core string  `json:"core"`
		Tag  string  `json:"tag"`
	} `json:"agent"`
}

// parse reads a document. A field of another type than expected stays empty.
func (d *stockDocument) parse(doc json.RawMessage) bool {
	var wrongType *json.UnmarshalTypeError
	err := json.Unmarshal(doc, d)
	return err == nil || errors.As(err, &wrongType)
}

func (d *stockDocument) group(id string) (g sqlstore.Group, ok bool) {
	key, err := nodeid.ParseMeshKey(id)
	if err != nil || len(d.Deleted) > 0 && string(d.Deleted) != "null" {
		return g, false
	}
	g = sqlstore.Group{
		Key:         key,
		Name:        cmp.Or(cleanName(d.Name), "group without a name"),
		Type:        sqlstore.GroupType(d.MType),
		Description: agentproto.CleanAgentText(d.Desc, 4096).String(),
		Created:     stockTime(d.Creation),
	}
	return g, slices.Contains([]sqlstore.GroupType{sqlstore.AMTGroup, sqlstore.AgentGroup, sqlstore.LocalGroup}, g.Type)
}

func (d *stockDocument) device(id string) (n sqlstore.Device, ok bool) {
	key, err := nodeid.ParseNodeKey(id)
	if err != nil {
		return n, false
	}
	group, err := nodeid.ParseMeshKey(d.MeshID)
	if err != nil || group.Domain != key.Domain {
		return n, false
	}
	caps := uint32(d.Agent.Caps)
	return sqlstore.Device{
		Key: key, Group: group,
		Name:         cmp.Or(cleanName(d.Name), cleanName(d.RName), nameless(key)),
		Host:         cleanName(d.RName),
		Icon:         uint32(d.Icon),
		AgentID:      uint32(d.Agent.ID),
		AgentVersion: uint32(d.Agent.Ver),
		Capabilities: caps,
		Core:         cleanLine(d.Agent.Core),
		OS:           cleanLine(d.OSDesc),
		Tag:          cleanLine(d.Agent.Tag),
		Temporary:    agentproto.Capabilities(caps).Has(agentproto.CapTemporary),
		Created:      stockTime(d.FirstConnect),
		Addr:         cleanName(d.IP),
	}, true
}

// stockTime reads milliseconds since 1970. What is no time of the last or the next centuries is none.
func stockTime(ms float64) time.Time {
	if !(ms > 0 && ms < 1e13) {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}

// The texts of that database are of agents, and were stored as they came.
func cleanName(s string) string { return agentproto.CleanAgentString(s, 255).String() }
func cleanLine(s string) string { return agentproto.CleanAgentString(s, 1024).String() }

// nameless is what a device is called that does not say its name.
func nameless(key nodeid.NodeKey) string { return "device " + key.ID.String()[:8] }
