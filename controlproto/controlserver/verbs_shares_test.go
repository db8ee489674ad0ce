package controlserver

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

const shareRights = controlproto.RemoteControl | controlproto.GuestSharing

func decoded(t *testing.T, text string) (m map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &m))
	return m
}

func TestShareLink(t *testing.T) {
	inWorld(t, func(w *world) {
		g, d := w.lab(shareRights)
		admin, bob := w.login("admin"), w.login("bob")
		start := time.Now().UnixMilli()
		admin.all()
		admin.send(`{"action":"createDeviceShareLink","nodeid":%q,"guestname":"guest","p":2,"consent":1,"expire":30,"port":null,"viewOnly":true,"responseid":"r","own":[1]}`, d.Name())
		replies, events := split(admin.all())
		require.Len(t, replies, 1)
		got := decoded(t, replies[0])
		link, id := got["url"].(string), got["publicid"].(string)
		require.Len(t, id, 12)
		delete(got, "url")
		delete(got, "publicid")
		require.Equal(t, map[string]any{
			"action": "createDeviceShareLink", "nodeid": string(d), "guestname": "guest", "p": 2.0, "consent": 1.0, "port": nil, "viewOnly": true,
			"responseid": "r", "own": []any{1.0}, "result": "OK", "start": float64(start), "expire": float64(start + 30*60*1000),
		}, got)
		u, err := url.Parse(link)
		require.NoError(t, err)
		require.Equal(t, "https://example.com/sharing", u.Scheme+"://"+u.Host+u.Path)
		cookie, err := w.s.inviteCodec().Decode(u.Query().Get("c"), controlproto.CookieAgeUnlimited)
		require.NoError(t, err)
		require.Equal(t, id, cookie.PublicID)
		require.Equal(t, controlproto.CookieShare, cookie.Action)

		require.Len(t, events, 2)
		added, update := decoded(t, events[0]), decoded(t, events[1])
		require.Equal(t, "addedDeviceShare", added["action"])
		require.Equal(t, 101.0, added["msgid"])
		require.Equal(t, []any{"guest", fmt.Sprint("DATETIME:", start), fmt.Sprint("DATETIME:", start+30*60*1000)}, added["msgArgs"])
		require.Equal(t, "deviceShareUpdate", update["action"])
		require.Equal(t, link, update["deviceShares"].([]any)[0].(map[string]any)["url"])
		require.NotContains(t, added, "url")

		// Others are told that there is a share, not where.
		events = bob.events()
		require.Len(t, events, 2)
		require.Contains(t, events[1], id)
		require.NotContains(t, strings.Join(events, ""), "sharing?c=")

		list := fmt.Sprintf(`{"action":"deviceShares","nodeid":%q}`, d)
		share := fmt.Sprintf(`{"p":2,"publicid":%q,"userid":"user//admin","guestName":"guest","consent":1,"port":null,"startTime":%d,"expireTime":%d,"viewOnly":true`,
			id, start, start+30*60*1000)
		admin.wants(list, fmt.Sprintf(`{"action":"deviceShares","nodeid":%q,"deviceShares":[%s,"url":%q}]}`, d, share, link))
		bob.wants(list, fmt.Sprintf(`{"action":"deviceShares","nodeid":%q,"deviceShares":[%s}]}`, d, share))
		for _, group := range []controlproto.ID{g, controlproto.ID(g.Name())} {
			bob.wants(fmt.Sprintf(`{"action":"deviceMeshShares","meshid":%q}`, group),
				fmt.Sprintf(`{"action":"deviceMeshShares","meshid":%q,"deviceShares":[{"nodeid":%q,%s}]}`, g, d, share[1:]))
		}

		// Taking it back: two answers, each event once.
		remove := fmt.Sprintf(`{"action":"removeDeviceShare","nodeid":%q,"publicid":%q,"responseid":"r"}`, d, id)
		bob.all()
		bob.send("%s", remove)
		replies, events = split(bob.all())
		require.Len(t, replies, 2)
		require.JSONEq(t, fmt.Sprintf(`{"action":"removeDeviceShare","responseid":"r","nodeid":%q,"publicid":%q,"removed":{"nodeid":%q,%s}`, d, id, d, share[1:])+"}", replies[0])
		require.JSONEq(t, `{"action":"removeDeviceShare","responseid":"r","result":"OK"}`, replies[1])
		require.Len(t, events, 2)
		require.Contains(t, events[0]+events[1], "removedDeviceShare")
		bob.wants(remove,
			fmt.Sprintf(`{"action":"removeDeviceShare","responseid":"r","nodeid":%q,"publicid":%q,"removed":null}`, d, id),
			`{"action":"removeDeviceShare","responseid":"r","result":"Invalid device share identifier."}`)
	})
}

func TestShareTimes(t *testing.T) {
	inWorld(t, func(w *world) {
		_, d := w.lab(shareRights)
		admin := w.login("admin")
		for _, tt := range []struct {
			name, request string
			want          map[string]any // of the answer
			share         string         // members of the share
			msgID         float64
		}{
			{"for ever", `"expire":0`, map[string]any{"expire": nil, "start": nil}, `{}`, 131},
			{"range", `"start":1925028000,"end":1925035200`, map[string]any{"start": 1925028000000.0, "end": 1925035200.0, "expire": 1925035200000.0},
				`{"startTime":1925028000000,"expireTime":1925035200000}`, 101},
			{"daily", `"start":1925028000,"expire":20,"recurring":1`, map[string]any{"start": 1925028000000.0, "expire": 20.0},
				`{"startTime":1925028000000,"duration":20,"recurring":1}`, 138},
			{"weekly", `"start":1925028000,"expire":60,"recurring":2`, map[string]any{"start": 1925028000000.0, "expire": 60.0},
				`{"startTime":1925028000000,"duration":60,"recurring":2}`, 139},
		} {
			admin.all()
			admin.send(`{"action":"createDeviceShareLink","nodeid":%q,"guestname":%q,"p":8,"consent":0,"port":8080,%s,"responseid":"r"}`, d, tt.name, tt.request)
			replies, events := split(admin.all())
			require.Len(t, replies, 1, tt.name)
			got := decoded(t, replies[0])
			for member, v := range tt.want {
				require.Equal(t, v, got[member], "%s: %s", tt.name, member)
			}
			require.Equal(t, tt.msgID, decoded(t, events[0])["msgid"], tt.name)
			list := admin.asked(`{"action":"deviceShares","nodeid":%q}`, d)["deviceShares"].([]any)
			share := list[len(list)-1].(map[string]any)
			require.Equal(t, tt.name, share["guestName"])
			require.Equal(t, 8080.0, share["port"])
			require.Equal(t, 0.0, share["consent"])
			for _, member := range []string{"startTime", "expireTime", "duration", "recurring"} {
				require.Equal(t, decoded(t, tt.share)[member], share[member], "%s: %s", tt.name, member)
			}
			time.Sleep(time.Millisecond) // in the bubble: the next one is younger
		}
	})
}

func TestShareRefused(t *testing.T) {
	for _, tt := range []struct {
		name, request, action, result string
		rights                        controlproto.Rights
	}{
		{"no guest", `"guestname":"","p":2,"consent":0,"expire":1`, "createDeviceShareLink", "Invalid guest name", shareRights},
		{"expire", `"guestname":"g","p":2,"consent":0,"expire":"soon"`, "createDeviceShareLink", "Invalid expire time", shareRights},
		{"start", `"guestname":"g","p":2,"consent":0,"start":"x"`, "createDeviceShareLink", "Invalid start time", shareRights},
		{"end", `"guestname":"g","p":2,"consent":0,"end":{}`, "createDeviceShareLink", "Invalid end time", shareRights},
		{"huge", `"guestname":"g","p":2,"consent":0,"expire":1e300`, "createDeviceShareLink", "Invalid expire time", shareRights},
		{"flags", `"guestname":"g","p":2,"expire":1`, "createDeviceShareLink", "Invalid flags", shareRights},
		{"protocol", `"guestname":"g","p":32,"consent":0,"expire":1`, "createDeviceShareLink", "Invalid protocol", shareRights},
		{"recurring", `"guestname":"g","p":2,"consent":0,"expire":1,"recurring":3`, "createDeviceShareLink", "Invalid recurring value", shareRights},
		{"recurring end", `"guestname":"g","p":2,"consent":0,"expire":1,"recurring":1,"start":1,"end":2`, "createDeviceShareLink", "Invalid recurring command", shareRights},
		{"port", `"guestname":"g","p":2,"consent":0,"expire":1,"port":70000`, "createDeviceShareLink", "Invalid port value", shareRights},
		{"no time", `"guestname":"g","p":2,"consent":0`, "createDeviceShareLink", "No time specified", shareRights},
		{"backwards", `"guestname":"g","p":2,"consent":0,"start":2,"end":1`, "createDeviceShareLink", "No time specified", shareRights},
		{"no right", `"guestname":"g","p":2,"consent":0,"expire":1`, "deviceShares", "Access denied", controlproto.RemoteControl},
		{"limited", `"guestname":"g","p":2,"consent":0,"expire":1`, "deviceShares", "Access denied", shareRights | controlproto.LimitedInput},
		{"terminal", `"guestname":"g","p":3,"consent":0,"expire":1`, "deviceShares", "Access denied", shareRights | controlproto.NoTerminal},
		{"desktop", `"guestname":"g","p":2,"consent":0,"expire":1`, "deviceShares", "Access denied", shareRights | controlproto.NoDesktop},
		{"files", `"guestname":"g","p":4,"consent":0,"expire":1`, "deviceShares", "Access denied", shareRights | controlproto.NoFiles},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				_, d := w.lab(tt.rights)
				bob := w.login("bob")
				bob.wants(fmt.Sprintf(`{"action":"createDeviceShareLink","nodeid":%q,%s,"responseid":"r"}`, d, tt.request),
					fmt.Sprintf(`{"action":%q,"responseid":"r","result":%q}`, tt.action, tt.result))
				require.Empty(t, bob.events())
			})
		})
	}
	inWorld(t, func(w *world) {
		g, d := w.lab(controlproto.RemoteControl)
		carol, bob := w.login("carol"), w.login("bob")
		for request, result := range map[string]string{
			fmt.Sprintf(`{"action":"deviceShares","nodeid":%q,"responseid":"r"}`, d):                        invalidNode,
			`{"action":"deviceShares","nodeid":"node/other/xxxxxx","responseid":"r"}`:                       invalidDomain,
			`{"action":"deviceShares","nodeid":"short","responseid":"r"}`:                                   invalidNode,
			fmt.Sprintf(`{"action":"removeDeviceShare","nodeid":%q,"publicid":"x","responseid":"r"}`, d):    invalidNode,
			fmt.Sprintf(`{"action":"deviceMeshShares","meshid":%q,"responseid":"r"}`, g):                    accessDenied,
			fmt.Sprintf(`{"action":"deviceMeshShares","meshid":%q,"responseid":"r"}`, g.Name()):             accessDenied,
			fmt.Sprintf(`{"action":"deviceMeshShares","meshid":"mesh//none%s","responseid":"r"}`, g.Name()): "Invalid device group id",
		} {
			carol.wants(request, fmt.Sprintf(`{"action":"deviceShares","responseid":"r","result":%q}`, result))
		}
		carol.wants(fmt.Sprintf(`{"action":"deviceShares","nodeid":%q}`, d))
		bob.wants(fmt.Sprintf(`{"action":"deviceShares","nodeid":%q,"responseid":"r"}`, d), `{"action":"deviceShares","responseid":"r","result":"Access denied"}`)
	})
	inWorld(t, func(w *world) {
		_, d := w.lab(controlproto.RemoteControl)
		w.login("admin").wants(fmt.Sprintf(`{"action":"deviceShares","nodeid":%q,"responseid":"r"}`, d))
	}, func(c *Config) { c.Domains = []Domain{{NoGuestSharing: true}} })
}

// Who may only look shares no more than that.
func TestShareViewOnly(t *testing.T) {
	inWorld(t, func(w *world) {
		_, d := w.lab(shareRights | controlproto.RemoteViewOnly)
		bob := w.login("bob")
		got := bob.asked(`{"action":"createDeviceShareLink","nodeid":%q,"guestname":"g","p":2,"consent":0,"expire":1,"viewOnly":false}`, d)
		require.Equal(t, true, got["viewOnly"])
		require.NotContains(t, got, "result")
	})
}

func TestSharesEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		_, d := w.lab(shareRights)
		admin := w.login("admin")
		id := admin.asked(`{"action":"createDeviceShareLink","nodeid":%q,"guestname":"short","p":2,"consent":0,"expire":1,"responseid":"r"}`, d)["publicid"].(string)
		admin.asked(`{"action":"createDeviceShareLink","nodeid":%q,"guestname":"long","p":2,"consent":0,"expire":0,"responseid":"r"}`, d)
		_, err := w.s.Share(t.Context(), id)
		require.NoError(t, err)
		time.Sleep(2 * time.Minute) // in the bubble
		_, err = w.s.Share(t.Context(), id)
		require.ErrorIs(t, err, ErrNotFound)
		admin.all()
		require.NoError(t, w.s.Prune(t.Context()))
		events := admin.events()
		require.Len(t, events, 1)
		require.NotContains(t, events[0], "short")
		require.Contains(t, events[0], "long")
		require.Len(t, admin.asked(`{"action":"deviceShares","nodeid":%q}`, d)["deviceShares"], 1)
		w.update(func(tx *Tx) error { return tx.RemoveDevice(nil, d) })
		w.update(func(tx *Tx) error {
			list, err := sharesOf(tx.store, "")
			require.Empty(t, list)
			return err
		})
	})
}

func TestWebRelay(t *testing.T) {
	inWorld(t, func(w *world) {
		_, d := w.lab(0)
		local := w.groupOf("local", controlproto.GroupLocal, map[controlproto.ID]controlproto.Rights{"user//bob": 0})
		w.update(func(tx *Tx) error {
			return tx.EditGroup(local, func(g *controlproto.DeviceGroup) error { g.RelayID = d; return nil })
		})
		printer := w.device("printer", local, func(d *controlproto.Device) {
			d.MeshType, d.Agent, d.Host = controlproto.GroupLocal, nil, "127.0.2.9&x=1"
		})
		bob, carol := w.login("bob"), w.login("carol")
		got := bob.asked(`{"action":"webrelay","nodeid":%q,"port":8443,"appid":2,"responseid":"r"}`, d)
		require.Equal(t, "OK", got["result"])
		require.Equal(t, string(d), got["nodeid"])
		u, err := url.Parse(got["url"].(string))
		require.NoError(t, err)
		require.Equal(t, "https://example.com/control-redirect.ashx", u.Scheme+"://"+u.Host+u.Path)
		require.Equal(t, []string{string(d), "8443", "2"}, []string{u.Query().Get("n"), u.Query().Get("p"), u.Query().Get("appid")})
		codec := &controlproto.CookieCodec{Key: *w.s.cfg.LoginKey}
		cookie, err := codec.Decode(u.Query().Get("c"), controlproto.CookieAgeWebRelay)
		require.NoError(t, err)
		require.Equal(t, controlproto.ID("user//bob"), cookie.RelayUserID)
		_, err = cookie.LoginUser("")
		require.Error(t, err, "it is no login")

		u, err = url.Parse(bob.asked(`{"action":"webrelay","nodeid":%q,"appid":1}`, printer)["url"].(string))
		require.NoError(t, err)
		require.Equal(t, []string{"80", "127.0.2.9&x=1", string(d)}, []string{u.Query().Get("p"), u.Query().Get("addr"), u.Query().Get("relayid")})

		for request, result := range map[string]string{
			fmt.Sprintf(`{"action":"webrelay","nodeid":%q,"port":0,"appid":1,"responseid":"r"}`, d):   "Invalid port value",
			fmt.Sprintf(`{"action":"webrelay","nodeid":%q,"port":"x","appid":1,"responseid":"r"}`, d): "Invalid port value",
			`{"action":"webrelay","nodeid":"node//nothing","port":80,"appid":1,"responseid":"r"}`:     invalidNode,
			`{"action":"webrelay","nodeid":"node/x/nothing","port":80,"appid":1,"responseid":"r"}`:    invalidDomain,
		} {
			bob.wants(request, fmt.Sprintf(`{"action":"webrelay","responseid":"r","result":%q}`, result))
		}
		carol.wants(fmt.Sprintf(`{"action":"webrelay","nodeid":%q,"port":80,"appid":1,"responseid":"r"}`, d),
			`{"action":"webrelay","responseid":"r","result":"Invalid node id"}`)
	})
}
