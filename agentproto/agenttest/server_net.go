//go:build !js

package agenttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/certs"
)

// network is the part of a [Server] that has an address. A nil one is that of a server in memory.
type network struct{ http *httptest.Server }

func (n *network) certificate() *x509.Certificate {
	if n == nil {
		return nil
	}
	return n.http.Certificate()
}

func (n *network) client() *http.Client {
	if n == nil {
		return nil
	}
	return n.http.Client()
}

// listen takes an address. What connects waits for serve.
func (s *Server) listen() {
	cert := webCertificate()
	ts := httptest.NewUnstartedServer(nil)
	ts.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	ts.Config.ErrorLog = log.New(io.Discard, "", 0) // agents that leave early are no news
	if s.options.log != nil {
		ts.Config.ErrorLog = slog.NewLogLogger(s.options.log.Handler(), slog.LevelDebug)
	}
	s.network = &network{http: ts}
	s.URL, s.web = "https://"+ts.Listener.Addr().String(), certs.CertHash(cert.Certificate[0])
}

func (s *Server) serve() {
	if s.network == nil {
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/agent.ashx", s.agents)
	mux.HandleFunc("GET /meshsettings", s.serveMSH)
	s.network.http.Config.Handler = mux
	s.network.http.StartTLS()
}

func (s *Server) stop() {
	if s.network != nil {
		s.network.http.Close()
	}
}

// serveMSH answers as the stock server does.
func (s *Server) serveMSH(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("id") != s.Group().String() {
		http.Error(w, "no such group", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="meshagent.msh"`)
	_, _ = w.Write(s.MSH()) // failing, the client knows
}

// webCertificate is the TLS certificate of all servers. It is not httptest's, whose private key is published, and with
// its P-256 key a login costs half as much.
var webCertificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(fmt.Sprintf("agenttest: key: %v", err))
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "agenttest"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(fmt.Sprintf("agenttest: certificate: %v", err))
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})
