package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/relay"
)

// errRightsGone ends a tunnel whose account may not have it any more.
var errRightsGone = fmt.Errorf("%w: the rights to the tunnel are gone", relay.ErrUnauthorized)

// suspects are tunnels that may have to end, until one goroutine at a time has looked at them.
type suspects struct {
	mu      sync.Mutex
	all     bool
	devices map[string]bool
	running bool
	closed  bool // nothing is looked at any more
	done    sync.WaitGroup
}

// RightsChanged implements [controlserver.Tunnels].
func (t *tunnels) RightsChanged(changed []controlserver.RecordKey) {
	for _, key := range changed {
		if key.Kind == controlserver.KindDevice {
			t.suspect(key.ID)
		} else {
			t.suspect("")
		}
	}
}

// suspect has the tunnels to a device checked, or with "" all. It does not wait.
func (t *tunnels) suspect(device string) {
	s := &t.suspects
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case device == "":
		s.all = true
	case s.devices == nil:
		s.devices = map[string]bool{device: true}
	default:
		s.devices[device] = true
	}
	if !s.running && !s.closed && t.relay != nil {
		s.running = true
		s.done.Go(t.checkSuspects)
	}
}

func (t *tunnels) checkSuspects() {
	s := &t.suspects
	for {
		s.mu.Lock()
		all, devices := s.all, s.devices
		s.all, s.devices = false, nil
		if s.running = all || devices != nil; !s.running {
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		var open []relay.Pair
		t.relay.End(nil, func(p *relay.Pair) bool { // only to see them, also those that wait
			if all || devices[p.Node] {
				open = append(open, *p)
			}
			return false
		})
		over := map[relay.Key]bool{}
		for _, p := range open {
			if err := t.holds(&p); err != nil {
				t.site.log.Info("tunnel ends", "user", p.User, "node", p.Node, "reason", err)
				over[p.First] = true
			}
		}
		if len(over) > 0 {
			t.relay.End(errRightsGone, func(p *relay.Pair) bool { return over[p.First] })
		}
	}
}

// holds says whether a tunnel, or an end that waits for one, may go on. What cannot be found out ends it.
func (t *tunnels) holds(p *relay.Pair) error {
	ctx := context.Background()
	for _, e := range []*relay.End{&p.FirstEnd, &p.SecondEnd} {
		if e.Role == 0 || e.User == "" {
			continue
		}
		user := controlproto.ID(e.User)
		u, err := t.records.User(ctx, user)
		if err != nil {
			return err
		}
		if u.SiteRights.Restricted(controlproto.SiteLocked) {
			return errRightsGone
		}
		if p.Node == "" || p.ID.Messenger() {
			continue
		}
		if sh := e.Value.(remote).guest; sh != nil {
			if _, _, err := t.records.Guest(ctx, sh.PublicID); err != nil {
				return err
			}
		}
		now, visible, err := t.records.DeviceRights(ctx, user, controlproto.ID(p.Node))
		if err != nil {
			return err
		}
		opened := now
		if r := e.Value.(remote); r.rights != 0 {
			opened = r.rights
		}
		if !visible || !controlserver.TunnelHolds(int(p.Protocol), opened, now) {
			return errRightsGone
		}
	}
	return nil
}

// close ends all tunnels.
func (t *tunnels) close(ctx context.Context) error {
	err := t.relay.Shutdown(ctx)
	t.suspects.close()
	return err
}

// close waits for what is being looked at.
func (s *suspects) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.done.Wait()
}
