//go:build !js

package controlproto_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	cp "github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/interop"
	"github.com/meshcentral-go/sdk/nodeid"
	"github.com/meshcentral-go/sdk/relay"
)

// stockPin is the hash of a stock server's certificate.
func stockPin(t *testing.T, s *interop.Server) string {
	hash := sha512.Sum384(s.WebCertificate(t).Raw)
	return hex.EncodeToString(hash[:])
}

// admin is the login of the account that every stock server has.
var admin = cp.PasswordLogin{User: interop.User, Password: cp.NewSecret(interop.Password)}

// dialClient logs in on a stock server. The client is closed when the test ends.
func dialClient(t *testing.T, s *interop.Server, creds cp.Credentials, cfg cp.ClientConfig) *cp.Client {
	t.Helper()
	c, err := tryClient(t, s, creds, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func tryClient(t *testing.T, s *interop.Server, creds cp.Credentials, cfg cp.ClientConfig) (*cp.Client, error) {
	t.Helper()
	if cfg.PinnedCertificate == "" && cfg.TLSConfig == nil && !cfg.DangerouslySkipVerify {
		cfg.PinnedCertificate = stockPin(t, s)
	}
	return cp.Dial(t.Context(), s.URL(), creds, patiently(cfg))
}

// patience is for a stock server on a machine that does much else.
const patience = 3 * time.Minute

// patiently changes a configuration so that nothing is given up but what hangs.
func patiently(cfg cp.ClientConfig) cp.ClientConfig {
	cfg.DialTime, cfg.LoginTime, cfg.DefaultTimeout, cfg.StrayTime, cfg.WriteTime = patience, patience, patience, patience, patience
	cfg.KeepAlive.Timeout = patience
	return cfg
}

// requireSince fails unless a server's time, which may be in whole seconds, is between two of ours.
func requireSince(t *testing.T, begun, got, until time.Time) {
	t.Helper()
	require.False(t, got.Before(begun.Truncate(time.Second)), "%v is before %v", got, begun)
	require.False(t, got.After(until), "%v is after %v", got, until)
}

// wrongCode is a code that is none of a secret's in these minutes.
func wrongCode(t *testing.T, secret cp.Secret) cp.Secret {
	t.Helper()
	right := map[string]bool{}
	for step := -20; step <= 20; step++ {
		code, err := cp.TOTPCode(secret, time.Now().Add(time.Duration(step)*cp.TOTPPeriod))
		require.NoError(t, err)
		right[code.Reveal()] = true
	}
	for n := 0; ; n++ {
		if code := fmt.Sprintf("%06d", n); !right[code] {
			return cp.NewSecret(code)
		}
	}
}

// Every form of credentials, and every way to trust a certificate.
func TestStockClientLogins(t *testing.T) {
	const key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f" +
		"303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f"
	s := interop.StartServer(t, interop.ServerOptions{Settings: map[string]any{"loginCookieEncryptionKey": key}})
	cookieKey, err := cp.ParseCookieKey(key)
	require.NoError(t, err)
	serverID, err := nodeid.ParseServerID(s.ServerID(t))
	require.NoError(t, err)
	c := dialClient(t, s, admin, cp.ClientConfig{})
	require.Equal(t, cp.ID("user//admin"), c.UserInfo().ID)
	require.Equal(t, cp.SiteRights(0xFFFFFFFF), c.UserInfo().SiteRights)
	require.Equal(t, strings.ToUpper(stockPin(t, s)), c.ServerInfo().TLSHash)

	// An account with a second factor.
	ctx := t.Context()
	secretPW := cp.NewSecret("Passw0rd!y")
	require.NoError(t, c.AddUser(ctx, &cp.AddUser{Username: "bob", Password: secretPW}))
	bob := cp.PasswordLogin{User: "Bob", Password: secretPW}
	b := dialClient(t, s, bob, cp.ClientConfig{})
	require.Equal(t, cp.ID("user//bob"), b.UserInfo().ID)
	otp, err := cp.Do(ctx, b, &cp.OTPAuthRequest{})
	require.NoError(t, err)
	code := func() cp.Secret {
		code, err := cp.TOTPCode(otp.Secret, time.Now())
		require.NoError(t, err)
		return code
	}
	set, err := cp.Do(ctx, b, &cp.OTPAuthSetup{Secret: otp.Secret, Token: code()})
	require.NoError(t, err)
	require.True(t, set.Success)
	trusted, err := b.TrustedDeviceCookie(ctx)
	require.NoError(t, err)

	token, err := b.CreateLoginToken(ctx, "for a test", time.Hour)
	require.NoError(t, err)
	cookie, err := c.LoginCookie(ctx)
	require.NoError(t, err)

	for _, test := range []struct {
		name  string
		creds cp.Credentials
		user  cp.ID
	}{
		{"second factor", cp.PasswordLogin{User: "bob", Password: secretPW}, "user//bob"}, // code comes below
		{"trusted device", cp.TrustedDeviceLogin{User: "bob", Password: secretPW, Cookie: trusted}, "user//bob"},
		{"login token", cp.TokenLogin{Name: token.TokenUser, Secret: token.TokenPass}, "user//bob"},
		{"login key", cp.KeyLogin{Key: cookieKey, User: "bob"}, "user//bob"},
		{"login cookie", cp.CookieLogin{Cookie: cookie}, "user//admin"},
		{"session", stockSession(t, s), "user//admin"},
		{"in band", cp.InBandLogin{ServerID: serverID, User: interop.User, Password: cp.NewSecret(interop.Password)}, "user//admin"},
		{"in band with second factor", cp.InBandLogin{ServerID: serverID, User: "bob", Password: secretPW}, "user//bob"},
	} {
		t.Run(test.name, func(t *testing.T) {
			switch creds := test.creds.(type) { // codes are good for a minute
			case cp.PasswordLogin:
				creds.Token = code()
				test.creds = creds
			case cp.InBandLogin:
				if creds.User == "bob" {
					creds.Token = code()
					test.creds = creds
				}
			}
			c := dialClient(t, s, test.creds, cp.ClientConfig{})
			require.Equal(t, test.user, c.UserInfo().ID)
			_, err := c.DeviceGroups(t.Context())
			require.NoError(t, err)
		})
	}

	wrong := cp.NewSecret("wrong")
	for _, test := range []struct {
		name  string
		creds cp.Credentials
		want  error
	}{
		{"password", cp.PasswordLogin{User: "admin", Password: wrong}, cp.ErrBadCredentials},
		{"no second factor", bob, cp.ErrTokenRequired},
		{"wrong second factor", cp.PasswordLogin{User: "bob", Password: secretPW, Token: wrongCode(t, otp.Secret)}, cp.ErrTokenRequired},
		{"wrong device", cp.TrustedDeviceLogin{User: "bob", Password: secretPW, Cookie: wrong}, cp.ErrTokenRequired},
		{"e-mail", cp.EmailCodeRequest{User: "bob", Password: secretPW}, cp.ErrTokenRequired},
		{"SMS", cp.SMSCodeRequest{User: "bob", Password: secretPW}, cp.ErrTokenRequired},
		{"messaging", cp.MessagingCodeRequest{User: "bob", Password: secretPW}, cp.ErrTokenRequired},
		{"login token", cp.TokenLogin{Name: token.TokenUser, Secret: wrong}, cp.ErrBadCredentials},
		{"login cookie", cp.CookieLogin{Cookie: wrong}, cp.ErrBadCredentials},
		{"session", cp.SessionLogin{Cookies: []cp.SessionCookie{{Name: "xid", Value: wrong}}}, cp.ErrBadCredentials},
		{"in band, another server", cp.InBandLogin{ServerID: nodeid.ServerID{1}, User: "admin", Password: admin.Password}, cp.ErrServerAuth},
		{"in band, password", cp.InBandLogin{ServerID: serverID, User: "admin", Password: wrong}, cp.ErrBadCredentials},
	} {
		t.Run("refused "+test.name, func(t *testing.T) {
			_, err := tryClient(t, s, test.creds, cp.ClientConfig{})
			require.ErrorIs(t, err, test.want)
			var ce *cp.ClientError
			require.ErrorAs(t, err, &ce)
			require.Equal(t, cp.PhaseAuth, ce.Phase)
			var tr *cp.TokenRequiredError
			if errors.As(err, &tr) {
				require.Equal(t, 30, tr.TrustedDeviceDays)
				require.False(t, tr.Email || tr.SMS || tr.Messaging, "this server can send nothing")
			}
		})
	}

	short := sha256.Sum256(s.WebCertificate(t).Raw)
	for _, test := range []struct {
		name  string
		creds cp.Credentials
		cfg   cp.ClientConfig
		phase cp.ClientPhase // "": works
	}{
		{"verified", admin, cp.ClientConfig{}, cp.PhaseTLS},
		{"in band", cp.InBandLogin{ServerID: serverID, User: interop.User, Password: admin.Password}, cp.ClientConfig{}, ""},
		{"pinned by SHA-256", admin, cp.ClientConfig{PinnedCertificate: hex.EncodeToString(short[:])}, ""},
		{"pinned, another", admin, cp.ClientConfig{PinnedCertificate: strings.Repeat("00", 48)}, cp.PhaseTLS},
		{"skipped", admin, cp.ClientConfig{DangerouslySkipVerify: true}, ""},
		{"own configuration", admin, cp.ClientConfig{TLSConfig: s.TLSConfig(t)}, ""},
	} {
		t.Run("certificate "+test.name, func(t *testing.T) {
			c, err := cp.Dial(t.Context(), s.URL(), test.creds, patiently(test.cfg))
			if test.phase == "" {
				require.NoError(t, err)
				require.NoError(t, c.Close())
				return
			}
			var ce *cp.ClientError
			require.ErrorAs(t, err, &ce)
			require.Equal(t, test.phase, ce.Phase, "%v", err)
		})
	}

	left, err := b.LoginTokens(ctx)
	require.NoError(t, err)
	require.Len(t, left, 1)
	left, err = b.RemoveLoginTokens(ctx, token.TokenUser)
	require.NoError(t, err)
	require.Empty(t, left)
}

// stockSession logs in on a stock server's pages.
func stockSession(t *testing.T, s *interop.Server) cp.SessionLogin {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: s.TLSConfig(t), DisableKeepAlives: true}
	form := url.Values{"action": {"login"}, "username": {interop.User}, "password": {interop.Password}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/login", strings.NewReader(form.Encode()))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	var login cp.SessionLogin
	for _, c := range resp.Cookies() {
		if c.Name == "xid" || c.Name == "xid.sig" {
			login.Cookies = append(login.Cookies, cp.SessionCookie{Name: c.Name, Value: cp.NewSecret(c.Value)})
		}
	}
	require.Len(t, login.Cookies, 2, resp.Status)
	return login
}

// methodsRun notes which methods of the client have run, and finds those that have not.
type methodsRun map[string]bool

func (m methodsRun) missing() (names []string) {
	typ := reflect.TypeFor[*cp.Client]()
	for i := range typ.NumMethod() {
		if name := typ.Method(i).Name; !m[name] {
			names = append(names, name)
		}
	}
	return names
}

// Every method of the client against a stock server with a stock agent.
func TestStockClientMethods(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral, interop.PeerAgent)
	s := interop.StartServer(t, interop.ServerOptions{Settings: map[string]any{"relayDNS": "relay.localhost"}})
	sent := make(chan struct{}) // the request for a device with Intel AMT, of which there is one
	c := dialClient(t, s, admin, cp.ClientConfig{Reconnect: true, Trace: &cp.ClientTrace{Sent: func(action string, _ int) {
		if action == "addamtdevice" {
			close(sent)
		}
	}}})
	ctx, begun := t.Context(), time.Now()
	ran, all := methodsRun{}, t
	run := func(name string, f func(t *testing.T)) {
		ran[name] = true
		require.True(t, t.Run(name, f), name)
	}

	run("ServerInfo", func(t *testing.T) { require.Equal(t, "127.0.0.1", c.ServerInfo().Name) })
	run("UserInfo", func(t *testing.T) { require.Equal(t, "admin", c.UserInfo().Name) })
	run("Ping", func(t *testing.T) {
		d, err := c.Ping(ctx)
		require.NoError(t, err)
		require.Positive(t, d)
	})
	run("Call", func(t *testing.T) {
		r, err := c.Call(ctx, &cp.Unknown{Name: "meshes"})
		require.NoError(t, err)
		require.Contains(t, r.Extra, "meshes")
	})
	var group, local cp.ID
	run("AddDeviceGroup", func(t *testing.T) {
		var err error
		group, err = c.AddDeviceGroup(ctx, &cp.CreateMesh{Name: "agents", GroupType: cp.GroupAgent, Desc: "d"})
		require.NoError(t, err)
		require.Equal(t, cp.KindDeviceGroup, group.Kind())
	})
	run("DeviceGroups", func(t *testing.T) {
		groups, err := c.DeviceGroups(ctx)
		require.NoError(t, err)
		require.Len(t, groups, 1)
		require.Equal(t, "agents", groups[0].Name)
		require.Equal(t, cp.GroupAgent, groups[0].GroupType)
		requireSince(t, begun, groups[0].Created, time.Now())
	})
	run("EditDeviceGroup", func(t *testing.T) {
		desc := "described"
		require.NoError(t, c.EditDeviceGroup(ctx, &cp.EditMesh{GroupID: group, Desc: &desc}))
	})
	var msh bytes.Buffer
	run("AgentSettings", func(t *testing.T) {
		require.NoError(t, c.AgentSettings(ctx, &msh, group))
		require.Contains(t, msh.String(), "MeshID=")
	})
	run("DownloadAgent", func(t *testing.T) {
		var program bytes.Buffer
		name, err := c.DownloadAgent(ctx, &program, cp.AgentDownload{Architecture: 6})
		require.NoError(t, err)
		require.Equal(t, "meshagent", name)
		require.True(t, bytes.HasPrefix(program.Bytes(), []byte("\x7FELF")))
	})

	// An agent goes online.
	var device cp.ID
	run("Events", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		events := c.Events(ctx, cp.Filter{Actions: []string{"changenode"}})
		interop.StartAgent(all, msh.Bytes(), interop.AgentOptions{})
		for e, err := range events {
			require.NoError(t, err)
			// The core is running once it has told what it is.
			if strings.Contains(string(e.Extra["node"]), `"core":`) {
				device = e.DeviceID
				break
			}
		}
		require.Equal(t, cp.KindDevice, device.Kind())
	})
	run("Devices", func(t *testing.T) {
		for _, f := range []cp.DeviceFilter{
			{}, {Group: group}, {GroupName: "agents"}, {Device: device}, {Device: cp.ID(device.Name())},
		} {
			list, err := c.Devices(ctx, f)
			require.NoError(t, err)
			require.Len(t, list, 1, "%+v", f)
			require.Equal(t, device, list[0].ID)
			require.Equal(t, group, list[0].Group)
			require.Equal(t, cp.ConnAgent, list[0].Conn)
			require.Equal(t, cp.PowerOn, list[0].Power)
			requireSince(t, begun, list[0].AgentSince, time.Now())
		}
	})
	run("DeviceInfo", func(t *testing.T) {
		info, err := c.DeviceInfo(ctx, device)
		require.NoError(t, err)
		require.Equal(t, device, info.Device.ID)
		_, err = c.DeviceInfo(ctx, cp.ID(strings.Repeat("0", 64)))
		require.ErrorIs(t, err, cp.ErrNotFound)
	})
	run("DeviceDetails", func(t *testing.T) {
		list, err := c.DeviceDetails(ctx, device)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, device, list[0].Device.ID)
		require.Equal(t, "agents", list[0].Device.GroupName)
	})
	run("DeviceDetailsCSV", func(t *testing.T) {
		text, err := c.DeviceDetailsCSV(ctx)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(text, "id,name,rname,"), text)
	})
	run("EditDevice", func(t *testing.T) {
		desc := "a device"
		require.NoError(t, c.EditDevice(ctx, &cp.ChangeDevice{DeviceID: device, Desc: &desc, Tags: cp.Tags{"one", "two"}}))
		list, err := c.Devices(ctx, cp.DeviceFilter{})
		require.NoError(t, err)
		require.Equal(t, desc, list[0].Desc)
		require.Equal(t, []string{"one", "two"}, list[0].Tags)
	})
	run("RunCommands", func(t *testing.T) {
		var outputs []string
		for r, err := range c.RunCommands(ctx, []cp.ID{device}, cp.Command{Text: "echo $((6*7))", Timeout: patience}) {
			require.NoError(t, err)
			require.Equal(t, device, r.Device)
			outputs = append(outputs, r.Output)
		}
		require.Equal(t, []string{"42\n"}, outputs)
		for _, err := range c.RunCommands(ctx, []cp.ID{device}, cp.Command{Text: "x", Type: cp.ShellPowerShell, Timeout: patience}) {
			var refused *cp.ResultError
			require.ErrorAs(t, err, &refused)
		}
		// Busy with the command of another session.
		other := dialClient(t, s, admin, cp.ClientConfig{})
		gate := filepath.Join(t.TempDir(), "gate") // until it is opened, a command that reads it goes on
		require.NoError(t, exec.CommandContext(ctx, "mkfifo", gate).Run())
		started := c.Messages(ctx, cp.MessageFilter{Types: []string{"console"}})
		slow := make(chan error, 1)
		go func() {
			for _, err := range c.RunCommands(ctx, []cp.ID{device}, cp.Command{Text: "echo started; cat '" + gate + "'; echo over", Timeout: patience}) {
				slow <- err
			}
		}()
		for e, err := range started {
			require.NoError(t, err)
			if strings.Contains(string(e.Raw), "started") {
				break
			}
		}
		for _, err := range other.RunCommands(ctx, []cp.ID{device}, cp.Command{Text: "echo", Timeout: patience}) {
			require.ErrorIs(t, err, cp.ErrAgentBusy)
		}
		require.NoError(t, os.WriteFile(gate, nil, 0))
		require.NoError(t, <-slow)
	})
	run("Console", func(t *testing.T) {
		for text, err := range c.Console(ctx, device, "help") {
			require.NoError(t, err)
			require.Contains(t, text, "Available commands")
			break
		}
	})
	run("Messages", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		said := c.Messages(ctx, cp.MessageFilter{Types: []string{"cpuinfo"}, Devices: []cp.ID{device}})
		_, err := cp.Do(ctx, c, &cp.MsgGetCPUInfo{DeviceID: device})
		require.NoError(t, err)
		for e, err := range said {
			require.NoError(t, err)
			m, err := cp.ParseAgentMessage(e)
			require.NoError(t, err)
			require.IsType(t, &cp.MsgCPUInfo{}, m)
			break
		}
	})
	run("RelayURL", func(t *testing.T) {
		u, err := c.RelayURL()
		require.NoError(t, err)
		require.Equal(t, "wss://"+s.Addr()+"/meshrelay.ashx", u.Reveal())
	})
	run("TunnelCookies", func(t *testing.T) {
		operator, agent, err := c.TunnelCookies(ctx, relay.AskTunnel{ID: "abc", Node: string(device)})
		require.NoError(t, err)
		require.NotEmpty(t, operator.Reveal())
		require.NotEmpty(t, agent.Reveal())
	})
	run("RequestTunnel", func(t *testing.T) {
		tunnel, err := relay.Open(ctx, c, string(device), relay.Options{
			Protocol: relay.ProtocolFiles, Net: relay.NetOptions{TLS: s.TLSConfig(t)},
		})
		require.NoError(t, err)
		require.NoError(t, tunnel.Close(1000, ""))
		_, err = relay.Open(ctx, c, "node//none", relay.Options{Net: relay.NetOptions{TLS: s.TLSConfig(t)}})
		var refused *cp.ResultError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "Unable to route", refused.Result)
	})
	run("OpenURL", func(t *testing.T) { require.NoError(t, c.OpenURL(ctx, device, "https://127.0.0.1/")) })
	run("MessageBox", func(t *testing.T) {
		shown := time.Second
		require.NoError(t, c.MessageBox(ctx, &cp.MsgMessageBox{DeviceID: device, Title: "t", Msg: "m", Timeout: &shown}))
		err := c.MessageBox(ctx, &cp.MsgMessageBox{DeviceID: "node//none", Title: "t", Msg: "m"})
		var refused *cp.ResultError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "Unable to route", refused.Result)
	})
	run("Toast", func(t *testing.T) { require.NoError(t, c.Toast(ctx, "t", "m", device)) })
	run("GroupMessage", func(t *testing.T) { require.NoError(t, c.GroupMessage(ctx, group, "t", "m", time.Second)) })
	run("GroupToast", func(t *testing.T) { require.NoError(t, c.GroupToast(ctx, group, "t", "m")) })
	run("Wake", func(t *testing.T) {
		// What it answers depends on what the agent has told of the network.
		if err := c.Wake(ctx, device); err != nil {
			var refused *cp.ResultError
			require.ErrorAs(t, err, &refused)
		}
	})
	run("Power", func(t *testing.T) {
		// Intel AMT, which the device does not have: the agent must go on.
		require.NoError(t, c.Power(ctx, cp.AMTReset, device))
	})

	// Accounts.
	run("AddUser", func(t *testing.T) {
		m := &cp.AddUser{Username: "Ann", Password: cp.NewSecret("Passw0rd!z"), Email: "ann@example.com"}
		require.NoError(t, c.AddUser(ctx, m))
		err := c.AddUser(ctx, m)
		var refused *cp.ResultError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, 7, refused.MsgID)
	})
	run("Users", func(t *testing.T) {
		users, err := c.Users(ctx)
		require.NoError(t, err)
		require.Len(t, users, 2)
	})
	run("EditUser", func(t *testing.T) {
		name := "Ann Other"
		require.NoError(t, c.EditUser(ctx, &cp.EditUser{UserID: "Ann", RealName: &name}))
		users, err := c.Users(ctx)
		require.NoError(t, err)
		var names []string
		for _, u := range users {
			names = append(names, u.RealName)
		}
		require.Contains(t, names, name)
	})
	run("UserSessions", func(t *testing.T) {
		n, err := c.UserSessions(ctx)
		require.NoError(t, err)
		require.GreaterOrEqual(t, n["user//admin"], 1)
	})
	run("Broadcast", func(t *testing.T) {
		said := c.Messages(ctx, cp.MessageFilter{Types: []string{"notify"}})
		require.NoError(t, c.Broadcast(ctx, &cp.UserBroadcast{Msg: "hello all"}))
		for e, err := range said {
			require.NoError(t, err)
			require.Contains(t, string(e.Raw), "hello all")
			break
		}
	})

	// Rights.
	run("AddUserToDeviceGroup", func(t *testing.T) {
		require.NoError(t, c.AddUserToDeviceGroup(ctx, group, "ann", cp.RemoteControl|cp.WakeDevice))
		require.NoError(t, c.AddUserToDeviceGroup(ctx, group, "user//ann", cp.RemoteControl))
		var refused *cp.ResultError
		require.ErrorAs(t, c.AddUserToDeviceGroup(ctx, group, "nobody", cp.RemoteControl), &refused)
	})
	run("DeviceGroupUsers", func(t *testing.T) {
		links, err := c.DeviceGroupUsers(ctx, group)
		require.NoError(t, err)
		require.Equal(t, cp.RemoteControl, links["user//ann"].Rights)
		_, err = c.DeviceGroupUsers(ctx, "mesh//none")
		require.ErrorIs(t, err, cp.ErrNotFound)
	})
	run("RemoveUserFromDeviceGroup", func(t *testing.T) { require.NoError(t, c.RemoveUserFromDeviceGroup(ctx, group, "Ann")) })
	run("AddUserToDevice", func(t *testing.T) {
		require.NoError(t, c.AddUserToDevice(ctx, device, "ann", cp.RemoteControl))
		require.NoError(t, c.AddUserToDevice(ctx, device, "user//ann", cp.RemoteControl))
	})
	run("RemoveUserFromDevice", func(t *testing.T) { require.NoError(t, c.RemoveUserFromDevice(ctx, device, "user//ann")) })
	var users cp.ID
	run("AddUserGroup", func(t *testing.T) {
		var err error
		users, err = c.AddUserGroup(ctx, &cp.CreateUserGroup{Name: "people"})
		require.NoError(t, err)
	})
	run("AddToUserGroup", func(t *testing.T) {
		require.NoError(t, c.AddToUserGroup(ctx, users, "Ann", 0))
		require.NoError(t, c.AddToUserGroup(ctx, users, group, cp.RemoteControl))
		require.NoError(t, c.AddToUserGroup(ctx, users, device, cp.RemoteControl))
		require.ErrorIs(t, c.AddToUserGroup(ctx, users, "nobody", 0), cp.ErrNotFound)
		require.ErrorIs(t, c.AddToUserGroup(ctx, "ugrp//none", "ann", 0), cp.ErrNotFound)
		require.ErrorContains(t, c.AddToUserGroup(ctx, users, "ugrp//other", 0), "no account")
	})
	run("UserGroups", func(t *testing.T) {
		groups, err := c.UserGroups(ctx)
		require.NoError(t, err)
		require.Len(t, groups, 1)
		require.Len(t, groups[users].Links, 3)
	})
	run("RemoveFromUserGroup", func(t *testing.T) {
		require.NoError(t, c.RemoveFromUserGroup(ctx, users, group))
		require.NoError(t, c.RemoveFromUserGroup(ctx, users, device))
	})
	run("RemoveAllFromUserGroup", func(t *testing.T) {
		removed, err := c.RemoveAllFromUserGroup(ctx, users)
		require.NoError(t, err)
		require.Equal(t, []cp.ID{"user//ann"}, removed)
	})
	run("RemoveUserGroup", func(t *testing.T) { require.NoError(t, c.RemoveUserGroup(ctx, users)) })

	// Links for others.
	run("InviteLink", func(t *testing.T) {
		u, err := c.InviteLink(ctx, &cp.CreateInviteLink{GroupID: group, Expire: 2 * time.Hour})
		require.NoError(t, err)
		require.Contains(t, u.Reveal(), "/agentinvite?c=")
	})
	run("SendInvite", func(t *testing.T) {
		err := c.SendInvite(ctx, &cp.InviteAgent{GroupID: group, Email: "a@example.com"})
		var refused *cp.ResultError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "Unsupported feature", refused.Result, "this server sends no mail")
	})
	var share *cp.CreateDeviceShareLinkReply
	run("ShareDevice", func(t *testing.T) {
		var err error
		hour := time.Hour
		share, err = c.ShareDevice(ctx, &cp.CreateDeviceShareLink{DeviceID: device, GuestName: "guest", Kind: cp.ShareTerminal, Expire: &hour})
		require.NoError(t, err)
		require.Contains(t, share.URL.Reveal(), "/sharing?c=")
		requireSince(t, begun.Add(time.Hour), share.Expires(), time.Now().Add(time.Hour))
	})
	run("DeviceShares", func(t *testing.T) {
		shares, err := c.DeviceShares(ctx, device)
		require.NoError(t, err)
		require.Len(t, shares, 1)
		require.Equal(t, share.PublicID, shares[0].PublicID)
	})
	run("RemoveShare", func(t *testing.T) {
		require.NoError(t, c.RemoveShare(ctx, device, share.PublicID))
		var refused *cp.ResultError
		require.ErrorAs(t, c.RemoveShare(ctx, device, share.PublicID), &refused)
	})
	run("WebRelay", func(t *testing.T) {
		u, err := c.WebRelay(ctx, &cp.WebRelay{DeviceID: device, Port: 80, AppID: cp.AppHTTP})
		require.NoError(t, err)
		require.Contains(t, u.Reveal(), "control-redirect.ashx")
	})
	run("CreateLoginToken", func(t *testing.T) {
		token, err := c.CreateLoginToken(ctx, "token", 0)
		require.NoError(t, err)
		require.True(t, token.Expires.IsZero())
	})
	run("LoginTokens", func(t *testing.T) {
		tokens, err := c.LoginTokens(ctx)
		require.NoError(t, err)
		require.Len(t, tokens, 1)
		require.True(t, tokens[0].Expires.IsZero())
	})
	run("RemoveLoginTokens", func(t *testing.T) {
		tokens, err := c.LoginTokens(ctx)
		require.NoError(t, err)
		tokens, err = c.RemoveLoginTokens(ctx, tokens[0].TokenUser)
		require.NoError(t, err)
		require.Empty(t, tokens)
	})
	run("LoginCookie", func(t *testing.T) {
		cookie, err := c.LoginCookie(ctx)
		require.NoError(t, err)
		require.NotEmpty(t, cookie.Reveal())
	})
	run("TrustedDeviceCookie", func(t *testing.T) {
		cookie, err := c.TrustedDeviceCookie(ctx)
		require.NoError(t, err)
		require.NotEmpty(t, cookie.Reveal())
	})

	// What was.
	run("EventLog", func(t *testing.T) {
		events, err := c.EventLog(ctx, &cp.Events{DeviceID: device, Limit: 5})
		require.NoError(t, err)
		require.NotEmpty(t, events)
		requireSince(t, begun, events[0].Time, time.Now())
	})
	run("Report", func(t *testing.T) {
		r, err := c.Report(ctx, &cp.Report{
			Type: cp.ReportSessions, GroupBy: cp.ReportByUser, Start: time.Now().Add(-time.Hour), End: time.Now(), Language: "en", TimeZone: "UTC",
		})
		require.NoError(t, err)
		require.NotEmpty(t, r.Columns)
	})

	// Other groups and devices, and the end of all.
	run("AddLocalDevice", func(t *testing.T) {
		var err error
		local, err = c.AddDeviceGroup(ctx, &cp.CreateMesh{Name: "local", GroupType: cp.GroupLocal, RelayID: device})
		require.NoError(t, err)
		require.NoError(t, c.AddLocalDevice(ctx, &cp.AddLocalDevice{GroupID: local, Name: "l1", Host: "127.0.0.1", Type: cp.LocalLinux}))
		var refused *cp.ResultError
		require.ErrorAs(t, c.AddLocalDevice(ctx, &cp.AddLocalDevice{GroupID: group, Name: "l2", Host: "127.0.0.1", Type: cp.LocalLinux}), &refused)
	})
	run("AddAMTDevice", func(t *testing.T) {
		amt, err := c.AddDeviceGroup(ctx, &cp.CreateMesh{Name: "amt", GroupType: cp.GroupAMT})
		require.NoError(t, err)
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		go func() {
			select {
			case <-sent:
			case <-ctx.Done():
				return
			}
			// The server answers in order.
			_, err := c.Ping(ctx)
			cancel(err)
		}()
		err = c.AddAMTDevice(ctx, &cp.AddAMTDevice{GroupID: amt, Name: "a1", Host: "127.0.0.1", User: "admin", Password: cp.NewSecret("Passw0rd!")})
		require.ErrorIs(t, err, context.Canceled, "nothing is said, as this server is for the internet only")
	})
	run("MoveDevices", func(t *testing.T) {
		other, err := c.AddDeviceGroup(ctx, &cp.CreateMesh{Name: "other", GroupType: cp.GroupAgent})
		require.NoError(t, err)
		require.NoError(t, c.MoveDevices(ctx, other, device))
		err = c.MoveDevices(ctx, other, device, "node//"+cp.ID(strings.Repeat("x", 64)))
		var refused *cp.DeviceError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, device, refused.Device)
		require.Equal(t, 2, strings.Count(err.Error(), "refused:"), "%v", err)
		require.NoError(t, c.MoveDevices(ctx, group, device))
	})
	run("RemoveDevices", func(t *testing.T) {
		list, err := c.Devices(ctx, cp.DeviceFilter{Group: local})
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.NoError(t, c.RemoveDevices(ctx, list[0].ID))
		var refused *cp.DeviceError
		require.ErrorAs(t, c.RemoveDevices(ctx, "node//none"), &refused)
	})
	run("RemoveDeviceGroup", func(t *testing.T) { require.NoError(t, c.RemoveDeviceGroup(ctx, local)) })
	run("RemoveUser", func(t *testing.T) { require.NoError(t, c.RemoveUser(ctx, "Ann")) })
	run("Err", func(t *testing.T) { require.NoError(t, c.Err()) })
	run("Close", func(t *testing.T) { require.NoError(t, c.Close()) })
	run("Done", func(t *testing.T) { <-c.Done() })
	require.Empty(t, ran.missing(), "methods that did not run")
	t.Logf("%d methods ran", len(ran))
}

// A stock server that restarts: the client comes back with a fresh login.
func TestStockClientReconnects(t *testing.T) {
	s := interop.StartServer(t, interop.ServerOptions{})
	c := dialClient(t, s, admin, cp.ClientConfig{Reconnect: true, MaxBackoff: 2 * time.Second})
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	events := c.Events(ctx, cp.Filter{Actions: []string{"nothing of the server's"}})
	s.Restart(t)
	for e, err := range events {
		require.NoError(t, err)
		require.Equal(t, cp.EventReconnected, e.Action)
		break
	}
	_, err := c.AddDeviceGroup(ctx, &cp.CreateMesh{Name: "after", GroupType: cp.GroupAgent})
	require.NoError(t, err)
}
