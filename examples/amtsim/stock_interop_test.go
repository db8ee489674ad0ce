package main

import (
	"bytes"
	"encoding/base64"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/internal/interop"
	"github.com/meshcentral-go/sdk/mps/mpstest"
)

// TestStockServer runs the program as a user does: devices of a stock server come online, and go when it is interrupted.
func TestStockServer(t *testing.T) {
	t.Parallel()
	interop.Require(t, interop.PeerMeshCentral)
	name := buildProgram(t)
	stock := interop.StartServer(t, interop.ServerOptions{})
	group := strings.TrimPrefix(stock.CreateAMTGroup(t, "amt"), "mesh//")
	certs := filepath.Join(t.TempDir(), "certs")

	for kind, args := range map[string][]string{
		"TLS":         {"-mps", stock.MPSAddr(), "-user", group[:16], "-pass", "P@ssw0rd"},
		"WebSocket":   {"-mps", stock.APFURL(), "-user", group[:16], "-pass", "P@ssw0rd"},
		"certificate": {"-mps", stock.MPSAddr(), "-certs", certs, "-group", group},
		"firmware":    {"-mps", stock.MPSAddr(), "-user", group[:16], "-firmware", "-tls", "1.2"},
	} {
		t.Run(kind, func(t *testing.T) {
			first := apf.UUID{0: kind[0], 15: 0xfe}
			p := interop.StartProgram(t, exec.Command(name, append(args, "-n", "3", "-uuid", first.String())...))
			last := nodeID(mpstest.Add(first, 2))
			device := stock.WaitDevice(t, func(d interop.Device) bool {
				// With a certificate the id is made of the key, and the name is that in the certificate.
				return d.Conn == interop.ConnCIRA && (d.ID == last || kind == "certificate" && d.Name == "amtsim-3")
			})
			for i := range 3 {
				p.WaitLog(t, mpstest.Add(first, uint64(i)).String()+" online in")
			}
			p.Signal(t, syscall.SIGINT)
			select {
			case <-p.Exited():
			case <-time.After(5 * time.Minute):
				t.Fatal("it does not end")
			}
			require.Zero(t, p.ExitCode())
			require.Contains(t, p.Log(), "3 of 3 devices were online, in 3 sessions")
			stock.WaitDevice(t, func(d interop.Device) bool { return d.ID == device.ID && d.Conn == 0 })
		})
	}
}

// nodeID is what the server calls a device.
func nodeID(u apf.UUID) string {
	text := base64.StdEncoding.EncodeToString(bytes.Repeat(u[:], 3))
	return "node//" + strings.NewReplacer("+", "@", "/", "$").Replace(text)
}

func buildProgram(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "amtsim")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", name, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return name
}

// TestStockManager lets a stock server manage the machines of a fleet: it logs in to each, reads what it is, and switches
// one off.
func TestStockManager(t *testing.T) {
	t.Parallel()
	interop.Require(t, interop.PeerMeshCentral)
	name := buildProgram(t)
	stock := interop.StartServer(t, interop.ServerOptions{Domain: map[string]any{
		"amtManager": map[string]any{"adminAccounts": []map[string]any{{"user": "admin", "pass": "Secr3t!x"}}},
	}})
	group := strings.TrimPrefix(stock.CreateAMTGroup(t, "amt"), "mesh//")
	const n = 3
	first := apf.UUID{0: 7}
	p := interop.StartProgram(t, exec.Command(name, "-mps", stock.MPSAddr(), "-user", group[:16], "-n", strconv.Itoa(n),
		"-uuid", first.String(), "-amt-version", "12", "-amt-pass", "Secr3t!x"))
	listed := waitListed(t, stock, func(d listedDevice) bool { return d.AMT.State == 2 && d.AMT.Version == "12.0.45" }, n)
	for _, d := range listed {
		require.Equal(t, interop.ConnCIRA, d.Conn)
	}
	stock.Meshctrl(t, "devicepower", "--id", nodeID(mpstest.Add(first, 2)), "--amtoff")
	p.WaitLog(t, mpstest.Add(first, 2).String()+" power: ")

	// Over an agent's connection the server reads the machine too, and then says that it is done.
	first = apf.UUID{0: 8}
	agents := interop.StartProgram(t, exec.Command(name, "-mps", stock.APFURL(), "-user", group[:16],
		"-uuid", first.String(), "-conn-type", "lms", "-amt-version", "15", "-amt-pass", "Secr3t!x"))
	waitListed(t, stock, func(d listedDevice) bool { return d.ID == nodeID(first) && d.AMT.Version == "15.0.35" }, 1)
	select {
	case <-agents.Exited():
	case <-time.After(5 * time.Minute):
		t.Fatal("it does not end")
	}
	require.Zero(t, agents.ExitCode())
	require.Contains(t, agents.Log(), mpstest.ErrDismissed.Error())
}

// listedDevice is what meshctrl shows of a device.
type listedDevice struct {
	ID   string `json:"_id"`
	Conn int
	AMT  struct {
		Version string `json:"ver"`
		State   int
	} `json:"intelamt"`
}

// waitListed waits until so many devices are as they shall be.
func waitListed(t *testing.T, stock *interop.Server, is func(listedDevice) bool, n int) []listedDevice {
	t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	for {
		var all, found []listedDevice
		stock.MeshctrlJSON(t, &all, "listdevices")
		for _, d := range all {
			if is(d) {
				found = append(found, d)
			}
		}
		if len(found) == n {
			return found
		}
		require.False(t, time.Now().After(deadline), "%+v", all)
	}
}
