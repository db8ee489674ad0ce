package controlserver

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// eventVerbs read the log.
func (s *Server) eventVerbs(m *controlproto.Mux) {
	controlproto.On(m, s.events)
	controlproto.On(m, s.recordings)
}

// Bounds of answers from the log.
const (
	maxEvents    = 1_000_000
	deviceEvents = 10_000 // of a device, if no number is asked for
)

// filterable are the actions that events can be picked by.
var filterable = []string{"agentlog", "batchupload", "changenode", "manual", "relaylog", "removenode", "runcommands"}

// events lists what has happened: by an account or to it, to a device, or all that the account may know of.
func (s *Server) events(ctx context.Context, c *controlproto.Call, req *controlproto.Events) error {
	me := s.account(c.Session.UserID())
	if me == nil {
		return nil
	}
	q := EventQuery{Domain: c.Session.Domain(), Limit: min(max(req.Limit, 0), maxEvents)}
	if slices.Contains(filterable, req.Filter) {
		q.Action = req.Filter
	}
	switch {
	case req.UserID != "" && me.SiteRights.Has(controlproto.SiteManageUsers):
		return s.userEvents(ctx, c, req.UserID, q)
	case req.DeviceID != "":
		return s.deviceEvents(ctx, c, req.DeviceID, q)
	}
	if me.Links == nil {
		return nil // silent on the stock server
	}
	q.Targets = s.ownTargets(me)
	list, err := s.logged(ctx, q)
	if err != nil {
		return err
	}
	return s.replyEvents(ctx, c, list, nil, detail{"user", req.User})
}

// ownTargets is what an account may know of in the log; nil is all. Groups of which it sees only its own doings are not in it.
func (s *Server) ownTargets(a *Account) []string {
	targets := []string{}
	for t := range s.targetsOf(a) {
		if t == toAdmins {
			return nil
		}
		if !a.Links[controlproto.ID(t)].Rights.Denies(controlproto.LimitedEvents) {
			targets = append(targets, t)
		}
	}
	slices.Sort(targets)
	return targets
}

// logged reads the log, newest first.
func (s *Server) logged(ctx context.Context, queries ...EventQuery) (list []LoggedEvent, err error) {
	err = s.cfg.Store.View(ctx, func(tx StoreTx) error {
		list = nil
		for _, q := range queries {
			found, err := tx.Events(q)
			if err != nil {
				return err
			}
			list = append(list, found...)
		}
		return nil
	})
	return list, err
}

// userEvents are those that an account has caused, and those for it.
func (s *Server) userEvents(ctx context.Context, c *controlproto.Call, id controlproto.ID, q EventQuery) error {
	if !id.Valid() || id.Domain() != c.Session.Domain() {
		return nil
	}
	if other := s.account(id); other != nil && !seenBy(s.account(c.Session.UserID()), other) {
		return nil
	}
	by, to := q, q
	by.User, to.Targets = string(id), []string{string(id)}
	list, err := s.logged(ctx, by, to)
	if err != nil {
		return err
	}
	// What it has caused and is for it too was found twice.
	type key struct {
		at  int64
		doc string
	}
	seen := make(map[key]bool, len(list))
	list = slices.DeleteFunc(list, func(e LoggedEvent) bool {
		k := key{e.Time.UnixNano(), string(e.Doc)}
		if seen[k] {
			return true
		}
		seen[k] = true
		return false
	})
	slices.SortStableFunc(list, func(a, b LoggedEvent) int { return b.Time.Compare(a.Time) })
	if q.Limit > 0 && len(list) > q.Limit {
		list = list[:q.Limit]
	}
	return s.replyEvents(ctx, c, list, nil, detail{"userid", id})
}

// deviceEvents are those of a device.
func (s *Server) deviceEvents(ctx context.Context, c *controlproto.Call, asked controlproto.ID, q EventQuery) error {
	id := asked.In(controlproto.KindDevice, c.Session.Domain())
	d, rights, err := s.deviceFor(ctx, c.Session, id)
	if errors.Is(err, ErrNotFound) {
		return s.replyEvents(ctx, c, nil, nil, detail{"nodeid", id})
	}
	if err != nil {
		return err
	}
	if q.Device = string(d.ID); q.Limit == 0 {
		q.Limit = deviceEvents
	}
	queries := []EventQuery{q}
	own := rights.Denies(controlproto.LimitedEvents)
	if own {
		queries[0].Limit = 0 // most may be of others
	}
	list, err := s.logged(ctx, queries...)
	if err != nil {
		return err
	}
	if own {
		list = slices.DeleteFunc(list, func(e LoggedEvent) bool { return e.User != "" && e.User != string(c.Session.UserID()) })
		list = list[:min(len(list), q.Limit)]
	}
	return s.replyEvents(ctx, c, list, []string{"etype", "nodeid"}, detail{"nodeid", d.ID})
}

// replyEvents answers with events, without some of their members.
func (s *Server) replyEvents(ctx context.Context, c *controlproto.Call, list []LoggedEvent, without []string, about detail) error {
	without = append([]string{"_id", "domain", "ids", "node"}, without...)
	b := []byte{'['}
	for i, e := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendWithout(b, e.Doc, without); err != nil {
			return err
		}
	}
	reply := &controlproto.Unknown{Name: "events", Extra: map[string]json.RawMessage{"events": append(b, ']')}}
	v, err := encode(about.value)
	if err != nil {
		return err
	}
	if string(v) != `""` {
		reply.Extra[about.name] = v
	}
	return c.Reply(ctx, reply)
}

// appendWithout appends an object without some of its members.
func appendWithout(b, doc []byte, without []string) ([]byte, error) {
	b = append(b, '{')
	first := len(b)
	err := jsonrec.Members(doc, func(name string, value json.RawMessage) error {
		if slices.Contains(without, name) {
			return nil
		}
		if len(b) > first {
			b = append(b, ',')
		}
		b = append(jsonrec.AppendString(b, name), ':')
		b = append(b, value...)
		return nil
	})
	return append(b, '}'), err
}

// toRecordings is the target of the events of recordings.
const toRecordings = "recording"

// recordings lists recorded sessions, if the server records any.
func (s *Server) recordings(ctx context.Context, c *controlproto.Call, req *controlproto.Recordings) error {
	if s.cfg.Recordings == nil {
		return nil
	}
	failed := func(code int) error { return c.Reply(ctx, &controlproto.RecordingsReply{Error: code}) }
	if _, err := fs.Stat(s.cfg.Recordings, "."); err != nil {
		return failed(1)
	}
	list, err := s.logged(ctx, EventQuery{Domain: c.Session.Domain(), Targets: []string{toRecordings}, Limit: min(max(req.Limit, 0), maxEvents)})
	if err != nil {
		return failed(2)
	}
	without := []string{"_id", "domain", "ids", "node", "action", "etype", "msg", "present"}
	b := []byte{'['}
	for i, e := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendWithout(b, e.Doc, without); err != nil {
			return err
		}
		name := text(look(e.Doc, "filename"))
		if _, err := fs.Stat(s.cfg.Recordings, name); err == nil && name != "." {
			b = append(b[:len(b)-1], `,"present":1}`...)
		}
	}
	return c.Reply(ctx, &controlproto.Unknown{Name: "recordings", Extra: map[string]json.RawMessage{"events": append(b, ']')}})
}
