//go:build !js

package bench

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/internal/msgconn"
)

var deviceCount = flag.Int("devices", 1000, "how many devices BenchmarkNodes asks for")

// devicesVariable tells the server process how many devices there are.
const devicesVariable = "MESHCENTRAL_GO_BENCH_DEVICES"

const controlPassword = "correct horse"

// controlServer is the server process: the control channel with the verbs of controlserver behind net/http. Devices are as a fleet
// of agents has them, four of five online.
func controlServer() {
	var count int
	must(fmt.Sscan(os.Getenv(devicesVariable), &count))
	ctx := context.Background()
	cs := must(controlserver.New(controlserver.Config{Store: new(controlserver.MemoryStore)}))
	must(0, cs.Update(ctx, func(tx *controlserver.Tx) error { return addFleet(tx, count) }))
	for i := range count {
		if i%5 != 0 {
			must(0, cs.SetState(ctx, fleetID(controlproto.KindDevice, i), controlserver.State{
				Conn: controlproto.ConnAgent, Power: controlproto.PowerOn, AgentSince: time.Now(),
			}))
		}
	}
	server := must(controlproto.NewServer(controlproto.ServerConfig{
		Mux: cs.Mux(), Accounts: cs, Tokens: cs, Factors: cs, Opened: cs.Opened, Closed: cs.Closed,
	}))
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ln := must(net.Listen("tcp", "127.0.0.1:0"))
	hs := &http.Server{
		Handler: server, ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate(&key.PublicKey, key)}, PrivateKey: key}}},
	}
	go hs.ServeTLS(ln, "", "")
	answers := map[string]func() string{
		"address": func() string { return ln.Addr().String() },
		"profile": func() string { // from now on, so that the preparation is not in it
			file := os.Getenv(profileVariable)
			if file == "" {
				return "none"
			}
			must(0, pprof.StartCPUProfile(must(os.Create(file))))
			return "begun"
		},
	}
	serveQuestions(answers)
	pprof.StopCPUProfile()
	hs.Close()
	server.Shutdown(ctx)
}

func fleetID(kind string, i int) controlproto.ID {
	return controlproto.MakeID(kind, "", (fmt.Sprintf("%08x", uint32(i)*0x9E3779B9) + strings.Repeat("Ab3$x@9Z", 8))[:64])
}

// addFleet adds an account and devices in groups of a hundred.
func addFleet(tx *controlserver.Tx, count int) error {
	admin := controlproto.UserID("", "admin")
	err := tx.AddAccount(&controlserver.Account{
		Type: controlproto.KindUser, User: controlproto.User{ID: admin, Name: "admin", SiteRights: controlproto.SiteFull},
		PasswordHash: controlproto.NewSecret(controlserver.HashPassword(controlPassword)),
	})
	for i := 0; i < count && err == nil; i++ {
		group := fleetID(controlproto.KindDeviceGroup, i/100)
		if i%100 == 0 {
			err = tx.AddGroup(&controlproto.DeviceGroup{Type: controlproto.KindDeviceGroup, ID: group, Name: fmt.Sprint("lab ", i/100), GroupType: controlproto.GroupAgent})
			if err == nil {
				err = tx.Link(admin, "admin", group, controlproto.FullRights)
			}
		}
		if err == nil {
			err = tx.AddDevice(fleetDevice(i, group))
		}
	}
	return err
}

func fleetDevice(i int, group controlproto.ID) *controlproto.Device {
	root := true
	d := &controlproto.Device{
		Type: controlproto.KindDevice, MeshType: controlproto.GroupAgent, ID: fleetID(controlproto.KindDevice, i), Group: group,
		Icon: controlproto.Icon(1 + i%4), Name: fmt.Sprintf("PC-%05d", i), RName: fmt.Sprintf("PC-%05d", i),
		Agent:        &controlproto.DeviceAgent{ID: 3 + i%4, Caps: 31, Core: "Nov 21 2022, 2189501291", Root: &root},
		FirstConnect: time.UnixMilli(1795333098219 + int64(i)), IP: fmt.Sprintf("198.51.100.%d", i%250), OSDesc: "Debian GNU/Linux 12 (bookworm)",
	}
	if i%4 != 0 {
		d.OSDesc = "Microsoft Windows 11 Pro - 23H2/22631"
		d.AntiVirus = []controlproto.AntiVirus{{Product: "Windows Defender", Updated: true, Enabled: true}}
		d.Windows = &controlproto.WindowsSecurity{AntiVirus: "OK", AutoUpdate: "OK", Firewall: "OK"}
		d.Defender = &controlproto.Defender{RealTime: true, Tamper: true}
		d.Users, d.LocalUsers = []string{fmt.Sprintf(`CORP\user%d`, i)}, []string{fmt.Sprintf("user%d", i)}
		d.LastBoot = time.UnixMilli(1795000000000 + int64(i))
	}
	return d
}

// BenchmarkNodes measures what an answer to "nodes" costs the server in CPU time, over a WebSocket with TLS.
//
//	go test ./internal/bench -run '^$' -bench Nodes -benchtime 1000x -devices 1000
func BenchmarkNodes(b *testing.B) {
	b.Setenv(devicesVariable, fmt.Sprint(*deviceCount))
	p := startProcess(b, "control")
	ctx := context.Background()
	enc := base64.StdEncoding.EncodeToString
	c, err := msgconn.Dial(ctx, "wss://"+p.address+"/control.ashx", msgconn.DialOptions{
		TLSConfig: &tls.Config{InsecureSkipVerify: true}, ReadLimit: 64 << 20,
		Header: http.Header{"X-Meshauth": {enc([]byte("admin")) + "," + enc([]byte(controlPassword))}},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close(1000, "")
	ask := func() (size int) {
		if err := c.WriteMessage(ctx, msgconn.Text, []byte(`{"action":"nodes","responseid":"x"}`)); err != nil {
			b.Fatal(err)
		}
		for {
			_, m, err := c.ReadMessage(ctx)
			if err != nil {
				b.Fatal(err)
			}
			if bytes.HasPrefix(m, []byte(`{"action":"nodes"`)) {
				return len(m)
			}
		}
	}
	var size int
	for range 20 { // the first one reads the devices; then all is warm
		size = ask()
	}
	p.ask(b, "profile")
	before := p.cpu(b)
	b.ResetTimer()
	for range b.N {
		ask()
	}
	b.StopTimer()
	used := p.cpu(b) - before
	b.ReportMetric(float64(used.Microseconds())/1000/float64(b.N), "server-cpu-ms/op")
	b.ReportMetric(float64(size), "bytes/reply")
}
