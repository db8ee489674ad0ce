package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
	"github.com/meshcentral-go/sdk/nodeid"
)

// setAdmin sees to it that there is the given administrator, if one is given, and that the default domain has one: one
// with a new password if there is none, which is returned, so that the password can be told once.
func setAdmin(ctx context.Context, records *controlserver.Server, given *admin, group controlproto.ID) (made *admin, err error) {
	if given != nil {
		if err := makeAdmin(ctx, records, given, group); err != nil {
			return nil, err
		}
	}
	for a := range records.Accounts("") {
		if a.SiteRights.Full() {
			return nil, nil
		}
	}
	made = &admin{Name: "admin", Password: agentproto.NewSecret(newPassword())}
	return made, makeAdmin(ctx, records, made, group)
}

// makeAdmin makes somebody an administrator with a password. An administrator who is new manages the given group, if it is of
// his domain.
func makeAdmin(ctx context.Context, records *controlserver.Server, given *admin, group controlproto.ID) error {
	id := controlproto.UserID(given.Domain, given.Name)
	right, err := records.CheckPassword(ctx, id, controlproto.NewSecret(given.Password.Reveal()))
	if err != nil {
		return err
	}
	hash := controlproto.NewSecret(controlserver.HashPassword(given.Password.Reveal()))
	now := time.Now()
	err = records.Update(ctx, func(tx *controlserver.Tx) error {
		err := tx.EditAccount(id, func(a *controlserver.Account) error {
			a.SiteRights = controlproto.SiteFull
			if !right {
				a.PasswordHash, a.StockSalt, a.StockHash = hash, controlproto.Secret{}, controlproto.Secret{}
				a.PassChange = now.Unix()
			}
			return nil
		})
		if !errors.Is(err, controlserver.ErrNotFound) {
			return err
		}
		a := &controlserver.Account{Type: controlproto.KindUser, Domain: given.Domain, PasswordHash: hash}
		a.ID, a.Name, a.Created, a.SiteRights, a.PassChange = id, given.Name, now, controlproto.SiteFull, now.Unix()
		if err := tx.AddAccount(a); err != nil || group.Domain() != given.Domain {
			return err
		}
		return tx.Link(id, a.Name, group, controlproto.FullRights)
	})
	if err != nil {
		return fmt.Errorf("administrator: %w", err)
	}
	return nil
}

// newPassword returns a password of 100 random bits.
func newPassword() string {
	t := rand.Text()
	return t[:5] + "-" + t[5:10] + "-" + t[10:15] + "-" + t[15:20]
}

// defaultGroup is the setting with the id of the group that default.msh is for.
const defaultGroup = "default group"

// setGroup returns the group that default.msh is for: the one that it was for before, or any that takes agents, or a
// new one.
func setGroup(ctx context.Context, store *sqlstore.Store, records *controlserver.Server) (group *controlproto.DeviceGroup, err error) {
	var known string
	err = store.View(ctx, func(tx controlserver.StoreTx) (err error) {
		known, _, err = setting(tx, defaultGroup)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("first device group: %w", err)
	}
	for g := range records.Groups("") {
		if g.GroupType == controlproto.GroupAgent && (group == nil || string(g.ID) == known) {
			group = g
		}
	}
	err = records.Update(ctx, func(tx *controlserver.Tx) error {
		if group == nil {
			id, err := nodeid.NewMeshID(rand.Reader)
			if err != nil {
				return err
			}
			group = &controlproto.DeviceGroup{
				Type: controlproto.KindDeviceGroup, ID: controlproto.DeviceGroupID(nodeid.MeshKey{ID: id}), Name: "default",
				GroupType: controlproto.GroupAgent, Created: time.Now(),
			}
			if err := tx.AddGroup(group); err != nil {
				return err
			}
		}
		if string(group.ID) == known {
			return nil
		}
		var old sqlstore.Setting
		rev, err := tx.Document(controlserver.KindSetting, defaultGroup, &old)
		if err != nil {
			return err
		}
		return tx.PutDocument(controlserver.KindSetting, defaultGroup, "", rev, &sqlstore.Setting{Value: string(group.ID)})
	})
	if err != nil {
		return nil, fmt.Errorf("first device group: %w", err)
	}
	return group, nil
}

// removeTemporary removes the devices of temporary agents that were online when the server was killed.
func removeTemporary(ctx context.Context, store *sqlstore.Store, records *controlserver.Server) error {
	var left []controlproto.ID
	err := store.View(ctx, func(tx controlserver.StoreTx) error {
		devices, err := tx.List(controlserver.KindDevice, controlserver.Query{})
		for _, r := range devices {
			var d controlproto.Device
			if err := jsonrec.Unmarshal(r.Doc, &d); err != nil {
				return fmt.Errorf("device %s: %w", r.ID, err)
			}
			if d.Agent != nil && d.Agent.Caps&temporary != 0 {
				left = append(left, d.ID)
			}
		}
		return err
	})
	if err != nil || len(left) == 0 {
		return err
	}
	return records.Update(ctx, func(tx *controlserver.Tx) error {
		for _, id := range left {
			if err := tx.RemoveDevice(nil, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// setting reads one of the server's own settings.
func setting(tx controlserver.StoreTx, name string) (value string, ok bool, err error) {
	r, err := tx.Get(controlserver.KindSetting, name)
	if errors.Is(err, controlserver.ErrNotFound) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	var s sqlstore.Setting
	err = jsonrec.Unmarshal(r.Doc, &s)
	return s.Value, err == nil, err
}

// putSetting writes one.
func putSetting(tx controlserver.StoreTx, name, value string) error {
	r, err := tx.Get(controlserver.KindSetting, name)
	if err != nil && !errors.Is(err, controlserver.ErrNotFound) {
		return err
	}
	r.Kind, r.ID = controlserver.KindSetting, name
	if r.Doc, err = jsonrec.Append(nil, &sqlstore.Setting{Value: value}); err != nil {
		return err
	}
	return tx.Put(r)
}
