package main

import (
	"context"
	"crypto/tls"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/internal/leakcheck"
	"github.com/meshcentral-go/sdk/mps/mpstest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// startServer is an MPS that takes everybody, and shows its own certificate. It hands over who is online.
func startServer(t *testing.T) (addr string, cert *tls.Certificate, online <-chan *apf.Conn) {
	t.Helper()
	cert, err := mpstest.NewCertificate("mps.example", "", nil)
	require.NoError(t, err)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{*cert}, ClientAuth: tls.RequestClientCert})
	require.NoError(t, err)
	ready := make(chan *apf.Conn, 100)
	config := &apf.ServerConfig{
		Authenticate:     func(context.Context, *apf.Login) error { return nil },
		AllowSkippedAuth: true,
		Ready:            func(c *apf.Conn) { ready <- c },
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { _ = apf.NewServerConn(c, config).Run(ctx) })
		}
	})
	t.Cleanup(func() { ln.Close(); cancel(); wg.Wait() })
	return ln.Addr().String(), cert, ready
}

// simulation is a running program.
type simulation struct {
	out  *io.PipeReader
	stop context.CancelFunc
	done chan error
	all  strings.Builder
}

func simulate(t *testing.T, args ...string) *simulation {
	t.Helper()
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	s := &simulation{out: r, stop: cancel, done: make(chan error, 1)}
	go func() {
		err := run(ctx, args, w, t.Output())
		w.Close()
		s.done <- err
	}()
	t.Cleanup(func() { cancel(); r.Close() })
	return s
}

// end stops the program, which has been read from as far as the test cares, and returns all that it has printed.
func (s *simulation) end(t *testing.T) string {
	t.Helper()
	s.stop()
	b, err := io.ReadAll(s.out)
	require.NoError(t, err)
	require.NoError(t, <-s.done)
	return s.all.String() + string(b)
}

// until reads what is printed until there was a text so many times.
func (s *simulation) until(t *testing.T, text string, times int) {
	t.Helper()
	buf := make([]byte, 4096)
	for strings.Count(s.all.String(), text) < times {
		n, err := s.out.Read(buf)
		s.all.Write(buf[:n])
		require.NoError(t, err, "it has printed %s", &s.all)
	}
}

func TestSimulation(t *testing.T) {
	addr, cert, online := startServer(t)
	sim := simulate(t, "-mps", addr, "-user", "u", "-pass", "P@ssw0rd", "-n", "3", "-uuid", "00112233-4455-6677-8899-AABBCCDDEEFF")
	sim.until(t, "online in", 3)
	seen := make(map[string]*apf.Conn)
	for range 3 {
		c := <-online
		seen[c.Login().UUID.String()] = c
	}
	for _, uuid := range []string{"00112233-4455-6677-8899-aabbccddeeff", "00112233-4455-6677-8899-aabbccddef00", "00112233-4455-6677-8899-aabbccddef01"} {
		require.Contains(t, seen, uuid)
		require.Contains(t, sim.all.String(), uuid+" connecting\n")
		require.Contains(t, sim.all.String(), uuid+" login\n")
	}
	for _, c := range seen {
		ch, err := c.Dial(t.Context(), "", 5900)
		require.NoError(t, err)
		_, err = io.WriteString(ch, "hello")
		require.NoError(t, err)
		b := make([]byte, 5)
		_, err = io.ReadFull(ch, b)
		require.NoError(t, err)
		require.Equal(t, "hello", string(b))
		ch.Close()
	}
	out := sim.end(t)
	pin := mpstest.PinOf(parse(t, cert))
	require.Equal(t, 1, strings.Count(out, "-pin "+pin.String()), out)
	require.Equal(t, 3, strings.Count(out, " stopped: "), out)
	require.Contains(t, out, "3 of 3 devices were online, in 3 sessions\n")
	require.NotContains(t, out, "P@ssw0rd")
}

// TestWhichServer shows that the server's certificate decides.
func TestWhichServer(t *testing.T) {
	addr, cert, _ := startServer(t)
	pin := mpstest.PinOf(parse(t, cert))
	ok := simulate(t, "-mps", addr, "-user", "u", "-pin", pin.String())
	ok.until(t, "online in", 1)
	require.NotContains(t, ok.end(t), "not verified")
	pin[0] ^= 1
	for _, args := range [][]string{{"-pin", pin.String()}, {"-root", writePEM(t, "CERTIFICATE", otherCertificate(t))}} {
		bad := simulate(t, append(args, "-mps", addr, "-user", "u")...)
		bad.until(t, "certificate is not trusted", 1)
		require.Contains(t, bad.end(t), "0 of 1 devices were online")
	}
}

// TestCertificates keeps the devices' certificates, and shows them to the server.
func TestCertificates(t *testing.T) {
	addr, _, online := startServer(t)
	dir := filepath.Join(t.TempDir(), "certs")
	group := strings.Repeat("g", 64)
	const uuid = "00112233-4455-6677-8899-aabbccddeeff"
	args := []string{"-mps", addr, "-certs", dir, "-uuid", uuid, "-insecure"}
	require.ErrorContains(t, run(t.Context(), args, io.Discard, io.Discard), "-group")
	sim := simulate(t, append(args, "-group", group)...)
	sim.until(t, "online in", 1)
	sim.end(t)
	require.Empty(t, (<-online).Login().User)
	before, err := os.ReadFile(filepath.Join(dir, uuid+".pem"))
	require.NoError(t, err)
	sim = simulate(t, args...)
	sim.until(t, "online in", 1)
	sim.end(t)
	after, err := os.ReadFile(filepath.Join(dir, uuid+".pem"))
	require.NoError(t, err)
	require.Equal(t, before, after)

	// The same file as the one certificate of two devices.
	sim = simulate(t, "-mps", addr, "-cert", filepath.Join(dir, uuid+".pem"), "-n", "2", "-insecure")
	sim.until(t, "online in", 2)
	require.Contains(t, sim.end(t), "sees one device")
}

func TestEndsByItself(t *testing.T) {
	addr, _, _ := startServer(t)
	var out strings.Builder
	require.NoError(t, run(t.Context(), []string{"-mps", addr, "-user", "u", "-for", "10ms"}, &out, io.Discard))
	require.Contains(t, out.String(), "in ")
}

func TestWhatEndsAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("{"), 0o600))
	base := []string{"-mps", "127.0.0.1:1", "-user", "u"}
	for want, args := range map[string][]string{
		"-mps is missing":         {},
		"has to log in":           {"-mps", "127.0.0.1:1"},
		"-nonsense":               {"-nonsense"},
		`unexpected argument "x"`: append(base, "x"),
		"-pass and -pass-file":    append(base, "-pass", "a", "-pass-file", file),
		"-pass-file":              append(base, "-pass-file", file+"x"),
		"-cert and -certs":        append(base, "-cert", file, "-certs", file),
		"-key goes with":          append(base, "-key", file),
		"-group goes with":        append(base, "-group", "g"),
		"64 characters, not 1":    append(base, "-certs", file, "-group", "g"),
		"exclude each other":      append(base, "-insecure", "-pin", "00"),
		"-pin":                    append(base, "-pin", "00"),
		"-root: no certificate":   append(base, "-root", file),
		"-server-name":            append(base, "-server-name", "x"),
		"above zero":              append(base, "-n", "0"),
		"is no port":              append(base, "-ports", "16992,x"),
		"-serve":                  append(base, "-serve", "x"),
		"-conn-type":              append(base, "-conn-type", "x"),
		"-mei-state goes with":    append(base, "-mei-state", file),
		"not JSON":                append(base, "-conn-type", "lms", "-mei-state", file),
		"-uuid":                   append(base, "-uuid", "x"),
		"-tls can be":             append(base, "-tls", "2"),
		"-cert: ":                 append(base, "-cert", file),
		"it is HOST:PORT":         {"-mps", "https://mesh.example", "-user", "u"},
		"window":                  append(base, "-window", "100", "-adjust-step", "499"),
	} {
		err := run(t.Context(), args, io.Discard, io.Discard)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "\n")
	}
	var help strings.Builder
	require.ErrorIs(t, run(t.Context(), []string{"-h"}, io.Discard, &help), flag.ErrHelp)
	require.Contains(t, help.String(), "-split-writes")
}

// TestHTTP shows the page that is behind the ports.
func TestHTTP(t *testing.T) {
	addr, _, online := startServer(t)
	sim := simulate(t, "-mps", addr, "-user", "u", "-insecure", "-serve", "http", "-ports", "16992, 16993", "-firmware")
	sim.until(t, "online in", 1)
	c := <-online
	require.Equal(t, []uint16{16993, 16992}, c.Ports())
	var ch net.Conn
	ch, err := c.Dial(t.Context(), "", 16992)
	require.NoError(t, err)
	_, err = io.WriteString(ch, "GET / HTTP/1.0\r\n\r\n")
	require.NoError(t, err)
	b, err := io.ReadAll(ch)
	require.NoError(t, err)
	require.Contains(t, string(b), "A simulated Intel AMT device.")
	sim.end(t)
}
