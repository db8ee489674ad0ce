package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/examples/server/web"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
	"github.com/meshcentral-go/sdk/nodeid"
)

const (
	// settle is how long a device must be away before its going and its coming back are events. An agent that flaps
	// would fill the table otherwise.
	settle = time.Minute
	// Events are kept for this long, unless config.json says otherwise, and so many of them at most.
	eventLifetime = 90 * 24 * time.Hour
	maxEvents     = 500_000

	// What waits to be written is bounded by the product of these two.
	recordQueue = 512
	maxReport   = 256 << 10 // bytes; real ones have some thousands
	// maxMessage bounds a message of an agent.
	maxMessage  = 1 << 20
	recordBatch = 256 // changes in one transaction
	settleTick  = 5 * time.Second
	trimTick    = time.Hour
)

// toPages is the target of events that the pages show and no operator's session hears of: stock servers do not log when
// devices come and go.
const toPages = "server-pages"

// Actions of such events.
const (
	deviceConnected    = "agentconnect"
	deviceDisconnected = "agentdisconnect"
)

// recorder writes what happens to devices, from one goroutine: what comes in while a transaction is written is the next
// one. Pages are told once a change is stored.
type recorder struct {
	records *controlserver.Server
	trim    func(now time.Time) error // removes what is old
	feed    *web.Feed
	wanOnly bool // addresses are of no use to reach devices
	log     *slog.Logger
	online  func(nodeid.NodeKey) (*agentproto.Session, bool)
	amt     func(nodeid.NodeKey) controlserver.State // how a device is connected by its AMT

	started time.Time
	queue   chan change
	stop    chan struct{} // closed by close
	done    chan struct{} // closed when everything is written

	// Of the goroutine alone.
	left    map[nodeid.NodeKey]departure           // devices that went a moment ago
	amtTold map[nodeid.NodeKey]controlserver.State // of AMT, as everyone knows it
}

// change is something that happened to a device.
type change struct {
	key   nodeid.NodeKey
	apply func(*controlserver.Tx) error // may run twice, if the transaction that it was a part of fails
	after func()                        // once it is stored; may be nil
}

// departure is a device that went offline, before that becomes an event.
type departure struct {
	at     time.Time
	reason string
}

// begin sets the rest of the fields, and starts.
func (r *recorder) begin() {
	r.started, r.queue = time.Now(), make(chan change, recordQueue)
	r.stop, r.done = make(chan struct{}), make(chan struct{})
	r.left, r.amtTold = make(map[nodeid.NodeKey]departure), make(map[nodeid.NodeKey]controlserver.State)
	go r.run()
}

// close writes what is still to be written. Nothing may be recorded any more.
func (r *recorder) close() {
	close(r.stop)
	<-r.done
}

func (r *recorder) run() {
	defer close(r.done)
	settled, trim := time.NewTicker(settleTick), time.NewTicker(trimTick)
	defer settled.Stop()
	defer trim.Stop()
	r.trimEvents(r.started)
	for {
		select {
		case c := <-r.queue:
			r.write(c)
		case now := <-settled.C:
			r.writeDepartures(func(d departure) bool { return now.Sub(d.at) >= settle })
		case now := <-trim.C:
			r.trimEvents(now)
		case <-r.stop:
			for len(r.queue) > 0 {
				r.write(<-r.queue)
			}
			r.writeDepartures(func(departure) bool { return true })
			return
		}
	}
}

// write stores a change together with those that wait behind it.
func (r *recorder) write(first change) {
	batch := []change{first}
	for len(batch) < recordBatch && len(r.queue) > 0 {
		batch = append(batch, <-r.queue)
	}
	// Not the context of a request or a session: what has happened is stored even if they end.
	err := r.records.Update(context.Background(), func(tx *controlserver.Tx) error {
		for _, c := range batch {
			if err := c.apply(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil { // one that fails must not take the others with it
		for _, c := range batch {
			r.update("device "+c.key.String(), c.apply)
		}
	}
	keys := make([]nodeid.NodeKey, len(batch))
	for i, c := range batch {
		keys[i] = c.key
		if c.after != nil {
			c.after()
		}
	}
	r.feed.Changed(keys...)
}

func (r *recorder) trimEvents(now time.Time) {
	if err := r.trim(now); err != nil {
		r.log.Error("what is old not removed", "reason", err)
	}
}

func (r *recorder) update(what string, f func(*controlserver.Tx) error) {
	if err := r.records.Update(context.Background(), f); err != nil {
		r.log.Error("not stored", "what", what, "reason", err)
	}
}

// writeDepartures makes events of departures.
func (r *recorder) writeDepartures(due func(departure) bool) {
	gone := make(map[nodeid.NodeKey]departure)
	for key, d := range r.left {
		if due(d) {
			delete(r.left, key)
			gone[key] = d
		}
	}
	if len(gone) == 0 {
		return
	}
	r.update("events", func(tx *controlserver.Tx) error {
		for key, d := range gone {
			device, err := tx.Device(controlproto.DeviceID(key))
			if errors.Is(err, controlserver.ErrNotFound) {
				continue
			}
			if err == nil {
				err = tx.LogPower(device.ID, d.at, controlproto.PowerUnknown)
			}
			if err == nil {
				err = seen(tx, device, deviceDisconnected, d.at, d.reason)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// seen logs that a device came or went, for the pages. It is told when that was, not when it was written.
func seen(tx *controlserver.Tx, d *controlproto.Device, action string, at time.Time, detail string) error {
	e := &controlproto.Event{Type: "node", Action: action, DeviceID: d.ID, GroupID: d.Group, Domain: d.Domain, Extra: map[string]json.RawMessage{}}
	for name, text := range map[string]string{"name": d.Name, "addr": d.IP, "detail": detail, "at": at.UTC().Format(time.RFC3339Nano)} {
		if text != "" {
			e.Extra[name] = jsonrec.AppendString(nil, text)
		}
	}
	return tx.Event(e, toPages)
}

// groupGone is what an agent is told whose device group was removed while it logged in.
const groupGone = "the device group was removed"

// connected records a login. A device that is not known yet is enrolled in the group that it names, which the login
// has checked. If the group was removed since then, the session ends, as there would be no record of it: the next login is refused.
// A stock server holds such an agent, silently (meshagent.js, completeAgentConnection2).
func (r *recorder) connected(s *agentproto.Session) {
	id := controlproto.DeviceID(s.NodeKey())
	var before controlserver.State
	var homeless bool
	r.queue <- change{s.NodeKey(), func(tx *controlserver.Tx) error {
		d := r.newDevice(s)
		added, err := tx.Enrol(d)
		if homeless = errors.Is(err, controlserver.ErrNotFound); homeless {
			return nil
		}
		if err == nil && !added {
			err = tx.ChangeDevice(id, func(known *controlproto.Device) error {
				r.loggedIn(known, s)
				d = known
				flags, err := groupFlags(tx, known.Group)
				if flags&controlproto.GroupHostnameSync != 0 {
					known.Name = s.Info().Name.String()
					if name := s.Info().PreferredName.String(); name != "" && flags&controlproto.GroupPreferAgentName != 0 {
						known.Name = name
					}
				}
				return err
			})
		}
		if err != nil {
			return err
		}
		var last controlproto.LastConnect
		rev, err := tx.Document(controlserver.KindLastConnect, string(id), &last)
		if err != nil {
			return err
		}
		// It takes the place of a connection to this process.
		replaces := last.Cause == 1 && !last.Time.Before(r.started)
		if before = (controlserver.State{}); replaces {
			before = connected(s)
		}
		away := !added && r.wasAway(last, s.Since())
		last = controlproto.LastConnect{Time: s.Since(), Addr: address(s), Cause: 1, Type: controlproto.ConnAgent}
		if err := tx.PutDocument(controlserver.KindLastConnect, string(id), string(id), rev, &last); err != nil {
			return err
		}
		delete(r.left, s.NodeKey())
		if !added && !away {
			return nil
		}
		if err := tx.LogPower(id, s.Since(), controlproto.PowerOn); err != nil || added {
			return err // that it was added is an event
		}
		return seen(tx, d, deviceConnected, s.Since(), "")
	}, func() {
		if homeless {
			r.log.Warn("agent sent away: "+groupGone, "session", s)
			s.Close(groupGone)
			return
		}
		r.tell(id, before, connected(s))
	}}
}

// groupFlags returns the options of a device group, none if it is not there.
func groupFlags(tx *controlserver.Tx, id controlproto.ID) (controlproto.GroupFlags, error) {
	var g controlproto.DeviceGroup
	_, err := tx.Document(controlserver.KindDeviceGroup, string(id), &g)
	return g.Flags, err
}

// address is where an agent connects from, with the port if it is known.
func address(s *agentproto.Session) string {
	if p := s.Peer(); p.Port != 0 {
		return netip.AddrPortFrom(p.Addr, p.Port).String()
	}
	return s.Peer().Addr.String()
}

// tell says how the agent of a device is connected to whoever listens.
func (r *recorder) tell(id controlproto.ID, before, now controlserver.State) {
	if key, err := id.DeviceKey(); err == nil {
		amt := r.amtTold[key]
		before, now = together(before, amt), together(now, amt)
	}
	r.tellState(id, before, now)
}

func (r *recorder) tellState(id controlproto.ID, before, now controlserver.State) {
	err := r.records.TellState(context.Background(), id, before, now)
	if err != nil && !errors.Is(err, controlserver.ErrNotFound) {
		r.log.Warn("operators not told", "device", id, "reason", err)
	}
}

// newDevice is the record of a device that logs in for the first time (meshagent.js, completeAgentConnection2).
func (r *recorder) newDevice(s *agentproto.Session) *controlproto.Device {
	key, info := s.NodeKey(), s.Info()
	d := &controlproto.Device{
		Type: controlproto.KindDevice, ID: controlproto.DeviceID(key), Domain: key.Domain,
		Group:    controlproto.DeviceGroupID(nodeid.MeshKey{Domain: key.Domain, ID: info.Group}),
		MeshType: controlproto.GroupAgent, Icon: controlproto.Icon(info.Platform),
		Name:         cmp.Or(info.PreferredName.String(), info.Name.String(), nameless(key)),
		FirstConnect: s.Since(),
		Agent:        &controlproto.DeviceAgent{Caps: controlproto.AgentCaps(info.Capabilities)},
	}
	r.loggedIn(d, s)
	return d
}

// temporary marks a device that is removed when its session ends: it was enrolled by a temporary agent.
const temporary = controlproto.AgentCaps(agentproto.CapTemporary)

// loggedIn takes over what an agent says at every login.
func (r *recorder) loggedIn(d *controlproto.Device, s *agentproto.Session) {
	info := s.Info()
	if d.Agent == nil {
		d.Agent = &controlproto.DeviceAgent{}
	}
	d.RName, d.IP = info.Name.String(), s.Peer().Addr.String()
	if !r.wanOnly {
		d.Host = d.IP
	}
	d.Agent.ID, d.Agent.Version = int(info.AgentID), new(int(info.AgentVersion))
	// What the core reported stays until it reports something else, which it does when it starts.
	const fixed = controlproto.AgentCaps(agentproto.CapConsole | agentproto.CapCore)
	if caps := controlproto.AgentCaps(info.Capabilities); d.Agent.Caps&fixed != caps&fixed {
		d.Agent.Caps = caps&^temporary | d.Agent.Caps&temporary
	}
}

// wasAway reports whether a device that is back was gone for long enough to speak of it.
func (r *recorder) wasAway(last controlproto.LastConnect, now time.Time) bool {
	if last.Cause != 1 {
		return now.Sub(last.Time) >= settle
	}
	// Nothing tells that it went: this connection takes the place of one, or the server before this one was killed.
	return last.Time.Before(r.started) && now.Sub(r.started) >= settle
}

// disconnected records the end of a session, which is now.
func (r *recorder) disconnected(s *agentproto.Session) {
	key, at, reason := s.NodeKey(), time.Now(), s.Err()
	id := controlproto.DeviceID(key)
	gone := false
	r.queue <- change{key, func(tx *controlserver.Tx) error {
		gone = false
		if now, ok := r.online(key); ok && now.Generation() > s.Generation() {
			return nil // it is back already
		}
		d, err := tx.Device(id)
		if errors.Is(err, controlserver.ErrNotFound) {
			return nil // removed meanwhile
		}
		if err != nil {
			return err
		}
		gone = true
		flags, err := groupFlags(tx, d.Group)
		if err != nil {
			return err
		}
		if d.Agent != nil && d.Agent.Caps&temporary != 0 || flags&controlproto.GroupAutoRemove != 0 {
			return tx.RemoveDevice(nil, id)
		}
		if !errors.Is(reason, agentproto.ErrShutdown) { // the agents that a restart of this server sends away are no news
			r.left[key] = departure{at, reason.Error()}
		}
		return tx.LogConnect(id, controlproto.LastConnect{Time: at, Addr: address(s), Type: controlproto.ConnAgent})
	}, func() {
		if gone {
			r.tell(id, connected(s), controlserver.State{})
		}
	}}
}

// changed records what a device says of itself.
func (r *recorder) changed(key nodeid.NodeKey, edit func(*controlproto.Device)) {
	r.queue <- change{key: key, apply: func(tx *controlserver.Tx) error {
		return tx.ChangeDevice(controlproto.DeviceID(key), func(d *controlproto.Device) error {
			edit(d)
			return nil
		})
	}}
}

// report records a document about a device, unless it says the same as the one that is here: agents repeat themselves at
// every login.
func (r *recorder) report(key nodeid.NodeKey, kind controlserver.Kind, doc *report) {
	id := controlproto.DeviceID(key)
	if n := doc.size(); n > maxReport {
		r.log.Warn("agent's report not kept: it is too large", "node", key, "kind", kind, "bytes", n)
		return
	}
	r.queue <- change{key: key, apply: func(tx *controlserver.Tx) error {
		var old report
		rev, err := tx.Document(kind, string(id), &old)
		if err != nil || rev != 0 && old.same(doc) {
			return err
		}
		text, err := jsonrec.Append(nil, doc)
		if err != nil {
			return err
		}
		if kind == controlserver.KindSystem {
			return tx.SaveSystem(id, text)
		}
		return tx.SaveNetwork(id, text)
	}}
}

// report is what a device says of its hardware or its network.
type report struct {
	Time    time.Time                  `json:"time,ms"`       // of hardware
	Updated time.Time                  `json:"updateTime,ms"` // of the network
	Extra   map[string]json.RawMessage `json:"-"`
}

func (r *report) size() (n int) {
	for name, value := range r.Extra {
		n += len(name) + len(value)
	}
	return n
}

// same compares all but the times, or the hashes if there are some.
func (r *report) same(o *report) bool {
	if hash := r.Extra["hash"]; hash != nil || o.Extra["hash"] != nil {
		return string(hash) == string(o.Extra["hash"])
	}
	if len(r.Extra) != len(o.Extra) {
		return false
	}
	for name, value := range r.Extra {
		if string(value) != string(o.Extra[name]) {
			return false
		}
	}
	return true
}
