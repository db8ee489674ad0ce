//go:build linux

package redir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/interop"
)

// stockOptions are those of testdata/stock.js.
type stockOptions struct {
	Mode        string         `json:"mode"`
	Package     string         `json:"package"`
	Port        int            `json:"port"`
	User        string         `json:"user"`
	Pass        string         `json:"pass"`
	Image       string         `json:"image,omitempty"`
	Floppy      string         `json:"floppy,omitempty"`
	Start       int            `json:"start"`
	Bytes       int            `json:"bytes,omitempty"`
	Stay        int            `json:"stay,omitempty"`
	Calls       int            `json:"calls,omitempty"`
	Interceptor map[string]any `json:"interceptor,omitempty"`
}

func stock(t *testing.T, o stockOptions) *interop.Program {
	t.Helper()
	o.Package = interop.PackageDir(t)
	if o.User == "" {
		o.User, o.Pass = "admin", testPassword
	}
	text, err := json.Marshal(o)
	require.NoError(t, err)
	return interop.StartProgram(t, exec.Command("node", filepath.Join("testdata", "stock.js"), string(text)))
}

// listen serves connections on loopback until the test ends, and returns the port.
func listen(t *testing.T, serve func(ctx context.Context, conn net.Conn)) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serve(ctx, conn) })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		wg.Wait()
	})
	return l.Addr().(*net.TCPAddr).Port
}

func serveDevice(d *Device, ended chan<- error) func(context.Context, net.Conn) {
	return func(ctx context.Context, conn net.Conn) { ended <- d.Serve(ctx, conn) }
}

// waitFor waits generously.
func waitFor[T any](t *testing.T, p *interop.Program, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(3 * time.Minute):
		t.Fatalf("%s did not come; the log:\n%s", what, p.Log())
		panic("unreachable")
	}
}

func writeImage(t *testing.T, m randomMedium) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "image")
	f, err := os.Create(name)
	require.NoError(t, err)
	_, err = io.Copy(f, io.NewSectionReader(m, 0, m.size))
	require.NoError(t, errors.Join(err, f.Close()))
	return name
}

// TestStockIDER reads a CD and a floppy that amt-ider-module.js serves.
func TestStockIDER(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral)
	cd, floppy := randomMedium{100 << 20}, randomMedium{1440 << 10}
	results := make(chan copied, 2)
	ended := make(chan error, 1)
	var took time.Duration
	d := testDevice(func(c *DeviceConfig) {
		c.IDER = func(ctx context.Context, h *IDERHost) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			began := time.Now()
			one := make(chan copied, 1)
			for _, id := range []DriveID{CD, Floppy} {
				go func() { <-ctx.Done() }()
				sub, done := context.WithCancel(ctx)
				go func() { r := <-one; took = time.Since(began); results <- r; done() }()
				if err := copyMedium(id, one)(sub, h); err != nil {
					return err
				}
			}
			return nil
		}
	})
	port := listen(t, serveDevice(d, ended))
	p := stock(t, stockOptions{Mode: "ider", Port: port, Image: writeImage(t, cd), Floppy: writeImage(t, floppy), Start: 2})
	for _, m := range []randomMedium{cd, floppy} {
		r := waitFor(t, p, results, "a medium")
		require.NoError(t, r.err)
		require.Equal(t, StartNow, r.mode)
		require.Equal(t, m.size, r.n)
		require.Equal(t, m.sum(), r.hash.Sum(nil))
		t.Logf("%d MiB from stock after %v", m.size>>20, took)
	}
	require.NoError(t, waitFor(t, p, ended, "the end"))
	p.WaitLog(t, "stats")
}

// TestStockSOL lets amt-redir-ws type and see what it has typed.
func TestStockSOL(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral)
	for _, c := range []struct {
		name    string
		options stockOptions
	}{
		{"own credentials", stockOptions{}},
		{"through the stock interceptor", stockOptions{
			User: "admin", Pass: "wrong", Interceptor: map[string]any{"user": "admin", "pass": testPassword},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ended := make(chan error, 1)
			port := listen(t, serveDevice(testDevice(nil), ended))
			o := c.options
			o.Mode, o.Port, o.Bytes = "sol", port, 300_000
			p := stock(t, o)
			p.WaitLog(t, "echo true")
			require.NoError(t, waitFor(t, p, ended, "the end"))
		})
	}
}

// TestStockKVM hands a stream over to amt-redir-ws.
func TestStockKVM(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral)
	ended := make(chan error, 1)
	port := listen(t, serveDevice(testDevice(func(c *DeviceConfig) {
		c.KVM = func(_ context.Context, rfb net.Conn) error {
			if _, err := rfb.Write([]byte("RFB 004.000\n")); err != nil {
				return err
			}
			answer := make([]byte, 12)
			if _, err := io.ReadFull(rfb, answer); err != nil {
				return err
			}
			if string(answer) != "RFB 003.008\n" {
				return fmt.Errorf("answer %q", answer)
			}
			return nil
		}
	}), ended))
	p := stock(t, stockOptions{Mode: "kvm", Port: port})
	require.NoError(t, waitFor(t, p, ended, "the end"))
	require.Contains(t, p.Log(), `server "RFB 004.000\n"`)
}

// TestStockWrongPassword: a stock client answers every refusal with the next try, so it is the device that ends it.
func TestStockWrongPassword(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral)
	ended := make(chan error, 8)
	port := listen(t, serveDevice(testDevice(nil), ended))
	p := stock(t, stockOptions{Mode: "sol", Port: port, User: "admin", Pass: "wrong", Bytes: 10})
	require.ErrorIs(t, waitFor(t, p, ended, "the end"), ErrCredentials)
	p.WaitLog(t, "state 0")
	require.NotContains(t, p.Log(), "state 3")
}
