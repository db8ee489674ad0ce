package main

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/redir"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// Power requests print the state that they end in, and reach the device in the way that was asked for.
func TestPower(t *testing.T) {
	w, m := on(t, wsmantest.Config{})
	for _, test := range []struct {
		args, want string
		action     wsmantest.PowerState
	}{
		{"off", "off (S5)", wsmantest.PowerOffSoft},
		{"on", "on (S0)", wsmantest.PowerOn},
		{"reset", "on (S0)", wsmantest.PowerReset},
		{"reset --graceful", "on (S0)", wsmantest.PowerResetGraceful},
		{"cycle", "on (S0)", wsmantest.PowerCycleSoft},
		{"sleep", "sleep (S3)", wsmantest.PowerSleep},
		{"on", "on (S0)", wsmantest.PowerOn},
		{"hibernate", "hibernate (S4)", wsmantest.PowerHibernate},
		{"on", "on (S0)", wsmantest.PowerOn},
		{"nmi", "on (S0)", wsmantest.PowerNMI},
		{"off --graceful", "off (S5)", wsmantest.PowerOffSoftGraceful},
	} {
		require.Equal(t, test.want+"\n", w.ok(t, m.at(append([]string{"power"}, strings.Fields(test.args)...)...)...), test.args)
		actions := m.PowerActions()
		require.Equal(t, test.action, actions[len(actions)-1], test.args)
	}
	reply := decode[powerReply](t, w.ok(t, m.at("power", "--json")...))
	require.Equal(t, "off", reply.Power)
	require.Equal(t, uint16(8), reply.State)
	require.Equal(t, "on", decode[powerReply](t, w.ok(t, m.at("power", "on", "--json")...)).Power)

	m.SetModernStandby(true)
	require.Equal(t, "on (S0), the operating system saves power\n", w.ok(t, m.at("power")...))
}

// A host that does not do what it was asked for is a refusal, unless nobody waits for it.
func TestUnsettled(t *testing.T) {
	w, m := on(t, wsmantest.Config{Quirks: wsmantest.Quirks{KVMBlocksPowerOff: true}})
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(m.ports[wsmantest.PortRedirection])))
	require.NoError(t, err)
	kvm, err := redir.OpenKVM(t.Context(), conn, redir.Config{Credentials: redir.Credentials{Username: "admin", Password: wsman.NewSecret(password)}})
	require.NoError(t, err)
	t.Cleanup(func() { kvm.Close() })
	require.Contains(t, w.fails(t, exitRefused, m.at("power", "off")...), "the host is on")
	require.Equal(t, "on (S0)\n", w.ok(t, m.at("power", "off", "--no-wait")...))
}

// Boots happen the way that is asked for, and once.
func TestBoot(t *testing.T) {
	w, m := on(t, wsmantest.Config{})
	last := func() string {
		boots := m.Boots()
		return boots[len(boots)-1].String()
	}
	for args, want := range map[string]string{
		"pxe":                          "reset: Force PXE Boot",
		"hdd":                          "reset: Force Hard-drive Boot",
		"cd --power cycle":             "power cycle: Force CD/DVD Boot",
		"bios":                         "reset: BIOS setup",
		"bios --sol":                   "reset: BIOS setup, SOL",
		"ider":                         "reset: IDE-R device 1",
		"ider-floppy":                  "reset: IDE-R device 0",
		"normal --power reset":         "reset: usual order",
		"https --image https://x/boot": "reset: Force OCR UEFI HTTPS Boot",
	} {
		require.Equal(t, "on (S0)\n", w.ok(t, m.at(append([]string{"boot"}, strings.Fields(args)...)...)...), args)
		require.Equal(t, want, last(), args)
	}
	w.ok(t, m.at("power", "off")...)
	require.Equal(t, "on (S0)\n", w.ok(t, m.at("boot", "pxe")...))
	require.Equal(t, "on: Force PXE Boot", last())
	n := len(m.Boots())
	require.Equal(t, "the next boot is prepared\n", w.ok(t, m.at("boot", "bios", "--power", "none")...))
	require.Len(t, m.Boots(), n)
	w.ok(t, m.at("power", "reset")...)
	require.Equal(t, "reset: BIOS setup", last())

	// The password for the image goes to the device and nowhere else.
	w.env["AMTCTL_IMAGE_PASSWORD"] = "im4ge-secret"
	_, stdout, stderr := w.run(t.Context(), append(m.at("boot", "https", "--image", "https://x/boot", "--image-user", "u",
		"--image-server-name", "x", "--image-sync-roots"), "-v")...)
	require.NotContains(t, stdout+stderr, "im4ge")
	require.Equal(t, "on (S0)\n", stdout)
}

// Accounts are made, changed and removed.
func TestUsers(t *testing.T) {
	w, m := on(t, wsmantest.Config{})
	w.env["AMTCTL_NEW_PASSWORD"] = "An0ther-Secret!"
	names := func() (names []string) {
		for _, a := range decode[[]account](t, w.ok(t, m.at("users", "list", "--json")...)) {
			if !a.BuiltIn {
				names = append(names, a.Name)
			}
		}
		return names
	}
	require.Equal(t, "ok\n", w.ok(t, m.at("users", "set", "ann", "--may", "redirection")...))
	require.True(t, m.CheckPassword("ann", "An0ther-Secret!"))
	require.Equal(t, []string{"ann"}, names())
	w.ok(t, m.at("users", "set", "ann", "--may", "administration", "--access", "any")...)
	require.Equal(t, []string{"ann"}, names())
	require.JSONEq(t, `{"result":"ok","name":"ann"}`, w.ok(t, m.at("users", "remove", "ann", "--json")...))
	require.Empty(t, names())

	w.env["AMTCTL_NEW_PASSWORD"] = "Th1rd-Secret!"
	w.ok(t, m.at("users", "admin", "--name", "boss")...)
	require.True(t, m.CheckPassword("boss", "Th1rd-Secret!"))
}

// What is redirected, and the user's consent.
func TestRedirection(t *testing.T) {
	w, m := on(t, wsmantest.Config{})
	require.Contains(t, w.ok(t, m.at("redirection", "--sol", "off", "--kvm", "off")...), "SOL:          off")
	sol, ider, kvm, listens := m.Redirection()
	require.Equal(t, []bool{false, true, false, true}, []bool{sol, ider, kvm, listens})
	require.Contains(t, w.fails(t, exitRefused, m.at("sol")...), "amtctl redirection")
	w.fails(t, exitUsage, m.at("redirection", "--sol", "perhaps")...)
	w.fails(t, exitUsage, m.at("redirection", "--consent", "perhaps")...)
	out := decode[redirectionReply](t, w.ok(t, m.at("redirection", "--sol", "on", "--consent", "all", "--json")...))
	require.True(t, out.SOL)
	require.Equal(t, "all", out.Consent)

	w.ok(t, m.at("consent", "start")...)
	require.Len(t, m.ConsentCode(), 6)
	w.ok(t, m.at("consent", "send", m.ConsentCode())...)
	require.Equal(t, "received", decode[redirectionReply](t, w.ok(t, m.at("redirection", "--json")...)).ConsentState)
	w.ok(t, m.at("consent", "cancel")...)
	require.Equal(t, "not started", decode[redirectionReply](t, w.ok(t, m.at("redirection", "--json")...)).ConsentState)
}

// The server that a device calls.
func TestCIRA(t *testing.T) {
	w, m := on(t, wsmantest.Config{})
	by, err := (&app{system: w.system}).throwaway()
	require.NoError(t, err)
	root, err := by.selfSigned()
	require.NoError(t, err)
	w.env["AMTCTL_CIRA_PASSWORD"] = "C1ra-Secret!"
	w.ok(t, m.at("cira", "set", "--server", "mps.example.org", "--root", write(t, "root.der", root), "--mps-user", "abcdefgh")...)
	c := m.CIRA()
	require.Len(t, c.Servers, 1)
	require.Equal(t, "mps.example.org", c.Servers[0].Address)
	require.Equal(t, 4433, c.Servers[0].Port)
	require.Equal(t, "C1ra-Secret!", c.Servers[0].Password.Reveal())
	require.Len(t, c.Policies, 1)
	w.ok(t, m.at("cira", "clear")...)
	require.Empty(t, m.CIRA().Servers)
}

// TLS is switched on, and the pin that is printed is good for it.
func TestTLS(t *testing.T) {
	w, m := on(t, wsmantest.Config{})
	reply := decode[map[string]string](t, w.ok(t, m.at("tls", "--only", "--json")...))
	require.Equal(t, m.pin(t), reply["pin"])
	require.Equal(t, "on (S0)\n", w.ok(t, append(m.overTLS("power"), "--pin", reply["pin"])...))
	require.Equal(t, "on (S0)\n", w.ok(t, append(m.overTLS("power"), "--insecure", "--tls-profile", "strict")...))
}

// The device's clock, WiFi and alarms.
func TestOtherSettings(t *testing.T) {
	w, m := on(t, wsmantest.Config{})
	m.SetClock(now.Add(-time.Hour))
	require.Equal(t, "2026-11-23 01:00:00, 1h0m0s behind\n", w.ok(t, m.at("clock")...))
	require.Equal(t, "set, was 1h0m0s behind\n", w.ok(t, m.at("clock", "--set")...))
	require.Equal(t, "left as it is, exact\n", w.ok(t, m.at("clock", "--set")...))
	require.Equal(t, clockReply{Set: false}, decode[clockReply](t, w.ok(t, m.at("clock", "--set", "--json")...)))

	w.env["AMTCTL_WIFI_PASSPHRASE"] = "a passphrase"
	w.ok(t, m.at("wifi", "set", "p", "--ssid", "net")...)
	require.Equal(t, "a passphrase", m.WiFi()[0].Passphrase.Reveal())
	w.ok(t, m.at("wifi", "radio", "on", "--sync", "user")...)
	require.Contains(t, w.ok(t, m.at("wifi", "show")...), "Radio: on, profiles of the operating system: user")
	w.ok(t, m.at("wifi", "remove", "p")...)
	require.Empty(t, m.WiFi())

	w.ok(t, m.at("alarm", "add", "a", "--at", "2026-12-01T06:30", "--every", "24h")...)
	require.Equal(t, time.Date(2026, 12, 1, 6, 30, 0, 0, time.UTC), m.Alarms()[0].Start.UTC())
	w.ok(t, m.at("alarm", "remove", "a")...)
	require.Empty(t, m.Alarms())
	require.Equal(t, "No alarms\n", w.ok(t, m.at("alarm", "list")...))
}

func TestShortly(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Minute: "1m", time.Hour: "1h", 24 * time.Hour: "1d", 26*time.Hour + 5*time.Minute: "1d2h5m", 10*time.Minute + time.Second: "10m1s",
	} {
		require.Equal(t, want, shortly(d))
	}
}

func TestSize(t *testing.T) {
	require.Equal(t, "8 GiB", size(8<<30, 1024))
	require.Equal(t, "512.1 GB", size(512_100_000_000, 1000))
	require.Equal(t, "999 B", size(999, 1000))
	require.Empty(t, size(0, 1000))
}

// The device is only taken out of service if that is meant.
func TestUnprovision(t *testing.T) {
	w, m := on(t, wsmantest.Config{})
	w.inTerminal = true
	w.reads(strings.NewReader("yes\n"))
	require.Contains(t, w.fails(t, exitRefused, m.at("unprovision")...), "nothing was changed")
	require.Equal(t, wsmantest.ModeAdmin, m.Mode())
	w.reads(strings.NewReader("unprovision\n"))
	w.ok(t, m.at("unprovision")...)
	require.Equal(t, wsmantest.ModeNone, m.Mode())

	w, m = on(t, wsmantest.Config{})
	w.ok(t, m.at("unprovision", "--partial", "--yes")...)
	require.Equal(t, wsmantest.ModeNone, m.Mode())
}
