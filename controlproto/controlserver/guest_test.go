package controlserver

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

// A link counts within its time, every day or week anew if it says so.
func TestShareWindow(t *testing.T) {
	start := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	daily := controlproto.Share{Start: start, Duration: time.Hour, Recurring: controlproto.RecurringDaily}
	weekly := controlproto.Share{Start: start, Duration: 48 * time.Hour, Recurring: controlproto.RecurringWeekly}
	for name, c := range map[string]struct {
		share controlproto.Share
		at    time.Duration
		until time.Duration // -1 is never, 0 has no end
	}{
		"always":             {controlproto.Share{}, 0, 0},
		"not yet":            {controlproto.Share{Start: start, Expires: start.Add(time.Hour)}, -1, -1},
		"from its start":     {controlproto.Share{Start: start, Expires: start.Add(time.Hour)}, 0, time.Hour},
		"over":               {controlproto.Share{Start: start, Expires: start.Add(time.Hour)}, time.Hour, -1},
		"first day":          {daily, time.Minute, time.Hour},
		"before all":         {daily, -23 * time.Hour, -1},
		"first evening":      {daily, 2 * time.Hour, -1},
		"tenth day":          {daily, 9*24*time.Hour + 59*time.Minute, 9*24*time.Hour + time.Hour},
		"tenth evening":      {daily, 9*24*time.Hour + time.Hour, -1},
		"third week":         {weekly, 15 * 24 * time.Hour, 16 * 24 * time.Hour},
		"end of third week":  {weekly, 17 * 24 * time.Hour, -1},
		"another recurrence": {controlproto.Share{Start: start, Duration: time.Hour, Recurring: 7}, 0, -1},
	} {
		until, in := shareWindow(&c.share, start.Add(c.at))
		require.Equal(t, c.until >= 0, in, name)
		switch {
		case c.until > 0:
			require.Equal(t, start.Add(c.until), until, name)
		case c.until == 0:
			require.True(t, until.IsZero(), name)
		}
	}
}

// Guests have what their link names, less what is denied to who made it, and never more than remote control.
func TestGuestRequests(t *testing.T) {
	inWorld(t, func(w *world) {
		sharing := controlproto.RemoteControl | controlproto.GuestSharing
		bob := w.account("bob", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: sharing})
		d := w.device("pc1", g)
		w.connect(d)
		o := w.login("bob")
		reply := o.asked(`{"action":"createDeviceShareLink","nodeid":%q,"guestname":"eve","p":7,"consent":64,"expire":60,"responseid":"r"}`, d)
		id := reply["publicid"].(string)
		sh, until, err := w.s.Guest(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, sh.Expires, until)

		from := netip.MustParseAddr("192.0.2.7")
		request := TunnelRequest{User: bob, Device: d, Guest: sh, Protocol: 5, URL: controlproto.NewSecretURL("*/meshrelay.ashx?id=x")}
		w.agents.take()
		require.NoError(t, w.s.RequestTunnel(t.Context(), request, from))
		sent := w.agents.take()
		require.Len(t, sent, 1)
		for _, want := range []string{`"usages":[1,6,8,9,2,5,10]`, `"guestuserid":"user//bob"`, `"guestname":"eve"`, `"consent":64`, `"rights":8,`} {
			require.Contains(t, sent[0].message, want)
		}
		require.NotContains(t, sent[0].message, `"userid"`)
		require.NotContains(t, sent[0].message, "desktopviewonly")

		for name, change := range map[string]func(r *TunnelRequest){
			"what is not shared": func(r *TunnelRequest) { r.Protocol = 7 },
			"a port":             func(r *TunnelRequest) { r.TCPPort = 22 },
			"another device":     func(r *TunnelRequest) { other := *sh; other.DeviceID = "node//x"; r.Guest = &other },
			"another account":    func(r *TunnelRequest) { other := *sh; other.UserID = "user//x"; r.Guest = &other },
		} {
			r := request
			change(&r)
			require.ErrorIs(t, w.s.RequestTunnel(t.Context(), r, from), ErrTunnelRefused, name)
		}
		w.update(func(tx *Tx) error { return tx.Link(bob, "bob", g, sharing|controlproto.NoFiles) })
		require.ErrorIs(t, w.s.RequestTunnel(t.Context(), request, from), ErrTunnelRefused, "what he may not do himself")
		request.Protocol = 1
		require.NoError(t, w.s.RequestTunnel(t.Context(), request, from))
		require.Contains(t, w.agents.take()[0].message, `"usages":[1,6,8,9,2]`)

		w.update(func(tx *Tx) error { return tx.Link(bob, "bob", g, controlproto.RemoteControl) })
		_, _, err = w.s.Guest(t.Context(), id)
		require.ErrorIs(t, err, ErrNotFound, "he may not share any more")
		_, _, err = w.s.Guest(t.Context(), "nothing")
		require.ErrorIs(t, err, ErrNotFound)
	})
}
