package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
)

// withPrograms puts what could be programs of agents into a folder, and has the server offer them.
func withPrograms(t *testing.T, h *here) http.Handler {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"MeshService64.exe", "meshagent_x86-64", "secret.txt"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("program "+name), 0o600))
	}
	h.cfg.Core = dir
	return h.handler(&settings{h.site})
}

func ask(handler http.Handler, address string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", address, nil))
	return w
}

func TestInvitation(t *testing.T) {
	h := startHere(t, "")
	handler := withPrograms(t, h)
	admin := h.admin(t)
	groups, err := admin.DeviceGroups(t.Context())
	require.NoError(t, err)
	link, err := admin.InviteLink(t.Context(), &controlproto.CreateInviteLink{GroupID: groups[0].ID, Expire: time.Hour, Flags: controlproto.InviteBackgroundOnly})
	require.NoError(t, err)
	w := ask(handler, link.Reveal())
	require.Equal(t, http.StatusOK, w.Code, link.Reveal())
	body := w.Body.String()
	require.Contains(t, body, "<b>default</b>")
	base, group := "https://"+h.address+"/", url.QueryEscape(groups[0].ID.Name())
	require.Contains(t, body, `href="`+base+`meshagents?id=4&amp;meshid=`+group+`&amp;installflags=2"`)
	require.Contains(t, body, `href="`+base+`meshagents?id=6"`)
	require.Contains(t, body, "curl -o meshagent.msh &#39;"+base+"meshsettings?id="+group)
	require.Contains(t, body, "sudo ./meshagent -install")
	require.NotContains(t, body, "id=29", "a program that is not there is not offered")

	h.cfg.Core = ""
	require.Contains(t, ask(h.handler(&settings{h.site}), link.Reveal()).Body.String(), "Settings for an agent",
		"without programs there is a settings file")

	share := must((&controlproto.CookieCodec{Key: h.inviteKey}).Encode(controlproto.Cookie{Action: controlproto.CookieShare, PublicID: "x"}))
	foreign := must((&controlproto.CookieCodec{Key: must(controlproto.NewCookieKey(nil))}).Encode(controlproto.Cookie{
		Action: controlproto.CookieInvite, InviteGroup: groups[0].ID, Expire: controlproto.CookieForever,
	}))
	old := must((&controlproto.CookieCodec{Key: h.inviteKey}).Encode(controlproto.Cookie{
		Action: controlproto.CookieInvite, InviteGroup: groups[0].ID, Expire: time.Hour, Time: time.Now().Add(-2 * time.Hour),
	}))
	hex := must((&controlproto.CookieCodec{Key: h.inviteKey, Encoding: controlproto.CookieHex}).Encode(controlproto.Cookie{
		Action: controlproto.CookieInvite, InviteGroup: groups[0].ID, Expire: controlproto.CookieForever,
	}))
	for name, cookie := range map[string]string{"none": "", "share": share.Reveal(), "another key": foreign.Reveal(), "old": old.Reveal()} {
		w := ask(handler, base+"agentinvite?c="+url.QueryEscape(cookie))
		require.Equal(t, http.StatusNotFound, w.Code, name)
		require.NotContains(t, w.Body.String(), "default", name)
	}
	require.Equal(t, http.StatusOK, ask(handler, base+"agentinvite?c="+hex.Reveal()).Code)
	require.NoError(t, admin.RemoveDeviceGroup(t.Context(), groups[0].ID))
	require.Equal(t, http.StatusNotFound, ask(handler, link.Reveal()).Code)
}

func TestPrograms(t *testing.T) {
	h := startHere(t, "")
	handler := withPrograms(t, h)
	groups, err := h.admin(t).DeviceGroups(t.Context())
	require.NoError(t, err)
	group := url.QueryEscape(groups[0].ID.Name())
	server := httptest.NewServer(handler)
	defer server.Close()
	get := func(query string) (*http.Response, string) {
		return h.get(t, h.browser(t), server.URL+"/meshagents?"+query)
	}

	res, body := get("id=6&meshid=" + group)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, "program meshagent_x86-64", body, "as it is: its settings are a file of their own")
	require.Equal(t, "attachment; filename=meshagent", res.Header.Get("Content-Disposition"))
	res, body = get("id=4")
	require.Equal(t, "program MeshService64.exe", body)
	require.Equal(t, "attachment; filename=meshagent64.exe", res.Header.Get("Content-Disposition"))

	res, body = get("id=4&installflags=2&meshid=" + group)
	require.Equal(t, "attachment; filename=meshagent64-default.exe", res.Header.Get("Content-Disposition"))
	msh, err := certs.ReadEmbeddedMSH(bytes.NewReader([]byte(body)), int64(len(body)))
	require.NoError(t, err)
	require.NoError(t, msh.Validate())
	require.Equal(t, groups[0].ID.Name(), must(msh.MeshID()).String())
	flags, _ := msh.Get("InstallFlags")
	require.Equal(t, "2", flags)
	limited := must((&controlproto.CookieCodec{Key: h.inviteKey}).Encode(controlproto.Cookie{AgentGroup: controlproto.ID(groups[0].ID.Name())}))
	res, _ = get("id=4&meshid=" + url.QueryEscape(limited.Reveal()))
	require.Equal(t, http.StatusOK, res.StatusCode, "an id that is good for a time")

	for query, want := range map[string]int{
		"": 404, "id=": 404, "id=x": 404, "id=-1": 404, "id=5": 404, "id=99999": 404, "id=../secret.txt": 404, "id=6&meshinstall=6": 404,
		"script=1": 404, "id=4&meshid=": 401, "id=4&meshid=x": 401,
	} {
		res, _ := get(query)
		require.Equal(t, want, res.StatusCode, query)
	}
}

func TestSharedDevice(t *testing.T) {
	h := startHere(t, `{"domains":{"closed":{"guestDeviceSharing":false}}}`)
	admin := h.admin(t)
	groups, err := admin.DeviceGroups(t.Context())
	require.NoError(t, err)
	d := &controlproto.Device{
		ID: otherNode, Group: groups[0].ID, Name: "<b>desk</b>", MeshType: controlproto.GroupAgent, Agent: &controlproto.DeviceAgent{ID: 6, Caps: 31},
	}
	require.NoError(t, h.records.Update(t.Context(), func(tx *controlserver.Tx) error { return tx.AddDevice(d) }))
	hour := time.Hour
	made, err := admin.ShareDevice(t.Context(), &controlproto.CreateDeviceShareLink{DeviceID: d.ID, GuestName: "Ann", Kind: controlproto.ShareDesktop, Expire: &hour})
	require.NoError(t, err)
	address := made.URL.Reveal()
	w := ask(h.http.Handler, address)
	require.Equal(t, http.StatusOK, w.Code, address)
	for _, text := range []string{"&lt;b&gt;desk&lt;/b&gt;", "For Ann", "(desktop)", "It is not online", `data-protocols="2" data-cookie="`} {
		require.Contains(t, w.Body.String(), text)
	}
	u := must(url.Parse(address))
	u.Path = "/closed/sharing"
	require.Equal(t, http.StatusNotFound, ask(h.http.Handler, u.String()).Code)
	u.Path, u.RawQuery = "/sharing", "c=x"
	require.Equal(t, http.StatusNotFound, ask(h.http.Handler, u.String()).Code)

	shares, err := admin.DeviceShares(t.Context(), d.ID)
	require.NoError(t, err)
	require.Len(t, shares, 1)
	require.NoError(t, admin.RemoveShare(t.Context(), d.ID, shares[0].PublicID))
	w = ask(h.http.Handler, address)
	require.Equal(t, http.StatusNotFound, w.Code)
	require.NotContains(t, w.Body.String(), "desk")
}
