//go:build !js

package interop

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// MPSAddr returns host and port on which Intel AMT devices connect with TLS, or without it if the settings say
// mpsTlsOffload.
func (s *Server) MPSAddr() string { return "127.0.0.1:" + strconv.Itoa(s.ports.mps) }

// APFURL returns the address at which devices connect that speak APF over WebSocket.
func (s *Server) APFURL() string { return "wss://" + s.Addr() + "/apf.ashx" }

// MPSCertificate returns the certificate that the server shows to Intel AMT devices.
func (s *Server) MPSCertificate(t testing.TB) *x509.Certificate {
	t.Helper()
	return s.certificate(t, "mpsserver-cert-public.crt")
}

// RootCertificate returns the certificate that has signed the others.
func (s *Server) RootCertificate(t testing.TB) *x509.Certificate {
	t.Helper()
	return s.certificate(t, "root-cert-public.crt")
}

// CreateAMTGroup makes a device group without agents, for Intel AMT only, and returns its id, "mesh//" and 64 characters.
func (s *Server) CreateAMTGroup(t testing.TB, name string) string {
	t.Helper()
	out := s.Meshctrl(t, "adddevicegroup", "--name", name, "--amtonly")
	id, ok := strings.CutPrefix(strings.TrimSpace(out), "ok ")
	if !ok || !strings.HasPrefix(id, "mesh//") {
		t.Fatalf("interop: adddevicegroup answered %q", out)
	}
	return id
}

// webRelayTransparent is a protocol number for which the server puts nothing between the operator and the device.
const webRelayTransparent = 3

// OpenWebRelay opens an operator's connection to an Intel AMT device: each binary message is bytes of the stream, which is
// a channel to port 16992 if the device forwards it. The server closes it when the device can not be reached. It is closed
// when the test ends.
func (s *Server) OpenWebRelay(t testing.TB, control *Control, device string) *msgconn.WebSocket {
	t.Helper()
	control.Send(t, Message{"action": "authcookie"})
	cookies := control.Wait(t, func(m Message) bool { return m["action"] == "authcookie" })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	q := url.Values{
		"p": {strconv.Itoa(webRelayTransparent)}, "host": {device}, "auth": {fmt.Sprint(cookies["cookie"])},
	}
	conn, err := msgconn.Dial(ctx, "wss://"+s.Addr()+"/webrelay.ashx?"+q.Encode(),
		msgconn.DialOptions{TLSConfig: s.TLSConfig(t), ReadLimit: maxTunnelMessage, Bulk: true})
	if err != nil {
		t.Fatalf("interop: web relay: %v", err)
	}
	t.Cleanup(func() { conn.Close(msgconn.CloseNormal, "") })
	return conn
}
