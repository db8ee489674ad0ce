package interop

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/gorilla/websocket"
)

func TestNginxReverseProxy(t *testing.T) {
	Require(t, PeerNginx)
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	upstream := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !websocket.IsWebSocketUpgrade(r) {
			_, _ = io.WriteString(w, "for "+r.Header.Get("X-Forwarded-For"))
			return
		}
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer ws.Close()
		kind, b, err := ws.ReadMessage()
		if err != nil {
			t.Error(err)
			return
		}
		if err := ws.WriteMessage(kind, append([]byte("echo "), b...)); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(upstream.Close)
	dir := t.TempDir()
	certFile, keyFile := SelfSigned(t, dir, nil)
	port := FreePort(t)
	nginx := StartNginx(t, ReverseProxy{Port: port, CertFile: certFile, KeyFile: keyFile, Upstream: upstream.URL}.Conf())
	addr := "127.0.0.1:" + strconv.Itoa(port)

	var shown *x509.Certificate
	config := &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(state tls.ConnectionState) error {
		shown = state.PeerCertificates[0]
		return nil
	}}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	get := func() {
		t.Helper()
		resp, err := client.Get("https://" + addr + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "for 127.0.0.1" {
			t.Errorf("through nginx: %q, %v", body, err)
		}
	}
	get()
	if shown.Equal(upstream.Certificate()) || shown.PublicKeyAlgorithm != x509.ECDSA {
		t.Errorf("nginx shows %v %v", shown.PublicKeyAlgorithm, shown.Subject)
	}

	dialer := websocket.Dialer{TLSClientConfig: config}
	ws, _, err := dialer.DialContext(t.Context(), "wss://"+addr+"/agent.ashx", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	if err := ws.WriteMessage(websocket.BinaryMessage, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if kind, b, err := ws.ReadMessage(); err != nil || kind != websocket.BinaryMessage || string(b) != "echo hello" {
		t.Errorf("WebSocket through nginx: %d %q %v", kind, b, err)
	}

	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	SelfSigned(t, dir, key)
	nginx.Reload(t)
	get()
	if shown.PublicKeyAlgorithm != x509.RSA {
		t.Errorf("after a reload nginx shows %v", shown.PublicKeyAlgorithm)
	}
	pid := nginx.Pid()
	nginx.Stop()
	requireGone(t, pid)
}
