package controlserver

import (
	"context"
	"errors"

	"github.com/meshcentral-go/sdk/controlproto"
)

// noteVerbs are the notes on devices, groups and accounts.
func (s *Server) noteVerbs(m *controlproto.Mux) {
	controlproto.On(m, s.getNotes)
	controlproto.On(m, s.setNotes)
}

// kindPersonal is the kind in the id of an account's notes for itself.
const kindPersonal = "puser"

// notesFor finds the record of the notes that a request is about, if the account may read (or write) them.
func (s *Server) notesFor(ctx context.Context, c *controlproto.Session, id controlproto.ID, write bool) (record string, ok bool, err error) {
	if badLength(string(id), 1, 1024) || !id.Valid() || id.Domain() != c.Domain() {
		return "", false, nil
	}
	switch id.Kind() {
	case controlproto.KindDevice:
		_, rights, err := s.deviceFor(ctx, c, id)
		if errors.Is(err, ErrNotFound) {
			return "", false, nil
		}
		return string(id), err == nil && (!write || rights.Has(controlproto.SetNotes)), err
	case controlproto.KindDeviceGroup:
		g, rights := s.groupFor(c, id)
		return string(id), g != nil && rights.Has(controlproto.EditGroup), nil
	case controlproto.KindUser:
		me, other := s.account(c.UserID()), s.account(id)
		return string(id), me != nil && me.SiteRights.Has(controlproto.SiteManageUsers) && other != nil && seenBy(me, other), nil
	case kindPersonal:
		return "p" + string(c.UserID()), true, nil // his own, whatever name stands there
	}
	return "", false, nil
}

// getNotes tells the notes on something.
func (s *Server) getNotes(ctx context.Context, c *controlproto.Call, req *controlproto.GetNotes) error {
	record, ok, err := s.notesFor(ctx, c.Session, req.ID, false)
	if err != nil || !ok {
		return err
	}
	var n Notes
	if _, err := s.document(ctx, KindNotes, record, &n); err != nil {
		return err
	}
	return c.Reply(ctx, &controlproto.GetNotesReply{ID: req.ID, Notes: n.Text})
}

// setNotes keeps notes, or drops them if they are empty.
func (s *Server) setNotes(ctx context.Context, c *controlproto.Call, req *controlproto.SetNotesRequest) error {
	record, ok, err := s.notesFor(ctx, c.Session, req.ID, true)
	if err != nil || !ok {
		return err
	}
	return s.Update(ctx, func(tx *Tx) error {
		if req.Notes == "" {
			return tx.Remove(KindNotes, controlproto.ID(record))
		}
		rev, err := tx.Document(KindNotes, record, new(Notes))
		if err != nil {
			return err
		}
		return tx.PutDocument(KindNotes, record, "", rev, &Notes{Text: req.Notes})
	})
}
