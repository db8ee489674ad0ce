package agentproto

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

func TestLinkKeepsOrderAndWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := msgconn.Pipe()
		var l link
		l.init(a, msgconn.Binary, Limits{QueueMessages: 4, QueueBytes: 100, WriteTimeout: time.Minute})
		sent := 0
		go func() {
			for i := range 200 {
				if l.SendRaw(t.Context(), fmt.Appendf(nil, "message %d", i)) != nil {
					return
				}
				sent++
			}
		}()
		synctest.Wait()
		require.Less(t, sent, 40, "a sender waits when nobody reads")
		for i := range 200 {
			_, msg, err := b.ReadMessage(t.Context())
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf("message %d", i), string(msg))
		}
		require.NoError(t, l.Flush(t.Context()))
		l.close(0, "", ErrShutdown)
		require.ErrorIs(t, l.SendRaw(t.Context(), nil), ErrShutdown)
		require.ErrorIs(t, l.Flush(t.Context()), ErrShutdown)
	})
}

func TestLinkSendGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := msgconn.Pipe()
		var l link
		l.init(a, msgconn.Binary, Limits{QueueMessages: 2, QueueBytes: 1 << 20, WriteTimeout: time.Minute})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var err error
		for err == nil {
			err = l.SendRaw(ctx, []byte("xx"))
		}
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, l.Err(), "the link itself is still well")
		<-l.Done() // until the peer has not taken a message for the write time-out
		require.ErrorIs(t, l.Err(), ErrQueueFull)
	})
}

func TestLinkTakesOneHugeMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := msgconn.Pipe()
		var l link
		l.init(a, msgconn.Binary, Limits{QueueMessages: 2, QueueBytes: 10, WriteTimeout: time.Minute})
		require.NoError(t, l.SendRaw(t.Context(), make([]byte, 1000)))
		_, msg, err := b.ReadMessage(t.Context())
		require.NoError(t, err)
		require.Len(t, msg, 1000)
		l.close(0, "", ErrShutdown)
	})
}

func TestLinkClosesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := msgconn.Pipe()
		var l link
		l.init(a, msgconn.Binary, Limits{}.withDefaults())
		go l.close(1000, "first", ErrIdle)
		synctest.Wait()
		l.close(1001, "second", ErrShutdown)
		require.ErrorIs(t, l.Err(), ErrIdle)
		_, _, err := b.ReadMessage(t.Context())
		require.ErrorContains(t, err, "first")
	})
}

func TestBackoff(t *testing.T) {
	for range 200 {
		b := Backoff{}
		var last time.Duration
		for i := range 100 {
			d := b.Next(0)
			switch {
			case i == 0:
				require.GreaterOrEqual(t, d, 500*time.Millisecond)
				require.Less(t, d, 2*time.Second)
			case d < last:
				require.GreaterOrEqual(t, d, 150*time.Second, "only at the top may a wait be shorter than the last")
			default:
				require.LessOrEqual(t, d, 2*last)
			}
			require.LessOrEqual(t, d, 5*time.Minute)
			last = d
		}
		require.GreaterOrEqual(t, last, 150*time.Second)
		require.Less(t, b.Reset(), 2*time.Second)
		require.Less(t, b.Next(0), 2*time.Second)
		hinted := b.Next(time.Minute)
		require.GreaterOrEqual(t, hinted, time.Minute)
		require.LessOrEqual(t, hinted, 90*time.Second)
	}
}
