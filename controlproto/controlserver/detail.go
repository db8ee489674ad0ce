package controlserver

import (
	"encoding/json"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// setDetail adds a member to an event.
func setDetail(e *controlproto.Event, name string, v any) error {
	raw, err := jsonrec.Append(nil, v)
	if err != nil {
		return err
	}
	if _, ok := v.(*controlproto.Device); ok {
		raw = secretsAsNumbers(raw)
	}
	if e.Extra == nil {
		e.Extra = map[string]json.RawMessage{}
	}
	e.Extra[name] = raw
	return nil
}

// args makes the arguments of an event's text.
func args(texts ...string) []json.RawMessage {
	list := make([]json.RawMessage, len(texts))
	for i, t := range texts {
		list[i] = jsonrec.AppendString(nil, t)
	}
	return list
}

// detail is a member of an event beside the common ones.
type detail struct {
	name  string
	value any
}

// event makes an event that an account caused (nil: nobody), with members of its own.
func event(by *controlproto.User, e controlproto.Event, details ...detail) (*controlproto.Event, error) {
	if by != nil {
		e.UserID, e.Username = by.ID, by.Name
	}
	for _, d := range details {
		if err := setDetail(&e, d.name, d.value); err != nil {
			return nil, err
		}
	}
	return &e, nil
}

// tell adds an event to a change.
func (t *Tx) tell(targets []string, by *controlproto.User, e controlproto.Event, details ...detail) error {
	made, err := event(by, e, details...)
	if err != nil {
		return err
	}
	return t.Event(made, targets...)
}

// deviceTargets are who hears of a device: everyone linked to it or to its group.
func deviceTargets(d *controlproto.Device) []string {
	return []string{toAdmins, string(d.Group), string(d.ID)}
}
