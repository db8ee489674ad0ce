package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/agentproto/agenttest"
	"github.com/meshcentral-go/sdk/certs"
)

// mshURL is where a server hands out its settings.
func mshURL(s *agenttest.Server) string {
	return s.URL + "/meshsettings?id=" + url.QueryEscape(s.Group().String())
}

func TestSettingsAreKept(t *testing.T) {
	server := agenttest.NewServer(agenttest.For(t))
	cache := filepath.Join(t.TempDir(), "agent.msh")

	_, err := openSettings(t.Context(), "", false, cache)
	require.ErrorContains(t, err, "-msh")

	fetched, err := openSettings(t.Context(), mshURL(server), true, cache)
	require.NoError(t, err)
	require.Equal(t, []agentproto.ServerAddress{server.ServerAddress()}, fetched.servers)
	require.Equal(t, server.Group(), fetched.group)

	kept, err := openSettings(t.Context(), "", false, cache)
	require.NoError(t, err)
	require.Equal(t, fetched.msh, kept.msh)

	other := filepath.Join(t.TempDir(), "other.msh")
	require.NoError(t, os.WriteFile(other, append(server.MSH(), "Tag=x\r\n"...), 0o600))
	_, err = openSettings(t.Context(), other, false, cache)
	require.NoError(t, err)
	kept, err = openSettings(t.Context(), "", false, cache)
	require.NoError(t, err)
	require.Equal(t, "x", kept.tag)

	// What can not be used is not kept.
	require.NoError(t, os.WriteFile(other, []byte("MeshID=1\n"), 0o600))
	_, err = openSettings(t.Context(), other, false, cache)
	require.ErrorIs(t, err, certs.ErrMSH)
	_, err = openSettings(t.Context(), "", false, cache)
	require.NoError(t, err)
}

func TestSettingsOfAStrangerAreNotFetched(t *testing.T) {
	server := agenttest.NewServer(agenttest.For(t))
	cache := filepath.Join(t.TempDir(), "agent.msh")
	_, err := openSettings(t.Context(), mshURL(server), false, cache)
	require.ErrorContains(t, err, "-insecure-msh")
	require.NoFileExists(t, cache)

	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/loop" {
			http.Redirect(w, r, "/loop", http.StatusFound)
			return
		}
		_, _ = w.Write(server.MSH())
	}))
	defer plain.Close()
	_, err = openSettings(t.Context(), plain.URL, false, cache)
	require.ErrorContains(t, err, "https only")
	_, err = openSettings(t.Context(), plain.URL, true, cache)
	require.NoError(t, err)
	_, err = openSettings(t.Context(), plain.URL+"/loop", true, cache)
	require.ErrorContains(t, err, "too many redirects")
}

func TestAnswersThatAreNoSettings(t *testing.T) {
	server := agenttest.NewServer(agenttest.For(t))
	cache := filepath.Join(t.TempDir(), "agent.msh")
	_, err := openSettings(t.Context(), server.URL+"/meshsettings?id=other", true, cache)
	require.ErrorContains(t, err, "401")

	for name, body := range map[string]string{"huge": strings.Repeat("#", certs.MaxMSH+1), "html": "<html></html>", "empty": ""} {
		s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		_, err := openSettings(t.Context(), s.URL, true, cache)
		require.ErrorIs(t, err, certs.ErrMSH, name)
		s.Close()
	}
	_, err = openSettings(t.Context(), "https://127.0.0.1:1/x", true, cache)
	require.ErrorContains(t, err, "-msh: ")
	require.NoFileExists(t, cache)
}

func TestSettingsBecomeConfiguration(t *testing.T) {
	server := agenttest.NewServer(agenttest.For(t), agenttest.InMemory())
	parse := func(more string) agentproto.ClientConfig {
		s, err := parseSettings(append(server.MSH(), more...))
		require.NoError(t, err)
		var cfg agentproto.ClientConfig
		s.apply(&cfg)
		return cfg
	}
	cfg := parse("")
	require.Nil(t, cfg.Proxy, "that of the environment")
	require.Nil(t, cfg.TLSConfig)
	require.Nil(t, cfg.DiscoveryKey)
	require.Equal(t, server.Group(), cfg.Group)

	cfg = parse("agentName=pc\nDiscoveryKey=k\nvalidateWebCert=1\nWebProxy=proxy.example:3128\n")
	require.Equal(t, "pc", cfg.PreferredName)
	require.NotNil(t, cfg.DiscoveryKey)
	require.NotNil(t, cfg.TLSConfig)
	require.False(t, cfg.TLSConfig.InsecureSkipVerify)
	u, err := cfg.Proxy(httptest.NewRequest(http.MethodGet, "https://server.example", nil))
	require.NoError(t, err)
	require.Equal(t, "http://proxy.example:3128", u.String())

	cfg = parse("ignoreProxyFile=1\nWebProxy=proxy.example:3128\n")
	u, err = cfg.Proxy(httptest.NewRequest(http.MethodGet, "https://server.example", nil))
	require.NoError(t, err)
	require.Nil(t, u)

	_, err = parseSettings(append(server.MSH(), "WebProxy=http://user:hunter2@[\n"...))
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hunter2")

	second := strings.ToUpper(server.ID().Hex())
	cfg = parse("MeshServer=local,wss://b.example/agent.ashx\nServerID=" + second + "," + second + "\n")
	require.Equal(t, []agentproto.ServerAddress{{URL: "local", ID: server.ID()}, {URL: "wss://b.example/agent.ashx", ID: server.ID()}}, cfg.Servers)
}
