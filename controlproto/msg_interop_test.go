//go:build !js

package controlproto

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/interop"
)

// stock is an administrator's session at a stock server that takes structs and gives structs.
type stock struct {
	t *testing.T
	c *interop.Control
}

func (s stock) send(m Message) {
	s.t.Helper()
	b, err := AppendMessage(nil, m, Correlation{ResponseID: json.RawMessage(`"` + m.Action() + `"`)})
	require.NoError(s.t, err)
	var raw interop.Message
	require.NoError(s.t, json.Unmarshal(b, &raw))
	s.c.Send(s.t, raw)
}

// wait decodes the next message of m's action into m. Nothing may be lost, and no member may be new.
func (s stock) wait(m Message) {
	s.t.Helper()
	raw := s.c.Wait(s.t, func(r interop.Message) bool {
		_, notify := m.(*Notification)
		return r["action"] == m.Action() && (!notify || r["type"] == "notify")
	})
	b, err := json.Marshal(raw)
	require.NoError(s.t, err)
	s.t.Logf("%.300s", b)
	e, err := parseEnvelope(b)
	require.NoError(s.t, err)
	require.NoError(s.t, e.Decode(m))
	again, err := AppendMessage(nil, m, e.Correlation)
	require.NoError(s.t, err)
	require.Equal(s.t, decodeJSON(s.t, b), decodeJSON(s.t, again), "%T", m)
	require.Empty(s.t, strangers(reflect.ValueOf(m), ""), "%T", m)
}

// ask sends a request and waits for its reply.
func ask[R any, PR interface {
	*R
	Message
}](s stock, m Request[R]) PR {
	s.t.Helper()
	s.send(m)
	r := PR(m.reply())
	if r, ok := any(r).(*Result); ok {
		r.Name = m.Action()
	}
	s.wait(r)
	return r
}

// TestStockServerMessages exchanges with a stock server what meshctrl does not use.
func TestStockServerMessages(t *testing.T) {
	server := interop.StartServer(t, interop.ServerOptions{})
	s := stock{t, server.Control(t)}
	s.wait(new(UserInfo))
	s.wait(new(TraceInfo))

	ask(s, &Ping{})
	require.NotEmpty(t, ask(s, &AuthCookie{}).RelayCookie.Reveal())
	stats := ask(s, &ServerStats{Interval: 1000 * time.Second})
	require.Positive(t, stats.TotalMemory)
	require.Equal(t, 1, stats.Values.State.Users)
	s.send(&ServerStats{})
	ask(s, &ServerTimelineStats{Span: time.Hour})
	ask(s, &ServerErrors{})
	require.Contains(t, ask(s, &GetServerConfig{}).Data.Reveal(), "settings")
	require.Contains(t, ask(s, &ServerConsole{Value: "help"}).Value, "help")
	require.NotEmpty(t, ask(s, &TrafficStats{}).Stats)
	require.NotEmpty(t, ask(s, &TrafficDelta{}).Delta)
	require.NotEmpty(t, ask(s, &GetTwoFactorCookie{}).Cookie.Reveal())

	s.send(&TraceInfo{Sources: []string{"webrequest", "web", "cookie", "relay", "main"}})
	ask(s, &AuthCookie{})
	s.wait(new(Trace))
	s.send(&TraceInfo{})

	ask(s, &AddUser{Username: "ann", Password: NewSecret("Passw0rd!y")})
	require.Equal(t, "User already exists", func() string {
		s.send(&AddUser{Username: "ann", Password: NewSecret("Passw0rd!y")})
		r := &Result{Name: "adduser"}
		raw := s.c.Wait(t, func(m interop.Message) bool { return m["action"] == "adduser" })
		r.Result, _ = raw["result"].(string)
		return r.Result
	}())
	realName, removed := "Ann", RemovedRights(NoTerminal)
	require.True(t, ask(s, &EditUser{UserID: "ann", RealName: &realName, RemoveRights: &removed, Realms: []string{"lab"}}).OK())
	users := ask(s, &Users{})
	require.Len(t, users.Users, 2)
	require.Len(t, ask(s, &WSSessionCount{}).Sessions, 1)
	require.True(t, ask(s, &UserBroadcast{Msg: "hello", MaxTime: 5 * time.Second}).OK())
	s.wait(new(Notification))
	s.send(&NotifyUser{UserID: UserID("", interop.User), Msg: "hi", URL: "https://example.com", MaxTime: 3 * time.Second})
	s.wait(new(Notification))
	s.send(&MeshMessenger{UserID: UserID("", interop.User)})
	s.wait(new(Notification))
	ask(s, &PreviousLogins{})
	ask(s, &PreviousLogins{UserID: "user//ann"})

	ugrp := ask(s, &CreateUserGroup{Name: "crew", Desc: "all"})
	require.Equal(t, KindUserGroup, ugrp.UserGroupID.Kind())
	added := ask(s, &AddUserToUserGroup{UserGroupID: ugrp.UserGroupID, Usernames: []string{"ann", "nobody"}})
	require.Equal(t, 1, *added.Added)
	require.Equal(t, 1, *added.Failed)
	s.wait(new(Notification))
	require.Len(t, ask(s, &UserGroups{}).Groups, 1)
	require.True(t, ask(s, &RemoveUserFromUserGroup{UserGroupID: ugrp.UserGroupID, UserID: "user//ann"}).OK())
	require.Equal(t, ugrp.UserGroupID, ask(s, &DeleteUserGroup{UserGroupID: ugrp.UserGroupID}).UserGroupID)
	require.Nil(t, ask(s, &UserGroups{}).Groups)

	mesh := ask(s, &CreateMesh{Name: "lab2", GroupType: GroupAgent, Flags: GroupHostnameSync, Consent: ConsentPrivacyBar})
	require.Equal(t, FullRights, mesh.Links[UserID("", interop.User)].Rights)
	expire := 5
	require.True(t, ask(s, &EditMesh{
		GroupID: mesh.GroupID, Expire: &expire,
		Invite: &InviteChange{&InviteCodes{Codes: []string{"first", "second"}, Flags: InviteInteractiveOnly}},
	}).OK())
	require.Equal(t, 1, *ask(s, &AddMeshUser{GroupID: mesh.GroupID, Usernames: []string{"ann"}, Rights: RemoteControl}).Success)
	zero := 0
	s.send(&MeshAMTPolicy{GroupID: mesh.GroupID, Policy: AMTPolicyChange{Type: 2, BadPass: &zero, CIRASetup: &zero}})
	for _, g := range ask(s, &Meshes{}).Groups {
		if g.ID == mesh.GroupID {
			require.Equal(t, []string{"first", "second"}, g.Invite.Codes)
			require.Equal(t, 5, g.ExpireDays)
			require.Equal(t, RemoteControl, g.Links["user//ann"].Rights)
			require.Equal(t, 2, g.AMT.Type)
		}
	}
	require.True(t, ask(s, &EditMesh{GroupID: mesh.GroupID, Invite: &InviteChange{}}).OK())
	link := ask(s, &CreateInviteLink{GroupID: mesh.GroupID, Expire: 2 * time.Hour})
	require.Equal(t, 2*time.Hour, link.Expire)
	require.Equal(t, "Unsupported feature", ask(s, &InviteAgent{GroupID: mesh.GroupID, Email: "a@example.com"}).Result)
	require.True(t, ask(s, &RemoveMeshUser{GroupID: mesh.GroupID, UserID: "user//ann"}).OK())
	require.True(t, ask(s, &DeleteMesh{GroupID: mesh.GroupID}).OK())

	token := ask(s, &CreateLoginToken{Name: "job"})
	require.True(t, token.Expires.IsZero())
	require.Len(t, ask(s, &GetLoginTokens{}).Tokens, 1)
	require.Empty(t, ask(s, &GetLoginTokens{Remove: []string{token.TokenUser}}).Tokens)

	otp := ask(s, &OTPAuthRequest{})
	require.False(t, ask(s, &OTPAuthSetup{Secret: otp.Secret, Token: NewSecret("abc")}).Success)
	code, err := TOTPCode(otp.Secret, time.Now())
	require.NoError(t, err)
	require.True(t, ask(s, &OTPAuthSetup{Secret: otp.Secret, Token: code}).Success)
	codes := ask(s, &OTPAuthGetPasswords{SubAction: BackupCodesGenerate})
	require.NotEmpty(t, codes.Passwords)
	for _, c := range codes.Passwords {
		require.Len(t, c.Code.Reveal(), 8)
		require.True(t, c.Unused)
	}
	ask(s, &OTPHKeyGet{})
	require.Nil(t, ask(s, &OTPAuthGetPasswords{SubAction: BackupCodesClear}).Passwords)
	require.True(t, ask(s, &OTPAuthClear{}).Success)

	s.send(&ChangeUserPass{UserID: "user//ann", Password: NewSecret("Passw0rd!z"), ResetNextLogin: true})
	require.True(t, ask(s, &DeleteUser{UserID: "ann"}).OK())
	s.send(&ChangePassword{OldPassword: NewSecret("wrong"), NewPassword: NewSecret("Passw0rd!z")})
	s.wait(new(Notification))
}
