package controlserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
)

// Recording is a tunnel that is recorded, as far as the log tells of it.
type Recording struct {
	User     *controlproto.User
	Device   *controlproto.Device
	Group    string // name of the device's group
	Protocol int
	Start    time.Time
	Length   time.Duration
	Filename string
	Size     int64
}

// WantsRecording tells whether a tunnel of an account to a device shall be recorded: the flags of the account, of a user
// group that it is in, or of the device's group say so (meshrelay.js, performRelay). Nil is no.
func (s *Server) WantsRecording(ctx context.Context, user, device controlproto.ID) (*Recording, error) {
	a := s.account(user)
	if a == nil {
		return nil, controlproto.ErrNoUser
	}
	d, err := s.Device(ctx, device)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &Recording{User: a.Public(), Device: d}
	wanted := a.Flags&controlproto.UserRecordSessions != 0
	if g := s.group(d.Group); g != nil {
		r.Group = g.Name
		wanted = wanted || g.Flags&controlproto.GroupRecordSessions != 0
	}
	for id := range a.Links {
		if g := s.userGroup(id); g != nil && g.Flags&controlproto.UserRecordSessions != 0 {
			wanted = true
		}
	}
	if !wanted {
		return nil, nil
	}
	return r, nil
}

// LogRecording logs a recording that is finished, so that action "recordings" lists it.
func (t *Tx) LogRecording(r *Recording) error {
	e := &controlproto.Event{
		Type: "relay", UserID: r.User.ID, Username: r.User.Name, DeviceID: r.Device.ID, GroupID: r.Device.Group,
		Domain: r.Device.Domain, MsgID: 146, MsgArgs: args(fmt.Sprint(int(r.Length.Seconds()))),
		Msg: fmt.Sprintf("Finished recording session, %d second(s)", int(r.Length.Seconds())),
	}
	err := e.SetDetail(&controlproto.RecordingEvent{
		GroupName: r.Group, Name: r.Device.Name, Icon: r.Device.Icon, Filename: r.Filename, Size: r.Size,
		UserIDs: []controlproto.ID{r.User.ID}, Protocol: r.Protocol, Start: r.Start, Length: r.Length,
	})
	if err != nil {
		return err
	}
	return t.Event(e, toAdmins, toRecordings, string(r.User.ID), string(r.Device.Group), string(r.Device.ID))
}
