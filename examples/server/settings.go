package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
	"github.com/meshcentral-go/sdk/nodeid"
)

// settings hands out .msh files, which tell an agent its server and its device group. Who knows the id of a group may
// have its file: the id alone lets an agent enrol.
type settings struct {
	store    *sqlstore.Store
	serverID nodeid.ServerID
	address  string // host:port of the server
	fixed    bool   // whether it is for everyone; else the file names the address that it was asked for at
	log      *slog.Logger
}

// ServeHTTP answers GET /meshsettings?id=GROUP, where the group is the 64 characters of its id or mesh//ID (webserver.js,
// handleMeshSettingsRequest).
func (s *settings) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	group, err := s.group(r.Context(), r.URL.Query().Get("id"))
	if errors.Is(err, sqlstore.ErrNotFound) {
		http.Error(w, "Unauthorized", http.StatusUnauthorized) // as the stock server says it
		return
	}
	var file *certs.MSH
	if err == nil {
		file, err = s.file(group, s.addressFor(r))
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

// group returns the group of agents with an id in any of its forms, or sqlstore.ErrNotFound.
func (s *settings) group(ctx context.Context, id string) (g sqlstore.Group, err error) {
	key, err := nodeid.ParseMeshKey(id)
	if err != nil {
		mesh, err := nodeid.ParseMeshID(id)
		if err != nil {
			return g, sqlstore.ErrNotFound
		}
		key = nodeid.MeshKey{ID: mesh}
	}
	err = s.store.View(ctx, func(tx *sqlstore.Tx) error {
		g, err = tx.Group(key)
		if err == nil && g.Type != sqlstore.AgentGroup {
			return sqlstore.ErrNotFound
		}
		return err
	})
	return g, err
}

// addressFor returns the host and port that the agent of whoever sent r shall connect to.
func (s *settings) addressFor(r *http.Request) string {
	u, err := url.Parse("https://" + r.Host)
	if s.fixed || err != nil || u.Hostname() == "" || u.User != nil {
		return s.address
	}
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443"))
}

// path is where the .msh file of a group is.
func (s *settings) path(group nodeid.MeshKey) string {
	return "/meshsettings?id=" + url.QueryEscape(shortID(group))
}

// shortID is the bare id of a group in the default domain, and the whole key in another.
func shortID(group nodeid.MeshKey) string {
	if group.Domain == "" {
		return group.ID.String()
	}
	return group.String()
}

func (s *settings) file(group sqlstore.Group, address string) (*certs.MSH, error) {
	u := url.URL{Scheme: "wss", Host: address, Path: "/agent.ashx"}
	if group.Key.Domain != "" {
		u.Path = "/" + group.Key.Domain + u.Path
	}
	return certs.NewMSH(certs.MSHConfig{
		MeshName: group.Name,
		MeshID:   group.Key.ID,
		Servers:  []certs.MSHServer{{URL: u.String(), ID: s.serverID}},
	})
}

// save writes the .msh file of a group into the data folder, unless it is there already.
func (s *settings) save(group sqlstore.Group, path string) error {
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
