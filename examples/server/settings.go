package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/nodeid"
)

// settings hands out .msh files, which tell an agent its server and its device group. Who knows the id of a group may
// have its file: the id alone lets an agent enrol.
type settings struct{ *site }

// ServeHTTP answers GET /meshsettings?id=GROUP, where the group is the 64 characters of its id or mesh/DOMAIN/ID
// (webserver.js, handleMeshSettingsRequest).
func (s *settings) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	group, err := s.group(r.Context(), r, r.URL.Query().Get("id"))
	if errors.Is(err, controlserver.ErrNotFound) {
		http.Error(w, "Unauthorized", http.StatusUnauthorized) // as the stock server says it
		return
	}
	var file *certs.MSH
	if err == nil {
		file, err = s.file(group, s.addressFor(group.Domain, r.Host))
	}
	if err != nil {
		s.log.Error("no .msh file", "reason", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="meshagent.msh"`)
	w.Write(file.AppendTo(nil))
}

// group returns the group of agents with an id in any of its forms, in the domain of the request, or
// controlserver.ErrNotFound.
func (s *settings) group(ctx context.Context, r *http.Request, id string) (g *controlproto.DeviceGroup, err error) {
	t, ok := tenantOf(r)
	if !ok {
		return nil, controlserver.ErrNotFound
	}
	key, err := nodeid.ParseMeshKey(id)
	if err != nil {
		if limited, ok := s.limitedGroup(id); ok {
			id = limited.Name()
		}
		mesh, err := nodeid.ParseMeshID(id)
		if err != nil {
			return nil, controlserver.ErrNotFound
		}
		key = nodeid.MeshKey{Domain: t.ID, ID: mesh}
	}
	if key.Domain != t.ID {
		return nil, controlserver.ErrNotFound
	}
	err = s.store.View(ctx, func(tx controlserver.StoreTx) error {
		g, err = groupRecord(tx, controlproto.DeviceGroupID(key))
		if err == nil && g.GroupType != controlproto.GroupAgent {
			return controlserver.ErrNotFound
		}
		return err
	})
	return g, err
}

// path is where the .msh file of a group is.
func (s *settings) path(group controlproto.ID) string {
	base := "/"
	if t := s.tenants[group.Domain()]; t != nil {
		base = t.base()
	}
	return base + "meshsettings?id=" + url.QueryEscape(group.Name())
}

func (s *settings) file(group *controlproto.DeviceGroup, address string) (*certs.MSH, error) {
	key, err := group.ID.DeviceGroupKey()
	if err != nil {
		return nil, err
	}
	u := url.URL{Scheme: "wss", Host: address, Path: "/agent.ashx"}
	if t := s.tenants[group.Domain]; t != nil {
		u.Path = t.base() + "agent.ashx"
	}
	return certs.NewMSH(certs.MSHConfig{
		MeshName: group.Name,
		MeshID:   key.ID,
		Servers:  []certs.MSHServer{{URL: u.String(), ID: s.identity.serverID}},
	})
}

// save writes the .msh file of a group into the data folder, unless it is there already.
func (s *settings) save(group *controlproto.DeviceGroup, path string) error {
	file, err := s.file(group, s.address)
	if err != nil {
		return err
	}
	text := file.AppendTo(nil)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // unless it was renamed
	if _, err := f.Write(text); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
