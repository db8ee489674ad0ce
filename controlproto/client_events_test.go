package controlproto

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestEventsFilter(t *testing.T) {
	const (
		a = `{"etype":"node","action":"changenode","nodeid":"node//a","meshid":"mesh//m","userid":"user//u"}`
		b = `{"etype":"node","action":"nodeconnect","nodeid":"node//b","meshid":"mesh//m"}`
		d = `{"etype":"user","action":"accountch\u0061nge","userid":"user//u"}`
	)
	for _, test := range []struct {
		name   string
		filter Filter
		want   []string
	}{
		{"all", Filter{}, []string{"changenode", "nodeconnect", "accountchange"}},
		{"actions", Filter{Actions: []string{"nodeconnect", "accountchange"}}, []string{"nodeconnect", "accountchange"}},
		{"types", Filter{Types: []string{"user"}}, []string{"accountchange"}},
		{"devices", Filter{Devices: []ID{"node//b", "node//c"}}, []string{"nodeconnect"}},
		{"groups", Filter{Groups: []ID{"mesh//m"}}, []string{"changenode", "nodeconnect"}},
		{"users", Filter{Users: []ID{"user//u"}}, []string{"changenode", "accountchange"}},
		{"two", Filter{Users: []ID{"user//u"}, Groups: []ID{"mesh//m"}}, []string{"changenode"}},
		{"none", Filter{Actions: []string{"z"}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p := dialPeer(t, ClientConfig{})
				events := c.Events(t.Context(), test.filter)
				for _, e := range []string{a, `7`, b, `{"action":5}`, d} {
					if e == `{"action":5}` && test.name == "all" {
						continue
					}
					p.send(`{"action":"event","event":%s}`, e)
				}
				synctest.Wait()
				c.Close()
				var got []string
				for e, err := range events {
					if err != nil {
						require.ErrorIs(t, err, ErrClientClosed)
						break
					}
					got = append(got, e.Action)
				}
				require.Equal(t, test.want, got)
			})
		})
	}
}

// A slow reader learns how many events it lost, and the client does not wait for it.
func TestEventsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told uint64
		c, p := dialPeer(t, ClientConfig{Trace: &ClientTrace{Dropped: func(n uint64) { told = n }}})
		events := c.Events(t.Context(), Filter{Queue: 3})
		send := func(from, to int) {
			for n := from; n <= to; n++ {
				p.send(`{"action":"event","event":{"action":"x","msgid":%d}}`, n)
			}
			synctest.Wait()
		}
		send(1, 8)
		var got []string
		for e, err := range events {
			var lost *DroppedError
			if errors.As(err, &lost) {
				got = append(got, fmt.Sprintf("lost %d of %d", lost.Count, lost.Total))
				if lost.Total == 5 {
					send(9, 13)
				}
				continue
			}
			require.NoError(t, err)
			got = append(got, fmt.Sprint(e.MsgID))
			if e.MsgID == 11 {
				send(14, 14)
			}
			if e.MsgID == 14 {
				break
			}
		}
		require.Equal(t, []string{"1", "2", "3", "lost 5 of 5", "9", "10", "11", "lost 2 of 7", "14"}, got)
		require.EqualValues(t, 7, told)
		synctest.Wait()
		require.Empty(t, c.subs)
	})
}

func TestEventsQueueBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{})
		events := c.Events(t.Context(), Filter{QueueBytes: 40})
		p.send(`{"action":"event","event":{"action":"x","msgid":1}}`)
		p.send(`{"action":"event","event":{"action":"x","msg":"0123456789"}}`)
		synctest.Wait()
		c.Close()
		var errs []error
		for _, err := range events {
			errs = append(errs, err)
		}
		require.Len(t, errs, 3)
		require.NoError(t, errs[0])
		require.EqualError(t, errs[1], "controlproto: reader is too slow: 1 dropped, 1 in all")
		require.ErrorIs(t, errs[2], ErrClientClosed)
	})
}

func TestEventsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		events, unused := c.Events(ctx, Filter{}), c.Events(ctx, Filter{})
		p.send(`{"action":"event","event":{"action":"x"}}`)
		n := 0
		for _, err := range events {
			if n++; n == 1 {
				require.NoError(t, err)
				cancel()
				continue
			}
			require.ErrorIs(t, err, context.Canceled)
		}
		require.Equal(t, 2, n)
		synctest.Wait()
		require.Empty(t, c.subs, "also the one that was never read")
		for _, err := range unused {
			require.ErrorIs(t, err, context.Canceled)
		}
		c.Close()
		for _, err := range c.Events(t.Context(), Filter{}) {
			require.ErrorIs(t, err, ErrClientClosed)
		}
	})
}

// Readers come and go while the connection is made anew (for the race detector).
func TestEventsWhileReconnected(t *testing.T) {
	c, _ := dialPeer(t, ClientConfig{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 100 {
			c.reconnected()
		}
	}()
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		events := c.Events(ctx, Filter{})
		c.reconnected()
		for e, err := range events {
			require.NoError(t, err)
			require.Equal(t, EventReconnected, e.Action)
			break
		}
		cancel()
	}
	<-done
}

func TestMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{})
		messages := c.Messages(t.Context(), MessageFilter{Actions: []string{"msg"}, Types: []string{"console"}, Devices: []ID{"node//a"}})
		p.send(`{"action":"msg","type":"console","nodeid":"node//b","value":"1"}`)
		p.send(`{"action":"msg","type":"notify","nodeid":"node//a","value":"2"}`)
		p.send(`{"action":"event","event":{}}`)
		p.send(`{"action":"msg","type":"console","nodeid":"node//a","value":"3"}`)
		for e, err := range messages {
			require.NoError(t, err)
			m, err := ParseAgentMessage(e)
			require.NoError(t, err)
			require.Equal(t, &MsgConsole{DeviceID: "node//a", Value: "3"}, m)
			break
		}
	})
}
