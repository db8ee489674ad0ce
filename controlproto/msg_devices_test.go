package controlproto

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNodesLeaveOutGroup(t *testing.T) {
	r := &NodesReply{Devices: map[ID][]Device{"mesh//a": {{ID: "node//x"}}, "mesh//b": {}}}
	for d := range r.All() {
		require.Equal(t, ID("mesh//a"), d.Group)
	}
	b, err := AppendMessage(nil, r, Correlation{})
	require.NoError(t, err)
	require.JSONEq(t, `{"action":"nodes","nodes":{"mesh//a":[{"_id":"node//x","domain":"","host":null}],"mesh//b":[]}}`, string(b))
	require.Equal(t, ID("mesh//a"), r.Devices["mesh//a"][0].Group, "what the caller holds stays")
	for range r.All() {
		break
	}
}

// A device that is kept does not keep the text of the whole reply.
func TestNodesOneOfMany(t *testing.T) {
	text := manyDevices(2000)
	e, err := parseEnvelope(text)
	require.NoError(t, err)
	r := new(NodesReply)
	require.NoError(t, e.Decode(r))
	seen := map[ID]bool{}
	for d := range r.All() {
		require.Empty(t, d.Extra)
		require.False(t, seen[d.ID])
		seen[d.ID] = true
	}
	require.Len(t, seen, 2000)
	require.NotContains(t, r.Extra, "responseid")
	require.Equal(t, `"r1"`, string(e.ResponseID))
}

func TestTags(t *testing.T) {
	for text, want := range map[string]Tags{
		`{"tags":"a,b"}`: {"a", "b"}, `{"tags":["a","b"]}`: {"a", "b"}, `{"tags":""}`: {}, `{"tags":[]}`: {}, `{}`: nil,
	} {
		var c ChangeDevice
		require.NoError(t, Envelope{Action: "changedevice", Raw: json.RawMessage(text)}.Decode(&c))
		require.Equal(t, want, c.Tags, text)
	}
	var c ChangeDevice
	require.NoError(t, Envelope{Action: "changedevice", Raw: json.RawMessage(`{"tags":5}`)}.Decode(&c))
	require.Nil(t, c.Tags)
	require.Equal(t, "5", string(c.Extra["tags"]))
}

func TestPowerTimelineChanges(t *testing.T) {
	at := time.Unix(1795333098, 0)
	for _, c := range []struct {
		timeline []float64
		want     []PowerChange
	}{
		{nil, nil},
		{[]float64{1, 1795333098}, nil},
		{[]float64{1, 1795333098000, 1}, []PowerChange{{at, PowerOn}}}, // milliseconds, of a server without records
		{[]float64{0, 1795333098, 1, 60, 6, 5}, []PowerChange{{at, PowerOn}, {at.Add(time.Minute), PowerSoftOff}}},
		{[]float64{0, -1, 1}, nil},
		{[]float64{0, 1795333098, 1, -5, 6}, []PowerChange{{at, PowerOn}}},
		{[]float64{0, 1795333098, 1e9}, []PowerChange{{at, PowerUnknown}}},
	} {
		got := (&PowerTimelineReply{Timeline: c.timeline}).Changes()
		require.Len(t, got, len(c.want), "%v", c.timeline)
		for i := range got {
			require.True(t, c.want[i].Since.Equal(got[i].Since), "%v", c.timeline)
			require.Equal(t, c.want[i].State, got[i].State, "%v", c.timeline)
		}
	}
}

func TestDetails(t *testing.T) {
	for _, line := range readLines(t, "devices-server.jsonl") {
		e, err := parseEnvelope([]byte(line))
		require.NoError(t, err)
		if e.Action != "getDeviceDetails" {
			continue
		}
		r := new(GetDeviceDetailsReply)
		require.NoError(t, e.Decode(r))
		list, err := r.Details()
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, "lab", list[0].Device.GroupName)
		require.Equal(t, "vm", list[0].Device.Name)
		require.Equal(t, ConnAgent, list[0].Device.Conn)
		require.NotEmpty(t, list[0].Network.Interfaces["eth0"])
		again := new(GetDeviceDetailsReply)
		require.NoError(t, again.SetDetails(list))
		require.Equal(t, jsonValue(t, []byte(r.Data)), jsonValue(t, []byte(again.Data)))
	}
	empty := new(GetDeviceDetailsReply)
	require.NoError(t, empty.SetDetails(nil))
	require.Equal(t, `""`, empty.Data)
	list, err := empty.Details()
	require.NoError(t, err)
	require.Empty(t, list)
	_, err = (&GetDeviceDetailsReply{Data: "<html>"}).Details()
	require.ErrorIs(t, err, ErrMessage)
}

func TestAgentLists(t *testing.T) {
	p, err := (&MsgProcesses{Value: `{"1":{"pid":1,"cmd":"/sbin/init","user":"root"}}`}).Processes()
	require.NoError(t, err)
	require.Equal(t, map[string]Process{"1": {PID: 1, Command: "/sbin/init", User: "root"}}, p)
	s, err := (&MsgServices{Value: `[{"name":"cron","status":{"state":"RUNNING","pid":7}}]`}).Services()
	require.NoError(t, err)
	require.Equal(t, []Service{{Name: "cron", Status: &ServiceStatus{State: "RUNNING", PID: 7}}}, s)
	one, err := (&MsgService{Value: `{"name":"cron","startType":"AUTO"}`}).Service()
	require.NoError(t, err)
	require.Equal(t, &Service{Name: "cron", StartType: "AUTO"}, one)
	for _, bad := range []string{"", "x", "[", `{"a":`} {
		_, err = (&MsgProcesses{Value: bad}).Processes()
		require.ErrorIs(t, err, ErrMessage)
		_, err = (&MsgServices{Value: bad}).Services()
		require.ErrorIs(t, err, ErrMessage)
		_, err = (&MsgService{Value: bad}).Service()
		require.ErrorIs(t, err, ErrMessage)
	}
}

func TestUnknownDeviceMessage(t *testing.T) {
	text := `{"action":"msg","type":"newtype","nodeid":"node//x","value":7}`
	e, err := parseEnvelope([]byte(text))
	require.NoError(t, err)
	for _, parse := range []func(Envelope) (Message, error){ParseDeviceMessage, ParseAgentMessage} {
		m, err := parse(e)
		require.NoError(t, err)
		require.Equal(t, &Msg{DeviceID: "node//x", Type: "newtype", Extra: map[string]json.RawMessage{"value": json.RawMessage("7")}}, m)
		b, err := AppendMessage(nil, m, Correlation{})
		require.NoError(t, err)
		require.JSONEq(t, text, string(b))
	}
}

func TestShareExpires(t *testing.T) {
	r := &CreateDeviceShareLinkReply{Expire: 1795333713000}
	require.Equal(t, int64(1795333713), r.Expires().Unix())
	r.Recurring = RecurringDaily
	require.True(t, r.Expires().IsZero())
	require.True(t, (&CreateDeviceShareLinkReply{}).Expires().IsZero())
}

func TestPowerActionNeeds(t *testing.T) {
	require.Equal(t, WakeDevice, AMTOn.Needs())
	require.Equal(t, ResetOff, AgentOff.Needs())
	require.Equal(t, ResetOff, AMTOff.Needs())
	require.Equal(t, RemoteControl, PhoneVibrate.Needs())
	require.Equal(t, "amtreset", AMTReset.String())
	require.Equal(t, "PowerAction(7)", PowerAction(7).String())
}

// What messages hold of secrets is sent and not printed.
func TestDeviceMessagesHideSecrets(t *testing.T) {
	const secret = "hunter2hunter2"
	hidden := NewSecret(secret)
	url := NewSecretURL("https://x.example/sharing?c=" + secret)
	for _, m := range []Message{
		&AddAMTDevice{Password: hidden}, &ChangeDevice{AMT: &AMTLogin{Password: hidden}}, &MsgTunnel{URL: url},
		&AMTSetupBin{OldPassword: hidden, NewPassword: hidden}, &AMTSetupBinReply{File: hidden}, &GetMQTTLoginReply{Password: hidden},
		&CreateDeviceShareLinkReply{URL: url}, &WebRelayReply{URL: url}, &DeviceSharesReply{Shares: []Share{{URL: url}}},
		&GetSysInfoReply{SysInfo: SysInfo{Hardware: &Hardware{Windows: &WindowsHardware{Volumes: map[string]Volume{"C": {RecoveryPassword: hidden}}}}}},
		&NodesReply{Devices: map[ID][]Device{"mesh//a": {{AMT: &DeviceAMT{Password: hidden, MPSPass: hidden}}}}},
	} {
		b, err := AppendMessage(nil, m, Correlation{})
		require.NoError(t, err)
		require.Contains(t, string(b), secret, "%T", m)
		printed, err := json.Marshal(m)
		require.NoError(t, err)
		all := string(printed) + fmt.Sprintf("%v %+v %#v", m, m, m)
		require.False(t, strings.Contains(all, secret), "%T prints %s", m, all)
	}
}
