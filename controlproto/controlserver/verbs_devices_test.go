package controlserver

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

func TestChangeDevice(t *testing.T) {
	inWorld(t, func(w *world) {
		bob, eve := w.account("bob", 0), w.account("eve", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: controlproto.ManageDevices, eve: controlproto.LimitedEvents})
		d := w.device("pc1", g, func(d *controlproto.Device) {
			d.AMT = &controlproto.DeviceAMT{User: "u", Password: controlproto.NewSecret("s3cr3t-amt")}
			d.Extra = map[string]json.RawMessage{"ssh": json.RawMessage(`{"user//bob":{"p":"s3cr3t-ssh"},"user//eve":{"p":"s3cr3t-ssh"}}`)}
		})
		s := w.script(map[string]controlproto.ID{"d": d}, "bob", "eve")
		change := func(rest string) string {
			return `{"action":"changedevice","nodeid":"{d}","responseid":"r"` + rest + `}`
		}
		// Eve has events of her own only.
		changed := func(text string) map[string][]string {
			return map[string][]string{"bob": {"changenode 140: Changed device " + text + " (bob)"}}
		}
		s.run(
			step{say: change(`,"icon":2,"name":"PC","host":"h","consent":1,"rdpport":3390,"userloc":[1.5,2],"desc":"text"`), replies: ok("changedevice"),
				hears: changed("PC from group lab: icon, name, host, consent, rdpport, location, description")},
			step{name: "nothing", say: change(`,"icon":2,"name":"PC","rdpport":3390,"tags":[]`), replies: ok("changedevice")},
			step{name: "tags alone", say: change(`,"tags":"b, a,,a"`), replies: ok("changedevice"), hears: changed("PC from group lab: ")},
			step{name: "back", say: change(`,"rdpport":3389,"userloc":[],"desc":"","consent":0,"host":""`), replies: ok("changedevice"),
				hears: changed("PC from group lab: host, consent, rdpport, location removed, description")},
			step{name: "credentials", say: change(`,"intelamt":{"user":"x","pass":"s3cr3t-new","tls":1},"ssh":0,"rdp":0`), replies: ok("changedevice"),
				hears: changed("PC from group lab: Intel AMT credentials, Intel AMT TLS, ssh")},
			step{say: change(`,"userloc":[1]`), replies: refusal("changedevice", "Invalid user location")},
			step{say: `{"action":"changedevice","nodeid":"node/x/y","responseid":"r"}`, replies: refusal("changedevice", "Invalid nodeid")},
			step{say: `{"action":"changedevice","responseid":"r"}`, replies: refusal("changedevice", "Invalid nodeid")},
			step{say: `{"action":"changedevice","nodeid":"nothing","name":"x","responseid":"r"}`, replies: refusal("changedevice", "Access Denied")},
		)
		stored, err := w.s.Device(t.Context(), d)
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b"}, stored.Tags)
		require.JSONEq(t, `{"user//eve":{"p":"s3cr3t-ssh"}}`, string(stored.Extra["ssh"]))
		require.Equal(t, "s3cr3t-new", stored.AMT.Password.Reveal())
		s.asker = "eve"
		s.run(step{say: change(`,"name":"x"`), replies: refusal("changedevice", "Access Denied")})
		require.Contains(t, s.ops["eve"].ask(`{"action":"nodes"}`)[0], `"pass":1`)
	})
}

func TestAddDevices(t *testing.T) {
	inWorld(t, func(w *world) {
		bob, eve := w.account("bob", 0), w.account("eve", 0)
		w.account("off", controlproto.SiteNoNewDevices)
		may := map[controlproto.ID]controlproto.Rights{bob: controlproto.ManageDevices, eve: 8, "user//off": controlproto.ManageDevices}
		local, amt := w.groupOf("local", controlproto.GroupLocal, may), w.groupOf("amt", controlproto.GroupAMT, may)
		s := w.script(map[string]controlproto.ID{"local": local, "amt": amt}, "bob", "eve", "off")
		added := func(group string) map[string][]string {
			text := []string{"addnode 84: Added device pc to device group " + group + " (bob)"}
			return map[string][]string{"bob": text, "eve": text, "off": text}
		}
		l := func(rest string) string {
			return `{"action":"addlocaldevice","devicename":"pc","hostname":"h","responseid":"r",` + rest + `}`
		}
		a := func(rest string) string {
			return `{"action":"addamtdevice","devicename":"pc","hostname":"h","amtusername":"u","amtpassword":"s3cr3t-amt","responseid":"r",` + rest + `}`
		}
		wrong := func(text string) []string { return refusal("changeDeviceMesh", text) }
		s.run(
			step{say: l(`"meshid":"{local}","type":4`), replies: ok("addlocaldevice"), hears: added("local")},
			step{say: l(`"meshid":"{local}","type":"4"`), replies: wrong("Invalid type")},
			step{say: l(`"meshid":"{local}","type":5`), replies: wrong("Invalid type")},
			step{say: l(`"meshid":"mesh//nothing","type":6`), replies: wrong("Unknown device group")},
			step{say: l(`"meshid":"{amt}","type":6`), replies: wrong("Local device agentless mesh only allowed")},
			step{say: l(`"meshid":"{local}","type":29,"hostname":""`), replies: wrong("Invalid hostname")},
			step{say: l(`"meshid":"{local}","type":29,"devicename":""`), replies: wrong("Invalid devicename")},
			step{say: a(`"meshid":"{amt}","amttls":"1","state":3,"ver":"11.8","realm":"r"`), replies: ok("addamtdevice"), hears: added("amt")},
			step{say: a(`"meshid":"{amt}"`), replies: wrong("Invalid amttls")},
			step{say: a(`"meshid":"{amt}","amttls":2`), replies: wrong("Invalid amttls")},
			step{say: a(`"meshid":"{local}","amttls":0`), replies: wrong("Intel AMT agentless mesh only allowed")},
			step{say: a(`"meshid":"{amt}","amttls":0,"amtpassword":"12345678901234567"`), replies: wrong("Invalid amtpassword")},
			step{say: a(`"meshid":"{amt}","amttls":0,"amtusername":"12345678901234567"`), replies: wrong("Invalid amtusername")},
		)
		for _, who := range []string{"eve", "off"} {
			s.asker = who
			s.run(
				step{say: l(`"meshid":"{local}","type":4`), replies: wrong("Permission denied")},
				step{say: a(`"meshid":"{amt}","amttls":0`), replies: wrong("Permission denied")},
			)
		}
	})
}

func TestMoveDevices(t *testing.T) {
	inWorld(t, func(w *world) {
		bob, eve := w.account("bob", 0), w.account("eve", 0)
		from := w.group("from", map[controlproto.ID]controlproto.Rights{bob: controlproto.FullRights, eve: 8})
		to := w.group("to", map[controlproto.ID]controlproto.Rights{bob: controlproto.FullRights})
		weak := w.group("weak", map[controlproto.ID]controlproto.Rights{bob: controlproto.ManageDevices})
		local := w.groupOf("local", controlproto.GroupLocal, map[controlproto.ID]controlproto.Rights{bob: controlproto.FullRights})
		d := w.device("pc1", from)
		w.connect(d)
		s := w.script(map[string]controlproto.ID{"d": d, "from": from, "to": to, "weak": weak, "local": local}, "bob", "eve")
		r := func(texts ...string) (list []string) {
			for _, x := range texts {
				list = append(list, refusal("changeDeviceMesh", x)...)
			}
			return list
		}
		moved := []string{"nodemeshchange 85: Moved device pc1 to group to (bob)"}
		s.run(
			step{say: `{"action":"changeDeviceMesh","nodeids":["{d}","{d}","nothing"],"meshname":"to","responseid":"r"}`,
				replies: r("ok", "Device already in correct group", "Device not found"), hears: map[string][]string{"bob": moved, "eve": moved}},
			step{name: "another type", say: `{"action":"changeDeviceMesh","nodeids":["{d}"],"meshid":"{local}","responseid":"r"}`},
			step{say: `{"action":"changeDeviceMesh","nodeids":["{d}"],"meshid":"{weak}","responseid":"r"}`, replies: r("Permission denied")},
			step{say: `{"action":"changeDeviceMesh","nodeids":[""],"meshid":"{to}","responseid":"r"}`, replies: r("Invalid nodeids")},
			step{say: `{"action":"changeDeviceMesh","nodeids":[""],"meshid":"mesh//nothing","responseid":"r"}`, replies: r("Unknown device group")},
			step{say: `{"action":"changeDeviceMesh","nodeids":["{d}"],"responseid":"r"}`, replies: r("Invalid groupid")},
		)
		require.Contains(t, s.ops["bob"].asked(`{"action":"nodes"}`)["nodes"], string(to))
		require.Empty(t, s.ops["eve"].asked(`{"action":"nodes"}`)["nodes"])
		s.asker = "eve"
		s.run(step{say: `{"action":"changeDeviceMesh","nodeids":["{d}"],"meshid":"{from}","responseid":"r"}`, replies: r("Permission denied")})
	})
}

func TestRemoveDevices(t *testing.T) {
	inWorld(t, func(w *world) {
		admin, bob := w.account("admin", controlproto.SiteFull), w.account("bob", 0)
		eve := w.account("eve", 0)
		ug := w.userGroup("ops", eve)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: controlproto.UninstallAgent})
		d := w.device("pc1", g)
		w.update(func(tx *Tx) error {
			if err := tx.Link(ug, "ops", d, 8); err != nil {
				return err
			}
			return tx.Link(eve, "eve", d, 8)
		})
		require.NotEmpty(t, admin)
		w.connect(d)
		s := w.script(map[string]controlproto.ID{"d": d}, "eve", "bob", "admin")
		s.run(step{say: `{"action":"removedevices","nodeids":["{d}"],"responseid":"r"}`, replies: refusal("removedevices", "Denied")})
		s.asker = "bob"
		removed := "removenode 87: Removed device pc1 from device group lab (bob)"
		s.run(
			step{say: `{"action":"removedevices","nodeids":["","node/x/y","nothing"],"responseid":"r"}`, replies: append(append(refusal("removedevices", "Invalid nodeid"),
				refusal("removedevices", "Invalid domain")...), refusal("removedevices", "Denied")...)},
			step{say: `{"action":"removedevices","nodeids":["{d}"],"responseid":"r"}`, replies: ok("removedevices"), hears: map[string][]string{
				"admin": {"usergroupchange 163: Removed device pc1 from user group ops (bob)", "accountchange 86: Removed user device rights for eve (eve)", removed},
				"bob":   {"usergroupchange", removed},
				"eve":   {"usergroupchange", "accountchange 86: Removed user device rights for eve (eve)", removed},
			}},
			step{say: `{"action":"removedevices","nodeids":[],"responseid":"r"}`},
		)
		w.checkLinks()
		require.Equal(t, []agentGot{{d, "soft"}}, w.agents.ended)
	})
}

func TestAddDeviceUser(t *testing.T) {
	inWorld(t, func(w *world) {
		mgr, eve := w.account("mgr", 0), w.account("eve", 0)
		w.account("bob", 0)
		ug := w.userGroup("ops", eve)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{mgr: controlproto.ManageUsers})
		d := w.device("pc1", g)
		s := w.script(map[string]controlproto.ID{"d": d, "ug": ug}, "mgr", "bob", "eve")
		add := func(rest string) string {
			return `{"action":"adddeviceuser","nodeid":"{d}","responseid":"r",` + rest + `}`
		}
		node := "changenode 82: Changed user device rights for pc1 (mgr)"
		s.run(
			step{say: add(`"usernames":["Bob","nobody"],"rights":8`), replies: ok("adddeviceuser"), hears: map[string][]string{
				"mgr": {node}, "bob": {"accountchange 82: Changed user device rights for bob (mgr)", node}}},
			step{say: add(`"userids":["{ug}","user//nobody","user/x/y","bare"],"rights":64`), replies: ok("adddeviceuser"), hears: map[string][]string{
				"mgr": {"usergroupchange", node}, "bob": {node}, "eve": {"usergroupchange", node}}},
			step{name: "nobody of them", say: add(`"userid":"user//nobody","rights":64`), replies: ok("adddeviceuser")},
			step{name: "of a group", say: add(`"usernames":["bob"],"rights":1`), replies: refusal("adddeviceuser", "Invalid rights")},
			step{name: "all", say: add(`"usernames":["bob"],"rights":4294967295`), replies: refusal("adddeviceuser", "Invalid rights")},
			step{name: "text", say: add(`"usernames":["bob"],"rights":"8"`), replies: refusal("adddeviceuser", "Invalid rights")},
			step{name: "none", say: add(`"usernames":["bob"]`), replies: refusal("adddeviceuser", "Invalid rights")},
			step{say: add(`"rights":8`), replies: refusal("adddeviceuser", "Invalid usernames")},
			step{say: `{"action":"adddeviceuser","nodeid":"node/x/y","usernames":["bob"],"rights":8,"responseid":"r"}`, replies: refusal("adddeviceuser", "Invalid domain")},
			step{say: `{"action":"adddeviceuser","usernames":["bob"],"rights":8,"responseid":"r"}`, replies: refusal("adddeviceuser", "Invalid nodeid")},
			step{name: "no device", say: `{"action":"adddeviceuser","nodeid":"nothing","usernames":["bob"],"rights":8,"responseid":"r"}`},
		)
		w.checkLinks()
		require.NotEmpty(t, s.ops["eve"].asked(`{"action":"nodes"}`)["nodes"], "through the user group")
		s.asker = "bob"
		s.run(step{name: "may not", say: add(`"usernames":["bob"],"rights":16`)})
		s.asker = "mgr"
		removed := "changenode 81: Removed user device rights for pc1 (mgr)"
		s.run(step{say: add(`"usernames":["bob"],"rights":0,"remove":true`), replies: ok("adddeviceuser"), hears: map[string][]string{
			"mgr": {removed}, "eve": {removed}, "bob": {"accountchange 81: Removed user device rights for bob (mgr)", removed}}})
		w.checkLinks()
		require.Empty(t, s.ops["bob"].asked(`{"action":"nodes"}`)["nodes"])
	})
}

func TestSetDeviceEvent(t *testing.T) {
	inWorld(t, func(w *world) {
		bob, eve := w.account("bob", 0), w.account("eve", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: 8, eve: 0})
		d := w.device("pc1", g)
		s := w.script(map[string]controlproto.ID{"d": d}, "bob", "eve")
		s.run(
			step{say: `{"action":"setDeviceEvent","nodeid":"{d}","msg":"a%20line"}`, hears: map[string][]string{"bob": {"manual: a line (bob)"}, "eve": {"manual: a line (bob)"}}},
			step{say: `{"action":"setDeviceEvent","nodeid":"{d}","msg":""}`},
			step{say: `{"action":"setDeviceEvent","nodeid":"nothing","msg":"x"}`},
		)
		s.asker = "eve"
		s.run(step{say: `{"action":"setDeviceEvent","nodeid":"{d}","msg":"x"}`})
	})
}

func TestNodes(t *testing.T) {
	inWorld(t, func(w *world) {
		bob := w.account("bob", 0)
		w.account("eve", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: 8})
		other := w.group("other", nil)
		one, two := w.device("one", g), w.device("two", g)
		far := w.device("far", other)
		w.update(func(tx *Tx) error { return tx.Link(bob, "bob", far, 8) })
		o := w.login("bob")
		all := o.asked(`{"action":"nodes","responseid":"r","tag":[1]}`)
		require.Equal(t, "r", all["responseid"])
		require.Equal(t, []any{1.0}, all["tag"])
		nodes := all["nodes"].(map[string]any)
		require.Len(t, nodes[string(g)], 2)
		require.Len(t, nodes[string(other)], 1)
		require.Len(t, o.asked(`{"action":"nodes","meshid":%q}`, g)["nodes"].(map[string]any), 1)
		require.Len(t, o.asked(`{"action":"nodes","meshname":"lab","id":%q}`, two)["nodes"].(map[string]any)[string(g)], 1)
		require.Empty(t, o.asked(`{"action":"nodes","id":"two"}`)["nodes"])
		o.wants(fmt.Sprintf(`{"action":"nodes","meshid":%q,"responseid":"r"}`, other), refusal("nodes", "Invalid group id")...)
		require.Contains(t, o.ask(`{"action":"meshes","tag":1}`)[0], string(g))
		require.Empty(t, w.login("eve").asked(`{"action":"nodes"}`)["nodes"])
		// The lists follow changes, with and without a cache.
		w.update(func(tx *Tx) error { return tx.RemoveDevice(nil, one) })
		require.Len(t, o.asked(`{"action":"nodes"}`)["nodes"].(map[string]any)[string(g)], 1)
		w.s.Tick()
		<-time.After(2 * cacheTime) // in the bubble, nobody waits
		w.s.Tick()
		require.Len(t, o.asked(`{"action":"nodes"}`)["nodes"].(map[string]any)[string(g)], 1)
		ids, err := w.s.DeviceIDs(t.Context(), g)
		require.NoError(t, err)
		require.Equal(t, []controlproto.ID{two}, ids)
		r, visible, err := w.s.DeviceRights(t.Context(), bob, two)
		require.NoError(t, err)
		require.True(t, visible)
		require.Equal(t, controlproto.RemoteControl, r)
		_, visible, err = w.s.DeviceRights(t.Context(), bob, one)
		require.NoError(t, err)
		require.False(t, visible)
		r, visible = w.s.GroupRights(bob, g)
		require.True(t, visible)
		require.Equal(t, controlproto.RemoteControl, r)
	})
}

func TestNodesByPages(t *testing.T) {
	inWorld(t, func(w *world) {
		bob := w.account("bob", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: 8})
		for i := range 5 {
			w.device(fmt.Sprint("pc", i), g)
		}
		o := w.login("bob")
		page := o.asked(`{"action":"nodes","skip":1,"limit":9}`)
		require.Equal(t, 1.0, page["skip"])
		require.Equal(t, 2.0, page["limit"])
		require.Equal(t, 5.0, page["totalcount"])
		require.Len(t, page["nodes"].(map[string]any)[string(g)], 2)
		w.connect(id(controlproto.KindDevice, "pc1"))
		require.Len(t, o.events(), 1)
		w.connect(id(controlproto.KindDevice, "pc4"))
		require.Empty(t, o.events(), "of a device on another page")
		require.Len(t, o.asked(`{"action":"nodes","skip":-3,"limit":-1}`)["nodes"].(map[string]any)[string(g)], 2)
	}, func(c *Config) { c.Domains = []Domain{{MaxDeviceView: 2}} })
}
