package controlproto

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestID(t *testing.T) {
	for _, c := range []struct {
		id                 ID
		kind, domain, name string
		valid              bool
	}{
		{"user//admin", "user", "", "admin", true},
		{"user/lab/~oidc:12", "user", "lab", "~oidc:12", true},
		{"mesh//abc", "mesh", "", "abc", true},
		{"node/lab/a@b$c", "node", "lab", "a@b$c", true},
		{"ugrp//x", "ugrp", "", "x", true},
		{"abc", "", "", "abc", false},
		{"", "", "", "", false},
		{"user//", "user", "", "", false},
		{"user/x", "", "", "user/x", false},
		{"/a/b", "", "a", "b", false},
		{"node//a/b", "node", "", "a/b", false}, // a session of that name, no record
	} {
		require.Equal(t, c.kind, c.id.Kind(), c.id)
		require.Equal(t, c.domain, c.id.Domain(), c.id)
		require.Equal(t, c.name, c.id.Name(), c.id)
		require.Equal(t, c.valid, c.id.Valid(), c.id)
		require.Equal(t, string(c.id), c.id.String())
		if c.valid {
			require.Equal(t, c.id, MakeID(c.kind, c.domain, c.name))
			require.Equal(t, c.id, c.id.In("other", "domain"))
		}
	}
}

func TestMakingIDs(t *testing.T) {
	require.Equal(t, ID("user//admin"), UserID("", "Admin"))
	require.Equal(t, ID("user/lab/ann"), ID("ann").In(KindUser, "lab"))
	require.Equal(t, ID("mesh//abc"), ID("abc").In(KindDeviceGroup, ""))

	device := ID("node//ilNdUREFfKnNWQb203hjp2gQ8PjhDVR9G1bH5@VslsHPPIX@WyBmZpdvu8@jw2UM")
	key, err := device.DeviceKey()
	require.NoError(t, err)
	require.Equal(t, device, DeviceID(key))
	group := ID("mesh//zY9lhhn9fMyjA0SGFuEEqSDvtjGUQXb0bq@CuXepNgN$EQeOgVxZXqCFXohEO4d2")
	mesh, err := group.DeviceGroupKey()
	require.NoError(t, err)
	require.Equal(t, group, DeviceGroupID(mesh))
	_, err = group.DeviceKey()
	require.Error(t, err)
	_, err = device.DeviceGroupKey()
	require.Error(t, err)
	_, err = ID("node//short").DeviceKey()
	require.Error(t, err)
}

func FuzzID(f *testing.F) {
	for _, s := range []string{"user//admin", "node/lab/x", "abc", "", "a/b", "//", "user//a/b", "///"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id := ID(s)
		kind, domain, name := id.split()
		switch {
		case kind == "" && domain == "":
			require.True(t, name == s || "//"+name == s)
		default:
			require.Equal(t, id, MakeID(kind, domain, name))
		}
		if id.Valid() {
			require.Equal(t, 2, strings.Count(s, "/"))
			require.NotEmpty(t, name)
		}
		whole := id.In(KindDevice, "lab")
		if !strings.Contains(s, "/") && s != "" {
			require.True(t, whole.Valid())
			require.Equal(t, s, whole.Name())
		}
	})
}
