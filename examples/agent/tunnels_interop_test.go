package main

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/interop"
	"github.com/meshcentral-go/sdk/relay"
)

// A port of this machine is reached through a stock server, which lists the tunnel while it is open.
func TestStockServerTunnels(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral)
	name := buildProgram(t)
	server := interop.StartServer(t, interop.ServerOptions{})
	group := server.CreateGroup(t, "lab")
	settings := server.URL() + "/meshsettings?id=" + url.QueryEscape(strings.TrimPrefix(group, "mesh//"))
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "path "+r.URL.Path) }))
	defer site.Close()
	_, port, err := net.SplitHostPort(site.Listener.Addr().String())
	require.NoError(t, err)
	startProgram(t, name, "-ports", port, "-msh", settings, "-insecure-msh", "-data", filepath.Join(t.TempDir(), "data"), "-log-level", "debug")
	device := server.WaitDevice(t, interop.Online)

	login := controlproto.PasswordLogin{User: interop.User, Password: controlproto.NewSecret(interop.Password)}
	client, err := controlproto.Dial(t.Context(), "wss://"+server.Addr(), login, operatorConfig(server.TLSConfig(t)))
	require.NoError(t, err)
	defer client.Close()
	dialer := &relay.Dialer{
		Requester: client, Node: device.ID,
		Options: relay.Options{Wait: patience, Net: relay.NetOptions{TLS: server.TLSConfig(t)}},
	}
	transport := &http.Transport{DialContext: dialer.DialContext}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, site.URL+"/page", nil)
	require.NoError(t, err)
	resp, err := (&http.Client{Transport: transport}).Do(req)
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, "path /page", string(text))

	other, err := dialer.DialContext(ctx, "tcp", server.Addr()) // that is not among -ports: "c" comes, and then the end
	if err == nil {
		defer other.Close()
		_, err = other.Read(make([]byte, 1))
	}
	require.Error(t, err)
	require.NoError(t, ctx.Err())
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	waitSessions := func(as func(string) bool) { // asks again and again, until ctx ends
		t.Helper()
		for sessions := ""; ; <-tick.C {
			devices, err := client.Devices(ctx, controlproto.DeviceFilter{})
			require.NoError(t, err, "the sessions are %s", sessions)
			require.Len(t, devices, 1)
			if sessions = string(devices[0].Sessions); as(sessions) {
				return
			}
		}
	}
	waitSessions(func(s string) bool { return s == `{"tcp":{"user//admin":1}}` })
	transport.CloseIdleConnections()
	waitSessions(func(s string) bool { return !strings.Contains(s, "user//admin") })
}

// operatorConfig is that of an operator's session, who is as patient as the test.
func operatorConfig(config *tls.Config) controlproto.ClientConfig {
	return controlproto.ClientConfig{TLSConfig: config, DialTime: patience, LoginTime: patience, DefaultTimeout: patience}
}
