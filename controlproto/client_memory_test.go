//go:build !js

package controlproto

import (
	"bufio"
	"bytes"
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// A client that gets 10,000 devices over a real WebSocket needs less than four times the size of the reply, at any
// moment. The reply comes from another process, and garbage is collected all the time, so that what is measured is what is
// in use.
func TestClientNodesMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("measures memory")
	}
	if raceDetector {
		t.Skip("the race detector has memory of its own")
	}
	text := manyDevices(10000)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestClientNodesServer$")
	cmd.Env = append(os.Environ(), nodesServerEnv+"=1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() { in.Close(); _ = cmd.Wait() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	addr := strings.TrimSpace(line)

	size := float64(len(text))
	text = nil
	defer debug.SetGCPercent(debug.SetGCPercent(2))
	// What is measured is what is in use and what the collector has not come to yet, which is a lot on a busy machine: the
	// best of a few attempts is the nearest to the truth.
	best := math.Inf(1)
	for range 5 {
		best = min(best, nodesPeak(t, addr)/size)
		if best < 4 {
			break
		}
	}
	t.Logf("at most %.2f times the reply", best)
	require.Less(t, best, 4.0)
}

// nodesPeak asks for the devices and returns by how many bytes the heap has grown meanwhile, at most.
func nodesPeak(t *testing.T, addr string) float64 {
	t.Helper()
	c, err := Dial(t.Context(), addr, PasswordLogin{User: "admin"}, ClientConfig{
		DangerouslySkipVerify: true, DialTime: time.Hour, LoginTime: time.Hour, DefaultTimeout: time.Hour,
	})
	require.NoError(t, err)
	defer c.Close()
	runtime.GC()
	var base runtime.MemStats
	runtime.ReadMemStats(&base)
	done, peak := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		var now runtime.MemStats
		for {
			select {
			case <-done:
				peak <- most
				return
			default:
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapAlloc)
				runtime.Gosched()
			}
		}
	}()
	devices, err := c.Devices(t.Context(), DeviceFilter{})
	close(done)
	most := <-peak
	require.NoError(t, err)
	require.Len(t, devices, 10000)
	return float64(most) - float64(base.HeapAlloc)
}

const nodesServerEnv = "CONTROLPROTO_TEST_NODES_SERVER"

// TestClientNodesServer is the other process of [TestClientNodesMemory].
func TestClientNodesServer(t *testing.T) {
	if os.Getenv(nodesServerEnv) == "" {
		t.Skip("not asked for")
	}
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := msgconn.Upgrade(w, r, msgconn.UpgradeOptions{})
		if err != nil {
			return
		}
		defer ws.Close(0, "")
		for _, m := range []string{helloServer, helloUser} {
			_ = ws.WriteMessage(context.Background(), msgconn.Text, []byte(m))
		}
		_, b, err := ws.ReadMessage(context.Background())
		if err != nil {
			return
		}
		e, _ := parseEnvelope(b)
		reply := bytes.Replace(manyDevices(10000), []byte(`"responseid":"r1"`), append([]byte(`"responseid":`), e.ResponseID...), 1)
		_ = ws.WriteMessage(context.Background(), msgconn.Text, reply)
		_, _, _ = ws.ReadMessage(context.Background())
	}))
	defer s.Close()
	_, _ = os.Stdout.WriteString(s.URL + "\n")
	_, _ = os.Stdin.Read(make([]byte, 1)) // until the other process closes it
}
