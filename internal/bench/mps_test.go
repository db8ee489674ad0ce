//go:build !js

package bench

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/internal/secret"
	"github.com/meshcentral-go/sdk/mps"
	"github.com/meshcentral-go/sdk/nodeid"
)

var amtCount = flag.Int("amt", 5000, "how many AMT devices BenchmarkIdleAMT connects")

// mpsServer is the server process: package mps over TLS with an RSA-2048 certificate, as AMT wants it, and operators'
// WebSockets over TLS.
func mpsServer() {
	debug.SetGCPercent(75) // as examples/server
	key := must(rsa.GenerateKey(rand.Reader, 2048))
	cert := tls.Certificate{Certificate: [][]byte{certificate(&key.PublicKey, key)}, PrivateKey: key}
	server := must(mps.NewServer(mps.Config{
		Certificates: []tls.Certificate{cert},
		Authenticate: func(_ context.Context, l *mps.Login) (mps.Identity, error) {
			return mps.Identity{Device: nodeid.NodeKey{ID: nodeid.FromUUID(l.UUID)}}, nil
		},
		Limits: mps.Limits{Connections: mps.NoLimit},
		APF:    &apf.ServerConfig{IdleTime: time.Hour, Window: 1 << 20},
	}))
	listen := net.ListenConfig{KeepAlive: -1} // APF has its own
	ln := must(listen.Listen(context.Background(), "tcp", "127.0.0.1:0"))
	go server.Serve(context.Background(), ln)
	web := must(net.Listen("tcp", "127.0.0.1:0"))
	hs := &http.Server{
		ReadHeaderTimeout: 10 * time.Second, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for d := range server.Registry().Devices() {
				conn, err := d.DialContext(r.Context(), "tcp", ":16992")
				if err != nil {
					http.Error(w, err.Error(), http.StatusBadGateway)
					return
				}
				mps.ServeOperator(w, r, conn, mps.OperatorOptions{})
				return
			}
		}),
	}
	go hs.ServeTLS(web, "", "")
	if file := os.Getenv(profileVariable); file != "" {
		f := must(os.Create(file))
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			panic(err)
		}
		defer pprof.StopCPUProfile()
		defer func() {
			heap := must(os.Create(file + ".heap"))
			defer heap.Close()
			pprof.Lookup("heap").WriteTo(heap, 0)
		}()
	}
	serveQuestions(map[string]func() string{
		"address": func() string { return ln.Addr().String() + " " + web.Addr().String() },
		"online":  func() string { return fmt.Sprint(server.Registry().Len()) },
		"signature": func() string {
			const n = 100
			before := must(time.ParseDuration(processTime()))
			digest := make([]byte, 32)
			for range n {
				must(key.Sign(rand.Reader, digest, crypto.SHA256))
			}
			return ((must(time.ParseDuration(processTime())) - before) / n).String()
		},
	})
	hs.Close()
	server.Shutdown(context.Background())
}

// amtDevice connects a device: TLS as firmware speaks it, a password, seven ports.
func amtDevice(b *testing.B, addr string, n int, cfg apf.DeviceConfig) *apf.Conn {
	b.Helper()
	d, err := dialAMT(addr, n, cfg)
	if err != nil {
		b.Fatal(err)
	}
	return d
}

// dialAMT is amtDevice for other goroutines than the benchmark's.
func dialAMT(addr string, n int, cfg apf.DeviceConfig) (*apf.Conn, error) {
	binary.BigEndian.PutUint32(cfg.UUID[:], uint32(n)+1)
	ready := make(chan struct{})
	cfg.User, cfg.Password = "AbCdEfXhIjKlMnXp", secret.New("P@ssw0rd")
	cfg.Ports = []uint16{16993, 16992, 664, 623, 16995, 16994, 5900}
	cfg.KeepAlive, cfg.IdleTime = time.Hour, 3*time.Hour
	cfg.Ready = func(*apf.Conn) { close(ready) }
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	d := apf.NewDeviceConn(tls.Client(conn, &tls.Config{
		InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CurvePreferences: []tls.CurveID{tls.CurveP256, tls.X25519},
	}), &cfg)
	go d.Run(context.Background())
	select {
	case <-ready:
	case <-d.Done():
		return nil, d.Err()
	}
	return d, nil
}

// BenchmarkAMTLogin measures the server's CPU time for a device from TCP to its last port, and its end.
func BenchmarkAMTLogin(b *testing.B) {
	p := startProcess(b, "mps")
	addr, _, _ := strings.Cut(p.address, " ")
	amtDevice(b, addr, 0, apf.DeviceConfig{}).Close()
	before := p.cpu(b)
	const atOnce = 8
	b.ResetTimer()
	var wg sync.WaitGroup
	for i := range atOnce {
		wg.Go(func() {
			for range (b.N - i + atOnce - 1) / atOnce {
				d, err := dialAMT(addr, i, apf.DeviceConfig{})
				if err != nil {
					b.Error(err)
					return
				}
				d.Close()
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64((p.cpu(b)-before).Microseconds())/1000/float64(b.N), "server-cpu-ms/login")
	signature, err := time.ParseDuration(p.ask(b, "signature"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(signature.Microseconds())/1000, "signature-cpu-ms") // on this machine, now
}

// BenchmarkIdleAMT measures the server's resident memory with many devices that are online and silent.
func BenchmarkIdleAMT(b *testing.B) {
	for range b.N {
		p := startProcess(b, "mps")
		addr, _, _ := strings.Cut(p.address, " ")
		before := p.resident(b)
		var wg sync.WaitGroup
		sem := make(chan struct{}, 16)
		devices := make([]*apf.Conn, *amtCount)
		for i := range devices {
			sem <- struct{}{}
			wg.Go(func() {
				defer func() { <-sem }()
				var err error
				if devices[i], err = dialAMT(addr, i, apf.DeviceConfig{}); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
		time.Sleep(*quiet)
		if online := p.ask(b, "online"); online != fmt.Sprint(len(devices)) {
			b.Fatalf("%s devices are online, not %d", online, len(devices))
		}
		after := p.resident(b)
		n := float64(len(devices))
		b.ReportMetric(float64(after)/1024/n, "KiB/device")
		b.ReportMetric(float64(after-before)/1024/n, "growth-KiB/device")
		b.ReportMetric(float64(after)/(1<<20), "MiB-resident")
		for _, d := range devices {
			d.Close()
		}
	}
}

// BenchmarkAMTChannel measures one channel from a device over TLS to an operator's WebSocket over TLS: the server's CPU time
// for a gigabyte.
func BenchmarkAMTChannel(b *testing.B) {
	for _, size := range []int{8 << 10, 16375} {
		b.Run(fmt.Sprintf("%d-byte frames", size), func(b *testing.B) {
			p := startProcess(b, "mps")
			addr, web, _ := strings.Cut(p.address, " ")
			d := amtDevice(b, addr, 0, apf.DeviceConfig{
				MaxFrame: uint32(size), Window: 1 << 20,
				Accept: func(context.Context, *apf.OpenRequest) (func(net.Conn), error) {
					return func(c net.Conn) { io.Copy(c, zeros{}) }, nil
				},
			})
			defer d.Close()
			ws, err := msgconn.Dial(b.Context(), "wss://"+web+"/webrelay.ashx", msgconn.DialOptions{
				TLSConfig: &tls.Config{InsecureSkipVerify: true}, ReadLimit: 1 << 20,
			})
			if err != nil {
				b.Fatal(err)
			}
			defer ws.Close(0, "")
			const chunk = 1 << 20
			receive := func(n int64) {
				for n > 0 {
					_, m, err := ws.ReadMessage(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					n -= int64(len(m))
				}
			}
			receive(32 * chunk)
			before := p.cpu(b)
			b.SetBytes(chunk)
			b.ResetTimer()
			receive(int64(b.N) * chunk)
			b.StopTimer()
			gb := float64(b.N) * chunk / 1e9
			b.ReportMetric((p.cpu(b)-before).Seconds()/gb, "server-cpu-s/GB")
		})
	}
}

// zeros is a source without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
