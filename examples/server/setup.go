package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
	"github.com/meshcentral-go/sdk/examples/server/web"
	"github.com/meshcentral-go/sdk/nodeid"
)

// setAdmin sees to it that there is an administrator: the given one, or one with a new password if there is none. The
// new one is returned, so that the password can be told once.
func setAdmin(ctx context.Context, store *sqlstore.Store, given *admin) (made *admin, err error) {
	err = store.Update(ctx, func(tx *sqlstore.Tx) error {
		if given == nil {
			users, err := tx.Users()
			if err != nil {
				return err
			}
			for _, u := range users {
				if u.Admin {
					return nil
				}
			}
			made = &admin{"admin", agentproto.NewSecret(newPassword())}
			given = made
		}
		u, err := tx.User(given.Name)
		if err != nil && !errors.Is(err, sqlstore.ErrNotFound) {
			return err
		}
		if err == nil && u.Admin && web.CheckPassword(string(u.Password), given.Password.Reveal()) {
			return nil
		}
		if err != nil {
			u = sqlstore.User{Name: given.Name, Created: time.Now().UTC()}
		}
		u.Admin, u.Password = true, sqlstore.PasswordHash(web.HashPassword(given.Password.Reveal()))
		return tx.PutUser(u)
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// newPassword returns a password of 100 random bits.
func newPassword() string {
	t := rand.Text()
	return t[:5] + "-" + t[5:10] + "-" + t[10:15] + "-" + t[15:20]
}

// defaultGroup is the setting with the key of the group that default.msh is for.
const defaultGroup = "default group"

// setGroup returns the group that default.msh is for: the one that it was for before, or any that takes agents, or a
// new one.
func setGroup(ctx context.Context, store *sqlstore.Store) (group sqlstore.Group, err error) {
	err = store.Update(ctx, func(tx *sqlstore.Tx) error {
		groups, err := tx.Groups()
		if err != nil {
			return err
		}
		key, _, err := tx.Setting(defaultGroup)
		if err != nil {
			return err
		}
		for _, g := range groups {
			if g.Type == sqlstore.AgentGroup && (group.Key.IsZero() || g.Key.String() == key) {
				group = g
			}
		}
		if group.Key.IsZero() {
			id, err := nodeid.NewMeshID(rand.Reader)
			if err != nil {
				return err
			}
			group = sqlstore.Group{
				Key: nodeid.MeshKey{ID: id}, Name: "default", Type: sqlstore.AgentGroup, Created: time.Now().UTC(),
			}
			if err := tx.PutGroup(group); err != nil {
				return err
			}
		}
		return tx.SetSetting(defaultGroup, group.Key.String())
	})
	if err != nil {
		return group, fmt.Errorf("first device group: %w", err)
	}
	return group, nil
}

// removeTemporary removes the devices of temporary agents that were online when the server was killed.
func removeTemporary(ctx context.Context, store *sqlstore.Store) error {
	return store.Update(ctx, func(tx *sqlstore.Tx) error {
		devices, err := tx.TemporaryDevices()
		if err != nil {
			return err
		}
		for _, d := range devices {
			if _, err := tx.DeleteDevice(d.Key); err != nil {
				return err
			}
		}
		return nil
	})
}
