package main

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/mps"
	"github.com/meshcentral-go/sdk/nodeid"
)

// amtState is how a device is connected by its AMT: nothing for one that an agent on the machine passes on, as on a stock
// server, which uses it only itself.
func amtState(r *mps.Registry, key nodeid.NodeKey) (st controlserver.State) {
	d, ok := r.Device(key)
	if !ok {
		return st
	}
	for _, c := range d.Connections() {
		switch c.Kind() {
		case mps.CIRA:
			st.Conn |= controlproto.ConnCIRA
			st.Power, st.CIRASince = controlproto.PowerPresent, c.Since()
		case mps.Relay:
			st.Conn |= controlproto.ConnAMTRelay
		case mps.LMS:
		}
	}
	return st
}

// together is the state of a device with an agent and AMT: what an agent says of the power is more exact.
func together(agent, amt controlserver.State) controlserver.State {
	if agent.Conn == 0 {
		agent.Power = amt.Power
	}
	agent.Conn |= amt.Conn
	agent.CIRASince = amt.CIRASince
	return agent
}

// event takes what happens to connections. What comes of it is done by the recorder, in the order in which it came in.
func (a *amt) event(e mps.Event) {
	key, ok := e.Device()
	if !ok || e.Phase != mps.PhaseOnline || e.Ports {
		return
	}
	id := controlproto.DeviceID(key)
	last := controlproto.LastConnect{Time: e.Time, Addr: e.Peer.Addr.String(), Cause: 1, Type: controlproto.ConnCIRA}
	if e.Err != nil {
		last.Cause = 0
	}
	if e.Connection.Kind() == mps.Relay {
		last.Type = controlproto.ConnAMTRelay
	}
	stranger := false
	a.rec.queue <- change{key, func(tx *controlserver.Tx) error {
		d, err := tx.Device(id)
		if stranger = errors.Is(err, controlserver.ErrNotFound); stranger {
			return nil // removed meanwhile
		}
		if err != nil || e.Connection.Kind() == mps.LMS {
			return err
		}
		now := amtState(a.server.Registry(), key)
		if e.Err != nil && now.Conn&last.Type != 0 {
			return nil // it is back already
		}
		if d.Agent == nil || d.Agent.ID == 0 { // no agent ever reported
			if err := tx.LogConnect(id, last); err != nil {
				return err
			}
		}
		if _, ok := a.rec.online(key); ok {
			return nil // the agent tells
		}
		return tx.LogPower(id, e.Time, now.Power)
	}, func() {
		a.rec.tellAMT(key)
		if stranger && e.Err == nil {
			// It was removed between its login and now, and whoever did that did not find it online. It is a new device when it
			// comes again. Not on this goroutine, as the end is an event, too.
			go e.Connection.Close(mps.ErrReset)
		}
	}}
}

// tellAMT tells everyone how a device is connected by its AMT, if that is news.
func (r *recorder) tellAMT(key nodeid.NodeKey) {
	id := controlproto.DeviceID(key)
	before, now := r.amtTold[key], r.amt(key)
	var agent controlserver.State
	if s, ok := r.online(key); ok {
		agent = connected(s)
	}
	if now.Conn == 0 {
		delete(r.amtTold, key)
	} else {
		r.amtTold[key] = now
	}
	r.tellState(id, together(agent, before), together(agent, now))
}

// control takes what an agent says of the AMT that it passes on.
func (a *amt) control(c *mps.Connection, m apf.JSONControl) {
	if c.Kind() != mps.LMS || m.Action() != "meiState" {
		return
	}
	var state struct {
		Name string `json:"OsHostname"`
	}
	if json.Unmarshal(m.Value(), &state) != nil {
		return
	}
	name := strings.Map(printable, state.Name)
	if name == "" || len(name) > 64 {
		return
	}
	a.rec.changed(c.Device(), func(d *controlproto.Device) {
		if d.Name == "" {
			d.Name = name
		}
	})
}

// printable drops control characters.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f || r == '\ufffd' {
		return -1
	}
	return r
}
