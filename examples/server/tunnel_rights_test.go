package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/relay"
)

// A tunnel ends for both ends when its account may not have it any more, whatever took that away, and not before.
func TestTunnelsEndWithRights(t *testing.T) {
	h := startHere(t, "")
	d := h.device(t)
	admin := h.admin(t)
	groups := must(admin.DeviceGroups(t.Context()))
	group := groups[0].ID
	elsewhere := must(admin.AddDeviceGroup(t.Context(), &controlproto.CreateMesh{Name: "elsewhere", GroupType: controlproto.GroupAgent}))
	const bob = controlproto.ID("user//bob")
	login := func() *controlproto.Client {
		c, err := h.dial(t, "/", controlproto.PasswordLogin{User: "bob", Password: secret(herePassword)}, nil)
		require.NoError(t, err)
		return c
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	control, full := controlproto.RemoteControl, controlproto.FullRights
	locked := controlproto.SiteLocked
	team := must(admin.AddUserGroup(ctx, &controlproto.CreateUserGroup{Name: "team"}))

	works := func(tun *relay.Tunnel) {
		t.Helper()
		require.NoError(t, tun.WriteMessage(ctx, relay.Binary, []byte("still")))
		_, b, err := tun.ReadMessage(ctx)
		require.NoError(t, err)
		require.Equal(t, "still", string(b))
	}
	add := &controlproto.AddUser{Username: "bob", Password: secret(herePassword), Email: "bob@example.com"}
	require.NoError(t, admin.AddUser(ctx, add))
	mine := h.open(t, admin, d.id) // that of another account, which nobody takes away
	for _, c := range []struct {
		name   string
		before func() error // what gives the rights
		stays  func() error // a change that takes nothing away; nil is none
		ends   func() error
	}{
		{
			"device group", func() error { return admin.AddUserToDeviceGroup(ctx, group, bob, control) },
			func() error {
				return admin.AddUserToDeviceGroup(ctx, group, bob, control|controlproto.NoFiles|controlproto.ChatNotify)
			},
			func() error { return admin.RemoveUserFromDeviceGroup(ctx, group, bob) },
		},
		{
			"one right of it", func() error { return admin.AddUserToDeviceGroup(ctx, group, bob, control) }, nil,
			func() error { return admin.AddUserToDeviceGroup(ctx, group, bob, control|controlproto.NoTerminal) },
		},
		{
			"user group", func() error {
				if err := admin.RemoveUserFromDeviceGroup(ctx, group, bob); err != nil {
					return err
				}
				if err := admin.AddUserToDeviceGroup(ctx, group, team, full); err != nil {
					return err
				}
				return admin.AddToUserGroup(ctx, team, bob, 0)
			}, nil, func() error { return admin.RemoveFromUserGroup(ctx, team, bob) },
		},
		{
			"device", func() error { return admin.AddUserToDevice(ctx, d.id, bob, control) },
			func() error {
				return admin.EditDevice(ctx, &controlproto.ChangeDevice{DeviceID: d.id, Name: "renamed"})
			},
			func() error { return admin.RemoveUserFromDevice(ctx, d.id, bob) },
		},
		{
			"locked", func() error { return admin.AddUserToDevice(ctx, d.id, bob, control) }, nil,
			func() error { return admin.EditUser(ctx, &controlproto.EditUser{UserID: bob, SiteRights: &locked}) },
		},
		{
			"removed", func() error {
				return admin.EditUser(ctx, &controlproto.EditUser{UserID: bob, SiteRights: new(controlproto.SiteRights)})
			}, nil,
			func() error { return admin.RemoveUser(ctx, bob) },
		},
		{
			"device moved", func() error {
				if err := admin.AddUser(ctx, add); err != nil {
					return err
				}
				return admin.AddUserToDeviceGroup(ctx, group, bob, control)
			}, nil, func() error { return admin.MoveDevices(ctx, elsewhere, d.id) },
		},
	} {
		require.NoError(t, c.before(), c.name)
		tun := h.open(t, login(), d.id)
		if c.stays != nil {
			require.NoError(t, c.stays(), c.name)
			works(tun)
		}
		require.NoError(t, c.ends(), c.name)
		_, _, err := tun.ReadMessage(ctx)
		require.Error(t, err, c.name)
		require.NoError(t, ctx.Err(), c.name)
		select {
		case <-d.ended:
		case <-ctx.Done():
			t.Fatal(c.name + ": the device has not heard of it")
		}
		works(mine)
	}
	// An agent of a device that is removed enrols again, and the tunnel was the old device's.
	require.NoError(t, h.records.Update(ctx, func(tx *controlserver.Tx) error { return tx.Remove(controlserver.KindDevice, d.id) }))
	_, _, err := mine.ReadMessage(ctx)
	require.Error(t, err)
	require.NoError(t, ctx.Err())
}
