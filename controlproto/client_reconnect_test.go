package controlproto

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

func TestReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, peers := dialPeers(t, ClientConfig{Reconnect: true})
		cookies := 0
		creds := CookieLogin{Refresh: func(context.Context) (Secret, error) {
			cookies++
			return NewSecret("cookie" + string(rune('0'+cookies))), nil
		}}
		var waits []time.Duration
		cfg.Trace = &ClientTrace{Waiting: func(d time.Duration) { waits = append(waits, d) }}
		c, err := Dial(t.Context(), "wss://server.example", creds, cfg)
		require.NoError(t, err)
		defer c.Close()
		first := <-peers
		require.Contains(t, first.url.Reveal(), "auth=cookie1")

		call := start(t.Context(), c, &Nodes{})
		first.expect("nodes")
		first.conn.Close(1006, "")
		require.ErrorIs(t, (<-call).err, ErrDisconnected)

		// A request in between waits for the next connection, where it may not be a stray's victim.
		call = start(t.Context(), c, &Nodes{})
		second := <-peers
		require.Contains(t, second.url.Reveal(), "auth=cookie2")
		r := second.expect("nodes")
		second.send(`{"action":"nodes","nodes":{},"responseid":%q}`, r.ResponseID)
		require.NoError(t, (<-call).err)
		require.Len(t, waits, 1)
		require.GreaterOrEqual(t, waits[0], defaultMinBackoff)
		require.Less(t, waits[0], 2*defaultMinBackoff)
	})
}

// A request's own time runs out while there is no connection.
func TestReconnectCallTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, peers := dialPeers(t, ClientConfig{Reconnect: true, MinBackoff: time.Minute})
		c, err := Dial(t.Context(), "wss://server.example", PasswordLogin{User: "a"}, cfg)
		require.NoError(t, err)
		defer c.Close()
		(<-peers).conn.Close(1006, "")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = Do(ctx, c, &Nodes{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "not sent")
	})
}

// Waits grow up to their bound, whatever fails; refused credentials end the client.
func TestReconnectRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, peers := dialPeers(t, ClientConfig{Reconnect: true, MinBackoff: time.Second, MaxBackoff: 20 * time.Second})
		var waits []time.Duration
		cfg.Trace = &ClientTrace{Waiting: func(d time.Duration) { waits = append(waits, d) }}
		good, attempts := cfg.Connect, 0
		cfg.Connect = func(ctx context.Context, url SecretURL, h http.Header) (Conn, error) {
			switch attempts++; {
			case attempts == 1:
				return good(ctx, url, h)
			case attempts < 40:
				return nil, errors.New("no network")
			}
			a, b := msgconn.Pipe()
			p := peer{t: t, conn: b}
			p.send(`{"action":"close","cause":"noauth","msg":"noauth-2d"}`)
			return a, nil
		}
		c, err := Dial(t.Context(), "wss://server.example", PasswordLogin{User: "a"}, cfg)
		require.NoError(t, err)
		defer c.Close()
		(<-peers).conn.Close(1006, "")
		<-c.Done()
		require.ErrorIs(t, c.Err(), ErrBadCredentials)
		require.Equal(t, 40, attempts)
		require.Len(t, waits, 39)
		for i, w := range waits {
			require.GreaterOrEqual(t, w, time.Second)
			require.LessOrEqual(t, w, 20*time.Second)
			if i > 0 {
				require.LessOrEqual(t, w, max(2*waits[i-1], 20*time.Second))
			}
		}
		require.GreaterOrEqual(t, waits[38], 10*time.Second)
		_, err = Do(t.Context(), c, &Nodes{})
		require.ErrorIs(t, err, ErrClientClosed)
		require.ErrorIs(t, err, ErrBadCredentials)
	})
}

// Waits between attempts are never none.
func TestBackoffDefaults(t *testing.T) {
	c := ClientConfig{MinBackoff: -1, MaxBackoff: -1}.withDefaults()
	require.Equal(t, defaultMinBackoff, c.MinBackoff)
	require.Equal(t, defaultMaxBackoff, c.MaxBackoff)
	c = ClientConfig{MinBackoff: time.Hour}.withDefaults()
	require.Equal(t, time.Hour, c.MaxBackoff)
}

// A client that is closed while it waits, or connects, ends.
func TestCloseWhileReconnecting(t *testing.T) {
	for _, connecting := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			cfg, peers := dialPeers(t, ClientConfig{Reconnect: true})
			good, attempts := cfg.Connect, 0
			cfg.Connect = func(ctx context.Context, url SecretURL, h http.Header) (Conn, error) {
				if attempts++; attempts == 1 {
					return good(ctx, url, h)
				}
				<-ctx.Done()
				return nil, context.Cause(ctx)
			}
			c, err := Dial(t.Context(), "wss://server.example", PasswordLogin{User: "a"}, cfg)
			require.NoError(t, err)
			(<-peers).conn.Close(1006, "")
			if connecting {
				time.Sleep(2 * time.Second) // the bubble's clock
			}
			synctest.Wait()
			require.NoError(t, c.Close())
		})
	}
}

func TestEventsAcrossReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, peers := dialPeers(t, ClientConfig{Reconnect: true})
		c, err := Dial(t.Context(), "wss://server.example", PasswordLogin{User: "a"}, cfg)
		require.NoError(t, err)
		events := c.Events(t.Context(), Filter{Actions: []string{"x"}})
		p := <-peers
		p.send(`{"action":"event","event":{"action":"x","msgid":1}}`)
		synctest.Wait()
		p.conn.Close(1006, "")
		p = <-peers
		p.send(`{"action":"event","event":{"action":"y","msgid":2}}`)
		p.send(`{"action":"event","event":{"action":"x","msgid":3}}`)
		synctest.Wait()
		go c.Close()
		var got []Event
		var last error
		for e, err := range events {
			if err != nil {
				last = err
				break
			}
			got = append(got, e)
			if len(got) == 3 {
				<-c.Done()
			}
		}
		require.Equal(t, []Event{{Action: "x", MsgID: 1}, {Type: "client", Action: EventReconnected}, {Action: "x", MsgID: 3}}, got)
		require.ErrorIs(t, last, ErrClientClosed)
	})
}
