package main

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/interop"
	"github.com/meshcentral-go/sdk/mps/mpstest"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// busyTime is how long what has to happen may take on a machine that is busy.
const busyTime = 2 * time.Minute

// site is a server that simulated devices call, and an operator who reaches them through it.
type site struct {
	url, pin string
	mps      string
	group    string // its id without "mesh//"
	client   *controlproto.Client
}

// connect logs in as the administrator and makes a group for devices.
func (s *site) connect(t *testing.T) {
	t.Helper()
	w := s.operator("", "")
	v := &server{session: &session{app: &app{system: w.system}}}
	v.flags.pin = s.pin
	require.NoError(t, v.trustServer())
	c, err := controlproto.Dial(t.Context(), s.url, controlproto.PasswordLogin{User: interop.User, Password: controlproto.NewSecret(interop.Password)},
		controlproto.ClientConfig{TLSConfig: v.tls, DialTime: busyTime, LoginTime: busyTime, DefaultTimeout: busyTime})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	group, err := c.AddDeviceGroup(t.Context(), &controlproto.CreateMesh{Name: "amt", GroupType: controlproto.GroupAMT})
	require.NoError(t, err)
	s.client, s.group = c, strings.TrimPrefix(string(group), "mesh//")
}

// operator makes a world that knows the server and a device on it.
func (s *site) operator(device, password string) *world {
	w := newWorld()
	w.env["AMTCTL_URL"], w.env["AMTCTL_LOGINUSER"], w.env["AMTCTL_LOGINPASS"] = s.url, interop.User, interop.Password
	w.env["AMTCTL_DEVICE"], w.env["AMTCTL_PASSWORD"] = device, password
	return w
}

// join has a device call the server, with these ports, and returns its id when it is online.
func (s *site) join(t *testing.T, m *machine, ports ...uint16) string {
	t.Helper()
	uuid, err := apf.ParseUUID(m.UUID())
	require.NoError(t, err)
	uuid[0] ^= byte(ports[0]) // devices are told apart by it
	handlers := map[uint16]mpstest.Handler{}
	for _, p := range ports {
		handlers[p] = m.Handler(p)
	}
	device, err := mpstest.NewDevice(mpstest.Config{
		Server: s.mps, Trust: mpstest.Trust{Insecure: true}, UUID: uuid, User: s.group[:16], Password: mpstest.NewSecret("P@ssw0rd"),
		Backoff: mpstest.Backoff{Interval: 200 * time.Millisecond, Retries: -1}, LoginTime: 3 * time.Minute, Ports: handlers,
	})
	require.NoError(t, err)
	t.Cleanup(device.Close)
	device.Start()
	id := "node//" + strings.NewReplacer("+", "@", "/", "$").Replace(base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(uuid[:]), 3))))
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(3 * time.Minute); ; <-tick.C {
		devices, err := s.client.Devices(t.Context(), controlproto.DeviceFilter{})
		require.NoError(t, err)
		for _, d := range devices {
			if string(d.ID) == id && d.Conn&controlproto.ConnCIRA != 0 {
				return id
			}
		}
		require.True(t, time.Now().Before(deadline), "the device is not online")
	}
}

// store has the server keep a device's credentials.
func (s *site) store(t *testing.T, device string) {
	t.Helper()
	require.NoError(t, s.client.EditDevice(t.Context(), &controlproto.ChangeDevice{
		DeviceID: controlproto.ID(device), AMT: &controlproto.AMTLogin{User: "admin", Password: controlproto.NewSecret(password)},
	}))
}

// reaches goes through what the tool does with a device through the server.
func (s *site) reaches(t *testing.T, m *machine, ports ...uint16) {
	id := s.join(t, m, ports...)
	flags := []string{"--pin", s.pin, "--wait", busyTime.String()}
	w := s.operator(id, password)
	do := func(args ...string) string {
		t.Helper()
		return w.ok(t, append(args, flags...)...)
	}

	// With credentials of one's own.
	r := decode[report](t, do("info", "--json"))
	require.Equal(t, "pc1", r.HostName)
	require.Equal(t, m.UUID(), r.UUID)
	require.Equal(t, m.Realm(), r.Realm)
	require.Contains(t, m.Version(), r.AMT)
	require.NotEmpty(t, r.Memory)
	require.Equal(t, "on (S0)\n", do("power"))
	require.Equal(t, "off (S5)\n", do("power", "off"))
	require.Equal(t, wsmantest.PowerOffSoft, m.Power())
	require.Equal(t, "on (S0)\n", do("power", "on"))
	w.reads(strings.NewReader("with my password\n"))
	require.Equal(t, "login: hello with my password\n", do("sol", "--linger", "0"))
	w.env["AMTCTL_PASSWORD"] = "Wr0ng-Secret!"
	w.fails(t, exitRefused, append([]string{"power"}, flags...)...)
	require.Contains(t, w.fails(t, exitRefused, append([]string{"power", "--stored"}, flags...)...), "no credentials of this device stored")

	// With those that the server has stored.
	s.store(t, id)
	w = s.operator(id, "")
	flags = append(flags, "--stored")
	require.Equal(t, r, decode[report](t, do("info", "--json")))
	require.Equal(t, "on (S0)\n", do("power", "reset"))
	w.reads(strings.NewReader("through the server\n"))
	require.Equal(t, "login: hello through the server\n", do("sol", "--linger", "0"))
	iso := noise(5<<20 + 2048)
	interruptWhenRead(t, w, m, append([]string{"ider", "--iso", write(t, "disk.iso", iso), "--start", "now"}, flags...), len(m.Media())+1, "the drives are there")
	media := m.Media()
	require.Equal(t, sha256.Sum256(iso), media[len(media)-1].SHA256)
}

// refuses looks at what ends in vain.
func (s *site) refuses(t *testing.T) {
	flags := []string{"--pin", s.pin, "--wait", busyTime.String()}
	w := s.operator("nobody", password)
	require.Contains(t, w.fails(t, exitRefused, append([]string{"power"}, flags...)...), "nobody")
	w.env["AMTCTL_DEVICE"] = "node//" + strings.Repeat("A", 64)
	code, _, stderr := w.run(t.Context(), append([]string{"power"}, flags...)...)
	require.Contains(t, []int{exitRefused, exitConnection}, code)
	require.NotContains(t, stderr, "auth=")
	require.Contains(t, stderr, "may not be connected")
	w.env["AMTCTL_LOGINPASS"] = "Wr0ng-Login!"
	require.NotContains(t, w.fails(t, exitRefused, append([]string{"power"}, flags...)...), "Wr0ng")
	require.Contains(t, w.fails(t, exitConnection, "power"), s.pin)
}

// Through a stock server, plain and with TLS inside.
func TestStockServer(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral)
	stock := interop.StartServer(t, interop.ServerOptions{})
	s := &site{url: "wss://" + stock.Addr(), pin: pinOf(stock.WebCertificate(t)), mps: stock.MPSAddr()}
	s.connect(t)
	s.everyWay(t)
}

// Through the server of this module.
func TestOwnServer(t *testing.T) {
	program := filepath.Join(t.TempDir(), "server")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../server").CombinedOutput()
	require.NoError(t, err, string(out))
	data, port, mpsPort := filepath.Join(t.TempDir(), "data"), interop.FreePort(t), interop.FreePort(t)
	p := interop.StartProgram(t, exec.Command(program, "-data", data, "-listen", fmt.Sprintf("127.0.0.1:%d", port),
		"-mps", fmt.Sprintf("127.0.0.1:%d", mpsPort), "-admin", interop.User+":"+interop.Password))
	p.WaitLog(t, "Intel AMT call in at")
	s := &site{url: fmt.Sprintf("wss://127.0.0.1:%d", port), pin: pinOf(webCertificate(t, data)), mps: fmt.Sprintf("127.0.0.1:%d", mpsPort)}
	s.connect(t)
	s.everyWay(t)
	require.NotContains(t, p.Log(), password)
}

func (s *site) everyWay(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		s.reaches(t, newMachine(t, wsmantest.Config{SOL: shell}), wsmantest.PortHTTP, wsmantest.PortRedirection)
	})
	t.Run("TLS", func(t *testing.T) {
		s.reaches(t, newMachine(t, wsmantest.Config{SOL: shell, TLS: true}), wsmantest.PortHTTPS, wsmantest.PortRedirectionTLS)
	})
	t.Run("in vain", s.refuses)
}

// pinOf is what --pin takes.
func pinOf(cert *x509.Certificate) string {
	hash := sha512.Sum384(cert.Raw)
	return hex.EncodeToString(hash[:])
}

// webCertificate reads the TLS certificate of a server in its data folder.
func webCertificate(t *testing.T, data string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "webserver-cert-public.crt"))
	require.NoError(t, err)
	block, _ := pem.Decode(text)
	require.NotNil(t, block)
	return parse(t, block.Bytes)
}
