package main

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/relay"
)

var cookieInPage = regexp.MustCompile(`data-cookie="([^"]+)"`)

// cookieOf is the cookie in the page of a link; "" is none.
func cookieOf(t *testing.T, h *here, link string) string {
	t.Helper()
	res, body := h.get(t, h.browser(t), link)
	require.Equal(t, http.StatusOK, res.StatusCode)
	m := cookieInPage.FindStringSubmatch(body)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

// A guest's link opens tunnels for what it names, while it counts, and for as long.
func TestGuestTunnels(t *testing.T) {
	h := startHere(t, "")
	d := h.device(t)
	admin := h.admin(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	share := func(change func(*controlproto.CreateDeviceShareLink)) *controlproto.CreateDeviceShareLinkReply {
		t.Helper()
		s := &controlproto.CreateDeviceShareLink{
			DeviceID: d.id, GuestName: "Eve", Kind: controlproto.ShareTerminal | controlproto.ShareDesktop, Consent: 1, Expire: new(time.Hour),
		}
		if change != nil {
			change(s)
		}
		return must(admin.ShareDevice(ctx, s))
	}
	open := func(query, cookie string) (*msgconn.WebSocket, string, error) {
		t.Helper()
		conn, err := msgconn.Dial(ctx, "wss://"+h.address+"/meshrelay.ashx?browser=1&auth="+cookie+query, msgconn.DialOptions{TLSConfig: h.tls(), ReadLimit: 1 << 20})
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close(msgconn.CloseNormal, "") })
		_, b, err := conn.ReadMessage(ctx)
		return conn, string(b), err
	}
	refused := func(query, cookie, why string) {
		t.Helper()
		_, said, err := open(query, cookie)
		if err == nil {
			require.Contains(t, said, `"action":"close"`, why)
			return
		}
		var closed *msgconn.CloseError
		require.ErrorAs(t, err, &closed, why)
		require.Equal(t, msgconn.ClosePolicy, closed.Code, why)
	}

	link := share(nil)
	cookie := cookieOf(t, h, link.URL.Reveal())
	require.NotEmpty(t, cookie)
	conn, said, err := open("&p=1&id=mine&nodeid="+url.QueryEscape(string(d.id)), cookie)
	require.NoError(t, err)
	require.Equal(t, relay.Connected, said)
	require.NoError(t, conn.WriteMessage(ctx, relay.Text, []byte("1")))
	require.NoError(t, conn.WriteMessage(ctx, relay.Binary, []byte("hello")))
	_, b, err := conn.ReadMessage(ctx)
	require.NoError(t, err)
	require.Equal(t, "hello", string(b))
	m := <-d.requests
	require.Equal(t, "user//admin", m.GuestUserID)
	require.Equal(t, "Eve", m.GuestName)
	require.Empty(t, m.UserID)
	require.EqualValues(t, controlproto.RemoteControl, m.Rights, "not all that the administrator may")
	require.EqualValues(t, 1, m.Consent)
	require.False(t, m.DesktopViewOnly)
	require.JSONEq(t, "[1,6,8,9,2]", string(m.SOptions.Extra["usages"]))
	require.NotContains(t, m.URL.Reveal(), "id=mine", "the server chooses the id")

	refused("&p=5", cookie, "files are not shared")
	refused("", cookie, "for what?")
	refused("&p=1&nodeid=node//"+strings.Repeat("a", 64), cookie, "another device")
	_, err = h.dial(t, "/", controlproto.CookieLogin{Cookie: secret(cookie)}, nil)
	require.Error(t, err, "it is no login")

	// A guest of a desktop to look at.
	viewer := share(func(s *controlproto.CreateDeviceShareLink) {
		s.Kind, s.ViewOnly, s.Expire = controlproto.ShareDesktop, true, new(time.Duration(0))
	})
	_, said, err = open("&p=2", cookieOf(t, h, viewer.URL.Reveal()))
	require.NoError(t, err)
	require.Equal(t, relay.Connected, said)
	require.True(t, (<-d.requests).DesktopViewOnly)

	// Times.
	later := share(func(s *controlproto.CreateDeviceShareLink) {
		s.Expire, s.Start, s.End = nil, time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
	})
	require.Empty(t, cookieOf(t, h, later.URL.Reveal()), "it does not count yet")
	forged := controlproto.LoginCookie("user//admin")
	forged.SharedNode, forged.PublicID, forged.GuestName, forged.GuestRights = d.id, later.PublicID, "Eve", 8
	refused("&p=1", must(h.cookies().Encode(forged)).Reveal(), "the link is asked, not the cookie")
	forged.PublicID = "nothing"
	refused("&p=1", must(h.cookies().Encode(forged)).Reveal(), "no link")

	// The events say who it was.
	require.Eventually(t, func() bool {
		log, err := controlproto.Do(ctx, admin, &controlproto.Events{})
		return err == nil && slices.ContainsFunc(log.Events, func(e controlproto.Event) bool {
			return e.Action == "relaylog" && e.DeviceID == d.id && string(e.Extra["guestname"]) == `"Eve"`
		})
	}, patience, 50*time.Millisecond)

	// A link that is taken back ends its tunnels; others go on.
	require.NoError(t, admin.RemoveShare(ctx, d.id, viewer.PublicID))
	require.NoError(t, conn.WriteMessage(ctx, relay.Binary, []byte("still")))
	_, b, err = conn.ReadMessage(ctx)
	require.NoError(t, err)
	require.Equal(t, "still", string(b))
	require.NoError(t, admin.RemoveShare(ctx, d.id, link.PublicID))
	_, _, err = conn.ReadMessage(ctx)
	require.Error(t, err)
	require.NoError(t, ctx.Err())
	refused("&p=1", cookie, "the link is gone")
	_, err = h.records.Share(ctx, link.PublicID)
	require.ErrorIs(t, err, controlserver.ErrNotFound)
	require.NotContains(t, h.log.String(), cookie)
}
