package ratelimit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLimiter(t *testing.T) {
	now := time.Unix(1000, 0)
	l := Limiter[string]{Rate: Rate{Events: 3, Window: 30 * time.Second}}
	for range 3 {
		require.True(t, l.Allow("a", now))
	}
	require.False(t, l.Allow("a", now), "the bucket is empty")
	require.True(t, l.Allow("b", now), "another key has its own")
	require.False(t, l.Allow("a", now.Add(9*time.Second)))
	require.True(t, l.Allow("a", now.Add(10*time.Second)), "a third of the window brings a third of the events")
	require.False(t, l.Allow("a", now.Add(-time.Hour)), "a clock that goes back takes nothing and gives nothing")
}

func TestUnlimited(t *testing.T) {
	var l Limiter[int]
	for range 1000 {
		require.True(t, l.Allow(1, time.Time{}))
	}
	require.Nil(t, l.buckets)
}

func TestBoundedMemory(t *testing.T) {
	now := time.Unix(1000, 0)
	l := Limiter[int]{Rate: Rate{Events: 1, Window: time.Hour}}
	for i := range 3 * maxKeys {
		l.Allow(i, now)
		require.LessOrEqual(t, len(l.buckets), maxKeys)
	}
	l = Limiter[int]{Rate: Rate{Events: 1, Window: time.Hour}}
	for i := range maxKeys - 1 {
		l.Allow(i, now)
	}
	later := now.Add(2 * time.Hour)
	require.True(t, l.Allow(-1, later))
	require.False(t, l.Allow(-1, later))
	l.Allow(-2, later)
	require.False(t, l.Allow(-1, later), "only buckets that are full again are dropped")
	require.Len(t, l.buckets, 2)
}

// What turns out not to count is given back; asking takes nothing.
func TestReadyAndReturn(t *testing.T) {
	now := time.Unix(1000, 0)
	l := Limiter[string]{Rate: Rate{Events: 2, Window: time.Minute}}
	l.Return("a", now)
	require.True(t, l.Ready("a", now))
	require.Nil(t, l.buckets)
	require.True(t, l.Allow("a", now))
	require.True(t, l.Allow("a", now))
	require.False(t, l.Ready("a", now))
	l.Return("a", now)
	require.True(t, l.Ready("a", now))
	require.True(t, l.Allow("a", now))
	for range 5 {
		l.Return("a", now)
	}
	require.True(t, l.Allow("a", now))
	require.True(t, l.Allow("a", now))
	require.False(t, l.Allow("a", now), "never more than there is room for")
	require.True(t, l.Ready("a", now.Add(time.Minute)))

	var unlimited Limiter[string]
	unlimited.Return("a", now)
	require.True(t, unlimited.Ready("a", now))
	require.Nil(t, unlimited.buckets)
}
