package controlproto

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// An empty message of each action is written and read, which makes the plan of each struct.
func TestActionsHaveStructs(t *testing.T) {
	for _, s := range Actions() {
		for _, f := range []func() Message{s.Request, s.Reply} {
			if f == nil {
				continue
			}
			m := f()
			b, err := AppendMessage(nil, m, Correlation{})
			require.NoError(t, err, s.Action)
			e, err := parseEnvelope(b)
			require.NoError(t, err, s.Action)
			require.Equal(t, m.Action(), e.Action)
			require.NoError(t, e.Decode(f()), s.Action)
		}
		require.Equal(t, s.Action, s.Request().Action())
	}
}

var eventNames = []string{
	"accountcreate", "accountchange", "accountremove", "login", "logout", "authfail", "passchange",
	"wssessioncount", "createusergroup", "usergroupchange", "deleteusergroup", "createmesh", "meshchange",
	"deletemesh", "addnode", "changenode", "removenode", "nodemeshchange", "nodeconnect", "devicesessions",
	"ifchange", "sysinfohash", "sessioncompression", "agentlog", "manual", "runcommands", "batchupload",
	"relaylog", "recording", "endsession", "addedDeviceShare", "removedDeviceShare", "deviceShareUpdate",
	"loginTokenAdded", "loginTokenChanged", "userWebState", "uicustomevent", "scanamtdevice", "wakedevices",
	"amtpoweraction", "oneclickrecovery", "turnon", "turnoff", "notify", "servertimelinestats",
	"serverinfochange", "started", "stopped", "updatePluginList", "pluginStateChange", "traceinfo",
	"satelliteResponse", "diagnostic",
}

func TestEventDetailsHaveStructs(t *testing.T) {
	for _, name := range eventNames {
		d := newEventDetail(name)
		require.NotNil(t, d, name)
		require.Equal(t, name, d.EventAction())
		var e Event
		require.NoError(t, e.SetDetail(d), name)
		require.Equal(t, name, e.Action)
		got, err := e.Detail()
		require.NoError(t, err, name)
		require.IsType(t, d, got)
	}
	_, err := (&Event{Action: "something new"}).Detail()
	require.ErrorIs(t, err, ErrNoDetail)
}
