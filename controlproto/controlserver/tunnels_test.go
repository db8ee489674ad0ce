package controlserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

// fakeTunnels notes what it is told.
type fakeTunnels struct {
	refuse  error
	log     []string
	changed []RecordKey
}

func (f *fakeTunnels) Announce(r *TunnelRequest) error {
	f.log = append(f.log, fmt.Sprintf("announce %s %s %s", r.User, r.Device.Name()[:3], r.URL.Reveal()))
	return f.refuse
}

func (f *fakeTunnels) Withdraw(r *TunnelRequest) { f.log = append(f.log, "withdraw "+r.URL.Reveal()) }

func (f *fakeTunnels) RightsChanged(changed []RecordKey) { f.changed = append(f.changed, changed...) }

func (f *fakeTunnels) take() []string {
	l := f.log
	f.log = nil
	return l
}

func TestTunnelRequests(t *testing.T) {
	tunnels := &fakeTunnels{}
	inWorld(t, func(w *world) {
		bob := w.account("bob", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: controlproto.RemoteControl | controlproto.NoFiles})
		d, off := w.device("pc1", g), w.device("off", g)
		w.connect(d)
		o := w.login("bob")
		ask := func(id controlproto.ID, more string) {
			t.Helper()
			o.send(`{"action":"msg","type":"tunnel","nodeid":%q,"responseid":"r"%s}`, id, more)
		}
		reply := func(result string) {
			t.Helper()
			require.Equal(t, []string{`{"action":"msg","result":"` + result + `","responseid":"r"}`}, o.all())
		}

		// What is known is passed on, and nothing else.
		ask(d, `,"value":"*/meshrelay.ashx?p=1&id=abc","usage":1,"tcpport":"22","tcpaddr":"10.0.0.5","udpport":"x","guestname":"eve",
			"rights":1,"servertlshash":"00","perMessageDeflate":true,"soptions":{"usages":[2]},"other":{"a":1}`)
		reply("OK")
		require.Equal(t, []string{"announce user//bob pc1 */meshrelay.ashx?p=1&id=abc"}, tunnels.take())
		sent := w.agents.take()
		require.Len(t, sent, 1)
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(sent[0].message), &m))
		require.Regexp(t, `^user//bob/[0-9a-f]{40}$`, m["sessionid"])
		delete(m, "sessionid")
		require.Equal(t, map[string]any{
			"action": "msg", "type": "tunnel", "value": "*/meshrelay.ashx?p=1&id=abc", "usage": 1.0, "tcpport": 22.0, "tcpaddr": "10.0.0.5",
			"rights": float64(controlproto.RemoteControl | controlproto.NoFiles), "consent": 0.0, "username": "bob", "userid": "user//bob",
			"remoteaddr": "127.0.0.1", "servertlshash": "abcd", "soptions": map[string]any{}, "responseid": "r",
		}, m)

		ask(off, `,"value":"*/meshrelay.ashx?p=1&id=abc"`)
		reply("Unable to route")
		require.Equal(t, []string{"announce user//bob off */meshrelay.ashx?p=1&id=abc", "withdraw */meshrelay.ashx?p=1&id=abc"}, tunnels.take())
		ask(d, `,"value":"*/meshrelay.ashx?p=5&id=abc"`)
		reply("Unable to route")
		require.Empty(t, tunnels.take(), "the rights do not allow it")
		ask(d, `,"value":"*/meshrelay.ashx?id=abc","tcpport":22,"tcpaddr":"a b"`)
		reply("Unable to route")
		require.Empty(t, tunnels.take(), "no address")
		tunnels.refuse = errors.New("no")
		ask(d, `,"value":"wss://elsewhere/meshrelay.ashx?p=1&id=abc"`)
		reply("Unable to route")
		require.Len(t, tunnels.take(), 1)
		tunnels.refuse = nil
		require.Empty(t, w.agents.take())

		// The server calls a device itself.
		from := netip.MustParseAddr("192.0.2.7")
		request := TunnelRequest{User: bob, Device: d, URL: controlproto.NewSecretURL("*/meshrelay.ashx?id=x"), UDPPort: 53, UDPAddr: "127.0.0.1"}
		require.NoError(t, w.s.RequestTunnel(t.Context(), request, from))
		require.Len(t, tunnels.take(), 1)
		sent = w.agents.take()
		require.Len(t, sent, 1)
		require.Contains(t, sent[0].message, `"udpport":53`)
		require.Contains(t, sent[0].message, `"remoteaddr":"192.0.2.7"`)
		request.Device = off
		require.ErrorIs(t, w.s.RequestTunnel(t.Context(), request, from), ErrNotConnected)
		request.Device = "node//nothing"
		require.ErrorIs(t, w.s.RequestTunnel(t.Context(), request, from), ErrTunnelRefused)
		request.Device, request.User = d, w.account("eve", 0)
		require.ErrorIs(t, w.s.RequestTunnel(t.Context(), request, from), ErrTunnelRefused)
		w.update(func(tx *Tx) error { return tx.Link(request.User, "eve", g, controlproto.RelayRight) })
		require.NoError(t, w.s.RequestTunnel(t.Context(), request, from))
		w.update(func(tx *Tx) error { return tx.Link(request.User, "eve", g, controlproto.RemoteViewOnly) })
		require.ErrorIs(t, w.s.RequestTunnel(t.Context(), request, from), ErrTunnelRefused)
	}, func(c *Config) {
		c.Tunnels = tunnels
		c.Info = func(string) controlproto.ServerDetails { return controlproto.ServerDetails{TLSHash: "ABCD"} }
	})
}

func TestTunnelLog(t *testing.T) {
	inWorld(t, func(w *world) {
		bob := w.account("bob", controlproto.SiteFull)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: controlproto.FullRights})
		d := w.device("pc1", g)
		o := w.login("bob")
		o.all()
		l := TunnelLog{
			ID: "abc", User: bob, Device: d, First: netip.MustParseAddr("192.0.2.1"), Second: netip.MustParseAddr("192.0.2.2"),
			Bytes: 700, Duration: 2*time.Second + 900*time.Millisecond,
		}
		for protocol, want := range map[int][2]string{
			0:   {"relaylog 13: Started relay session \"abc\" from 192.0.2.1 to 192.0.2.2", "relaylog 9: Ended relay session \"abc\" from 192.0.2.1 to 192.0.2.2, 2 second(s)"},
			1:   {"relaylog 14: Started terminal session \"abc\" from 192.0.2.1 to 192.0.2.2", "relaylog 10: Ended terminal session \"abc\" from 192.0.2.1 to 192.0.2.2, 2 second(s)"},
			2:   {"relaylog 15: Started desktop session \"abc\" from 192.0.2.1 to 192.0.2.2", "relaylog 11: Ended desktop session \"abc\" from 192.0.2.1 to 192.0.2.2, 2 second(s)"},
			5:   {"relaylog 16: Started file management session \"abc\" from 192.0.2.1 to 192.0.2.2", "relaylog 12: Ended file management session \"abc\" from 192.0.2.1 to 192.0.2.2, 2 second(s)"},
			200: {"relaylog 162: Started messenger session \"abc\" from 192.0.2.1 to 192.0.2.2", "relaylog 112: Ended messenger session \"abc\" from 192.0.2.1 to 192.0.2.2, 2 second(s)"},
		} {
			l.Protocol = protocol
			for i, ended := range []bool{false, true} {
				l.Ended = ended
				w.update(func(tx *Tx) error { return tx.LogTunnel(l) })
				events := o.events()
				require.Len(t, events, 1)
				require.Equal(t, want[i]+" (bob)", brief(t, events[0]))
			}
		}
		l.User = "user//gone"
		w.update(func(tx *Tx) error { return tx.LogTunnel(l) })
		l.User, l.Device = bob, "node//gone"
		w.update(func(tx *Tx) error { return tx.LogTunnel(l) })
		require.Len(t, o.events(), 1, "that of the account that is there")

		require.NoError(t, w.s.TellSessions(t.Context(), d, json.RawMessage(`{"tcp":{"user//bob":1}}`)))
		require.NoError(t, w.s.TellSessions(t.Context(), d, nil))
		require.Len(t, o.events(), 2)
		require.Error(t, w.s.TellSessions(t.Context(), d, json.RawMessage(`{`)))
		require.ErrorIs(t, w.s.TellSessions(t.Context(), "node//gone", nil), ErrNotFound)
	})
}

// Tunnels are told of what may take rights away, when memory knows of it.
func TestTunnelsHearOfRights(t *testing.T) {
	tunnels := &fakeTunnels{}
	inWorld(t, func(w *world) {
		bob := w.account("bob", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: controlproto.RemoteControl})
		d := w.device("pc1", g)
		tunnels.changed = nil
		w.update(func(tx *Tx) error { return tx.Unlink(bob, g) })
		require.ElementsMatch(t, []RecordKey{{KindAccount, string(bob)}, {KindDeviceGroup, string(g)}}, tunnels.changed)
		tunnels.changed = nil
		w.update(func(tx *Tx) error { return tx.Remove(KindDevice, d) })
		require.Equal(t, []RecordKey{{KindDevice, string(d)}}, tunnels.changed)
		tunnels.changed = nil
		require.NoError(t, w.s.Dispatch(t.Context(), &controlproto.Event{Action: "x"}, toAll))
		require.Empty(t, tunnels.changed)
	}, func(c *Config) { c.Tunnels = tunnels })
}

func TestTunnelHolds(t *testing.T) {
	const (
		control, view = controlproto.RemoteControl, controlproto.RemoteViewOnly
		full          = controlproto.FullRights
	)
	for name, c := range map[string]struct {
		protocol    int
		opened, now controlproto.Rights
		want        bool
	}{
		"the same":                  {1, control, control, true},
		"all":                       {2, full, full, true},
		"nothing":                   {1, control, 0, false},
		"more":                      {2, view, full, true},
		"not all any more":          {2, full, control, true},
		"other rights":              {1, control | 1, control, true},
		"no terminal":               {1, control, control | controlproto.NoTerminal, false},
		"no files, and a terminal":  {8, control, control | controlproto.NoFiles, true},
		"no files":                  {5, control, control | controlproto.NoFiles, false},
		"no files, and who knows":   {0, control, control | controlproto.NoFiles, false},
		"viewers may see":           {2, view, view, true},
		"only see":                  {2, full, view, false},
		"only see, with control":    {2, control, control | view, false},
		"less input":                {2, control, control | controlproto.LimitedInput, false},
		"no desktop":                {2, view, view | controlproto.NoDesktop, false},
		"ports":                     {14, control, controlproto.RelayRight, true},
		"a port":                    {0, controlproto.RelayRight, controlproto.RelayRight, true},
		"not a port any more":       {0, controlproto.RelayRight, view, false},
		"never more than by rights": {5, 0, 0, false},
	} {
		require.Equal(t, c.want, TunnelHolds(c.protocol, c.opened, c.now), name)
	}
}
