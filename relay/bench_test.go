//go:build unix

package relay

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// benchVariable tells a test binary that it is a peer of a benchmark.
const benchVariable = "MESHCENTRAL_GO_RELAY_BENCH"

// BenchmarkRelay is the cost of the relay alone, with TLS on both sides: its two ends are processes of their own.
//
//	go test ./relay -run '^$' -bench Relay
func BenchmarkRelay(b *testing.B) {
	for _, size := range []int{64 << 10, 16 << 10, 1 << 10, 64} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) { benchmarkRelay(b, size) })
	}
}

func benchmarkRelay(b *testing.B, size int) {
	r, err := New(Config{Authenticate: testAuth})
	require.NoError(b, err)
	defer r.Close()
	h := httptest.NewUnstartedServer(r)
	h.StartTLS()
	defer h.Close()
	b.SetBytes(int64(size))
	require.NoError(b, r.Announce(TunnelRequest{ID: "x", User: testUser, Node: testNode}))
	b.ResetTimer()
	start, cpu := time.Now(), processTime()
	var peers []*exec.Cmd
	for _, role := range []string{"auth", "rauth"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestBenchPeer$")
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d %d", benchVariable, h.Listener.Addr(), role, size, b.N))
		cmd.Stderr = os.Stderr
		require.NoError(b, cmd.Start())
		peers = append(peers, cmd)
	}
	for _, cmd := range peers {
		require.NoError(b, cmd.Wait())
	}
	used, took := processTime()-cpu, time.Since(start)
	gb := float64(size) * float64(b.N) / 1e9
	b.ReportMetric(used.Seconds()/gb, "cpu-s/GB")
	b.ReportMetric(gb*1e3/took.Seconds(), "relayed-MB/s")
}

// processTime is the processor time that this process has used.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestBenchPeer is one end of a tunnel in [BenchmarkRelay]: the device sends, the operator counts.
func TestBenchPeer(t *testing.T) {
	var addr, role string
	var size, n int
	if _, err := fmt.Sscan(os.Getenv(benchVariable), &addr, &role, &size, &n); err != nil {
		t.Skip("a part of a benchmark")
	}
	conn, err := tls.Dial("tcp", addr, insecureTLS())
	require.NoError(t, err)
	defer conn.Close()
	br := bufio.NewReaderSize(conn, 64<<10)
	rawUpgrade(t, conn, br, addr, "p=2&id=x&nodeid="+testNode+"&"+role+"="+testUser)
	hello := make([]byte, 3)
	_, err = io.ReadFull(br, hello)
	require.NoError(t, err)
	require.Equal(t, "\x81\x01c", string(hello))
	if role == "auth" {
		benchReceive(t, br, size, n)
		return
	}
	frame := msgconn.AppendFrame(nil, uint8(Binary), &[4]byte{1, 2, 3, 4}, make([]byte, size))
	for range n {
		_, err := conn.Write(frame)
		require.NoError(t, err)
	}
	io.Copy(io.Discard, br) // until the operator has all
}

// benchReceive counts messages and checks that each came in one frame.
func benchReceive(t *testing.T, br *bufio.Reader, size, n int) {
	want := msgconn.AppendFrameHeader(nil, msgconn.FrameHeader{Final: true, Opcode: uint8(Binary), Length: uint64(size)})
	for range n {
		got, err := br.Peek(len(want))
		require.NoError(t, err)
		if string(got) != string(want) {
			t.Fatalf("frame header %x, want %x", got, want)
		}
		_, err = br.Discard(len(want) + size)
		require.NoError(t, err)
	}
}

// BenchmarkRoundTrip is a message of 64 bytes to the other end and back, with TLS on both sides, all in one process.
func BenchmarkRoundTrip(b *testing.B) {
	s := newTestServer(b, Config{}, true)
	operator, agent := s.pair(b, ProtocolTerminal)
	ctx := context.Background()
	go func() {
		for {
			typ, p, err := agent.ReadMessage(ctx)
			if err != nil || agent.WriteMessage(ctx, typ, p) != nil {
				return
			}
		}
	}()
	p := make([]byte, 64)
	for b.Loop() {
		if err := operator.WriteMessage(ctx, Binary, p); err != nil {
			b.Fatal(err)
		}
		if _, _, err := operator.ReadMessage(ctx); err != nil {
			b.Fatal(err)
		}
	}
	agent.Close(0, "")
}
