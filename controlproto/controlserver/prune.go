package controlserver

import (
	"context"
	"errors"

	"github.com/meshcentral-go/sdk/controlproto"
)

// Prune drops what has had its time: events older than Config.EventsFor, guest links and login tokens that have ended. Call it
// from time to time, about once an hour; what has ended counts no more in any case.
func (s *Server) Prune(ctx context.Context) error {
	return s.Update(ctx, func(tx *Tx) error {
		if s.cfg.EventsFor > 0 {
			for domain := range s.domains {
				if err := tx.store.RemoveEvents(EventQuery{Domain: domain, Until: s.cfg.Now().Add(-s.cfg.EventsFor)}); err != nil {
					return err
				}
			}
		}
		return errors.Join(tx.dropExpiredShares(), tx.dropExpiredTokens())
	})
}

func (t *Tx) dropExpiredTokens() error {
	records, err := t.store.List(KindLoginToken, Query{})
	if err != nil {
		return err
	}
	for _, r := range records {
		token, err := decode[LoginToken](r)
		if err != nil {
			return err
		}
		if !token.Expired(t.s.cfg.Now()) {
			continue
		}
		if err := t.Remove(KindLoginToken, controlproto.ID(r.ID)); err != nil {
			return err
		}
	}
	return nil
}
