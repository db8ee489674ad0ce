//go:build !js

package controltest_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controltest"
	"github.com/meshcentral-go/sdk/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func dial(t *testing.T, s *controltest.Server, c controlproto.Credentials) (*controlproto.Client, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	client, err := controlproto.Dial(ctx, s.URL, c, s.ClientConfig())
	if err == nil {
		t.Cleanup(func() { client.Close() })
	}
	return client, err
}

// Every kind of credentials that the client has logs in.
func TestLogins(t *testing.T) {
	s := controltest.NewServer(t)
	bob := s.AddUser("Bob", "pw", 0)
	otp := s.AddUser("otp", "pw", 0)
	s.RequireCode(otp, "123456", controlproto.Factors{Email: true, CookieDays: 30})
	s.AddToken("~t:0123456789abcdef", "secret", bob)
	codec := controlproto.CookieCodec{Key: s.CookieKey()}
	trusted, err := codec.Encode(controlproto.TwoFactorCookie(otp, time.Hour))
	require.NoError(t, err)
	cookie, err := codec.Encode(controlproto.LoginTokenCookie(bob))
	require.NoError(t, err)
	secret := controlproto.NewSecret

	for name, c := range map[string]controlproto.Credentials{
		"password":       controlproto.PasswordLogin{User: "bob", Password: secret("pw")},
		"code":           controlproto.PasswordLogin{User: "otp", Password: secret("pw"), Token: secret("123456")},
		"login token":    controlproto.TokenLogin{Name: "~t:0123456789abcdef", Secret: secret("secret")},
		"key":            controlproto.KeyLogin{Key: s.CookieKey(), User: "bob"},
		"cookie":         controlproto.CookieLogin{Cookie: cookie},
		"trusted device": controlproto.TrustedDeviceLogin{User: "otp", Password: secret("pw"), Cookie: trusted},
	} {
		client, err := dial(t, s, c)
		require.NoError(t, err, name)
		_, err = controlproto.Do(t.Context(), client, &controlproto.Ping{})
		require.NoError(t, err, name)
		require.NoError(t, client.Close())
	}

	_, err = dial(t, s, controlproto.PasswordLogin{User: "bob", Password: secret("wrong")})
	require.ErrorIs(t, err, controlproto.ErrBadCredentials)
	_, err = dial(t, s, controlproto.EmailCodeRequest{User: "otp", Password: secret("pw")})
	var required *controlproto.TokenRequiredError
	require.ErrorAs(t, err, &required)
	require.True(t, required.EmailSent)
	require.Equal(t, []controlproto.FactorKind{controlproto.FactorEmail}, s.SentCodes(otp))
}

func TestScript(t *testing.T) {
	s := controltest.NewServer(t)
	s.AddGroup(controlproto.DeviceGroup{ID: "mesh//lab", Name: "lab"})
	s.AddDevice("mesh//lab", controlproto.Device{ID: "node//pc1", Name: "pc1"})
	s.AddDevice("mesh//other", controlproto.Device{ID: "node//pc2", Name: "pc2"})
	c, err := s.Dial(t.Context())
	require.NoError(t, err)
	defer c.Close()

	nodes, err := controlproto.Do(t.Context(), c, &controlproto.Nodes{GroupID: "mesh//lab"})
	require.NoError(t, err)
	require.Len(t, nodes.Devices, 1)
	require.Equal(t, "pc1", nodes.Devices["mesh//lab"][0].Name)
	groups, err := controlproto.Do(t.Context(), c, &controlproto.Meshes{})
	require.NoError(t, err)
	require.Equal(t, "lab", groups.Groups[0].Name)
	users, err := controlproto.Do(t.Context(), c, &controlproto.Users{})
	require.NoError(t, err)
	require.Equal(t, controltest.User, users.Users[0].Name)

	// What nobody has scripted is confirmed.
	_, err = controlproto.Do(t.Context(), c, &controlproto.DeleteMesh{GroupID: "mesh//lab"})
	require.NoError(t, err)
	require.Equal(t, controlproto.ID("mesh//lab"), controlproto.ID(member(t, s.Requests("deletemesh")[0].Raw, "meshid")))

	s.Refuse("deletemesh", "Access denied")
	_, err = controlproto.Do(t.Context(), c, &controlproto.DeleteMesh{GroupID: "mesh//lab"})
	var refused *controlproto.ResultError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "Access denied", refused.Result)

	s.Reply("meshes", &controlproto.MeshesReply{Groups: []controlproto.DeviceGroup{{ID: "mesh//x", Name: "scripted"}}})
	groups, err = controlproto.Do(t.Context(), c, &controlproto.Meshes{})
	require.NoError(t, err)
	require.Equal(t, "scripted", groups.Groups[0].Name)

	s.Silent("deletemesh")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if _, err := s.WaitRequests(ctx, "deletemesh", 3); err == nil {
			cancel()
		}
	}()
	_, err = controlproto.Do(ctx, c, &controlproto.DeleteMesh{GroupID: "mesh//lab"})
	require.Error(t, err)
	require.Len(t, s.Requests("deletemesh"), 3)
	require.Greater(t, len(s.Requests("")), 3)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.WaitRequests(ended, "never", 1)
	require.ErrorIs(t, err, context.Canceled)
}

func member(t *testing.T, raw json.RawMessage, name string) string {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal(raw, &m))
	text, _ := m[name].(string)
	return text
}

// A revoked token and a removed account end their sessions, as do a close and a cut.
func TestSessionsEnd(t *testing.T) {
	s := controltest.NewServer(t)
	bob := s.AddUser("bob", "pw", 0)
	s.AddToken("~t:0123456789abcdef", "secret", bob)
	secret := controlproto.NewSecret
	byToken := controlproto.TokenLogin{Name: "~t:0123456789abcdef", Secret: secret("secret")}
	byPassword := controlproto.PasswordLogin{User: "bob", Password: secret("pw")}

	for name, c := range map[string]struct {
		login controlproto.Credentials
		end   func()
		cause string
	}{
		"revoked": {byToken, func() { s.RevokeToken("~t:0123456789abcdef") }, controlproto.CloseNoAuth},
		"closed":  {byPassword, func() { s.CloseSessions("maintenance", "back soon") }, "maintenance"},
		"cut":     {byPassword, s.CutConnections, ""},
	} {
		client, err := dial(t, s, c.login)
		require.NoError(t, err, name)
		c.end()
		select {
		case <-client.Done():
		case <-time.After(2 * time.Minute):
			t.Fatal(name, "is still connected")
		}
		var closed *controlproto.CloseError
		require.Equal(t, c.cause != "", errors.As(client.Err(), &closed), "%s: %v", name, client.Err())
		if closed != nil {
			require.Equal(t, c.cause, closed.Cause)
		}
	}
	client, err := dial(t, s, byPassword)
	require.NoError(t, err)
	s.RemoveUser(bob)
	<-client.Done()
	_, err = dial(t, s, byPassword)
	require.ErrorIs(t, err, controlproto.ErrBadCredentials)
	_, err = dial(t, s, byToken)
	require.ErrorIs(t, err, controlproto.ErrBadCredentials)
}

func TestPush(t *testing.T) {
	s := controltest.NewServer(t)
	c, err := s.Dial(t.Context())
	require.NoError(t, err)
	defer c.Close()
	events := c.Events(t.Context(), controlproto.Filter{Actions: []string{"nodeconnect"}})
	// Handled after the subscription, as both are of one connection.
	s.Handle("print", func(context.Context, *controlproto.Call) error {
		return errors.Join(s.PushEvent(controlproto.Event{Action: "changenode"}),
			s.PushEvent(controlproto.Event{Action: "nodeconnect", DeviceID: "node//pc1"}))
	})
	go func() {
		for c.Err() == nil { // until one comes after the subscription
			if _, err := c.Call(t.Context(), &controlproto.Unknown{Name: "print"}); err != nil {
				return
			}
			if _, err := c.Ping(t.Context()); err != nil {
				return
			}
		}
	}()
	for e, err := range events {
		require.NoError(t, err)
		require.Equal(t, controlproto.ID("node//pc1"), e.DeviceID)
		break
	}
}
