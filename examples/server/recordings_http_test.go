package main

import (
	"context"
	"encoding/base64"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/relay"
)

// A recording is there for who may have recordings of its domain, whole and in ranges, and the operator saw that it was made.
func TestRecordingFiles(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "recordings")
	h := startHere(t, `{"settings":{},"domains":{"":{},"other":{}}}`, "-recordings", folder)
	d := h.device(t)
	admin := h.admin(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	group := must(admin.DeviceGroups(ctx))[0].ID
	plain := h.open(t, admin, d.id)
	require.False(t, plain.Recorded())
	require.NoError(t, plain.Close(msgconn.CloseNormal, ""))
	require.NoError(t, admin.EditDeviceGroup(ctx, &controlproto.EditMesh{GroupID: group, Flags: new(controlproto.GroupRecordSessions)}))
	var events []relay.Event
	tun, err := relay.Open(ctx, admin, string(d.id), relay.Options{
		Protocol: relay.ProtocolTerminal, Net: relay.NetOptions{TLS: h.tls()}, OnEvent: func(e relay.Event) { events = append(events, e) },
	})
	require.NoError(t, err)
	require.True(t, tun.Recorded())
	require.Equal(t, relay.Event{Kind: relay.EventConnected, Recorded: true}, events[len(events)-1])
	require.NoError(t, tun.WriteMessage(ctx, relay.Binary, []byte("secret words")))
	_, _, err = tun.ReadMessage(ctx)
	require.NoError(t, err)
	require.NoError(t, tun.Close(msgconn.CloseNormal, ""))
	var list []controlproto.Recording
	require.Eventually(t, func() bool {
		reply, err := controlproto.Do(ctx, admin, &controlproto.Recordings{})
		if err != nil {
			return false
		}
		list = reply.Recordings
		return len(list) == 1
	}, patience, 50*time.Millisecond)
	name := list[0].Filename

	require.NoError(t, admin.AddUser(ctx, &controlproto.AddUser{Username: "bob", Password: secret(herePassword), Email: "bob@example.com"}))
	page := "/recordings.ashx?file=" + url.QueryEscape(name)
	login := func(user string) *http.Client {
		b := h.browser(t)
		res, _ := h.post(t, b, "/login", url.Values{"user": {user}, "password": {herePassword}})
		require.Equal(t, http.StatusSeeOther, res.StatusCode)
		return b
	}
	boss, bob := login("admin"), login("bob")
	res, whole := h.get(t, boss, page)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "attachment; filename="+name, res.Header.Get("Content-Disposition"))
	require.Equal(t, "application/octet-stream", res.Header.Get("Content-Type"))
	require.Len(t, whole, int(list[0].Size))
	require.Contains(t, whole, "secret words")
	ask := func(b *http.Client, path string, header http.Header) (int, string) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+h.address+path, nil)
		require.NoError(t, err)
		req.Header = header
		res, err := b.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(body)
	}
	code, part := ask(boss, page, http.Header{"Range": {"bytes=10-19"}})
	require.Equal(t, http.StatusPartialContent, code)
	require.Equal(t, whole[10:20], part)
	code, _ = ask(boss, page, http.Header{"Range": {"bytes=99999999-"}})
	require.Equal(t, http.StatusRequestedRangeNotSatisfiable, code)
	code, _ = ask(boss, page, http.Header{"Origin": {"https://elsewhere.example"}})
	require.Equal(t, http.StatusForbidden, code)

	enc := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	code, body := ask(h.browser(t), page, http.Header{"X-Meshauth": {enc("admin") + "," + enc(herePassword)}})
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, whole, body)
	auth, _, err := admin.TunnelCookies(ctx, relay.AskTunnel{ID: "x", Node: string(d.id)})
	require.NoError(t, err)
	_, _, err = openRecording(h.tunnels.recordings, name, "other")
	require.ErrorIs(t, err, fs.ErrNotExist, "a recording of another domain")
	for why, c := range map[string]struct {
		b    *http.Client
		path string
		want int
	}{
		"nobody":               {h.browser(t), page, 401},
		"without the right":    {bob, page, 401},
		"none":                 {boss, "/recordings.ashx", 401},
		"another name":         {boss, "/recordings.ashx?file=x.mcrec", 404},
		"no recording":         {boss, "/recordings.ashx?file=x.txt", 401},
		"a way out":            {boss, "/recordings.ashx?file=" + url.QueryEscape("../"+name), 401},
		"another domain":       {boss, "/other" + page, 401},
		"a cookie of a tunnel": {h.browser(t), page + "&auth=" + url.QueryEscape(auth.Reveal()), 401},
	} {
		code, body := ask(c.b, c.path, http.Header{})
		require.Equal(t, c.want, code, why)
		require.NotContains(t, body, "secret words", why)
	}
}
