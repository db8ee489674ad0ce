package controlserver

import (
	"context"
	"errors"
	"fmt"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

func readDocument(store StoreTx, kind Kind, id string, v any) (rev uint64, err error) {
	r, err := store.Get(kind, id)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if err := jsonrec.Unmarshal(r.Doc, v); err != nil {
		return 0, fmt.Errorf("controlserver: record %s %.100q: %w", kind, id, err)
	}
	return r.Rev, nil
}

// document reads a record of any kind, and tells whether there is one.
func (s *Server) document(ctx context.Context, kind Kind, id string, v any) (found bool, err error) {
	err = s.cfg.Store.View(ctx, func(tx StoreTx) error {
		rev, err := readDocument(tx, kind, id, v)
		found = rev != 0
		return err
	})
	return found, err
}
