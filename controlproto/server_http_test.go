//go:build !js

package controlproto

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/nodeid"
)

// webServer is a server under test with an address.
type webServer struct {
	*httptest.Server
	control *Server
}

func startWeb(t *testing.T, cfg ServerConfig, tlsConfig *tls.Config) *webServer {
	t.Helper()
	cfg.Now = nil
	cfg.FailedLogins.Delay = time.Millisecond
	cfg.FailedLogins.PerAddress.Events = -1
	// On a busy machine what takes as long is no fault.
	cfg.Limits.LoginTime, cfg.Limits.WriteTime, cfg.Limits.CloseTime = time.Hour, time.Hour, time.Hour
	control, err := NewServer(cfg)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/control.ashx", control)
	mux.HandleFunc("/relay", func(w http.ResponseWriter, r *http.Request) {
		if err := control.Origins().Check(r, r.URL.Query().Has("ambient")); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
		}
	})
	s := &webServer{httptest.NewUnstartedServer(mux), control}
	if tlsConfig != nil {
		s.TLS = tlsConfig
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(func() {
		require.NoError(t, control.Shutdown(context.Background()))
		s.Close()
	})
	return s
}

// first connects and returns the first message.
func (s *webServer) first(t *testing.T, query string, header http.Header) string {
	t.Helper()
	conn, err := msgconn.Dial(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/control.ashx"+query, msgconn.DialOptions{
		Header: header, TLSConfig: &tls.Config{InsecureSkipVerify: true},
	})
	require.NoError(t, err)
	defer conn.Close(0, "")
	_, b, err := conn.ReadMessage(t.Context())
	require.NoError(t, err)
	return string(b)
}

// testCertificate is signed by itself, or by an authority of its own.
func testCertificate(t *testing.T, bySelf bool) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mesh.example"}, NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"mesh.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	parent, signer := template, key
	if !bySelf {
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		parent = &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "authority"}, IsCA: true}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	require.NoError(t, err)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// Endpoint, origin and kind of certificate: what is decided depends on the first two alone.
func TestOriginTable(t *testing.T) {
	openedConfig := func() ServerConfig {
		cfg := fakeServerConfig(fakeOperators())
		cfg.Origins = []string{"https://portal.example", "apps.example:8443"}
		cfg.SessionUser = func(r *http.Request) (ID, string, bool) {
			c, err := r.Cookie("xid")
			return UserID("", "bob"), "", err == nil && c.Value == "good"
		}
		cfg.Opened = func(ctx context.Context, s *Session) error { return s.Send(ctx, &ServerInfo{}) }
		return cfg
	}
	proxied := openedConfig()
	proxied.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

	for kind, s := range map[string]*webServer{
		"self-signed":              startWeb(t, openedConfig(), testCertificate(t, true)),
		"signed by an authority":   startWeb(t, openedConfig(), testCertificate(t, false)),
		"plain HTTP behind proxy":  startWeb(t, proxied, nil),
		"plain HTTP, proxy silent": startWeb(t, openedConfig(), nil),
	} {
		hostport := s.Listener.Addr().String()
		_, port, err := net.SplitHostPort(hostport)
		require.NoError(t, err)
		// The name under which browsers see the server.
		host := hostport
		behind := kind == "plain HTTP behind proxy"
		if behind {
			host = "mesh.example:" + port
		}
		for name, c := range map[string]struct {
			origin string
			native bool // without the header
			want   bool
		}{
			"none":                {native: true, want: true},
			"own":                 {origin: "https://" + host, want: true},
			"own, capitals":       {origin: "HTTPS://" + strings.ToUpper(host), want: true},
			"own, other scheme":   {origin: "http://" + host, want: kind == "plain HTTP, proxy silent"},
			"own, other port":     {origin: "https://" + strings.TrimSuffix(host, port) + "1"},
			"own, no port":        {origin: "https://" + strings.TrimSuffix(host, ":"+port)},
			"elsewhere":           {origin: "https://evil.example"},
			"own as prefix":       {origin: "https://" + strings.TrimSuffix(host, ":"+port) + ".evil.example:" + port},
			"own as user":         {origin: "https://" + host + "@evil.example"},
			"null":                {origin: "null"},
			"empty":               {origin: ""},
			"configured":          {origin: "https://portal.example", want: true},
			"configured, port":    {origin: "https://portal.example:444"},
			"configured, scheme":  {origin: "http://portal.example"},
			"configured host":     {origin: "http://apps.example:8443", want: true},
			"configured host, no": {origin: "https://apps.example"},
			"an extension":        {origin: "chrome-extension://abcdef"},
		} {
			header := func(session bool) http.Header {
				h := http.Header{}
				if !c.native {
					h["Origin"] = []string{c.origin}
				}
				if behind {
					h.Set("X-Forwarded-Proto", "https")
					h.Set("X-Forwarded-Host", host)
				}
				if session {
					h.Set("Cookie", "xid=good")
				} else {
					h.Set(MeshAuthHeader, b64("bob")+","+b64("pw-bob"))
				}
				return h
			}
			where := kind + ": " + name
			for _, session := range []bool{false, true} {
				want := c.want && !(session && c.native)
				got := s.first(t, "", header(session))
				if want {
					require.Contains(t, got, `"serverinfo"`, "%s, session %v", where, session)
				} else {
					require.Equal(t, `{"action":"close","cause":"invalidorigin","msg":"invalidorigin"}`, got, "%s, session %v", where, session)
				}

				url := s.URL + "/relay"
				if session {
					url += "?ambient"
				}
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
				require.NoError(t, err)
				req.Header = header(session)
				client := &http.Client{Transport: &http.Transport{
					TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
				}}
				resp, err := client.Do(req)
				require.NoError(t, err)
				resp.Body.Close()
				require.Equal(t, want, resp.StatusCode == http.StatusOK, "relay, %s, session %v", where, session)
			}
		}
	}
}

func TestNewOriginPolicy(t *testing.T) {
	for _, bad := range []string{
		"*", "https://*", "*.example.com", "https://*.example.com", "", "https://", "https://a/b", "ftp://a", "https://a:b", "a:b:c:x",
		"null", "https://a?x", "https://a#x", "https://u@a", "https://a:123456",
	} {
		p, err := NewOriginPolicy([]string{bad}, nil)
		if bad == "null" { // a host of that name, and not the origin
			require.NoError(t, err)
			require.ErrorIs(t, p.check("null", true, false, "a", ""), ErrOrigin)
			continue
		}
		require.Error(t, err, bad)
	}
	var none *OriginPolicy
	require.NoError(t, none.check("https://[::1]:8443", true, true, "[::1]:8443", "https"))
	require.NoError(t, none.check("https://a", true, true, "a:443", "https"))
	require.ErrorIs(t, none.check("https://b", true, true, "a:443", "https"), ErrOrigin)
}

// A proxy's headers count only from a proxy that is trusted.
func TestOriginForgedProxy(t *testing.T) {
	s := startWeb(t, fakeServerConfig(fakeOperators()), nil)
	got := s.first(t, "", http.Header{
		"Origin": {"https://evil.example"}, "X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"https"},
		MeshAuthHeader: {b64("bob") + "," + b64("pw-bob")},
	})
	require.Contains(t, got, CloseInvalidOrigin)
}

func TestServeHTTP(t *testing.T) {
	cfg := fakeServerConfig(fakeOperators())
	cfg.Domain = func(r *http.Request) (string, bool) { return "", r.URL.Query().Get("nodomain") == "" }
	cfg.Opened = func(ctx context.Context, s *Session) error { return s.Send(ctx, &UserInfo{User: *s.User()}) }
	s := startWeb(t, cfg, nil)

	resp, err := http.Get(s.URL + "/control.ashx")
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusNotFound, resp.StatusCode)

	auth := http.Header{MeshAuthHeader: {b64("bob") + "," + b64("pw-bob")}}
	require.Contains(t, s.first(t, "", auth), `"_id":"user//bob"`)
	require.Contains(t, s.first(t, "?user=admin&pass=pw-admin", nil), `"_id":"user//admin"`)
	require.Contains(t, s.first(t, "?user=admin&pass=wrong", nil), CloseMsgBadQuery)
	require.Contains(t, s.first(t, "?nodomain=1", auth), CloseMsgNoDomain)
	require.Contains(t, s.first(t, "", nil), `"msg":"noauth"`)
	codec := CookieCodec{Key: fakeKey(2)}
	cookie, err := codec.Encode(LoginCookie(UserID("", "bob")))
	require.NoError(t, err)
	require.Contains(t, s.first(t, "?auth="+cookie.Reveal(), nil), `"_id":"user//bob"`)

	require.NoError(t, s.control.Shutdown(t.Context()))
	_, err = msgconn.Dial(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/control.ashx", msgconn.DialOptions{})
	var refused *msgconn.HandshakeError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusServiceUnavailable, refused.StatusCode)
}

// After a refused login the connection ends at once, and not when the time for logins is over, and properly.
func TestRefusedClosesAtOnce(t *testing.T) {
	s := startWeb(t, fakeServerConfig(fakeOperators()), nil)
	conn, err := msgconn.Dial(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/control.ashx", msgconn.DialOptions{})
	require.NoError(t, err)
	_, _, err = conn.ReadMessage(t.Context())
	require.NoError(t, err)
	_, _, err = conn.ReadMessage(t.Context())
	var closed *msgconn.CloseError
	require.ErrorAs(t, err, &closed)
	require.Equal(t, msgconn.CloseNormal, closed.Code)
	conn.Close(0, "")
}

func testIdentity(t *testing.T, web []byte) (*ServerIdentity, nodeid.ServerID) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "agent server"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	id, err := nodeid.ServerIDFromCertificateDER(der)
	require.NoError(t, err)
	hash := sha512.Sum384(web)
	return &ServerIdentity{Certificate: der, Signer: key, WebHashes: func(string) [][]byte { return [][]byte{hash[:]} }}, id
}

// The client finds out by the agent certificate that the server is the right one, and then logs in.
func TestInBandBothHalves(t *testing.T) {
	web := testCertificate(t, true)
	cfg := fakeServerConfig(fakeOperators())
	var id nodeid.ServerID
	cfg.ServerIdentity, id = testIdentity(t, web.Certificates[0].Certificate[0])
	cfg.Opened = func(ctx context.Context, s *Session) error {
		return errors.Join(s.Send(ctx, &ServerInfo{}), s.Send(ctx, &UserInfo{User: *s.User()}))
	}
	s := startWeb(t, cfg, web)
	dial := func(id nodeid.ServerID, password string) error {
		c, err := Dial(t.Context(), "wss"+strings.TrimPrefix(s.URL, "https"), InBandLogin{ServerID: id, User: "bob", Password: NewSecret(password)}, ClientConfig{
			DialTime: time.Hour, LoginTime: time.Hour, DefaultTimeout: time.Hour,
		})
		if err == nil {
			_, err = c.Ping(t.Context())
			c.Close()
		}
		return err
	}
	require.NoError(t, dial(id, "pw-bob"))
	require.ErrorIs(t, dial(id, "wrong"), ErrBadCredentials)
	require.ErrorIs(t, dial(nodeid.ServerID{1}, "pw-bob"), ErrServerAuth)

	// With another certificate in between there is no signature.
	other := startWeb(t, cfg, testCertificate(t, true))
	s = other
	err := dial(id, "pw-bob")
	require.Error(t, err)
	require.Contains(t, fmt.Sprint(err), CloseMsgBadCertificate)
}
