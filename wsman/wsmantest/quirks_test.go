package wsmantest_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

func TestPages(t *testing.T) {
	d := newDevice(t, wsmantest.Config{Quirks: wsmantest.Quirks{PullItems: 1}})
	c := newClient(t, d)
	assert.Len(t, c.list("CIM_PhysicalMemory"), 2)
	assert.Equal(t, 2, d.Called("CIM_PhysicalMemory", wsmantest.OpPull))
	assert.Len(t, c.list("CIM_Battery"), 0)
	assert.Contains(t, c.raw, "<g:Items></g:Items><g:EndOfSequence></g:EndOfSequence>")
}

// pullBody writes a Pull.
func pullBody(context, elements, characters string) string {
	s := `<Pull xmlns="` + wsman.NamespaceEnumeration + `"><EnumerationContext>` + context + `</EnumerationContext>`
	if elements != "" {
		s += `<MaxElements>` + elements + `</MaxElements>`
	}
	if characters != "" {
		s += `<MaxCharacters>` + characters + `</MaxCharacters>`
	}
	return s + `</Pull>`
}

func (c *client) enumerate() string {
	c.t.Helper()
	return c.ask(wsman.ActionEnumerate, "CIM_SoftwareIdentity", "", `<Enumerate xmlns="`+wsman.NamespaceEnumeration+`" />`).ChildText("EnumerationContext")
}

func TestEnumeration(t *testing.T) {
	var now atomic.Int64
	d := newDevice(t, wsmantest.Config{Now: func() time.Time { return time.Unix(now.Load(), 0) }})
	c := newClient(t, d)
	const class = "CIM_SoftwareIdentity"
	all := len(c.list(class))
	context := c.enumerate()
	assert.Regexp(t, `^[0-9A-F]{8}-0000-0000-0000-000000000000$`, context)
	e := c.ask(wsman.ActionPull, class, "", pullBody(context, "", ""))
	assert.Len(t, e.Child("Items").Children, 1, "one, if nothing is said")
	next := e.ChildText("EnumerationContext")
	assert.NotEqual(t, context, next)
	assert.Equal(t, "InvalidEnumerationContext", c.refused(wsman.ActionPull, class, "", pullBody(context, "", "")), "the old one is used up")
	e = c.ask(wsman.ActionPull, class, "", pullBody(next, "999", "10"))
	assert.Len(t, e.Child("Items").Children, 1, "at least one")
	e = c.ask(wsman.ActionPull, class, "", pullBody(e.ChildText("EnumerationContext"), "3", "99999"))
	assert.Len(t, e.Child("Items").Children, 3)
	e = c.ask(wsman.ActionPull, class, "", pullBody(e.ChildText("EnumerationContext"), "999", "99999"))
	assert.Len(t, e.Child("Items").Children, all-5)
	assert.NotNil(t, e.Child("EndOfSequence"))
	release := func(context string) string {
		return `<Release xmlns="` + wsman.NamespaceEnumeration + `"><EnumerationContext>` + context + `</EnumerationContext></Release>`
	}
	context = c.enumerate()
	assert.Nil(t, c.ask(wsman.ActionRelease, class, "", release(context)))
	assert.Contains(t, c.raw, "<a:Body></a:Body>")
	assert.Equal(t, "InvalidEnumerationContext", c.refused(wsman.ActionRelease, class, "", release(context)))
	context = c.enumerate()
	assert.Equal(t, "InvalidEnumerationContext", c.refused(wsman.ActionPull, "CIM_Card", "", pullBody(context, "", "")), "of another class")
	context = c.enumerate()
	for range 8 {
		c.enumerate()
	}
	assert.Equal(t, "InvalidEnumerationContext", c.refused(wsman.ActionPull, class, "", pullBody(context, "", "")), "only a few are kept")
	context = c.enumerate()
	now.Add(31)
	assert.Equal(t, "InvalidEnumerationContext", c.refused(wsman.ActionPull, class, "", pullBody(context, "", "")), "and not for long")
	assert.Equal(t, "SchemaValidationError", c.refused(wsman.ActionPull, class, "", ""))
	assert.Equal(t, "DestinationUnreachable", c.refused(wsman.ActionEnumerate, "CIM_None", "", ""))
}

// TestForms asks devices that write XML in other ways.
func TestForms(t *testing.T) {
	for name, test := range map[string]struct {
		quirks wsmantest.Quirks
		want   string
	}{
		"short":      {wsmantest.Quirks{ShortTags: true}, "<g:DomainName/>"},
		"pretty":     {wsmantest.Quirks{Pretty: true}, ">\n  <a:Body>\n    <g:AMT_GeneralSettings>\n      <g:AMTNetworkEnabled>1<"},
		"comments":   {wsmantest.Quirks{Comments: true}, "<![CDATA[1]]></g:AMTNetworkEnabled>"},
		"local":      {wsmantest.Quirks{LocalNamespaces: true}, `<g:AMT_GeneralSettings xmlns:g="http://intel.com/wbem/wscim/1/amt-schema/1/AMT_GeneralSettings">`},
		"bare":       {wsmantest.Quirks{BareAction: true}, ">http://schemas.xmlsoap.org/ws/2004/09/transfer/Get</b:Action>"},
		"everything": {wsmantest.Quirks{ShortTags: true, Pretty: true, Comments: true, LocalNamespaces: true, NoResourceURI: true}, "<!-- AMT_GeneralSettings -->"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, newDevice(t, wsmantest.Config{HostName: "a-host", Quirks: test.quirks}))
			e := c.get("AMT_GeneralSettings")
			assert.Contains(t, c.raw, test.want)
			assert.Equal(t, "a-host", e.ChildText("HostName"))
			assert.Equal(t, test.quirks.NoResourceURI, !strings.Contains(c.raw, ":ResourceURI>"))
			all := c.list("CIM_ServiceAvailableToElement")
			assert.Equal(t, "2", all[0].ChildText("PowerState"))
			assert.Equal(t, "Intel(r) AMT Power Management Service", ref(&all[0], "ServiceProvided", "Name"))
		})
	}
}

func TestEndFirst(t *testing.T) {
	c := newClient(t, newDevice(t, wsmantest.Config{Quirks: wsmantest.Quirks{EndFirst: true, SameContext: true, PullItems: 1}}))
	assert.Len(t, c.list("CIM_PhysicalMemory"), 2)
	assert.Contains(t, c.raw, "<g:EndOfSequence></g:EndOfSequence><g:Items>")
}

func TestFlash(t *testing.T) {
	c := newClient(t, newDevice(t, wsmantest.Config{Quirks: wsmantest.Quirks{FlashWrites: 2}}))
	from := c.get("AMT_GeneralSettings")
	for _, name := range []string{"pc1", "pc2"} {
		c.ask(wsman.ActionPut, "AMT_GeneralSettings", "", putBody("AMT_GeneralSettings", from, "HostName", name))
	}
	// Who writes what is there already does not wear it out.
	c.ask(wsman.ActionPut, "AMT_GeneralSettings", "", putBody("AMT_GeneralSettings", from, "HostName", "pc2"))
	assert.Equal(t, "QuotaLimit", c.refused(wsman.ActionPut, "AMT_GeneralSettings", "", putBody("AMT_GeneralSettings", from, "HostName", "pc3")))
	c.call(38, keyService, "AddTrustedRootCertificate", "CertificateBlob", b64(issuer().cert.Raw))
	c.call(0, "AMT_SetupAndConfigurationService", "ResetFlashWearOutProtection")
	c.call(0, keyService, "AddTrustedRootCertificate", "CertificateBlob", b64(issuer().cert.Raw))
}

func TestInjections(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	ask := func(class string) int {
		t.Helper()
		return c.post(c.request(wsman.ActionGet, wsman.ResourceURI(class), "", ""))
	}
	d.Inject(wsmantest.Injection{Class: "CIM_Card", Op: wsmantest.OpGet, Fault: "InternalError", Skip: 1})
	assert.Equal(t, 200, ask("CIM_Card"))
	assert.Equal(t, 400, ask("CIM_Card"))
	assert.Equal(t, "InternalError", c.envelope().Fault().Subcode.Local)
	assert.Equal(t, 200, ask("CIM_Card"))

	d.Inject(wsmantest.Injection{Class: "CIM_Card", Times: 2, Status: 500})
	assert.Equal(t, []int{500, 500, 200}, []int{ask("CIM_Card"), ask("CIM_Card"), ask("CIM_Card")})
	d.Busy(1)
	assert.Equal(t, []int{503, 200}, []int{ask("CIM_Chassis"), ask("CIM_Chassis")})

	d.Inject(wsmantest.Injection{Cut: 100})
	assert.Equal(t, -200, ask("CIM_Card"), "the body ends in its middle")
	assert.Equal(t, 200, ask("CIM_Card"))

	d.Inject(wsmantest.Injection{Class: "CIM_PowerManagementService", ReturnValue: 4})
	c.power(4, wsmantest.PowerOffSoft)
	assert.Equal(t, wsmantest.PowerOn, d.Power())

	d.Inject(wsmantest.Injection{Op: "RequestPowerStateChange", Drop: true})
	d.Inject(wsmantest.Injection{Op: "RequestPowerStateChange", Drop: true, Done: true})
	request := c.request(wsman.ResourceURI("CIM_PowerManagementService")+"/RequestPowerStateChange", wsman.ResourceURI("CIM_PowerManagementService"), "",
		`<r:RequestPowerStateChange_INPUT xmlns:r="`+wsman.ResourceURI("CIM_PowerManagementService")+`"><r:PowerState>8</r:PowerState></r:RequestPowerStateChange_INPUT>`)
	assert.Equal(t, 0, c.post(request))
	assert.Equal(t, wsmantest.PowerOn, d.Power())
	assert.Equal(t, 0, c.post(request))
	assert.Equal(t, wsmantest.PowerOffSoft, d.Power(), "it was done, but nobody was told")

	d.Inject(wsmantest.Injection{Body: []byte("<html>")})
	assert.Equal(t, 200, ask("CIM_Card"))
	assert.Equal(t, "<html>", c.raw)
	d.Inject(wsmantest.Injection{Times: -1, Status: 500})
	assert.Equal(t, []int{500, 500, 500}, []int{ask("CIM_Card"), ask("CIM_Card"), ask("CIM_Card")})
	d.ClearInjections()
	assert.Equal(t, 200, ask("CIM_Card"))
}

// TestDelay: other requests are answered while one waits.
func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := wsmantest.New(wsmantest.Config{})
		slow, quick := newClient(t, d), newClient(t, d)
		d.Inject(wsmantest.Injection{Class: "CIM_Card", Delay: time.Hour / 2, Times: -1})
		start := time.Now()
		quick.get("CIM_Chassis")
		assert.Zero(t, time.Since(start))
		slow.get("CIM_Card")
		assert.Equal(t, time.Hour/2, time.Since(start))
		slow.close()
		quick.close()
		d.Close()
	})
}

// TestIdle: a connection that is silent ends.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := wsmantest.New(wsmantest.Config{IdleTime: time.Minute})
		c := newClient(t, d)
		c.get("CIM_Card")
		start := time.Now()
		_, err := c.conn.Read(make([]byte, 1))
		require.Error(t, err)
		assert.Equal(t, time.Minute, time.Since(start))
		c.close()
		d.Close()
	})
}

// TestNonceTime: a nonce is good for a while.
func TestNonceTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := wsmantest.New(wsmantest.Config{Quirks: wsmantest.Quirks{NonceTime: 2 * time.Minute}, IdleTime: time.Hour})
		c := newClient(t, d)
		c.get("CIM_Card")
		time.Sleep(time.Minute)
		c.get("CIM_Card")
		assert.Equal(t, 2, c.dials)
		time.Sleep(2 * time.Minute)
		c.get("CIM_Card")
		assert.Equal(t, 3, c.dials)
		assert.False(t, c.challenge.Stale, "the firmware does not say so")
		c.close()
		d.Close()
	})
}

func TestDisconnect(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	c.get("CIM_Card")
	d.Disconnect()
	_, err := c.conn.Read(make([]byte, 1))
	assert.Error(t, err)
	c.close()
	c.get("CIM_Card")
	d.Close()
	c.close()
	assert.Equal(t, 0, c.send("", ""))
}

// TestConcurrent lets many clients change one device, and looks into it meanwhile.
func TestConcurrent(t *testing.T) {
	var seen atomic.Int64
	var d *wsmantest.Device
	d = newDevice(t, wsmantest.Config{OnEvent: func(wsmantest.Event) { seen.Add(1); _ = d.Power() }})
	t.Run("clients", func(t *testing.T) {
		for i := range 8 {
			t.Run(itoa(i), func(t *testing.T) {
				t.Parallel()
				c := newClient(t, d)
				c.cnonce = "client" + itoa(i)
				for range 10 {
					c.power(0, wsmantest.PowerReset)
					c.list("CIM_PhysicalMemory")
					_ = d.Calls()
					_ = d.Boots()
				}
			})
		}
	})
	assert.Len(t, d.Boots(), 80)
	assert.Equal(t, 80, d.Called("CIM_PowerManagementService", "RequestPowerStateChange"))
	assert.GreaterOrEqual(t, seen.Load(), int64(160))
	d.ClearCalls()
	assert.Zero(t, d.Called("", ""))
}

func TestSelectors(t *testing.T) {
	c := newClient(t, newDevice(t, wsmantest.Config{}))
	assert.Equal(t, "InvalidSelectors", c.refused(wsman.ActionGet, "CIM_PhysicalMemory", "", ""))
	assert.Equal(t, "DestinationUnreachable", c.refused(wsman.ActionGet, "CIM_PhysicalMemory", selector("Tag", "DIMM Z"), ""))
	assert.Equal(t, "InvalidSelectors", c.refused(wsman.ActionGet, "CIM_PhysicalMemory", selector("Slot", "DIMM A"), ""))
	assert.Equal(t, "8589934592", c.get("CIM_PhysicalMemory", "Tag", "DIMM A").ChildText("Capacity"))
	c.get("AMT_TLSProtocolEndpointCollection", "ElementName", "TLSProtocolEndpointInstances Collection")
	c.get("AMT_TLSProtocolEndpointCollection", "ElementName", "TLSProtocolEndpoint Instances Collection")
}

func TestBadRequests(t *testing.T) {
	c := newClient(t, newDevice(t, wsmantest.Config{}))
	fault := func(body string) string {
		t.Helper()
		require.Equal(t, 400, c.post(body))
		return c.envelope().Fault().Subcode.Local
	}
	assert.Equal(t, "SchemaValidationError", fault("garbage"))
	assert.Equal(t, "SchemaValidationError", fault("<a/>"))
	uri := wsman.ResourceURI("CIM_Card")
	assert.Equal(t, "DestinationUnreachable", fault(c.request(wsman.ActionGet, "http://example.org/CIM_Card", "", "")))
	assert.Equal(t, "ActionNotSupported", fault(c.request("http://example.org/Get", uri, "", "")))
	assert.Equal(t, "ActionNotSupported", fault(c.request(uri+"/Explode", uri, "", `<r:Explode_INPUT xmlns:r="`+uri+`"/>`)))
	assert.Equal(t, "SchemaValidationError", fault(c.request(uri+"/Explode", uri, "", "")))
	assert.Equal(t, "ActionNotSupported", fault(c.request(wsman.ActionCreate, uri, "", "")))
	assert.Equal(t, "ActionNotSupported", fault(c.request(wsman.ActionDelete, uri, selector("Tag", "CIM_Card"), "")))
	assert.Equal(t, "ActionNotSupported", fault(c.request(wsman.ActionRenew, uri, "", "")))
}

func TestNewRefuses(t *testing.T) {
	assert.Panics(t, func() { wsmantest.New(wsmantest.Config{Version: "five"}) })
	assert.Panics(t, func() { wsmantest.New(wsmantest.Config{Version: "5.2.1.1"}) })
	assert.Panics(t, func() { wsmantest.New(wsmantest.Config{Mode: 9}) })
	for short, want := range map[string]string{"": "16.1.25.1917", "11": "11.8.50.3399", "12.0.45": "12.0.45.1509", "13": "13.0.0.0", "19.1.2.3": "19.1.2.3"} {
		assert.Equal(t, want, newDevice(t, wsmantest.Config{Version: short}).Version())
	}
}

// TestSecrets: nothing that is printed shows a password.
func TestSecrets(t *testing.T) {
	cfg := wsmantest.Config{Password: wsmantest.NewSecret("Hush!123")}
	assert.NotContains(t, printed(cfg), "Hush!123")
	d := newDevice(t, cfg)
	assert.NotContains(t, printed(d), "Hush!123")
	assert.NotContains(t, printed(d.Users()), "Hush!123")
	_, local := d.LocalCredentials()
	assert.NotContains(t, printed(local), local.Reveal())
}
