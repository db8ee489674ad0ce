package controlproto

import (
	"encoding/json"
	"math/bits"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRightsText(t *testing.T) {
	for _, c := range []struct {
		rights Rights
		text   string
	}{
		{0, "none"},
		{FullRights, "full"},
		{RemoteControl | SetNotes, "remotecontrol,notes"},
		{RelayRight, "relay"},
		{1 << 30, "0x40000000"},
		{EditGroup | 1<<22, "editgroup,0x400000"},
	} {
		require.Equal(t, c.text, c.rights.String())
		got, err := ParseRights(c.text)
		require.NoError(t, err)
		require.Equal(t, c.rights, got)
	}
	for i := range 32 {
		r := Rights(1) << i
		got, err := ParseRights(r.String())
		require.NoError(t, err)
		require.Equal(t, r, got)
	}
	got, err := ParseRights(" FullRights ")
	require.NoError(t, err)
	require.Equal(t, FullRights, got)
	got, err = ParseRights("49400, relay,,NONE")
	require.NoError(t, err)
	require.Equal(t, 49400|RelayRight, got)
	require.True(t, got.DeviceLink())

	for _, bad := range []string{"everything", "notes,no", "-1", "4294967296", "0x", "1.5", "notes relay"} {
		_, err = ParseRights(bad)
		require.ErrorContains(t, err, "controlproto: unknown right", bad)
	}
	_, err = ParseRights(strings.Repeat("x", 10000))
	require.Less(t, len(err.Error()), 200)
}

func TestRightsQuestions(t *testing.T) {
	r := RemoteControl | NoTerminal
	require.True(t, r.Has(RemoteControl))
	require.False(t, r.Has(RemoteControl|AgentConsole))
	require.True(t, r.Denies(NoTerminal))
	require.False(t, r.Denies(NoFiles))
	require.False(t, FullRights.Denies(NoTerminal), "restrictions do not bind who has full rights")
	require.True(t, FullRights.Full())
	require.False(t, FullRights.DeviceLink())
	require.False(t, (RemoteControl | ManageDevices).DeviceLink())
	require.False(t, r.Full())
}

func TestSiteRightsText(t *testing.T) {
	for i := range 32 {
		r := SiteRights(1) << i
		got, err := ParseSiteRights(r.String())
		require.NoError(t, err)
		require.Equal(t, r, got)
	}
	require.Equal(t, "full", SiteFull.String())
	require.Equal(t, "none", SiteRights(0).String())
	require.Equal(t, "manageusers,locked", (SiteManageUsers | SiteLocked).String())
	got, err := ParseSiteRights("serverbackup,ServerRestore,serverupdate")
	require.NoError(t, err)
	require.Equal(t, SiteBackup|SiteRestore|SiteUpdate, got)
	_, err = ParseSiteRights("remotecontrol")
	require.Error(t, err, "the words of device rights are no site rights")
}

func TestSiteRightsQuestions(t *testing.T) {
	r := SiteManageUsers | SiteLocked
	require.True(t, r.Has(SiteManageUsers))
	require.False(t, r.Has(SiteManageUsers|SiteUpdate))
	require.True(t, r.Restricted(SiteLocked))
	require.False(t, r.Restricted(SiteNoTools))
	require.False(t, SiteFull.Restricted(SiteLocked))
	require.True(t, SiteFull.Full())
}

func TestRemovedRights(t *testing.T) {
	remove := func(r RemovedRights) *RemovedRights { return &r }
	for name, c := range map[string]struct {
		remove     *RemovedRights
		have, want Rights
	}{
		"nothing there":        {nil, FullRights, FullRights},
		"zero changes full":    {remove(0), FullRights, reducedFullRights},
		"zero keeps others":    {remove(0), RemoteControl | AgentConsole, RemoteControl | AgentConsole},
		"taken from full":      {remove(RemovedRights(RemoteControl | ResetOff)), FullRights, reducedFullRights &^ (RemoteControl | ResetOff)},
		"taken":                {remove(RemovedRights(AgentConsole | WakeDevice)), RemoteControl | AgentConsole, RemoteControl},
		"added":                {remove(RemovedRights(NoTerminal | NoDesktop)), RemoteControl, RemoteControl | NoTerminal | NoDesktop},
		"added without rights": {remove(RemovedRights(NoFiles)), 0, NoFiles},
		"no effect":            {remove(RemovedRights(EditGroup | SetNotes | NoAMT)), EditGroup | SetNotes, EditGroup | SetNotes},
		"all bits":             {remove(0xFFFFFFFF), FullRights, 1656743},
	} {
		require.Equal(t, c.want, c.remove.Apply(c.have), "%s: %v", name, c.remove.Apply(c.have))
	}
	require.Equal(t, Rights(2015471), reducedFullRights)
	require.False(t, reducedFullRights.Has(AgentConsole))
	require.False(t, reducedFullRights.Has(RelayRight))
	require.Equal(t, "noterminal", RemovedRights(NoTerminal).String())
}

func TestEffectiveRights(t *testing.T) {
	const group, other, device, crew = ID("mesh//g"), ID("mesh//h"), ID("node//d"), ID("ugrp//crew")
	crewWith := func(links Links) func(ID) *UserGroup {
		return func(id ID) *UserGroup {
			if id == crew {
				return &UserGroup{ID: crew, Links: links}
			}
			return nil
		}
	}
	locked, viewer := RemovedRights(RemoteControl|NoTerminal), RemovedRights(RemoteViewOnly)
	for name, c := range map[string]struct {
		user    *User
		groups  func(ID) *UserGroup
		device  ID
		want    Rights
		visible bool
	}{
		"no account":   {nil, nil, device, 0, false},
		"no links":     {&User{}, nil, device, 0, false},
		"other group":  {&User{Links: Links{other: {Rights: FullRights}}}, nil, device, 0, false},
		"empty link":   {&User{Links: Links{group: {}}}, nil, device, 0, true},
		"group":        {&User{Links: Links{group: {Rights: RemoteControl}}}, nil, device, RemoteControl, true},
		"device":       {&User{Links: Links{device: {Rights: SetNotes}}}, nil, device, SetNotes, true},
		"both":         {&User{Links: Links{group: {Rights: RemoteControl}, device: {Rights: SetNotes}}}, nil, device, RemoteControl | SetNotes, true},
		"full":         {&User{Links: Links{group: {Rights: FullRights}, device: {Rights: NoFiles}}}, nil, device, FullRights, true},
		"on the group": {&User{Links: Links{group: {Rights: ManageDevices}, device: {Rights: SetNotes}}}, nil, "", ManageDevices, true},
		"only device, on the group": {
			&User{Links: Links{device: {Rights: SetNotes}}}, nil, "", 0, false,
		},
		"by user group": {
			&User{Links: Links{crew: {Rights: 1}, device: {Rights: SetNotes}}},
			crewWith(Links{group: {Rights: RemoteControl}, device: {Rights: WakeDevice}}), device,
			RemoteControl | SetNotes | WakeDevice, true,
		},
		"full by user group": {
			&User{Links: Links{crew: {Rights: 1}}}, crewWith(Links{group: {Rights: FullRights}}), device, FullRights, true,
		},
		"not a member": {&User{}, crewWith(Links{group: {Rights: FullRights}}), device, 0, false},
		"user group is gone": {
			&User{Links: Links{"ugrp//gone": {Rights: 1}}}, crewWith(Links{group: {Rights: FullRights}}), device, 0, false,
		},
		"the link to the user group is none to a device": {
			&User{Links: Links{crew: {Rights: FullRights}}}, crewWith(nil), device, 0, false,
		},
		"all bits, but of two links": {
			&User{Links: Links{group: {Rights: FullRights &^ NoFiles}, device: {Rights: NoFiles}}}, nil, device, FullRights &^ unusedRight, true,
		},
		"all bits with what is removed": {
			&User{RemoveRights: &viewer, Links: Links{group: {Rights: FullRights &^ RemoteViewOnly}}}, nil, device, FullRights &^ unusedRight, true,
		},
		"removed": {
			&User{RemoveRights: &locked, Links: Links{group: {Rights: RemoteControl | SetNotes}}}, nil, device,
			SetNotes | NoTerminal, true,
		},
		"removed from what a user group gives": {
			&User{RemoveRights: &locked, Links: Links{crew: {Rights: 1}}}, crewWith(Links{device: {Rights: RemoteControl}}), device,
			NoTerminal, true,
		},
		"removed from full": {
			&User{RemoveRights: &locked, Links: Links{group: {Rights: FullRights}, device: {Rights: RelayRight}}}, nil, device,
			reducedFullRights&^RemoteControl | NoTerminal, true,
		},
		"site administrators have no rights by that": {&User{SiteRights: SiteFull}, nil, device, 0, false},
	} {
		got, visible := EffectiveRights(c.user, c.groups, group, c.device)
		require.Equal(t, c.want, got, "%s: %v", name, got)
		require.Equal(t, c.visible, visible, name)
	}
}

// FuzzRights reads rights from text and numbers, and takes and adds what an account's RemoveRights says.
func FuzzRights(f *testing.F) {
	for _, s := range []string{"", "full", "none", "fullrights", "remotecontrol,notes", "49400", "0x10, relay", "4294967295", "-1", "backup,locked", ",,,"} {
		f.Add(s, uint32(8), uint32(0xFFFFFFFF))
	}
	f.Fuzz(func(t *testing.T, s string, remove, have uint32) {
		if r, err := ParseRights(s); err == nil {
			again, err := ParseRights(r.String())
			require.NoError(t, err)
			require.Equal(t, r, again)
		} else {
			require.Less(t, len(err.Error()), 1000)
		}
		if r, err := ParseSiteRights(s); err == nil {
			again, err := ParseSiteRights(r.String())
			require.NoError(t, err)
			require.Equal(t, r, again)
		}
		r, err := ParseRights(Rights(have).String())
		require.NoError(t, err)
		require.Equal(t, Rights(have), r)

		removed := RemovedRights(remove)
		got := removed.Apply(Rights(have))
		require.False(t, got.Full() && !Rights(have).Full())
		const restrictions = RemoteViewOnly | NoTerminal | NoFiles | NoDesktop
		require.Zero(t, got&^(Rights(have)|restrictions), "it gives nothing but restrictions")
		require.Equal(t, Rights(remove)&restrictions, got&Rights(remove)&restrictions)
		for left := remove; left != 0; left &= left - 1 {
			bit := Rights(1) << bits.TrailingZeros32(left)
			if bit&(RemoteControl|AgentConsole|WakeDevice|UninstallAgent|RemoteCommand|ResetOff) != 0 {
				require.Zero(t, got&bit)
			}
		}
		if !Rights(have).Full() {
			require.Equal(t, got, removed.Apply(got), "twice is once")
		}
	})
}

// testdata/removerights.jsonl was made by running removeUserRights, cut from webserver.js of MeshCentral 1.1.55, with Node.js.
func TestRemovedRightsLikeMeshCentral(t *testing.T) {
	text, err := os.ReadFile("testdata/removerights.jsonl")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	require.Len(t, lines, 60)
	for _, line := range lines {
		var c struct {
			Have, Want Rights
			Remove     *RemovedRights
		}
		require.NoError(t, json.Unmarshal([]byte(line), &c))
		require.Equal(t, c.Want, c.Remove.Apply(c.Have), line)
	}
}
