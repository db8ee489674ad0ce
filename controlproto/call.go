package controlproto

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
	"github.com/meshcentral-go/sdk/internal/secret"
)

// Call is one request that is being handled. Printing it shows the action, not what the request says.
type Call struct {
	Session *Session
	Spec    Spec
	Envelope
}

func newCall(s *Session, e Envelope) *Call {
	spec, ok := LookupAction(e.Action)
	if !ok {
		spec = Spec{Action: e.Action}
	}
	return &Call{Session: s, Spec: spec, Envelope: e}
}

// Asked tells whether the request has a "responseid", which asks for a confirmation.
func (c *Call) Asked() bool { return c.ResponseID != nil }

// Reply sends m with what the catalogue says that a reply to this action repeats.
func (c *Call) Reply(ctx context.Context, m Message) error { return c.ReplyEcho(ctx, m, c.Spec.Echo) }

// ReplyEcho sends m, which repeats what e says. With [EchoRequest] the members of m come in addition to those of the request,
// or in place of them.
func (c *Call) ReplyEcho(ctx context.Context, m Message, e Echo) error {
	if e == EchoRequest {
		b, err := c.merge(m)
		if err != nil {
			return err
		}
		return c.Session.SendRaw(ctx, b)
	}
	if r, ok := m.(*Result); ok && r.Name == "" {
		named := *r
		named.Name = c.Action
		m = &named
	}
	var echo Correlation
	if e&EchoResponseID != 0 {
		echo.ResponseID = c.ResponseID
	}
	if e&EchoTag != 0 {
		echo.Tag = c.Tag
	}
	b, err := AppendMessage(nil, m, echo)
	if err != nil {
		return err
	}
	return c.Session.SendRaw(ctx, b)
}

// merge puts the members of m over those of the request.
func (c *Call) merge(m Message) ([]byte, error) {
	own, err := jsonrec.Append(nil, m)
	if err != nil {
		return nil, fmt.Errorf("controlproto: %.32q: %w", m.Action(), err)
	}
	members := make(map[string]json.RawMessage)
	keep := func(name string, value json.RawMessage) error {
		members[name] = value
		return nil
	}
	if err := errors.Join(jsonrec.Members(c.Raw, keep), jsonrec.Members(own, keep)); err != nil {
		return nil, fmt.Errorf("controlproto: %.32q: %w", m.Action(), err)
	}
	delete(members, "action")
	b := append(make([]byte, 0, len(c.Raw)+len(own)+32), `{"action":`...)
	b = jsonrec.AppendString(b, c.Action)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		b = append(b, ',')
		b = jsonrec.AppendString(b, name)
		b = append(append(b, ':'), members[name]...)
	}
	return append(b, '}'), nil
}

// Result sends {"action","responseid","result"}. Without a "responseid" it sends nothing, unless the action is always answered;
// nor does it if the action is not answered with results, or not with this one.
func (c *Call) Result(ctx context.Context, text string) error {
	r := &Result{Name: c.Action, Result: text}
	switch c.Spec.Replies {
	case RepliesNever:
		return nil
	case RepliesOnError:
		if r.OK() {
			return nil
		}
	case RepliesAlways:
		return c.ReplyEcho(ctx, r, EchoResponseID)
	case RepliesIfAsked:
	}
	return c.ResultAs(ctx, c.Action, text)
}

// ResultAs sends a result under another action, for errors that come so, if the request has a "responseid".
func (c *Call) ResultAs(ctx context.Context, action, text string) error {
	if !c.Asked() {
		return nil
	}
	return c.ReplyEcho(ctx, &Result{Name: action, Result: text}, EchoResponseID)
}

// String names the action and the session.
func (c Call) String() string { return fmt.Sprintf("%.32q in %v", c.Action, c.Session) }

// Format makes every verb print String.
func (c Call) Format(f fmt.State, verb rune) { secret.Format(f, verb, c.String(), c.String()) }

// LogValue is what log/slog prints.
func (c Call) LogValue() slog.Value {
	return slog.GroupValue(slog.String("action", c.Action), slog.Any("session", c.Session))
}

// MarshalText is what encoding/json prints.
func (c Call) MarshalText() ([]byte, error) { return []byte(c.String()), nil }
