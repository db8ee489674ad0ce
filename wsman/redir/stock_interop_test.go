//go:build linux

package redir

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/interop"
	"github.com/meshcentral-go/sdk/wsman/digest"
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
	return func(ctx context.Context, conn net.Conn) { ended <- d.Serve(ctx, patientConn{conn}) }
}

// patientConn bears a stock peer whose heartbeats are late, though it asked for a session that ends then.
type patientConn struct{ net.Conn }

func (patientConn) SetReadDeadline(time.Time) error { return nil }

// patientDevice is a testDevice that a slow start of a stock peer does not outlast.
func patientDevice(change func(*DeviceConfig)) *Device {
	return testDevice(func(c *DeviceConfig) {
		c.LoginTimeout, c.WriteTimeout = time.Hour, time.Hour
		if change != nil {
			change(c)
		}
	})
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
	media := map[DriveID]randomMedium{CD: {100 << 20}, Floppy: {1440 << 10}}
	results := make(chan copied, 1)
	ended := make(chan error, 1)
	port := listen(t, serveDevice(patientDevice(func(c *DeviceConfig) {
		c.IDER = func(ctx context.Context, h *IDERHost) error {
			for _, id := range []DriveID{CD, Floppy} {
				results <- copyOf(ctx, h, id)
			}
			return nil
		}
	}), ended))
	p := stock(t, stockOptions{Mode: "ider", Port: port, Image: writeImage(t, media[CD]), Floppy: writeImage(t, media[Floppy]), Start: 2})
	for _, id := range []DriveID{CD, Floppy} {
		r := waitFor(t, p, results, "a medium")
		require.NoError(t, r.err)
		require.Equal(t, StartNow, r.mode)
		require.Equal(t, media[id].size, r.n)
		require.Equal(t, media[id].sum(), r.hash.Sum(nil))
		t.Logf("%v: %d bytes from stock in %v, %.0f MB/s", id, r.n, r.took, float64(r.n)/1e6/r.took.Seconds())
	}
	require.NoError(t, waitFor(t, p, ended, "the end"))
	p.WaitLog(t, "stats")
}

// TestStockIDERQuirks: what amt-ider-module.js does otherwise than a drive would, and what it does right.
func TestStockIDERQuirks(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral)
	for start, mode := range []StartMode{StartOnReboot, StartGraceful, StartNow} {
		ended := make(chan error, 1)
		done := make(chan struct{})
		port := listen(t, serveDevice(patientDevice(func(c *DeviceConfig) {
			c.IDER = func(ctx context.Context, h *IDERHost) error {
				defer close(done)
				got, err := h.WaitDrives(ctx)
				if err != nil || got != mode {
					return fmt.Errorf("mode %v: %w", got, err)
				}
				return stockQuirks(ctx, h)
			}
		}), ended))
		p := stock(t, stockOptions{Mode: "ider", Port: port, Image: writeImage(t, randomMedium{2048 * 10}), Start: start})
		waitFor(t, p, done, "the end of the commands")
		require.NoError(t, waitFor(t, p, ended, "the end"))
	}
}

func stockQuirks(ctx context.Context, h *IDERHost) error {
	command := func(id DriveID, cdb [12]byte, write []byte) (DiskResult, error) {
		return h.Command(ctx, HostCommand{Drive: id, CDB: cdb, Into: make([]byte, 4096), Write: write})
	}
	for _, c := range []struct {
		name  string
		drive DriveID
		cdb   [12]byte
		write []byte
		want  DiskResult
	}{
		// The flag that chooses the form of the end reads the wrong way round.
		{"ready, first time", CD, SCSICommand{Op: OpTestUnitReady}.CDB(), nil, DiskResult{Drive: CD, Ended: true, Select: 0xB0}},
		{"ready without a medium", Floppy, SCSICommand{Op: OpTestUnitReady}.CDB(), nil, DiskResult{Drive: Floppy, Ended: true, Select: 0xA0}},
		{"read past the end", CD, SCSICommand{Op: OpRead10, LBA: 10, Blocks: 1}.CDB(), nil, DiskResult{Drive: CD, Ended: true, Select: 0xB0}},
		{"capacity without a medium", Floppy, SCSICommand{Op: OpReadCapacity}.CDB(), nil, DiskResult{Drive: Floppy, Sense: SenseNoMedium, Ended: true, Select: 0xA0}},
		{"disc info", CD, SCSICommand{Op: OpReadDiscInfo}.CDB(), nil, DiskResult{Drive: CD, Sense: SenseBadCommand, Ended: true, Select: 0xB0}},
		{"unknown", CD, [12]byte{0xFF}, nil, DiskResult{Drive: CD, Sense: SenseBadCommand, Ended: true, Select: 0xB0}},
		// The end of a write has the floppy's number.
		{"write", CD, SCSICommand{Op: OpWrite10, Blocks: 2}.CDB(), make([]byte, 1024), DiskResult{Drive: Floppy, N: 1024, Sense: SenseWriteProtected, Ended: true, Select: 0xA0}},
		{"capacity", CD, SCSICommand{Op: OpReadCapacity}.CDB(), nil, DiskResult{Drive: CD, N: 8, Select: 0xB0}},
		{"mode sense", CD, SCSICommand{Op: OpModeSense10, Page: 0x3F, Allocation: 255}.CDB(), nil, DiskResult{Drive: CD, N: 42, Select: 0xB0}},
	} {
		got, err := command(c.drive, c.cdb, c.write)
		if err != nil || got != c.want {
			return fmt.Errorf("%s: %+v, %w", c.name, got, err)
		}
	}
	if err := h.ReadBlocks(ctx, CD, 10, make([]byte, 2048)); !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read past the end: %w", err)
	}
	// A table of contents in an unknown format has no answer. The reset helps.
	err := h.do(func(b []byte) ([]byte, error) {
		toc := SCSICommand{Op: OpReadTOC, Format: 2, Allocation: 255}
		return h.host.Command(b, HostCommand{Drive: CD, CDB: toc.CDB(), Into: make([]byte, 255)})
	})
	if err != nil {
		return err
	}
	if err := h.Reset(ctx, 1); err != nil {
		return err
	}
	_, err = command(CD, SCSICommand{Op: OpReadTOC, Allocation: 255}.CDB(), nil)
	return err
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
			port := listen(t, serveDevice(patientDevice(nil), ended))
			o := c.options
			o.Mode, o.Port, o.Bytes = "sol", port, 300_000
			p := stock(t, o)
			require.NoError(t, waitFor(t, p, ended, "the end")) // more patient than WaitLog
			p.WaitLog(t, "echo true")
		})
	}
}

// TestStockThroughInterceptor: stock clients with credentials of their own come through.
func TestStockThroughInterceptor(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral)
	t.Run("redirection", func(t *testing.T) {
		ended := make(chan error, 1)
		device := patientDevice(nil)
		port := listen(t, func(ctx context.Context, operator net.Conn) {
			a, b := net.Pipe()
			served := make(chan error, 1)
			go func() { served <- device.Serve(ctx, patientConn{b}) }()
			ended <- errors.Join(Intercept(ctx, operator, a, NewRedirInterceptor(RedirInterceptorConfig{Credentials: testCredentials()})), <-served)
		})
		p := stock(t, stockOptions{Mode: "sol", Port: port, User: "mallory", Pass: "foreign", Bytes: 300_000})
		require.NoError(t, waitFor(t, p, ended, "the end"))
		p.WaitLog(t, "echo true")
	})
	t.Run("HTTP", func(t *testing.T) {
		const calls = 5
		ended := make(chan error, 2)
		memory := new(Memory)
		web := &amtWeb{nonces: digest.NewNonces(0, 0)}
		port := listen(t, func(ctx context.Context, operator net.Conn) {
			a, b := net.Pipe()
			served := make(chan struct{})
			go func() { defer close(served); web.serve(b) }()
			ended <- Intercept(ctx, operator, a, NewHTTPInterceptor(HTTPInterceptorConfig{
				Credentials: testCredentials(), Memory: memory, Key: "device",
			}))
			<-served
		})
		p := stock(t, stockOptions{Mode: "http", Port: port, User: "mallory", Pass: "foreign", Calls: calls})
		for range 2 { // the device closes after the first 401
			require.NoError(t, waitFor(t, p, ended, "the end"))
		}
		waitFor(t, p, p.Exited(), "the program's end")
		for n := range calls {
			require.Contains(t, p.Log(), fmt.Sprintf("answer 200 you sent <call n=\"%d\"/>", n))
		}
	})
}

// amtWeb is the web server of a device, which closes the connection with a 401.
type amtWeb struct{ nonces *digest.Nonces }

func (w *amtWeb) serve(conn net.Conn) {
	defer conn.Close() //nolint:errcheck // it is over
	r := bufio.NewReader(conn)
	for {
		request, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		a, err := digest.ParseAuthorization(request.Header.Get("Authorization"))
		if err != nil || a.Username != "admin" || w.nonces.Check(&a) != nil ||
			!a.Verify(&digest.Credentials{Username: "admin", Password: NewSecret(testPassword)}, request.Method, body) {
			challenge := digest.Challenge{Realm: testRealm, Nonce: w.nonces.New(), Auth: true, AuthInt: true}
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: %s\r\nContent-Length: 0\r\n\r\n", challenge.Append(nil))
			return
		}
		answer := "you sent " + string(body)
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(answer), answer)
	}
}

// TestStockKVM hands a stream over to amt-redir-ws.
func TestStockKVM(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral)
	ended := make(chan error, 1)
	port := listen(t, serveDevice(patientDevice(func(c *DeviceConfig) {
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
	p.WaitLog(t, `server "RFB 004.000\n"`) // what was printed takes a moment to arrive
}

// TestStockWrongPassword: a stock client answers every refusal with the next try, so it is the device that ends it.
func TestStockWrongPassword(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral)
	ended := make(chan error, 8)
	port := listen(t, serveDevice(patientDevice(nil), ended))
	p := stock(t, stockOptions{Mode: "sol", Port: port, User: "admin", Pass: "wrong", Bytes: 10})
	require.ErrorIs(t, waitFor(t, p, ended, "the end"), ErrCredentials)
	p.WaitLog(t, "state 0")
	require.NotContains(t, p.Log(), "state 3")
}
