//go:build !js

package relay

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// An end that leaves while it waits is noticed at once, of either side, whether it says so or not. Its place is free then.
func TestWaitingEndLeaves(t *testing.T) {
	for _, secure := range []bool{false, true} {
		unmet, waiting := make(chan error, 10), make(chan End, 10)
		s := newTestServer(t, Config{Trace: &Trace{Unmet: func(_ End, err error) { unmet <- err }, Waiting: func(e End) { waiting <- e }}}, secure)
		for name, leave := range map[string]func(*msgconn.WebSocket){
			"says so": func(c *msgconn.WebSocket) { c.Close(msgconn.CloseNormal, "") },
			"is cut":  func(c *msgconn.WebSocket) { c.Close(0, "") },
		} {
			for role, query := range map[Role]string{RoleAgent: "rauth=", RoleOperator: "browser=1&auth="} {
				c := s.dial(t, "bound=1&nodeid="+testNode+"&id=x&"+query+testUser)
				require.Equal(t, role, (<-waiting).Role)
				require.NoError(t, c.WriteMessage(t.Context(), Text, []byte("hello")))
				leave(c)
				require.ErrorIs(t, <-unmet, ErrPeerGone, name)
				n, tunnels := s.count()
				require.Zero(t, n+tunnels)
			}
		}
	}
}

// count is how many ends wait, and how many tunnels there are.
func (r *Relay) count() (waiting, tunnels int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	waiting, tunnels, _ = r.rv.Len()
	return waiting, tunnels
}

// What an end sends while it waits is not lost, nor does the relay hold more of it than its buffer.
func TestWaitingEndSends(t *testing.T) {
	for _, secure := range []bool{false, true} {
		waiting := make(chan End, 1)
		s := newTestServer(t, Config{Trace: &Trace{Waiting: func(e End) { waiting <- e }}}, secure)
		for _, size := range []int{1, smallRead - 8, smallRead, 3 * smallRead, 200_000} {
			agent := s.dial(t, "bound=1&nodeid="+testNode+"&id=x&rauth="+testUser)
			<-waiting
			sent := make(chan error, 1)
			message := make([]byte, size)
			message[size-1] = 7
			go func() {
				sent <- errors.Join(agent.WriteMessage(t.Context(), Binary, message), agent.WriteMessage(t.Context(), Text, []byte("end")))
			}()
			operator := s.dial(t, "browser=1&bound=1&nodeid="+testNode+"&id=x&auth="+testUser)
			_, b := recv(t, operator)
			require.Equal(t, "c", string(b))
			typ, b := recv(t, operator)
			require.Equal(t, Binary, typ)
			require.Equal(t, message, b)
			_, b = recv(t, operator)
			require.Equal(t, "end", string(b))
			require.NoError(t, <-sent)
			operator.Close(msgconn.CloseNormal, "")
			recv(t, agent)
			recvClose(t, agent)
		}
	}
}

func TestHasClose(t *testing.T) {
	mask := [4]byte{1, 2, 3, 4}
	data := msgconn.AppendFrame(nil, uint8(Binary), &mask, make([]byte, 100))
	ended := msgconn.AppendFrame(data, msgconn.OpClose, &mask, []byte{3, 232})
	for i := range ended {
		require.Equal(t, i >= len(data)+6, hasClose(ended[:i]), i) // with the whole header of the close frame
	}
	require.True(t, hasClose([]byte{0xFF, 0xFF}), "no frame at all")
}

type panicking struct{ when string }

func (p panicking) Record(Piece) error {
	if p.when == "record" {
		panic("no")
	}
	return nil
}

func (p panicking) Close(error) error {
	if p.when == "close" {
		panic("no")
	}
	return nil
}

// A panic of the embedder's ends the tunnel, for both ends, and leaves nothing behind; one while an end proves itself ends that.
func TestPanics(t *testing.T) {
	for _, when := range []string{"open", "started", "record", "close"} {
		t.Run(when, func(t *testing.T) {
			ended := make(chan error, 1)
			s := newTestServer(t, Config{
				Record: func(context.Context, *Pair) (Recorder, error) {
					if when == "open" {
						panic("no")
					}
					return panicking{when}, nil
				},
				Trace: &Trace{
					Started: func(*Pair, bool) {
						if when == "started" {
							panic("no")
						}
					},
					Ended: func(_ Stats, err error) { ended <- err },
				},
			}, false)
			agent := s.dial(t, "bound=1&nodeid="+testNode+"&id=x&rauth="+testUser)
			operator := s.dial(t, "browser=1&bound=1&nodeid="+testNode+"&id=x&auth="+testUser)
			if when == "record" || when == "close" {
				recv(t, operator)
				recv(t, agent)
				require.NoError(t, agent.WriteMessage(t.Context(), Text, []byte("hello")))
			}
			if when == "close" {
				recv(t, operator)
				agent.Close(0, "")
				require.ErrorIs(t, <-ended, ErrPeerGone)
			} else {
				if when != "record" { // then it is the agent's reader that is told why
					require.Equal(t, msgconn.CloseInternal, recvClose(t, operator).Code)
				} else {
					recvClose(t, operator)
				}
				require.Equal(t, msgconn.CloseInternal, recvClose(t, agent).Code)
				require.ErrorIs(t, <-ended, ErrHook)
			}
			waiting, tunnels := s.count()
			require.Zero(t, waiting+tunnels)
			require.NoError(t, s.Shutdown(t.Context()), "no goroutine is left")
		})
	}
	s := newTestServer(t, Config{Authenticate: func(*http.Request, *Query) (End, error) { panic("no") }}, false)
	_, err := msgconn.Dial(t.Context(), s.url+"id=x", msgconn.DialOptions{})
	require.Error(t, err)
	require.NoError(t, s.Shutdown(t.Context()))
}
