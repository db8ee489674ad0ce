package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

// config changes what it is told to and leaves all else as it was, order and big numbers included.
func TestConfig(t *testing.T) {
	const before = `{"$schema":"x","settings":{"cert":"h","big":12345678901234567890},"domains":{"":{"title":"T"},"_old":{},"cust":{"Title":"C","z":1.0}}}`
	for _, test := range []struct {
		args, want string
	}{
		{"--adddomain new --title Hello --newAccounts false --userQuota 1000",
			`"cust":{"Title":"C","z":1.0},"new":{"title":"Hello","userquota":1000,"newaccounts":false}}`},
		{"--removedomain cust", `"domains":{"":{"title":"T"},"_old":{}}`},
		{"--settodomain cust --title D --limits {\"maxDevices\":5}", `"cust":{"Title":"D","z":1.0,"limits":{"maxDevices":5}}`},
		{"--settodomain cust --title", `"cust":{"z":1.0}`},
		{"--settodomain --title U", `"domains":{"":{"title":"U"},`},
		{"--settodomain cust --loginKey [\"k\"]", `"loginkey":["k"]`},
		{"--removefromdomain cust --title", `"cust":{"z":1.0}`},
	} {
		path := write(t, "config.json", before, 0o640)
		w := newWorld(t)
		require.Equal(t, "Done.\n", w.ok(t, append([]string{"config", "--file", path}, strings.Fields(test.args)...)...), test.args)
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		text := strings.Join(strings.Fields(string(b)), "")
		require.Contains(t, text, test.want, test.args)
		require.Contains(t, text, `"$schema":"x","settings":{"cert":"h","big":12345678901234567890}`, test.args)
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o640), info.Mode().Perm())
	}
	path := write(t, "config.json", before, 0o600)
	w := newWorld(t)
	require.Equal(t, "DOMAIN\ncust\n", w.ok(t, "config", "--file", path, "--listdomains"))
	require.Contains(t, w.ok(t, "config", "--file", path, "--show"), `"big": 12345678901234567890`)
	for args, code := range map[string]int{
		"--adddomain cust": exitRefused, "--removedomain none": exitRefused, "--settodomain none --title x": exitRefused,
		"--settodomain cust --limits [1]": exitUsage, "--settodomain cust --newAccountsRights {": exitUsage, "": exitUsage,
		"--show --listdomains": exitUsage,
	} {
		got, _, stderr := w.run(t.Context(), append([]string{"config", "--file", path}, strings.Fields(args)...)...)
		require.Equal(t, code, got, "%s: %s", args, stderr)
	}
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, string(after))
	for _, content := range []string{"", "[]", `{"domains":[]}`, `{"a":1}{}`, `{"a"`} {
		code, _, _ := w.run(t.Context(), "config", "--show", "--file", write(t, "config.json", content, 0o600))
		require.Equal(t, exitUsage, code, content)
	}
}

func TestErrorLog(t *testing.T) {
	line := strings.Repeat("n", 70) + ", 1795400000000, "
	path := write(t, "log.txt", line+`{"action":"errorlog","log":[{"t":1,"m":"STUCK here"},{"t":2,"m":"STUCK here"},{"t":3,"m":"a FATAL \u001b"},{"t":4,"m":"small"},{"m":"STUCK"}]}`+
		"\r\nshort\r\n"+line+`{"action":"other"}`+"\r\n"+line+"{broken\r\n", 0o600)
	w := newWorld(t)
	require.Equal(t, "COUNT  MESSAGE\n2      STUCK here\n1      a FATAL \uFFFD\n", w.ok(t, "indexagenterrorlog", "--file", path))
	require.Contains(t, w.ok(t, "indexagenterrorlog", "--file", path, "--all", "--csv"), "1,small\n")
	code, _, _ := w.run(t.Context(), "indexagenterrorlog", "--file", "missing")
	require.Equal(t, exitUsage, code)
}

func TestDeviceFilter(t *testing.T) {
	d := &controlproto.Device{
		Name: "Kiosk-1", IP: "192.0.2.7", OSDesc: "Windows 11", Tags: []string{"Front", "b"}, Users: []string{"LAB\\Ann"}, Desc: "Spare",
		Agent: &controlproto.DeviceAgent{Tag: "x1"}, AMT: &controlproto.DeviceAMT{State: new(2)},
		Windows: &controlproto.WindowsSecurity{AntiVirus: "OK", AutoUpdate: "PROBLEM", Firewall: "OK"},
	}
	for filter, want := range map[string]bool{
		"": true, "kiosk": true, "nothing": false, "nothing kiosk": true, "KIOSK and ip:192.0": true, "kiosk and ip:10.": false,
		"ip:10. or os:windows": true, "user:ann": true, "u:bob": false, "group:lab": true, "g:home": false, "tag:front": true, "t:fron": false,
		"tag:": false, "atag:x": true, "a:y": false, "atag:": false, "os:linux": false, "amt:2": true, "amt:0": false, "amt:": true, "desc:spare": true,
		"desc:x": false, "wsc:ok": false, "wsc:noupdate": true, "wsc:noav": false, "wsc:any": true, "x or y and kiosk or g:lab": true,
	} {
		f, err := parseDeviceFilter(filter)
		require.NoError(t, err)
		require.Equal(t, want, f(d, "The Lab"), filter)
	}
}

func TestTimeZone(t *testing.T) {
	at := time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for _, test := range []struct {
		now    time.Time
		env    string
		name   string
		behind int
	}{
		{at, "", "UTC", 0},
		{at.In(berlin), "", "Europe/Berlin", -60},
		{at.In(time.FixedZone("Local", 2*3600)), "", "Etc/GMT-2", -120},
		{at.In(time.FixedZone("Local", -5*3600)), "nonsense", "Etc/GMT+5", 300},
		{at.In(time.FixedZone("Local", 3600)), ":Europe/Berlin", "Europe/Berlin", -60},
	} {
		name, behind := timeZone(test.now, test.env)
		require.Equal(t, test.name, name)
		require.Equal(t, test.behind, behind)
	}
}

func TestWithID(t *testing.T) {
	d := &controlproto.Device{ID: "node//abcdef"}
	for ids, want := range map[string]bool{"": true, " , ": true, "bcd": true, "xyz": false, "xyz, node//abc": true} {
		require.Equal(t, want, withID(d, ids), ids)
	}
}
