package sqlstore_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto/controlserver"
)

// BenchmarkLogin is what one login of a known device asks of the store.
func BenchmarkLogin(b *testing.B) {
	s := openStore(b)
	d := controlserver.Record{Kind: controlserver.KindDevice, ID: "node//1", Owner: "mesh//1", Doc: []byte(`"` + strings.Repeat("x", 700) + `"`)}
	require.NoError(b, s.Update(b.Context(), func(tx controlserver.StoreTx) error { return tx.Put(d) }))
	edit := func(tx controlserver.StoreTx) error {
		d, err := tx.Get(d.Kind, d.ID)
		if err != nil {
			return err
		}
		return tx.Put(d)
	}
	b.Run("look up", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			require.NoError(b, s.View(b.Context(), func(tx controlserver.StoreTx) error {
				_, err := tx.Get(d.Kind, d.ID)
				return err
			}))
		}
	})
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			require.NoError(b, s.Update(b.Context(), edit))
		}
	})
	b.Run("write in a batch of 100", func(b *testing.B) {
		b.ReportAllocs()
		for range (b.N + 99) / 100 {
			require.NoError(b, s.Update(b.Context(), func(tx controlserver.StoreTx) error {
				for range 100 {
					if err := edit(tx); err != nil {
						return err
					}
				}
				return nil
			}))
		}
	})
}

// BenchmarkEvents asks a log of 100,000 events for the last ones that somebody may see, who sees nearly all or nearly none.
func BenchmarkEvents(b *testing.B) {
	s := openStore(b)
	require.NoError(b, s.Update(b.Context(), func(tx controlserver.StoreTx) error {
		for i := range 100_000 {
			e := controlserver.LoggedEvent{Targets: []string{"*", fmt.Sprintf("node//%d", i%5000)}, Doc: []byte(`{}`)}
			if err := tx.AppendEvent(e); err != nil {
				return err
			}
		}
		return nil
	}))
	for name, targets := range map[string][]string{"all": {"*", "user//admin"}, "few": {"user//bob", "node//17"}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				require.NoError(b, s.View(b.Context(), func(tx controlserver.StoreTx) error {
					list, err := tx.Events(controlserver.EventQuery{Targets: targets, Limit: 20})
					require.Len(b, list, 20)
					return err
				}))
			}
		})
	}
}
