package controlproto

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// Filter says which events a reader wants. What it leaves empty does not matter. Servers send a session whatever its
// account may know of; the filter looks at the few members named here and spares the decoding of the rest. Ids are
// whole ones, with prefix and domain.
type Filter struct {
	Actions []string // "nodeconnect", "changenode", "accountchange", ...
	Types   []string // "node", "mesh", "user", "ugrp", "relay", "server" ("etype")
	Devices []ID     // about one of these devices
	Groups  []ID     // about one of these device groups
	Users   []ID     // about or caused by one of these accounts
	// Queue is how many events wait for a slow reader, QueueBytes how much memory they take; further ones are dropped.
	// Default 1,024 and 8 MiB.
	Queue      int
	QueueBytes int
}

// MessageFilter says which messages other than events a reader wants: what agents and other users say, notices, traces.
// What it leaves empty does not matter.
type MessageFilter struct {
	Actions    []string // "msg", "interuser", "trace", ...
	Types      []string // of "msg": "console", "notify", ...
	Devices    []ID     // from one of these devices
	Queue      int      // as in Filter
	QueueBytes int
}

const (
	defaultQueue      = 1024
	defaultQueueBytes = 8 << 20
)

// EventReconnected is the Action of the event that [Client.Events] gives after the connection was lost and made anew.
// What happened in between is not told, so a reader who keeps a state asks for it again. Its Type is "client"; no
// server sends it.
const EventReconnected = "reconnected"

// DroppedError says that a reader was too slow, and that events or messages before this place were lost. The loop may
// go on.
type DroppedError struct {
	Count uint64 // lost at this place
	Total uint64 // lost by this reader so far
}

// Error tells the numbers.
func (e *DroppedError) Error() string {
	return fmt.Sprintf("controlproto: reader is too slow: %d dropped, %d in all", e.Count, e.Total)
}

// Events returns the events that pass the filter, from now on: they are collected from the call on, also before the
// loop begins. The iterator is for one loop. It goes on across reconnects, see [EventReconnected], until the loop or
// ctx ends, or the client does, whose error comes last. A [DroppedError] is the one error after which it goes on.
//
//	for event, err := range client.Events(ctx, controlproto.Filter{Actions: []string{"nodeconnect"}}) {
func (c *Client) Events(ctx context.Context, f Filter) iter.Seq2[Event, error] {
	s := c.subscribe(ctx, f.Queue, f.QueueBytes, true, f.wants)
	return func(yield func(Event, error) bool) {
		for raw, err := range s.all(ctx) {
			var event Event
			switch {
			case err != nil:
			case raw == nil:
				event = Event{Type: "client", Action: EventReconnected}
			default:
				err = jsonrec.Unmarshal(raw, &event)
			}
			if !yield(event, err) {
				return
			}
		}
	}
}

// Messages returns the messages other than events that pass the filter and are not the reply to a request of this
// client. All else is as with [Client.Events], except that reconnects are not told. [ParseAgentMessage] decodes what
// agents say.
func (c *Client) Messages(ctx context.Context, f MessageFilter) iter.Seq2[Envelope, error] {
	s := c.subscribe(ctx, f.Queue, f.QueueBytes, false, f.wants)
	return func(yield func(Envelope, error) bool) {
		for raw, err := range s.all(ctx) {
			var e Envelope
			if err == nil {
				e, err = parseEnvelope(raw)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// wants returns the part of a message that is kept, or nil.
func (f *Filter) wants(r *received) []byte {
	if r.Action != actionEvent {
		return nil
	}
	m, err := jsonrec.Peek(r.Raw, actionEvent)
	if err != nil || len(m[0]) == 0 || m[0][0] != '{' {
		return nil
	}
	event := m[0]
	if len(f.Actions)+len(f.Types)+len(f.Devices)+len(f.Groups)+len(f.Users) == 0 {
		return event
	}
	if m, err = jsonrec.Peek(event, "action", "etype", "nodeid", "meshid", "userid"); err != nil {
		return nil
	}
	if textIn(m[0], f.Actions) && textIn(m[1], f.Types) && textIn(m[2], f.Devices) && textIn(m[3], f.Groups) && textIn(m[4], f.Users) {
		return event
	}
	return nil
}

func (f *MessageFilter) wants(r *received) []byte {
	if r.Action == actionEvent || len(f.Actions) > 0 && !slices.Contains(f.Actions, r.Action) || !textIn(r.kind, f.Types) {
		return nil
	}
	if len(f.Devices) > 0 {
		m, err := jsonrec.Peek(r.Raw, "nodeid")
		if err != nil || !textIn(m[0], f.Devices) {
			return nil
		}
	}
	return r.Raw
}

// textIn tells whether a JSON text is one of those, or there are none.
func textIn[T ~string](raw json.RawMessage, list []T) bool {
	if len(list) == 0 {
		return true
	}
	if len(raw) < 2 || raw[0] != '"' {
		return false
	}
	inner := raw[1 : len(raw)-1]
	for _, want := range list {
		if string(inner) == string(want) {
			return true
		}
	}
	var text T
	return slices.Contains(raw, '\\') && json.Unmarshal(raw, &text) == nil && slices.Contains(list, text)
}

// subscription is a bounded queue between the client's reader and a reader of the embedder's.
type subscription struct {
	client     *Client
	wants      func(r *received) []byte
	reconnects bool
	most       int
	mostBytes  int
	stop       func() bool

	mu      sync.Mutex
	queue   [][]byte // nil is a reconnect
	bytes   int
	dropped uint64 // since the reader was last told
	total   uint64
	err     error         // why nothing more comes
	moved   chan struct{} // has room for one
}

// subscribe begins to collect. wants is called with the mutex of the client held.
func (c *Client) subscribe(ctx context.Context, most, mostBytes int, reconnects bool, wants func(*received) []byte) *subscription {
	orElse(&most, defaultQueue)
	orElse(&mostBytes, defaultQueueBytes)
	s := &subscription{
		client: c, wants: wants, reconnects: reconnects, most: most, mostBytes: mostBytes, moved: make(chan struct{}, 1),
	}
	c.mu.Lock()
	if c.gone != nil {
		s.err = goneError(c.gone)
	} else {
		c.subs[s] = struct{}{}
	}
	c.mu.Unlock()
	s.stop = context.AfterFunc(ctx, func() { s.cancel(context.Cause(ctx)) })
	return s
}

// publish gives a message to all who want it, and tells whether there were any.
func (c *Client) publish(r *received) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	var taken bool
	for s := range c.subs {
		if b := s.wants(r); b != nil {
			s.push(slices.Clone(b))
			taken = true
		}
	}
	return taken
}

// reconnected tells those who want to know.
func (c *Client) reconnected() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.subs {
		if s.reconnects {
			s.push(nil)
		}
	}
}

// push adds a message, or drops it. A reconnect is never dropped: there is one place more for it.
func (s *subscription) push(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b != nil && (len(s.queue) >= s.most || s.bytes+len(b) > s.mostBytes) {
		s.dropped++
		s.total++
		if s.client.trace.Dropped != nil {
			s.client.trace.Dropped(s.total)
		}
		return
	}
	if b == nil && len(s.queue) > 0 && s.queue[len(s.queue)-1] == nil {
		return // two in a row say no more than one
	}
	s.queue = append(s.queue, b)
	s.bytes += len(b)
	s.wake()
}

func (s *subscription) wake() {
	select {
	case s.moved <- struct{}{}:
	default:
	}
}

// end says that nothing more comes, after what is queued.
func (s *subscription) end(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = goneError(why)
	}
	s.wake()
}

// cancel ends the collecting because nobody wants it any more.
func (s *subscription) cancel(why error) {
	s.client.mu.Lock()
	delete(s.client.subs, s)
	s.client.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue, s.bytes, s.dropped = nil, 0, 0
	if s.err == nil {
		s.err = why
	}
	s.wake()
}

// all gives what was collected, until the end. What is dropped is told where it is missing: behind what is queued.
func (s *subscription) all(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		defer s.cancel(errSubscriptionOver)
		defer s.stop()
		for {
			s.mu.Lock()
			queue, err := s.queue, s.err
			lost := &DroppedError{Count: s.dropped, Total: s.total}
			s.queue, s.bytes, s.dropped = nil, 0, 0
			s.mu.Unlock()
			for _, b := range queue {
				if ctx.Err() != nil {
					yield(nil, context.Cause(ctx))
					return
				}
				if !yield(b, nil) {
					return
				}
			}
			if lost.Count > 0 && !yield(nil, lost) {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if len(queue) > 0 || lost.Count > 0 {
				continue
			}
			<-s.moved
		}
	}
}

var errSubscriptionOver = fmt.Errorf("controlproto: the loop over this iterator is over")
