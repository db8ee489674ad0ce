package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/interop"
)

// ctlCommands is how many commands meshctrl has: the 51 in its list of possible commands, and help.
const ctlCommands = 52

// ctlVerbsLeftOut are the commands that are not run, with the reason.
var ctlVerbsLeftOut = map[string]string{}

// ctlLeftOut are the steps that may differ, by name, with the reason.
var ctlLeftOut = map[string]string{
	"removeuser --userid selma (as selma)":                        "a stock server ends the session of a removed user before it answers",
	"logintokens --add fourth (as token)":                         "a stock server lets who logged in with a token make more of them, this server does not",
	"logintokens --remove {firstuser}":                            "the stock server lists the token of the step before",
	"removefromusergroup --groupid {ops} --id user//bob (as bob)": "the stock server throws an exception and says nothing",
	"addlocaldevice --id mesh//nothing --devicename wrong --hostname 127.0.2.4": "the stock server tells of the exception that " +
		"it threw",
	"devicemessage --id {node} --msg hello (as bob)":                 "a stock server says OK before it looks at rights",
	"deviceopenurl --id {node} --openurl http://127.0.0.1/ (as bob)": "a stock server says OK before it looks at rights",
	"report --type db": "counts the records of databases that are not the same",
	"listevents": "stock events lack names (\"Device group deleted: undefined\") and who did it, and those on user groups " +
		"are not all kept",
	"listevents --json": "the same",
}

// ctlKeysLeftOut are the members of a command's answers that may differ, with the reason.
var ctlKeysLeftOut = map[string]map[string]string{
	"serverinfo": ctlServerKeys,
	"showevents": ctlServerKeys,
}

var ctlServerKeys = map[string]string{
	"languages": "of web pages; those of this server are in English",
	"features":  "flags for web pages, of what this server does not have: self-update, WebAuthn, Intel AMT",
	"mpsname":   "there is no server for Intel AMT yet",
	"mpsport":   "there is no server for Intel AMT yet",
	"redirport": "there is no plain HTTP server",
}

// ctlEmptyLeftOut are the members for which an empty value is the same as none, with the reason.
var ctlEmptyLeftOut = map[string]string{
	"links":     "a stock server keeps the object when its last member has gone",
	"consent":   "a stock server keeps the 0 of flags that were set once",
	"flags":     "a stock server keeps the 0 of flags that were set once",
	"desc":      "a stock server keeps the empty text of a description that was set once",
	"siteadmin": "a stock server keeps the 0 of rights that were set once",
}

// ctlTextsLeftOut are pieces of text that may differ, with what they are replaced by.
var ctlTextsLeftOut = []struct {
	pattern     *regexp.Regexp
	replacement string
	reason      string
}{
	{regexp.MustCompile(`https://[a-z0-9.]+:\{port\}/control-redirect`), "https://{host}:{port}/control-redirect",
		"a stock server needs a name of its own (relayDNS) for web relays"},
	{regexp.MustCompile(`(?m)(,[15],\{mesh\})(,\d+)+$`), "$1,{how much}",
		"in reports of sessions: a stock server counts what WebSockets and their opening add, and the time is in whole seconds"},
	{regexp.MustCompile(`(?m)^0,user//admin,\d+,\d+,\d+$`), "0,user//admin,{how much}", "the sum of them"},
	{regexp.MustCompile(`(?m)^    at .*\n`), "", "where meshctrl itself threw an exception"},
}

// ctlScenario is what is done on both servers, in this order.
func ctlScenario() []ctlStep {
	return slices.Concat(
		ctlLocal, ctlSession, ctlUsers, ctlUserRefusals, ctlTokens,
		ctlDeviceGroups, ctlUserGroups, ctlLocalDevices, ctlListDevices, ctlDeviceRights,
		ctlAgent, ctlTunnels, ctlPower, ctlShares, ctlInvites, ctlEvents, ctlReports, ctlOffline, ctlRemovals,
	)
}

// ctlLogin lets later steps log in as a user.
func ctlLogin(user, password string) ctlStep {
	return ctlCall("login of "+user, func(p *meshctrlPeer) {
		p.logins[user] = interop.MeshctrlClient{User: user, Password: password}
	})
}

// ctlFile writes a file for commands that read one.
func ctlFile(name, text string) ctlStep {
	return ctlCall("file "+name, func(p *meshctrlPeer) {
		file := filepath.Join(p.dir, name)
		require.NoError(p.t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(p.t, os.WriteFile(file, []byte(text), 0o644))
	})
}

// These never talk to a server.
var ctlLocal = []ctlStep{
	ctl("help"),
	ctl("help listdevices"),
	ctlFile("config.json", `{"settings":{},"domains":{"":{"title":"one"}}}`),
	ctl("config --show"),
	ctl("config --adddomain two --title Two --newAccounts false"),
	ctl("config --settodomain two --title2 Second"),
	ctl("config --listdomains"),
	ctl("config --removefromdomain two --title"),
	ctl("config --removedomain two"),
	ctl("config --show"),
	ctlFile("../meshcentral-data/agenterrorlogs.txt", `node//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA, 1700000000000, `+
		`{"action":"errorlog","log":[{"t":1700000000,"m":"FATAL error"},{"t":1700000001,"m":"FATAL error"}]}`+"\r\n"),
	ctl("indexagenterrorlog"),
}

var ctlSession = []ctlStep{
	ctlCall("no device groups", func(p *meshctrlPeer) { p.removeGroups() }), // one of the servers may have made one for a start
	ctl("listusersessions").once("admin, 1 session"),
	ctl("listusersessions --json").once(`"user//admin": 1`),
	ctl("serverinfo").anyOrder(),
	ctl("serverinfo --json"),
	ctl("userinfo").anyOrder(),
	ctl("userinfo --json"),
	ctlLogin("nobody", "Passw0rd!x"),
	ctl("serverinfo").as("nobody"),
	ctlLogin("admin", "wrong"),
	ctl("serverinfo").as("admin"),
	ctlLogin("ADMIN", interop.Password),
	ctl("userinfo --json").as("ADMIN"),
	ctl("userinfo --json").as("key"),
	ctl("userinfo --json").as("wrong key"),
	ctl("userinfo --json --loginkeyfile key.txt").as("key file"),
	ctl("userinfo --json --logindomain nowhere").as("key"),
	ctl("serverinfo --logindomain nowhere"),
}

var ctlUsers = []ctlStep{
	ctl("adduser --user bob --pass Passw0rd!b"),
	ctl("adduser --user bob --pass Passw0rd!b"),
	ctl("adduser --user BOB --pass Passw0rd!b"),
	ctl(`adduser --user carol --pass Passw0rd!c --email carol@example.com --emailverified --realname "Carol C" --phone +15555550100 --rights manageusers,usergroups`),
	ctl("adduser --user dave --randompass --email dave@example.com --resetpass --rights none"),
	ctl("adduser --user erin --pass Passw0rd!e --rights nonewgroups,notools"),
	ctl("adduser --user frank --pass Passw0rd!f --rights locked"),
	ctl("adduser --user grace --pass Passw0rd!g --rights full"),
	ctl("adduser --user heidi --pass Passw0rd!h --siteadmin"),
	ctl("adduser --user ivan --pass Passw0rd!i --fileaccess --serverupdate --email carol@example.com"),
	ctl(`adduser --user "two words" --pass Passw0rd!t`),
	ctl(`adduser --user "semi;colon" --pass Passw0rd!t`),
	ctl(`adduser --user "sl/ash" --pass Passw0rd!t`),
	ctl("adduser --user judy --pass Passw0rd!j --email nonsense"),
	ctl("adduser --user kim --pass Passw0rd!k --domain nowhere"),
	ctl(`adduser --user lou --pass ""`),
	ctl("listusers").anyOrder(),
	ctl("listusers --json").anyOrder(),
	ctl("listusers --idexists bob"),
	ctl("listusers --idexists user//bob"),
	ctl("listusers --idexists nobody"),
	ctl("listusers --nameexists carol"),
	ctl("listusers --nameexists nobody"),
	ctl("listusers --filter 2fa").anyOrder(),
	ctl("listusers --filter no2fa").anyOrder(),

	ctl(`edituser --userid bob --email bob@example.com --realname "Bob B" --phone +15555550101`),
	ctl("edituser --userid user//bob --emailverified --email bob2@example.com"),
	ctl("edituser --userid bob --realname"),
	ctl("edituser --userid bob --phone"),
	ctl("edituser --userid bob --phone nonsense"),
	ctl("edituser --userid bob --email nonsense"),
	ctl("edituser --userid bob --email carol@example.com"),
	ctl("edituser --userid BOB --realname Big"),
	ctl("edituser --userid dave --rights fileaccess,recordings,locksettings,allevents,nonewdevices"),
	ctl("edituser --userid dave --rights none"),
	ctl("edituser --userid dave --resetpass"),
	ctl("edituser --userid dave --domain nowhere --realname Dave"),
	ctl("edituser --userid heidi --manageusers --locked"),
	ctl("edituser --userid nobody --realname Nobody"),
	ctl("listusers --json").anyOrder(),
}

var ctlUserRefusals = []ctlStep{
	ctlLogin("bob", "Passw0rd!b"),
	ctlLogin("carol", "Passw0rd!c"),
	ctlLogin("erin", "Passw0rd!e"),
	ctlLogin("frank", "Passw0rd!f"),
	ctlLogin("ivan", "Passw0rd!i"),
	ctl("serverinfo --json").as("bob"),
	ctl("userinfo --json").as("bob"),
	ctl("userinfo --json").as("carol"),
	ctl("userinfo --json").as("frank"),
	ctl("listusers").as("bob"),
	ctl("listusers --json").as("carol").anyOrder(),
	ctl("listusersessions --json").as("carol").once(`"user//carol": 1`),
	ctl("listusersessions").as("bob"),
	ctl("adduser --user mallory --pass Passw0rd!m").as("bob"),
	ctl("edituser --userid carol --realname Mine").as("bob").silent(),
	ctl("removeuser --userid carol").as("bob"),
	ctl("broadcast --msg hello").as("bob"),
	ctl("adduser --user mike --pass Passw0rd!m --rights full").as("carol"),
	ctl("adduser --user nina --pass Passw0rd!n --rights usergroups").as("carol"),
	ctl("edituser --userid bob --rights full").as("carol"),
	ctl("edituser --userid admin --realname Boss").as("carol"),
	ctl("edituser --userid erin --rights nonewgroups,notools --realname Erin").as("carol"),
	ctl("removeuser --userid admin").as("carol"),
	ctl("removeuser --userid grace").as("carol"),
	ctl("adduser --user selma --pass Passw0rd!s --rights manageusers"),
	ctlLogin("selma", "Passw0rd!s"),
	ctl("removeuser --userid selma").as("selma"),
	ctl("userinfo").as("selma"),
	ctl("adduser --user nina --pass Passw0rd!n").as("carol"),
	ctl("removeuser --userid nina").as("carol"),
	ctl("listusers --json").anyOrder(),
}

var ctlTokens = []ctlStep{
	ctl("adduser --user tina --pass Passw0rd!t"),
	ctlLogin("tina", "Passw0rd!t"),
	ctlCall("second factor", func(p *meshctrlPeer) {
		// The code of half a minute ago, as one that was used may not be taken again.
		p.requireSecondFactor("tina", time.Now().Add(-30*time.Second))
		client := p.logins["tina"]
		client.Token = "**email**"
		p.logins["tina without mail"] = client
		// A code of another hour, which is none of those of this minute with near certainty.
		client.Token = totp(p.t, otpSecret, time.Now().Add(time.Hour))
		p.logins["tina with an old token"] = client
	}),
	ctl("userinfo --json").as("tina"),
	ctlCall("a code of now", func(p *meshctrlPeer) { // at the last moment, as it is good for two minutes
		client := p.logins["tina"]
		client.Token = totp(p.t, otpSecret, time.Now())
		p.logins["tina with token"] = client
	}),
	ctl("userinfo --json").as("tina with token"),
	ctl("userinfo --json").as("tina with an old token"),
	ctl("userinfo --json").as("tina without mail"),
	ctl("listusers --filter 2fa").anyOrder(),
	ctl("listusers --json").anyOrder(),
	ctl("removeuser --userid tina"),

	ctl("logintokens"),
	ctl("logintokens --json"),
	ctl("logintokens --add first").keep("firstuser", `Username: (\S+)`).keep("firstpass", `Password: (\S+)`),
	ctl("logintokens --add second --expire 60").keep("seconduser", `Username: (\S+)`).keep("secondpass", `Password: (\S+)`),
	ctl("logintokens --add third --json").keep("thirdpass", `tokenPass: '(\S+)'`).anyOrder(),
	ctl(`logintokens --add ""`),
	ctl("logintokens").anyOrder(),
	ctl("logintokens --json").anyOrder(),
	ctl("logintokens").as("bob"),
	ctlCall("login with a token", func(p *meshctrlPeer) {
		p.logins["token"] = interop.MeshctrlClient{User: p.vars["firstuser"], Password: p.vars["firstpass"]}
		p.logins["wrong token"] = interop.MeshctrlClient{User: p.vars["firstuser"], Password: p.vars["secondpass"]}
	}),
	ctl("userinfo --json").as("token"),
	ctl("userinfo --json").as("wrong token"),
	ctl("logintokens --remove {seconduser}").anyOrder(),
	ctl("userinfo --json").as("token"),
	ctl("userinfo --json").as("wrong token"),
	ctl("logintokens --remove ~t:nothing").anyOrder(),
	ctl("logintokens --add fourth").as("token").keep("fourthpass", `Password: (\S+)`),
	ctl("logintokens --remove {firstuser}"),
	ctl("userinfo --json").as("token"),
}

var ctlDeviceGroups = []ctlStep{
	ctl("listdevicegroups"),
	ctl("listdevicegroups --json"),
	ctl("listdevices"),
	ctl("listdevices --json"),
	ctl(`adddevicegroup --name lab --desc "The laboratory"`).keep("mesh", `ok (\S+)`),
	ctl("adddevicegroup --name local --agentless").keep("local", `ok (\S+)`),
	ctl("adddevicegroup --name local2 --agentless").keep("local2", `ok (\S+)`),
	ctl("adddevicegroup --name amt --amtonly").keep("amt", `ok (\S+)`),
	ctl("adddevicegroup --name features --features 3 --consent 7").keep("features", `ok (\S+)`),
	ctl("adddevicegroup --name spare").keep("spare", `ok (\S+)`),
	ctl(`adddevicegroup --name ""`),
	ctl("adddevicegroup --name bobs").as("bob").keep("bobs", `ok (\S+)`),
	ctl("adddevicegroup --name erins").as("erin"),
	ctl("adddevicegroup --name tokens").as("frank"),
	ctlCall("agents online", nil).startAgents(),

	ctl("listdevicegroups").anyOrder(),
	ctl("listdevicegroups --json").anyOrder(),
	ctl("listdevicegroups --hex").anyOrder(),
	ctl("listdevicegroups --json --hex").anyOrder(),
	ctl("listdevicegroups --idexists {mesh}"),
	ctl("listdevicegroups --idexists {mesh/}"),
	ctl("listdevicegroups --idexists nothing"),
	ctl("listdevicegroups --nameexists lab"),
	ctl("listdevicegroups --nameexists nothing"),
	ctl("listdevicegroups --json").as("bob"),

	ctl(`editdevicegroup --id {spare} --name spared --desc "For all"`),
	ctl("editdevicegroup --id {spare} --desc"),
	ctl("editdevicegroup --id {spare} --flags 2 --consent 63"),
	ctl("editdevicegroup --id {spare} --flags 0 --consent 0"),
	ctl("editdevicegroup --group spared --invitecodes code1,code2"),
	ctl("listdevicegroups --json").anyOrder(),
	ctl("editdevicegroup --id {spare} --invitecodes code3 --backgroundonly"),
	ctl("editdevicegroup --id {spare} --invitecodes code3 --interactiveonly"),
	ctl("editdevicegroup --id {features} --invitecodes code3").silent(),
	ctl("editdevicegroup --id {spare} --invitecodes"),
	ctl("editdevicegroup --id {spare}"),
	ctl("editdevicegroup --id mesh//nothing --name x"),
	ctl("editdevicegroup --group nothing --name x"),
	ctl("editdevicegroup --id {spare} --name x").as("bob").silent(),
	ctl("listdevicegroups --json").anyOrder(),

	ctl("addusertodevicegroup --id {mesh} --userid bob --remotecontrol"),
	ctl("listdevicegroups --json").as("bob").anyOrder(),
	ctl("addusertodevicegroup --id {mesh} --userid bob --editgroup --manageusers --managedevices --remotecontrol --agentconsole --serverfiles"),
	ctl("listusersofdevicegroup --id {mesh/}").anyOrder(),
	ctl("addusertodevicegroup --group lab --userid bob --wakedevices --notes --desktopviewonly --noterminal --nofiles --noamt --limiteddesktop --limitedevents --chatnotify --uninstall"),
	ctl("listusersofdevicegroup --id {mesh/}").anyOrder(),
	ctl("listusersofdevicegroup --id {mesh/} --json"),
	ctl("listusersofdevicegroup --id {mesh}"),
	ctl("addusertodevicegroup --id {mesh} --userid carol --fullrights"),
	ctl("addusertodevicegroup --id {mesh} --userid nobody --remotecontrol"),
	ctl("addusertodevicegroup --id mesh//nothing --userid bob --remotecontrol"),
	ctl("addusertodevicegroup --group nothing --userid bob --remotecontrol"),
	ctl("addusertodevicegroup --id {spare} --userid bob --remotecontrol").as("bob"),
	ctl("addusertodevicegroup --id {mesh} --userid erin --fullrights").as("bob"),
	ctl("listusersofdevicegroup --id {mesh/} --json"),
	ctl("userinfo --json").as("bob"),
	ctl("removeuserfromdevicegroup --id {mesh} --userid carol"),
	ctl("removeuserfromdevicegroup --id {mesh} --userid user//carol"),
	ctl("removeuserfromdevicegroup --group lab --userid user//bob"),
	ctl("removeuserfromdevicegroup --id {mesh} --userid user//nobody"),
	ctl("removeuserfromdevicegroup --id mesh//nothing --userid user//bob"),
	ctl("removeuserfromdevicegroup --id {spare} --userid user//admin").as("bob"),
	ctl("listusersofdevicegroup --id {mesh/} --json"),
	ctl("listusersofdevicegroup --id nothing"),
	ctl("removedevicegroup --id {features}"),
	ctl("removedevicegroup --id {features}"),
	ctl("removedevicegroup --group nothing"),
	ctl("removedevicegroup --id {spare}").as("bob"),
	ctl("removedevicegroup --id {bobs}").as("bob"),
	ctl("listdevicegroups --json").anyOrder(),
}

var ctlUserGroups = []ctlStep{
	ctl("listusergroups"),
	ctl("listusergroups --json"),
	ctl(`addusergroup --name operators --desc "Those who operate"`),
	ctl("addusergroup --name guests"),
	ctl("addusergroup --name guests"),
	ctl(`addusergroup --name ""`),
	ctl("addusergroup --name elsewhere --domain nowhere"),
	ctl("addusergroup --name bobs").as("bob"),
	ctl("listusergroups").keep("ops", `(ugrp//\S+), operators`).keep("guests", `(ugrp//\S+), guests`).anyOrder(),
	ctl("listusergroups --json").anyOrder(),
	ctl("listusergroups").as("bob").anyOrder(),
	ctl("listusergroups --json").as("carol").anyOrder(),
	ctl("addtousergroup --groupid {ops} --id user//bob"),
	ctl("addtousergroup --groupid {ops} --id user//erin"),
	ctl("addtousergroup --groupid {ops} --id user//bob"),
	ctl("addtousergroup --groupid {ops} --id user//nobody"),
	ctl("addtousergroup --groupid {ops} --id x --userid user//carol"),
	ctl("addtousergroup --groupid ugrp//nothing --id user//bob"),
	ctl("addtousergroup --groupid {ops} --id user//bob").as("bob"),
	ctl("addtousergroup --groupid {ops} --id {mesh} --rights 8"),
	ctl("addtousergroup --groupid {ops} --id {node} --rights 72"),
	ctl("addtousergroup --groupid {ops} --id mesh//nothing --rights 8"),
	ctl("addtousergroup --groupid {ops} --id nothing").silent(),
	ctl("addtousergroup --groupid {ops} --id node//nothing --rights 8").silent(),
	ctl("listusergroups").anyOrder(),
	ctl("listusergroups --json").anyOrder(),
	ctl("listusergroups --json").as("bob").anyOrder(),
	ctl("userinfo --json").as("bob"),
	ctl("listdevicegroups --json").as("bob").anyOrder(),
	ctl("listdevices --json").as("bob").anyOrder(),
	ctl("listusersofdevicegroup --id {mesh/}").anyOrder(),
	ctl("removefromusergroup --groupid {ops} --id user//erin"),
	ctl("removefromusergroup --groupid {ops} --id user//erin"),
	ctl("removefromusergroup --groupid {ops} --id user//nobody"),
	ctl("removefromusergroup --groupid {ops} --id x --userid user//carol"),
	ctl("removefromusergroup --groupid {ops} --id {mesh}"),
	ctl("removefromusergroup --groupid {ops} --id {node}"),
	ctl("removefromusergroup --groupid ugrp//nothing --id user//bob"),
	ctl("removefromusergroup --groupid {ops} --id user//bob").as("bob").silent(),
	ctl("addtousergroup --groupid {ops} --id user//carol"),
	ctl("removeallusersfromusergroup --groupid {ops}").anyOrder(),
	ctl("removeallusersfromusergroup --groupid {ops}"),
	ctl("removeallusersfromusergroup --groupid ugrp//nothing"),
	ctl("listusergroups --json").anyOrder(),
	ctl("addtousergroup --groupid {ops} --id user//bob"),
	ctl("removeusergroup --groupid {ops}").as("bob"),
	ctl("removeusergroup --groupid {ops}"),
	ctl("removeusergroup --groupid {ops}"),
	ctl("removeusergroup --groupid nothing"),
	ctl("listusergroups --json").anyOrder(),
	ctl("userinfo --json").as("bob"),
}

var ctlLocalDevices = []ctlStep{
	ctl("addlocaldevice --id {local} --devicename printer --hostname 127.0.2.9"),
	ctl("addlocaldevice --id {local} --devicename router --hostname 127.0.2.1 --type 6"),
	ctl("addlocaldevice --id {local} --devicename mac --hostname 127.0.2.2 --type 29"),
	ctl("addlocaldevice --id {local} --devicename odd --hostname 127.0.2.3 --type 99"),
	ctl("addlocaldevice --id {mesh} --devicename wrong --hostname 127.0.2.4"),
	ctl("addlocaldevice --id mesh//nothing --devicename wrong --hostname 127.0.2.4"),
	ctl("addlocaldevice --id {local} --devicename wrong --hostname 127.0.2.4 --type x"),
	ctl("addlocaldevice --id {local} --devicename wrong --hostname 127.0.2.4").as("bob"),
	ctl("addamtdevice --id {amt} --devicename chip --hostname 127.0.2.5 --user admin --pass Passw0rd!a"),
	ctl("addamtdevice --id {amt} --devicename chip2 --hostname 127.0.2.6 --user admin --pass Passw0rd!a --notls"),
	ctl("listdevices --id {local}").anyOrder().
		keep("printer", `"(\S{64})", "printer"`).keep("router", `"(\S{64})", "router"`).keep("mac", `"(\S{64})", "mac"`),
	ctlCall("full ids of devices", func(p *meshctrlPeer) {
		for _, name := range []string{"printer", "router", "mac"} {
			p.vars[name] = "node//" + p.vars[name]
		}
	}),
	ctl(`editdevice --id {router} --name gateway --desc "The way out" --tags blue,green --icon 3 --consent 7`),
	ctl("editdevice --id {router} --name 5 --desc 6 --tags 7"),
	ctl("editdevice --id {router} --desc --tags"),
	ctl("editdevice --id {router} --icon 9"),
	ctl("editdevice --id {router} --consent x"),
	ctl("editdevice --id {router}"),
	ctl(`editdevice --id {router} --name gateway --desc "The way out" --tags blue,green`),
	ctl("editdevice --id node//nothing --name x"),
	ctl("editdevice --id {router} --name x").as("bob"),
	ctl(`editdevice --id {node} --desc "Under the desk" --tags "blue,in the lab"`),
	ctl("listdevices --json").anyOrder(),
	ctl("movetodevicegroup --devid {mac} --id {local2}"),
	ctl("movetodevicegroup --devid {mac} --id {local2}"),
	ctl("movetodevicegroup --devid {mac} --group local"),
	ctl("movetodevicegroup --devid {mac} --id mesh//nothing"),
	ctl("movetodevicegroup --devid node//nothing --id {local}"),
	ctl("movetodevicegroup --devid {mac} --id {local2}").as("bob"),
	ctl("movetodevicegroup --devid {mac} --id {mesh}").silent(),
	ctl("movetodevicegroup --devid {node} --group spared"),
	ctl("movetodevicegroup --devid {node} --id {mesh}"),
	ctl("listdevices").anyOrder(),
	ctl("removedevice --id {mac}").as("bob"),
	ctl("removedevice --id {mac}"),
	ctl("removedevice --id {mac}"),
	ctl("removedevice --id node//nothing"),
}

var ctlListDevices = []ctlStep{
	ctl("listdevices").anyOrder(),
	ctl("listdevices --json").anyOrder(),
	ctl("listdevices --csv").anyOrder(),
	ctl("listdevices --count"),
	ctl("listdevices --id {local}").anyOrder(),
	ctl("listdevices --id {local/}").anyOrder(),
	ctl("listdevices --id {mesh} --json").anyOrder(),
	ctl("listdevices --id {spare}"),
	ctl("listdevices --id mesh//nothing"),
	ctl("listdevices --group lab --csv").anyOrder(),
	ctl("listdevices --group local"),
	ctl("listdevices --group nothing"),
	ctl("listdevices --count --group lab"),
	ctl("listdevices --filter gate").anyOrder(),
	ctl("listdevices --filter tag:blue --json").anyOrder(),
	ctl("listdevices --filter os:linux --csv"),
	ctl("listdevices --filter ip:127"),
	ctl("listdevices --filter g:local --count"),
	ctl("listdevices --filter desc:way --csv"),
	ctl("listdevices --filter user:root --count"),
	ctl("listdevices --filter amt:2"),
	ctl("listdevices --filter wsc:any"),
	ctl(`listdevices --filter "gate and g:local" --csv`),
	ctl("listdevices --filterid {router/},{node}").anyOrder(),
	ctl("listdevices --filterid nothing"),
	ctl("listdevices --details").anyOrder(),
	ctl("listdevices --details --json").anyOrder(),
	ctl("listdevices --details --csv").anyOrder(),
	ctl("listdevices").as("bob"),
	ctl("listdevices --json").as("bob"),
	ctl("listdevices --id {local}").as("bob"),
	ctl("listdevices --group lab").as("bob"),
	ctl("listdevices --details --json").as("bob"),
}

var ctlDeviceRights = []ctlStep{
	ctl("addusertodevice --id {node} --userid bob --remotecontrol"),
	ctl("listdevices --json").as("bob"),
	ctl("addusertodevice --id {node} --userid bob --fullrights"),
	ctl("addusertodevice --id {router} --userid bob --remotecontrol --agentconsole --serverfiles --wakedevices --notes --desktopviewonly --noterminal --nofiles --noamt --limiteddesktop --limitedevents --chatnotify --uninstall"),
	ctl("listdevices --json").as("bob").anyOrder(),
	ctl("listdevices").as("bob").anyOrder(),
	ctl("userinfo --json").as("bob"),
	ctl("listdevices --json").anyOrder(),
	ctl("deviceinfo --id {node} --json").as("bob"),
	ctl("addusertodevice --id {node} --userid nobody --remotecontrol"),
	ctl("addusertodevice --id {node} --userid carol --remotecontrol").as("bob").silent(),
	ctl("addusertodevice --id node//nothing --userid bob --remotecontrol").silent(),
	ctl("removeuserfromdevice --id {router} --userid bob").as("bob").silent(),
	ctl("removeuserfromdevice --id {router} --userid bob"),
	ctl("removeuserfromdevice --id {router} --userid bob"),
	ctl("removeuserfromdevice --id {node} --userid nobody"),
	ctl("removeuserfromdevice --id {node} --userid bob"),
	ctl("listdevices --json").as("bob"),
	ctl("listdevices --json").anyOrder(),
}

var ctlAgent = []ctlStep{
	ctl("deviceinfo --id {node}"),
	ctl("deviceinfo --id {node} --json"),
	ctl("deviceinfo --id {node} --raw"),
	ctl("deviceinfo --id {node/} --json"),
	ctl("deviceinfo --id {router}"),
	ctl("deviceinfo --id {router} --json"),
	ctl("deviceinfo --id node//nothing"),
	ctl("deviceinfo --id {node}").as("bob"),
	ctl(`runcommand --id {node} --run "echo hello"`),
	ctl(`runcommand --id {node} --run "echo hello" --reply`),
	ctl(`runcommand --id {node} --run "echo one; echo two; false" --reply`),
	ctl(`runcommand --id {node/} --run "echo hello" --reply`),
	ctl(`runcommand --id {node} --run "echo hello" --powershell`),
	ctl(`runcommand --id node//nothing --run "echo hello"`),
	ctl(`runcommand --id {node} --run "echo hello"`).as("bob"),
	ctl(`runcommand --id {node} --run "echo hello" --reply`).as("bob"),
	ctl("devicemessage --id {node} --msg hello"),
	ctl("devicemessage --id {node} --msg hello --title Notice --timeout 1000"),
	ctl("devicemessage --id {router} --msg hello"),
	ctl("devicemessage --id node//nothing --msg hello"),
	ctl("devicemessage --id {node} --msg hello").as("bob"),
	ctl("devicetoast --id {node} --msg hello"),
	ctl("devicetoast --id {node} --msg hello --title Notice"),
	ctl("devicetoast --id {router} --msg hello"),
	ctl("devicetoast --id node//nothing --msg hello"),
	ctl("devicetoast --id {node} --msg hello").as("bob"),
	ctl("deviceopenurl --id {node} --openurl http://127.0.0.1/"),
	ctl("deviceopenurl --id {router} --openurl http://127.0.0.1/"),
	ctl("deviceopenurl --id node//nothing --openurl http://127.0.0.1/"),
	ctl("deviceopenurl --id {node} --openurl http://127.0.0.1/").as("bob"),
	ctl("groupmessage --id {mesh} --msg hello"),
	ctl("groupmessage --id {local} --msg hello --title Notice --timeout 1000"),
	ctl("groupmessage --id mesh//nothing --msg hello"),
	ctl("grouptoast --id {mesh} --msg hello --title Notice"),
	ctl("grouptoast --id {local} --msg hello"),
	ctl("webrelay --id {node} --type http"),
	ctl("webrelay --id {node} --type https --port 8443"),
	ctl("webrelay --id {node} --type gopher"),
	ctl("webrelay --id {node} --type http --port 70000"),
	ctl("agentdownload --id {mesh/} --type 6"),
	ctl("agentdownload --id {mesh/} --type 6"),
	ctl("agentdownload --id {mesh/} --type 5 --installflags 1"),
	ctl("agentdownload --id {mesh/} --type 26 --installflags 3"),
	ctl("agentdownload --id {mesh/} --type 9999"),
	ctl("agentdownload --id nothing --type 6"),
}

// Through tunnels. The client puts node// before any id, also where it is there already.
var ctlTunnels = []ctlStep{
	ctlFile("up.txt", strings.Repeat("meshctrl uploads this\n", 10_000)),
	ctlFile("empty.txt", ""),
	ctlCall("folder", func(p *meshctrlPeer) { p.vars["far"] = p.t.TempDir() }),
	ctl("upload --id {node/} --file up.txt --target {far}"),
	ctl("upload --id {node/} --file empty.txt --target {far}"),
	ctl("upload --id {node/} --file up.txt --target {far}/nothing"),
	ctl("upload --id {node/} --file nothing.txt --target {far}"),
	ctl("upload --id {node} --file up.txt --target {far}"),
	ctl("upload --id {router/} --file up.txt --target {far}"),
	ctl("upload --id nothing --file up.txt --target {far}"),
	ctl("upload --id {node/} --file up.txt --target {far}").as("bob"),
	ctl("download --id {node/} --file {far}/up.txt --target down.txt"),
	ctl("download --id {node/} --file {far}/empty.txt --target emptydown.txt"),
	ctl("download --id {node/} --file {far}/nothing.txt --target nothing.txt"),
	ctl("download --id {node/} --file {far}/up.txt --target nowhere/down.txt"),
	ctl("download --id {node/} --file {far}/up.txt"),
	ctl("download --id nothing --file {far}/up.txt --target down.txt"),
	ctl("download --id {node/} --file {far}/up.txt --target down2.txt").as("bob"),
	ctlCall("what was copied", func(p *meshctrlPeer) {
		for name, of := range map[string]string{"down.txt": "up.txt", "emptydown.txt": "empty.txt"} {
			require.Equal(p.t, fileHash(p.t, filepath.Join(p.dir, of)), fileHash(p.t, filepath.Join(p.dir, name)), "%s of %s", name, p.name)
		}
	}),
	ctl("shell --id nothing"),
	ctl("shell --id {node/}").as("bob"),
	// Without a terminal meshctrl throws an exception once it is connected. The agent has trouble with a shell that ends so
	// soon, which another one right after would feel.
	ctl("shell --id {node/}"),
}

// Nothing here may reach the agent: as root it really puts the machine to sleep or off.
var ctlPower = []ctlStep{
	ctl("devicepower --id {node} --wake"),
	ctl("devicepower --id {router} --wake"),
	ctl("devicepower --id {router},{printer} --wake"),
	ctl("devicepower --id node//nothing --wake"),
	ctl("devicepower --id {router} --off"),
	ctl("devicepower --id {router} --reset"),
	ctl("devicepower --id {router} --sleep"),
	ctl("devicepower --id {router},{printer} --off"),
	ctl("devicepower --id {router} --amton"),
	ctl("devicepower --id {router} --amtoff"),
	ctl("devicepower --id {router} --amtreset"),
	ctl("devicepower --id node//nothing --off"),
	ctl("devicepower --id {router} --off").as("bob"),
	ctl("devicepower --id {router} --wake").as("bob"),
	ctl("devicepower --id {router}"),
}

var ctlShares = []ctlStep{
	ctl("devicesharing --id {node}"),
	ctl("devicesharing --id {node} --add guest").keep("share", `ID: (\S+)`),
	ctl("devicesharing --id {node}"),
	ctl("devicesharing --id {node} --json"),
	ctl("devicesharing --id {node} --add terminal --type terminal,files --consent notify,prompt --duration 30").keep("share2", `ID: (\S+)`),
	ctl("devicesharing --id {node} --add desktop --type desktop --viewonly --consent prompt,bar --start 2031-01-01T10:00:00 --end 2031-01-01T12:00:00").keep("share3", `ID: (\S+)`),
	ctl("devicesharing --id {node} --add daily --consent none --start 2031-01-01T10:00:00 --duration 20 --daily").keep("share4", `ID: (\S+)`),
	ctl("devicesharing --id {node} --add weekly --start 2031-01-01T10:00:00 --weekly").keep("share5", `ID: (\S+)`),
	ctl("devicesharing --id {node} --add http --type http --port 8080").keep("share6", `ID: (\S+)`),
	ctl("devicesharing --id {node} --add https --type https").keep("share7", `ID: (\S+)`),
	ctl("devicesharing --id {node} --add late --start 2031-01-01T10:00:00 --end 2030-01-01T10:00:00"),
	ctl("devicesharing --id {node} --add odd --type gopher"),
	ctl("devicesharing --id {node} --add odd --consent gopher"),
	ctl("devicesharing --id {router} --add guest").keep("share8", `ID: (\S+)`),
	ctl("devicesharing --id node//nothing --add guest"),
	ctl("devicesharing --id {node} --add guest").as("bob"),
	ctl("devicesharing --id {node}").as("bob"),
	ctl("devicesharing --id {node}").anyOrder(),
	ctl("devicesharing --id {node} --json").anyOrder(),
	ctl("devicesharing --id {node} --remove {share}").as("bob"),
	ctl("devicesharing --id {node} --remove {share}"),
	ctl("devicesharing --id {node} --remove {share}"),
	ctl("devicesharing --id {node} --remove nothing"),
	ctl("devicesharing --id {node}").anyOrder(),
}

var ctlInvites = []ctlStep{
	ctl("generateinvitelink --id {mesh} --hours 24"),
	ctl("generateinvitelink --group lab --hours 0 --flags 2"),
	ctl("generateinvitelink --id {mesh} --hours x"),
	ctl("generateinvitelink --id {local} --hours 1"),
	ctl("generateinvitelink --id mesh//nothing --hours 1"),
	ctl("generateinvitelink --id {mesh} --hours 1").as("bob"),
	ctl("sendinviteemail --id {mesh} --email guest@example.com"),
	ctl(`sendinviteemail --group lab --email guest@example.com --name Guest --message "Come in"`),
	ctl("sendinviteemail --id {mesh} --email guest@example.com").as("bob"),
	ctl("broadcast --msg hello"),
	ctl("broadcast --msg hello --user user//bob"),
	ctl("broadcast --msg hello --user user//nobody"),
	ctl("broadcast --msg hello").as("carol"),
}

var ctlEvents = []ctlStep{
	ctl("showevents").while("adduser --user otto --pass Passw0rd!o", `"accountcreate"`).without("wssessioncount"),
	ctl("showevents --filter userinfo,wssessioncount").while("serverinfo", `"wssessioncount"`),
	ctl("showevents --filter userinfo,accountchange").while("edituser --userid otto --realname Otto", `"accountchange"`),
	ctl("showevents --filter userinfo,msg,notify,createmesh").while("broadcast --msg hello", `"notify"`),
	ctl("showevents --filter userinfo,changenode").while("editdevice --id {router} --icon 4", `"icon": 4`),
	ctl("showevents --filter userinfo,createmesh").while("adddevicegroup --name watched", `"createmesh"`),
	ctl("edituser --userid otto --realname One"),
	ctl("edituser --userid otto --realname Two"),
	ctl("edituser --userid otto --realname Three"),
	ctl("listevents --limit 3"),
	ctl("listevents --limit 3 --json"),
	ctl("listevents --limit 3 --raw"),
	ctl("listevents --id {router}"),
	ctl("listevents --id {router} --json"),
	ctl("listevents --id {node} --limit 5"),
	ctl("listevents --id node//nothing"),
	ctl("listevents --userid user//bob --limit 5"),
	ctl("listevents --userid user//bob --limit 5 --json"),
	ctl("listevents").anyOrder(),
	ctl("listevents --json").anyOrder(),
	ctl("listevents --json --limit 10").as("bob").silent(),
	ctl("listevents --id {router}").as("bob"),
}

var ctlReports = []ctlStep{
	ctl("report --type sessions"),
	ctl("report --type sessions --groupby device --showtraffic"),
	ctl("report --type sessions --groupby day --devicegroup {mesh}"),
	ctl("report --type traffic"),
	ctl("report --type logins"),
	ctl("report --type logins --groupby day"),
	ctl("report --type logins --start 2026-01-01T00:00:00 --end 2026-01-02T00:00:00"),
	ctl("report --type logins --start 2026-01-02T00:00:00 --end 2026-01-01T00:00:00"),
	ctl("report --type db"),
	ctl("report --type sessions").as("bob"),
}

// Here the agent has gone, and its device is still there.
var ctlOffline = []ctlStep{
	ctlCall("agents offline", nil).stopAgents(),
	ctl("listdevices --json").anyOrder(),
	ctl("listdevices --csv").anyOrder(),
	ctl("listdevices --details --json").anyOrder(),
	ctl("deviceinfo --id {node}"),
	ctl("deviceinfo --id {node} --json"),
	ctl(`runcommand --id {node} --run "echo hello"`),
	ctl(`runcommand --id {node} --run "echo hello" --reply`),
	ctl("devicemessage --id {node} --msg hello"),
	ctl("devicetoast --id {node} --msg hello"),
	ctl("deviceopenurl --id {node} --openurl http://127.0.0.1/"),
	ctl("groupmessage --id {mesh} --msg hello"),
	ctl("devicepower --id {node} --wake"),
	ctl("webrelay --id {node} --type http"),
	ctl("listevents --id {node} --limit 1"),
	ctl("removedevice --id {node}"),
	ctl("listdevices --id {mesh}"),
	ctl("devicesharing --id {node}"),
}

var ctlRemovals = []ctlStep{
	ctl("removeuser --userid ivan"),
	ctl("userinfo").as("ivan"),
	ctl("removeuser --userid user//mike"),
	ctl("removeuser --userid nobody"),
	ctl("removeuser --userid CAROL"),
	ctl("removeuser --userid carol --domain nowhere"),
	ctl("removedevicegroup --id {local}"),
	ctl("removedevicegroup --group lab"),
	ctl("listdevices").anyOrder(),
	ctl("listdevicegroups").anyOrder(),
	ctl("listusers --json").anyOrder(),
}

// startAgents makes the step bring one stock agent online in the group "mesh" of each server, as the device "node".
func (s ctlStep) startAgents() ctlStep {
	s.hook = func(p *meshctrlPeer) {
		p.agent = p.startAgent("mesh")
		p.vars["node"] = p.waitDevice("mesh", func(d interop.Device) bool {
			return interop.Online(d) && d.Agent.Core != "" && d.OSDesc != ""
		}).ID
	}
	return s
}

// stopAgents makes the step end them.
func (s ctlStep) stopAgents() ctlStep {
	s.hook = func(p *meshctrlPeer) {
		p.agent.Stop()
		p.waitDevice("mesh", interop.Offline)
	}
	return s
}
