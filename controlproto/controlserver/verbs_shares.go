package controlserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// shareVerbs are links for guests, and to web servers on devices.
func (s *Server) shareVerbs(m *controlproto.Mux) {
	controlproto.On(m, ifAsked(s.deviceShares))
	controlproto.On(m, ifAsked(s.deviceMeshShares))
	controlproto.On(m, ifAsked(s.createDeviceShareLink))
	controlproto.On(m, ifAsked(s.removeDeviceShare))
	controlproto.On(m, ifAsked(s.webRelay))
}

// ifAsked keeps refusals to requests with a "responseid". Other answers of these actions come in any case.
func ifAsked[T any](f func(context.Context, *controlproto.Call, T) error) func(context.Context, *controlproto.Call, T) error {
	return func(ctx context.Context, c *controlproto.Call, req T) error {
		err := f(ctx, c, req)
		var told *controlproto.ActionError
		if errors.As(err, &told) && !c.Asked() {
			return nil
		}
		return err
	}
}

// Texts of refusals.
const (
	invalidNode   = "Invalid node id"
	invalidDomain = "Invalid domain"
	accessDenied  = "Access denied"
)

// checkNode completes the id of a device in a request, or tells what is wrong with it.
func checkNode(c *controlproto.Session, asked controlproto.ID) (id controlproto.ID, wrong string) {
	if badLength(string(asked), 8, 128) {
		return "", invalidNode
	}
	id = asked.In(controlproto.KindDevice, c.Domain())
	switch {
	case !id.Valid() || id.Domain() != c.Domain():
		return "", invalidDomain
	case id.Kind() != controlproto.KindDevice:
		return "", invalidNode
	}
	return id, ""
}

// sharedDevice finds a device that the account may share. Refusals come under the action deviceShares.
func (s *Server) sharedDevice(ctx context.Context, c *controlproto.Call, id controlproto.ID) (*controlproto.Device, controlproto.Rights, error) {
	const as = "deviceShares"
	d, rights, err := s.deviceFor(ctx, c.Session, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, 0, refusedAs(as, invalidNode)
	case err != nil:
		return nil, 0, err
	case !mayShare(rights):
		return nil, 0, refusedAs(as, accessDenied)
	}
	return d, rights, nil
}

// deviceShares lists the guest links of a device.
func (s *Server) deviceShares(ctx context.Context, c *controlproto.Call, req *controlproto.DeviceShares) error {
	if s.domains[c.Session.Domain()].NoGuestSharing {
		return nil
	}
	id, wrong := checkNode(c.Session, req.DeviceID)
	if wrong != "" {
		return refused(wrong)
	}
	d, _, err := s.sharedDevice(ctx, c, id)
	if err != nil {
		return err
	}
	var list []*controlproto.Share
	err = s.cfg.Store.View(ctx, func(tx StoreTx) (err error) {
		list, err = sharesOf(tx, d.ID)
		return err
	})
	if err != nil {
		return err
	}
	ended := false
	reply := &controlproto.DeviceSharesReply{DeviceID: d.ID, Shares: []controlproto.Share{}}
	for _, sh := range list {
		if over(sh, s.cfg.Now()) {
			ended = true
			continue
		}
		one := shown(sh, c.Session.UserID())
		one.DeviceID = ""
		reply.Shares = append(reply.Shares, one)
	}
	if err := c.Reply(ctx, reply); err != nil || !ended {
		return err
	}
	return s.Update(ctx, func(tx *Tx) error {
		_, _, err := tx.dropShares(d, c.Session.User(), false, func(*controlproto.Share) bool { return false })
		return err
	})
}

// deviceMeshShares lists the guest links of all devices of a group.
func (s *Server) deviceMeshShares(ctx context.Context, c *controlproto.Call, req *controlproto.DeviceMeshShares) error {
	const as = "deviceShares"
	if s.domains[c.Session.Domain()].NoGuestSharing {
		return nil
	}
	if badLength(string(req.GroupID), 8, 134) {
		return refusedAs(as, "Invalid device group id")
	}
	id := req.GroupID.In(controlproto.KindDeviceGroup, c.Session.Domain())
	if !id.Valid() || id.Domain() != c.Session.Domain() {
		return refusedAs(as, invalidDomain)
	}
	if s.group(id) == nil {
		return refusedAs(as, "Invalid device group id")
	}
	if rights, _ := s.rights(c.Session.UserID(), id, ""); !mayShare(rights) {
		return refusedAs(as, accessDenied)
	}
	reply := &controlproto.DeviceMeshSharesReply{GroupID: id, Shares: []controlproto.Share{}}
	err := s.cfg.Store.View(ctx, func(tx StoreTx) error {
		list, err := sharesOf(tx, "")
		if err != nil {
			return err
		}
		for _, sh := range list {
			r, err := tx.Get(KindDevice, string(sh.DeviceID))
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if r.Owner == string(id) && !over(sh, s.cfg.Now()) {
				reply.Shares = append(reply.Shares, shown(sh, c.Session.UserID()))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.Reply(ctx, reply)
}

// maxShareTime is the latest time that a share may name, so that no sum overflows.
const maxShareTime = 1 << 36 // seconds since 1970

// checkShare tells what is wrong with the request for a share, in the order and the words of the stock server.
func checkShare(c *controlproto.Session, req *controlproto.CreateDeviceShareLink, raw []byte) (id controlproto.ID, wrong string) {
	m, err := jsonrec.Peek(raw, "expire", "start", "end", "consent", "p", "recurring", "port")
	if err != nil {
		return "", "Validation exception"
	}
	expire, start, end, consent, kind, recurring, port := m[0], m[1], m[2], m[3], m[4], m[5], m[6]
	inTime := func(v json.RawMessage) bool { return v == nil || numberIn(v, 0, maxShareTime) }
	id, wrong = checkNode(c, req.DeviceID)
	switch {
	case badLength(req.GuestName, 1, 128):
		wrong = "Invalid guest name"
	case !inTime(expire):
		wrong = "Invalid expire time"
	case !inTime(start):
		wrong = "Invalid start time"
	case !inTime(end):
		wrong = "Invalid end time"
	case !numberIn(consent, 0, 256):
		wrong = "Invalid flags"
	case !numberIn(kind, 1, 31):
		wrong = "Invalid protocol"
	case recurring != nil && !numberIn(recurring, 1, 2):
		wrong = "Invalid recurring value"
	case port != nil && !numberIn(port, 1, math.MaxUint16):
		wrong = "Invalid port value"
	case recurring != nil && (end != nil || start == nil || expire == nil):
		wrong = "Invalid recurring command"
	case expire == nil && (start == nil || end == nil || req.Start.After(req.End)):
		wrong = "No time specified"
	}
	return id, wrong
}

// createDeviceShareLink makes a link for a guest.
func (s *Server) createDeviceShareLink(ctx context.Context, c *controlproto.Call, req *controlproto.CreateDeviceShareLink) error {
	if s.domains[c.Session.Domain()].NoGuestSharing {
		return nil
	}
	id, wrong := checkShare(c.Session, req, c.Raw)
	if wrong != "" {
		return refused(wrong)
	}
	d, rights, err := s.sharedDevice(ctx, c, id)
	if err != nil {
		return err
	}
	for kind, no := range map[controlproto.ShareKind]controlproto.Rights{
		controlproto.ShareTerminal: controlproto.NoTerminal, controlproto.ShareDesktop: controlproto.NoDesktop, controlproto.ShareFiles: controlproto.NoFiles,
	} {
		if req.Kind&kind != 0 && rights.Denies(no) {
			return refusedAs("deviceShares", accessDenied)
		}
	}
	sh := &controlproto.Share{
		UserID: c.Session.UserID(), GuestName: req.GuestName, Kind: req.Kind, Consent: req.Consent, Port: req.Port,
		ViewOnly: req.ViewOnly || rights.Denies(controlproto.RemoteViewOnly),
	}
	s.setShareTime(sh, req)
	if sh.PublicID, err = s.newPublicID(); err != nil {
		return err
	}
	cookie, err := s.inviteCodec().Encode(controlproto.Cookie{
		Action: controlproto.CookieShare, PublicID: sh.PublicID, ShareExpires: sh.Expires,
	})
	if err != nil {
		return err
	}
	sh.URL = controlproto.NewSecretURL(s.cfg.BaseURL(c.Session.Domain(), c.Session.Login().Host) + "sharing?c=" + cookie.Reveal())
	err = s.Update(ctx, func(tx *Tx) error {
		if err := tx.PutDocument(KindShare, sh.PublicID, string(d.ID), 0, &shareRecord{*sh, s.cfg.Now()}); err != nil {
			return err
		}
		if err := tx.tell(shareTargets(d, c.Session.User()), c.Session.User(), shareAdded(d, sh)); err != nil {
			return err
		}
		_, _, err := tx.dropShares(d, c.Session.User(), true, func(*controlproto.Share) bool { return false })
		return err
	})
	if err != nil {
		return err
	}
	return s.replyShare(ctx, c, d, sh)
}

// setShareTime works out when a share counts.
func (s *Server) setShareTime(sh *controlproto.Share, req *controlproto.CreateDeviceShareLink) {
	switch {
	case req.Recurring != controlproto.RecurringNever:
		sh.Start, sh.Duration, sh.Recurring = req.Start, *req.Expire, req.Recurring
	case req.Expire == nil:
		sh.Start, sh.Expires = req.Start, req.End
	case *req.Expire > 0:
		sh.Start = s.cfg.Now().Truncate(time.Millisecond)
		sh.Expires = sh.Start.Add(*req.Expire)
	}
}

// shareAdded is the event of a new share.
func shareAdded(d *controlproto.Device, sh *controlproto.Share) controlproto.Event {
	e := controlproto.Event{Type: "node", Action: "addedDeviceShare", GroupID: d.Group, DeviceID: d.ID, Domain: d.Domain, MsgArgs: args(sh.GuestName)}
	switch {
	case sh.Recurring == controlproto.RecurringDaily:
		e.MsgID, e.Msg = 138, "Added device share "+sh.GuestName+" recurring daily."
	case sh.Recurring == controlproto.RecurringWeekly:
		e.MsgID, e.Msg = 139, "Added device share "+sh.GuestName+" recurring weekly."
	case !sh.Expires.IsZero():
		e.MsgID, e.Msg = 101, "Added device share: "+sh.GuestName+"."
		e.MsgArgs = args(sh.GuestName, fmt.Sprint("DATETIME:", sh.Start.UnixMilli()), fmt.Sprint("DATETIME:", sh.Expires.UnixMilli()))
	default:
		e.MsgID, e.Msg = 131, "Added device share "+sh.GuestName+" with unlimited time."
	}
	return e
}

// replyShare answers with the request and the link.
func (s *Server) replyShare(ctx context.Context, c *controlproto.Call, d *controlproto.Device, sh *controlproto.Share) error {
	more := []detail{{"nodeid", d.ID}}
	var without []string
	switch {
	case sh.Recurring != 0:
		more = append(more, detail{"start", sh.Start.UnixMilli()})
	case sh.Expires.IsZero():
		without = []string{"expire"}
	default:
		more = append(more, detail{"start", sh.Start.UnixMilli()}, detail{"expire", sh.Expires.UnixMilli()})
	}
	if sh.ViewOnly {
		more = append(more, detail{"viewOnly", true})
	}
	more = append(more, detail{"url", sh.URL}, detail{"publicid", sh.PublicID})
	if c.Asked() {
		more = append(more, detail{"result", "OK"})
	}
	b, err := echoed(c, without, more...)
	if err != nil {
		return err
	}
	return c.Session.SendRaw(ctx, b)
}

// removeDeviceShare takes a guest link back. There are two answers.
func (s *Server) removeDeviceShare(ctx context.Context, c *controlproto.Call, req *controlproto.RemoveDeviceShare) error {
	if s.domains[c.Session.Domain()].NoGuestSharing {
		return nil
	}
	id, wrong := checkNode(c.Session, req.DeviceID)
	if badLength(req.PublicID, 1, 128) {
		wrong = "Invalid public id"
	}
	if wrong != "" {
		return refused(wrong)
	}
	d, _, err := s.sharedDevice(ctx, c, id)
	if err != nil {
		return err
	}
	var removed *controlproto.Share
	var dropped bool
	err = s.Update(ctx, func(tx *Tx) (err error) {
		removed, dropped, err = tx.dropShares(d, c.Session.User(), false, func(sh *controlproto.Share) bool { return sh.PublicID == req.PublicID })
		if err != nil || removed == nil {
			return err
		}
		e := controlproto.Event{
			Type: "node", Action: "removedDeviceShare", DeviceID: d.ID, Domain: d.Domain, MsgID: 102, MsgArgs: args(removed.GuestName), Msg: "Removed Device Share",
		}
		return tx.tell(append(shareTargets(d, c.Session.User()), "server-shareremove"), c.Session.User(), e, detail{"publicid", req.PublicID})
	})
	if err != nil {
		return err
	}
	if c.Asked() {
		first := &controlproto.RemovedDeviceShare{DeviceID: d.ID, PublicID: req.PublicID}
		if removed != nil {
			one := shown(removed, c.Session.UserID())
			first.Removed = &one
		}
		if err := c.ReplyEcho(ctx, first, controlproto.EchoResponseID); err != nil {
			return err
		}
	}
	if !dropped {
		return refused("Invalid device share identifier.")
	}
	return c.Result(ctx, "OK")
}

// webRelay makes a link to a web server on a device. Who opens it needs rights on the device then.
func (s *Server) webRelay(ctx context.Context, c *controlproto.Call, req *controlproto.WebRelay) error {
	id, wrong := checkNode(c.Session, req.DeviceID)
	m, err := jsonrec.Peek(c.Raw, "port")
	if err != nil {
		return err
	}
	if wrong == "" && m[0] != nil && !numberIn(m[0], 1, math.MaxUint16) {
		wrong = "Invalid port value"
	}
	if wrong != "" {
		return refused(wrong)
	}
	d, _, err := s.deviceFor(ctx, c.Session, id)
	if errors.Is(err, ErrNotFound) {
		return refused(invalidNode)
	}
	if err != nil {
		return err
	}
	port := int(req.Port)
	if port == 0 {
		if port = 80; req.AppID == controlproto.AppHTTPS {
			port = 443
		}
	}
	codec := &controlproto.CookieCodec{Key: *s.cfg.LoginKey, Now: s.cfg.Now, Rand: s.cfg.Rand}
	cookie, err := codec.Encode(controlproto.RelayCookie(c.Session.UserID()))
	if err != nil {
		return err
	}
	address := s.cfg.BaseURL(c.Session.Domain(), c.Session.Login().Host) + "control-redirect.ashx?n=" + string(d.ID) +
		"&p=" + strconv.Itoa(port) + "&appid=" + strconv.Itoa(int(req.AppID)) + "&c=" + cookie.Reveal()
	if g := s.group(d.Group); d.MeshType == controlproto.GroupLocal && g != nil && g.RelayID != "" {
		address += "&addr=" + url.QueryEscape(d.Host) + "&relayid=" + string(g.RelayID)
	}
	more := []detail{{"nodeid", d.ID}, {"url", controlproto.NewSecretURL(address)}}
	if c.Asked() {
		more = append(more, detail{"result", "OK"})
	}
	b, err := echoed(c, nil, more...)
	if err != nil {
		return err
	}
	return c.Session.SendRaw(ctx, b)
}
