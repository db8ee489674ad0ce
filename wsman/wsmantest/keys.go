package wsmantest

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"slices"
	"strings"

	"github.com/meshcentral-go/sdk/wsman"
)

const (
	certificateMost = 16
	keyMost         = 16
	keyBits         = 2048
)

// keyStore holds what the classes AMT_PublicKeyCertificate and AMT_PublicPrivateKeyPair do not show.
type keyStore struct {
	lastCertificate, lastKey int
	private                  map[*object]*rsa.PrivateKey   // of AMT_PublicPrivateKeyPair
	parsed                   map[*object]*x509.Certificate // of AMT_PublicKeyCertificate
}

func (d *Device) buildKeys() {
	d.state.keys = keyStore{private: map[*object]*rsa.PrivateKey{}, parsed: map[*object]*x509.Certificate{}}
	d.state.keyBusy = d.cfg.Quirks.KeyBusy
	d.define(&class{
		name: "AMT_PublicKeyCertificate", keys: []string{"InstanceID"}, put: d.putCertificate,
		readOnly: []string{"Issuer", "Subject"},
		remove: func(o *object) *fault {
			if d.referenced(o) {
				return inUse()
			}
			delete(d.state.keys.parsed, o)
			return nil
		},
	})
	d.define(&class{name: "AMT_PublicPrivateKeyPair", keys: []string{"InstanceID"}, remove: func(o *object) *fault {
		if d.certificateOf(o) != nil {
			return inUse()
		}
		delete(d.state.keys.private, o)
		return nil
	}})
	d.define(&class{name: "CIM_ConcreteDependency", keys: []string{"Antecedent", "Dependent"}, list: func() (out []*object) {
		for _, key := range d.classes["AMT_PublicPrivateKeyPair"].objects {
			if cert := d.certificateOf(key); cert != nil {
				out = append(out, newObject("CIM_ConcreteDependency", "Antecedent", d.ref(cert), "Dependent", d.ref(key)))
			}
		}
		return out
	}})
	o := service("AMT_PublicKeyManagementService", "Intel(r) AMT Certificate Store Service", "EnabledState", 5, "RequestedState", 12)
	d.define(&class{name: o.class, keys: serviceKeys, methods: map[string]method{
		"AddCertificate":            func(c *call) (int, *fault) { return d.addCertificate(c, false) },
		"AddTrustedRootCertificate": func(c *call) (int, *fault) { return d.addCertificate(c, true) },
		"AddKey":                    d.addKey,
		"GenerateKeyPair":           d.generateKeyPair,
		"GeneratePKCS10Request":     d.generateRequest,
		"GeneratePKCS10RequestEx":   d.signRequest,
	}}, o)
	d.fixed(newObject("AMT_CryptographicCapabilities", "ElementName", "Intel(r) AMT: Cryptographic Capabilities",
		"HardwareAcceleration", 1, "InstanceID", "Intel(r) AMT: CryptographicCapabilities"))
}

// distinguished writes a name as the firmware does: "C=US,O=Example,CN=pc".
func distinguished(n pkix.Name) string {
	parts := strings.Split(n.String(), ",")
	slices.Reverse(parts)
	return strings.Join(parts, ",")
}

// addCertificate is AddCertificate and AddTrustedRootCertificate.
func (d *Device) addCertificate(c *call, root bool) (int, *fault) {
	der, valid := c.bytes("CertificateBlob")
	cert, err := parseCertificate(der)
	if !valid || err != nil {
		return statusInvalidCert, nil
	}
	if len(d.classes["AMT_PublicKeyCertificate"].objects) >= certificateMost {
		return statusMaxLimit, nil
	}
	for _, have := range d.state.keys.parsed {
		if have.Equal(cert) {
			return statusDuplicate, nil
		}
	}
	if !d.flashWrite() {
		return statusFlashLimit, nil
	}
	o := d.storeCertificate(cert, root)
	c.set("CreatedCertificate", d.ref(o))
	d.emit(EventCertificate, "certificate %q was added, trusted root: %v", o.get("Subject"), root)
	return ok, nil
}

func (d *Device) storeCertificate(cert *x509.Certificate, root bool) *object {
	d.state.keys.lastCertificate++
	o := newObject("AMT_PublicKeyCertificate",
		"ElementName", "Intel(r) AMT Certificate", "InstanceID", fmt.Sprintf("Intel(r) AMT Certificate: Handle: %d", d.state.keys.lastCertificate),
		"Issuer", distinguished(cert.Issuer), "ReadOnlyCertificate", false, "Subject", distinguished(cert.Subject),
		"TrustedRootCertficate", root, "X509Certificate", cert.Raw)
	d.state.keys.parsed[o] = cert
	d.store(o)
	return o
}

// putCertificate replaces a certificate by another one of the same key.
func (d *Device) putCertificate(_ *request, old, o *object) *fault {
	der, _ := decodeBase64(o.get("X509Certificate"))
	cert, err := parseCertificate(der)
	if err != nil {
		return invalidRepresentation()
	}
	was := d.state.keys.parsed[old]
	if d.referenced(old) && !bytes.Equal(was.RawSubjectPublicKeyInfo, cert.RawSubjectPublicKeyInfo) {
		return invalidRepresentation()
	}
	d.state.keys.parsed[old] = cert
	o.set("Issuer", distinguished(cert.Issuer))
	o.set("Subject", distinguished(cert.Subject))
	return nil
}

// addKey is AddKey(KeyBlob): a private key in PKCS #1.
func (d *Device) addKey(c *call) (int, *fault) {
	der, _ := c.bytes("KeyBlob")
	key, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil || key.N.BitLen() < 1024 || key.N.BitLen() > 4096 {
		return statusInvalidKey, nil
	}
	return d.storeKey(c, "CreatedKey", key)
}

// generateKeyPair is GenerateKeyPair(KeyAlgorithm 0, KeyLength 2048).
func (d *Device) generateKeyPair(c *call) (int, *fault) {
	algorithm, ok1 := c.num("KeyAlgorithm")
	bits, ok2 := c.num("KeyLength")
	if !ok1 || !ok2 || algorithm != 0 || bits != keyBits {
		return statusInvalidParameter, nil
	}
	if d.state.keyBusy > 0 {
		d.state.keyBusy--
		return statusGeneratingKeys, nil
	}
	key, err := rsa.GenerateKey(d.cfg.Rand, bits)
	if err != nil {
		return statusInternal, nil
	}
	return d.storeKey(c, "KeyPair", key)
}

func (d *Device) storeKey(c *call, output string, key *rsa.PrivateKey) (int, *fault) {
	if len(d.state.keys.private) >= keyMost {
		return statusMaxLimit, nil
	}
	for _, have := range d.state.keys.private {
		if have.PublicKey.Equal(&key.PublicKey) {
			return statusDuplicate, nil
		}
	}
	if !d.flashWrite() {
		return statusFlashLimit, nil
	}
	c.set(output, d.ref(d.newKey(key)))
	d.emit(EventCertificate, "a key pair was added")
	return ok, nil
}

func (d *Device) newKey(key *rsa.PrivateKey) *object {
	public := x509.MarshalPKCS1PublicKey(&key.PublicKey)
	if q := d.cfg.Quirks; q.SubjectPublicKeyInfo || d.prof.spki && !q.PKCS1Keys {
		public, _ = x509.MarshalPKIXPublicKey(&key.PublicKey) // an RSA key can always be written
	}
	o := newObject("AMT_PublicPrivateKeyPair", "DERKey", public, "ElementName", "Intel(r) AMT Key",
		"InstanceID", fmt.Sprintf("Intel(r) AMT Key: Handle: %d", d.state.keys.lastKey))
	d.state.keys.lastKey++
	d.state.keys.private[o] = key
	d.store(o)
	return o
}

// certificateOf returns the certificate of a key pair, or nil.
func (d *Device) certificateOf(key *object) *object {
	private := d.state.keys.private[key]
	for _, o := range d.classes["AMT_PublicKeyCertificate"].objects {
		if cert := d.state.keys.parsed[o]; private != nil && cert != nil && private.PublicKey.Equal(cert.PublicKey) {
			return o
		}
	}
	return nil
}

// keyOf returns the private key of a certificate, or nil.
func (d *Device) keyOf(cert *object) *rsa.PrivateKey {
	for _, key := range d.state.keys.private {
		if parsed := d.state.keys.parsed[cert]; parsed != nil && key.PublicKey.Equal(parsed.PublicKey) {
			return key
		}
	}
	return nil
}

// referenced says whether anything else refers to an instance.
func (d *Device) referenced(o *object) bool {
	for _, name := range []string{
		"AMT_TLSCredentialContext", "AMT_8021xCredentialContext", "IPS_8021xCredentialContext", "AMT_RemoteAccessCredentialContext",
		"AMT_RemoteAccessPolicyAppliesToMPS",
	} {
		for _, user := range d.classes[name].objects {
			for _, p := range user.props {
				if ref, is := parseRef(&p); is && d.resolve(ref) == o {
					return true
				}
			}
		}
	}
	return false
}

// signRequest is GeneratePKCS10RequestEx: it signs a request whose signature is null.
func (d *Device) signRequest(c *call) (int, *fault) {
	key, _ := c.ref("KeyPair")
	private := d.state.keys.private[key]
	algorithm, given := c.num("SigningAlgorithm")
	der, valid := c.bytes("NullSignedCertificateRequest")
	if private == nil {
		return statusInvalidKey, nil
	}
	if !given || algorithm < 0 || algorithm > 1 || !valid {
		return statusInvalidParameter, nil
	}
	signed, err := signPKCS10(d.cfg.Rand, der, private, algorithm)
	if err != nil {
		d.log.Info("wsmantest: certificate request", "err", err)
		return statusInvalidCert, nil
	}
	c.set("SignedCertificateRequest", signed)
	return ok, nil
}

// generateRequest is GeneratePKCS10Request(KeyPair, DNName, Usage), of old versions.
func (d *Device) generateRequest(c *call) (int, *fault) {
	key, _ := c.ref("KeyPair")
	private := d.state.keys.private[key]
	if private == nil {
		return statusInvalidKey, nil
	}
	var name pkix.Name
	for _, part := range strings.Split(c.text("DNName"), ",") {
		kind, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch strings.ToUpper(kind) {
		case "CN":
			name.CommonName = value
		case "O":
			name.Organization = append(name.Organization, value)
		case "OU":
			name.OrganizationalUnit = append(name.OrganizationalUnit, value)
		case "C":
			name.Country = append(name.Country, value)
		default:
			return statusInvalidParameter, nil
		}
	}
	der, err := x509.CreateCertificateRequest(d.cfg.Rand, &x509.CertificateRequest{Subject: name}, private)
	if err != nil {
		return statusInvalidParameter, nil
	}
	c.set("CertificateRequest", der)
	return ok, nil
}

// Certificate is an entry of the certificate store.
type Certificate struct {
	InstanceID  string
	Certificate *x509.Certificate
	TrustedRoot bool
	HasKey      bool // a key pair of the device belongs to it
}

// Certificates returns the certificate store.
func (d *Device) Certificates() []Certificate {
	d.mu.Lock()
	defer d.unlock()
	var out []Certificate
	for _, o := range d.classes["AMT_PublicKeyCertificate"].objects {
		out = append(out, Certificate{
			InstanceID: o.get("InstanceID"), Certificate: d.state.keys.parsed[o], TrustedRoot: o.flag("TrustedRootCertficate"), HasKey: d.keyOf(o) != nil,
		})
	}
	return out
}

// KeyPairs returns the names of the key pairs and their public keys.
func (d *Device) KeyPairs() map[string]*rsa.PublicKey {
	d.mu.Lock()
	defer d.unlock()
	out := map[string]*rsa.PublicKey{}
	for o, key := range d.state.keys.private {
		out[o.get("InstanceID")] = &key.PublicKey
	}
	return out
}

// AddRoot installs a trusted root certificate, as one that the maker of the computer put there.
func (d *Device) AddRoot(cert *x509.Certificate) wsman.Ref {
	d.mu.Lock()
	defer d.unlock()
	return d.ref(d.storeCertificate(cert, true))
}
