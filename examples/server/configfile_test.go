package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
)

// stockConfig uses every setting that is honoured, in the various ways to write names.
var stockConfig = "\xef\xbb\xbf" + `{
	"$schema": "https://example.com/schema.json",
	"settings": {
		"cert": "mesh.example.com", "PORT": 444, "portBind": "127.0.0.1", "aliasPort": 443, "_redirPort": 80, "wanOnly": true,
		"tlsOffload": "192.0.2.1, 192.0.2.2", "trustedProxy": ["198.51.100.0/24"],
		"loginCookieEncryptionKey": "` + strings.Repeat("ab", 80) + `", "invitationLinkEncryptionKey": "` + strings.Repeat("cd", 80) + `",
		"allowLoginToken": true, "maxInvalidLogin": {"time": 5, "count": 3}, "manageAllDeviceGroups": ["user//root"],
		"interUserMessaging": ["user//a", "user//b"], "cookieIpCheck": "strict", "cookieEncoding": "hex",
		"dbExpire": {"events": 86400}, "agentPong": 40, "agentIdleTimeout": 120,
		"mpsPort": 4433, "mpsPortBind": "127.0.0.1", "mpsCert": "amt.example.com,country,org", "mpsAliasHost": "cira.example.com",
		"mpsTlsOffload": true, "mpsHighSecurity": true, "mpsPass": "P@ssw0rd"
	},
	"domains": {
		"": {
			"title": "Mesh & more", "loginKey": ["k1", "k2"], "certUrl": "https://127.0.0.1:443/",
			"userConsentFlags": {"desktopNotify": true, "terminalnotify": false, "FilePrompt": true, "desktopPrivacyBar": true},
			"passwordRequirements": {"min": 8, "max": 128, "upper": 1, "lower": 2, "numeric": 3, "nonalpha": 4, "loginTokens": false},
			"guestDeviceSharing": false, "clipboardGet": false, "clipboardSet": true, "maxDeviceView": 100,
			"userSessionIdleTimeout": 30, "twoFactorCookieDurationDays": 5, "newAccounts": false,
			"limits": {"maxUserAccounts": 10, "maxUserSessions": 200, "maxSingleUserSessions": 20},
			"allowedOrigin": ["portal.example.com", "https://other.example.com:8443"],
			"preConfiguredScripts": [
				{"name": "uptime", "type": "SH", "cmd": "uptime", "runAs": "userFirst"}, {"name": "from file", "type": "ps1", "file": "scripts/a.ps1"}
			]
		},
		"Customer1": {"dns": "C1.example.com", "title": "One"},
		"_customer2": {"title": "a comment"},
		"customer3": {}
	}
}`

func TestConfigFile(t *testing.T) {
	data := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(data, "scripts"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(data, "scripts", "a.ps1"), []byte("Get-Date"), 0o600))
	f, err := parseConfigFile([]byte(stockConfig), data)
	require.NoError(t, err)
	require.Empty(t, f.Warnings)

	require.Equal(t, "mesh.example.com", f.Host)
	require.Equal(t, []int{444, 443}, []int{f.Port, f.AliasPort})
	require.Equal(t, "127.0.0.1", f.PortBind)
	require.Equal(t, []any{4433, "127.0.0.1", "cira.example.com", true, true}, []any{f.MPSPort, f.MPSPortBind, f.MPSHost, f.MPSOffload, f.MPSStrict})
	require.Equal(t, "P@ssw0rd", f.MPSPassword.Reveal())
	require.True(t, f.TLSOffload)
	require.Equal(t, "[198.51.100.0/24 192.0.2.1/32 192.0.2.2/32]", fmt.Sprint(f.TrustedProxies))
	require.Equal(t, strings.Repeat("ab", 80), f.LoginCookieKey.Hex())
	require.Equal(t, strings.Repeat("cd", 80), f.InviteCookieKey.Hex())
	require.Equal(t, controlproto.LoginRate{Events: 3, Window: 5 * time.Minute}, f.FailedLogins.PerAddress)
	require.Equal(t, []controlproto.ID{"user//root"}, f.ManageAll)
	require.Equal(t, []controlproto.ID{"user//a", "user//b"}, f.InterUser)
	require.Equal(t, "strict", f.CookieIP.String())
	require.Equal(t, controlproto.CookieHex, f.CookieEncoding)
	require.Equal(t, 24*time.Hour, f.eventsFor())
	require.Equal(t, agentproto.KeepAlive{Interval: 40 * time.Second, Timeout: 2 * time.Minute, Form: agentproto.JSONPong}, f.KeepAlive)
	require.Equal(t, []string{"portal.example.com", "https://other.example.com:8443"}, f.Origins)
	require.Equal(t, []int{200, 20}, []int{f.MaxSessions, f.MaxUserSessions})
	require.Equal(t, "https://127.0.0.1:443/", f.CertURL)
	require.NotContains(t, fmt.Sprintf("%+v", f), "abab", "keys are secrets")

	require.Len(t, f.Domains, 3)
	d := f.Domains[""]
	require.Equal(t, []string{"k1", "k2"}, []string{d.URLKeys[0].Reveal(), d.URLKeys[1].Reveal()})
	d.URLKeys = nil
	require.Equal(t, controlserver.Domain{
		Title: "Mesh & more", Consent: controlproto.ConsentDesktopNotify | controlproto.ConsentFilesPrompt | controlproto.ConsentPrivacyBar,
		Password:      controlserver.PasswordRules{Min: 8, Max: 128, Upper: 1, Lower: 2, Numeric: 3, Special: 4},
		NoLoginTokens: true, NoGuestSharing: true, NoClipboardGet: true, MaxDeviceView: 100, MaxUsers: 10, LoginCookies: true,
		IdleTimeout: 30 * time.Minute, TwoFactorCookieAge: 5 * 24 * time.Hour,
		Scripts: []controlserver.Script{
			{Name: "uptime", Type: controlproto.ShellUnix, RunAs: controlproto.RunAsUser, Commands: "uptime"},
			{Name: "from file", Type: controlproto.ShellPowerShell, Commands: "Get-Date"},
		},
	}, d.Domain)
	require.Equal(t, "c1.example.com", f.Domains["customer1"].DNS)
	require.Equal(t, "One", f.Domains["customer1"].Title)
	c3 := f.Domains["customer3"]
	require.Equal(t, "/customer3/", c3.base())
}

// TestConfigFileWarnings wants everything that is not honoured to be named.
func TestConfigFileWarnings(t *testing.T) {
	for text, want := range map[string][]string{
		`{}`: nil,
		`{"settings":{"redirPort":80,"mongoDb":"x","_comment":1},"smtp":{"host":"x"},"letsencrypt":{}}`: {
			"letsencrypt is not supported", "settings.mongoDb is not supported", "settings.redirPort is not supported", "smtp is not supported",
		},
		`{"settings":{"port":"443","cookieIpCheck":"sometimes","cookieEncoding":"rot13","loginCookieEncryptionKey":"short","allowLoginToken":1}}`: {
			"settings.allowlogintoken is not true or false: it is left out", "settings.cookieEncoding is neither hex nor base64: base64 is used",
			"settings.cookieIpCheck: ", "settings.logincookieencryptionkey is not a key of 160", "settings.port is not a number from 0 to 65535: it is left out",
		},
		`{"settings":{"tlsOffload":true,"trustedProxy":"CloudFlare","wanOnly":false,"maxInvalidLogin":false,"dbExpire":{"powerEvents":1}}}`: {
			"settings.dbexpire.powerEvents is not supported", "settings.maxInvalidLogin can not be switched off: the default counts",
			"settings.tlsOffload names no proxies: those of this machine are trusted, and no other", `settings.trustedproxy: "CloudFlare": want a network`,
		},
		`{"domains":{"":{"allowedOrigin":true,"newAccounts":true,"dns":"x","passwordRequirements":{"force2factor":true,"loginTokens":["user//a"]},"auth":"ldap"}}}`: {
			"domains..allowedOrigin is true: pages of any site could act for the users. It is not honoured; name the hosts", "domains..auth is not supported",
			"domains..dns is not for the default domain: it is left out", "domains..newAccounts is not supported: accounts are made by administrators",
			"domains..passwordrequirements.force2factor is not supported", "domains..passwordrequirements.loginTokens for some accounts alone is not supported",
		},
		`{"domains":{"a/b":{},"c":{"guestDeviceSharing":{"maxSessionTime":5},"certUrl":"https://x","allowedOrigin":["*"],"limits":{"maxUserSessions":1}}}}`: {
			`domains."a/b" is not a usable name of a domain: it is left out`, `domains.c.allowedOrigin: controlproto: origin "*"`, "domains.c.certUrl is not supported",
			"domains.c.guestdevicesharing.maxSessionTime is not supported", "domains.c.limits.maxUserSessions is not supported",
		},
		`{"domains":{"":{"preConfiguredScripts":[{"name":"x","type":"perl","cmd":"1"},{"name":"y","type":"sh","file":"none.sh"}]},"d":5}}`: {
			"domains..preConfiguredScripts[0] has no name, type or commands that can be used: it is left out", "domains..preConfiguredScripts[1]: open ",
			"domains.d is not an object: it is left out",
		},
	} {
		f, err := parseConfigFile([]byte(text), t.TempDir())
		require.NoError(t, err, text)
		slices.Sort(f.Warnings)
		require.Len(t, f.Warnings, len(want), "%s: %q", text, f.Warnings)
		for i, w := range want {
			require.True(t, strings.HasPrefix(f.Warnings[i], w), "%q, want %q", f.Warnings[i], w)
		}
	}
	for _, text := range []string{"", "[]", "{", `{"settings":{}} x`} {
		_, err := parseConfigFile([]byte(text), "")
		require.ErrorContains(t, err, "no JSON object", text)
	}
}

func TestCommandLineWins(t *testing.T) {
	data := t.TempDir()
	file := filepath.Join(data, configName)
	require.NoError(t, os.WriteFile(file, []byte(`{"settings":{"port":444,"trustedProxy":"192.0.2.1"},"domains":{"":{"certUrl":"https://proxy"}}}`), 0o600))
	parse := func(args ...string) config {
		return must(parseConfig(append(args, "-data", data), func(string) string { return "" }, io.Discard))
	}
	c := parse()
	require.Equal(t, ":444", c.Listen)
	require.Equal(t, "https://proxy", c.CertURL)
	require.Equal(t, "[192.0.2.1/32]", fmt.Sprint(c.TrustedProxies))
	c = parse("-listen", "127.0.0.1:1", "-cert-url", "file:///x", "-trusted-proxy", "192.0.2.2")
	require.Equal(t, "127.0.0.1:1", c.Listen)
	require.Equal(t, "file:///x", c.CertURL)
	require.Equal(t, "[192.0.2.2/32]", fmt.Sprint(c.TrustedProxies))

	other := filepath.Join(t.TempDir(), "other.json")
	require.NoError(t, os.WriteFile(other, []byte(`{"settings":{"port":445,"portBind":"127.0.0.1"}}`), 0o600))
	require.Equal(t, "127.0.0.1:445", parse("-config", other).Listen)
	_, err := parseConfig([]string{"-config", filepath.Join(data, "none.json")}, func(string) string { return "" }, io.Discard)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestConfigThatContradictsItself is the same at every start: nothing depends on the order of maps.
func TestConfigThatContradictsItself(t *testing.T) {
	for range 20 {
		f, err := parseConfigFile([]byte(`{"settings":{"port":1,"Port":2},"domains":{
			"a":{"dns":"one.example.com"},"b":{"dns":"ONE.example.com"},"static":{},"login":{},"control.ashx":{},"..":{},"Agentinvite":{}}}`), t.TempDir())
		require.NoError(t, err)
		require.Equal(t, []string{
			`settings.port is there more than once: the one written as "Port" counts`,
			`domains.".." is not a usable name of a domain: it is left out`,
			`domains.b.dns is that of the domain "a" already: it is left out`,
		}, []string{f.Warnings[0], f.Warnings[1], f.Warnings[3]})
		require.Len(t, f.Warnings, 7)
		require.Len(t, f.Domains, 3)
		require.Equal(t, []string{"one.example.com", ""}, []string{f.Domains["a"].DNS, f.Domains["b"].DNS})
		require.Equal(t, 2, f.Port)
	}
}

// TestKeysThatKeepNobodyOut are no reason to let everybody in.
func TestKeysThatKeepNobodyOut(t *testing.T) {
	for _, key := range []string{`""`, `[]`, `7`, `{"a":"b"}`, `["a",""]`, `["a",1]`, `[null]`} {
		_, err := parseConfigFile([]byte(`{"domains":{"":{"loginKey":`+key+`}}}`), t.TempDir())
		require.ErrorContains(t, err, "domains..loginkey", key)
	}
	f, err := parseConfigFile([]byte(`{"domains":{"":{"loginKey":"one,key"},"a":{"loginKey":null}}}`), t.TempDir())
	require.NoError(t, err)
	require.Len(t, f.urlKeys(""), 1, "there are no commas in keys of stock servers")
	require.Empty(t, f.urlKeys("a"))
}

// TestConfigIsDocumented finds every setting that the file is read for in CONFIG.md.
func TestConfigIsDocumented(t *testing.T) {
	doc := strings.ToLower(string(must(os.ReadFile("CONFIG.md"))))
	for _, name := range honoured(t) {
		require.Contains(t, doc, "`"+name+"`")
	}
}

// honoured are the names of all settings that stockConfig uses, in lower case.
func honoured(t *testing.T) (names []string) {
	t.Helper()
	for _, part := range strings.Split(stockConfig, `"`) {
		switch lower := strings.ToLower(part); lower {
		case "redirport", "settings", "domains":
		case "port", "portbind", "aliasport", "cert", "wanonly", "tlsoffload", "trustedproxy", "logincookieencryptionkey", "invitationlinkencryptionkey",
			"allowlogintoken", "maxinvalidlogin", "managealldevicegroups", "interusermessaging", "cookieipcheck", "cookieencoding", "dbexpire",
			"agentpong", "agentidletimeout", "title", "loginkey", "certurl", "userconsentflags", "passwordrequirements", "guestdevicesharing",
			"clipboardget", "clipboardset", "maxdeviceview", "usersessionidletimeout", "twofactorcookiedurationdays", "newaccounts", "limits",
			"allowedorigin", "preconfiguredscripts", "dns", "mpsport", "mpsportbind", "mpscert", "mpsaliashost", "mpstlsoffload",
			"mpshighsecurity", "mpspass":
			names = append(names, lower)
		}
	}
	require.NotEmpty(t, names)
	return append(names, "agentping")
}

func FuzzConfigFile(f *testing.F) {
	f.Add([]byte(stockConfig))
	f.Add([]byte(`{"settings":{"port":1e3,"dbExpire":[]},"domains":{"":null,"a":{"limits":{"maxUserAccounts":-1}}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseConfigFile(b, t.TempDir())
		if err != nil {
			return
		}
		require.Contains(t, c.Domains, "")
		for id, d := range c.Domains {
			require.Equal(t, id, d.ID)
			require.NotContains(t, id, "/")
		}
	})
}
