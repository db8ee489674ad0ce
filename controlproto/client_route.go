package controlproto

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// How replies find their requests
//
// Every request gets an id of 128 random bits, as "responseid" and as "tag" both. A reply is taken by the request
//
//  1. whose id is its "responseid", whatever its action: errors come under other actions, too;
//  2. else, whose id is its "tag";
//  3. else, if it has neither: which is the one under way for that action, and for the value of the member Spec.Key.
//
// For the third way there must not be two under way at once, so requests for actions whose replies repeat nothing wait
// for each other (a slot). A request that was given up keeps its slot until its reply came after all or
// ClientConfig.StrayTime passed, so that the next one does not get that reply.

// call is one request under way.
type call struct {
	spec Spec
	id   string // as it stands in the JSON, with quotes
	slot *slot  // nil for replies that repeat the id

	// accept tells whether a reply counts. Nil: all do.
	accept func(r *received) bool
	// decode makes the result of a reply. It runs in the reader.
	decode func(e Envelope) (any, error)
	// replies has room for all that count, so that the reader never waits.
	replies chan reply
	missing int // how many are still to come

	// Under the link's mutex.
	sent  bool
	stray *time.Timer // set once it was given up, and only while its reply may still come
	over  bool        // nobody waits any more
}

type reply struct {
	value any
	err   error
}

// slotKey tells apart what must not be under way twice: replies of one action, and of one value of a member if there is
// one that tells them apart.
type slotKey struct{ action, member, value string }

// slot lets one request pass at a time, in their order.
type slot struct {
	key     slotKey
	holder  *call // nil while the slot is handed over
	waiters []chan struct{}
}

// received is what is read of an incoming message before anything is decoded. It aliases the message.
type received struct {
	Envelope
	result json.RawMessage // "result"
	kind   json.RawMessage // "type"
}

var receivedMembers = []string{"action", "responseid", "tag", "result", "type"}

// stockPong is what servers of old answer to a ping: not JSON.
var stockPong = []byte(`{action:"pong"}`)

// parseReceived reads a message's envelope, leniently: a client takes what servers send.
func parseReceived(b []byte) (r received, err error) {
	if bytes.Equal(b, stockPong) {
		r.Action = actionPong
		return r, nil
	}
	m, err := jsonrec.Peek(b, receivedMembers...)
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if len(m[0]) == 0 || m[0][0] != '"' || json.Unmarshal(m[0], &r.Action) != nil {
		return r, fmt.Errorf("%w: no action", ErrMessage)
	}
	r.ResponseID, r.Tag, r.result, r.kind, r.Raw = present(m[1]), present(m[2]), present(m[3]), present(m[4]), b
	return r, nil
}

// receive handles one message. An error ends the connection.
func (l *clientLink) receive(b []byte) error {
	r, err := parseReceived(b)
	if err != nil {
		if l.client.trace.Malformed != nil {
			l.client.trace.Malformed(err)
		}
		return nil
	}
	l.traceReceived(r.Action, len(b))
	switch r.Action {
	case actionPong:
		l.ponged()
		return nil
	case actionPing:
		select {
		case l.out <- &outgoing{action: actionPong, data: []byte(`{"action":"pong"}`)}:
		default: // nobody checks the answer
		}
		return nil
	case actionClose, actionStopped:
		return closeErrorOf(r.Envelope)
	}
	if l.deliver(&r) || l.client.publish(&r) {
		return nil
	}
	if l.client.trace.Unmatched != nil {
		l.client.trace.Unmatched(r.Action, len(b))
	}
	return nil
}

// deliver gives a reply to its request, if it is one.
func (l *clientLink) deliver(r *received) bool {
	if r.Action == actionEvent {
		return false
	}
	l.mu.Lock()
	c := l.match(r)
	if c == nil {
		l.mu.Unlock()
		return false
	}
	if c.over { // a stray
		l.finish(c)
	}
	if c.over || c.accept != nil && !c.accept(r) {
		l.mu.Unlock()
		return true
	}
	c.missing--
	if c.missing == 0 {
		l.finish(c)
	}
	decode, replies := c.decode, c.replies
	l.mu.Unlock()

	var out reply
	if out.err = r.refusal(&c.spec); out.err == nil {
		out.value, out.err = decode(r.Envelope)
	}
	replies <- out
	return true
}

// match finds the request of a reply, which may have been given up.
func (l *clientLink) match(r *received) *call {
	if c := l.calls[string(r.ResponseID)]; c != nil {
		return c
	}
	if c := l.calls[string(r.Tag)]; c != nil {
		return c
	}
	if r.ResponseID != nil || r.Tag != nil {
		return nil // somebody else's, or too late
	}
	var member, value string // requests for a thousand devices may be under way, but an action has one such member
	for k, s := range l.slots {
		if k.action != r.Action || k.member == "" || s.holder == nil {
			continue
		}
		if k.member != member {
			member, value = k.member, keyOf(r.Raw, k.member)
		}
		if value == k.value {
			return s.holder
		}
	}
	if s := l.slots[slotKey{action: r.Action}]; s != nil {
		return s.holder
	}
	return nil
}

// keyOf is the value of a member for comparison: of an id, what follows the last slash, as requests may leave out the
// rest.
func keyOf(raw []byte, name string) string {
	m, err := jsonrec.Peek(raw, name)
	if err != nil || len(present(m[0])) == 0 {
		return ""
	}
	var text string
	if json.Unmarshal(m[0], &text) != nil {
		return string(m[0])
	}
	return text[strings.LastIndexByte(text, '/')+1:]
}

// refusal is the error that a reply says.
func (r *received) refusal(spec *Spec) error {
	if len(r.result) == 0 || r.result[0] != '"' {
		return nil // no "result", or another member of that name
	}
	if r.Action == actionMsg && spec.Action != actionMsg {
		return nil // an agent's answer, whose "result" is the output of a command
	}
	var text string
	if json.Unmarshal(r.result, &text) != nil || strings.EqualFold(text, "ok") {
		return nil
	}
	m, err := jsonrec.Peek(r.Raw, "msgid", "success")
	if err != nil {
		return nil // can not be: the same was read before
	}
	switch {
	case r.Action == "addmeshuser" && len(present(m[1])) != 0:
		return nil // a text for people, and counters
	case r.Action == "wakedevices" && strings.HasPrefix(text, "Used "):
		return nil
	}
	e := &ResultError{Action: spec.Action, Result: text}
	_ = json.Unmarshal(m[0], &e.MsgID) // absent, mostly
	return e
}

// newID makes the id of a request.
func newID() string {
	return `"` + rand.Text() + `"`
}

// begin registers a request. It waits while another one holds the slot.
func (l *clientLink) begin(ctx context.Context, c *call, key *slotKey) error {
	if key != nil {
		if err := l.acquire(ctx, c, *key); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.calls[c.id] = c
	}
	return nil
}

// finish forgets a request and passes its slot on. The caller holds the mutex.
func (l *clientLink) finish(c *call) {
	c.over = true
	delete(l.calls, c.id)
	if c.stray != nil {
		c.stray.Stop()
	}
	if c.slot != nil {
		l.free(c.slot)
		c.slot = nil
	}
}

// abandon gives a request up. If it may still be answered by a message that does not name it, it stays in its slot.
func (l *clientLink) abandon(c *call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case c.over:
	case c.slot == nil || !c.sent || l.err != nil:
		l.finish(c)
	default:
		c.over = true
		c.stray = time.AfterFunc(l.client.cfg.StrayTime, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.finish(c)
		})
	}
}

// startSending tells whether the request is still wanted, and notes that from now on it may be answered.
func (c *call) startSending(l *clientLink) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.over {
		return false
	}
	c.sent = true
	return true
}

// acquire takes a slot.
func (l *clientLink) acquire(ctx context.Context, c *call, key slotKey) error {
	l.mu.Lock()
	if l.err != nil {
		l.mu.Unlock()
		return l.failure()
	}
	s := l.slots[key]
	if s == nil {
		c.slot = &slot{key: key, holder: c}
		l.slots[key] = c.slot
		l.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	s.waiters = append(s.waiters, turn)
	l.mu.Unlock()
	var err error
	select {
	case <-turn:
	case <-l.ended:
		return l.failure()
	case <-ctx.Done():
		err = &notSentError{why: "an earlier request of that kind is unanswered", err: context.Cause(ctx)}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		s.holder, c.slot = c, s
	} else if i := slices.Index(s.waiters, turn); i >= 0 {
		s.waiters = slices.Delete(s.waiters, i, i+1)
	} else {
		l.free(s) // it was just given to this request
	}
	return err
}

// free passes a slot on. The caller holds the mutex.
func (l *clientLink) free(s *slot) {
	s.holder = nil
	if len(s.waiters) > 0 {
		close(s.waiters[0])
		s.waiters = s.waiters[1:]
		return
	}
	delete(l.slots, s.key)
}

// notSentError is a request that was given up before it was sent.
type notSentError struct {
	why string
	err error
}

func (e *notSentError) Error() string { return "not sent: " + e.why + ": " + e.err.Error() }
func (e *notSentError) Unwrap() error { return e.err }
