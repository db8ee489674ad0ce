package flows

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/leakcheck"
	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
	"github.com/meshcentral-go/sdk/wsman/cim"
	"github.com/meshcentral-go/sdk/wsman/ips"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestInventory(t *testing.T) { eachWay(t, testInventory) }

func testInventory(t *testing.T, w way) {
	for _, version := range []string{"11", "12", "15", "16.1"} {
		t.Run(version, func(t *testing.T) {
			b := w.start(t, wsmantest.Config{Version: version})
			inv, err := b.Inventory(t.Context())
			require.NoError(t, err)
			require.Equal(t, b.sim.UUID(), inv.UUID)
			require.Contains(t, b.sim.Version(), inv.AMT)
			require.Empty(t, inv.Absent)
			require.Equal(t, b.sim.Realm(), inv.General.DigestRealm)
			require.Equal(t, ips.ControlModeAdmin, inv.Setup.CurrentControlMode)
			require.NotEmpty(t, inv.CPU)
			require.NotEmpty(t, inv.Chassis.Manufacturer)
			require.NotEmpty(t, inv.Board.Model)
			require.NotEmpty(t, inv.BIOS.Version)
			require.False(t, inv.BIOS.ReleaseDate.IsZero())
			require.NotEmpty(t, inv.Processors)
			require.NotEmpty(t, inv.Memory)
			require.NotEmpty(t, inv.Ports)
			require.False(t, WiFi(inv.Ports[0]))
			require.Positive(t, Bytes(inv.Media[0]))
			require.Contains(t, b.steps, "inventory: read CIM_Card")
		})
	}
}

// What a model lacks is said, and is no error.
func TestInventoryAbsent(t *testing.T) { eachWay(t, testInventoryAbsent) }

func testInventoryAbsent(t *testing.T, w way) {
	lacks := []string{"CIM_MediaAccessDevice", "CIM_Chip", "CIM_Chassis"}
	b := w.start(t, wsmantest.Config{Absent: lacks})
	inv, err := b.Inventory(t.Context())
	require.NoError(t, err)
	require.ElementsMatch(t, lacks, inv.Absent)
	require.Empty(t, inv.CPU)
	require.Nil(t, inv.Chassis)
	require.Nil(t, inv.Failed)
}

// What a device does not tell of one class says nothing of the others.
func TestInventoryFaults(t *testing.T) { eachWay(t, testInventoryFaults) }

func testInventoryFaults(t *testing.T, w way) {
	b := w.start(t, wsmantest.Config{})
	b.sim.Inject(wsmantest.Injection{Class: "CIM_Card", Fault: "InternalError"})
	b.sim.Inject(wsmantest.Injection{Class: "CIM_Processor", Op: wsmantest.OpPull, Fault: "AccessDenied"})
	b.sim.Inject(wsmantest.Injection{Class: "CIM_SoftwareIdentity", Op: wsmantest.OpPull, Body: []byte("<html>")})
	b.sim.Inject(wsmantest.Injection{Class: "CIM_BIOSElement", Status: 500})
	inv, err := b.Inventory(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"CIM_Card", "CIM_BIOSElement", "CIM_Processor", "CIM_SoftwareIdentity"}, inv.Absent)
	require.Len(t, inv.Failed, 4)
	var step *StepError
	require.ErrorAs(t, inv.Failed["CIM_Card"], &step)
	require.Equal(t, Step{"inventory", "read CIM_Card"}, step.Step)
	var fault *wsman.Fault
	require.ErrorAs(t, inv.Failed["CIM_Card"], &fault)
	require.ErrorAs(t, inv.Failed["CIM_Processor"], &fault)
	require.Equal(t, "AccessDenied", fault.Subcode.Local)
	require.ErrorIs(t, inv.Failed["CIM_SoftwareIdentity"], wsman.ErrMalformed)
	require.ErrorAs(t, inv.Failed["CIM_BIOSElement"], new(*wsman.HTTPError))
	require.Nil(t, inv.Board)
	require.Nil(t, inv.BIOS)
	require.Empty(t, inv.Processors)
	require.Empty(t, inv.Firmware)
	require.Contains(t, b.sim.Version(), inv.AMT)
	require.NotEmpty(t, inv.Memory)
	require.NotEmpty(t, inv.Ports)
	require.NotEmpty(t, inv.Chassis.Manufacturer)

	inv, err = b.Inventory(t.Context())
	require.NoError(t, err)
	require.Empty(t, inv.Absent)
}

// What would end every other question too ends it.
func TestInventoryEnds(t *testing.T) {
	for name, end := range map[string]struct {
		fault wsmantest.Injection
		then  func(b *bench, cancel func())
		want  error
	}{
		"connection":       {wsmantest.Injection{Drop: true, Times: -1}, nil, io.ErrUnexpectedEOF},
		"context":          {wsmantest.Injection{Fault: "InternalError"}, func(_ *bench, cancel func()) { cancel() }, context.Canceled},
		"closed":           {wsmantest.Injection{Fault: "InternalError"}, func(b *bench, _ func()) { b.client.Close() }, wsman.ErrClosed},
		"another password": {wsmantest.Injection{Fault: "InternalError"}, func(b *bench, _ func()) { b.client.SetCredentials("admin", wsman.NewSecret("other")) }, wsman.ErrCredentials},
	} {
		t.Run(name, func(t *testing.T) {
			b := way{}.start(t, wsmantest.Config{})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			end.fault.Class = "CIM_Card"
			b.sim.Inject(end.fault)
			b.OnStep = func(s Step) {
				if s.Name == "read CIM_Card" && end.then != nil {
					end.then(b, cancel)
				}
			}
			_, err := b.Inventory(ctx)
			require.ErrorIs(t, err, end.want)
			var step *StepError
			require.ErrorAs(t, err, &step)
			require.Equal(t, "read CIM_Card", step.Name)
		})
	}
}

func TestPower(t *testing.T) { eachWay(t, testPower) }

func testPower(t *testing.T, w way) {
	b := w.start(t, wsmantest.Config{})
	p, err := b.Power(t.Context())
	require.NoError(t, err)
	require.Equal(t, cim.PowerStateOn, p.State)
	require.Equal(t, ips.OSPowerSavingStateFullPower, p.OS)
	require.NotEmpty(t, p.Requestable)

	for _, c := range []struct{ request, end cim.PowerState }{
		{cim.PowerStateOffSoft, cim.PowerStateOffSoft},
		{cim.PowerStateOn, cim.PowerStateOn},
		{cim.PowerStateMasterBusReset, cim.PowerStateOn},
		{cim.PowerStatePowerCycleSoft, cim.PowerStateOn},
		{cim.PowerStateSleepDeep, cim.PowerStateSleepDeep},
		{cim.PowerStateOn, cim.PowerStateOn},
		{cim.PowerStateHibernate, cim.PowerStateHibernate},
	} {
		p, err := b.SetPower(t.Context(), c.request)
		require.NoError(t, err, c.request)
		require.Equal(t, c.end, p.State, c.request)
	}
	require.Zero(t, b.waited)
	_, err = b.SetPower(t.Context(), 99)
	var failed *wsman.ReturnValueError
	require.ErrorAs(t, err, &failed)
}

// A host in modern standby is woken.
func TestPowerModernStandby(t *testing.T) {
	b := way{}.start(t, wsmantest.Config{})
	b.sim.SetModernStandby(true)
	p, err := b.Power(t.Context())
	require.NoError(t, err)
	require.Equal(t, ips.OSPowerSavingStateSavingPower, p.OS)
	p, err = b.SetPower(t.Context(), cim.PowerStateOn)
	require.NoError(t, err)
	require.Equal(t, ips.OSPowerSavingStateFullPower, p.OS)
}

// A device that accepts a request and does not carry it out is told from one that does so late.
func TestPowerUnsettled(t *testing.T) {
	b := way{}.start(t, wsmantest.Config{Power: wsmantest.PowerOn})
	b.sim.Inject(wsmantest.Injection{
		Class: "CIM_PowerManagementService", Op: "RequestPowerStateChange", Times: -1,
		Body: []byte(envelope(`<g:RequestPowerStateChange_OUTPUT><g:ReturnValue>0</g:ReturnValue></g:RequestPowerStateChange_OUTPUT>`)),
	})
	// The request is carried out before the body is replaced, so the button is pressed to undo it.
	pressed := 0
	b.onWait = func() {
		if pressed++; pressed == 3 {
			b.sim.PressPowerButton()
		}
	}
	_, err := b.SetPower(t.Context(), cim.PowerStateOffSoft)
	require.NoError(t, err)
	require.Equal(t, wsmantest.PowerState(cim.PowerStateOffSoft), b.sim.Power())

	b.Settle = 5 * time.Second
	b.waited, b.onWait = 0, nil
	_, err = b.begin("power").settled(t.Context(), cim.PowerStateOn)
	require.ErrorIs(t, err, ErrUnsettled)
	require.Equal(t, 5*time.Second, b.waited)
	b.Settle = -1
	_, err = b.begin("power").settled(t.Context(), cim.PowerStateOn)
	require.ErrorIs(t, err, ErrUnsettled)

	ctx, cancel := context.WithCancelCause(t.Context())
	b.Settle, b.Wait = 0, nil
	cancel(net.ErrClosed)
	require.ErrorIs(t, b.pause(ctx, time.Hour), net.ErrClosed)
}

func envelope(body string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><a:Envelope xmlns:a="http://www.w3.org/2003/05/soap-envelope" ` +
		`xmlns:g="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_PowerManagementService"><a:Header></a:Header><a:Body>` + body + `</a:Body></a:Envelope>`
}

func TestBoot(t *testing.T) { eachWay(t, testBoot) }

func testBoot(t *testing.T, w way) {
	for _, strict := range []bool{false, true} {
		b := w.start(t, wsmantest.Config{Quirks: wsmantest.Quirks{StrictBoot: strict, StrictPut: strict}})
		sources, err := b.BootSources(t.Context())
		require.NoError(t, err)
		require.NotEmpty(t, sources)
		abilities, err := b.BootCapabilities(t.Context())
		require.NoError(t, err)
		require.True(t, abilities.BIOSSetup)

		for _, c := range []Boot{
			{Source: cim.BootSourcePXE, Power: cim.PowerStateMasterBusReset},
			{BIOSSetup: true, SOL: true, Power: cim.PowerStateMasterBusReset}, // after another source
			{IDER: true, IDERDevice: amt.IDERBootDeviceCD, Power: cim.PowerStatePowerCycleSoft},
			{Source: cim.BootSourceHardDrive, Power: cim.PowerStateMasterBusReset},
		} {
			b.steps = nil
			p, err := b.Boot(t.Context(), c)
			require.NoError(t, err, "%+v", c)
			require.Equal(t, cim.PowerStateOn, p.State)
			boots := b.sim.Boots()
			last := boots[len(boots)-1]
			require.Equal(t, strings.TrimPrefix(c.Source, "Intel(r) AMT: "), last.Source)
			require.Equal(t, c.BIOSSetup, last.BIOS)
			require.Equal(t, c.SOL, last.SOL)
			require.Equal(t, c.IDER, last.IDER)
			require.Equal(t, "boot: clear the boot order", b.steps[0])
		}
		// The settings were good for one boot.
		_, err = b.SetPower(t.Context(), cim.PowerStateMasterBusReset)
		require.NoError(t, err)
		boots := b.sim.Boots()
		require.Empty(t, boots[len(boots)-1].Source)
	}
	b := w.start(t, wsmantest.Config{})
	_, err := b.Boot(t.Context(), Boot{Source: cim.BootSourcePXE, BIOSSetup: true})
	require.ErrorIs(t, err, ErrInput)
	p, err := b.Boot(t.Context(), Boot{BIOSSetup: true})
	require.NoError(t, err)
	require.Zero(t, p)
	require.NoError(t, b.RecoveryState(t.Context(), cim.BootServiceStateRecoveryEnabled))
}

func TestLogs(t *testing.T) { eachWay(t, testLogs) }

func testLogs(t *testing.T, w way) {
	b := w.start(t, wsmantest.Config{})
	for i := range 3 {
		b.sim.AddRecord(wsmantest.Record{Time: time.Unix(int64(1_700_000_000+i), 0), SensorType: byte(amt.SensorAuthentication), Severity: byte(amt.SeverityCritical), Data: [8]byte{0xAA, byte(i)}})
	}
	want := b.sim.Records()
	n := 0
	for e, err := range b.EventLog(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, want[n].Time.Unix(), e.Time.Unix())
		require.Equal(t, want[n].SensorType, byte(e.SensorType))
		n++
	}
	require.Equal(t, len(want), n)
	for range b.EventLog(t.Context()) {
		break
	}
	require.NoError(t, b.ClearEventLog(t.Context()))
	for e, err := range b.EventLog(t.Context()) {
		require.NoError(t, err)
		require.NotEqual(t, amt.SensorAuthentication, e.SensorType)
	}

	before := len(b.sim.AuditRecords())
	for i := range 25 { // more than one page
		b.sim.AddAudit(wsmantest.AuditRecord{App: int(amt.AuditSecurityAdmin), Event: 2, User: fmt.Sprint("user", i), Time: time.Unix(1_700_000_000, 0)})
	}
	var users []string
	for a, err := range b.AuditLog(t.Context(), uint32(before)+1) {
		require.NoError(t, err)
		users = append(users, a.By())
	}
	require.Len(t, users, 25)
	require.Equal(t, "user24", users[24])
	all := 0
	for _, err := range b.AuditLog(t.Context(), 0) {
		require.NoError(t, err)
		all++
	}
	require.Equal(t, before+25, all)

	b.sim.Inject(wsmantest.Injection{Class: "AMT_AuditLog", Fault: "InternalError"})
	b.sim.Inject(wsmantest.Injection{Class: "AMT_MessageLog", Fault: "InternalError"})
	var step *StepError
	for _, err := range b.AuditLog(t.Context(), 1) {
		require.ErrorAs(t, err, &step)
	}
	require.Equal(t, "audit log", step.Flow)
	for _, err := range b.EventLog(t.Context()) {
		require.ErrorAs(t, err, &step)
	}
	require.Equal(t, "event log", step.Flow)
}

func TestClock(t *testing.T) { eachWay(t, testClock) }

func testClock(t *testing.T, w way) {
	now := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	b := w.start(t, wsmantest.Config{Now: func() time.Time { return now }})
	b.Now = func() time.Time { return now }
	b.sim.SetClock(now.Add(time.Hour))
	_, ahead, err := b.Clock(t.Context())
	require.NoError(t, err)
	require.Equal(t, time.Hour, ahead)
	_, err = b.SetClock(t.Context(), 2*time.Hour)
	require.NoError(t, err)
	require.Zero(t, b.sim.Called("AMT_TimeSynchronizationService", "SetHighAccuracyTimeSynch"))
	ahead, err = b.SetClock(t.Context(), 10*time.Second)
	require.NoError(t, err)
	require.Equal(t, time.Hour, ahead)
	require.Equal(t, now, b.sim.Clock())
}

func TestAlarms(t *testing.T) { eachWay(t, testAlarms) }

func testAlarms(t *testing.T, w way) {
	b := w.start(t, wsmantest.Config{})
	at := b.sim.Clock().Add(time.Hour)
	require.NoError(t, b.AddAlarm(t.Context(), "wake", at, 24*time.Hour))
	alarms, err := b.Alarms(t.Context())
	require.NoError(t, err)
	require.Len(t, alarms, 1)
	require.Equal(t, 24*time.Hour, alarms[0].Interval)
	require.Equal(t, at.UTC().Truncate(time.Second), alarms[0].StartTime.UTC())
	require.NoError(t, b.RemoveAlarm(t.Context(), "wake"))
	require.Empty(t, b.sim.Alarms())
	require.ErrorIs(t, b.AddAlarm(t.Context(), "past", time.Now().Add(-time.Hour), 0), ErrInput)
	for i := range MaxAlarms {
		require.NoError(t, b.AddAlarm(t.Context(), fmt.Sprint("a", i), at, 0))
	}
	var failed *wsman.ReturnValueError
	require.ErrorAs(t, b.AddAlarm(t.Context(), "one more", at, 0), &failed)
}

func TestUsers(t *testing.T) { eachWay(t, testUsers) }

func testUsers(t *testing.T, w way) {
	b := w.start(t, wsmantest.Config{})
	password := wsman.NewSecret("Str0ng!pass")
	u := User{Name: "operator", Access: amt.AccessPermissionAny, Realms: []amt.Realm{amt.RealmRedirection, amt.RealmHardwareAsset}, Enabled: true}
	require.NoError(t, b.SetUser(t.Context(), u, password))
	require.True(t, b.sim.CheckPassword("operator", "Str0ng!pass"))
	users, err := b.Users(t.Context())
	require.NoError(t, err)
	got := find(users, "operator")
	require.NotNil(t, got)
	require.Equal(t, u.Realms, got.Realms)
	require.True(t, got.Enabled)

	// Again, with another password, fewer rights and switched off.
	u.Realms, u.Enabled = []amt.Realm{amt.RealmRedirection}, false
	require.NoError(t, b.SetUser(t.Context(), u, wsman.NewSecret("0ther!Pass")))
	users, err = b.Users(t.Context())
	require.NoError(t, err)
	got = find(users, "operator")
	require.False(t, got.Enabled)
	require.Equal(t, u.Realms, got.Realms)
	u.Enabled = true
	require.NoError(t, b.SetUser(t.Context(), u, wsman.NewSecret("0ther!Pass")))
	require.True(t, b.sim.CheckPassword("operator", "0ther!Pass"))

	require.NoError(t, b.RemoveUser(t.Context(), "operator"))
	require.NoError(t, b.RemoveUser(t.Context(), "operator"), "is gone already")
	users, err = b.Users(t.Context())
	require.NoError(t, err)
	require.Nil(t, find(users, "operator"))

	for _, name := range []string{"", "seventeen-letters", "$$uns"} {
		require.ErrorIs(t, b.SetUser(t.Context(), User{Name: name}, password), ErrInput)
	}
	require.ErrorIs(t, b.SetUser(t.Context(), User{Name: "x"}, wsman.NewSecret("weak")), ErrInput)
}

func find(users []User, name string) *User {
	for i := range users {
		if users[i].Name == name {
			return &users[i]
		}
	}
	return nil
}

func TestSetAdmin(t *testing.T) { eachWay(t, testSetAdmin) }

func testSetAdmin(t *testing.T, w way) {
	b := w.start(t, wsmantest.Config{})
	require.NoError(t, b.SetAdmin(t.Context(), "admin", wsman.NewSecret("N3w!Password")))
	require.True(t, b.sim.CheckPassword("admin", "N3w!Password"))
	_, err := b.Power(t.Context())
	require.NoError(t, err, "the client uses the new one")
	require.ErrorIs(t, b.SetAdmin(t.Context(), "admin", wsman.NewSecret("weak")), ErrInput)
}

// A device whose realm differs from the one it shows is not given a hash of a password.
func TestRealmMismatch(t *testing.T) {
	b := way{}.start(t, wsmantest.Config{Quirks: wsmantest.Quirks{RealmMismatch: true}})
	require.ErrorIs(t, b.SetAdmin(t.Context(), "admin", wsman.NewSecret("N3w!Password")), wsman.ErrRealm)
	require.Zero(t, b.sim.Called("AMT_AuthorizationService", ""))
}

func TestCheckPassword(t *testing.T) {
	for p, good := range map[string]bool{
		"P@ssw0rd": true, "P_ssw0rd": false, "p@ssw0rd": false, "P@SSW0RD": false, "P@ssword": false, "P@ss0rd": false,
		"P@ssw0rd:": false, "P@ssw0rd\x7f": false, "P@ssw0rdP@ssw0rdP@ssw0rdP@ssw0rd1": false, "Pässw0rd!": false,
	} {
		require.Equal(t, good, CheckPassword(wsman.NewSecret(p)) == nil, p)
	}
}

func TestRedirection(t *testing.T) { eachWay(t, testRedirection) }

func testRedirection(t *testing.T, w way) {
	b := w.start(t, wsmantest.Config{})
	off, on := false, true
	require.NoError(t, b.SetRedirection(t.Context(), Redirection{SOL: true, KVM: &off, Listener: true, Consent: ips.OptInRequiredKVM}))
	r, err := b.Redirection(t.Context())
	require.NoError(t, err)
	require.Equal(t, Redirection{SOL: true, KVM: &off, Listener: true, Consent: ips.OptInRequiredKVM}, r)
	want := Redirection{SOL: true, IDER: true, KVM: &on, Listener: true, Consent: ips.OptInRequiredNone}
	require.NoError(t, b.SetRedirection(t.Context(), want))
	sol, ider, kvm, listens := b.sim.Redirection()
	require.True(t, sol && ider && kvm && listens)
	b.sim.ClearCalls()
	require.NoError(t, b.SetRedirection(t.Context(), want), "nothing is different")
	require.Zero(t, b.sim.Called("", wsmantest.OpPut)+b.sim.Called("", "RequestStateChange"))

	none := w.start(t, wsmantest.Config{NoKVM: true})
	r, err = none.Redirection(t.Context())
	require.NoError(t, err)
	require.Nil(t, r.KVM)
	require.ErrorIs(t, none.SetRedirection(t.Context(), Redirection{SOL: true, IDER: true, Listener: true, KVM: &on, Consent: r.Consent}), wsman.ErrUnsupported)

	client := w.start(t, wsmantest.Config{Mode: wsmantest.ModeClient})
	r, err = client.Redirection(t.Context())
	require.NoError(t, err)
	require.True(t, r.ConsentFixed)
	r.Consent = ips.OptInRequiredNone
	require.ErrorIs(t, client.SetRedirection(t.Context(), r), wsman.ErrUnsupported)
}

func TestVNC(t *testing.T) { eachWay(t, testVNC) }

func testVNC(t *testing.T, w way) {
	b := w.start(t, wsmantest.Config{})
	require.NoError(t, b.VNC(t.Context(), true, wsman.NewSecret("P@ssw0rd")))
	require.Equal(t, "P@ssw0rd", b.sim.RFBPassword().Reveal())
	require.ErrorIs(t, b.VNC(t.Context(), true, wsman.NewSecret("P@ssw0rd9")), ErrInput)
	require.NoError(t, b.VNC(t.Context(), false, wsman.Secret{}))
}

func TestConsent(t *testing.T) { eachWay(t, testConsent) }

func testConsent(t *testing.T, w way) {
	b := w.start(t, wsmantest.Config{Mode: wsmantest.ModeClient})
	require.NoError(t, b.StartConsent(t.Context()))
	require.NoError(t, b.StartConsent(t.Context()), "it is shown already")
	n, err := strconv.Atoi(b.sim.ConsentCode())
	require.NoError(t, err)
	code := uint32(n)
	var failed *wsman.ReturnValueError
	require.ErrorAs(t, b.SendConsent(t.Context(), (code+1)%1_000_000), &failed)
	require.NoError(t, b.SendConsent(t.Context(), code))
	r, err := b.Redirection(t.Context())
	require.NoError(t, err)
	require.Equal(t, ips.OptInStateReceived, r.ConsentState)
	require.NoError(t, b.CancelConsent(t.Context()))
	require.ErrorIs(t, b.SendConsent(t.Context(), 1_000_000), ErrInput)
}

// authority is a root certificate that issues others.
type authority struct {
	key  *rsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return authority{key, cert}
}

func (a authority) issue(t *testing.T, name string, public crypto.PublicKey, usage ...asn1.ObjectIdentifier) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, UnknownExtKeyUsage: usage,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key)
	require.NoError(t, err)
	return der
}

func TestCIRA(t *testing.T) { eachWay(t, testCIRA) }

func testCIRA(t *testing.T, w way) {
	root := newAuthority(t)
	for _, oneSelector := range []bool{false, true} {
		b := w.start(t, wsmantest.Config{Quirks: wsmantest.Quirks{OneSelector: oneSelector}})
		cira := CIRA{
			Host: "mps.example", Format: amt.InfoFormatFQDN, Port: 4433, Root: root.cert.Raw,
			Username: "AbCdEfXhIjKlMnXp", Password: wsman.NewSecret("P@ssw0rd"), Every: 30 * time.Second,
		}
		for range 2 { // again changes nothing but the password that cannot be read back
			require.NoError(t, b.SetCIRA(t.Context(), cira))
			state := b.sim.CIRA()
			require.Len(t, state.Servers, 1)
			require.Equal(t, "mps.example", state.Servers[0].Address)
			require.Equal(t, "P@ssw0rd", state.Servers[0].Password.Reveal())
			require.Len(t, state.Policies, 1)
			require.Equal(t, 30*time.Second, state.Policies[0].Interval)
			require.Equal(t, []string{state.Servers[0].Name}, state.Policies[0].Servers)
			require.Len(t, state.Suffixes, 1)
		}
		require.Equal(t, 1, b.sim.Called("AMT_PublicKeyManagementService", "AddTrustedRootCertificate"))
		require.Equal(t, 1, b.sim.Called("AMT_EnvironmentDetectionSettingData", wsmantest.OpPut))
		cira.Inside = []string{"corp.example"}
		require.NoError(t, b.SetCIRA(t.Context(), cira))
		require.Equal(t, cira.Inside, b.sim.CIRA().Suffixes)
		require.NoError(t, b.ClearCIRA(t.Context()))
		require.Empty(t, b.sim.CIRA().Servers)
		require.Empty(t, b.sim.CIRA().Policies)
		require.Empty(t, b.sim.CIRA().Suffixes)
	}
	b := w.start(t, wsmantest.Config{})
	for _, bad := range []CIRA{
		{}, {Host: "h", Port: 1, Root: root.cert.Raw}, {Host: "h", Port: 1, Username: "u", Root: []byte("x")},
		{Host: "h", Port: 1, Username: "seventeen-letters", Root: root.cert.Raw},
		{Host: "h", Port: 1, Username: "u", Root: root.cert.Raw, Inside: make([]string, 5)},
	} {
		require.ErrorIs(t, b.SetCIRA(t.Context(), bad), ErrInput)
	}
}

func TestTLS(t *testing.T) {
	root := newAuthority(t)
	for _, quirks := range []wsmantest.Quirks{{PKCS1Keys: true}, {SubjectPublicKeyInfo: true, KeyBusy: 2}} {
		b := way{}.start(t, wsmantest.Config{Version: "15", Quirks: quirks})
		issued := 0
		setup := TLSSetup{Issue: func(_ context.Context, key *rsa.PublicKey) ([]byte, error) {
			issued++
			return root.issue(t, "amt.example", key), nil
		}}
		// Once it fails after the key is made, and is called again.
		b.sim.Inject(wsmantest.Injection{Class: "AMT_PublicKeyManagementService", Op: "AddCertificate", ReturnValue: 1})
		_, err := b.SetTLS(t.Context(), setup)
		var failed *wsman.ReturnValueError
		require.ErrorAs(t, err, &failed)
		der, err := b.SetTLS(t.Context(), setup)
		require.NoError(t, err)
		enabled, cert := b.sim.TLS()
		require.True(t, enabled)
		require.Equal(t, cert.Raw, der)
		require.Equal(t, 2, issued)
		require.Len(t, b.sim.KeyPairs(), 1, "the key of the first time was used")

		secure := b.connect(t, "admin", wsman.NewSecret(wsmantest.DefaultPassword), true)
		p, err := (&Device{Client: secure}).Power(t.Context())
		require.NoError(t, err)
		require.Equal(t, cim.PowerStateOn, p.State)
		again, err := b.SetTLS(t.Context(), setup)
		require.NoError(t, err)
		require.Equal(t, der, again)
		require.Equal(t, 1, b.sim.Called("AMT_SetupAndConfigurationService", "CommitChanges"))
	}
}

func TestWiFi(t *testing.T) { eachWay(t, testWiFi) }

func testWiFi(t *testing.T, w way) {
	b := w.start(t, wsmantest.Config{})
	profile := WiFiProfile{
		Name: "office", SSID: "corp <&>", Auth: cim.AuthenticationMethodWPA2PSK, Encryption: cim.EncryptionMethodCCMP,
		Passphrase: wsman.NewSecret("long enough"),
	}
	require.NoError(t, b.SetWiFiProfile(t.Context(), profile))
	profile.Name, profile.SSID = "second", "other"
	require.NoError(t, b.SetWiFiProfile(t.Context(), profile))
	stored := b.sim.WiFi()
	require.Len(t, stored, 2)
	require.Equal(t, "corp <&>", stored[0].SSID)
	require.Equal(t, "long enough", stored[0].Passphrase.Reveal())
	require.NotEqual(t, stored[0].Priority, stored[1].Priority)
	profile.Passphrase = wsman.NewSecret("another phrase")
	require.NoError(t, b.SetWiFiProfile(t.Context(), profile))
	require.Len(t, b.sim.WiFi(), 2)
	state, err := b.WiFiState(t.Context())
	require.NoError(t, err)
	require.Equal(t, cim.WiFiPortStateEnabledInS0AndSx, state.Port)
	require.Len(t, state.Profiles, 2)

	profile = WiFiProfile{
		Name: "eap", SSID: "eap", Auth: cim.AuthenticationMethodWPA2IEEE8021x, Encryption: cim.EncryptionMethodCCMP,
		Account: &cim.IEEE8021xSettings{AuthenticationProtocol: cim.AuthenticationProtocolPEAPv0MSCHAPv2, Username: "user", Password: wsman.NewSecret("pw")},
	}
	require.NoError(t, b.SetWiFiProfile(t.Context(), profile))
	require.NoError(t, b.SetWiFi(t.Context(), cim.WiFiPortStateDisabled, amt.ProfileSyncUser))
	state, err = b.WiFiState(t.Context())
	require.NoError(t, err)
	require.Equal(t, cim.WiFiPortStateDisabled, state.Port)
	require.Equal(t, amt.ProfileSyncUser, state.Sync)
	require.Len(t, state.Accounts, 1)
	require.NoError(t, b.RemoveWiFiProfile(t.Context(), "eap"))
	require.NoError(t, b.RemoveWiFiProfile(t.Context(), "eap"))
	require.Len(t, b.sim.WiFi(), 2)

	for _, bad := range []WiFiProfile{
		{}, {Name: "n", SSID: "s", Auth: cim.AuthenticationMethodWPA2PSK, Passphrase: wsman.NewSecret("short")},
		{Name: "n", SSID: "s", Auth: cim.AuthenticationMethodOpen, Passphrase: wsman.NewSecret("for nothing")},
	} {
		require.ErrorIs(t, b.SetWiFiProfile(t.Context(), bad), ErrInput)
	}
	_, err = w.start(t, wsmantest.Config{NoWiFi: true}).WiFiState(t.Context())
	require.ErrorIs(t, err, wsman.ErrUnsupported)
}

func TestWired8021x(t *testing.T) { eachWay(t, testWired8021x) }

func testWired8021x(t *testing.T, w way) {
	b := w.start(t, wsmantest.Config{})
	require.NoError(t, b.SetWired8021x(t.Context(), func(p *amt.IEEE8021XProfile) {
		p.Enabled, p.ActiveInS0, p.AuthenticationProtocol, p.PxeTimeout, p.Username = true, true, cim.AuthenticationProtocolPEAPv0MSCHAPv2, 120, "host"
	}))
	p, err := b.Wired8021x(t.Context())
	require.NoError(t, err)
	require.True(t, p.Enabled)
	require.Equal(t, "host", p.Username)
	_, err = w.start(t, wsmantest.Config{No8021x: true}).Wired8021x(t.Context())
	require.ErrorIs(t, err, wsman.ErrUnsupported)
}

func TestActivateClient(t *testing.T) { eachWay(t, testActivateClient) }

func testActivateClient(t *testing.T, w way) {
	for _, silent := range []bool{false, true} {
		b := w.start(t, wsmantest.Config{Mode: wsmantest.ModeNone, Quirks: wsmantest.Quirks{SilentSetup: silent}})
		password := wsman.NewSecret("Str0ng!pass")
		require.NoError(t, b.ActivateClient(t.Context(), password))
		require.Equal(t, wsmantest.ModeClient, b.sim.Mode())
		require.True(t, b.sim.CheckPassword("admin", "Str0ng!pass"))
		require.NoError(t, b.ActivateClient(t.Context(), password), "it is done already")
		require.Equal(t, 1, b.sim.Called("IPS_HostBasedSetupService", "Setup"))
		require.NoError(t, b.Unprovision(t.Context()))
		require.Equal(t, wsmantest.ModeNone, b.sim.Mode())
	}
	b := w.start(t, wsmantest.Config{Mode: wsmantest.ModeNone})
	require.ErrorIs(t, b.ActivateClient(t.Context(), wsman.NewSecret("weak")), ErrInput)
}

func TestActivateAdmin(t *testing.T) { eachWay(t, testActivateAdmin) }

func testActivateAdmin(t *testing.T, w way) {
	root := newAuthority(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	p := Provisioning{Key: key, Chain: [][]byte{root.issue(t, "amt.corp.example", &key.PublicKey, provisioningOID), root.cert.Raw}}
	password := wsman.NewSecret("Str0ng!pass")
	for _, silent := range []bool{false, true} {
		b := w.start(t, wsmantest.Config{
			Mode: wsmantest.ModeNone, TrustedRoots: []*x509.Certificate{root.cert}, TrustedSuffix: "corp.example",
			Quirks: wsmantest.Quirks{SilentSetup: silent},
		})
		require.NoError(t, b.ActivateAdmin(t.Context(), p, password))
		require.Equal(t, wsmantest.ModeAdmin, b.sim.Mode())

		b = w.start(t, wsmantest.Config{
			Mode: wsmantest.ModeClient, TrustedRoots: []*x509.Certificate{root.cert}, Quirks: wsmantest.Quirks{SilentSetup: silent},
		})
		require.ErrorIs(t, b.ActivateAdmin(t.Context(), p, password), ErrInput, "it is in client control mode")
		require.NoError(t, b.UpgradeToAdmin(t.Context(), p))
		require.Equal(t, wsmantest.ModeAdmin, b.sim.Mode())
		require.NoError(t, b.UpgradeToAdmin(t.Context(), p))
	}

	// A root that the device does not know.
	b := w.start(t, wsmantest.Config{Mode: wsmantest.ModeNone, TrustedRoots: []*x509.Certificate{newAuthority(t).cert}})
	b.Settle = -1
	require.Error(t, b.ActivateAdmin(t.Context(), p, password))
	require.Equal(t, wsmantest.ModeNone, b.sim.Mode())

	other, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for _, bad := range []Provisioning{
		{}, {Key: other, Chain: p.Chain}, {Key: key, Chain: p.Chain[:1]}, {Key: key, Chain: [][]byte{{1}, {2}}},
		{Key: key, Chain: [][]byte{root.issue(t, "amt.corp.example", &key.PublicKey), root.cert.Raw}},
	} {
		require.ErrorIs(t, b.ActivateAdmin(t.Context(), bad, password), ErrInput)
	}
}

// A device that never gets into its mode is said to be so, with the last reason.
func TestActivationUnsettled(t *testing.T) {
	b := way{}.start(t, wsmantest.Config{Mode: wsmantest.ModeNone})
	b.sim.Inject(wsmantest.Injection{Class: "IPS_HostBasedSetupService", Op: "Setup", Drop: true, Times: -1})
	err := b.ActivateClient(t.Context(), wsman.NewSecret("Str0ng!pass"))
	require.ErrorIs(t, err, ErrUnsettled)
	require.ErrorIs(t, err, wsman.ErrCredentials)
	require.GreaterOrEqual(t, b.waited, setupTime-activationPause)
}
