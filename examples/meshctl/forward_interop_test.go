package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/interop"
)

// A web server behind a stock native agent, through a stock server.
func TestStockForward(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral, interop.PeerAgent)
	s := interop.StartServer(t, interop.ServerOptions{})
	group := s.CreateGroup(t, "lab")
	interop.StartAgent(t, s.MSH(t, group), interop.AgentOptions{})
	device := s.WaitDevice(t, interop.CoreRuns)
	w := onStock(t, s)
	code, _, _ := w.run(t.Context(), "runcommand", "--id", device.ID, "--run", "echo up", "--reply")
	require.Equal(t, exitDone, code, "the core runs")

	const size = 3 << 20
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%s %d ", r.URL.Path, n)
		_, _ = io.WriteString(w, strings.Repeat("x", size))
	}))
	defer web.Close()
	_, port, err := net.SplitHostPort(web.Listener.Addr().String())
	require.NoError(t, err)

	out := newLines(t)
	w.out = out
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"forward", "--id", device.ID, "-L", "0:127.0.0.1:" + port}, w.system)
	}()
	at, ok := strings.CutPrefix(strings.TrimSuffix(out.next(t), " to 127.0.0.1:"+port), "Forwarding ")
	require.True(t, ok)

	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	answers := make(chan error, 4)
	for i := range cap(answers) { // several connections at once
		go func() { answers <- post(ctx, transport, fmt.Sprintf("http://%s/%d", at, i), i*100_000, size) }()
	}
	for range cap(answers) {
		require.NoError(t, <-answers)
	}
	cancel()
	require.Equal(t, exitDone, <-ended, w.stderr.String())
}

// post sends so many bytes, and wants to be told so, with a number of others.
func post(ctx context.Context, transport http.RoundTripper, url string, send, size int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(strings.Repeat("y", send)))
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	want := fmt.Sprintf("%s %d ", req.URL.Path, send)
	if !strings.HasPrefix(string(b), want) || len(b) != len(want)+size {
		return fmt.Errorf("%.40q and %d bytes", b, len(b))
	}
	return nil
}
