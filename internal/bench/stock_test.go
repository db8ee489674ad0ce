//go:build linux

package bench

import (
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/internal/interop"
	"github.com/meshcentral-go/sdk/nodeid"
)

// BenchmarkStockLogin is BenchmarkLogin against the stock server, for the ratio on the machine at hand. Each login uses a
// key of its own, as that server holds those that come back often.
func BenchmarkStockLogin(b *testing.B) {
	for _, form := range []string{"full", "short"} {
		b.Run(form, func(b *testing.B) {
			stock := interop.StartServer(b, interop.ServerOptions{})
			msh, err := certs.ParseMSH(stock.MSH(b, stock.CreateGroup(b, "bench")))
			if err != nil {
				b.Fatal(err)
			}
			servers, err := msh.Servers()
			if err != nil {
				b.Fatal(err)
			}
			group, err := msh.MeshID()
			if err != nil {
				b.Fatal(err)
			}
			addr := agentproto.ServerAddress{URL: servers[0].URL, ID: servers[0].ID}
			var trust agentproto.TrustStore = noTrust{}
			if form == "short" {
				trust = fullTrust{}
			}
			var clients []*agentproto.Client
			for _, key := range fleetKeys(b.N) {
				c, err := agentproto.NewClient(agentproto.ClientConfig{
					Servers: []agentproto.ServerAddress{addr}, Certificate: certificate(&key.PublicKey, key), Signer: key,
					Group: group, Name: "bench", Trust: trust, Capabilities: agentproto.CapConsole,
					TLSConfig: &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519}},
				})
				if err != nil {
					b.Fatal(err)
				}
				clients = append(clients, c)
			}
			before := groupTicks(b, stock.Pid())
			b.ResetTimer()
			var wg sync.WaitGroup
			for i := range *keyCount {
				wg.Go(func() {
					for ; i < len(clients); i += *keyCount {
						ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
						s, err := clients[i].Dial(ctx, addr)
						cancel()
						if err != nil {
							b.Error(err)
							return
						}
						s.Close("")
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			used := groupTicks(b, stock.Pid()) - before
			b.ReportMetric(float64(used.Microseconds())/1000/float64(b.N), "server-cpu-ms/login")
		})
	}
}

// fullTrust makes every login a short one.
type fullTrust struct{}

func (fullTrust) Trusted(nodeid.ServerID, agentproto.Hash) bool { return true }
func (fullTrust) Trust(nodeid.ServerID, agentproto.Hash)        {}

// groupTicks returns the processor time of a process group, in steps of a hundredth of a second: the stock server makes its
// signatures in helper processes.
func groupTicks(b *testing.B, group int) time.Duration {
	b.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		b.Fatal(err)
	}
	var ticks int64
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		f := strings.Fields(rest)
		if len(f) < 13 || f[2] != strconv.Itoa(group) {
			continue
		}
		for _, s := range f[11:13] { // user and system time
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
