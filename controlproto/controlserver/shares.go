package controlserver

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// mayShare tells whether rights allow to share a device with guests.
func mayShare(r controlproto.Rights) bool {
	return r.Full() || r.Has(controlproto.RemoteControl|controlproto.GuestSharing) && !r.Denies(controlproto.LimitedInput)
}

// over tells whether a share has ended.
func over(sh *controlproto.Share, now time.Time) bool {
	return !sh.Expires.IsZero() && sh.Expires.Before(now)
}

// shareRecord is the record of a share.
type shareRecord struct {
	controlproto.Share
	Made time.Time `json:"made,ms"`
}

func readShare(r Record) (*shareRecord, error) {
	sh, err := decode[shareRecord](r)
	if err == nil {
		sh.DeviceID = controlproto.ID(r.Owner)
	}
	return sh, err
}

// sharesOf reads the shares of a device, or all if device is empty, the oldest first.
func sharesOf(tx StoreTx, device controlproto.ID) ([]*controlproto.Share, error) {
	records, err := tx.List(KindShare, Query{Owner: string(device)})
	if err != nil {
		return nil, err
	}
	made := make([]*shareRecord, 0, len(records))
	for _, r := range records {
		sh, err := readShare(r)
		if err != nil {
			return nil, err
		}
		made = append(made, sh)
	}
	slices.SortStableFunc(made, func(a, b *shareRecord) int { return a.Made.Compare(b.Made) })
	list := make([]*controlproto.Share, len(made))
	for i, sh := range made {
		list[i] = &sh.Share
	}
	return list, nil
}

// Share returns a guest link, for who opens it, or ErrNotFound. One that has ended is not there.
func (s *Server) Share(ctx context.Context, publicID string) (*controlproto.Share, error) {
	var sh *controlproto.Share
	err := s.cfg.Store.View(ctx, func(tx StoreTx) error {
		r, err := tx.Get(KindShare, publicID)
		if err != nil {
			return err
		}
		made, err := readShare(r)
		if err == nil {
			sh = &made.Share
		}
		return err
	})
	if err == nil && over(sh, s.cfg.Now()) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return sh, nil
}

// shown is a share as an account may see it: the link is for who made it.
func shown(sh *controlproto.Share, user controlproto.ID) controlproto.Share {
	out := *sh
	if out.UserID != user {
		out.URL = controlproto.SecretURL{}
	}
	return out
}

// dropShares removes shares of a device that f picks and those that have ended, and tells of the rest if there were any; again says to
// tell in any case.
func (t *Tx) dropShares(d *controlproto.Device, by *controlproto.User, again bool, f func(*controlproto.Share) bool) (picked *controlproto.Share, dropped bool, err error) {
	list, err := sharesOf(t.store, d.ID)
	if err != nil {
		return nil, false, err
	}
	now := t.s.cfg.Now()
	left := []controlproto.Share{}
	for _, sh := range list {
		pick := f(sh)
		if !pick && !over(sh, now) {
			sh.DeviceID = ""
			left = append(left, *sh)
			continue
		}
		if pick {
			picked = sh
		}
		dropped = true
		if err := t.Remove(KindShare, controlproto.ID(sh.PublicID)); err != nil {
			return nil, false, err
		}
	}
	if !dropped && !again {
		return nil, false, nil
	}
	return picked, dropped, t.tell(shareTargets(d, by), nil, controlproto.Event{
		Type: "node", Action: "deviceShareUpdate", DeviceID: d.ID, Domain: d.Domain, NoLog: 1,
	}, detail{"deviceShares", left})
}

// shareTargets are who hears of the shares of a device.
func shareTargets(d *controlproto.Device, by *controlproto.User) []string {
	targets := append(deviceTargets(d), toManagers)
	if by != nil {
		targets = append(targets, string(by.ID))
	}
	return targets
}

// dropExpiredShares removes the shares that have ended, and tells of those that their devices still have.
func (t *Tx) dropExpiredShares() error {
	list, err := sharesOf(t.store, "")
	if err != nil {
		return err
	}
	now := t.s.cfg.Now()
	var devices []controlproto.ID
	for _, sh := range list {
		if over(sh, now) && !slices.Contains(devices, sh.DeviceID) {
			devices = append(devices, sh.DeviceID)
		}
	}
	for _, id := range devices {
		d, err := t.Device(id)
		if errors.Is(err, ErrNotFound) {
			d, err = &controlproto.Device{ID: id, Domain: id.Domain()}, nil // its shares go, too
		}
		if err != nil {
			return err
		}
		if _, _, err := t.dropShares(d, nil, false, func(*controlproto.Share) bool { return false }); err != nil {
			return err
		}
	}
	return nil
}

// newPublicID makes the public name of a share: 72 random bits.
func (s *Server) newPublicID() (string, error) {
	b := make([]byte, 9)
	if _, err := io.ReadFull(s.cfg.Rand, b); err != nil {
		return "", err
	}
	return strings.NewReplacer("+", "@", "/", "$").Replace(base64.StdEncoding.EncodeToString(b)), nil
}

// ownLinks takes the links of other accounts' shares out of an event's list of them.
func ownLinks(list json.RawMessage, user controlproto.ID) (json.RawMessage, error) {
	var v struct {
		Shares []controlproto.Share `json:"list"`
	}
	if err := jsonrec.Unmarshal(append(append([]byte(`{"list":`), list...), '}'), &v); err != nil {
		return nil, err
	}
	out := []controlproto.Share{}
	for i := range v.Shares {
		out = append(out, shown(&v.Shares[i], user))
	}
	return encode(out)
}
