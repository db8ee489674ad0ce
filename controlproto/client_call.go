package controlproto

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// Do sends a request and returns the reply to it.
//
// A reply that says something other than "ok" is a [ResultError]. A request that is not answered within the context's
// time, or ClientConfig.DefaultTimeout if that has none, is [ErrNoReply]; servers are silent about much that they
// refuse. If the connection ends before the reply came, it is [ErrDisconnected].
//
// Some actions are answered in their own way (see [Spec]):
//   - those with one reply for each device: Do waits for all, and joins the errors. Which device failed can not be told; the
//     methods of the client send a request for each.
//   - those that are silent about success: Do sends a ping after the request and returns when that is answered, with a
//     Result that says ok. Servers handle the messages of a session in their order, so whatever was wrong with the
//     request itself was said by then. What fails later, in the database say, is not told.
//   - those that deny after they have confirmed ("toast", "msg"): what counts is the first reply.
//   - "runcommands" with Reply: the reply is the agent's. See [Client.RunCommands].
func Do[R any](ctx context.Context, c *Client, req Request[R]) (*R, error) {
	v, err := c.do(ctx, req, func(e Envelope) (any, error) {
		r := req.reply()
		m, ok := any(r).(Message)
		if !ok {
			return nil, fmt.Errorf("%T is not a message", r)
		}
		return r, e.Decode(m)
	})
	if err != nil {
		return nil, requestError(req.Action(), err)
	}
	if r, ok := v.(*R); ok {
		return r, nil
	}
	// Silence is success.
	r := req.reply()
	if res, ok := any(r).(*Result); ok {
		res.Name, res.Result = req.Action(), "ok"
	}
	return r, nil
}

// Call sends a message that is built by hand and returns the reply as it is: for actions that this package has no type
// for. Members "responseid" and "tag" are the client's to set. The reply to an action that is not in [Actions] is found
// by these, or else by its action.
func (c *Client) Call(ctx context.Context, m *Unknown) (*Unknown, error) { return Do(ctx, c, m) }

// Ping asks the server for a sign of life and returns how long it took.
func (c *Client) Ping(ctx context.Context) (time.Duration, error) {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	begun := time.Now()
	l, err := c.current(ctx)
	if err == nil {
		pong := make(chan struct{})
		if err = l.queue(ctx, &outgoing{action: actionPing, pong: pong}); err == nil {
			_, err = l.wait(ctx, nil, pong)
		}
	}
	if err != nil {
		return 0, requestError(actionPing, err)
	}
	return time.Since(begun), nil
}

func (c *Client) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.cfg.DefaultTimeout)
}

// do sends a request and waits. Without a value and an error it was one that is not answered.
func (c *Client) do(ctx context.Context, m Message, decode func(Envelope) (any, error)) (any, error) {
	if m.Action() == actionPing {
		_, err := c.Ping(ctx)
		return nil, errors.Unwrap(err)
	}
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	l, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	k, pong, err := l.start(ctx, m, decode)
	if err != nil {
		return nil, err
	}
	if k == nil {
		_, err := l.wait(ctx, nil, pong)
		return nil, err
	}
	defer l.abandon(k)
	var value any
	var errs []error
	for n := cap(k.replies); n > 0; n-- {
		r, err := l.wait(ctx, k.replies, pong)
		if err != nil {
			return nil, errors.Join(append(errs, err)...)
		}
		if r == nil {
			return nil, nil // nothing was wrong with it
		}
		if r.err != nil {
			errs = append(errs, r.err)
		} else {
			value = r.value
		}
	}
	if len(errs) == 1 {
		return nil, errs[0]
	}
	return value, errors.Join(errs...)
}

// start registers and queues a request. pong is what ends the waiting for a reply to one that may not get any; k is nil
// for those that never get one.
func (l *clientLink) start(ctx context.Context, m Message, decode func(Envelope) (any, error)) (k *call, pong chan struct{}, err error) {
	spec, known := LookupAction(m.Action())
	if !known {
		spec = Spec{Action: m.Action(), Echo: EchoNone}
	}
	o := &outgoing{action: m.Action()}
	if spec.Replies == RepliesNever {
		if o.data, err = AppendMessage(nil, m, Correlation{}); err != nil {
			return nil, nil, err
		}
		pong = make(chan struct{})
		if spec.Action == actionClose {
			close(pong) // there is nobody to answer
		} else {
			o.pong = pong
		}
		return nil, pong, l.queue(ctx, o)
	}
	id := newID()
	cor := Correlation{ResponseID: json.RawMessage(id), Tag: json.RawMessage(id)}
	if spec.Echo == EchoRequest {
		cor.Tag = nil // it may have one of its own, which means something
	}
	if o.data, err = AppendMessage(nil, m, cor); err != nil {
		return nil, nil, err
	}
	k = &call{spec: spec, id: id, decode: decode, missing: 1}
	o.call = k
	if spec.PerDevice {
		k.missing = max(1, countOf(o.data, "nodeids"))
	}
	if spec.Extra > 0 {
		k.accept = func(r *received) bool { return len(r.result) > 0 }
	}
	k.replies = make(chan reply, k.missing)
	var key *slotKey
	switch {
	case spec.Replies == RepliesOnError:
		pong = make(chan struct{})
		o.pong = pong
	case spec.Echo == EchoNone:
		key = slotFor(spec, o.data)
	}
	if err := l.begin(ctx, k, key); err != nil {
		return nil, nil, err
	}
	if err := l.queue(ctx, o); err != nil {
		l.abandon(k)
		return nil, nil, err
	}
	return k, pong, nil
}

// slotFor is the slot of a request whose reply names none.
func slotFor(spec Spec, data []byte) *slotKey {
	key := slotKey{action: spec.Action}
	if spec.Reply != nil {
		if a := spec.Reply().Action(); a != "" {
			key.action = a
		}
	}
	if spec.Key != "" {
		if key.value = keyOf(data, spec.Key); key.value != "" {
			key.member = spec.Key
		}
	}
	return &key
}

// countOf is how many values an array has.
func countOf(data []byte, name string) int {
	m, err := jsonrec.Peek(data, name)
	var list []json.RawMessage
	if err != nil || json.Unmarshal(m[0], &list) != nil {
		return 0
	}
	return len(list)
}

// wait waits for a reply, or for a pong that says that none will come, which is a nil reply.
func (l *clientLink) wait(ctx context.Context, replies <-chan reply, pong <-chan struct{}) (*reply, error) {
	select {
	case r := <-replies:
		return &r, nil
	case <-pong:
		select {
		case r := <-replies: // came first
			return &r, nil
		default:
			return nil, nil //nolint:nilnil // documented
		}
	case <-l.ended:
		select {
		case r := <-replies:
			return &r, nil
		default:
			return nil, l.failure()
		}
	case <-ctx.Done():
		select {
		case r := <-replies: // it came at the last moment
			return &r, nil
		default:
			return nil, waitError(ctx)
		}
	}
}

// waitError is why a wait for a reply was given up.
func waitError(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &joined{ErrNoReply, cause}
	}
	return cause
}
