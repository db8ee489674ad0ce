//go:build !js

package mpstest

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// TestDeviceOverWebSocket connects as MeshCentral's agents do, and writes as they do too.
func TestDeviceOverWebSocket(t *testing.T) {
	s := newServer(t)
	web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := msgconn.Upgrade(w, r, msgconn.UpgradeOptions{ReadLimit: webSocketMessage})
		if err == nil {
			s.serve(apf.NewWebSocketStream(c))
		}
	}))
	defer web.Close()
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	address := strings.Replace(web.URL, "https", "wss", 1) + "/apf.ashx"
	for name, quirks := range map[string]Quirks{
		"binary": {}, "text": {TextMessages: true}, "split": {SplitWrites: 100}, "split text": {SplitWrites: 1, TextMessages: true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{
				Server: address, Trust: Trust{Roots: roots}, Quirks: quirks, ConnType: apf.ConnRelay,
				User: "u", Password: NewSecret(testPassword), LoginTime: stockTime,
			}
			d := mustDevice(t, cfg)
			d.Start()
			waitOnline(t, d) // all ports are told, which the server may not have waited for
			c := <-s.ready
			require.Equal(t, apf.ConnRelay, c.Login().ConnType)
			ch, err := c.Dial(t.Context(), "", 16993)
			require.NoError(t, err)
			echoOver(t, ch, 20_000)
			d.Close()
		})
	}

	d := mustDevice(t, Config{Server: address, Trust: Trust{Pin: Pin{1}}})
	_, err := d.Login(t.Context())
	require.ErrorIs(t, err, ErrUntrusted)
	d = mustDevice(t, Config{Server: address + "x", Connect: nil, Trust: Trust{Roots: roots, Name: "evil.test"}})
	_, err = d.Login(t.Context())
	require.ErrorContains(t, err, "evil.test")
}
