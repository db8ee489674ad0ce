package controlserver

import (
	"context"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
)

// Targets of events beside ids.
const (
	toAdmins   = "*"               // full administrators and who may see all events
	toManagers = "server-users"    // who manages accounts
	toAll      = "server-allusers" // everyone
)

// notice makes what the bus carries of an event, and what the log keeps of it, unless it is not kept.
func notice(now time.Time, e *controlproto.Event, targets []string) (Notice, *LoggedEvent, error) {
	var logged *LoggedEvent
	if e.NoLog == 0 {
		e.Time = now.UTC().Truncate(time.Millisecond)
		doc, err := encode(e)
		if err != nil {
			return Notice{}, nil, err
		}
		logged = &LoggedEvent{
			Time: e.Time, Domain: e.Domain, Action: e.Action, User: string(e.UserID), Device: string(e.DeviceID),
			Targets: targets, Doc: doc,
		}
	}
	message, err := controlproto.AppendMessage(nil, &controlproto.EventPush{Event: *e}, controlproto.Correlation{})
	return Notice{Domain: e.Domain, Targets: targets, Message: message, Event: e}, logged, err
}

// Dispatch sends an event, and logs it unless it is not to be kept, without changing a record.
func (s *Server) Dispatch(ctx context.Context, e *controlproto.Event, targets ...string) error {
	if e.NoLog == 0 {
		return s.Update(ctx, func(tx *Tx) error { return tx.Event(e, targets...) })
	}
	n, _, err := notice(s.cfg.Now(), e, targets)
	if err == nil {
		n.from = s
		s.cfg.Bus.Publish(n)
	}
	return err
}
