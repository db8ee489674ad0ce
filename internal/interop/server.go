package interop

import (
	"context"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// startTimeout is generous: on a busy machine of two cores several test
// binaries start servers at once.
const startTimeout = 5 * time.Minute

// ServerOptions changes what StartServer starts. The zero value is a server on
// free ports with a data directory of its own.
type ServerOptions struct {
	// Settings and Domain are written over the entries of config.json's
	// "settings" and of its domain "".
	Settings, Domain map[string]any
	// DataDir is a data directory to start on, as a server left it; its
	// config.json is written anew. Empty means a new one.
	DataDir string
	// Fresh makes new certificates, a new ServerID and a new account instead of
	// the ones that all other servers share. It costs five seconds.
	Fresh bool
	// Port is the HTTPS port; 0 means a free one.
	Port int
}

// Server is a stock MeshCentral on 127.0.0.1.
type Server struct {
	Program
	options ServerOptions
	dataDir string
	ports   ports
	release []func()
}

// StartServer starts a server and returns when it accepts connections. It is
// stopped when the test ends; if the test has failed by then, the end of the
// server's log is printed.
func StartServer(t testing.TB, options ServerOptions) *Server {
	t.Helper()
	Require(t, PeerMeshCentral)
	s := newServer(options, options.DataDir)
	if s.dataDir == "" {
		s.dataDir = t.TempDir()
		if err := newDataDir(t.Context(), s.dataDir, options.Fresh); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(s.releasePorts)
	s.endWith(t)
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	if err := s.listenAnywhere(ctx); err != nil {
		t.Fatal(err)
	}
	return s
}

func newServer(options ServerOptions, dataDir string) *Server {
	return &Server{Program: newProgram("the stock server", stopGrace), options: options, dataDir: dataDir}
}

// listenAnywhere reserves ports and starts the server, again with others if
// something that does not ask for reservations took one.
func (s *Server) listenAnywhere(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		if err := s.reservePorts(); err != nil {
			return err
		}
		mark := s.log.mark()
		err := s.start(ctx)
		if err == nil {
			return nil
		}
		s.Stop()
		s.releasePorts()
		if said, _ := s.log.since(mark); attempt == 3 || s.options.Port != 0 || !containsAny(said, portTaken) {
			return err
		}
	}
}

// portTaken is how the server says that something listens where it wants to.
var portTaken = []string{"not available", "EADDRINUSE"}

func (s *Server) reservePorts() error {
	s.ports.https = s.options.Port
	for _, port := range []*int{&s.ports.https, &s.ports.redirect, &s.ports.mps} {
		if port == &s.ports.https && *port != 0 {
			continue
		}
		number, release, err := reservePort()
		if err != nil {
			return err
		}
		*port = number
		s.release = append(s.release, release)
	}
	return nil
}

func (s *Server) releasePorts() {
	for _, release := range s.release {
		release()
	}
	s.release = nil
}

// command returns the server's command line. It is the one with which its own
// launcher runs it: a server under the launcher is a grandchild, which outlives
// a killed test binary. With --launch it ends when its standard input does.
func (s *Server) command(ctx context.Context, args ...string) (*exec.Cmd, error) {
	install, err := installPackage(ctx)
	if err != nil {
		return nil, err
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(node, append([]string{
		"--disable-proto=delete", packageIn(install), "--datapath", s.dataDir, "--launch", strconv.Itoa(os.Getpid()),
	}, args...)...)
	cmd.Dir = install
	// The pipe's other end is closed by Wait, or by the end of this process.
	_, err = cmd.StdinPipe()
	return cmd, err
}

func (s *Server) start(ctx context.Context) error {
	if err := writeConfig(s.dataDir, s.ports, s.options.Settings, s.options.Domain); err != nil {
		return err
	}
	cmd, err := s.command(ctx)
	if err != nil {
		return err
	}
	mark := s.log.mark()
	if err := s.launch(cmd, false); err != nil {
		return err
	}
	for _, listens := range s.listeners() {
		if err := s.log.wait(ctx, s.proc.done, mark, listens...); err != nil {
			return fmt.Errorf("interop: the stock server did not start: %w", err)
		}
	}
	// It goes on without a redirection server.
	if said, _ := s.log.since(mark); containsAny(said, portTaken) {
		return fmt.Errorf("interop: the stock server did not get a port: %q", lastBytes(said, shownLog))
	}
	return nil
}

// listeners returns what the server prints about each of its ports when it
// listens there. It does not say in which order.
func (s *Server) listeners() [][]string {
	all := [][]string{{"MeshCentral HTTPS server running on", "MeshCentral HTTP server running on"}}
	// By the test's settings there may be no such port.
	if s.lacksSetting("mpsport") && s.lacksSetting("lanonly") {
		all = append(all, []string{"MeshCentral Intel(R) AMT server running on"})
	}
	if s.lacksSetting("redirport") {
		all = append(all, append([]string{"MeshCentral HTTP redirection server running on"}, portTaken...))
	}
	return all
}

// lacksSetting says that the test sets nothing of that name, for which case does not matter.
func (s *Server) lacksSetting(name string) bool {
	for key := range s.options.Settings {
		if strings.EqualFold(key, name) {
			return false
		}
	}
	return true
}

// Restart stops the server if it runs and starts it on the same data directory
// and ports. The ports stay reserved while it is stopped, until the test ends.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	if err := s.start(ctx); err != nil {
		t.Fatal(err)
	}
}

// Port returns the HTTPS port.
func (s *Server) Port() int { return s.ports.https }

// RedirectPort returns the port of the plain HTTP server.
func (s *Server) RedirectPort() int { return s.ports.redirect }

// MPSPort returns the port on which Intel AMT devices connect.
func (s *Server) MPSPort() int { return s.ports.mps }

// Addr returns the HTTPS address, host and port.
func (s *Server) Addr() string { return "127.0.0.1:" + strconv.Itoa(s.ports.https) }

// URL returns the address of the server's pages, without a final slash.
func (s *Server) URL() string { return "https://" + s.Addr() }

// AgentURL returns the address that agents connect to.
func (s *Server) AgentURL() string { return "wss://" + s.Addr() + "/agent.ashx" }

// ControlURL returns the address that users and meshctrl connect to.
func (s *Server) ControlURL() string { return "wss://" + s.Addr() + "/control.ashx" }

// DataDir returns the data directory with certificates, database and config.json.
func (s *Server) DataDir() string { return s.dataDir }

// certificate reads one of the server's certificates.
func (s *Server) certificate(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	cert, err := readCertificate(filepath.Join(s.dataDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// readCertificate reads a file with one certificate.
func readCertificate(name string) (*x509.Certificate, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("interop: %s: no PEM block", name)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("interop: %s: %w", name, err)
	}
	return cert, nil
}

// WebCertificate returns the certificate that the server shows to its clients.
func (s *Server) WebCertificate(t testing.TB) *x509.Certificate {
	t.Helper()
	return s.certificate(t, "webserver-cert-public.crt")
}

// ServerID returns the hash of the agent server's key as 96 lower-case
// hexadecimal digits.
func (s *Server) ServerID(t testing.TB) string {
	t.Helper()
	key, ok := s.certificate(t, "agentserver-cert-public.crt").PublicKey.(*rsa.PublicKey)
	if !ok {
		t.Fatal("interop: the agent server's key is not RSA")
	}
	id := sha512.Sum384(x509.MarshalPKCS1PublicKey(key))
	return hex.EncodeToString(id[:])
}

// TLSConfig returns a client configuration that accepts the server's
// certificate and no other.
func (s *Server) TLSConfig(t testing.TB) *tls.Config {
	t.Helper()
	want := s.WebCertificate(t)
	return &tls.Config{
		InsecureSkipVerify: true, // replaced by the comparison below
		VerifyConnection: func(state tls.ConnectionState) error {
			if !state.PeerCertificates[0].Equal(want) {
				return errors.New("interop: that is not the stock server's certificate")
			}
			return nil
		},
	}
}

// MSH returns the settings file with which an agent joins a device group, given
// by its id with or without "mesh//".
func (s *Server) MSH(t testing.TB, group string) []byte {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: s.TLSConfig(t), DisableKeepAlives: true}
	client := &http.Client{Transport: transport, Timeout: patience}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		s.URL()+"/meshsettings?id="+url.QueryEscape(strings.TrimPrefix(group, "mesh//")), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	msh, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(msh), "MeshID=") {
		t.Fatalf("interop: meshsettings of group %q: %s: %.200q", group, resp.Status, msh)
	}
	return msh
}
