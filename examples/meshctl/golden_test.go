package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controltest"
	"github.com/meshcentral-go/sdk/examples/internal/console"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

var update = flag.Bool("update", false, "write testdata/golden anew")

// Ids of the records of the fake server.
var (
	labID    = controlproto.ID("mesh//" + strings.Repeat("L", 64))
	homeID   = controlproto.ID("mesh//" + strings.Repeat("H", 64))
	pc1ID    = controlproto.ID("node//" + strings.Repeat("a", 64))
	pc2ID    = controlproto.ID("node//" + strings.Repeat("b", 64))
	evilID   = controlproto.ID("node//" + strings.Repeat("c", 64))
	deskID   = controlproto.ID("ugrp//" + strings.Repeat("u", 64))
	someTime = time.Date(2026, 11, 23, 2, 3, 4, 0, time.UTC)
)

// decode reads a message as a server sends it.
func decode[T any](t *testing.T, raw string) *T {
	t.Helper()
	v := new(T)
	require.NoError(t, jsonrec.Unmarshal([]byte(raw), v))
	return v
}

// furnished is a fake server with one of everything.
func furnished(t *testing.T) *controltest.Server {
	s := controltest.NewServer(t)
	s.AddGroup(controlproto.DeviceGroup{
		Type: "mesh", ID: labID, Name: "lab", GroupType: controlproto.GroupAgent, Desc: "second\x1b[2J floor",
		Links: controlproto.Links{
			"user//admin": {Name: "admin", Rights: controlproto.FullRights},
			"user//bob":   {Name: "bob", Rights: controlproto.RemoteControl | controlproto.SetNotes},
		},
	})
	s.AddGroup(controlproto.DeviceGroup{Type: "mesh", ID: homeID, Name: "home", GroupType: controlproto.GroupLocal})
	s.AddDevice(labID, controlproto.Device{
		Type: "node", ID: pc1ID, Name: "pc1", Icon: controlproto.IconDesktop, Conn: controlproto.ConnAgent, Power: controlproto.PowerOn,
		OSDesc: "Debian GNU/Linux 12", IP: "192.0.2.7", Tags: []string{"kiosk"}, Users: []string{"ann"},
		Agent: &controlproto.DeviceAgent{ID: 6, Caps: 31, Tag: "front"}, AgentSince: someTime,
	})
	s.AddDevice(labID, controlproto.Device{
		Type: "node", ID: pc2ID, Name: "pc2", Icon: controlproto.IconLaptop, OSDesc: "Windows 11", Desc: "spare",
		Windows: &controlproto.WindowsSecurity{AntiVirus: "OK", AutoUpdate: "PROBLEM", Firewall: "OK"},
	})
	s.AddDevice(homeID, controlproto.Device{
		Type: "node", ID: evilID, Name: "=cmd|'\x1b]0;owned\x07\u202e,\"x\"\n", Conn: controlproto.ConnAgent,
		OSDesc: "\u009b31m", Extra: nil,
	})
	s.Reply("wssessioncount", decode[controlproto.WSSessionCountReply](t, `{"wssessions":{"user//admin":2,"user//bob":1}}`))
	s.Reply("usergroups", decode[controlproto.UserGroupsReply](t, `{"ugroups":{"`+string(deskID)+`":{"type":"ugrp","_id":"`+string(deskID)+
		`","name":"helpdesk","desc":"d","domain":"","links":{"user//bob":{"userid":"user//bob","name":"bob","rights":1},"`+string(labID)+`":{"rights":8}}}}}`))
	s.Reply("loginTokens", decode[controlproto.GetLoginTokensReply](t, `{"loginTokens":[{"name":"job","tokenUser":"~t:0123456789abcdef",`+
		`"created":1795400000000,"expire":0},{"name":"job2","tokenUser":"~t:fedcba9876543210","created":1795400000000,"expire":1795500000000}]}`))
	s.Reply("events", decode[controlproto.EventsReply](t, `{"events":[{"etype":"node","action":"changenode","nodeid":"`+string(pc1ID)+
		`","userid":"user//admin","msg":"Changed \u001b[2Jdevice","domain":"","time":"2026-11-23T02:00:00.000Z","custom":1}]}`))
	s.Reply("deviceShares", decode[controlproto.DeviceSharesReply](t, `{"nodeid":"`+string(pc1ID)+`","deviceShares":[{"p":2,"publicid":"abc","userid":"user//admin",`+
		`"guestName":"Eve","consent":1,"port":null,"url":"https://h/sharing?c=x","startTime":1795400000000,"expireTime":1795403600000,"viewOnly":true}]}`))
	s.Reply("report", decode[controlproto.ReportReply](t, `{"data":{"groups":{"user//admin":{"entries":[{"time":1795400000000,"ip":"192.0.2.9","msg":"Login"}]}},`+
		`"groupFormat":"user","columns":[{"id":"time","title":"time","format":"datetime"},{"id":"ip","title":"ip"},{"id":"msg","title":"event"}]}}`))
	return s
}

// What listings look like: for people, as CSV and as JSON. Made by this test with -update, and looked over.
func TestGolden(t *testing.T) {
	s := furnished(t)
	s.AddUser("bob", "pw", controlproto.SiteManageUsers|controlproto.SiteLocked)
	w := on(t, s)
	for name, args := range map[string][]string{
		"listdevices":            {"listdevices"},
		"listdevices-filter":     {"listdevices", "--filter", "g:lab and os:windows or tag:kiosk"},
		"listdevicegroups":       {"listdevicegroups"},
		"listdevicegroups-hex":   {"listdevicegroups", "--hex"},
		"listusersofdevicegroup": {"listusersofdevicegroup", "--id", "lab"},
		"listusersessions":       {"listusersessions"},
		"listusergroups":         {"listusergroups"},
		"logintokens":            {"logintokens"},
		"listevents":             {"listevents"},
		"devicesharing":          {"devicesharing", "--id", "pc1"},
		"report":                 {"report", "--type", "logins"},
	} {
		for _, form := range []string{"txt", "csv", "json"} {
			all := args
			if form != "txt" {
				all = append(all[:len(all):len(all)], "--"+form)
			}
			out := w.ok(t, all...)
			for _, r := range out {
				require.True(t, r == '\n' || r == '\uFFFD' || console.Harmless(r), "%s: %q", name, r)
			}
			compare(t, name+"."+form, out)
		}
	}
	// Accounts have times of this very moment.
	out := w.ok(t, "listusers")
	require.Regexp(t, `(?m)^ID +NAME +EMAIL +RIGHTS +2FA +LAST LOGIN$`, out)
	require.Regexp(t, `(?m)^bob +bob +manageusers,locked`, out)
	require.Contains(t, w.ok(t, "listusers", "--csv"), "bob,bob,,\"manageusers,locked\",,\n")
	require.Contains(t, w.ok(t, "listusers", "--json"), `"_id": "user//bob"`)
	require.Equal(t, "None\n", w.ok(t, "listusers", "--filter", "2fa"))
	require.Equal(t, "[]\n", w.ok(t, "listusers", "--filter", "2fa", "--json"))
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got, name)
}

// deviceinfo has the sections of meshctrl, as text and as JSON.
func TestDeviceInfo(t *testing.T) {
	s := controltest.NewServer(t)
	s.AddDevice(labID, controlproto.Device{
		Type: "node", ID: pc1ID, Name: "pc1", RName: "PC-1", OSDesc: "Windows 11", Agent: &controlproto.DeviceAgent{ID: 4, Caps: 31},
		AMT: &controlproto.DeviceAMT{Version: "16.1", State: new(2), Flags: 4, TLS: new(1), User: "admin"}, Desc: "\x1b[1mbold",
	})
	s.Reply("getsysinfo", decode[controlproto.GetSysInfoReply](t, `{"nodeid":"`+string(pc1ID)+`","hash":"h","hardware":{"identifiers":{"bios_vendor":"ACME","bios_version":"1",`+
		`"board_name":"B","cpu_name":"C","gpu_name":["G1","G2"],"storage_devices":[{"Caption":"disk","Model":"M","Size":1073741824}]},`+
		`"windows":{"memory":[{"BankLabel":"BANK 0","Capacity":"8589934592","Speed":3200,"PartNumber":"P"}],"osinfo":{"OSArchitecture":"64-bit"}}}}`))
	s.Reply("getnetworkinfo", decode[controlproto.GetNetworkInfoReply](t, `{"nodeid":"`+string(pc1ID)+`","netif2":{"eth0":[{"family":"IPv4","address":"192.0.2.2",`+
		`"netmask":"255.255.255.0","gateway":"192.0.2.1","mac":"00:11:22:33:44:55","gatewaymac":"00:11:22:33:44:66"}]}}`))
	s.Reply("lastconnect", decode[controlproto.LastConnectReply](t, `{"nodeid":"`+string(pc1ID)+`","time":1795400000000,"addr":"192.0.2.2:1234"}`))
	w := on(t, s)
	compare(t, "deviceinfo.txt", w.ok(t, "deviceinfo", "--id", "pc1"))
	compare(t, "deviceinfo.json", w.ok(t, "deviceinfo", "--id", "pc1", "--json"))
	require.Contains(t, w.ok(t, "deviceinfo", "--id", string(pc1ID), "--raw"), `"bios_vendor": "ACME"`)
}

// Names, bare ids and hexadecimal digits name the same device.
func TestNames(t *testing.T) {
	s := furnished(t)
	w := on(t, s)
	sent := func(action string) string {
		r := s.Requests(action)
		m, err := jsonrec.Peek(r[len(r)-1].Raw, "nodeid", "meshid")
		require.NoError(t, err)
		return plain(m[0]) + plain(m[1])
	}
	for _, name := range []string{"pc2", string(pc2ID), pc2ID.Name(), hexID(pc2ID), strings.ToLower(hexID(pc2ID))[2:]} {
		w.ok(t, "editdevice", "--id", name, "--name", "x")
		require.Equal(t, string(pc2ID), sent("changedevice"), name)
	}
	for _, name := range []string{"lab", string(labID), labID.Name(), hexID(labID)} {
		for _, flag := range []string{"--id", "--group"} {
			w.ok(t, "removedevicegroup", flag, name)
			require.Equal(t, string(labID), sent("deletemesh"), name)
		}
	}
	s.AddDevice(homeID, controlproto.Device{ID: evilID, Name: "pc2"})
	for name, want := range map[string]int{"pc2": exitUsage, "pc3": exitRefused, string(labID): exitUsage, "pc1,,pc2": exitRefused} {
		code, _, _ := w.run(t.Context(), "editdevice", "--id", name, "--name", "x")
		require.Equal(t, want, code, name)
	}
}

// The shell completes names of devices and groups: those that are safe, and ids for those that are not unique.
func TestCompletion(t *testing.T) {
	s := furnished(t)
	w := on(t, s)
	complete := func(args ...string) []string {
		out := strings.Split(w.ok(t, append([]string{"__complete"}, args...)...), "\n")
		return out[:max(0, len(out)-2)] // without the directive
	}
	require.Equal(t, []string{"pc1", "pc2"}, complete("editdevice", "--id", ""))
	require.Equal(t, []string{"pc2"}, complete("editdevice", "--id", "pc2"))
	require.Equal(t, []string{"pc1,pc2"}, complete("devicepower", "--id", "pc1,pc2"))
	require.Equal(t, []string{"home", "lab"}, complete("listdevices", "--group", ""))
	require.Equal(t, []string{"sessions", "traffic", "logins", "db"}, complete("report", "--type", ""))
	s.AddDevice(homeID, controlproto.Device{ID: evilID, Name: "pc2"})
	require.Equal(t, []string{string(pc2ID), string(evilID), "pc1"}, complete("editdevice", "--id", ""))
	w.env["MESHCTL_PASSWORD"] = ""
	require.Empty(t, complete("editdevice", "--id", ""))
	require.Empty(t, w.asked)
}

// Commands run on several devices, whose outputs come one by one.
func TestRunCommand(t *testing.T) {
	s := furnished(t)
	s.Handle("runcommands", func(ctx context.Context, c *controlproto.Call) error {
		var m controlproto.RunCommands
		if err := c.Decode(&m); err != nil {
			return err
		}
		if m.DeviceIDs[0] == pc2ID {
			return c.Result(ctx, "Agent not connected")
		}
		if !m.Reply {
			return c.Result(ctx, "OK")
		}
		return c.ReplyEcho(ctx, &controlproto.MsgRunCommands{DeviceID: m.DeviceIDs[0], Result: "out of " + m.Commands + "\x1b[2J\n"}, controlproto.EchoResponseID)
	})
	w := on(t, s)
	require.Equal(t, "OK\n", w.ok(t, "runcommand", "--id", "pc1", "--run", "ls"))
	require.Equal(t, "out of ls\x1b[2J\n", w.ok(t, "runcommand", "--id", "pc1", "--run", "ls", "--reply"))
	w.outTerminal = true
	require.Equal(t, "out of ls\uFFFD[2J\n", w.ok(t, "runcommand", "--id", "pc1", "--run", "ls", "--reply"))
	require.Equal(t, "== pc1\nout of ls\uFFFD[2J\n", first(w.run(t.Context(), "runcommand", "--id", "pc1,pc2", "--run", "ls", "--reply")))

	code, stdout, stderr := w.run(t.Context(), "runcommand", "--id", "pc1,pc2", "--run", "ls", "--reply", "--json")
	require.Equal(t, exitRefused, code)
	require.Contains(t, stdout, `{"nodeid":"`+string(pc1ID)+`","name":"pc1","output":"out of ls\u001b[2J\n"}`)
	require.Contains(t, stdout, `Agent not connected`)
	require.Contains(t, stderr, string(pc2ID))
	// A group is its connected devices.
	require.Equal(t, "OK\n", w.ok(t, "runcommand", "--group", "lab", "--run", "ls"))
}

func first(_ int, stdout, _ string) string { return stdout }

// A long command line of the tool changes nothing that meshctrl would not send.
func TestRequests(t *testing.T) {
	s := furnished(t)
	s.Reply("createmesh", decode[controlproto.CreateMeshReply](t, `{"result":"ok","meshid":"`+string(labID)+`"}`))
	s.Reply("createDeviceShareLink", decode[controlproto.CreateDeviceShareLinkReply](t, `{"publicid":"p","url":"https://h/x","result":"OK"}`))
	s.Reply("addmeshuser", decode[controlproto.AddMeshUserReply](t, `{"result":"Added user bob","success":1,"failed":0}`))
	w := on(t, s)
	for _, test := range []struct {
		args         string
		action, want string
		out          string
	}{
		{"adddevicegroup --name new --agentless --features 3 --consent 7", "createmesh", `"meshname":"new","meshtype":3,"flags":3,"consent":7`, "ok " + string(labID)},
		{"editdevicegroup --group lab --desc", "editmesh", `"meshid":"` + string(labID) + `","desc":""`, "ok"},
		{"editdevicegroup --group lab --invitecodes a,b --backgroundonly", "editmesh", `"invite":{"codes":["a","b"],"flags":2}`, "ok"},
		{"editdevicegroup --group lab --invitecodes", "editmesh", `"invite":"*"`, "ok"},
		{"addusertodevicegroup --group lab --userid Bob --remotecontrol --notes", "addmeshuser", `"usernames":["bob"],"meshadmin":136`, "ok"},
		{"addusertodevicegroup --group lab --userid bob --fullrights --uninstall", "addmeshuser", `"meshadmin":4294967295`, "ok"},
		{"addusertodevice --id pc1 --userid bob --fullrights", "adddeviceuser", `"usernames":["bob"],"rights":49400`, "ok"},
		{"removeuserfromdevice --id pc1 --userid bob", "adddeviceuser", `"usernames":["bob"],"rights":0,"remove":true`, "ok"},
		{"editdevice --id pc1 --tags a,b --icon 3 --consent 5 --desc x", "changedevice", `"desc":"x","icon":3,"consent":5,"tags":["a","b"]`, "ok"},
		{"editdevice --id pc1 --tags", "changedevice", `"tags":""`, "ok"},
		{"devicepower --id pc1 --amtreset", "poweraction", `"actiontype":310`, "ok"},
		{"devicepower --id pc1 --wake", "wakedevices", `"nodeids":["` + string(pc1ID) + `"]`, "ok"},
		{"devicemessage --id pc1 --msg hi --timeout 0", "msg", `"type":"messagebox","nodeid":"` + string(pc1ID) + `","title":"MeshCentral","msg":"hi","timeout":0`, "ok"},
		{"devicetoast --id pc1,pc2 --msg hi --title T", "toast", `"title":"T","msg":"hi"`, "ok"},
		{"deviceopenurl --id pc1 --openurl http://x", "msg", `"type":"openUrl","nodeid":"` + string(pc1ID) + `","url":"http://x"`, "ok"},
		{"broadcast --msg hello --user bob", "userbroadcast", `"msg":"hello","userid":"user//bob"`, "ok"},
		{"adduser --user bob --pass pw --rights none,locked --notools --phone 1234567890", "adduser", `"username":"bob","pass":"pw","siteadmin":160,"phone":"1234567890"`, "ok"},
		{"edituser --userid bob --realname", "edituser", `"userid":"user//bob","realname":""`, "ok"},
		{"removeuser --userid bob", "deleteuser", `"userid":"user//bob"`, "ok"},
		{"removefromusergroup --groupid helpdesk --id user//bob", "removeuserfromusergroup", `"ugrpid":"` + string(deskID) + `","userid":"user//bob"`, "ok"},
		{"devicesharing --id pc1 --add Eve --type terminal,files --consent prompt --duration 30", "createDeviceShareLink",
			`"guestname":"Eve","p":5,"consent":48,"start":1795399200,"end":1795401000,"port":null,"viewOnly":false`, "ID: p\nURL: https://h/x"},
		{"devicesharing --id pc1 --add Eve --daily", "createDeviceShareLink", `"consent":1,"expire":60,"start":1795399200,"recurring":1`, "ID: p\nURL: https://h/x"},
		{"devicesharing --id pc1 --add Eve --type http", "createDeviceShareLink", `"p":8,"consent":0,"expire":0,"port":80`, "ID: p\nURL: https://h/x"},
		{"devicesharing --id pc1 --remove abc", "removeDeviceShare", `"publicid":"abc"`, "ok"},
		{"addlocaldevice --id home --devicename printer --hostname 192.0.2.7 --type 6", "addlocaldevice", `"devicename":"printer","hostname":"192.0.2.7","type":6`, "ok"},
		{"listevents --userid Bob --limit 3", "events", `"userid":"user//bob","limit":3`, ""},
		{"logintokens --remove job", "loginTokens", `"remove":["~t:0123456789abcdef"]`, ""},
	} {
		out := w.ok(t, strings.Fields(test.args)...)
		if test.out != "" {
			require.Equal(t, test.out+"\n", out, test.args)
		}
		requests := s.Requests(test.action)
		require.NotEmpty(t, requests, test.args)
		raw := string(requests[len(requests)-1].Raw)
		for part := range strings.SplitSeq(test.want, `,"`) {
			require.Contains(t, raw, strings.TrimPrefix(part, `"`), test.args)
		}
	}
}

// edituser keeps the quota, which servers remove when it is not repeated.
func TestQuotaIsKept(t *testing.T) {
	s := furnished(t)
	s.Reply("users", &controlproto.UsersReply{Users: []controlproto.User{{ID: "user//bob", Name: "bob", Quota: 1 << 20}}})
	on(t, s).ok(t, "edituser", "--userid", "bob", "--realname", "Bob")
	require.Contains(t, string(s.Requests("edituser")[0].Raw), `"quota":1048576`)
}
