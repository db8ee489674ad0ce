package main

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/interop"
)

// TestMeshctrlSeesAMT takes over a stock server's folder, with the port and the certificate of its MPS: a device calls in as it
// did there, and the stock meshctrl lists it.
func TestMeshctrlSeesAMT(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral)
	stock := interop.StartServer(t, interop.ServerOptions{Settings: stockSettings})
	stock.Stop()
	startServer(t, stock.DataDir(), stock.Port())
	p := newMeshctrlPeer(t, "this server", stock)
	client, err := p.client("")
	require.NoError(t, err)
	made, err := client.Run(t.Context(), "adddevicegroup", "--name", "amt", "--amtonly")
	require.NoError(t, err)
	group := regexp.MustCompile(`ok (\S+)`).FindStringSubmatch(made.Output)
	require.Len(t, group, 2, made.Output)

	block, _ := pem.Decode(must(os.ReadFile(filepath.Join(stock.DataDir(), "mpsserver-cert-public.crt"))))
	var shown [32]byte
	h := &here{server: &server{site: &site{identity: &identity{}}}}
	conn := tls.Client(must(net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(stock.MPSPort())))), &tls.Config{
		InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12,
		VerifyConnection: func(s tls.ConnectionState) error {
			shown = sha256.Sum256(s.PeerCertificates[0].Raw)
			return nil
		},
	})
	device, err := h.callInOver(t, conn, groupUser(t, controlproto.ID(group[1])))
	require.NoError(t, err)
	require.Equal(t, sha256.Sum256(block.Bytes), shown, "devices know this certificate")

	p.vars["group"] = group[1]
	d := p.waitDevice("group", func(d interop.Device) bool { return d.Conn == 2 })
	require.Equal(t, string(amtDeviceID), d.ID)
	require.Equal(t, 7, d.Power)
	device.Close()
	p.waitDevice("group", func(d interop.Device) bool { return d.Conn == 0 })
	require.ErrorIs(t, device.Err(), apf.ErrClosed)
}
