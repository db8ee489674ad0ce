package controlserver

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

// lab is a group with one device, a full administrator of it, and somebody with a few rights.
func (w *world) lab(bob controlproto.Rights) (group, device controlproto.ID) {
	admin := w.account("admin", controlproto.SiteFull)
	other := w.account("bob", 0)
	w.account("carol", 0)
	group = w.group("lab", map[controlproto.ID]controlproto.Rights{admin: controlproto.FullRights, other: bob})
	return group, w.device("pc1", group)
}

const sysinfo = `{"hash":"abc","time":1700000000000,"hardware":{"identifiers":{"cpu_name":"CPU, fast","bios_serial":"S1"},` +
	`"linux":{"bios_vendor":"V","product_uuid":"U","memory":{"Memory_Device":[{"Size":"16 GB"},{"Size":8}]}},` +
	`"agentvers":{"openssl":"3.0"},` +
	`"windows2":1},"result":"forged","rights":5}`

const bitlocker = `{"hash":"w","hardware":{"windows":{"cpu":[{"Name":"X"}],"volumes":{"C":{"name":"C","recoveryPassword":"111-222","size":5},"D":7}}}}`

const network = `{"updateTime":1700000001000,"netif2":{"lo":[{"mac":"00:00:00:00:00:00","address":"127.0.0.1","family":"IPv4"}],` +
	`"eth0":[{"mac":"02:FC:00:00:00:01","address":"192.0.2.2"},{"mac":"02:FC:00:00:00:01","address":"fd00::2"}]},"action":"forged"}`

func TestSysInfo(t *testing.T) {
	inWorld(t, func(w *world) {
		_, d := w.lab(controlproto.RemoteControl | controlproto.DeviceDetails)
		w.update(func(tx *Tx) error {
			return tx.ChangeDevice(d, func(d *controlproto.Device) error {
				d.AMT = &controlproto.DeviceAMT{User: "admin", Password: controlproto.NewSecret("amt-secret")}
				d.Extra = map[string]json.RawMessage{"ssh": json.RawMessage(`{"user//admin":{"p":"ssh-secret"}}`)}
				return nil
			})
		})
		admin, bob, carol := w.login("admin"), w.login("bob"), w.login("carol")
		ask := fmt.Sprintf(`{"action":"getsysinfo","nodeid":%q,"nodeinfo":true,"tag":"t","responseid":"r"}`, d.Name())
		none := fmt.Sprintf(`{"action":"getsysinfo","nodeid":%q,"tag":"t","noinfo":true,"result":"Invalid device id"}`, d)
		admin.wants(ask, none)
		carol.wants(ask, none)

		require.NoError(t, w.s.SaveSystem(context.Background(), d, []byte(sysinfo)))
		carol.wants(ask, none)
		got := admin.asked("%s", ask)
		require.Equal(t, "abc", got["hash"])
		require.Equal(t, float64(1700000000000), got["time"])
		require.Equal(t, string(d), got["nodeid"])
		require.Equal(t, float64(controlproto.FullRights), got["rights"])
		require.NotContains(t, got, "result")
		require.NotContains(t, got, "responseid")
		node := got["node"].(map[string]any)
		require.Equal(t, "pc1", node["name"])
		require.NotEmpty(t, node["meshid"])
		require.NotContains(t, node, "conn")
		require.Equal(t, float64(1), node["intelamt"].(map[string]any)["pass"])
		require.NotContains(t, fmt.Sprint(got), "secret")

		// Keys of disks are for full rights alone.
		require.NoError(t, w.s.SaveSystem(context.Background(), d, []byte(bitlocker)))
		require.Contains(t, fmt.Sprint(admin.ask("%s", ask)), "111-222")
		seen := fmt.Sprint(bob.ask("%s", ask))
		require.NotContains(t, seen, "111-222")
		require.Contains(t, seen, `"size":5`)

		// What is silent and what is not.
		admin.wants(`{"action":"getsysinfo","nodeid":"node/other/x","tag":"t"}`)
		admin.wants(`{"action":"getsysinfo","nodeid":""}`)
	})
}

func TestHideMember(t *testing.T) {
	for doc, want := range map[string]string{
		`{"a":{"b":{"c":{"secret":1,"d":2},"e":{"secret":3}}}}`: `{"a":{"b":{"c":{"d":2},"e":{}}}}`,
		`{"a":{"b":["secret"]},"z":1}`:                          `{"a":{},"z":1}`,
		`{"a":"secret"}`:                                        `{}`,
		`{"a":{"b":{"c":["secret"],"e":{"secret":1}}}}`:         `{"a":{"b":{"e":{}}}}`,
	} {
		var m map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(doc), &m))
		hideMember(m, "a", "b", "", "secret")
		b, err := encode(m)
		require.NoError(t, err)
		require.JSONEq(t, want, string(b), doc)
	}
}

func TestNetworkInfo(t *testing.T) {
	inWorld(t, func(w *world) {
		_, d := w.lab(controlproto.RemoteControl)
		admin, bob := w.login("admin"), w.login("bob")
		ask := fmt.Sprintf(`{"action":"getnetworkinfo","nodeid":%q,"tag":"t"}`, d)
		admin.wants(ask, fmt.Sprintf(`{"action":"getnetworkinfo","nodeid":%q,"netif":null,"netif2":null}`, d))
		bob.wants(ask, fmt.Sprintf(`{"action":"getnetworkinfo","nodeid":%q,"tag":"t","noinfo":true,"result":"Invalid device id"}`, d))
		require.NoError(t, w.s.SaveNetwork(context.Background(), d, []byte(network)))
		require.Len(t, admin.events(), 1)
		got := admin.asked("%s", ask)
		require.Equal(t, "getnetworkinfo", got["action"])
		require.Equal(t, float64(1700000001000), got["updateTime"])
		require.Len(t, got["netif2"], 2)
	})
}

func TestLastConnect(t *testing.T) {
	inWorld(t, func(w *world) {
		_, d := w.lab(0) // seen, without any right
		bob, carol := w.login("bob"), w.login("carol")
		ask := fmt.Sprintf(`{"action":"lastconnect","nodeid":%q,"tag":"t"}`, d)
		bob.wants(ask, fmt.Sprintf(`{"action":"lastconnect","nodeid":%q,"tag":"t","noinfo":true,"result":"No data"}`, d))
		carol.wants(ask, fmt.Sprintf(`{"action":"lastconnect","nodeid":%q,"tag":"t","noinfo":true,"result":"Invalid device id"}`, d))
		bob.wants(`{"action":"lastconnects","tag":"t"}`, `{"action":"lastconnects","lastconnects":{},"tag":"t"}`)
		w.update(func(tx *Tx) error {
			return tx.LogConnect(d, controlproto.LastConnect{Time: time.UnixMilli(1700000000123), Addr: "127.0.0.1:5", Cause: 1, Type: 1})
		})
		bob.wants(ask, fmt.Sprintf(`{"action":"lastconnect","nodeid":%q,"time":1700000000123,"addr":"127.0.0.1:5"}`, d))
		bob.wants(`{"action":"lastconnects","tag":"t"}`, fmt.Sprintf(`{"action":"lastconnects","lastconnects":{%q:1700000000123},"tag":"t"}`, d))
		carol.wants(`{"action":"lastconnects","tag":"t"}`, `{"action":"lastconnects","lastconnects":{},"tag":"t"}`)
	})
}

func TestPowerTimeline(t *testing.T) {
	inWorld(t, func(w *world) {
		_, d := w.lab(0)
		bob, carol := w.login("bob"), w.login("carol")
		ask := fmt.Sprintf(`{"action":"powertimeline","nodeid":%q,"tag":"t"}`, d)
		bob.wants(ask) // nothing is known
		w.connect(d)
		now := time.Now().Unix()
		bob.wants(ask, fmt.Sprintf(`{"action":"powertimeline","nodeid":%q,"timeline":[1,%d,1],"tag":"t"}`, d, now))
		begin := time.Unix(1700000000, 0)
		w.update(func(tx *Tx) error {
			for _, c := range []PowerChange{
				{begin.Add(-time.Hour), 0}, {begin, 1}, {begin.Add(time.Hour), 0}, {begin.Add(time.Hour + time.Minute), 1},
				{begin.Add(2 * time.Hour), 4},
			} {
				if err := tx.LogPower(d, c.Time, c.Power); err != nil {
					return err
				}
			}
			return nil
		})
		// The minute without power is left out.
		bob.wants(ask, fmt.Sprintf(`{"action":"powertimeline","nodeid":%q,"timeline":[0,1700000000,1,7200,4],"tag":"t"}`, d))
		carol.wants(ask)
		bob.wants(`{"action":"powertimeline","nodeid":"pc1","tag":"t"}`)
	})
}

func TestDeviceDetails(t *testing.T) {
	inWorld(t, func(w *world) {
		g, d := w.lab(controlproto.RemoteControl)
		printer := w.device("printer", g, func(d *controlproto.Device) {
			d.Agent, d.Host, d.Tags = nil, "127.0.2.9", []string{"blue", "green"}
			d.AMT = &controlproto.DeviceAMT{Password: controlproto.NewSecret("amt-secret")}
		})
		admin, bob, carol := w.login("admin"), w.login("bob"), w.login("carol")
		require.NoError(t, w.s.SaveSystem(context.Background(), d, []byte(sysinfo)))
		require.NoError(t, w.s.SaveNetwork(context.Background(), d, []byte(network)))
		w.update(func(tx *Tx) error {
			return tx.LogConnect(d, controlproto.LastConnect{Time: time.UnixMilli(1700000000123), Addr: "127.0.0.1:5", Cause: 1, Type: 1})
		})
		w.connect(d)

		details := func(o *operator, request string) (list []controlproto.DeviceDetail) {
			data := o.asked("%s", request)["data"].(string)
			r := &controlproto.GetDeviceDetailsReply{Data: data}
			list, err := r.Details()
			require.NoError(t, err)
			require.NotContains(t, data, "secret")
			return list
		}
		list := details(admin, `{"action":"getDeviceDetails","type":"json"}`)
		require.Len(t, list, 2)
		require.Equal(t, d, list[0].Device.ID)
		require.Equal(t, "lab", list[0].Device.GroupName)
		require.Equal(t, controlproto.ConnAgent, list[0].Device.Conn)
		require.Equal(t, "abc", list[0].System.Hash)
		require.Len(t, list[0].Network.Interfaces, 2)
		require.Equal(t, "127.0.0.1:5", list[0].LastConnect.Addr)
		require.Equal(t, printer, list[1].Device.ID)
		require.Nil(t, list[1].Network)
		require.Equal(t, 1, len(details(admin, fmt.Sprintf(`{"action":"getDeviceDetails","type":"json","nodeids":[%q,"node//none"]}`, d))))

		list = details(bob, `{"action":"getDeviceDetails","type":"json"}`)
		require.Len(t, list, 2)
		require.Nil(t, list[0].System, "details are a right of their own")
		require.Nil(t, list[0].Network)
		require.NotNil(t, list[0].LastConnect)

		require.Equal(t, `""`, carol.asked(`{"action":"getDeviceDetails","type":"json","nodeids":[%q]}`, d)["data"])
		require.Equal(t, `[]`, carol.asked(`{"action":"getDeviceDetails","type":"json"}`)["data"])
		admin.wants(`{"action":"getDeviceDetails","type":"x"}`)

		rows := strings.Split(admin.asked(`{"action":"getDeviceDetails","type":"csv"}`)["data"].(string), "\r\n")
		require.Len(t, rows, 4)
		require.Equal(t, strings.TrimSpace(detailsHeader), rows[0])
		require.Equal(t, `"`+string(d)+`","pc1","","",1,,,"lab",,,,,,,,"CPU fast",,,"V",,"S1",,,,,"U",,,,,,,"25769803776","3.0",,,,2,`+
			`"00:00:00:00:00:00 02:FC:00:00:00:01 02:FC:00:00:00:01","127.0.0.1 192.0.2.2 fd00::2",1700000000123,"127.0.0.1:5"`, rows[1])
		// The row of a device without agent, as the stock server writes it.
		require.Equal(t, `"`+string(printer)+`","printer","","127.0.2.9",1,,,"lab",,,,,,"blue|green",,,,,,,,,,,,,,,,,,,,,,,,,,,,`, rows[2])
		for _, row := range rows[:3] {
			require.Equal(t, 42, len(strings.Split(row, ",")))
		}
		local := admin.asked(`{"action":"getDeviceDetails","type":"csv","l":"en","tz":"UTC"}`)["data"].(string)
		require.Contains(t, local, `,"11/14/2023 10:13:20 PM","127.0.0.1:5"`)
	})
}

func TestNotes(t *testing.T) {
	inWorld(t, func(w *world) {
		g, d := w.lab(controlproto.RemoteControl)
		manager := w.account("manager", controlproto.SiteManageUsers)
		admin, bob, carol, boss := w.login("admin"), w.login("bob"), w.login("carol"), w.login(manager.Name())
		about := func(id controlproto.ID, notes string) (get, set, answer string) {
			text := "null"
			if notes != "" {
				text = fmt.Sprintf("%q", notes)
			}
			return fmt.Sprintf(`{"action":"getNotes","id":%q}`, id), fmt.Sprintf(`{"action":"setNotes","id":%q,"notes":%q}`, id, notes),
				fmt.Sprintf(`{"action":"getNotes","id":%q,"notes":%s}`, id, text)
		}
		get, set, answer := about(d, "new disk")
		_, _, none := about(d, "")
		admin.wants(get, none)
		bob.wants(set) // he may not
		admin.wants(get, none)
		admin.wants(set)
		bob.wants(get, answer)
		carol.wants(get)
		_, clear, _ := about(d, "")
		admin.wants(clear)
		admin.wants(get, none)

		get, set, answer = about(g, "all of them")
		admin.wants(set)
		admin.wants(get, answer)
		bob.wants(get)

		get, set, answer = about("user//bob", "talks much")
		bob.wants(set)
		boss.wants(set)
		boss.wants(get, answer)
		bob.wants(get)
		carol.wants(get)

		get, set, answer = about("puser//bob", "mine")
		bob.wants(set)
		bob.wants(get, answer)
		_, _, none = about("puser//bob", "")
		carol.wants(get, none) // her own, whatever she writes
		admin.wants(`{"action":"getNotes","id":"x"}`)
		admin.wants(`{"action":"getNotes","id":"mesh/other/x"}`)
	})
}
