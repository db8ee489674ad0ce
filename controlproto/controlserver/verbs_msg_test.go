package controlserver

import (
	"encoding/json"
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

func TestMsg(t *testing.T) {
	inWorld(t, func(w *world) {
		bob := w.account("bob", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: controlproto.RemoteControl})
		d, off := w.device("pc1", g), w.device("off", g)
		w.connect(d)
		w.update(func(tx *Tx) error {
			return tx.EditGroup(g, func(g *controlproto.DeviceGroup) error { g.Consent = 8; return nil })
		})
		o := w.login("bob")
		OK := `{"action":"msg","responseid":"r","tag":"t","result":"OK"}`
		no := `{"action":"msg","responseid":"r","tag":"t","result":"Unable to route"}`
		tunnel := func(query string) string {
			b, err := json.Marshal("*/meshrelay.ashx?" + query)
			require.NoError(t, err)
			return `"type":"tunnel","value":` + string(b)
		}
		here := "nodeid=" + url.QueryEscape(string(d))
		set := func(r controlproto.Rights) {
			w.update(func(tx *Tx) error { return tx.Link(bob, "bob", g, r) })
			o.all()
		}
		for _, tc := range []struct {
			rights  controlproto.Rights
			device  controlproto.ID
			message string
			want    string // "" is silence
		}{
			{8, d, `"type":"ps"`, OK},
			{8, d, `"type":"openUrl","url":"https://example.com"`, OK},
			{8, d, tunnel("p=2&id=x&" + here), OK},
			{8, d, tunnel("p=2&id=x"), OK},
			{8, d, tunnel("p=2&id=x&nodeid=node//other"), ""},
			{8, d, `"type":"tunnel"`, ""},
			{8, d, `"type":"tunnel","value":"%zz"`, ""},
			{8 | controlproto.NoTerminal, d, tunnel("p=1&" + here), no},
			{8 | controlproto.NoFiles, d, tunnel("p=5&" + here), no},
			{8 | controlproto.NoDesktop, d, tunnel("p=2&" + here), no},
			{8 | controlproto.NoTerminal, d, tunnel("p=5&" + here), OK},
			{controlproto.FullRights, d, tunnel("p=1&" + here), OK},
			{controlproto.RemoteViewOnly, d, tunnel("p=2&" + here), OK},
			{controlproto.RemoteViewOnly, d, `"type":"pskill","value":"1"`, no},
			{8, d, `"type":"console","value":"help"`, no},
			{8 | controlproto.AgentConsole, d, `"type":"console","value":"help"`, OK},
			{8, d, `"type":"getclip"`, ""}, // the domain has it switched off
			{8, d, `"type":"setclip","data":"x"`, OK},
			{8, d, `"type":"endtunnel","xuserid":"user//bob"`, OK},
			{8, d, `"type":"endtunnel","xuserid":"user//eve"`, no},
			{8, d, `"type":""`, no},
			{8, d, `"type":{}`, no},
			{8, off, `"type":"ps"`, no},
			{8, "node//nothing", `"type":"ps"`, no},
			{8, "", `"type":"ps"`, no},
			{controlproto.ChatNotify, d, `"type":"ps"`, no},
		} {
			set(tc.rights)
			request := fmt.Sprintf(`{"action":"msg","nodeid":%q,"responseid":"r","tag":"t",%s}`, tc.device, tc.message)
			var want []string
			if tc.want != "" {
				want = []string{tc.want}
			}
			o.wants(request, want...)
			require.Equal(t, tc.want == OK, len(w.agents.take()) == 1, "%s as %v", request, tc.rights)
		}

		set(8)
		// What the server says of the sender is not the sender's to say.
		o.send(`{"action":"msg","type":"tunnel","value":"x?p=2","nodeid":%q,"rights":4294967295,"userid":"user//eve","username":"eve",
			"sessionid":"s","consent":0,"remoteaddr":"1.2.3.4","soptions":{"consentAutoAccept":true},"usage":1}`, d)
		require.Empty(t, o.all())
		got := w.agents.take()
		require.Len(t, got, 1)
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(got[0].message), &m))
		require.Regexp(t, `^user//bob/[0-9a-f]{40}$`, m["sessionid"])
		delete(m, "sessionid")
		require.Equal(t, map[string]any{"action": "msg", "type": "tunnel", "value": "x?p=2", "rights": 8.0, "consent": 8.0, "username": "bob",
			"userid": "user//bob", "remoteaddr": "127.0.0.1", "soptions": map[string]any{}, "usage": 1.0}, m)
	}, func(c *Config) { c.Domains = []Domain{{NoClipboardGet: true}} })
}

// User groups add their consent when it is they who give access.
func TestConsentOfUserGroups(t *testing.T) {
	inWorld(t, func(w *world) {
		bob := w.account("bob", 0)
		ug := w.userGroup("ops", bob)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{ug: 8})
		d := w.device("pc1", g)
		w.connect(d)
		w.update(func(tx *Tx) error {
			return tx.EditUserGroup(ug, func(g *controlproto.UserGroup) error { g.Consent = 1; return nil })
		})
		o := w.login("bob")
		consent := func() any {
			o.ask(`{"action":"msg","type":"ps","nodeid":%q}`, d)
			var m map[string]any
			require.NoError(t, json.Unmarshal([]byte(w.agents.take()[0].message), &m))
			return m["consent"]
		}
		require.Equal(t, 1.0, consent())
		w.update(func(tx *Tx) error { return tx.Link(bob, "bob", d, 8) })
		require.Equal(t, 0.0, consent())
	})
}

func TestToast(t *testing.T) {
	inWorld(t, func(w *world) {
		bob := w.account("bob", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: controlproto.ChatNotify})
		other := w.group("other", map[controlproto.ID]controlproto.Rights{bob: 8})
		d, no := w.device("pc1", g), w.device("pc2", other)
		w.connect(d)
		w.connect(no)
		s := w.script(map[string]controlproto.ID{"d": d, "no": no}, "bob")
		s.run(
			step{say: `{"action":"toast","nodeids":["{d}","{no}","nothing"],"msg":"hi","responseid":"r"}`,
				replies: append(append(ok("toast"), refusal("toast", "Access Denied")...), refusal("toast", "Access Denied")...)},
			step{say: `{"action":"toast","nodeids":[],"msg":"hi","responseid":"r"}`, replies: refusal("toast", "Invalid nodeids")},
			step{say: `{"action":"toast","nodeids":["{d}"],"msg":"","responseid":"r"}`, replies: refusal("toast", "Invalid message")},
			step{say: `{"action":"toast","nodeids":["{d}"],"title":"T","msg":"hi"}`},
		)
		got := w.agents.take()
		require.Len(t, got, 2)
		require.Contains(t, got[0].message, `"title":"MeshCentral"`)
		require.Contains(t, got[1].message, `"title":"T","msg":"hi"`)
	})
}
