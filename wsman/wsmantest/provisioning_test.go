package wsmantest_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/digest"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// authority issues the certificates of a test.
type authority struct {
	key  *rsa.PrivateKey
	cert *x509.Certificate
}

var issuer = sync.OnceValue(func() *authority {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	a := &authority{key: key}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Root", Organization: []string{"Example"}, Country: []string{"XX"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	return a
})

// issue makes a certificate for a key.
func (a *authority) issue(t testing.TB, name string, public any, extra ...asn1.ObjectIdentifier) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), DNSNames: []string{name}, UnknownExtKeyUsage: extra,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

const keyService = "AMT_PublicKeyManagementService"

func TestKeysAndCertificates(t *testing.T) {
	d := newDevice(t, wsmantest.Config{Version: "12", Quirks: wsmantest.Quirks{KeyBusy: 2}})
	c := newClient(t, d)
	assert.Empty(t, c.list("AMT_PublicKeyCertificate"))
	c.call(0x80D, keyService, "GenerateKeyPair", "KeyAlgorithm", "0", "KeyLength", "2048")
	c.call(0x80D, keyService, "GenerateKeyPair", "KeyAlgorithm", "0", "KeyLength", "2048")
	made := c.call(0, keyService, "GenerateKeyPair", "KeyAlgorithm", "0", "KeyLength", "2048")
	assert.Equal(t, "Intel(r) AMT Key: Handle: 0", ref(made, "KeyPair", "InstanceID"))
	assert.Len(t, made.Path("KeyPair", "ReferenceParameters", "SelectorSet").Children, 1, "MeshCentral wants one selector here")
	c.call(36, keyService, "GenerateKeyPair", "KeyAlgorithm", "0", "KeyLength", "512")
	pairs := c.list("AMT_PublicPrivateKeyPair")
	require.Len(t, pairs, 1)
	der, err := base64.StdEncoding.DecodeString(pairs[0].ChildText("DERKey"))
	require.NoError(t, err)
	public, err := x509.ParsePKCS1PublicKey(der)
	require.NoError(t, err, "PKCS #1 before version 16")

	cert := issuer().issue(t, "pc1", public)
	added := c.call(0, keyService, "AddCertificate", "CertificateBlob", b64(cert.Raw))
	assert.Equal(t, "Intel(r) AMT Certificate: Handle: 1", ref(added, "CreatedCertificate", "InstanceID"))
	c.call(0x80A, keyService, "AddCertificate", "CertificateBlob", b64(cert.Raw))
	c.call(0x80F, keyService, "AddCertificate", "CertificateBlob", "AAAA")
	c.call(0, keyService, "AddTrustedRootCertificate", "CertificateBlob", b64(issuer().cert.Raw))
	all := c.list("AMT_PublicKeyCertificate")
	require.Len(t, all, 2)
	assert.Equal(t, "false", all[0].ChildText("TrustedRootCertficate"))
	assert.Equal(t, "true", all[1].ChildText("TrustedRootCertficate"))
	assert.Equal(t, "C=XX,O=Example,CN=Root", all[1].ChildText("Subject"))
	assert.Equal(t, b64(cert.Raw), all[0].ChildText("X509Certificate"))
	assert.True(t, d.Certificates()[0].HasKey)
	assert.Len(t, c.list("CIM_ConcreteDependency"), 1)

	const one = "Intel(r) AMT Certificate: Handle: 1"
	assert.Equal(t, "Concurrency", c.refused(wsman.ActionDelete, "AMT_PublicPrivateKeyPair", selector("InstanceID", "Intel(r) AMT Key: Handle: 0"), ""), "its certificate is there")
	c.ask(wsman.ActionDelete, "AMT_PublicKeyCertificate", selector("InstanceID", one), "")
	c.ask(wsman.ActionDelete, "AMT_PublicPrivateKeyPair", selector("InstanceID", "Intel(r) AMT Key: Handle: 0"), "")
	assert.Equal(t, "DestinationUnreachable", c.refused(wsman.ActionDelete, "AMT_PublicKeyCertificate", selector("InstanceID", one), ""))
	assert.Equal(t, "InvalidSelectors", c.refused(wsman.ActionDelete, "AMT_PublicKeyCertificate", selector("Name", one), ""))
	assert.Empty(t, d.KeyPairs())
	c.call(0, keyService, "AddKey", "KeyBlob", b64(x509.MarshalPKCS1PrivateKey(issuer().key)))
	c.call(0x80E, keyService, "AddKey", "KeyBlob", "AAAA")
}

// TestNegativeSerial: firmware takes certificates whose serial number is negative, as some of a stock MeshCentral's are. No part of one
// is a certificate.
func TestNegativeSerial(t *testing.T) {
	t.Setenv("GODEBUG", "x509negativeserial=0") // as in programs that have not the setting of this module
	d := newDevice(t, wsmantest.Config{Version: "12"})
	c := newClient(t, d)
	c.call(0, keyService, "AddKey", "KeyBlob", b64(x509.MarshalPKCS1PrivateKey(issuer().key)))
	template := &x509.Certificate{SerialNumber: big.NewInt(0x10FF), Subject: pkix.Name{CommonName: "pc1"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &issuer().key.PublicKey, issuer().key)
	require.NoError(t, err)
	at := bytes.Index(der, []byte{2, 2, 0x10, 0xFF}) + 2
	der[at] = 0x80 // 00 FF would be no number either
	_, err = x509.ParseCertificate(der)
	require.Error(t, err, "else there is no need for this")
	for n := range der {
		c.call(0x80F, keyService, "AddCertificate", "CertificateBlob", b64(der[:n]))
	}
	c.call(0, keyService, "AddCertificate", "CertificateBlob", b64(der))
	stored := d.Certificates()
	require.Len(t, stored, 1)
	assert.True(t, stored[0].HasKey)
	assert.Equal(t, der, stored[0].Certificate.Raw)
	assert.Equal(t, int64(0x80FF-0x10000), stored[0].Certificate.SerialNumber.Int64())
	assert.Equal(t, b64(der), c.list("AMT_PublicKeyCertificate")[0].ChildText("X509Certificate"))
	assert.True(t, bytes.Contains(der, stored[0].Certificate.RawTBSCertificate))
	assert.Equal(t, "CN=pc1", c.list("AMT_PublicKeyCertificate")[0].ChildText("Subject"))
}

func TestKeyForms(t *testing.T) {
	for _, cfg := range []wsmantest.Config{{Version: "16.1"}, {Version: "11", Quirks: wsmantest.Quirks{SubjectPublicKeyInfo: true}}} {
		c := newClient(t, newDevice(t, cfg))
		c.call(0, keyService, "AddKey", "KeyBlob", b64(x509.MarshalPKCS1PrivateKey(issuer().key)))
		der, err := base64.StdEncoding.DecodeString(c.list("AMT_PublicPrivateKeyPair")[0].ChildText("DERKey"))
		require.NoError(t, err)
		_, err = x509.ParsePKIXPublicKey(der)
		assert.NoError(t, err)
	}
}

// TestPKCS10 lets the device sign a request whose signature is empty.
func TestPKCS10(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	key := issuer().key
	c.call(0, keyService, "AddKey", "KeyBlob", b64(x509.MarshalPKCS1PrivateKey(key)))
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "pc1"}}, key)
	require.NoError(t, err)
	var parts struct {
		Info, Algorithm asn1.RawValue
		Signature       asn1.BitString
	}
	_, err = asn1.Unmarshal(der, &parts)
	require.NoError(t, err)
	parts.Signature = asn1.BitString{Bytes: make([]byte, 256), BitLength: 2048}
	unsigned, err := asn1.Marshal(parts)
	require.NoError(t, err)
	pair := epr("AMT_PublicPrivateKeyPair", "InstanceID", "Intel(r) AMT Key: Handle: 0")
	for algorithm, want := range []x509.SignatureAlgorithm{x509.SHA1WithRSA, x509.SHA256WithRSA} {
		e := c.call(0, keyService, "GeneratePKCS10RequestEx", "KeyPair", pair, "SigningAlgorithm", itoa(algorithm), "NullSignedCertificateRequest", b64(unsigned))
		signed, err := base64.StdEncoding.DecodeString(e.ChildText("SignedCertificateRequest"))
		require.NoError(t, err)
		req, err := x509.ParseCertificateRequest(signed)
		require.NoError(t, err)
		assert.Equal(t, want, req.SignatureAlgorithm)
		assert.Equal(t, "pc1", req.Subject.CommonName)
		if algorithm == 1 {
			assert.NoError(t, req.CheckSignature())
		}
	}
	c.call(0x80F, keyService, "GeneratePKCS10RequestEx", "KeyPair", pair, "SigningAlgorithm", "1", "NullSignedCertificateRequest", "AAAA")
	c.call(0x80E, keyService, "GeneratePKCS10RequestEx", "SigningAlgorithm", "1", "NullSignedCertificateRequest", b64(unsigned))
	e := c.call(0, keyService, "GeneratePKCS10Request", "KeyPair", pair, "DNName", "CN=pc2,O=Example", "Usage", "1")
	plain, err := base64.StdEncoding.DecodeString(e.ChildText("CertificateRequest"))
	require.NoError(t, err)
	req, err := x509.ParseCertificateRequest(plain)
	require.NoError(t, err)
	assert.NoError(t, req.CheckSignature())
}

const (
	tlsRemote = "Intel(r) AMT 802.3 TLS Settings"
	tlsLocal  = "Intel(r) AMT LMS TLS Settings"
)

// TestTLSSetup goes through section 5.8 of the documents and then uses TLS.
func TestTLSSetup(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	assert.Equal(t, []uint16{16992, 16994}, d.Ports())
	settings := c.list("AMT_TLSSettingData")
	require.Len(t, settings, 2)
	assert.Equal(t, "InvalidRepresentation", c.refused(wsman.ActionPut, "AMT_TLSSettingData", selector("InstanceID", tlsRemote),
		putBody("AMT_TLSSettingData", &settings[0], "Enabled", "true")), "no certificate is bound")
	c.call(0, keyService, "GenerateKeyPair", "KeyAlgorithm", "0", "KeyLength", "2048")
	cert := issuer().issue(t, "pc1", d.KeyPairs()["Intel(r) AMT Key: Handle: 0"])
	c.call(0, keyService, "AddCertificate", "CertificateBlob", b64(cert.Raw))
	context := "<r:ElementInContext>" + epr("AMT_PublicKeyCertificate", "InstanceID", "Intel(r) AMT Certificate: Handle: 1") + "</r:ElementInContext>" +
		"<r:ElementProvidingContext>" + epr("AMT_TLSProtocolEndpointCollection", "ElementName", "TLSProtocolEndpointInstances Collection") + "</r:ElementProvidingContext>"
	uri := wsman.ResourceURI("AMT_TLSCredentialContext")
	created := c.ask(wsman.ActionCreate, "AMT_TLSCredentialContext", "", `<r:AMT_TLSCredentialContext xmlns:r="`+uri+`">`+context+`</r:AMT_TLSCredentialContext>`)
	assert.Equal(t, "ResourceCreated", created.Name)
	assert.Equal(t, "AlreadyExists", c.refused(wsman.ActionCreate, "AMT_TLSCredentialContext", "", `<r:AMT_TLSCredentialContext xmlns:r="`+uri+`">`+context+`</r:AMT_TLSCredentialContext>`))
	bound := c.list("CIM_CredentialContext")
	require.Len(t, bound, 1)
	assert.Equal(t, "AMT_TLSCredentialContext", bound[0].Name)
	assert.Equal(t, "Intel(r) AMT Certificate: Handle: 1", ref(&bound[0], "ElementInContext", "InstanceID"))
	assert.Equal(t, "Concurrency", c.refused(wsman.ActionDelete, "AMT_PublicKeyCertificate", selector("InstanceID", "Intel(r) AMT Certificate: Handle: 1"), ""))
	c.ask(wsman.ActionPut, "AMT_TLSSettingData", selector("InstanceID", tlsLocal), putBody("AMT_TLSSettingData", &settings[1], "Enabled", "true"))
	c.ask(wsman.ActionPut, "AMT_TLSSettingData", selector("InstanceID", tlsRemote),
		putBody("AMT_TLSSettingData", &settings[0], "Enabled", "true", "AcceptNonSecureConnections", "true"))
	assert.Equal(t, []uint16{16992, 16994}, d.Ports(), "not before CommitChanges")
	c.call(0, "AMT_SetupAndConfigurationService", "CommitChanges")
	assert.Nil(t, c.conn, "and the connection ends")
	assert.Equal(t, []uint16{16992, 16993, 16994, 16995}, d.Ports())
	enabled, shown := d.TLS()
	assert.True(t, enabled)
	assert.True(t, cert.Equal(shown))
	c.ask(wsman.ActionPut, "AMT_TLSSettingData", selector("InstanceID", tlsRemote),
		putBody("AMT_TLSSettingData", &settings[0], "Enabled", "true", "AcceptNonSecureConnections", "false"))
	c.call(0, "AMT_SetupAndConfigurationService", "CommitChanges")
	assert.Equal(t, []uint16{16993, 16995}, d.Ports())
}

func TestNonSecureRefused(t *testing.T) {
	d := newDevice(t, wsmantest.Config{Version: "19"})
	c := tlsClient(t, d)
	settings := c.get("AMT_TLSSettingData", "InstanceID", tlsRemote)
	assert.Equal(t, "false", settings.ChildText("NonSecureConnectionsSupported"))
	assert.Equal(t, "InvalidRepresentation", c.refused(wsman.ActionPut, "AMT_TLSSettingData", selector("InstanceID", tlsRemote),
		putBody("AMT_TLSSettingData", settings, "AcceptNonSecureConnections", "true")))
}

func hexMD5(d *wsmantest.Device, password string) string {
	return hex.EncodeToString(digest.HA1(digest.MD5, "admin", d.Realm(), password))
}

const setupService = "IPS_HostBasedSetupService"

func localClient(t testing.TB, d *wsmantest.Device) *client {
	user, password := d.LocalCredentials()
	c := newClient(t, d)
	c.user, c.pass = user, password.Reveal()
	return c
}

func TestClientActivation(t *testing.T) {
	d := newDevice(t, wsmantest.Config{Mode: wsmantest.ModeNone, Version: "15"})
	c := localClient(t, d)
	e := c.get(setupService)
	assert.Equal(t, "0", e.ChildText("CurrentControlMode"))
	assert.Len(t, slices.DeleteFunc(slices.Clone(e.Children), func(p wsman.Element) bool { return p.Name != "AllowedControlModes" }), 2)
	admin := newClient(t, d)
	assert.Equal(t, 401, admin.post(admin.request(wsman.ActionGet, wsman.ResourceURI("AMT_GeneralSettings"), "", "")))
	c.call(3, setupService, "Setup", "NetAdminPassEncryptionType", "1", "NetworkAdminPassword", hexMD5(d, "N3w!pass"))
	c.call(3, setupService, "Setup", "NetAdminPassEncryptionType", "2", "NetworkAdminPassword", "short")
	c.call(0, setupService, "Setup", "NetAdminPassEncryptionType", "2", "NetworkAdminPassword", hexMD5(d, "N3w!pass"))
	assert.Equal(t, wsmantest.ModeClient, d.Mode())
	admin.pass = "N3w!pass"
	assert.Equal(t, "1", admin.get(setupService).ChildText("CurrentControlMode"))
	consent := admin.get("IPS_OptInService")
	assert.Equal(t, "4294967295", consent.ChildText("OptInRequired"))
	assert.Equal(t, "0", consent.ChildText("CanModifyOptInPolicy"))
	assert.Equal(t, "AccessDenied", admin.refused(wsman.ActionPut, "IPS_OptInService", "", putBody("IPS_OptInService", consent, "OptInRequired", "0")))
	_, value := admin.invoke(setupService, "Setup", params("NetAdminPassEncryptionType", "2", "NetworkAdminPassword", hexMD5(d, "x")))
	assert.Equal(t, 2, value, "a device is activated once")
	admin.call(0, "AMT_SetupAndConfigurationService", "Unprovision", "ProvisioningMode", "1")
	assert.Equal(t, wsmantest.ModeNone, d.Mode())
}

var oidSetup = asn1.ObjectIdentifier{2, 16, 840, 1, 113741, 1, 2, 3}

// activate goes through section 5.6 A of the documents, up to the answer of the method.
func (c *client) activate(method string, leafKey *rsa.PrivateKey, leaf *x509.Certificate, extra ...string) int {
	c.t.Helper()
	own, err := base64.StdEncoding.DecodeString(c.get(setupService).ChildText("ConfigurationNonce"))
	require.NoError(c.t, err)
	require.Len(c.t, own, 20)
	c.call(0, setupService, "AddNextCertInChain", "NextCertificate", b64(leaf.Raw), "IsLeafCertificate", "true", "IsRootCertificate", "false")
	c.call(0, setupService, "AddNextCertInChain", "NextCertificate", b64(issuer().cert.Raw), "IsLeafCertificate", "false", "IsRootCertificate", "true")
	nonce := make([]byte, 20)
	sum := sha256.Sum256(append(own, nonce...))
	signature, err := rsa.SignPKCS1v15(rand.Reader, leafKey, crypto.SHA256, sum[:])
	require.NoError(c.t, err)
	in := append(extra, "McNonce", b64(nonce), "SigningAlgorithm", "2", "DigitalSignature", b64(signature))
	uri := wsman.ResourceURI(setupService)
	status := c.post(c.request(uri+"/"+method, uri, "", `<r:`+method+`_INPUT xmlns:r="`+uri+`">`+params(in...)+`</r:`+method+`_INPUT>`))
	if status != 200 {
		return -status
	}
	value := c.envelope().First().ChildText("ReturnValue")
	n := 0
	for _, r := range value {
		n = 10*n + int(r-'0')
	}
	return n
}

func TestAdminActivation(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	leaf := issuer().issue(t, "amt.example.org", &key.PublicKey, oidSetup)
	cfg := wsmantest.Config{Mode: wsmantest.ModeNone, TrustedRoots: []*x509.Certificate{issuer().cert}, TrustedSuffix: "example.org"}
	d := newDevice(t, cfg)
	c := localClient(t, d)
	password := []string{"NetAdminPassEncryptionType", "2", "NetworkAdminPassword", hexMD5(d, "N3w!pass")}
	assert.Equal(t, 5, c.activate("AdminSetup", issuer().key, leaf, password...), "signed by another key")
	assert.Equal(t, wsmantest.ModeNone, d.Mode())
	assert.Equal(t, 0, c.activate("AdminSetup", key, leaf, password...))
	assert.Equal(t, wsmantest.ModeAdmin, d.Mode())
	assert.True(t, d.CheckPassword("admin", "N3w!pass"))
	assert.Equal(t, 401, c.post(c.request(wsman.ActionGet, wsman.ResourceURI("AMT_GeneralSettings"), "", "")), "the local user is gone")

	chain := func(want int, cfg wsmantest.Config, leaf *x509.Certificate) {
		t.Helper()
		localClient(t, newDevice(t, cfg)).call(want, setupService, "AddNextCertInChain", "NextCertificate", b64(leaf.Raw), "IsLeafCertificate", "true", "IsRootCertificate", "false")
	}
	chain(4, cfg, issuer().issue(t, "amt.example.org", &key.PublicKey))
	chain(4, cfg, issuer().issue(t, "amt.example.com", &key.PublicKey, oidSetup))
	c = localClient(t, newDevice(t, cfg))
	c.call(3, setupService, "AddNextCertInChain", "NextCertificate", b64(leaf.Raw), "IsLeafCertificate", "false", "IsRootCertificate", "false")
	c.call(1, setupService, "AddNextCertInChain", "NextCertificate", "AAAA", "IsLeafCertificate", "true", "IsRootCertificate", "false")
	cfg.TrustedRoots = nil
	c = localClient(t, newDevice(t, cfg))
	c.call(0, setupService, "AddNextCertInChain", "NextCertificate", b64(leaf.Raw), "IsLeafCertificate", "true", "IsRootCertificate", "false")
	c.call(4, setupService, "AddNextCertInChain", "NextCertificate", b64(issuer().cert.Raw), "IsLeafCertificate", "false", "IsRootCertificate", "true")
}

func TestUpgrade(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	leaf := issuer().issue(t, "amt.example.org", &key.PublicKey, oidSetup)
	d := newDevice(t, wsmantest.Config{Mode: wsmantest.ModeClient, TrustedRoots: []*x509.Certificate{issuer().cert}})
	assert.Len(t, d.TrustedHashes(), 1)
	assert.Equal(t, 0, newClient(t, d).activate("UpgradeClientToAdmin", key, leaf))
	assert.Equal(t, wsmantest.ModeAdmin, d.Mode())
}

// TestSilentSetup: firmware often closes the connection instead of answering, although all is done.
func TestSilentSetup(t *testing.T) {
	d := newDevice(t, wsmantest.Config{Mode: wsmantest.ModeNone, Quirks: wsmantest.Quirks{SilentSetup: true}})
	c := localClient(t, d)
	uri := wsman.ResourceURI(setupService)
	body := c.request(uri+"/Setup", uri, "", `<r:Setup_INPUT xmlns:r="`+uri+`">`+params("NetAdminPassEncryptionType", "2", "NetworkAdminPassword", hexMD5(d, "N3w!pass"))+`</r:Setup_INPUT>`)
	assert.Equal(t, 0, c.post(body))
	assert.Equal(t, wsmantest.ModeClient, d.Mode())
	c = newClient(t, d)
	c.pass = "N3w!pass"
	assert.Equal(t, "1", c.get(setupService).ChildText("CurrentControlMode"))
}

func TestUnprovision(t *testing.T) {
	var events []wsmantest.EventKind
	d := newDevice(t, wsmantest.Config{OnEvent: func(e wsmantest.Event) { events = append(events, e.Kind) }})
	realm := d.Realm()
	c := newClient(t, d)
	c.call(0, keyService, "AddTrustedRootCertificate", "CertificateBlob", b64(issuer().cert.Raw))
	c.call(0, "AMT_SetupAndConfigurationService", "PartialUnprovision")
	assert.Equal(t, wsmantest.ModeNone, d.Mode())
	assert.Len(t, d.Certificates(), 1, "trusted roots stay")
	assert.NotEqual(t, realm, d.Realm())
	assert.Contains(t, events, wsmantest.EventSetup)
	c = localClient(t, d)
	_, value := c.invoke("AMT_SetupAndConfigurationService", "Unprovision", params("ProvisioningMode", "1"))
	assert.Equal(t, 3, value)
}

func TestUUID(t *testing.T) {
	d := newDevice(t, wsmantest.Config{UUID: [16]byte{0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 9, 10, 11, 12, 13, 14, 15, 16}})
	assert.Equal(t, "01020304-0506-0708-090a-0b0c0d0e0f10", d.UUID())
	c := newClient(t, d)
	assert.Equal(t, "04030201060508070" /* and so on */, c.get("CIM_ComputerSystemPackage").ChildText("PlatformGUID")[:17])
	e := c.call(0, "AMT_SetupAndConfigurationService", "GetUuid")
	assert.Equal(t, "BAMCAQYFCAcJCgsMDQ4PEA==", e.ChildText("UUID"))
}

func TestMEBx(t *testing.T) {
	c := newClient(t, newDevice(t, wsmantest.Config{}))
	c.call(0x806, "AMT_SetupAndConfigurationService", "SetMEBxPassword", "Password", "Passw0rd_")
	c.call(0, "AMT_SetupAndConfigurationService", "SetMEBxPassword", "Password", "Passw0rd!")
}
