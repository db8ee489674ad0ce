package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/internal/leakcheck"
	"github.com/meshcentral-go/sdk/mps/mpstest"
	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// startServer is an MPS that takes everybody, and shows its own certificate. It hands over who is online.
func startServer(t *testing.T) (addr string, cert *tls.Certificate, online <-chan *apf.Conn) {
	t.Helper()
	return startServerThat(t, nil)
}

// startServerThat lets a function change its configuration.
func startServerThat(t *testing.T, change func(*apf.ServerConfig)) (addr string, cert *tls.Certificate, online <-chan *apf.Conn) {
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
		LoginTime:        2 * time.Minute, OpenTimeout: 2 * time.Minute,
	}
	if change != nil {
		change(config)
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

// simulation is a running program, with all that it has printed.
type simulation struct {
	stop context.CancelFunc
	done chan error

	mu      sync.Mutex
	printed strings.Builder
	changed chan struct{} // closed and replaced by every line
}

func simulate(t *testing.T, args ...string) *simulation {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &simulation{stop: cancel, done: make(chan error, 1), changed: make(chan struct{})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.done <- run(ctx, args, s, t.Output())
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return s
}

// Write implements [io.Writer].
func (s *simulation) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
	return s.printed.Write(b)
}

func (s *simulation) all() (string, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.printed.String(), s.changed
}

// end stops the program and returns all that it has printed.
func (s *simulation) end(t *testing.T) string {
	t.Helper()
	s.stop()
	require.NoError(t, <-s.done)
	out, _ := s.all()
	return out
}

// until waits until a text was printed so many times, and returns all that was.
func (s *simulation) until(t *testing.T, text string, times int) string {
	t.Helper()
	for {
		out, changed := s.all()
		if strings.Count(out, text) >= times {
			return out
		}
		select {
		case <-changed:
		case <-time.After(5 * time.Minute):
			t.Fatalf("it has not printed %q, but %s", text, out)
		}
	}
}

func TestSimulation(t *testing.T) {
	addr, cert, online := startServer(t)
	sim := simulate(t, "-mps", addr, "-user", "u", "-pass", "P@ssw0rd", "-n", "3", "-serve", "echo", "-uuid", "00112233-4455-6677-8899-AABBCCDDEEFF")
	out := sim.until(t, "online in", 3)
	seen := make(map[string]*apf.Conn)
	for range 3 {
		c := <-online
		seen[c.Login().UUID.String()] = c
	}
	for _, uuid := range []string{"00112233-4455-6677-8899-aabbccddeeff", "00112233-4455-6677-8899-aabbccddef00", "00112233-4455-6677-8899-aabbccddef01"} {
		require.Contains(t, seen, uuid)
		require.Contains(t, out, uuid+" connecting\n")
		require.Contains(t, out, uuid+" login\n")
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
	out = sim.end(t)
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
	require.Empty(t, (<-online).Login().User) // before the end, at which a server may not have noticed yet that it is ready
	sim.end(t)
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
	require.Contains(t, out.String(), "of 1 devices were online, in ")
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
		"-amt-mode":               append(base, "-amt-mode", "x"),
		"-amt-version":            append(base, "-amt-version", "x"),
		"WS-Management begins":    append(base, "-amt-version", "5"),
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

// generalSettings is a part of a class.
type generalSettings struct {
	HostName string `wsman:"HostName"`
}

// Class implements [wsman.Instance].
func (*generalSettings) Class() string { return "AMT_GeneralSettings" }

// client is one for the machine behind a connection.
func client(t *testing.T, c *apf.Conn, password string, useTLS bool) *wsman.Client {
	t.Helper()
	cfg := wsman.Config{
		Address: "amt:16992", Username: "admin", Password: wsman.NewSecret(password),
		Dial: func(ctx context.Context, _, addr string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			n, err := strconv.ParseUint(port, 10, 16)
			if err != nil {
				return nil, err
			}
			return c.Dial(ctx, "", uint16(n))
		},
	}
	if useTLS {
		cfg.Address, cfg.TLS = "amt:16993", &wsman.TLSConfig{AcceptAny: true}
	}
	client, err := wsman.NewClient(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// TestMachine manages the machine behind the ports.
func TestMachine(t *testing.T) {
	addr, _, online := startServer(t)
	sim := simulate(t, "-mps", addr, "-user", "u", "-insecure", "-amt-pass", "Secr3t!x", "-amt-tls")
	sim.until(t, "online in", 1)
	c := <-online
	require.Equal(t, mpstest.AMTPorts(), c.Ports())
	for _, useTLS := range []bool{false, true} {
		settings, err := wsman.Get[generalSettings](t.Context(), client(t, c, "Secr3t!x", useTLS))
		require.NoError(t, err)
		require.Contains(t, settings.HostName, "amt-")
	}
	out := sim.end(t)
	require.NotContains(t, out, "Secr3t!x")
}

// tlsSettings is a part of a class.
type tlsSettings struct {
	Enabled bool `wsman:"Enabled"`
	Extra   []wsman.Element
}

// Class implements [wsman.Instance].
func (*tlsSettings) Class() string { return "AMT_TLSSettingData" }

// TestPortsOfMachine switches the machine's TLS off: its ports go.
func TestPortsOfMachine(t *testing.T) {
	changed := make(chan []uint16, 100)
	addr, _, online := startServerThat(t, func(c *apf.ServerConfig) {
		c.PortsChanged = func(c *apf.Conn) { changed <- c.Ports() }
	})
	sim := simulate(t, "-mps", addr, "-user", "u", "-insecure", "-amt-tls")
	sim.until(t, "online in", 1) // with all ports, for which the server may not have waited
	operator := client(t, <-online, wsmantest.DefaultPassword, false)
	remote := wsman.Selector{Name: "InstanceID", Value: "Intel(r) AMT 802.3 TLS Settings"}
	settings, err := wsman.Get[tlsSettings](t.Context(), operator, remote)
	require.NoError(t, err)
	require.True(t, settings.Enabled)
	settings.Enabled = false
	_, err = wsman.Put(t.Context(), operator, settings, remote)
	require.NoError(t, err)
	service := wsman.Ref{ResourceURI: wsman.ResourceURI("AMT_SetupAndConfigurationService")}
	_, err = wsman.Invoke[struct{}](t.Context(), operator, service, "CommitChanges", nil, wsman.PTStatus)
	require.NoError(t, err)
	for {
		select {
		case ports := <-changed:
			if !slices.Contains(ports, 16993) && !slices.Contains(ports, 16995) && !slices.Contains(ports, 664) {
				require.ElementsMatch(t, []uint16{16992, 623, 16994, 5900}, ports)
				return
			}
		case <-time.After(5 * time.Minute):
			t.Fatal("the ports are forwarded still")
		}
	}
}

// TestAgentsConnection is one as MeshCentral's agents make it, with the state of the machine.
func TestAgentsConnection(t *testing.T) {
	states := make(chan json.RawMessage, 10)
	addr, _, online := startServerThat(t, func(c *apf.ServerConfig) {
		c.Control = func(_ *apf.Conn, j apf.JSONControl) {
			if j.Action() == apf.ActionMEIState {
				states <- j.Value()
			}
		}
	})
	sim := simulate(t, "-mps", addr, "-user", "u", "-insecure", "-conn-type", "lms", "-amt-version", "15")
	sim.until(t, "online in", 1)
	c := <-online
	require.Equal(t, apf.ConnLMS, c.Login().ConnType)
	require.Equal(t, []uint16{16992, 16993}, c.Ports())
	var state struct {
		UUID     string
		Versions struct{ AMT string }
	}
	require.NoError(t, json.Unmarshal(<-states, &state))
	require.Equal(t, c.Login().UUID.String(), state.UUID)
	require.Equal(t, "15.0.35", state.Versions.AMT)

	// The server has nothing more to do, and so has the program.
	require.NoError(t, c.SendControl(t.Context(), apf.Control(apf.ActionClose)))
	sim.until(t, "stopped: "+mpstest.ErrDismissed.Error(), 1)
	sim.until(t, "1 of 1 devices were online", 1)
	require.NoError(t, <-sim.done)
}
