package controlproto_test

import (
	"fmt"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
)

func ExampleNodesReply_All() {
	reply := &controlproto.NodesReply{Devices: map[controlproto.ID][]controlproto.Device{
		"mesh//lab": {
			{ID: "node//a", Name: "pc1", Conn: controlproto.ConnAgent, Power: controlproto.PowerOn},
			{ID: "node//b", Name: "pc2"},
		},
	}}
	for d := range reply.All() {
		fmt.Println(d.Group, d.Name, d.Conn, d.Power)
	}
	// Output:
	// mesh//lab pc1 agent on
	// mesh//lab pc2 offline unknown
}

func ExampleEvent_Detail() {
	e := &controlproto.Event{DeviceID: "node//a"}
	// A server sets what the event carries ...
	if err := e.SetDetail(&controlproto.NodeConnectEvent{Conn: controlproto.ConnAgent, Power: controlproto.PowerOn}); err != nil {
		fmt.Println(err)
		return
	}
	// ... and a client reads it.
	detail, err := e.Detail()
	if err != nil {
		fmt.Println(err)
		return
	}
	switch d := detail.(type) {
	case *controlproto.NodeConnectEvent:
		fmt.Println(e.Action, e.DeviceID, d.Conn, d.Power)
	case *controlproto.AccountChangeEvent:
		fmt.Println(d.Account.Name)
	}
	// Output: nodeconnect node//a agent on
}

func ExampleAppendMessage() {
	timeout := time.Minute
	b, err := controlproto.AppendMessage(nil, &controlproto.MsgMessageBox{
		DeviceID: "node//a", Title: "note", Msg: "restart at noon", Timeout: &timeout,
	}, controlproto.Correlation{ResponseID: []byte(`"r1"`)})
	fmt.Println(string(b), err)
	// Output: {"action":"msg","type":"messagebox","nodeid":"node//a","title":"note","msg":"restart at noon","timeout":60000,"responseid":"r1"} <nil>
}

func ExamplePowerTimelineReply_Changes() {
	r := &controlproto.PowerTimelineReply{Timeline: []float64{0, 1795333098, 1, 3600, 0}}
	for _, c := range r.Changes() {
		fmt.Println(c.Since.UTC().Format(time.RFC3339), c.State)
	}
	// Output:
	// 2026-11-22T07:38:18Z on
	// 2026-11-22T08:38:18Z unknown
}
