package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/examples/internal/console"
	"github.com/meshcentral-go/sdk/wsman/amt"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// furnished is a device with something in all that is listed.
func furnished(t *testing.T, cfg wsmantest.Config) (*world, *machine) {
	t.Helper()
	w, m := on(t, cfg)
	at := func(minute int) time.Time { return now.Add(time.Duration(minute-60) * time.Minute) }
	m.AddRecord(wsmantest.Record{Time: at(1), SensorType: byte(amt.SensorFirmware), EventType: 0x6F, Severity: byte(amt.SeverityMonitor), Data: [8]byte{0x40, 0x13}})
	m.AddRecord(wsmantest.Record{Time: at(2), SensorType: byte(amt.SensorAuthentication), EventType: 0x6F, Severity: byte(amt.SeverityCritical), Data: [8]byte{0xAA, 3}})
	m.AddRecord(wsmantest.Record{Time: at(3), SensorType: 77, EventType: 0x6F, Offset: 2, Severity: byte(amt.SeverityOK), Data: [8]byte{1, 2}})
	m.AddAudit(wsmantest.AuditRecord{App: int(amt.AuditSecurityAdmin), Event: 0, User: "admin", Time: at(4), Address: "192.0.2.7"})
	m.AddAudit(wsmantest.AuditRecord{App: int(amt.AuditRemoteControl), Event: 2, User: "evil\x1b[2J", Time: at(5)})
	w.env["AMTCTL_NEW_PASSWORD"] = "An0ther-Secret!"
	w.ok(t, m.at("users", "set", "operator", "--may", "redirection,remote-control,hardware")...)
	w.ok(t, m.at("users", "set", "local-tool", "--may", "administration", "--access", "local", "--disabled")...)
	w.env["AMTCTL_WIFI_PASSPHRASE"] = "not shown either"
	w.ok(t, m.at("wifi", "set", "home", "--ssid", "Home \u202e net")...)
	w.ok(t, m.at("wifi", "set", "office", "--ssid", "office", "--auth", "wpa3-sae", "--priority", "7")...)
	w.ok(t, m.at("alarm", "add", "monday", "--at", "2026-11-30T06:00:00Z", "--every", "170h30m")...)
	w.ok(t, m.at("alarm", "add", "once", "--at", "+90m")...)
	m.SetClock(now.Add(42 * time.Second))
	return w, m
}

// What is printed: for people and as JSON, without TLS and with it.
func TestGolden(t *testing.T) {
	w, m := furnished(t, wsmantest.Config{TLS: true})
	pin := m.pin(t)
	for name, args := range map[string][]string{
		"info":         {"info"},
		"power":        {"power"},
		"log":          {"log"},
		"log-audit":    {"log", "--audit"},
		"users":        {"users", "list"},
		"wifi":         {"wifi", "show"},
		"alarm":        {"alarm", "list"},
		"clock":        {"clock"},
		"redirection":  {"redirection"},
		"boot-sources": {"boot", "sources"},
	} {
		for _, form := range []string{"txt", "json"} {
			all := args
			if form == "json" {
				all = append(all[:len(all):len(all)], "--json")
			}
			out := w.ok(t, m.at(all[:len(all):len(all)]...)...)
			for _, r := range out {
				require.True(t, r == '\n' || r == '\uFFFD' || console.Harmless(r), "%s: %q", name, r)
			}
			compare(t, name+"."+form, out)
			require.Equal(t, out, w.ok(t, append(m.overTLS(all[:len(all):len(all)]...), "--pin", pin)...), "over TLS")
		}
	}
}

// Versions print what they have; what a model lacks is no error.
func TestGoldenVersions(t *testing.T) {
	for _, version := range []string{"11", "12", "15", "19"} {
		w, m := on(t, wsmantest.Config{Version: version})
		args := m.at("info")
		if version == "19" { // has nothing else
			args = append(m.overTLS("info"), "--pin", m.pin(t))
		}
		compare(t, "info-"+version+".txt", w.ok(t, args...))
	}
	w, m := on(t, wsmantest.Config{NoWiFi: true, NoKVM: true, Absent: []string{"CIM_Chassis", "CIM_MediaAccessDevice"}})
	compare(t, "info-less.txt", w.ok(t, m.at("info")...))
	fault := wsmantest.Injection{Class: "CIM_Card", Fault: "InternalError"}
	m.Inject(fault)
	require.Regexp(t, "(?is)the device does not have\nCIM_Chassis\nCIM_MediaAccessDevice\n\nthe device does not tell  reason\nCIM_Card +.*InternalError",
		w.ok(t, m.at("info")...))
	m.Inject(fault)
	less := decode[report](t, w.ok(t, m.at("info", "--json")...))
	require.Equal(t, []string{"CIM_Chassis", "CIM_MediaAccessDevice"}, less.Absent)
	require.Contains(t, less.Failed["CIM_Card"], "InternalError")
	require.Contains(t, w.ok(t, m.at("redirection")...), "the device has none")
	require.Contains(t, w.fails(t, exitRefused, m.at("wifi", "show")...), "This device does not have that.")
}

// limits of logs.
func TestLog(t *testing.T) {
	w, m := furnished(t, wsmantest.Config{})
	require.Len(t, decode[[]logEntry](t, w.ok(t, m.at("log", "--json")...)), 3)
	require.Len(t, decode[[]logEntry](t, w.ok(t, m.at("log", "--json", "--limit", "2")...)), 2)
	audit := decode[[]auditEntry](t, w.ok(t, m.at("log", "--audit", "--json", "--first", "2", "--limit", "1")...))
	require.Len(t, audit, 1)
	require.Equal(t, "the event log is empty\n", w.ok(t, m.at("log", "--clear")...))
	require.Empty(t, m.Records())
	require.Equal(t, "No events\n", w.ok(t, m.at("log")...))
	require.Equal(t, "[]\n", w.ok(t, m.at("log", "--json")...))
	for _, args := range [][]string{{"--limit", "-1"}, {"--clear", "--audit"}, {"--clear", "--limit", "2"}, {"--first", "2"}} {
		w.fails(t, exitUsage, m.at(append([]string{"log"}, args...)...)...)
	}
}
