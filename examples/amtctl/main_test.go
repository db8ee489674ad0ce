package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"flag"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/leakcheck"
	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC
	leakcheck.Main(m)
}

var update = flag.Bool("update", false, "write the golden files")

// world is a machine on which the program runs.
type world struct {
	*system
	stdout, stderr bytes.Buffer
	env            map[string]string
	asked          []string
	answers        []string
}

// now is when all of it happens.
var now = time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)

// newWorld is one without a terminal, and with nothing set.
func newWorld() *world {
	w := &world{env: map[string]string{}}
	w.system = &system{
		in: bufio.NewReader(strings.NewReader("")), out: &w.stdout, err: &w.stderr,
		getenv: func(name string) string { return w.env[name] },
		now:    func() time.Time { return now },
		pause:  func(context.Context, time.Duration) error { return nil },
		readSecret: func(ctx context.Context, prompt string) (string, error) {
			w.asked = append(w.asked, prompt)
			if len(w.answers) == 0 {
				<-ctx.Done()
				return "", context.Cause(ctx)
			}
			answer := w.answers[0]
			w.answers = w.answers[1:]
			return answer, nil
		},
		rawTerminal: func() (func(), error) { return func() {}, nil },
	}
	return w
}

// reads gives the program something to read. What it had before may still be read: nothing ends the reading of a terminal.
func (w *world) reads(from io.Reader) { w.in = bufio.NewReader(from) }

// run runs the program and returns its exit code and what it printed. A secret in that makes it leaked.
func (w *world) run(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	w.stdout.Reset()
	w.stderr.Reset()
	code = run(ctx, args, w.system)
	stdout, stderr = w.stdout.String(), w.stderr.String()
	for name, value := range w.env {
		if strings.Contains(name, "PASS") && value != "" && strings.Contains(stdout+stderr, value) {
			return leaked, stdout, stderr
		}
	}
	return code, stdout, stderr
}

// leaked is no exit code of the program.
const leaked = -1

// No command prints a secret, also when it tells each step.
func TestSecretsAreNotPrinted(t *testing.T) {
	w, m := furnished(t, wsmantest.Config{})
	w.env["AMTCTL_CIRA_PASSWORD"], w.env["AMTCTL_IMAGE_PASSWORD"] = "C1ra-Secret!", "im4ge-secret"
	by, err := (&app{system: w.system}).throwaway()
	require.NoError(t, err)
	root, err := by.selfSigned()
	require.NoError(t, err)
	for _, args := range [][]string{
		{"info"},
		{"cira", "set", "--server", "mps.example.org", "--root", write(t, "root.der", root), "--mps-user", "abcdefgh"},
		{"boot", "https", "--image", "https://x/boot", "--image-user", "u"},
		{"wifi", "set", "home", "--ssid", "home"},
		{"wifi", "show"},
		{"users", "set", "operator", "--may", "redirection"},
		{"users", "list"},
		{"log", "--audit"},
		{"sol", "--linger", "1ms"},
		{"users", "admin"},
	} {
		for _, form := range []string{"-v", "--json"} {
			if form == "--json" && (args[0] == "sol" || len(args) > 1 && args[1] == "admin") {
				continue
			}
			w.ok(t, append(m.at(args...), form)...)
		}
	}
}

// ok runs the program, which has to succeed, and returns its output.
func (w *world) ok(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := w.run(t.Context(), args...)
	require.Equal(t, exitDone, code, "%v: %s", args, stderr)
	return stdout
}

// fails runs the program, which has to end with a code, and returns what it said.
func (w *world) fails(t *testing.T, code int, args ...string) string {
	t.Helper()
	got, stdout, stderr := w.run(t.Context(), args...)
	require.Equal(t, code, got, "%v: %s%s", args, stdout, stderr)
	require.Contains(t, stderr, "amtctl: ", args)
	return stderr
}

// password is that of the administrator. No output holds it.
const password = "N3ver-Shown!"

// machine is a simulated device behind ports of loopback.
type machine struct {
	*wsmantest.Device
	ports map[uint16]int // of loopback, by the device's
}

// newMachine starts a device, of which everything is determined but keys.
func newMachine(t *testing.T, cfg wsmantest.Config) *machine {
	t.Helper()
	cfg.UUID = [16]byte{0x4c, 0x4c, 0x45, 0x44, 0x00, 0x31, 0x32, 0x10, 0x80, 0x33, 0xb4, 0xc0, 0x4f, 0x4e, 0x4d, 0x31}
	cfg.Now = func() time.Time { return now }
	cfg.Rand = &dice{source: rand.NewChaCha8([32]byte{1})}
	if cfg.HostName == "" {
		cfg.HostName, cfg.Domain = "pc1", "example.org"
	}
	if cfg.Password.Reveal() == "" {
		cfg.Password = wsman.NewSecret(password)
	}
	m := &machine{Device: wsmantest.New(cfg), ports: map[uint16]int{}}
	t.Cleanup(m.Close)
	for _, port := range []uint16{wsmantest.PortHTTP, wsmantest.PortHTTPS, wsmantest.PortRedirection, wsmantest.PortRedirectionTLS} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		var wg sync.WaitGroup
		wg.Go(func() { _ = m.Serve(l, port) })
		t.Cleanup(func() { l.Close(); wg.Wait() })
		m.ports[port] = l.Addr().(*net.TCPAddr).Port
	}
	return m
}

// dice is a source of randomness that repeats.
type dice struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

func (d *dice) Read(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.source.Read(b)
}

// at are the flags with which a machine is reached.
func (m *machine) at(args ...string) []string {
	return append(args, "--host", "127.0.0.1:"+strconv.Itoa(m.ports[wsmantest.PortHTTP]),
		"--redirection-port", strconv.Itoa(m.ports[wsmantest.PortRedirection]))
}

// overTLS are those for TLS.
func (m *machine) overTLS(args ...string) []string {
	return append(args, "--tls", "--host", "127.0.0.1:"+strconv.Itoa(m.ports[wsmantest.PortHTTPS]),
		"--redirection-port", strconv.Itoa(m.ports[wsmantest.PortRedirectionTLS]))
}

func (m *machine) pin(t *testing.T) string {
	t.Helper()
	on, cert := m.TLS()
	require.True(t, on)
	return wsman.PinOf(cert).String()
}

// on makes a world that knows a machine's password.
func on(t *testing.T, cfg wsmantest.Config) (*world, *machine) {
	t.Helper()
	w := newWorld()
	w.env["AMTCTL_PASSWORD"] = password
	return w, newMachine(t, cfg)
}

// write makes a file and returns its path.
func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

// compare compares output with a golden file, made by this test with -update and looked over.
func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got, name)
}

func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &v), text)
	return v
}

// parse reads a certificate.
func parse(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}
