package wsmantest_test

import (
	"context"
	"net"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// BenchmarkNew is what a device of a large fleet costs before anybody calls.
func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		wsmantest.New(wsmantest.Config{}).Close()
	}
}

// BenchmarkMemory says how much a device holds.
func BenchmarkMemory(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var fleet []*wsmantest.Device
	for b.Loop() {
		fleet = append(fleet, wsmantest.New(wsmantest.Config{}))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(fleet)), "B/device")
	for _, d := range fleet {
		d.Close()
	}
}

// BenchmarkPower asks for the power state over one connection, as a manager that polls does: Enumerate and Pull.
func BenchmarkPower(b *testing.B) {
	d := wsmantest.New(wsmantest.Config{})
	defer d.Close()
	c, err := wsman.NewClient(wsman.Config{
		Address: "pc1:16992", Username: "admin", Password: wsman.NewSecret(wsmantest.DefaultPassword),
		Dial: func(context.Context, string, string) (net.Conn, error) { return connect(b, d, wsmantest.PortHTTP), nil },
	})
	require.NoError(b, err)
	defer c.Close()
	b.ReportAllocs()
	for b.Loop() {
		for el, err := range c.Enumerate(b.Context(), wsman.ResourceURI("CIM_ServiceAvailableToElement")) {
			require.NoError(b, err)
			require.Equal(b, "2", el.ChildText("PowerState"))
		}
	}
}
