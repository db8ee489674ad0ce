package agenttest_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/agentproto/agenttest"
)

// TestUnreachableServer lets an agent try for as long as it takes, which in stock agents costs memory with every
// attempt, and looks at the heap on the way.
func TestUnreachableServer(t *testing.T) {
	refused := errors.New("connection refused")
	for _, tt := range []struct {
		name     string
		attempts int64
		change   func(*agentproto.ClientConfig)
	}{
		{"no network", 100_000, func(c *agentproto.ClientConfig) {
			c.NetDialContext = func(context.Context, string, string) (net.Conn, error) { return nil, refused }
		}},
		{"TLS fails", 5_000, func(c *agentproto.ClientConfig) {
			c.NetDialContext = func(context.Context, string, string) (net.Conn, error) {
				near, far := net.Pipe()
				go func() {
					_, _ = far.Read(make([]byte, 1)) // of the client's hello
					_ = far.Close()
				}()
				return near, nil
			}
		}},
		{"login is refused", 500, func(c *agentproto.ClientConfig) {
			c.Connect = func(context.Context, string) (agentproto.Conn, agentproto.Hash, error) {
				server, agent := agenttest.Conns()
				return agent, agenttest.WebHash(), server.Close(1008, "go away")
			}
		}},
		{"login is held", 500, func(c *agentproto.ClientConfig) {
			c.Connect = func(context.Context, string) (agentproto.Conn, agentproto.Hash, error) {
				_, agent := agenttest.Conns()
				return agent, agenttest.WebHash(), nil
			}
		}},
	} {
		if testing.Short() {
			tt.attempts /= 10
		}
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var attempts atomic.Int64
				reached := make(chan struct{})
				begun := time.Now()
				agent := agenttest.NewAgent(agentproto.ServerAddress{URL: "wss://nowhere.invalid", ID: agenttest.ServerIdentity().ID()},
					agenttest.ConfigureAgent(func(c *agentproto.ClientConfig) {
						c.Backoff = agentproto.Backoff{} // as in real life
						c.Trace = &agentproto.ClientTrace{Failed: func(agentproto.ServerAddress, error) {
							// A tenth to warm up, then the rest.
							if n := attempts.Add(1); n == tt.attempts/10 || n == tt.attempts {
								reached <- struct{}{}
								<-reached
							}
						}}
						tt.change(c)
					}))
				agent.Start()
				<-reached
				warm := heap()
				reached <- struct{}{}
				<-reached
				grown := int64(heap()) - int64(warm)
				since := time.Since(begun)
				reached <- struct{}{}
				agent.Close()
				require.Less(t, grown, int64(64<<10), "bytes over %d attempts", tt.attempts)
				// Waits grow to the full back-off and stay there.
				require.Greater(t, since, time.Duration(tt.attempts/2)*2*time.Minute)
			})
		})
	}
}

// heap returns the bytes that are in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what pools hold survives the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
