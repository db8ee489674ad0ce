package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/interop"
)

// onStock makes a world that knows a stock server.
func onStock(t *testing.T, s *interop.Server) *world {
	t.Helper()
	w := newWorld(t)
	w.now, w.flags = time.Now, []string{"--wait", busyTime.String()}
	w.env["MESHCTL_URL"], w.env["MESHCTL_PIN"] = s.URL(), pinOf(s.WebCertificate(t).Raw)
	w.env["MESHCTL_USER"], w.env["MESHCTL_PASSWORD"] = interop.User, interop.Password
	return w
}

// Every way to log in, and what refusals and lost connections end with, on a stock server.
func TestStockLogins(t *testing.T) {
	s := interop.StartServer(t, interop.ServerOptions{})
	w := onStock(t, s)
	require.Contains(t, w.ok(t, "userinfo"), "_id: user//admin\n")
	require.Contains(t, w.ok(t, "serverinfo", "--json"), `"tlshash": "`+strings.ToUpper(w.env["MESHCTL_PIN"])+`"`)

	// A login token, first by hand and then by profile.
	out := w.ok(t, "logintokens", "--add", "job", "--expire", "60", "--json")
	var token struct{ TokenUser, TokenPass string }
	require.NoError(t, json.Unmarshal([]byte(out), &token))
	w.ok(t, "logintokens", "--add", "mine", "--save", "stock")
	require.Equal(t, 3, strings.Count(w.ok(t, "logintokens"), "\n"))

	// The login key, in a file and as a value.
	key := s.LoginKey(t)
	keyFile := write(t, "key.txt", key[:80]+"\r\n"+key[80:]+"\n", 0o600)

	w.env["MESHCTL_USER"], w.env["MESHCTL_PASSWORD"] = "", ""
	for name, args := range map[string][]string{
		"token":   {"--loginuser", token.TokenUser, "--loginpass", token.TokenPass},
		"key":     {"--loginkey", key},
		"keyfile": {"--loginkeyfile", keyFile},
		"profile": {"--profile", "stock"},
	} {
		out := w.ok(t, append([]string{"userinfo"}, args...)...)
		require.Contains(t, out, "_id: user//admin\n", name)
	}

	for name, test := range map[string]struct {
		code int
		args []string
	}{
		"password":   {exitRefused, []string{"--loginpass", "wrong"}},
		"token":      {exitRefused, []string{"--loginuser", token.TokenUser, "--loginpass", "wrong"}},
		"cookie":     {exitRefused, []string{"--loginkey", "wrong"}},
		"pin":        {exitConnection, []string{"--loginpass", interop.Password, "--pin", strings.Repeat("00", 48)}},
		"other port": {exitConnection, []string{"--loginpass", interop.Password, "--url", "wss://127.0.0.1:1"}},
	} {
		code, _, stderr := w.run(t.Context(), append([]string{"userinfo"}, test.args...)...)
		require.Equal(t, test.code, code, "%s: %s", name, stderr)
	}

	// Without the hash of the certificate, the server's own proof does.
	w = newWorld(t)
	w.flags = []string{"--wait", busyTime.String()}
	w.env["MESHCTL_URL"], w.env["MESHCTL_PASSWORD"] = s.URL(), interop.Password
	code, _, stderr := w.run(t.Context(), "userinfo")
	require.Equal(t, exitConnection, code)
	require.Contains(t, stderr, "--pin")
	require.Contains(t, w.ok(t, "userinfo", "--server-id", s.ServerID(t)), "_id: user//admin\n")
	code, _, _ = w.run(t.Context(), "userinfo", "--server-id", strings.Repeat("00", 48))
	require.Equal(t, exitConnection, code)
}

// Verbs on a stock server, with what its own tool says of the same.
func TestStockVerbs(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral, interop.PeerAgent)
	s := interop.StartServer(t, interop.ServerOptions{})
	w := onStock(t, s)

	out := w.ok(t, "adddevicegroup", "--name", "lab", "--desc", "second floor")
	group := strings.TrimSpace(strings.TrimPrefix(out, "ok "))
	require.True(t, strings.HasPrefix(group, "mesh//"), out)
	interop.StartAgent(t, s.MSH(t, group), interop.AgentOptions{})
	s.WaitDevice(t, interop.CoreRuns)

	// The listings that programs read agree.
	for _, args := range [][]string{
		{"listdevices", "--json"}, {"listdevicegroups", "--json"}, {"listusers", "--json"}, {"listusersofdevicegroup", "--id", strings.TrimPrefix(group, "mesh//"), "--json"},
	} {
		theirs, ours := sameTime(func() string {
			var theirs any
			s.MeshctrlJSON(t, &theirs, args...)
			return string(must(json.Marshal(theirs)))
		}, func() string { return w.ok(t, args...) })
		require.JSONEq(t, theirs, ours, args)
	}
	theirs, ours := sameTime(func() string { return s.Meshctrl(t, "listdevices", "--csv") },
		func() string { return w.ok(t, "listdevices", "--csv") })
	require.Equal(t, csvCells(theirs), csvCells(ours)[1:], "all but the line of names")
	require.Equal(t, "1\n", w.ok(t, "listdevices", "--group", "lab", "--count"))

	var devices []struct {
		ID   string `json:"_id"`
		Name string `json:"name"`
	}
	require.NoError(t, json.Unmarshal([]byte(w.ok(t, "listdevices", "--json")), &devices))
	name := devices[0].Name

	// On the device.
	w.ok(t, "editdevice", "--id", name, "--desc", "a device", "--tags", "kiosk,front")
	require.Equal(t, "1\n", w.ok(t, "listdevices", "--filter", "desc:device and tag:kiosk", "--count"))
	require.Contains(t, w.ok(t, "deviceinfo", "--id", name), "Description: a device\n")
	require.Contains(t, w.ok(t, "runcommand", "--id", name, "--run", "echo out$((1+1))", "--reply"), "out2")
	w.ok(t, "devicetoast", "--id", name, "--msg", "hello")

	content := noise(200_000)
	local := write(t, "up.bin", string(content), 0o600)
	far := t.TempDir()
	w.ok(t, "upload", "--id", name, "--file", local, "--target", far)
	near := filepath.Join(t.TempDir(), "down.bin")
	w.ok(t, "download", "--id", name, "--file", far+"/up.bin", "--target", near)
	back, err := os.ReadFile(near)
	require.NoError(t, err)
	require.True(t, string(content) == string(back))
	proved := newWorld(t)
	proved.flags = w.flags
	proved.env["MESHCTL_URL"], proved.env["MESHCTL_PASSWORD"], proved.env["MESHCTL_SERVER_ID"] = s.URL(), interop.Password, s.ServerID(t)
	proved.ok(t, "download", "--id", name, "--file", far+"/up.bin", "--target", t.TempDir()+"/")
	code, _, _ := w.run(t.Context(), "download", "--id", name, "--file", far+"/missing", "--target", near)
	require.Equal(t, exitRefused, code)

	if runtime.GOOS == "linux" {
		w.inTerminal, w.outTerminal = true, true
		w.rawTerminal = func() (func(), error) { return func() {}, nil }
		w.terminalSize = func() (int, int) { return 80, 25 }
		w.resized = resized
		keys, typed := io.Pipe()
		w.reads(keys)
		go func() { _, _ = typed.Write([]byte("echo shell$((1+1)); exit\n")) }()
		require.Contains(t, w.ok(t, "shell", "--id", name), "shell2")
		require.NoError(t, typed.Close())
		w.inTerminal, w.outTerminal = false, false
	}

	// Users, rights, links.
	w.ok(t, "adduser", "--user", "bob", "--pass", "Passw0rd!y", "--email", "bob@example.com")
	w.ok(t, "addusertodevicegroup", "--group", "lab", "--userid", "bob", "--remotecontrol")
	require.Contains(t, w.ok(t, "listusersofdevicegroup", "--id", "lab"), "remotecontrol")
	w.ok(t, "addusergroup", "--name", "desk")
	w.ok(t, "addtousergroup", "--groupid", "desk", "--id", "user//bob")
	require.Contains(t, w.ok(t, "removeallusersfromusergroup", "--groupid", "desk"), "Removing user//bob\n")
	require.True(t, strings.HasPrefix(w.ok(t, "generateinvitelink", "--group", "lab", "--hours", "1"), "https://"))
	require.Contains(t, w.ok(t, "devicesharing", "--id", name, "--add", "Eve", "--duration", "10"), "URL: https://")
	require.Contains(t, w.ok(t, "devicesharing", "--id", name), "Eve")
	require.Contains(t, w.ok(t, "report", "--type", "logins", "--groupby", "day", "--csv"), "group,time,")
	require.Contains(t, w.ok(t, "listevents", "--limit", "50"), "createmesh")
	code, _, stderr := w.run(t.Context(), "removedevicegroup", "--group", "lab", "--loginuser", "bob", "--loginpass", "Passw0rd!y")
	require.Equal(t, exitRefused, code, stderr)
	w.ok(t, "removeuser", "--userid", "bob")
	agent := filepath.Join(t.TempDir(), "agent")
	w.ok(t, "agentdownload", "--id", "lab", "--type", "6", "--output", agent)
	program, err := os.ReadFile(agent)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(program), "\x7FELF"))
	w.ok(t, "removedevicegroup", "--group", "lab")
	require.Equal(t, "None\n", w.ok(t, "listdevicegroups"))
}

// sameTime returns what two functions tell of the same state of a server, whose device still reports of itself: the first tells
// the same before the second and after it.
func sameTime(theirs, ours func() string) (string, string) {
	for before := theirs(); ; {
		between, after := ours(), theirs()
		if before == after {
			return before, between
		}
		before = after
	}
}

// csvCells are the cells of simple CSV, whatever is quoted.
func csvCells(text string) []string {
	var cells []string
	for line := range strings.Lines(strings.ReplaceAll(text, `"`, "")) {
		if line = strings.TrimSpace(line); line != "" {
			cells = append(cells, line)
		}
	}
	return cells
}
