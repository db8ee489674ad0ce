package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controltest"
)

const tokenName, tokenSecret = "~t:0123456789abcdef", "the-secret-of-it"

// A profile with a login token is made, used, listed and removed, and never shows the secret.
func TestProfiles(t *testing.T) {
	s := controltest.NewServer(t)
	s.AddToken(tokenName, tokenSecret, s.AddUser("ann", "pw", controlproto.SiteFull))
	w := newWorld(t)
	w.inTerminal, w.answer = true, tokenSecret

	out := w.ok(t, "profile", "set", "work", "--url", s.URL, "--loginuser", tokenName, "--pin", pinOf(s.Certificate().Raw))
	require.Equal(t, "saved profile work\n", out)
	require.Equal(t, []string{"Secret of " + tokenName + ": "}, w.asked)
	path := filepath.Join(w.dir, filepath.FromSlash(profileFile))
	info, err := os.Stat(path)
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(content), tokenSecret)

	for _, args := range [][]string{{"userinfo"}, {"userinfo", "--profile", "work"}} { // it is the default
		require.Contains(t, w.ok(t, args...), "user//ann")
	}
	for _, args := range [][]string{{"profile", "list"}, {"profile", "list", "--json"}, {"profile", "list", "--csv"}} {
		out := w.ok(t, args...)
		require.Contains(t, out, tokenName)
		require.NotContains(t, out, tokenSecret)
	}
	w.ok(t, "profile", "set", "other", "--url", "wss://other.example", "--loginuser", "bob")
	w.ok(t, "profile", "default", "other")
	require.Contains(t, w.ok(t, "profile", "list", "--csv"), "other,wss://other.example,bob,\"password, asked for\",yes\n")
	w.ok(t, "profile", "remove", "other")
	code, _, stderr := w.run(t.Context(), "userinfo", "--profile", "other")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, `no profile "other"`)

	if runtime.GOOS == "windows" {
		return
	}
	require.NoError(t, os.Chmod(path, 0o640))
	code, _, stderr = w.run(t.Context(), "userinfo")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "chmod 600")
}

// A new login token goes into a profile without being shown.
func TestSaveToken(t *testing.T) {
	s := controltest.NewServer(t)
	ann := s.AddUser("ann", "pw", controlproto.SiteFull)
	s.AddToken(tokenName, tokenSecret, ann)
	s.Reply("createLoginToken", &controlproto.CreateLoginTokenReply{
		Name: "meshctl", TokenUser: tokenName, TokenPass: controlproto.NewSecret(tokenSecret),
	})
	w := on(t, s)
	out := w.ok(t, "logintokens", "--add", "meshctl", "--save", "work")
	require.NotContains(t, out, tokenSecret)
	w.env = nil // of the environment nothing is needed any more
	require.Contains(t, w.ok(t, "userinfo"), "user//ann")
}

// What is secret in a profile goes to its own server, and is used for its own account.
func TestProfileSecretStays(t *testing.T) {
	stranger := controltest.NewServer(t)
	w := newWorld(t)
	w.inTerminal, w.answer = true, tokenSecret
	w.ok(t, "profile", "set", "work", "--url", "wss://work.example", "--loginuser", tokenName)
	w.inTerminal, w.asked = false, nil
	for _, args := range [][]string{
		{"--url", stranger.URL, "--pin", pinOf(stranger.Certificate().Raw)},
		{"--url", stranger.URL, "--profile", "work"},
		{"--loginuser", "bob"},
	} {
		code, _, stderr := w.run(t.Context(), append([]string{"userinfo"}, args...)...)
		require.Equal(t, exitUsage, code, args)
		require.Contains(t, stderr, "no password", args)
	}
}

func TestProfileSetRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		"--url is missing":  {},
		"file of its own":   {"--url", "wss://x", "--loginkey", strings.Repeat("a", 160)},
		"keep no passwords": {"--url", "wss://x", "--loginpass", "pw"},
		"login key file":    {"--url", "wss://x", "--loginkeyfile", "missing"},
	} {
		code, _, stderr := newWorld(t).run(t.Context(), append([]string{"profile", "set", "work"}, args...)...)
		require.Equal(t, exitUsage, code, args)
		require.Contains(t, stderr, want)
	}
}

// The sources of settings count in their order.
func TestGather(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, (&app{system: w.system}).saveProfiles(&profiles{Default: "d", Profiles: map[string]*profile{
		"d": {URL: "wss://d", User: "~t:d", TokenSecret: "ds", Pin: "dp"},
		"n": {URL: "wss://n", User: "~t:n", TokenSecret: "ns"},
	}}))
	for _, test := range []struct {
		name  string
		flags []string
		env   map[string]string
		want  string
	}{
		{"default profile", nil, nil, "wss://d ~t:d ds dp"},
		{"named profile", []string{"--profile", "n"}, nil, "wss://n ~t:n ns "},
		{"profile of the environment", nil, map[string]string{"MESHCTL_PROFILE": "n"}, "wss://n ~t:n ns "},
		{"named profile before environment", []string{"--profile", "n"}, map[string]string{"MESHCTL_URL": "wss://e", "MESHCTL_USER": "e", "MESHCTL_PASSWORD": "es"}, "wss://n ~t:n ns "},
		{"environment before default profile", nil, map[string]string{"MESHCTL_URL": "wss://e", "MESHCTL_USER": "e", "MESHCTL_PASSWORD": "es"}, "wss://e e es "},
		{"flags before all", []string{"--url", "wss://f", "--loginuser", "f", "--loginpass", "fs", "--profile", "n"}, map[string]string{"MESHCTL_PASSWORD": "es"}, "wss://f f fs "},
		{"password for the default account", []string{"--loginpass", "fs"}, nil, "wss://d admin fs dp"},
		{"password of the environment for an account", []string{"--loginuser", "bob"}, map[string]string{"MESHCTL_PASSWORD": "es"}, "wss://d bob es dp"},
		{"password of another account", []string{"--loginuser", "bob"}, map[string]string{"MESHCTL_USER": "e", "MESHCTL_PASSWORD": "es"}, "wss://d bob  dp"},
		{"another server", []string{"--url", "wss://f"}, nil, "wss://f admin  "},
		{"another account", []string{"--loginuser", "bob"}, nil, "wss://d bob  dp"},
	} {
		w.env = test.env
		a := &app{system: w.system}
		root := a.root()
		cmd := child(root, "userinfo")
		require.NoError(t, cmd.ParseFlags(test.flags), test.name)
		set, err := a.gather(cmd)
		require.NoError(t, err, test.name)
		require.Equal(t, test.want, fmt.Sprintf("%s %s %s %s", set.url, set.user, set.pass.Reveal(), set.pin), test.name)
	}
}

// No form of printing shows a secret.
func TestSettingsArePrivate(t *testing.T) {
	s := settings{pass: controlproto.NewSecret("sesame"), token: controlproto.NewSecret("sesame"), key: controlproto.NewSecret("sesame")}
	p := profile{TokenSecret: "sesame"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		require.NotContains(t, fmt.Sprintf(verb, s), "sesame", verb)
		require.NotContains(t, fmt.Sprintf(verb, p), "sesame", verb)
		require.NotContains(t, fmt.Sprintf(verb, &p), "sesame", verb)
	}
}

// Malformed files are named, not quoted.
func TestMalformedProfiles(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(w.dir, filepath.FromSlash(profileFile))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	for _, content := range []string{`{"profiles":{"x":{"tokenSecret":"sesame"`, `{"sesame":1}`, `{"profiles":{"x":{"tokenSecret":["sesame"]}}}`} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		code, _, stderr := w.run(t.Context(), "profile", "list")
		require.Equal(t, exitUsage, code)
		require.Contains(t, stderr, "malformed")
		require.NotContains(t, stderr, "sesame")
	}
}
