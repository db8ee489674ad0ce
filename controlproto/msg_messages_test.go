package controlproto

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// messages gives the lines of a file in testdata/messages.
func messages(t testing.TB, name string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "messages", name))
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	require.NotEmpty(t, lines[0])
	return lines
}

func requestStruct(t testing.TB, e Envelope) Message {
	t.Helper()
	s, ok := LookupAction(e.Action)
	require.True(t, ok, e.Action)
	return s.Request()
}

func replyStruct(t testing.TB, e Envelope) Message {
	t.Helper()
	var shape struct {
		Type   string
		Result any
	}
	require.NoError(t, json.Unmarshal(e.Raw, &shape))
	if shape.Type == "notify" {
		return new(Notification)
	}
	for _, p := range pushes() {
		if p.Action() == e.Action && e.Action != "msg" {
			return p
		}
	}
	switch e.Action {
	case "traceinfo":
		return new(TraceInfo)
	case "close":
		return new(Close)
	case "interuser":
		return new(InterUser)
	case "otp-hkey-setup-response":
		return new(WebAuthnEndRegisterReply)
	}
	s, ok := LookupAction(e.Action)
	require.True(t, ok, e.Action)
	if text, ok := shape.Result.(string); ok && text != "ok" && !strings.HasPrefix(text, "Added") || s.Reply == nil {
		return new(Result)
	}
	return s.Reply()
}

func decodeJSON(t testing.TB, b []byte) any {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal(b, &v), "%s", b)
	return v
}

// strangers lists the members that no field of m or of what hangs on it names. Those of events depend on their action.
func strangers(v reflect.Value, path string) []string {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return strangers(v.Elem(), path)
		}
	case reflect.Slice:
		var all []string
		if v.Type().Elem().Kind() != reflect.Uint8 {
			for i := range v.Len() {
				all = append(all, strangers(v.Index(i), path+"[]")...)
			}
		}
		return all
	case reflect.Map:
		var all []string
		if v.Type().Elem() != reflect.TypeFor[json.RawMessage]() {
			for it := v.MapRange(); it.Next(); {
				all = append(all, strangers(it.Value(), path+"{}")...)
			}
		}
		return all
	case reflect.Struct:
		var all []string
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Name == "Extra" {
				for _, name := range v.Field(i).MapKeys() {
					all = append(all, path+"."+name.String())
				}
			} else if f.IsExported() {
				all = append(all, strangers(v.Field(i), path+"."+f.Name)...)
			}
		}
		return all
	default:
		return nil
	}
	return nil
}

// Messages as they are on the wire survive reading and writing, and the structs name all of their members.
func TestMessagesSurvive(t *testing.T) {
	for name, empty := range map[string]func(testing.TB, Envelope) Message{
		"client.jsonl": requestStruct, "client-source.jsonl": requestStruct,
		"server.jsonl": replyStruct, "server-source.jsonl": replyStruct,
	} {
		for i, line := range messages(t, name) {
			t.Run(fmt.Sprintf("%s:%d", name, i+1), func(t *testing.T) {
				e, err := ParseRequest([]byte(line))
				require.NoError(t, err)
				m := empty(t, e)
				require.NoError(t, e.Decode(m))
				require.Equal(t, e.Action, m.Action())
				b, err := AppendMessage(nil, m, e.Correlation)
				require.NoError(t, err)
				require.Equal(t, decodeJSON(t, []byte(line)), decodeJSON(t, b), "%T", m)
				if _, ok := m.(*InterSession); !ok {
					require.Empty(t, strangers(reflect.ValueOf(m), ""))
				}
			})
		}
	}
}

// allActions is the list of the actions that meshuser.js of 1.1.55 handles.
const allActions = "addamtdevice adddeviceuser addlocaldevice addmeshuser addplugin adduser adduserbatch " +
	"addusertousergroup agentdisconnect amt amtsetupbin authcookie changedevice changeDeviceMesh changeemail changelang " +
	"changemeshnotify changepassword changeusernotify changeuserpass close confirmMessaging confirmPhone " +
	"createDeviceShareLink createInviteLink createLoginToken createmesh createusergroup deletemesh deleteuser " +
	"deleteusergroup deviceMeshShares deviceShares disableplugin distributeCore editmesh edituser editusergroup emailuser " +
	"endDesktopMultiplex events fileoperation files getClip getcookie getDeviceDetails getmqttlogin getnetworkinfo getNotes " +
	"getpluginversions getsysinfo importamtdevices installplugin intersession interuser inviteAgent lastconnect " +
	"lastconnects logincookie loginTokens meshamtpolicy meshes meshmessenger meshToolInfo msg msguser nodes notifyuser " +
	"oneclickrecovery otp-hkey-get otp-hkey-remove otp-hkey-yubikey-add otpauth-clear otpauth-getpasswords otpauth-request " +
	"otpauth-setup otpdev-clear otpdev-set otpduo otpemail ping plugin pluginLatestCheck plugins pong poweraction " +
	"powertimeline previousLogins print pushconsole pushmessage recordings removedevices removeDeviceShare removemeshuser " +
	"removeMessaging removePhone removeplugin removeuserfromusergroup report runcommands satellite scanamtdevice " +
	"sendmqttmsg serverBackup serverclearerrorlog serverconfig serverconsole servererrors serverstats servertimelinestats " +
	"serverupdate serverversion setClip setDeviceEvent setNotes smsuser toast traceinfo trafficdelta trafficstats " +
	"twoFactorCookie uicustomevent uninstallagent updateAgents updateUserImage uploadagentcore urlargs userbroadcast " +
	"usergroups users userWebState verifyemail verifyMessaging verifyPhone wakedevices webauthn-endregister " +
	"webauthn-startregister webpush webrelay wssessioncount"

func TestEveryActionHasOneSpec(t *testing.T) {
	want := strings.Fields(allActions)
	slices.Sort(want)
	require.Len(t, want, 141)
	var got []string
	for _, s := range Actions() {
		got = append(got, s.Action)
		require.Equal(t, s.Action, s.Request().Action())
		found, ok := LookupAction(s.Action)
		require.True(t, ok)
		require.Equal(t, s.Action, found.Action)
		if s.Replies == RepliesNever {
			require.Nil(t, s.Reply, s.Action)
			require.Equal(t, EchoNone, s.Echo, s.Action)
		}
	}
	require.Equal(t, want, got)
	_, ok := LookupAction("Ping")
	require.False(t, ok)
}

// The typed relation from request to reply says the same as the table: a [Result], or something of its own.
func TestReplyTypesMatchSpecs(t *testing.T) {
	for _, s := range Actions() {
		_, plain := s.Request().(interface{ reply() *Result })
		if s.Reply != nil {
			require.False(t, plain, s.Action)
		} else if s.Replies != RepliesNever {
			require.True(t, plain, s.Action)
		}
	}
}

func TestServerInfo(t *testing.T) {
	var m ServerInfo
	e, err := ParseRequest([]byte(messages(t, "server.jsonl")[0]))
	require.NoError(t, err)
	require.NoError(t, e.Decode(&m))
	require.Equal(t, "127.0.0.1", m.Name)
	require.Equal(t, 46430, m.Port)
	require.Equal(t, time.UnixMilli(1795333116937).UTC(), m.Time.UTC())
	require.True(t, m.Features.Has(FeatureUntrustedCert|FeatureTwoFactor))
	require.True(t, m.Features2.Has(Feature2LoginTokens))

	// JavaScript makes the word negative when its last bit is set.
	e, err = ParseRequest([]byte(`{"action":"serverinfo","serverinfo":{"features":-1,"features2":-2147483648}}`))
	require.NoError(t, err)
	require.NoError(t, e.Decode(&m))
	require.Equal(t, Features(0xFFFFFFFF), m.Features)
	require.Equal(t, Feature2ModernUI, m.Features2)
}

// meshctrl sends -1 for full rights and more.
func TestNegativeRights(t *testing.T) {
	var m AddMeshUser
	e, err := ParseRequest([]byte(`{"action":"addmeshuser","meshadmin":-1}`))
	require.NoError(t, err)
	require.NoError(t, e.Decode(&m))
	require.Equal(t, FullRights, m.Rights)
}

func TestEditUserTarget(t *testing.T) {
	require.Equal(t, ID("a"), (&EditUser{UserID: "a", Username: "b", ID: "c"}).Target())
	require.Equal(t, ID("b"), (&EditUser{Username: "b", ID: "c"}).Target())
	require.Equal(t, ID("c"), (&EditUser{ID: "c"}).Target())
}

func TestServerStatsRights(t *testing.T) {
	for _, r := range []SiteRights{SiteBackup, SiteRestore, SiteUpdate, SiteFull} {
		require.True(t, new(ServerStats).MayRead(r), r)
	}
	require.False(t, new(ServerStats).MayRead(SiteManageUsers|SiteFileAccess))
}

func TestBackupCodes(t *testing.T) {
	var m OTPAuthGetPasswordsReply
	e, err := ParseRequest([]byte(`{"action":"otpauth-getpasswords","passwords":[{"p":1234,"u":true}]}`))
	require.NoError(t, err)
	require.NoError(t, e.Decode(&m))
	require.Equal(t, "00001234", m.Passwords[0].Code.Reveal())

	for _, bad := range []string{"123456789", "12a", "-1"} {
		m.Passwords[0].Code.Secret = NewSecret(bad)
		_, err = AppendMessage(nil, &m, Correlation{})
		require.Error(t, err, bad)
		require.NotContains(t, err.Error(), bad)
	}
}

// No secret of any message is in what is printed of it, or in what encoding/json makes of it.
func TestMessagesHideSecrets(t *testing.T) {
	const secret = "00000007"
	all := pushes()
	for _, s := range Actions() {
		all = append(all, s.Request())
		if s.Reply != nil {
			all = append(all, s.Reply())
		}
	}
	for _, m := range all {
		filled(m)
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "m", m)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "m", m)
		b, err := json.Marshal(m)
		require.NoError(t, err)
		for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %q %x %d", m, m, m, m, m, m, m), string(b), log.String()} {
			require.NotContains(t, text, secret, "%T", m)
			require.NotContains(t, text, "c=secret", "%T", m)
		}
	}
}

// What successful replies repeat, as observed.
func TestEchoes(t *testing.T) {
	want := map[Echo]string{
		EchoBoth:    "nodes msg createInviteLink",
		EchoRequest: "createDeviceShareLink webrelay getcookie",
		EchoTag: "meshes users usergroups wssessioncount events recordings lastconnects powertimeline serverconsole " +
			"getsysinfo",
		EchoNone: "authcookie logincookie loginTokens createLoginToken deviceShares deviceMeshShares getDeviceDetails report " +
			"getnetworkinfo lastconnect getNotes previousLogins files otpauth-request otpauth-setup otpauth-clear " +
			"otpauth-getpasswords otpemail otpduo otp-hkey-get otp-hkey-yubikey-add webauthn-startregister " +
			"webauthn-endregister verifyPhone verifyMessaging twoFactorCookie meshToolInfo serverstats servertimelinestats " +
			"serverversion servererrors serverconfig serverBackup trafficstats trafficdelta amtsetupbin ping",
		EchoResponseID: "adduser edituser deleteuser userbroadcast createusergroup deleteusergroup addusertousergroup " +
			"removeuserfromusergroup createmesh deletemesh editmesh addmeshuser removemeshuser inviteAgent changedevice " +
			"addlocaldevice addamtdevice changeDeviceMesh removedevices adddeviceuser wakedevices poweraction toast " +
			"runcommands removeDeviceShare getmqttlogin",
	}
	for echo, names := range want {
		for _, name := range strings.Fields(names) {
			s, ok := LookupAction(name)
			require.True(t, ok, name)
			require.Equal(t, echo, s.Echo, name)
		}
	}
	for name, key := range map[string]string{
		"deviceShares": "nodeid", "deviceMeshShares": "meshid", "getnetworkinfo": "nodeid", "lastconnect": "nodeid",
		"getNotes": "id", "meshToolInfo": "name",
	} {
		s, _ := LookupAction(name)
		require.Equal(t, key, s.Key, name)
	}
}
