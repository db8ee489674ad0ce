package deviceinfo_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/examples/server/deviceinfo"
)

func parse(t *testing.T, text string) *agentproto.CoreInfo {
	t.Helper()
	m, err := agentproto.ParseAgentMessage([]byte(text))
	require.NoError(t, err)
	return m.(*agentproto.CoreInfo)
}

func TestCore(t *testing.T) {
	d := &controlproto.Device{Name: "old", Agent: &controlproto.DeviceAgent{ID: 4, Caps: 8 | 16 | 32}, Users: []string{"gone"}}
	deviceinfo.Core(d, parse(t, `{"action":"coreinfo","caps":39,"value":"core","osdesc":"Windows","root":true,"name":"new","users":["alice"],
		"lusers":["PC\\alice"],"av":[{"product":"AV","updated":true}],"wsc":{"antiVirus":"OK"},"defender":{"RealTimeProtection":true},
		"lastbootuptime":1767390000000,"intelamt":{"Versions":{"AMT":"15.0.22","Sku":"16392"},"ProvisioningState":2,"Flags":4,"UUID":"u"}}`))
	isRoot := true
	require.Equal(t, &controlproto.Device{
		Name: "new", OSDesc: "Windows", Users: []string{"alice"}, LocalUsers: []string{`PC\alice`}, LastBoot: time.UnixMilli(1767390000000).UTC(),
		// Console and core are the login's to say, and so is that the agent is a temporary one.
		Agent:     &controlproto.DeviceAgent{ID: 4, Caps: 1 | 2 | 4 | 8 | 16 | 32, Core: "core", Root: &isRoot},
		AntiVirus: []controlproto.AntiVirus{{Product: "AV", Updated: true}},
		Windows:   &controlproto.WindowsSecurity{AntiVirus: "OK"},
		Defender:  &controlproto.Defender{RealTime: true},
		AMT:       &controlproto.DeviceAMT{Version: "15.0.22", SKU: json.RawMessage("16392"), State: new(2), Flags: 4, UUID: "u"},
	}, d)

	// What a report does not say stays, but for the core, which it names with its capabilities.
	before := *d
	deviceinfo.Core(d, parse(t, `{"action":"coreinfo","intelamt":{"Versions":{"AMT":"far too long a version"}},"wsc":5}`))
	require.Equal(t, before, *d)
	deviceinfo.Core(d, parse(t, `{"action":"coreinfo","caps":0}`))
	require.Empty(t, d.Agent.Core)
	require.EqualValues(t, 8|16|32, d.Agent.Caps)

	fresh := &controlproto.Device{}
	deviceinfo.Core(fresh, parse(t, `{"action":"coreinfo","value":"core","caps":1}`))
	require.Equal(t, "core", fresh.Agent.Core)
}

func TestTag(t *testing.T) {
	for text, want := range map[string]string{
		"rack 5": "rack 5", "rack 5\r\n": "rack 5", "~ServerName:x\n\n  rack 5 \nmore": "rack 5", "~ServerName:x": "", "": "",
	} {
		d := &controlproto.Device{}
		deviceinfo.Tag(d, text)
		require.Equal(t, want, d.Agent.Tag, text)
	}
}
