package interop

import (
	"encoding/json"
	"fmt"
)

// Device is an entry of the server's device list, as
// `meshctrl listdevices --json` and the control channel's "nodes" give it.
type Device struct {
	ID     string `json:"_id"`    // node//...
	Group  string `json:"meshid"` // mesh//...
	Name   string `json:"name"`
	Host   string `json:"host"`
	OSDesc string `json:"osdesc"`
	Conn   int    `json:"conn"` // bit set: 1 agent, 2 CIRA, 4 AMT, 8 relay, 16 MQTT
	Power  int    `json:"pwr"`
	Agent  struct {
		Version int    `json:"ver"`
		ID      int    `json:"id"`
		Caps    int    `json:"caps"`
		Core    string `json:"core"`
	} `json:"agent"`
}

// Online says that the device's agent is connected; it is meant for WaitDevice.
func Online(d Device) bool { return d.Conn&1 != 0 }

// CoreRuns says that the device's agent is connected and that its core, which does what operators ask for, has reported.
// What a stock server sends an agent before that is lost.
//
// The server remembers both: of a device that was online before, they may be
// from then.
func CoreRuns(d Device) bool { return Online(d) && d.Agent.Core != "" && d.Agent.Caps != 0 }

// Offline is the opposite of Online.
func Offline(d Device) bool { return !Online(d) }

// The bits of Device.Conn.
const (
	ConnAgent = 1
	ConnCIRA  = 2
	ConnAMT   = 4
	ConnRelay = 8
)

// CIRA says that the device's Intel AMT is connected; it is meant for WaitDevice.
func CIRA(d Device) bool { return d.Conn&ConnCIRA != 0 }

// devicesOf reads a "nodes" message, in which the devices are listed by group.
func devicesOf(m Message) ([]Device, error) {
	b, err := json.Marshal(m["nodes"])
	if err != nil {
		return nil, err
	}
	var groups map[string][]Device
	if err := json.Unmarshal(b, &groups); err != nil {
		return nil, fmt.Errorf("interop: device list: %w in %.500q", err, b)
	}
	var devices []Device
	for id, group := range groups {
		for _, d := range group {
			d.Group = id
			devices = append(devices, d)
		}
	}
	return devices, nil
}
