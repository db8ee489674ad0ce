//go:build !js

package bench

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/mps"
	"github.com/meshcentral-go/sdk/mps/mpstest"
	"github.com/meshcentral-go/sdk/nodeid"
	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/cim"
	"github.com/meshcentral-go/sdk/wsman/flows"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

const (
	powerDevices = 100
	powerQueries = 1000
)

// BenchmarkPowerQueries asks 100 simulated devices that have called in over TLS for their power state, 1,000 times in all, with
// twenty questions under way at once. Devices, server and clients are one process. No query may fail, and the heap that is in use is the same
// after each thousand.
func BenchmarkPowerQueries(b *testing.B) {
	key := must(rsa.GenerateKey(rand.Reader, 2048))
	cert := tls.Certificate{Certificate: [][]byte{certificate(&key.PublicKey, key)}, PrivateKey: key}
	pin := mpstest.PinOf(must(x509.ParseCertificate(cert.Certificate[0])))
	var registry mps.Registry
	server := must(mps.NewServer(mps.Config{
		Certificates: []tls.Certificate{cert}, Registry: &registry,
		Authenticate: func(_ context.Context, l *mps.Login) (mps.Identity, error) {
			return mps.Identity{Device: nodeid.NodeKey{ID: nodeid.FromUUID(l.UUID)}}, nil
		},
		Limits: mps.Limits{Connections: mps.NoLimit},
	}))
	ln := must(net.Listen("tcp", "127.0.0.1:0"))
	go server.Serve(context.Background(), ln)
	defer server.Shutdown(context.Background())

	events := registry.Subscribe(mps.SubscribeOptions{})
	defer events.Close()
	var sims []*wsmantest.Device
	fleet := must(mpstest.NewFleet(mpstest.FleetConfig{
		N: powerDevices,
		Config: mpstest.Config{
			Server: ln.Addr().String(), Trust: mpstest.Trust{Pin: pin}, UUID: apf.UUID{1},
			User: "AbCdEfGhIjKlMnOp", Password: mpstest.NewSecret("P@ssw0rd"), Quirks: mpstest.Firmware(),
		},
		Each: func(_ int, c *mpstest.Config) error {
			sim := wsmantest.New(wsmantest.Config{Version: "15", UUID: c.UUID})
			b.Cleanup(sim.Close)
			sims = append(sims, sim)
			c.Ports = map[uint16]mpstest.Handler{16992: sim.Handler(16992), 5900: mpstest.Discard}
			return nil
		},
	}))
	fleet.Start()
	defer fleet.Close()
	for registry.Len() < powerDevices {
		<-events.Events()
	}
	var devices []*flows.Device
	for d := range registry.Devices() {
		client := must(wsman.NewClient(wsman.Config{
			Dial: d.DialContext, Address: "amt:16992", Username: "admin", Password: wsman.NewSecret(wsmantest.DefaultPassword),
			IdleTimeout: time.Minute,
		}))
		defer client.Close()
		devices = append(devices, &flows.Device{Client: client})
	}

	round := func() {
		var wg sync.WaitGroup
		slots := make(chan struct{}, 20)
		for i := range powerQueries {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				p, err := devices[i%len(devices)].Power(context.Background())
				if err != nil || p.State != cim.PowerStateOn {
					b.Errorf("query %d: %v, %v", i, p.State, err)
				}
			})
		}
		wg.Wait()
	}
	round() // connections, nonces and buffers are there
	before := heapInUse(sims)
	for b.Loop() {
		round()
	}
	after := heapInUse(sims)
	b.ReportMetric(float64(powerQueries)*float64(b.N)/b.Elapsed().Seconds(), "queries/s")
	b.ReportMetric(float64(after)/(1<<20), "MB-heap")
	b.ReportMetric(float64(after-before)/(1<<10)/float64(b.N), "KB-heap-growth/op")
}

// heapInUse is what is reachable, less what the simulated devices remember of calls for the tests' sake.
func heapInUse(sims []*wsmantest.Device) int64 {
	for _, s := range sims {
		s.ClearCalls()
	}
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
