package controlserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// TunnelLog is a tunnel whose ends have met, for the log of events.
type TunnelLog struct {
	ID            string // which the tunnel's ends have named
	User, Device  controlproto.ID
	Protocol      int           // 0 is unknown: a port
	First, Second netip.Addr    // where the ends came from, in the order in which they came
	Ended         bool          // what follows is known at the end only
	Bytes         int64         // that both ends sent
	Duration      time.Duration // counts as whole seconds
	Guest         string        // the name of the guest, if it is a guest's
}

// tunnelNumbers are the numbers of the texts about tunnels, at their start and end.
var tunnelNumbers = []struct {
	protocols  []int // none is the rest
	what       string
	start, end int
}{
	{[]int{1, 6, 8, 9}, "terminal", 14, 10},
	{[]int{2}, "desktop", 15, 11},
	{[]int{5}, "file management", 16, 12},
	{[]int{200}, "messenger", 162, 112},
	{nil, "relay", 13, 9},
}

// LogTunnel logs that a tunnel was opened, or ended. It is a part of a change. Tunnels of accounts that are gone are not
// logged. (meshrelay.js, performRelay and closeBothSides)
func (t *Tx) LogTunnel(l TunnelLog) error {
	u, err := t.s.User(context.Background(), l.User)
	if errors.Is(err, controlproto.ErrNoUser) {
		return nil
	}
	if err != nil {
		return err
	}
	kind := tunnelNumbers[len(tunnelNumbers)-1]
	for _, k := range tunnelNumbers {
		if slices.Contains(k.protocols, l.Protocol) {
			kind = k
			break
		}
	}
	e := controlproto.Event{
		Type: "relay", Action: "relaylog", Domain: u.ID.Domain(), DeviceID: l.Device, MsgID: kind.start,
		MsgArgs: args(l.ID, l.First.String(), l.Second.String()),
		Msg:     fmt.Sprintf("Started %s session \"%s\" from %v to %v", kind.what, l.ID, l.First, l.Second),
	}
	targets := []string{toAdmins, string(u.ID)}
	var details []detail
	if l.Guest != "" {
		details = append(details, detail{"guestname", l.Guest})
	}
	if l.Protocol != 0 {
		details = append(details, detail{"protocol", l.Protocol})
	}
	if l.Ended {
		seconds := int64(l.Duration / time.Second)
		e.MsgID, e.MsgArgs = kind.end, append(e.MsgArgs, strconv.AppendInt(nil, seconds, 10))
		e.Msg = fmt.Sprintf("Ended %s session \"%s\" from %v to %v, %d second(s)", kind.what, l.ID, l.First, l.Second, seconds)
		// What one end sends the other receives.
		details = append(details, detail{"bytesin", l.Bytes}, detail{"bytesout", l.Bytes})
		d, err := t.Device(l.Device)
		switch {
		case err == nil:
			targets = append(targets, string(d.ID), string(d.Group))
		case !errors.Is(err, ErrNotFound):
			return err
		}
	}
	return t.tell(targets, u, e, details...)
}

// maxSessionsDoc bounds what is told of the sessions on a device.
const maxSessionsDoc = 64 << 10

// TellSessions says who is connected to a device: an object with a member for each kind of session, or nothing for nobody. The
// embedder's [Presence] knows it already. (meshagent.js, updateSessions)
func (s *Server) TellSessions(ctx context.Context, id controlproto.ID, sessions json.RawMessage) error {
	if sessions != nil {
		if err := jsonrec.Check(sessions, jsonrec.Limits{Size: maxSessionsDoc, Depth: 8, Values: 1 << 14}); err != nil {
			return fmt.Errorf("controlserver: sessions of %.100q: %w", id, err)
		}
	}
	group, err := s.groupOf(ctx, id)
	if err != nil {
		return err
	}
	e := controlproto.Event{Type: "node", Action: "devicesessions", DeviceID: id, Domain: id.Domain(), NoLog: 1}
	if sessions != nil {
		e.Extra = map[string]json.RawMessage{"sessions": sessions}
	}
	return s.Dispatch(ctx, &e, toAdmins, string(group), string(id))
}
