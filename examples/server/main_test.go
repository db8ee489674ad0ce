package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
	"github.com/meshcentral-go/sdk/nodeid"
)

// childVariable makes the test binary the server itself, so that tests see a real process and its exit status.
const childVariable = "SERVER_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		main()
		return
	}
	os.Exit(runTests(m))
}

// buildDir is where tests build what they run.
var buildDir string

func runTests(m *testing.M) int {
	var err error
	if buildDir, err = os.MkdirTemp("", "server-test-*"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(buildDir)
	return m.Run()
}

// command returns the server as a command that is killed when the test ends or takes very long.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // certificates are made, and more
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), childVariable+"=1")
	return cmd
}

func TestWhatKeepsTheServerFromStarting(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { taken.Close() })
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("text"), 0o600))
	damaged := filepath.Join(dir, "damaged")
	require.NoError(t, os.Mkdir(damaged, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(damaged, "root-cert-public.crt"), []byte("text"), 0o600))

	tests := map[string]struct {
		args []string
		want string
	}{
		"unknown flag":        {[]string{"-nonsense"}, "-nonsense"},
		"argument":            {[]string{"serve"}, `"serve"`},
		"listen":              {[]string{"-listen", "8443"}, "-listen"},
		"listen on a name":    {[]string{"-listen", "256.256.256.256:1"}, "256.256.256.256"},
		"taken port":          {[]string{"-listen", taken.Addr().String()}, "address already in use"},
		"admin":               {[]string{"-admin", "root"}, "-admin: want name:password"},
		"admin's domain":      {[]string{"-admin", "nowhere/root:hunter2hunter2"}, `administrator: config.json has no domain "nowhere"`},
		"admin in two":        {[]string{"-admin", "a/b/root:hunter2hunter2"}, "-admin: want name:password or domain/name:password"},
		"short password":      {[]string{"-admin", "root:hunter2"}, "-admin: the password has less than 8"},
		"data is a file":      {[]string{"-data", file}, "not a directory"},
		"data under a file":   {[]string{"-data", filepath.Join(file, "sub")}, "not a directory"},
		"damaged data":        {[]string{"-data", damaged}, "root-cert"},
		"no data":             {[]string{"-data", ""}, "-data"},
		"core":                {[]string{"-core", filepath.Join(dir, "missing.js")}, "missing.js"},
		"core folder":         {[]string{"-core", dir}, "agents folder"},
		"web-cert alone":      {[]string{"-web-cert", file}, "go together"},
		"web-cert no PEM":     {[]string{"-web-cert", file, "-web-key", file}, "-web-cert"},
		"trusted-proxy":       {[]string{"-trusted-proxy", "10.0.0.0/8,proxy"}, "-trusted-proxy"},
		"cert-url":            {[]string{"-cert-url", "http://127.0.0.1"}, "-cert-url"},
		"mps":                 {[]string{"-mps", "4433"}, "-mps"},
		"mps port taken":      {[]string{"-mps", taken.Addr().String()}, "-mps: listen"},
		"mps-tls":             {[]string{"-mps-tls", "modern"}, "-mps-tls"},
		"log-level":           {[]string{"-log-level", "loud"}, "-log-level"},
		"flag without value":  {[]string{"-data"}, "-data"},
		"environment's admin": {nil, adminVariable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"-data", filepath.Join(t.TempDir(), "data")}, test.args...)
			if name != "listen" && name != "listen on a name" && name != "taken port" {
				args = append([]string{"-listen", "127.0.0.1:0"}, args...)
			}
			cmd := command(t, args...)
			if name == "environment's admin" {
				cmd.Env = append(cmd.Env, adminVariable+"=root:hunter2")
			}
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			err := cmd.Run()
			var exit *exec.ExitError
			require.True(t, errors.As(err, &exit), "%v: %s", err, &stderr)
			require.Equal(t, 2, exit.ExitCode(), stderr.String())
			require.Empty(t, stdout.String())
			require.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())
			require.True(t, strings.HasPrefix(stderr.String(), "server: "), stderr.String())
			require.Contains(t, stderr.String(), test.want)
			require.NotContains(t, stderr.String(), "hunter2")
		})
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Zero(t, run([]string{"-h"}, func(string) string { return "" }, &stdout, &stderr))
	require.Empty(t, stderr.String())
	for _, name := range []string{"listen", "data", "config", "admin", "core", "web-cert", "web-key", "trusted-proxy", "cert-url", "mps", "mps-tls", "log-level"} {
		require.Contains(t, stdout.String(), "\n  -"+name+" ")
	}
}

// child is a server in a process of its own.
type child struct {
	cmd     *exec.Cmd
	log     *bytes.Buffer
	welcome string
	url     string
	browser *http.Client
}

var urlPattern = regexp.MustCompile(`https://127\.0\.0\.1:\d+`)

// startChild starts a server on a data folder and waits until it is ready.
func startChild(t *testing.T, data string, args ...string) *child {
	t.Helper()
	s := &child{cmd: command(t, append([]string{"-listen", "127.0.0.1:0", "-data", data}, args...)...), log: &bytes.Buffer{}}
	s.cmd.Stderr = s.log
	stdout, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() { s.cmd.Process.Kill() })
	lines := bufio.NewScanner(stdout)
	for !strings.Contains(s.welcome, "examples/agent") {
		require.True(t, lines.Scan(), "the server did not start")
		s.welcome += lines.Text() + "\n"
	}
	s.url = urlPattern.FindString(s.welcome)
	require.NotEmpty(t, s.url, s.welcome)

	// The root that was made is what the welcome tells curl to trust.
	root, err := os.ReadFile(filepath.Join(data, "root-cert-public.crt"))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(root))
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	s.browser = &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	return s
}

// stop ends the server as a service manager does.
func (s *child) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, s.cmd.Wait(), s.log.String())
	require.Contains(t, s.log.String(), "msg=stopped")
}

func (s *child) get(t *testing.T, path string) (*http.Response, string) {
	t.Helper()
	res, err := s.browser.Get(s.url + path)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body)
}

func (s *child) login(t *testing.T, password string) int {
	t.Helper()
	res, err := s.browser.PostForm(s.url+"/login", url.Values{"user": {"admin"}, "password": {password}})
	require.NoError(t, err)
	defer res.Body.Close()
	return res.StatusCode // after the redirect
}

func TestFirstStartAndRestart(t *testing.T) {
	data := filepath.Join(t.TempDir(), "a", "b")
	s := startChild(t, data)
	password := regexp.MustCompile(`as admin with the password (\S+)`).FindStringSubmatch(s.welcome)
	require.Len(t, password, 2, s.welcome)
	info, err := os.Stat(data)
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm()&0o077, "the folder has private keys")

	res, body := s.get(t, "/health.ashx")
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "ok", body)
	require.Equal(t, 1, res.ProtoMajor)
	require.GreaterOrEqual(t, res.TLS.Version, uint16(tls.VersionTLS12))
	require.Equal(t, x509.ECDSA, res.TLS.PeerCertificates[0].PublicKeyAlgorithm)
	require.NotEmpty(t, res.Header.Get("Content-Security-Policy"), "every answer is protected")

	// No endpoint answers what the page of another site made a browser ask.
	for _, path := range []string{"/", "/login", "/live", "/agent.ashx", "/domain/agent.ashx", "/meshsettings", "/health.ashx", "/nothing"} {
		req := must(http.NewRequest("GET", s.url+path, nil))
		req.Header.Set("Origin", "https://example.com")
		res, err := s.browser.Do(req)
		require.NoError(t, err)
		res.Body.Close()
		require.Equal(t, http.StatusForbidden, res.StatusCode, path)
	}

	// The .msh file: the one in the folder, and the one that the printed command fetches.
	saved, err := os.ReadFile(filepath.Join(data, "default.msh"))
	require.NoError(t, err)
	path := regexp.MustCompile(`/meshsettings\?id=[^']+`).FindString(s.welcome)
	res, body = s.get(t, path)
	require.Equal(t, string(saved), body)
	require.Equal(t, "application/octet-stream", res.Header.Get("Content-Type"))
	require.Equal(t, `attachment; filename="meshagent.msh"`, res.Header.Get("Content-Disposition"))
	msh, err := certs.ParseMSH(saved)
	require.NoError(t, err)
	require.NoError(t, msh.Validate())
	require.Equal(t, "default", msh.MeshName())
	servers, err := msh.Servers()
	require.NoError(t, err)
	require.Len(t, servers, 1)
	require.Equal(t, strings.Replace(s.url, "https", "wss", 1)+"/agent.ashx", servers[0].URL)
	set, err := certs.Folder{Path: data}.Load()
	require.NoError(t, err)
	serverID, err := set.ServerID()
	require.NoError(t, err)
	require.Equal(t, serverID, servers[0].ID)

	// All forms of its id, and ids of nothing.
	mesh, err := msh.MeshID()
	require.NoError(t, err)
	for _, id := range []string{mesh.String(), "mesh//" + mesh.String(), "0x" + mesh.Hex()} {
		_, body = s.get(t, "/meshsettings?id="+url.QueryEscape(id))
		require.Equal(t, string(saved), body, id)
	}
	for _, id := range []string{"", "x", nodeid.MeshID{1}.String(), "mesh/other/" + mesh.String(), "mesh//" + mesh.String() + "/"} {
		res, _ = s.get(t, "/meshsettings?id="+url.QueryEscape(id))
		require.Equal(t, http.StatusUnauthorized, res.StatusCode, id)
	}

	require.Equal(t, http.StatusForbidden, s.login(t, "wrong"))
	require.Equal(t, http.StatusOK, s.login(t, password[1]))
	_, body = s.get(t, "/")
	require.Contains(t, body, "<h2>default</h2>")
	require.Contains(t, body, strings.ReplaceAll(path, "&", "&amp;"))

	// A page that is open does not keep the server from ending.
	live, err := s.browser.Get(s.url + "/live")
	require.NoError(t, err)
	defer live.Body.Close()
	s.stop(t)
	require.NotContains(t, s.log.String(), password[1])
	files, err := filepath.Glob(filepath.Join(data, "*.sqlite*"))
	require.NoError(t, err)
	require.Len(t, files, 1, "nothing is left in a log of the database")

	s = startChild(t, data, "-admin", "Admin:another one")
	require.NotContains(t, s.welcome, "password")
	require.Equal(t, http.StatusForbidden, s.login(t, password[1]))
	require.Equal(t, http.StatusOK, s.login(t, "another one"))
	_, body = s.get(t, "/events")
	require.Equal(t, 2, strings.Count(body, "server started"))
	require.Equal(t, 1, strings.Count(body, "server stopped"))
	msh2, err := certs.ParseMSH(must(os.ReadFile(filepath.Join(data, "default.msh"))))
	require.NoError(t, err)
	mesh2, err := msh2.MeshID()
	require.NoError(t, err)
	require.Equal(t, mesh, mesh2, "the group stays")
	s.stop(t)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestParseConfig(t *testing.T) {
	parse := func(env string, args ...string) (config, error) {
		return parseConfig(args, func(name string) string {
			if name == adminVariable {
				return env
			}
			return ""
		}, io.Discard)
	}
	c, err := parse("")
	require.NoError(t, err)
	require.Equal(t, config{Listen: "127.0.0.1:8443", Data: "meshcentral-go-data"}, c)

	c, err = parse("env:of the environment", "-trusted-proxy", "10.1.2.3/8, 192.0.2.1", "-trusted-proxy", "2001:db8::/32", "-log-level", "debug")
	require.NoError(t, err)
	require.Equal(t, "[10.0.0.0/8 192.0.2.1/32 2001:db8::/32]", fmt.Sprint(c.TrustedProxies))
	require.Equal(t, "env", c.Admin.Name)
	require.Equal(t, "of the environment", c.Admin.Password.Reveal())
	c, err = parse("env:of the environment", "-admin", "flag:with:colons in it")
	require.NoError(t, err)
	require.Equal(t, "flag", c.Admin.Name)
	require.Equal(t, "with:colons in it", c.Admin.Password.Reveal())
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", c.Admin, c, *c.Admin, *c.Admin), "colons")
}

func TestPublicAddress(t *testing.T) {
	listening := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711}
	for _, test := range []struct {
		cfg   config
		want  string
		fixed bool
	}{
		{config{Listen: "127.0.0.1:0"}, "127.0.0.1:4711", true},
		{config{Listen: "[::1]:0"}, "[::1]:4711", true},
		{config{Listen: "mesh.example.com:0"}, "mesh.example.com:4711", true},
		{config{Listen: ":0", CertURL: "https://proxy.example.com"}, "proxy.example.com:443", true},
		{config{Listen: ":0", CertURL: "https://[2001:db8::1]:444/x"}, "[2001:db8::1]:444", true},
		// Behind a proxy whose name is not told, clients know better.
		{config{Listen: "127.0.0.1:0", CertURL: "file:///etc/proxy.pem"}, "127.0.0.1:4711", false},
		{config{Listen: "127.0.0.1:0", CertURL: "https://127.0.0.1:444"}, "127.0.0.1:444", false},
		{config{Listen: "127.0.0.1:0", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, "127.0.0.1:4711", false},
	} {
		got, fixed := publicAddress(test.cfg, listening)
		require.Equal(t, test.want, got)
		require.Equal(t, test.fixed, fixed)
	}
	for _, all := range []string{":0", "0.0.0.0:0", "[::]:0"} {
		got, fixed := publicAddress(config{Listen: all}, listening)
		require.True(t, strings.HasSuffix(got, ":4711"), got)
		require.False(t, fixed)
	}
}

func TestAddressInSettings(t *testing.T) {
	s := &site{address: "server.example.com:8443", tenants: tenants{"": {}, "c": byName("c", "c.example.com")}}
	for host, want := range map[string]string{
		"mesh.example.com":      "mesh.example.com:443",
		"mesh.example.com:8443": "mesh.example.com:8443",
		"[2001:db8::1]:1":       "[2001:db8::1]:1",
		"":                      s.address,
		"user@host":             s.address,
		"a b":                   s.address,
		"x\r\nMeshServer=y":     s.address,
	} {
		require.Equal(t, want, s.addressFor("", host), host)
	}
	require.Equal(t, "c.example.com:8443", s.addressFor("c", "mesh.example.com:8443"))
	require.Equal(t, "https://mesh.example.com/", s.baseURL("", "mesh.example.com"))
	s.fixed = true
	require.Equal(t, s.address, s.addressFor("", "mesh.example.com"))
	require.Equal(t, "https://server.example.com:8443/", s.baseURL("", "mesh.example.com"))
	require.Equal(t, "https://c.example.com:8443/", s.baseURL("c", "mesh.example.com"))
}

func TestSetGroup(t *testing.T) {
	store, records := openTestRecords(t)
	group, err := setGroup(t.Context(), store, records)
	require.NoError(t, err)
	require.Equal(t, "default", group.Name)
	other := newGroup(1, "a group before it", controlproto.GroupAgent)
	require.NoError(t, records.Update(t.Context(), func(tx *controlserver.Tx) error { return tx.AddGroup(other) }))
	again, err := setGroup(t.Context(), store, records)
	require.NoError(t, err)
	require.Equal(t, group.ID, again.ID, "the one that it was before")

	store, records = openTestRecords(t)
	require.NoError(t, records.Update(t.Context(), func(tx *controlserver.Tx) error {
		return errors.Join(tx.AddGroup(other), tx.AddGroup(newGroup(2, "0", controlproto.GroupLocal)))
	}))
	group, err = setGroup(t.Context(), store, records)
	require.NoError(t, err)
	require.Equal(t, other.ID, group.ID, "no second group beside one that takes agents")
}

func TestSetAdmin(t *testing.T) {
	store, records := openTestRecords(t)
	group, err := setGroup(t.Context(), store, records)
	require.NoError(t, err)
	made, err := setAdmin(t.Context(), records, nil, group.ID)
	require.NoError(t, err)
	require.Equal(t, "admin", made.Name)
	right := func(name, password string) bool {
		ok, err := records.CheckPassword(t.Context(), controlproto.UserID("", name), controlproto.NewSecret(password))
		require.NoError(t, err)
		return ok
	}
	require.True(t, right("admin", made.Password.Reveal()))
	rights, _ := records.GroupRights("user//admin", group.ID)
	require.True(t, rights.Full())

	again, err := setAdmin(t.Context(), records, nil, group.ID)
	require.NoError(t, err)
	require.Nil(t, again, "there is one")
	for _, password := range []string{"first password", "first password", "second password"} {
		_, err = setAdmin(t.Context(), records, must(parseAdmin("Second:"+password)), group.ID)
		require.NoError(t, err)
		require.True(t, right("second", password))
	}
	require.False(t, right("second", "first password"))
	u, err := records.User(t.Context(), "user//second")
	require.NoError(t, err)
	require.True(t, u.SiteRights.Full())
	require.Equal(t, "Second", u.Name)
}

// TestEndDoesNotWaitForSlowRequests ends a server while a client has sent half a request.
func TestEndDoesNotWaitForSlowRequests(t *testing.T) {
	data := t.TempDir()
	s := startChild(t, data)
	conn, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, err)
	defer conn.Close()
	fmt.Fprintf(conn, "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nuser=")
	s.get(t, "/health.ashx") // by now the other connection was accepted
	s.stop(t)
	store, err := sqlstore.Open(t.Context(), filepath.Join(data, "meshcentral-go.sqlite"))
	require.NoError(t, err)
	defer store.Close()
	require.NoError(t, store.View(t.Context(), func(tx controlserver.StoreTx) error {
		events, err := tx.Events(controlserver.EventQuery{Targets: []string{toPages}, Limit: 1})
		require.NoError(t, err)
		require.Equal(t, "stopped", events[0].Action)
		return nil
	}))
}

// TestPasswordIsNotLost lets a first start fail late: the next one prints the password.
func TestPasswordIsNotLost(t *testing.T) {
	data := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(data, "default.msh"), 0o700))
	require.Error(t, command(t, "-listen", "127.0.0.1:0", "-data", data).Run())
	require.NoError(t, os.Remove(filepath.Join(data, "default.msh")))
	s := startChild(t, data)
	require.Contains(t, s.welcome, "Log in as admin with the password")

	var stderr bytes.Buffer
	second := command(t, "-listen", "127.0.0.1:0", "-data", data)
	second.Stderr = &stderr
	require.Error(t, second.Run())
	require.Contains(t, stderr.String(), "another server works on")
	s.stop(t)
}
