package sqlstore_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
)

// BenchmarkLogin is what one login of a known device asks of the store.
func BenchmarkLogin(b *testing.B) {
	s, err := sqlstore.Open(b.Context(), filepath.Join(b.TempDir(), "store.sqlite"))
	require.NoError(b, err)
	defer s.Close()
	g := sqlstore.Group{Name: "g", Type: sqlstore.AgentGroup}
	d := newDevice(g, 1)
	require.NoError(b, s.Update(b.Context(), func(tx *sqlstore.Tx) error { return errors.Join(tx.PutGroup(g), tx.PutDevice(d)) }))
	b.Run("look up", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			require.NoError(b, s.View(b.Context(), func(tx *sqlstore.Tx) error {
				_, err := tx.Device(d.Key)
				return err
			}))
		}
	})
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			require.NoError(b, s.Update(b.Context(), func(tx *sqlstore.Tx) error { return tx.PutDevice(d) }))
		}
	})
	b.Run("write in a batch of 100", func(b *testing.B) {
		b.ReportAllocs()
		for range (b.N + 99) / 100 {
			require.NoError(b, s.Update(b.Context(), func(tx *sqlstore.Tx) error {
				for range 100 {
					if _, err := tx.Device(d.Key); err != nil {
						return err
					}
					if err := tx.PutDevice(d); err != nil {
						return err
					}
				}
				return nil
			}))
		}
	})
}
