//go:build !js

package wsmantest_test

import (
	"context"
	"crypto/sha1" //nolint:gosec // what MeshCentral shows of a certificate
	"crypto/x509"
	"encoding/hex"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/internal/interop"
	"github.com/meshcentral-go/sdk/mps/mpstest"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// stockTime bounds what a stock server is waited for, on a machine that does much else.
const stockTime = 3 * time.Minute

// managed is what a stock server's list says of a device.
type managed struct {
	ID   string `json:"_id"`
	Conn int    `json:"conn"`
	Pwr  int    `json:"pwr"`
	AMT  struct {
		Version string `json:"ver"`
		Realm   string `json:"realm"`
		User    any    `json:"user"`
		Flags   int    `json:"flags"`
		State   int    `json:"state"`
		TLS     int    `json:"tls"`
		Hash    string `json:"hash"`
		Warn    int    `json:"warn"`
	} `json:"intelamt"`
}

// fleet is a stock server with a group for Intel AMT and simulated devices in it.
type fleet struct {
	*interop.Server
	t       *testing.T
	group   string
	control *interop.Control
}

func startFleet(t *testing.T, change ...func(amtManager map[string]any)) *fleet {
	t.Helper()
	interop.Require(t, interop.PeerMeshCentral)
	manager := map[string]any{"adminAccounts": []map[string]any{{"user": "admin", "pass": wsmantest.DefaultPassword}}}
	for _, c := range change {
		c(manager)
	}
	f := &fleet{t: t, Server: interop.StartServer(t, interop.ServerOptions{Domain: map[string]any{"amtManager": manager}})}
	f.group = f.CreateAMTGroup(t, "amt")
	f.control = f.Control(t)
	return f
}

// join connects a device to the server's MPS and returns its node id.
func (f *fleet) join(d *wsmantest.Device, change func(*mpstest.Config), ports ...uint16) string {
	f.t.Helper()
	uuid, err := apf.ParseUUID(d.UUID())
	require.NoError(f.t, err)
	handlers := map[uint16]mpstest.Handler{}
	for _, p := range ports {
		handlers[p] = d.Handler(p)
	}
	cfg := mpstest.Config{
		Server: f.MPSAddr(), Trust: mpstest.Trust{Pin: mpstest.PinOf(f.MPSCertificate(f.t))},
		UUID: uuid, User: strings.TrimPrefix(f.group, "mesh//")[:16], Password: mpstest.NewSecret("P@ssw0rd"),
		Backoff: mpstest.Backoff{Interval: 200 * time.Millisecond, Retries: -1}, LoginTime: stockTime, Ports: handlers,
	}
	if change != nil {
		change(&cfg)
	}
	device, err := mpstest.NewDevice(cfg)
	require.NoError(f.t, err)
	f.t.Cleanup(device.Close)
	device.Start()
	return nodeOf(uuid)
}

// nodeOf is what the server calls a device of a group without agents, for its UUID.
func nodeOf(u apf.UUID) string {
	return "node//" + strings.NewReplacer("+", "@", "/", "$").Replace(b64([]byte(strings.Repeat(string(u[:]), 3))))
}

// lastClass is what the server asks for last when it meets a device.
const lastClass = "IPS_PowerManagementService"

// waitMet waits until the server has asked for that.
func (f *fleet) waitMet(d *wsmantest.Device) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), stockTime)
	defer cancel()
	require.NoError(f.t, d.Wait(ctx, func() bool { return d.Called(lastClass, wsmantest.OpGet) > 0 }), "calls so far: %v", d.Calls())
}

// waitListed asks for the list of devices until one of them is as it shall be.
func (f *fleet) waitListed(id string, is func(managed) bool) managed {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), stockTime)
	defer cancel()
	for {
		var all []managed
		f.MeshctrlJSON(f.t, &all, "listdevices")
		for _, m := range all {
			if m.ID == id && is(m) {
				return m
			}
		}
		require.NoError(f.t, ctx.Err(), "listed: %+v", all)
	}
}

func testLog(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// TestStockManager lets a stock MeshCentral manage simulated devices over CIRA, with its own code (amtmanager.js): what it
// read shows in meshctrl's lists, and its power actions reach the devices.
func TestStockManager(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	for _, version := range []string{"11", "12", "15", "16.1"} {
		t.Run(version, func(t *testing.T) {
			f := &fleet{t: t, Server: f.Server, group: f.group, control: f.control}
			d := newDevice(t, wsmantest.Config{Version: version, HostName: "pc-" + version, Logger: testLog(t)})
			id := f.join(d, nil, wsmantest.PortHTTP, wsmantest.PortRedirection)
			f.waitMet(d)
			got := f.waitListed(id, func(m managed) bool { return m.AMT.Version != "" && m.Pwr == 1 })
			assert.Equal(t, interop.ConnCIRA, got.Conn)
			assert.Equal(t, d.Version()[:strings.LastIndexByte(d.Version(), '.')], got.AMT.Version)
			assert.Equal(t, d.Realm(), got.AMT.Realm)
			assert.Equal(t, 4, got.AMT.Flags, "admin control mode")
			assert.Equal(t, 2, got.AMT.State)
			assert.Zero(t, got.AMT.Warn)

			info := f.Meshctrl(t, "deviceinfo", "--id", id)
			for _, want := range []string{"Example Boards", "EB-100", "i5-12500", "1.12.0", "Example BIOS", "EM8G3200", "MEDIA DEV 0", got.AMT.Version, "Admin Control Mode"} {
				assert.Contains(t, strings.ToLower(info), strings.ToLower(want), info)
			}

			f.Meshctrl(t, "devicepower", "--id", id, "--amtoff")
			f.waitPower(d, wsmantest.PowerOffSoft)
			f.powerOn(d, id)
			f.Meshctrl(t, "devicepower", "--id", id, "--amtreset")
			f.waitBoots(d, 2)
			// 311 is power on into the BIOS, 312 reset into it, 316 reset to PXE.
			for i, action := range []int{312, 314, 316} {
				f.bootAction(d, id, action, 3+i)
			}
			var how []string
			for _, b := range d.Boots() {
				how = append(how, b.String())
			}
			assert.Equal(t, []string{
				"on: usual order", "reset: usual order", "reset: BIOS setup", "reset: BIOS setup, SOL", "reset: Force PXE Boot",
			}, how)
			for _, c := range d.Calls() {
				if c.Status != 200 {
					t.Logf("refused: %v", c)
				}
			}
		})
	}
}

func (f *fleet) waitPower(d *wsmantest.Device, state wsmantest.PowerState) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), stockTime)
	defer cancel()
	require.NoError(f.t, d.Wait(ctx, func() bool { return d.Power() == state }), "power is %v; calls: %v", d.Power(), d.Calls())
}

// powerOn switches a device on, after which the manager wakes its operating system, unless it has forgotten what it had asked
// for: the answer to the action before may still be on its way to it when this one begins. Then it is asked again.
func (f *fleet) powerOn(d *wsmantest.Device, id string) {
	f.t.Helper()
	const class, method = "CIM_PowerManagementService", "RequestPowerStateChange"
	before := d.Called(class, method)
	for sent := 1; ; sent++ {
		f.Meshctrl(f.t, "devicepower", "--id", id, "--amton")
		ctx, cancel := context.WithTimeout(f.t.Context(), stockTime)
		err := d.Wait(ctx, func() bool { return d.Called(class, method) >= before+sent })
		cancel()
		require.NoError(f.t, err, "calls: %v", d.Calls())
		ctx, cancel = context.WithTimeout(f.t.Context(), stockTime/10)
		err = d.Wait(ctx, func() bool { return d.Called(lastClass, "RequestOSPowerSavingStateChange") > 0 })
		cancel()
		if err == nil {
			require.Equal(f.t, wsmantest.PowerOn, d.Power())
			return
		}
		require.Less(f.t, sent, 5, "calls: %v", d.Calls())
	}
}

// policy sets the policy of the group for Intel AMT, and returns when it is in force.
func (f *fleet) policy(p map[string]any) {
	f.t.Helper()
	f.control.Send(f.t, interop.Message{"action": "meshamtpolicy", "meshid": f.group, "amtpolicy": p})
	ctx, cancel := context.WithTimeout(f.t.Context(), stockTime)
	defer cancel()
	_, err := f.control.WaitContext(ctx, func(m interop.Message) bool {
		event, _ := m["event"].(map[string]any)
		return event["action"] == "meshchange" && event["meshid"] == f.group && event["amt"] != nil
	})
	require.NoError(f.t, err)
}

// bootAction asks for a boot until there are so many. The manager forgets what was asked for when the answer to the action before is
// there, so one that comes in between makes it send a request without a power state, which the device refuses.
func (f *fleet) bootAction(d *wsmantest.Device, id string, action, boots int) {
	f.t.Helper()
	const class, method = "CIM_PowerManagementService", "RequestPowerStateChange"
	for range 5 {
		asked := d.Called(class, method)
		f.control.Send(f.t, interop.Message{"action": "poweraction", "nodeids": []string{id}, "actiontype": action})
		ctx, cancel := context.WithTimeout(f.t.Context(), stockTime)
		err := d.Wait(ctx, func() bool { return d.Called(class, method) > asked })
		cancel()
		require.NoError(f.t, err, "boots: %v; calls: %v", d.Boots(), d.Calls())
		if len(d.Boots()) == boots {
			return
		}
	}
	require.Len(f.t, d.Boots(), boots, "calls: %v", d.Calls())
}

func (f *fleet) waitBoots(d *wsmantest.Device, n int) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), stockTime)
	defer cancel()
	require.NoError(f.t, d.Wait(ctx, func() bool { return len(d.Boots()) == n }), "boots: %v; calls: %v", d.Boots(), d.Calls())
}

// TestStockTLS lets it manage devices that have no port without TLS. Over CIRA it would ask for 16992 all the same; over a
// relay connection, as agents make for other machines, it comes to 16993.
func TestStockTLS(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	for _, version := range []string{"12", "16.1", "19"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			f := &fleet{t: t, Server: f.Server, group: f.group, control: f.control}
			d := newDevice(t, wsmantest.Config{Version: version, TLS: true, Logger: testLog(t)})
			id := f.join(d, func(cfg *mpstest.Config) { cfg.ConnType = apf.ConnRelay }, wsmantest.PortHTTPS)
			f.waitMet(d)
			got := f.waitListed(id, func(m managed) bool { return m.AMT.Version != "" && m.AMT.TLS == 1 && m.Pwr == 1 })
			assert.Equal(t, d.Realm(), got.AMT.Realm)
			f.Meshctrl(t, "devicepower", "--id", id, "--amtoff")
			f.waitPower(d, wsmantest.PowerOffSoft)
			for _, c := range d.Calls() {
				assert.Equal(t, uint16(wsmantest.PortHTTPS), c.Port)
			}
		})
	}
}

// TestStockQuirks lets it manage devices that answer in other ways, which it bears all.
func TestStockQuirks(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	for name, quirks := range map[string]wsmantest.Quirks{
		"one by one":        {PullItems: 1, EndFirst: true},
		"short chunks":      {ChunkSize: 100, SameContext: true},
		"content length":    {ContentLength: true, AuthOnly: true},
		"close each time":   {CloseAlways: true},
		"nonces of 5 uses":  {NonceUses: 5, StaleTrue: true},
		"no quotes":         {Unquoted: true, AuthInt: true},
		"no LMS, old forms": {NoLocalService: true, PKCS1Keys: true, StrictBoot: true, StrictPut: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fleet{t: t, Server: f.Server, group: f.group, control: f.Control(t)} // one for each: only one may send
			d := newDevice(t, wsmantest.Config{Quirks: quirks, Logger: testLog(t)})
			id := f.join(d, nil, wsmantest.PortHTTP)
			f.waitMet(d)
			f.waitListed(id, func(m managed) bool { return m.AMT.Version == "16.1.25" && m.Pwr == 1 })
			info := f.Meshctrl(t, "deviceinfo", "--id", id)
			for _, want := range []string{"EB-100", "i5-12500", "EM8G3200"} {
				assert.Contains(t, info, want)
			}
			f.control.Send(t, interop.Message{"action": "poweraction", "nodeids": []string{id}, "actiontype": 312})
			f.waitBoots(d, 1)
			assert.Equal(t, "reset: BIOS setup", d.Boots()[0].String())
		})
	}
}

// TestStockBreaks has what it does not bear, which is why the simulator does not do so by default.
func TestStockBreaks(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	join := func(t *testing.T, cfg wsmantest.Config) (*fleet, *wsmantest.Device, string) {
		f := &fleet{t: t, Server: f.Server, group: f.group, control: f.control}
		cfg.Logger = testLog(t)
		d := newDevice(t, cfg)
		return f, d, f.join(d, nil, wsmantest.PortHTTP)
	}
	for name, cfg := range map[string]wsmantest.Config{
		"wrong password":   {Password: wsmantest.NewSecret("An0ther!")},
		"padding in nonce": {Quirks: wsmantest.Quirks{PaddedNonce: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, d, id := join(t, cfg)
			// The first warning is that the credentials are unknown.
			f.waitListed(id, func(m managed) bool { return m.AMT.Warn&1 != 0 })
			assert.Empty(t, d.Calls())
		})
	}
	t.Run("no ResourceURI", func(t *testing.T) {
		t.Parallel()
		f, d, _ := join(t, wsmantest.Config{Quirks: wsmantest.Quirks{NoResourceURI: true}})
		ctx, cancel := context.WithTimeout(t.Context(), stockTime)
		defer cancel()
		require.NoError(f.t, d.Wait(ctx, func() bool { return d.Called("undefined", wsmantest.OpPull) > 0 }))
	})
}

// TestStockPolicy lets it set up a device by the policy of its group: clock, TLS with a certificate of its own, redirection,
// KVM and user consent.
func TestStockPolicy(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	f.policy(map[string]any{"type": 2, "password": wsmantest.DefaultPassword, "badpass": 0, "cirasetup": 0})
	d := newDevice(t, wsmantest.Config{Logger: testLog(t)})
	d.SetClock(time.Unix(1767225600, 0))
	require.Equal(t, 1, d.Set("AMT_RedirectionService", nil, "EnabledState", "32768"))
	require.Equal(t, 1, d.Set("CIM_KVMRedirectionSAP", nil, "EnabledState", "3"))
	require.Equal(t, 1, d.Set("IPS_OptInService", nil, "OptInRequired", "1"))
	id := f.join(d, nil, wsmantest.PortHTTP, wsmantest.PortHTTPS, wsmantest.PortRedirection)
	f.waitMet(d)

	enabled, cert := d.TLS()
	require.True(t, enabled)
	sum := sha1.Sum(cert.Raw) //nolint:gosec // see above
	got := f.waitListed(id, func(m managed) bool { return m.AMT.TLS == 1 && m.AMT.Hash != "" })
	assert.Equal(t, hex.EncodeToString(sum[:]), got.AMT.Hash)
	assert.WithinDuration(t, time.Now(), d.Clock(), stockTime)
	sol, ider, kvm, listens := d.Redirection()
	assert.Equal(t, []bool{true, true, true, true}, []bool{sol, ider, kvm, listens})
	assert.Len(t, d.Certificates(), 1)
	assert.True(t, d.Certificates()[0].HasKey)
	for _, c := range d.Calls() {
		// It tries to delete every certificate that is no root; the one in use stays.
		cleaning := c.Class == "AMT_PublicKeyCertificate" && c.Op == wsmantest.OpDelete && c.Fault == "Concurrency"
		assert.True(t, cleaning || c.Status == 200 && c.ReturnValue == 0, "%v", c)
	}
}

// TestStockActivation lets it activate devices that are not activated yet, over connections as an agent in the device's
// operating system makes them (LMS), and then set up everything that its policy may ask for: TLS, WiFi, CIRA, names.
func TestStockActivation(t *testing.T) {
	t.Parallel()
	f := startFleet(t, func(manager map[string]any) {
		manager["wifiProfiles"] = []map[string]any{{
			"ssid": "net one", "name": "one", "authentication": "wpa2-psk", "encryption": "ccmp-aes", "password": "correct horse",
		}}
	})
	for name, test := range map[string]struct {
		policy int
		mode   wsmantest.ControlMode
	}{
		"client": {2, wsmantest.ModeClient},
		"admin":  {3, wsmantest.ModeAdmin},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fleet{t: t, Server: f.Server, group: f.CreateAMTGroup(t, name), control: f.Control(t)}
			f.policy(map[string]any{"type": test.policy, "password": "N3w!passw", "badpass": 0, "cirasetup": 2})
			// The server's own root is one of those that it can activate with.
			d := newDevice(t, wsmantest.Config{
				Mode: wsmantest.ModeNone, HostName: "pc-" + name, Domain: "example.org", TrustedSuffix: "example.org",
				TrustedRoots: []*x509.Certificate{f.RootCertificate(t)}, Logger: testLog(t),
			})
			dismissed := make(chan struct{})
			var once sync.Once
			id := f.join(d, func(cfg *mpstest.Config) {
				cfg.ConnType, cfg.MEIState = apf.ConnLMS, mpstest.NewSecret(string(d.MEIState()))
				cfg.Control = func(m *mpstest.Device, j apf.JSONControl) {
					// From goroutines of their own: the connection reads nothing until this function returns.
					answer := func(action string, value any) {
						control, err := apf.ControlValue(action, value)
						if assert.NoError(t, err) {
							go func() { _ = m.Conn().SendControl(t.Context(), control) }()
						}
					}
					switch j.Action() {
					case apf.ActionMEState:
						answer(apf.ActionMEIState, d.MEIState())
					case apf.ActionStopConfiguration: // 3: it is not being configured
						answer(apf.ActionStopConfiguration, 3)
					case apf.ActionClose:
						once.Do(func() { close(dismissed) })
					}
				}
			}, wsmantest.PortHTTP, wsmantest.PortHTTPS)
			ctx, cancel := context.WithTimeout(t.Context(), stockTime)
			defer cancel()
			select {
			case <-dismissed:
			case <-ctx.Done():
				t.Fatalf("it has not come to its end; calls so far: %v", d.Calls())
			}
			assert.Equal(t, test.mode, d.Mode())
			assert.True(t, d.CheckPassword("admin", "N3w!passw"))
			enabled, _ := d.TLS()
			assert.True(t, enabled)
			if profiles := d.WiFi(); assert.Len(t, profiles, 1) {
				assert.Equal(t, []any{"one", "net one", 6, 4}, []any{profiles[0].Name, profiles[0].SSID, profiles[0].Authentication, profiles[0].Encryption})
				assert.Equal(t, "correct horse", profiles[0].Passphrase.Reveal())
			}
			cira := d.CIRA()
			if assert.Len(t, cira.Servers, 1) {
				assert.Equal(t, "127.0.0.1", cira.Servers[0].Address)
				assert.Equal(t, f.MPSAddr(), "127.0.0.1:"+itoa(cira.Servers[0].Port))
			}
			assert.Len(t, cira.Policies, 1)
			assert.Len(t, cira.Suffixes, 1)
			assert.Equal(t, 32771, cira.State)
			got := f.waitListed(id, func(m managed) bool { return m.AMT.State == 2 && m.AMT.TLS == 1 })
			assert.Equal(t, map[wsmantest.ControlMode]int{wsmantest.ModeClient: 2, wsmantest.ModeAdmin: 4}[test.mode], got.AMT.Flags)
		})
	}
}
