package wsmantest_test

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// tlsClient is a client with TLS on 16993.
func tlsClient(t testing.TB, d *wsmantest.Device) *client {
	t.Helper()
	c := newClient(t, d)
	conn, err := dialTLS(t, d, nil)
	require.NoError(t, err)
	c.conn, c.in = conn, bufio.NewReader(conn)
	c.port = wsmantest.PortHTTPS
	// The first 401 ends the connection; the next one is made here.
	require.Equal(t, 401, c.send("", ""))
	c.learn()
	conn, err = dialTLS(t, d, nil)
	require.NoError(t, err)
	c.conn, c.in = conn, bufio.NewReader(conn)
	return c
}

func dialTLS(t testing.TB, d *wsmantest.Device, cfg *tls.Config) (*tls.Conn, error) {
	t.Helper()
	ours := connect(t, d, wsmantest.PortHTTPS)
	if cfg == nil {
		cfg = &tls.Config{}
	}
	cfg = cfg.Clone()
	cfg.InsecureSkipVerify = true
	conn := tls.Client(ours, cfg)
	if err := conn.Handshake(); err != nil {
		_ = ours.Close()
		return nil, err
	}
	return conn, nil
}

// TestTLSVersions: what of TLS goes with which version.
func TestTLSVersions(t *testing.T) {
	static := []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_CBC_SHA}
	for name, test := range map[string]struct {
		version  string
		client   *tls.Config
		want     uint16 // 0: no handshake
		exchange bool   // the suite is one of static's
	}{
		"11, Go's defaults":       {"11", &tls.Config{}, 0, false},
		"11, old":                 {"11", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: static}, tls.VersionTLS10, true},
		"11, newer":               {"11", &tls.Config{CipherSuites: static}, tls.VersionTLS12, true},
		"15, Go's defaults":       {"15", &tls.Config{}, tls.VersionTLS12, false},
		"15, old":                 {"15", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11, CipherSuites: static}, 0, false},
		"15, MeshCentral":         {"15", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: static}, tls.VersionTLS12, true},
		"16.1, Go's defaults":     {"16.1", &tls.Config{}, tls.VersionTLS13, false},
		"16.1, no more than 1.2":  {"16.1", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: static}, tls.VersionTLS12, true},
		"19, which has only this": {"19", &tls.Config{}, tls.VersionTLS13, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDevice(t, wsmantest.Config{Version: test.version, TLS: true})
			conn, err := dialTLS(t, d, test.client)
			if test.want == 0 {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			defer conn.Close()
			assert.Equal(t, test.want, conn.ConnectionState().Version)
			assert.Equal(t, test.exchange, conn.ConnectionState().CipherSuite == static[0] || conn.ConnectionState().CipherSuite == static[1])
			_, cert := d.TLS()
			assert.True(t, cert.Equal(conn.ConnectionState().PeerCertificates[0]))
		})
	}
}

func TestTLSRequest(t *testing.T) {
	d := newDevice(t, wsmantest.Config{TLS: true})
	c := tlsClient(t, d)
	c.get("AMT_GeneralSettings")
	assert.Equal(t, uint16(wsmantest.PortHTTPS), d.Calls()[0].Port)
}

func TestPorts(t *testing.T) {
	for version, want := range map[string][]uint16{
		"11": {16992, 16994}, "16.1": {16992, 16994}, "19": {16993, 16995},
	} {
		assert.Equal(t, want, newDevice(t, wsmantest.Config{Version: version}).Ports(), version)
	}
	d := newDevice(t, wsmantest.Config{Version: "12", TLS: true})
	assert.Equal(t, []uint16{16992, 16993, 16994, 16995}, d.Ports())
	// A port that is not there closes at once.
	c := newClient(t, newDevice(t, wsmantest.Config{Version: "19"}))
	assert.Equal(t, 0, c.send("", ""))
}

// TestRemoteActivation goes through section 5.6 C of the documents: TLS with a client certificate and no digest.
func TestRemoteActivation(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	leaf := issuer().issue(t, "amt.example.org", &key.PublicKey, oidSetup)
	for version, mebx := range map[string]bool{"16.1": false, "19": true} {
		d := newDevice(t, wsmantest.Config{Version: version, Mode: wsmantest.ModeNone, TrustedRoots: []*x509.Certificate{issuer().cert}})
		shown, err := d.StartRemoteConfiguration()
		require.NoError(t, err)
		if conn, err := dialTLS(t, d, nil); err == nil {
			_, err = conn.Read(make([]byte, 1))
			require.Error(t, err, "without a certificate")
		}
		conn, err := dialTLS(t, d, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw, issuer().cert.Raw}, PrivateKey: key}}})
		require.NoError(t, err)
		assert.True(t, shown.Equal(conn.ConnectionState().PeerCertificates[0]))
		c := newClient(t, d)
		c.conn, c.in = conn, bufio.NewReader(conn)
		c.get("AMT_GeneralSettings")
		c.call(0, "AMT_AuthorizationService", "SetAdminAclEntryEx", "Username", "admin", "DigestPassword", d.PasswordParameter("admin", "N3w!pass"))
		if mebx {
			c.call(2057, "AMT_SetupAndConfigurationService", "CommitChanges")
			c.call(0, "AMT_SetupAndConfigurationService", "SetMEBxPassword", "Password", "N3w!pass")
		}
		c.call(0, "AMT_SetupAndConfigurationService", "CommitChanges")
		assert.Equal(t, wsmantest.ModeAdmin, d.Mode())
		assert.True(t, d.CheckPassword("admin", "N3w!pass"))
		// From now on a password is asked for.
		after := tlsClient(t, d)
		after.pass = "N3w!pass"
		after.get("AMT_GeneralSettings")
	}
	_, err = newDevice(t, wsmantest.Config{Version: "12", Mode: wsmantest.ModeNone}).StartRemoteConfiguration()
	assert.Error(t, err)
}
