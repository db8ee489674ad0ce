//go:build !js

package bench

import (
	"flag"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/mps/mpstest"
)

var fleetCount = flag.Int("fleet", 1000, "how many simulated devices BenchmarkFleet puts online")

// BenchmarkFleet measures what simulated AMT devices cost the process that simulates them, and how fast they come online,
// with the server in another process on the same machine.
func BenchmarkFleet(b *testing.B) {
	p := startProcess(b, "mps")
	addr, _, _ := strings.Cut(p.address, " ")
	for range b.N {
		before := inUse()
		fleet, err := mpstest.NewFleet(mpstest.FleetConfig{N: *fleetCount, Config: mpstest.Config{
			Server: addr, Trust: mpstest.Trust{Insecure: true},
			UUID: apf.UUID{0: 1}, User: "AbCdEfXhIjKlMnXp", Password: mpstest.NewSecret("P@ssw0rd"),
			Quirks:    mpstest.Quirks{KeepAlive: time.Hour, IgnoreKeepAliveOptions: true},
			LoginTime: time.Minute,
		}})
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		fleet.Start()
		if err := fleet.WaitOnline(b.Context()); err != nil {
			b.Fatal(err)
		}
		took := time.Since(start)
		if online := fleet.Online(); online != len(fleet) {
			b.Fatalf("%d devices are online, not %d", online, len(fleet))
		}
		n := float64(len(fleet))
		b.ReportMetric((inUse()-before)/1024/n, "KiB/device")
		b.ReportMetric(float64(runtime.NumGoroutine())/n, "goroutines/device")
		b.ReportMetric(n/took.Seconds(), "logins/s")
		fleet.Close()
		b.Logf("%d devices in %v", len(fleet), took.Round(time.Millisecond))
	}
}

// inUse is the memory of heap and stacks after a collection, in bytes.
func inUse() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse + m.StackInuse)
}
