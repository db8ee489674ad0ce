package controlproto

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// outcome is what a call gave.
type outcome[R any] struct {
	reply *R
	err   error
}

// start makes a call in a goroutine.
func start[R any](ctx context.Context, c *Client, req Request[R]) <-chan outcome[R] {
	ch := make(chan outcome[R], 1)
	go func() {
		r, err := Do(ctx, c, req)
		ch <- outcome[R]{r, err}
	}()
	return ch
}

// permutations calls f with the orders of 0..n-1: all of them up to four, and for more every rotation, forward and
// backward.
func permutations(n int, f func([]int)) {
	base := make([]int, n)
	for i := range base {
		base[i] = i
	}
	if n <= 4 {
		var rec func(k int)
		rec = func(k int) {
			if k == n {
				f(base)
				return
			}
			for i := k; i < n; i++ {
				base[k], base[i] = base[i], base[k]
				rec(k + 1)
				base[k], base[i] = base[i], base[k]
			}
		}
		rec(0)
		return
	}
	for r := range n {
		turned := slices.Concat(base[r:], base[:r])
		f(turned)
		slices.Reverse(turned)
		f(turned)
	}
}

// Ten calls at once, of all kinds of correlation, are answered in many orders; each gets its own reply.
func TestDoTenAtOnce(t *testing.T) {
	permutations(10, func(order []int) {
		synctest.Test(t, func(t *testing.T) {
			c, p := dialPeer(t, ClientConfig{})
			type got struct {
				n    int
				text string
			}
			results := make(chan got, 10)
			var wg sync.WaitGroup
			for n := range 10 {
				wg.Go(func() {
					id := ID(fmt.Sprintf("node//%d", n))
					var text string
					var err error
					switch n % 5 {
					case 0: // responseid and tag
						var r *NodesReply
						if r, err = Do(t.Context(), c, &Nodes{DeviceID: id}); err == nil {
							text = string(r.Extra["mark"])
						}
					case 1: // responseid alone
						var r *Result
						if r, err = Do(t.Context(), c, &ChangeDevice{DeviceID: id}); err == nil {
							text = string(r.Extra["mark"])
						}
					case 2: // tag alone
						var r *EventsReply
						if r, err = Do(t.Context(), c, &Events{DeviceID: id}); err == nil {
							text = string(r.Extra["mark"])
						}
					case 3: // a member of the request
						var r *GetNetworkInfoReply
						if r, err = Do(t.Context(), c, &GetNetworkInfo{DeviceID: id}); err == nil {
							text = string(r.Extra["mark"])
						}
					case 4: // nothing, but different actions
						if n == 4 {
							var r *FilesReply
							if r, err = Do(t.Context(), c, &Files{}); err == nil {
								text = string(r.Extra["mark"])
							}
						} else {
							var r *ReportReply
							if r, err = Do(t.Context(), c, &Report{}); err == nil {
								text = string(r.Extra["mark"])
							}
						}
					}
					if err != nil {
						text = err.Error()
					}
					results <- got{n, text}
				})
			}
			replies := make(map[int]string)
			for range 10 {
				r := p.read()
				require.NotEmpty(t, r.ResponseID)
				require.Equal(t, r.ResponseID, r.Tag)
				var n int
				switch r.Action {
				case "nodes":
					_, err := fmt.Sscanf(r.Raw, `{"action":"nodes","id":"node//%d"`, &n)
					require.NoError(t, err, r.Raw)
					replies[n] = fmt.Sprintf(`{"action":"nodes","nodes":{},"mark":%d,"responseid":%q,"tag":%q}`, n, r.ResponseID, r.Tag)
				case "changedevice":
					_, err := fmt.Sscanf(r.NodeID, "node//%d", &n)
					require.NoError(t, err)
					replies[n] = fmt.Sprintf(`{"action":"changedevice","result":"ok","mark":%d,"responseid":%q}`, n, r.ResponseID)
				case "events":
					_, err := fmt.Sscanf(r.NodeID, "node//%d", &n)
					require.NoError(t, err)
					replies[n] = fmt.Sprintf(`{"action":"events","events":[],"mark":%d,"tag":%q}`, n, r.Tag)
				case "getnetworkinfo":
					_, err := fmt.Sscanf(r.NodeID, "node//%d", &n)
					require.NoError(t, err)
					replies[n] = fmt.Sprintf(`{"action":"getnetworkinfo","nodeid":"node//%d","mark":%d}`, n, n)
				case "files":
					replies[4] = `{"action":"files","filetree":{},"mark":4}`
				case "report":
					replies[9] = `{"action":"report","data":{},"mark":9}`
				}
			}
			require.Len(t, replies, 10)
			for _, n := range order {
				// What comes in between is nobody's reply.
				p.send(`{"action":"event","event":{"action":"nodeconnect","nodeid":"node//%d"}}`, n)
				p.send(`{"action":"nodes","nodes":{},"mark":77,"responseid":"somebody else's","tag":"x"}`)
				p.send("%s", replies[n])
			}
			wg.Wait()
			for range 10 {
				r := <-results
				require.Equal(t, fmt.Sprint(r.n), r.text)
			}
		})
	})
}

func TestDoErrorsUnderOtherActions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{})
		call := start(t.Context(), c, &AddLocalDevice{})
		r := p.expect("addlocaldevice")
		p.send(`{"action":"changeDeviceMesh","responseid":%q,"result":"Permission denied"}`, r.ResponseID)
		err := (<-call).err
		var re *ResultError
		require.ErrorAs(t, err, &re)
		require.Equal(t, ResultError{Action: "addlocaldevice", Result: "Permission denied"}, *re)
		var ce *ClientError
		require.ErrorAs(t, err, &ce)
		require.Equal(t, PhaseRequest, ce.Phase)
		require.Equal(t, "addlocaldevice", ce.Action)

		// An error names its request even where success does not, and makes room for the next one.
		shares := start(t.Context(), c, &DeviceShares{DeviceID: "node//x"})
		r = p.expect("deviceShares")
		next := start(t.Context(), c, &DeviceShares{DeviceID: "node//x"})
		p.send(`{"action":"deviceShares","responseid":%q,"result":"Access denied"}`, r.ResponseID)
		require.ErrorAs(t, (<-shares).err, &re)
		p.expect("deviceShares")
		p.send(`{"action":"deviceShares","nodeid":"node//x","deviceShares":[]}`)
		require.NoError(t, (<-next).err)
	})
}

// One request at a time for what names none; others pass.
func TestDoFirstInFirstOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{})
		first := start(t.Context(), c, &Report{})
		p.expect("report")
		second := start(t.Context(), c, &Report{})
		synctest.Wait()
		other := start(t.Context(), c, &Files{})
		p.expect("files") // not the second report
		p.send(`{"action":"report","data":{},"n":1}`)
		require.Equal(t, json.RawMessage("1"), (<-first).reply.Extra["n"])
		p.expect("report")
		p.send(`{"action":"files","filetree":{}}`)
		p.send(`{"action":"report","data":{},"n":2}`)
		require.Equal(t, json.RawMessage("2"), (<-second).reply.Extra["n"])
		require.NoError(t, (<-other).err)
	})
}

// The late reply to a request that was given up is not taken for that to the next one.
func TestDoStrayReply(t *testing.T) {
	for _, test := range []struct {
		name string
		stop func(cancel context.CancelFunc)
		want error
	}{
		{"timeout", func(context.CancelFunc) { time.Sleep(31 * time.Second) }, ErrNoReply}, // the bubble's clock
		{"cancelled", func(cancel context.CancelFunc) { cancel() }, context.Canceled},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p := dialPeer(t, ClientConfig{})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				first := start(ctx, c, &Report{})
				p.expect("report")
				test.stop(cancel)
				err := (<-first).err
				require.ErrorIs(t, err, test.want)
				require.ErrorContains(t, err, `"report"`)
				var timeout interface{ Timeout() bool }
				require.ErrorAs(t, err, &timeout)
				require.Equal(t, errors.Is(test.want, ErrNoReply), timeout.Timeout())

				second := start(t.Context(), c, &Report{})
				synctest.Wait()
				p.send(`{"action":"report","data":{},"n":1}`) // late
				p.expect("report")
				p.send(`{"action":"report","data":{},"n":2}`)
				require.Equal(t, json.RawMessage("2"), (<-second).reply.Extra["n"])
			})
		})
	}
}

// Without a late reply, the next request is let through after a while.
func TestDoStrayTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{StrayTime: 7 * time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		first := start(ctx, c, &Report{})
		p.expect("report")
		cancel()
		require.ErrorIs(t, (<-first).err, context.Canceled)
		begun := time.Now()
		second := start(t.Context(), c, &Report{})
		p.expect("report")
		require.Equal(t, 7*time.Second, time.Since(begun))
		p.send(`{"action":"report","data":{}}`)
		require.NoError(t, (<-second).err)
	})
}

// Requests that were never sent leave nothing behind.
func TestDoNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{})
		first := start(t.Context(), c, &Report{})
		p.expect("report")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := Do(ctx, c, &Report{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, ErrNoReply)
		require.ErrorContains(t, err, "not sent")
		p.send(`{"action":"report","data":{}}`)
		require.NoError(t, (<-first).err)
		third := start(t.Context(), c, &Report{})
		p.expect("report")
		p.send(`{"action":"report","data":{}}`)
		require.NoError(t, (<-third).err)
		synctest.Wait()
		require.Empty(t, c.link.slots)
		require.Empty(t, c.link.calls)
	})
}

func TestDoPerDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{})
		call := start(t.Context(), c, &RemoveDevices{DeviceIDs: []ID{"node//a", "node//b", "node//c"}})
		r := p.expect("removedevices")
		p.send(`{"action":"removedevices","responseid":%q,"result":"ok"}`, r.ResponseID)
		p.send(`{"action":"removedevices","responseid":%q,"result":"Denied"}`, r.ResponseID)
		synctest.Wait()
		require.Empty(t, call, "two of three are not all")
		p.send(`{"action":"removedevices","responseid":%q,"result":"ok"}`, r.ResponseID)
		var re *ResultError
		require.ErrorAs(t, (<-call).err, &re)
		require.Equal(t, "Denied", re.Result)
	})
}

func TestDoSilentSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{})
		// Errors are told, success is not.
		good := start(t.Context(), c, &SendMQTTMsg{})
		p.expect("sendmqttmsg")
		p.expect("ping")
		synctest.Wait()
		require.Empty(t, good)
		p.send(`{"action":"pong"}`)
		require.True(t, (<-good).reply.OK())

		bad := start(t.Context(), c, &SendMQTTMsg{})
		r := p.expect("sendmqttmsg")
		p.expect("ping")
		p.send(`{"action":"sendmqttmsg","responseid":%q,"result":"Invalid topic"}`, r.ResponseID)
		p.send(`{"action":"pong"}`)
		var re *ResultError
		require.ErrorAs(t, (<-bad).err, &re)

		// Nothing is told.
		never := start(t.Context(), c, &UninstallAgents{})
		r = p.expect("uninstallagent")
		require.Empty(t, r.ResponseID)
		p.expect("ping")
		p.send(`{action:"pong"}`) // as servers of old say it
		require.NoError(t, (<-never).err)
	})
}

func TestDoWholeRequestEchoed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{})
		call := start(t.Context(), c, &WebRelay{DeviceID: "node//x", Port: 80})
		r := p.expect("webrelay")
		require.Empty(t, r.Tag, "a tag may mean something there")
		p.send(`{"action":"webrelay","nodeid":"node//x","responseid":%q,"url":"https://x/","result":"OK"}`, r.ResponseID)
		require.NoError(t, (<-call).err)
	})
}

func TestDoTwoReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{})
		call := start(t.Context(), c, &RemoveDeviceShare{DeviceID: "node//x", PublicID: "p"})
		r := p.expect("removeDeviceShare")
		p.send(`{"action":"removeDeviceShare","responseid":%q,"nodeid":"node//x","removed":null}`, r.ResponseID)
		synctest.Wait()
		require.Empty(t, call)
		p.send(`{"action":"removeDeviceShare","responseid":%q,"result":"Invalid device share identifier."}`, r.ResponseID)
		var re *ResultError
		require.ErrorAs(t, (<-call).err, &re)
	})
}

func TestCallUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{})
		for _, echo := range []string{`"responseid":%q,`, `"tag":%q,`, ``} {
			call := start(t.Context(), c, &Unknown{Name: "fromTheFuture", Extra: map[string]json.RawMessage{"x": json.RawMessage("1")}})
			r := p.expect("fromTheFuture")
			require.Contains(t, r.Raw, `"x":1`)
			if echo != "" {
				echo = fmt.Sprintf(echo, r.ResponseID)
			}
			p.send(`{%s"action":"fromTheFuture","y":[2]}`, echo)
			o := <-call
			require.NoError(t, o.err)
			require.Equal(t, map[string]json.RawMessage{"y": json.RawMessage("[2]")}, o.reply.Extra)
		}
	})
}

// Two sessions of one account: each gets its own replies, and what the server sends to both is taken by neither.
func TestTwoSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, pa := dialPeer(t, ClientConfig{})
		b, pb := dialPeer(t, ClientConfig{})
		callA, callB := start(t.Context(), a, &Nodes{}), start(t.Context(), b, &Nodes{})
		ra, rb := pa.expect("nodes"), pb.expect("nodes")
		require.NotEqual(t, ra.ResponseID, rb.ResponseID)
		for _, p := range []*peer{pa, pb} { // both get both, in the same order
			p.send(`{"action":"nodes","nodes":{},"for":"a","responseid":%q}`, ra.ResponseID)
			p.send(`{"action":"nodes","nodes":{},"for":"b","responseid":%q}`, rb.ResponseID)
		}
		require.Equal(t, json.RawMessage(`"a"`), (<-callA).reply.Extra["for"])
		require.Equal(t, json.RawMessage(`"b"`), (<-callB).reply.Extra["for"])
	})
}

func TestDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{})
		call := start(t.Context(), c, &Report{})
		waiting := start(t.Context(), c, &Report{})
		p.expect("report")
		ping := make(chan error, 1)
		go func() { _, err := c.Ping(t.Context()); ping <- err }()
		p.expect("ping")
		synctest.Wait()
		p.conn.Close(1001, "")
		require.ErrorIs(t, (<-call).err, ErrDisconnected)
		require.ErrorIs(t, (<-waiting).err, ErrDisconnected)
		require.ErrorIs(t, <-ping, ErrDisconnected)
		<-c.Done()
		require.ErrorIs(t, c.Err(), ErrDisconnected)
		_, err := Do(t.Context(), c, &Report{})
		require.ErrorIs(t, err, ErrClientClosed)
	})
}

func TestCloseMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{})
		call := start(t.Context(), c, &Report{})
		p.expect("report")
		p.send(`{"action":"close","cause":"banned","msg":"banned-1"}`)
		err := (<-call).err
		require.ErrorIs(t, err, ErrDisconnected)
		var ce *CloseError
		require.ErrorAs(t, err, &ce)
		require.Equal(t, CloseError{"banned", "banned-1"}, *ce)
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{})
		call := start(t.Context(), c, &Report{})
		p.expect("report")
		require.NoError(t, c.Close())
		require.ErrorIs(t, (<-call).err, ErrClientClosed)
		require.NoError(t, c.Close())
		require.Equal(t, ErrClientClosed, c.Err())
	})
}

func TestKeepAlive(t *testing.T) {
	for _, timeout := range []time.Duration{20 * time.Second, 50 * time.Second, time.Minute, 3 * time.Minute} {
		t.Run(timeout.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p := dialPeer(t, ClientConfig{KeepAlive: ClientKeepAlive{Interval: 50 * time.Second, Timeout: timeout}})
				heard, ended := time.Now(), time.Time{}
				for i := range 20 {
					p.expect("ping")
					require.Equal(t, 50*time.Second, time.Since(heard))
					heard, ended = time.Now(), time.Now().Add(timeout)
					if i%2 == 0 {
						p.send(`{"action":"pong"}`)
					} else if i < 19 {
						p.send(`{"action":"event","event":{}}`) // anything is a sign of life
					}
				}
				<-c.Done()
				require.Equal(t, ended, time.Now())
				require.ErrorIs(t, c.Err(), ErrSilentPeer)
			})
		})
	}
}

func TestPingedByServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := dialPeer(t, ClientConfig{})
		p.send(`{"action":"ping"}`)
		p.expect("pong")
	})
}

func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{})
		p.send(`{"action":"pong"}`) // unasked, as with the setting browserPong
		synctest.Wait()
		took := make(chan time.Duration, 1)
		go func() {
			d, err := c.Ping(t.Context())
			assert.NoError(t, err)
			took <- d
		}()
		p.expect("ping")
		time.Sleep(time.Second)
		p.send(`{"action":"pong"}`)
		require.Equal(t, time.Second, <-took)
		call := start(t.Context(), c, &Ping{})
		p.expect("ping")
		p.send(`{"action":"pong"}`)
		require.NoError(t, (<-call).err)
	})
}

// What can not be read is dropped, and said to the trace.
func TestMalformedMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var malformed []error
		c, p := dialPeer(t, ClientConfig{Trace: &ClientTrace{Malformed: func(err error) { malformed = append(malformed, err) }}})
		for _, text := range []string{"", "null", "[]", `{"action":1}`, `{"action":`, `{}`, "\xFF"} {
			p.send("%s", text)
		}
		call := start(t.Context(), c, &Nodes{})
		r := p.expect("nodes")
		p.send(`{"action":"nodes","nodes":{},"responseid":%q}`, r.ResponseID)
		require.NoError(t, (<-call).err)
		require.Len(t, malformed, 7)
		for _, err := range malformed {
			require.ErrorIs(t, err, ErrMessage)
		}
	})
}

func TestResultsThatAreTexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{})
		call := start(t.Context(), c, &WakeDevices{DeviceIDs: []ID{"node//x"}})
		r := p.expect("wakedevices")
		p.send(`{"action":"wakedevices","responseid":%q,"result":"Used 2 device(s) to send wake packets"}`, r.ResponseID)
		o := <-call
		require.NoError(t, o.err)
		require.Equal(t, "Used 2 device(s) to send wake packets", o.reply.Result)
	})
}
