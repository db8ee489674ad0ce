//go:build !js

package bench

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/relay"
)

var (
	viewerCount = flag.Int("viewers", 20, "how many viewers BenchmarkStalledViewers has")
	stall       = flag.Duration("stall", time.Minute, "how long viewers do not read in BenchmarkStalledViewers")
)

// relayServer is the server process: a relay with its defaults, with TLS.
func relayServer() {
	r := must(relay.New(relay.Config{Authenticate: func(_ *http.Request, q *relay.Query) (relay.End, error) {
		e := relay.End{ID: q.ID, Role: relay.RoleAgent, User: "user//a", Node: "node//b", Bound: true}
		if q.Browser {
			e.Role = relay.RoleOperator
		}
		return e, nil
	}}))
	h := httptest.NewUnstartedServer(r)
	h.StartTLS()
	serveQuestions(map[string]func() string{
		"address": func() string { return h.Listener.Addr().String() },
		"memory": func() string { // what is in use; the collector lets twice as much be
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return strconv.FormatUint(m.HeapInuse+m.StackInuse, 10)
		},
	})
	r.Close()
	h.Close()
}

// BenchmarkStalledViewers measures what a viewer costs the relay that reads nothing for a minute, while the device sends as
// much as is taken from it.
//
//	go test ./internal/bench -run '^$' -bench StalledViewers -benchtime 1x -viewers 20 -stall 1m
func BenchmarkStalledViewers(b *testing.B) {
	p := startProcess(b, "relay")
	ctx := context.Background()
	end := func(query string) *msgconn.WebSocket {
		c, err := msgconn.Dial(ctx, "wss://"+p.address+"/meshrelay.ashx?"+query, msgconn.DialOptions{
			TLSConfig: &tls.Config{InsecureSkipVerify: true}, ReadLimit: 1 << 20,
		})
		if err != nil {
			b.Fatal(err)
		}
		return c
	}
	read := func(c *msgconn.WebSocket) []byte {
		_, m, err := c.ReadMessage(ctx)
		if err != nil {
			b.Fatal(err)
		}
		return m
	}
	memory := func() int64 {
		n, err := strconv.ParseInt(p.ask(b, "memory"), 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	for range b.N {
		var viewers, devices []*msgconn.WebSocket
		for i := range *viewerCount {
			v := end(fmt.Sprintf("browser=1&id=v%d", i))
			d := end(fmt.Sprintf("id=v%d", i))
			read(v)
			read(d)
			viewers, devices = append(viewers, v), append(devices, d)
		}
		before, resident := memory(), p.resident(b)
		// What one tunnel of 64 KiB messages a second would be is not known: as much as goes.
		var sending sync.WaitGroup
		sent := make([]int, len(devices))
		message := make([]byte, 64<<10)
		for i, d := range devices {
			sending.Go(func() {
				for d.WriteMessage(ctx, msgconn.Binary, message) == nil {
					sent[i]++
				}
			})
		}
		most, mostResident := int64(0), int64(0)
		for begun := time.Now(); time.Since(begun) < *stall; time.Sleep(time.Second) {
			most, mostResident = max(most, memory()), max(mostResident, p.resident(b))
		}
		each := float64(max(most, memory())-before) / float64(len(viewers)) / 1024
		b.ReportMetric(each, "KiB/viewer")
		b.ReportMetric(float64(mostResident-resident)/float64(len(viewers))/1024, "resident-KiB/viewer")
		if each > 1024 {
			b.Errorf("a stalled viewer costs %.0f KiB", each)
		}
		for _, d := range devices {
			d.Close(0, "")
		}
		sending.Wait()
		for i, v := range viewers { // what was sent was not lost
			for range 2 {
				if len(read(v)) != len(message) {
					b.Fatalf("viewer %d of %d messages", i, sent[i])
				}
			}
			v.Close(msgconn.CloseNormal, "")
		}
	}
}
