package wsmantest_test

import (
	"context"
	"crypto/sha256"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
	"github.com/meshcentral-go/sdk/wsman/cim"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// TestOwnClient lets this project's own client do what it can with a device of each quirk that it shall bear.
func TestOwnClient(t *testing.T) {
	for name, cfg := range map[string]wsmantest.Config{
		"11": {Version: "11"}, "12": {Version: "12"}, "15": {Version: "15"}, "16.1": {},
		"content length":  {Quirks: wsmantest.Quirks{ContentLength: true}},
		"closes always":   {Quirks: wsmantest.Quirks{CloseAlways: true}},
		"small chunks":    {Quirks: wsmantest.Quirks{ChunkSize: 7, RefuseChunked: true}},
		"auth":            {Quirks: wsmantest.Quirks{AuthOnly: true}},
		"auth-int":        {Version: "11", Quirks: wsmantest.Quirks{AuthInt: true}},
		"short nonces":    {Quirks: wsmantest.Quirks{NonceUses: 1}},
		"stale":           {Quirks: wsmantest.Quirks{NonceUses: 2, StaleTrue: true}},
		"padded nonces":   {Quirks: wsmantest.Quirks{PaddedNonce: true}},
		"unquoted":        {Quirks: wsmantest.Quirks{Unquoted: true}},
		"one by one":      {Quirks: wsmantest.Quirks{PullItems: 1}},
		"end first":       {Quirks: wsmantest.Quirks{PullItems: 1, EndFirst: true, SameContext: true}},
		"no resource URI": {Quirks: wsmantest.Quirks{NoResourceURI: true, BareAction: true}},
		"short tags":      {Quirks: wsmantest.Quirks{ShortTags: true}},
		"pretty":          {Quirks: wsmantest.Quirks{Pretty: true, Comments: true, LocalNamespaces: true}},
		"other server":    {Server: "AMT"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.HostName = "pc1"
			d := newDevice(t, cfg)
			c := sdkClient(t, d)
			ctx := t.Context()
			settings, err := wsman.Get[amt.GeneralSettings](ctx, c)
			require.NoError(t, err)
			assert.Equal(t, "pc1", settings.HostName)
			assert.Equal(t, d.Realm(), settings.DigestRealm)
			settings.HostName = "pc2"
			stored, err := wsman.Put(ctx, c, settings)
			require.NoError(t, err)
			assert.Equal(t, "pc2", stored.HostName)
			var memory []string
			for m, err := range wsman.Enumerate[cim.PhysicalMemory](ctx, c) {
				require.NoError(t, err)
				memory = append(memory, m.Tag)
			}
			assert.Equal(t, []string{"DIMM A", "DIMM B"}, memory)
			var n int
			for b, err := range wsman.Enumerate[cim.Battery](ctx, c) {
				require.NoError(t, err, b)
				n++
			}
			assert.Zero(t, n)
			_, err = c.Get(ctx, wsman.ResourceURI("CIM_None"))
			assert.ErrorIs(t, err, wsman.ErrUnsupported)
			el, err := c.Invoke(ctx, wsman.NewRef("CIM_PowerManagementService"), "RequestPowerStateChange", func(w *wsman.Writer) {
				uri := wsman.ResourceURI("CIM_PowerManagementService")
				w.Start(uri, "RequestPowerStateChange_INPUT")
				w.Leaf(uri, "PowerState", "8")
				w.End()
			})
			require.NoError(t, err)
			assert.Equal(t, "0", el.ChildText("ReturnValue"))
			assert.Equal(t, wsmantest.PowerOffSoft, d.Power())
		})
	}
}

func TestOwnClientErrors(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	get := func(c *wsman.Client) error {
		_, err := wsman.Get[amt.GeneralSettings](t.Context(), c)
		return err
	}
	assert.ErrorIs(t, get(sdkClient(t, d, func(c *wsman.Config) { c.Password = wsman.NewSecret("no") })), wsman.ErrCredentials)
	assert.ErrorIs(t, get(sdkClient(t, d, func(c *wsman.Config) { c.Realm = "Digest:00000000000000000000000000000000" })), wsman.ErrRealm)
	assert.NoError(t, get(sdkClient(t, d, func(c *wsman.Config) { c.Realm = d.Realm() })))

	// A method is not called again when nobody knows whether it was done; what changes nothing is asked for again.
	c := sdkClient(t, d, func(c *wsman.Config) { c.RetryPause = time.Millisecond })
	require.NoError(t, get(c))
	d.Inject(wsmantest.Injection{Op: wsmantest.OpGet, Drop: true})
	assert.NoError(t, get(c))
	d.Inject(wsmantest.Injection{Op: "RequestStateChange", Drop: true, Done: true})
	_, err := c.Invoke(t.Context(), wsman.NewRef("AMT_RedirectionService"), "RequestStateChange", func(w *wsman.Writer) {
		uri := wsman.ResourceURI("AMT_RedirectionService")
		w.Start(uri, "RequestStateChange_INPUT")
		w.Leaf(uri, "RequestedState", "32768")
		w.End()
	})
	assert.ErrorIs(t, err, wsman.ErrNoAnswer)
	assert.Equal(t, 1, d.Called("AMT_RedirectionService", "RequestStateChange"))
}

// TestOwnClientTLS connects by TLS with a pin, to each version.
func TestOwnClientTLS(t *testing.T) {
	for _, version := range []string{"12", "15", "16.1", "19"} {
		d := newDevice(t, wsmantest.Config{Version: version, TLS: true})
		_, cert := d.TLS()
		sum := sha256.Sum256(cert.Raw)
		dial := func(c *wsman.Config) {
			c.Address = "pc1:16993"
			c.Dial = func(context.Context, string, string) (net.Conn, error) {
				return connect(t, d, wsmantest.PortHTTPS), nil
			}
			c.TLS = &wsman.TLSConfig{Pins: []wsman.Pin{sum[:]}}
		}
		_, err := wsman.Get[amt.GeneralSettings](t.Context(), sdkClient(t, d, dial))
		require.NoError(t, err, version)
		assert.Equal(t, uint16(wsmantest.PortHTTPS), d.Calls()[0].Port)
		_, err = wsman.Get[amt.GeneralSettings](t.Context(), sdkClient(t, d, dial, func(c *wsman.Config) {
			c.TLS = &wsman.TLSConfig{Pins: []wsman.Pin{make([]byte, 32)}}
		}))
		assert.ErrorIs(t, err, wsman.ErrPin)
	}
}
