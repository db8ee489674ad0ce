package amt

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func unbase64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	require.NoError(t, err)
	return b
}

// A record of an AMT machine, as it is published with go-wsman-messages.
const eventVector = "Y8iYZf8GbwVoEP8mYaoKAAAAAAAA"

func TestEventRecord(t *testing.T) {
	b := unbase64(t, eventVector)
	e, err := ParseEventRecord(b)
	require.NoError(t, err)
	require.Equal(t, EventRecord{
		Time: time.Date(2024, 1, 6, 3, 26, 27, 0, time.UTC), DeviceAddress: 255, SensorType: SensorAuthentication, EventType: 0x6F,
		EventOffset: 5, SourceType: 0x68, Severity: SeverityCritical, SensorNumber: 255, Entity: 38, EntityInstance: 97,
		Data: [8]byte{0xAA, 0x0A},
	}, e)
	require.Equal(t, "authentication failed 10 times", e.Text())
	require.Equal(t, "critical", e.Severity.String())
	require.True(t, e.Written())
	require.Equal(t, b, e.Append(nil))
	for n := range len(b) {
		_, err := ParseEventRecord(b[:n])
		require.ErrorIs(t, err, ErrRecord)
	}
	_, err = ParseEventRecord(append(b, 0))
	require.ErrorIs(t, err, ErrRecord)
}

func TestEventNeverWritten(t *testing.T) {
	for _, head := range []string{"\x00\x00\x00\x00", "\xff\xff\xff\xff"} {
		e, err := ParseEventRecord([]byte(head + strings.Repeat("\x00", 17)))
		require.NoError(t, err)
		require.False(t, e.Written())
	}
	require.Zero(t, logTime(time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)), "does not fit")
	require.Zero(t, logTime(time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC)))
}

func TestEventTexts(t *testing.T) {
	for _, c := range []struct {
		e    EventRecord
		want string
	}{
		{EventRecord{SensorType: SensorIntrusion}, "the case was opened"},
		{EventRecord{SensorType: SensorIntrusion, EventOffset: 1}, ""},
		{EventRecord{SensorType: SensorFirmware, Data: [8]byte{64, 10}}, "BIOS error: no video device detected"},
		{EventRecord{SensorType: SensorFirmware, Data: [8]byte{64, 200}}, "BIOS error 200"},
		{EventRecord{SensorType: SensorFirmware, EventOffset: 2, Data: [8]byte{64, 19}}, "BIOS progress: operating system starts"},
		{EventRecord{SensorType: SensorFirmware, EventOffset: 2, Data: [8]byte{64, 99}}, "BIOS progress 99"},
		{EventRecord{SensorType: SensorFirmware, EventOffset: 3, Data: [8]byte{64, 7}}, "BIOS error of the maker's own: 7"},
		{EventRecord{SensorType: SensorFirmware, EventOffset: 5, Data: [8]byte{64, 8}}, "BIOS progress of the maker's own: 8"},
		{EventRecord{SensorType: SensorFirmware, Data: [8]byte{235}}, "invalid data"},
		{EventRecord{SensorType: SensorFirmware, Data: [8]byte{0xAA, 0x30}}, "one-click recovery"},
		{EventRecord{SensorType: SensorFirmware, Data: [8]byte{0xAA, 0x40}}, "remote platform erase"},
		{EventRecord{SensorType: SensorWatchdog}, "a watchdog of an agent changed its state"},
		{EventRecord{SensorType: SensorNoBootMedia}, "there is no medium to boot from"},
		{EventRecord{SensorType: SensorOSLockup}, "the operating system does not answer, or was interrupted"},
		{EventRecord{SensorType: SensorBootFailure, Data: [8]byte{64}}, "the watchdog of the power-on self test expired"},
		{EventRecord{SensorType: SensorBootFailure}, "the operating system could not be started"},
		{EventRecord{SensorType: SensorFilter}, "a filter of the network matched"},
		{EventRecord{SensorType: SensorStarted}, "the management firmware started"},
		{EventRecord{SensorType: SensorSession, Data: [8]byte{0xAA, 0x30, 0, 0}}, "a serial-over-LAN session was opened"},
		{EventRecord{SensorType: SensorSession, Data: [8]byte{0xAA, 0x30, 0, 3}}, "an IDE redirection session was closed"},
		{EventRecord{SensorType: SensorSession, Data: [8]byte{0xAA, 0x30, 0, 4}}, "a redirection session changed (0, 4)"},
		{EventRecord{SensorType: SensorSession}, "the security policy was invoked"},
		{EventRecord{SensorType: SensorUserRequest, Data: [8]byte{0xAA, 0x30}}, "the user asked for a remote connection"},
		{EventRecord{SensorType: SensorUserRequest}, ""},
		{EventRecord{SensorType: 77}, ""},
	} {
		require.Equal(t, c.want, c.e.Text(), "%+v", c.e)
	}
	require.Equal(t, "EventSeverity(7)", EventSeverity(7).String())
}

// A record of an AMT machine, as it is published with go-wsman-messages.
const auditVector = "ABMAAAI/9M1uAgAQAAwAAAAoBZkADAAAACQFlA=="

func TestAuditRecord(t *testing.T) {
	b := unbase64(t, auditVector)
	a, err := ParseAuditRecord(b)
	require.NoError(t, err)
	require.Equal(t, AuditFirmwareUpdate, a.App)
	require.Equal(t, InitiatorLocal, a.Initiator)
	require.Equal(t, LocationNone, a.Location)
	require.Equal(t, time.Date(2004, 1, 2, 1, 46, 22, 0, time.UTC), a.Time)
	require.Equal(t, "firmware update: firmware updated from 12.0.40.1433 to 12.0.36.1428", a.Text())
	require.Equal(t, "local", a.By())
	back, err := a.Append(nil)
	require.NoError(t, err)
	require.Equal(t, b, back)
	for n := range len(b) {
		_, err := ParseAuditRecord(b[:n])
		require.ErrorIs(t, err, ErrRecord)
	}
	_, err = ParseAuditRecord(append(b, 0))
	require.ErrorIs(t, err, ErrRecord)
}

func TestAuditInitiators(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	sid := []byte{1, 4, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0}
	for _, c := range []struct {
		a        AuditRecord
		by, text string
	}{
		{AuditRecord{App: AuditSecurityAdmin, Event: 2, User: "admin", NetAddress: "10.0.0.1"}, "admin", "security administration: user added"},
		{AuditRecord{App: AuditRemoteControl, Event: 3, Initiator: InitiatorKerberos, UserRID: 1105, UserSID: sid}, "S-1-5-21-1-2-3-1105", "remote control: reset"},
		{AuditRecord{App: AuditKVM, Event: 99, Initiator: InitiatorKerberos, UserRID: 5, UserSID: []byte{1, 9}}, "0109-5", "KVM: event 99"},
		{AuditRecord{App: AuditRedirection, Event: 8, Initiator: InitiatorKVM, Location: LocationIPv6, NetAddress: "::1"}, "kvm", "redirection: KVM session started"},
		{AuditRecord{App: 99, Initiator: InitiatorLocal, ExtendedRaw: []byte{1, 2}}, "local", "AuditApp(99): event 0"},
	} {
		c.a.Time = at
		b, err := c.a.Append([]byte("x"))
		require.NoError(t, err)
		back, err := ParseAuditRecord(b[1:])
		require.NoError(t, err)
		require.Equal(t, c.by, back.By())
		require.Equal(t, c.text, back.Text())
		require.Equal(t, c.a.NetAddress, back.NetAddress)
		again, err := back.Append(nil)
		require.NoError(t, err)
		require.Equal(t, b[1:], again)
	}
	long := AuditRecord{User: strings.Repeat("u", 256)}
	b, err := long.Append([]byte("x"))
	require.ErrorIs(t, err, ErrRecord)
	require.Equal(t, "x", string(b))
	odd := AuditRecord{Initiator: 9}
	b, err = odd.Append([]byte("x"))
	require.ErrorIs(t, err, ErrRecord)
	require.Equal(t, "x", string(b))
	_, err = ParseAuditRecord([]byte{0, 16, 0, 0, 9, 0, 0, 0, 0, 2, 0, 0})
	require.ErrorIs(t, err, ErrRecord)
}

// Every known event has a name of its own.
func TestAuditNames(t *testing.T) {
	seen := map[string]bool{}
	for app, known := range auditApps {
		for i := range known.events {
			text := (&AuditRecord{App: app, Event: uint16(i)}).Text()
			require.False(t, seen[text], text)
			seen[text] = true
		}
	}
}

func FuzzEventRecord(f *testing.F) {
	f.Add(unbase64(f, eventVector))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEventRecord(b)
		if err != nil {
			return
		}
		_ = e.Text()
		again, err := ParseEventRecord(e.Append(nil))
		require.NoError(t, err)
		require.Equal(t, e, again)
	})
}

func FuzzAuditRecord(f *testing.F) {
	f.Add(unbase64(f, auditVector))
	f.Add([]byte{0, 16, 0, 0, 1, 0, 0, 0, 1, 2, 3, 4, 1, 2, 3, 4, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseAuditRecord(b)
		if err != nil {
			return
		}
		_, _ = a.Text(), a.By()
		back, err := a.Append(nil)
		require.NoError(t, err)
		if !a.Time.Equal(time.Unix(0xFFFFFFFF, 0)) {
			require.Equal(t, b, back)
		}
	})
}
