package controlserver

import (
	"context"
	"encoding/json"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
)

// Guest returns what a guest link permits now, and until when, zero being for ever: within its time, and as long as who made it may
// still share the device. Otherwise the error is ErrNotFound. Links that an agent has made itself have nobody who answers for
// them, and are not found. (webserver.js, handleSharingRequest)
func (s *Server) Guest(ctx context.Context, publicID string) (sh *controlproto.Share, until time.Time, err error) {
	if sh, err = s.Share(ctx, publicID); err != nil {
		return nil, until, err
	}
	rights, visible, err := s.DeviceRights(ctx, sh.UserID, sh.DeviceID)
	if err != nil {
		return nil, until, err
	}
	until, now := shareWindow(sh, s.cfg.Now())
	if !now || !visible || !mayShare(rights) || sh.UserID.Domain() != sh.DeviceID.Domain() || s.domains[sh.DeviceID.Domain()].NoGuestSharing {
		return nil, until, ErrNotFound
	}
	return sh, until, nil
}

// shareWindow tells whether a share counts at a time, and until when it does then.
func shareWindow(sh *controlproto.Share, now time.Time) (until time.Time, in bool) {
	var period time.Duration
	switch sh.Recurring {
	case controlproto.RecurringDaily:
		period = 24 * time.Hour
	case controlproto.RecurringWeekly:
		period = 7 * 24 * time.Hour
	case controlproto.RecurringNever:
		return sh.Expires, !now.Before(sh.Start) && (sh.Expires.IsZero() || now.Before(sh.Expires))
	default:
		return until, false
	}
	if now.Before(sh.Start) {
		return until, false
	}
	begun := now.Add(-(now.Sub(sh.Start) % period))
	until = begun.Add(sh.Duration)
	return until, now.Before(until)
}

// guestUses are the protocols that a guest may use. (meshrelay.js, CreateMeshRelayEx)
func guestUses(sh *controlproto.Share, rights controlproto.Rights) (uses []int) {
	if sh.Kind&controlproto.ShareTerminal != 0 && !rights.Denies(controlproto.NoTerminal) {
		uses = append(uses, 1, 6, 8, 9)
	}
	if sh.Kind&controlproto.ShareDesktop != 0 && !rights.Denies(controlproto.NoDesktop) {
		uses = append(uses, 2)
	}
	if sh.Kind&controlproto.ShareFiles != 0 && !rights.Denies(controlproto.NoFiles) {
		uses = append(uses, 5, 10)
	}
	return uses
}

// asGuest narrows a tunnel request to what a guest may: no port, nothing but the uses of the link, and of the rights of who
// made it remote control alone, with what restricts it. It reports whether the protocol is among the uses.
func (m *tunnelMsg) asGuest(sh *controlproto.Share, protocol int, rights controlproto.Rights) (bool, error) {
	const restricting = controlproto.NoTerminal | controlproto.NoFiles | controlproto.NoDesktop | controlproto.LimitedInput
	uses := guestUses(sh, rights)
	options, err := json.Marshal(map[string][]int{"usages": uses})
	if err != nil {
		return false, err
	}
	m.ServerOptions = options
	m.Rights = controlproto.RemoteControl
	if !rights.Full() {
		m.Rights |= rights & restricting
	}
	m.Consent |= sh.Consent
	m.DesktopViewOnly = sh.ViewOnly || rights.Denies(controlproto.RemoteViewOnly)
	m.GuestUserID, m.GuestName, m.UserID = m.UserID, sh.GuestName, ""
	for _, u := range uses {
		if u == protocol {
			return true, nil
		}
	}
	return false, nil
}
