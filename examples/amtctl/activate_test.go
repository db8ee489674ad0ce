package main

import (
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// A device is activated by the account of its own operating system, into both modes, and from one to the other.
func TestActivate(t *testing.T) {
	root, file := provisioning(t)
	for name, args := range map[string][]string{"client": {"activate", "client"}, "admin": {"activate", "admin", "--cert", file}} {
		t.Run(name, func(t *testing.T) {
			w, m := on(t, wsmantest.Config{Mode: wsmantest.ModeNone, TrustedRoots: []*x509.Certificate{root}})
			user, local := m.LocalCredentials()
			w.env["AMTCTL_USER"], w.env["AMTCTL_PASSWORD"], w.env["AMTCTL_NEW_PASSWORD"] = user, local.Reveal(), password
			require.Equal(t, name, decode[map[string]string](t, w.ok(t, m.at(append(args, "--json")...)...))["controlMode"])
			require.Equal(t, name, m.Mode().String())
			require.True(t, m.CheckPassword("admin", password))
			w.env["AMTCTL_USER"], w.env["AMTCTL_PASSWORD"] = "", password
			require.Equal(t, name, decode[report](t, w.ok(t, m.at("info", "--json")...)).ControlMode)
			if name == "client" {
				w.fails(t, exitUsage, m.at("activate", "admin", "--upgrade", "--new-pass-file", file, "--cert", file)...)
				w.ok(t, m.at("activate", "admin", "--upgrade", "--cert", file)...)
				require.Equal(t, wsmantest.ModeAdmin, m.Mode())
			}
		})
	}
	// Without the root of the chain the device refuses.
	w, m := on(t, wsmantest.Config{Mode: wsmantest.ModeNone})
	user, local := m.LocalCredentials()
	w.env["AMTCTL_USER"], w.env["AMTCTL_PASSWORD"], w.env["AMTCTL_NEW_PASSWORD"] = user, local.Reveal(), password
	w.fails(t, exitRefused, m.at("activate", "admin", "--cert", file)...)
	require.Equal(t, wsmantest.ModeNone, m.Mode())
}
