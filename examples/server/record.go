package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
	"github.com/meshcentral-go/sdk/examples/server/web"
	"github.com/meshcentral-go/sdk/nodeid"
)

const (
	// settle is how long a device must be away before its going and its coming back are events. An agent that flaps
	// would fill the table otherwise.
	settle = time.Minute
	// Events are kept for this long, and so many of them at most.
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

// recorder writes what happens to devices into the store, from one goroutine: what comes in while a transaction is
// written is the next one. Pages are told once a change is stored.
type recorder struct {
	store  *sqlstore.Store
	feed   *web.Feed
	log    *slog.Logger
	online func(nodeid.NodeKey) (*agentproto.Session, bool)

	started time.Time
	queue   chan change
	stop    chan struct{} // closed by close
	done    chan struct{} // closed when everything is written

	left map[nodeid.NodeKey]departure // devices that went a moment ago; of the goroutine alone
}

// change is something that happened to a device.
type change struct {
	key   nodeid.NodeKey
	apply func(*sqlstore.Tx) error // may run twice, if the transaction that it was a part of fails
}

// departure is a device that went offline, before that becomes an event.
type departure struct {
	at     time.Time
	reason string
}

func newRecorder(store *sqlstore.Store, feed *web.Feed, online func(nodeid.NodeKey) (*agentproto.Session, bool), log *slog.Logger) *recorder {
	r := &recorder{
		store: store, feed: feed, online: online, log: log,
		started: time.Now(), queue: make(chan change, recordQueue), stop: make(chan struct{}), done: make(chan struct{}),
		left: make(map[nodeid.NodeKey]departure),
	}
	go r.run()
	return r
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
	err := r.store.Update(context.Background(), func(tx *sqlstore.Tx) error {
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
	}
	r.feed.Changed(keys...)
}

func (r *recorder) trimEvents(now time.Time) {
	r.update("old events", func(tx *sqlstore.Tx) error {
		_, err := tx.TrimEvents(now.Add(-eventLifetime), maxEvents)
		return err
	})
}

func (r *recorder) update(what string, f func(*sqlstore.Tx) error) {
	if err := r.store.Update(context.Background(), f); err != nil {
		r.log.Error("not stored", "what", what, "reason", err)
	}
}

// writeDepartures makes events of departures.
func (r *recorder) writeDepartures(due func(departure) bool) {
	var events []sqlstore.Event
	for key, d := range r.left {
		if due(d) {
			delete(r.left, key)
			events = append(events, sqlstore.Event{Time: d.at, Device: key, Kind: sqlstore.DeviceDisconnected, Detail: d.reason})
		}
	}
	if len(events) == 0 {
		return
	}
	r.update("events", func(tx *sqlstore.Tx) error {
		for _, e := range events {
			d, err := tx.Device(e.Device)
			if errors.Is(err, sqlstore.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			e.Name, e.Addr = d.Name, d.Addr
			if err := tx.AppendEvent(e); err != nil {
				return err
			}
		}
		return nil
	})
}

// connected records a login. A device that is not known yet is enrolled in the group that it names, which the login
// has checked.
func (r *recorder) connected(s *agentproto.Session) {
	key, info, peer := s.NodeKey(), s.Info(), s.Peer()
	r.queue <- change{key, func(tx *sqlstore.Tx) error {
		d, err := tx.Device(key)
		known := err == nil
		if err != nil && !errors.Is(err, sqlstore.ErrNotFound) {
			return err
		}
		name := cmp.Or(info.PreferredName.String(), info.Name.String(), nameless(key))
		event := sqlstore.Event{Time: s.Since(), Device: key, Kind: sqlstore.DeviceConnected, Addr: peer.Addr.String()}
		switch {
		case !known:
			d = sqlstore.Device{
				Key: key, Group: nodeid.MeshKey{Domain: key.Domain, ID: info.Group}, Name: name,
				Icon: uint32(info.Platform), Temporary: s.Temporary(), Created: s.Since().UTC(),
			}
			event.Kind = sqlstore.DeviceAdded
		case !r.wasAway(d, s.Since()):
			event.Kind = ""
		}
		d.Host, d.AgentID, d.AgentVersion = info.Name.String(), uint32(info.AgentID), info.AgentVersion
		d.Capabilities = uint32(info.Capabilities)
		d.Connected, d.Addr = s.Since().UTC(), peer.Addr.String()
		if err := tx.PutDevice(d); err != nil {
			return err
		}
		delete(r.left, key)
		if event.Kind == "" {
			return nil
		}
		event.Name = d.Name
		return tx.AppendEvent(event)
	}}
}

// wasAway reports whether a device that is back was gone for long enough to speak of it.
func (r *recorder) wasAway(d sqlstore.Device, now time.Time) bool {
	if !d.Connected.After(d.Disconnected) {
		return now.Sub(d.Disconnected) >= settle
	}
	// Nothing tells that it went: this connection takes the place of one, or the server before this one was killed.
	return d.Connected.Before(r.started) && now.Sub(r.started) >= settle
}

// disconnected records the end of a session, which is now.
func (r *recorder) disconnected(s *agentproto.Session) {
	key, at, reason := s.NodeKey(), time.Now(), s.Err()
	r.queue <- change{key, func(tx *sqlstore.Tx) error {
		if now, ok := r.online(key); ok && now.Generation() > s.Generation() {
			return nil // it is back already
		}
		d, err := tx.Device(key)
		if errors.Is(err, sqlstore.ErrNotFound) {
			return nil // removed meanwhile
		}
		if err != nil {
			return err
		}
		if d.Temporary {
			if _, err := tx.DeleteDevice(key); err != nil {
				return err
			}
			return tx.AppendEvent(sqlstore.Event{Time: at, Device: key, Kind: sqlstore.DeviceRemoved, Name: d.Name, Addr: d.Addr})
		}
		d.Disconnected = at.UTC()
		if !errors.Is(reason, agentproto.ErrShutdown) { // the agents that a restart of this server sends away are no news
			r.left[key] = departure{at, reason.Error()}
		}
		return tx.PutDevice(d)
	}}
}

// changed records what a device says of itself.
func (r *recorder) changed(key nodeid.NodeKey, edit func(*sqlstore.Device)) {
	r.queue <- change{key, func(tx *sqlstore.Tx) error { return editDevice(tx, key, edit) }}
}

// report records a document about a device, beside a change of the device itself if edit is not nil. hash tells
// versions of the document apart; if it is empty, one is made.
func (r *recorder) report(key nodeid.NodeKey, kind sqlstore.ReportKind, hash string, doc []byte, edit func(*sqlstore.Device)) {
	if len(doc) > maxReport {
		r.log.Warn("agent's report not kept: it is too large", "node", key, "kind", kind, "bytes", len(doc))
		return
	}
	if hash == "" {
		sum := sha256.Sum256(doc)
		hash = hex.EncodeToString(sum[:])
	}
	rep := sqlstore.Report{Device: key, Kind: kind, Time: time.Now(), Hash: hash, Doc: doc}
	r.queue <- change{key, func(tx *sqlstore.Tx) error {
		if edit != nil {
			if err := editDevice(tx, key, edit); err != nil {
				return err
			}
		}
		if old, err := tx.ReportHash(key, kind); err != nil || old == hash {
			return err // agents repeat themselves at every login
		}
		return tx.PutReport(rep)
	}}
}

// editDevice changes a record, if that makes a difference.
func editDevice(tx *sqlstore.Tx, key nodeid.NodeKey, edit func(*sqlstore.Device)) error {
	d, err := tx.Device(key)
	if err != nil {
		return err
	}
	before := d
	edit(&d)
	if d == before {
		return nil
	}
	return tx.PutDevice(d)
}
