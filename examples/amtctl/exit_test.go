package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/flows"
	"github.com/meshcentral-go/sdk/wsman/redir"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// What cannot be meant so is said before anything is connected to.
func TestUsage(t *testing.T) {
	w := newWorld()
	w.env["AMTCTL_PASSWORD"], w.env["AMTCTL_NEW_PASSWORD"], w.env["AMTCTL_LOGINPASS"] = password, password, password
	file := write(t, "file", []byte("neither key nor image"))
	for text, want := range map[string]string{
		"nothing":                                               "unknown command",
		"help nothing":                                          "no help about",
		"info":                                                  "which device",
		"info --host h --url wss://s --device d":                "exclude each other",
		"info --url wss://s":                                    "--url goes with --device",
		"info --url wss://s --device d --tls":                   "are for --host",
		"info --host h --stored":                                "--stored goes with --url",
		"info --host h --pin 00":                                "go with --tls",
		"info --host h --tls --pin 00 --insecure":               "exclude each other",
		"info --host h --tls --pin 00":                          "--pin",
		"info --host h --tls --tls-profile x":                   "amt6to11, default, strict",
		"info --host h --tls --ca " + file:                      "no certificate",
		"info --host h --tls --ca " + file + "x":                "--ca",
		"info --host h --tls --client-cert " + file:             "--client-cert",
		"info --host h:16993":                                   "add --tls",
		"info --host h:x":                                       "is no port",
		"info --host h --wait 0s":                               "--wait",
		"info --host h --pass-file " + file + "x":               "--pass-file",
		"info --host h --pass-file -":                           "is empty",
		"info --url wss://s --device d --pin 00":                "SHA-384",
		"info --url wss://s --device d --proxy x":               "--proxy",
		"info --url wss://s --device d --server-id x":           "--server-id",
		"info --url wss://s --device d --loginkeyfile x":        "--loginkeyfile",
		"power upwards --host h":                                "hibernate, nmi",
		"power sleep --hard --host h":                           "no --hard",
		"power off --hard --graceful --host h":                  "exclude each other",
		"power --hard --host h":                                 "go with a request",
		"boot --host h":                                         "boot what?",
		"boot moon --host h":                                    "pxe",
		"boot pxe --power up --host h":                          "--power can be",
		"boot https --host h":                                   "--image",
		"boot pxe --image https://x --host h":                   "boot https",
		"users --host h":                                        "wants one of its commands",
		"users set x --host h":                                  "required flag",
		"users set x --may fly --host h":                        "--may can be",
		"users set x --may time --access moon --host h":         "--access can be",
		"sol --escape x --host h":                               "--escape can be",
		"sol --linger -1s --host h":                             "--linger",
		"sol --boot moon --host h":                              "boot can be",
		"sol --json --host h":                                   "is no JSON",
		"ider --host h":                                         "which image",
		"ider --iso x --sol --host h":                           "--sol goes with --boot",
		"ider --iso x --start never --host h":                   "--start can be",
		"ider --iso " + file + "x --host h":                     "--iso",
		"ider --floppy " + write(t, "empty", nil) + " --host h": "it is empty",
		"consent send x --host h":                               "six digits",
		"consent send 1234567 --host h":                         "six digits",
		"cira set --server s --mps-user u --host h":             "root",
		"cira set --server s --mps-user u --root x --host h":    "--root",
		"tls --ca-key x --host h":                               "--ca-key goes with",
		"tls --ca-cert " + file + " --host h":                   "--ca-cert",
		"wifi set n --host h":                                   "ssid",
		"wifi set n --ssid s --auth open --host h":              "--auth can be",
		"wifi radio loud --host h":                              "radio can be",
		"alarm add x --host h":                                  "at",
		"alarm add x --at noon --host h":                        "is no time",
		"activate --host h":                                     "wants one of its commands",
		"activate admin --host h":                               "cert",
		"activate admin --cert " + file + " --host h":           "--cert",
		"unprovision --host h":                                  "without --yes",
	} {
		require.Contains(t, w.fails(t, exitUsage, strings.Fields(text)...), want, text)
	}
	w.env["AMTCTL_NEW_PASSWORD"] = "weak"
	require.Contains(t, w.fails(t, exitUsage, "activate", "client", "--host", "h"), "the new password")
	w.env["AMTCTL_PASSWORD"] = ""
	require.Contains(t, w.fails(t, exitUsage, "info", "--host", "h"), "AMTCTL_PASSWORD")
	require.Zero(t, w.stdout.Len())
}

// How the program ends when a device says no, is not there, or is not the right one. No secret is in what it says.
func TestExitCodes(t *testing.T) {
	w, m := on(t, wsmantest.Config{TLS: true})
	all := strings.Builder{}
	fails := func(code int, want string, args ...string) {
		t.Helper()
		got := w.fails(t, code, args...)
		require.Contains(t, got, want)
		all.WriteString(got)
	}
	fails(exitConnection, "refused", "info", "--host", "127.0.0.1:1")

	pin := m.pin(t)
	fails(exitConnection, "SHA-256:\n  "+pin, m.overTLS("info")...)
	fails(exitConnection, "new certificate", append(m.overTLS("info"), "--pin", strings.Repeat("00", 32))...)
	fails(exitConnection, "new certificate", append(m.overTLS("sol"), "--pin", strings.Repeat("00", 32))...)
	fails(exitConnection, "realm", append(m.at("info"), "--realm", "Digest:0")...)
	fails(exitConnection, "realm", append(m.at("sol"), "--realm", "Digest:0")...)

	m.Inject(wsmantest.Injection{Class: "AMT_GeneralSettings", Fault: "InternalError"})
	fails(exitRefused, "read AMT_GeneralSettings: wsman: Get AMT_GeneralSettings fault InternalError", m.at("info")...)
	m.Inject(wsmantest.Injection{Class: "CIM_PowerManagementService", ReturnValue: 2})
	fails(exitRefused, "return value 2", m.at("power", "off")...)
	m.Inject(wsmantest.Injection{Class: "CIM_PowerManagementService", Op: "RequestPowerStateChange", Drop: true})
	fails(exitConnection, "look before you ask again", m.at("power", "off")...)
	m.Inject(wsmantest.Injection{Class: "AMT_GeneralSettings", Status: 404})
	fails(exitRefused, "404", m.at("info")...)

	w.env["AMTCTL_PASSWORD"] = "Wr0ng-Secret!"
	fails(exitRefused, "lock accounts", m.at("info")...)
	fails(exitRefused, "lock accounts", m.at("sol")...)
	for _, secret := range []string{password, "Wr0ng-Secret!"} {
		require.NotContains(t, all.String(), secret)
	}
}

// An address of IPv6 is taken with brackets and without them.
func TestIPv6(t *testing.T) {
	w := newWorld()
	w.env["AMTCTL_PASSWORD"] = password
	for _, host := range []string{"[::1]:1", "[::1]", "::1"} {
		_, _, stderr := w.run(t.Context(), "info", "--host", host)
		require.Contains(t, stderr, "[::1]:")
	}
}

// The errors of libraries have codes.
func TestCodesOfErrors(t *testing.T) {
	for code, errs := range map[int][]error{
		exitRefused:    {wsman.ErrUnsupported, redir.ErrBusy, redir.ErrUnsupported, flows.ErrUnsettled, errRefused("x")},
		exitUsage:      {flows.ErrInput, usageError("x")},
		exitConnection: {wsman.ErrPin, wsman.ErrNoAnswer, redir.ErrSilent, errNoTunnel, &net.DNSError{}, tls.AlertError(40)},
	} {
		for _, err := range errs {
			require.Equal(t, code, exitCode(fmt.Errorf("step: %w", err)), err)
		}
	}
}

// Passwords come from the environment, from files, from a line of the input, or are asked for.
func TestPasswords(t *testing.T) {
	w, m := on(t, wsmantest.Config{})
	w.env["AMTCTL_PASSWORD"] = ""
	w.ok(t, append(m.at("power"), "--pass-file", write(t, "pass", []byte(password+"\r\n")))...)
	w.reads(strings.NewReader(password + "\nnext"))
	w.ok(t, append(m.at("power"), "--pass-file", "-")...)
	w.inTerminal, w.answers = true, []string{password}
	w.ok(t, m.at("power")...)
	require.Equal(t, []string{"Password of admin: "}, w.asked)
	// New ones are asked for twice.
	w.answers = []string{password, "An0ther-Secret!", "An0ther-Secrot!"}
	require.Contains(t, w.fails(t, exitUsage, m.at("users", "admin")...), "not the same")
	w.answers = []string{password, "An0ther-Secret!", "An0ther-Secret!"}
	w.ok(t, m.at("users", "admin")...)
	require.True(t, m.CheckPassword("admin", "An0ther-Secret!"))
	require.Equal(t, "New password of admin again: ", w.asked[len(w.asked)-1])
}

// The environment says where the device is, if the command line does not.
func TestEnvironment(t *testing.T) {
	w, m := on(t, wsmantest.Config{User: "boss"})
	w.env["AMTCTL_HOST"] = fmt.Sprintf("127.0.0.1:%d", m.ports[wsmantest.PortHTTP])
	w.env["AMTCTL_USER"] = "boss"
	require.Equal(t, "on (S0)\n", w.ok(t, "power"))
	w.env["AMTCTL_URL"] = "wss://127.0.0.1"
	require.Equal(t, "on (S0)\n", w.ok(t, m.at("power")...))
	_, _, stderr := w.run(t.Context(), append(m.at("power"), "-v")...)
	require.Contains(t, stderr, "power: read the power state\n")
}

// A device that does not answer is not waited for longer than --wait says.
func TestSilence(t *testing.T) {
	w, m := on(t, wsmantest.Config{})
	m.Inject(wsmantest.Injection{Times: -1, Delay: time.Hour})
	w.fails(t, exitConnection, append(m.at("info"), "--wait", "50ms")...)
}
