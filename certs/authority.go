package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // names keys, proves nothing
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"time"
)

// ErrNotIssued reports a certificate that another authority issued, so that it cannot be renewed here.
var ErrNotIssued = errors.New("certs: the certificate is not issued by this root")

// The validity of certificates of the reference server. It begins long ago because the clocks of Intel AMT devices may
// be as far behind.
var (
	longNotBefore = time.Date(2018, time.January, 1, 0, 0, 0, 0, time.UTC)
	longNotAfter  = time.Date(2049, time.December, 31, 0, 0, 0, 0, time.UTC)
)

// Authority issues the certificates of a server from its root.
type Authority struct {
	cfg    Config
	root   *Certificate
	parent *x509.Certificate // what CreateCertificate needs of the root
	alg    x509.SignatureAlgorithm
}

// NewAuthority makes a root and returns the authority of it.
//
// Confirmed in certoperations.js, GenerateRootCertificate. Other than there the serial number is always positive, and
// there is no organization "unknown".
func NewAuthority(cfg Config) (*Authority, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	key, err := cfg.newKey(Root)
	if err != nil {
		return nil, err
	}
	root, err := selfSignRoot(key, cfg)
	if err != nil {
		return nil, err
	}
	return OpenAuthority(root, cfg)
}

// OpenAuthority returns the authority of an existing root. The root must have its private key.
func OpenAuthority(root *Certificate, cfg Config) (*Authority, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if root.Signer == nil {
		return nil, fmt.Errorf("%w for %s, so nothing can be issued", ErrNoKey, root.Name)
	}
	walked, err := root.walk()
	if err != nil {
		return nil, err
	}
	alg, err := signatureAlgorithm(root.Signer.Public())
	if err != nil {
		return nil, err
	}
	// Built by hand, because crypto/x509 may refuse the root.
	parent := &x509.Certificate{RawSubject: walked.Subject, PublicKey: root.Signer.Public()}
	return &Authority{cfg: cfg, root: root, parent: parent, alg: alg}, nil
}

// Root returns the root.
func (a *Authority) Root() *Certificate { return a.root }

// Issue issues a certificate. A nil key is made with [Config.NewKey]; passing the key of an older certificate renews it.
//
// Confirmed in certoperations.js, IssueWebServerCertificate. Other than there the serial number is always positive, the
// agent server's empty extended key usage is left out, IP addresses are not repeated as DNS names, and there are no
// URIs among the names.
func (a *Authority) Issue(name Name, key crypto.Signer) (*Certificate, error) {
	template, err := a.template(name)
	if err != nil {
		return nil, err
	}
	if key == nil {
		if key, err = a.cfg.newKey(name); err != nil {
			return nil, err
		}
	}
	pub := key.Public()
	if name == AgentServer {
		if _, ok := pub.(*rsa.PublicKey); !ok {
			return nil, fmt.Errorf("%w: agents only know RSA signatures of a server, not %T", ErrKeyKind, pub)
		}
	}
	keyID, err := keyIdentifier(pub)
	if err != nil {
		return nil, err
	}
	template.SubjectKeyId = keyID
	if name == AgentServer || name == CodeSign {
		template.Subject.CommonName += "-" + shortKeyName(keyID)
	}
	if _, ok := pub.(*rsa.PublicKey); !ok {
		template.KeyUsage &^= x509.KeyUsageKeyEncipherment // only RSA keys encrypt
	}
	template.SignatureAlgorithm = a.alg
	der, err := x509.CreateCertificate(rand.Reader, template, a.parent, pub, a.root.Signer)
	if err != nil {
		return nil, fmt.Errorf("certs: issuing %s: %w", name, err)
	}
	return newCertificate(name, [][]byte{der}, key)
}

// template has what distinguishes the certificates of a server.
func (a *Authority) template(name Name) (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber:          serial,
		NotBefore:             longNotBefore,
		NotAfter:              longNotAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		BasicConstraintsValid: true,
	}
	if a.cfg.Country != "" {
		t.Subject.Country = []string{a.cfg.Country}
	}
	if a.cfg.Organization != "" {
		t.Subject.Organization = []string{a.cfg.Organization}
	}
	switch {
	case name == AgentServer:
		t.Subject.CommonName = "MeshCentralAgentServer"
		t.KeyUsage |= x509.KeyUsageDataEncipherment
	case name == CodeSign:
		t.Subject.CommonName = a.cfg.Host
		t.KeyUsage = x509.KeyUsageDigitalSignature
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
	case name == MPS:
		setHost(t, a.cfg.MPSHost, nil)
	case name.isWeb():
		host, err := a.webHost(name)
		if err != nil {
			return nil, err
		}
		setHost(t, host, a.cfg.AltNames)
		if a.cfg.WebLifetime > 0 {
			// An hour for clocks that are behind.
			t.NotBefore = a.cfg.Now().Add(-time.Hour).UTC()
			t.NotAfter = a.cfg.Now().Add(a.cfg.WebLifetime).UTC()
		}
	default:
		return nil, fmt.Errorf("certs: %q is no certificate that a root issues", truncate(string(name), 100))
	}
	return t, nil
}

// webHost returns the host that a web certificate is for.
func (a *Authority) webHost(name Name) (string, error) {
	if name == Web {
		return a.cfg.Host, nil
	}
	for domain, host := range a.cfg.Domains {
		if n, err := DomainWeb(domain); err == nil && n == name {
			return host, nil
		}
	}
	return "", fmt.Errorf("certs: %q is the certificate of no configured domain", truncate(string(name), 100))
}

// setHost makes t the certificate of a TLS server.
func setHost(t *x509.Certificate, host string, more []string) {
	t.Subject.CommonName = host
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	seen := make(map[string]bool)
	for _, name := range append(append([]string{host}, more...), "localhost", "127.0.0.1", "::1") {
		if seen[name] {
			continue
		}
		seen[name] = true
		if ip := net.ParseIP(name); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, name)
		}
	}
}

// Issued reports whether the signature of cert is of this root.
func (a *Authority) Issued(cert *Certificate) error {
	walked, err := cert.walk()
	if err != nil {
		return err
	}
	if !bytes.Equal(walked.Issuer, a.parent.RawSubject) {
		return fmt.Errorf("%w: %s", ErrNotIssued, cert.Name)
	}
	parsed, err := cert.X509()
	if err != nil {
		// Refused for its contents. The issuer's name is as much as can be said then; every certificate of the
		// reference server's root carries it.
		return nil
	}
	if err := a.parent.CheckSignature(parsed.SignatureAlgorithm, parsed.RawTBSCertificate, parsed.Signature); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNotIssued, cert.Name, err)
	}
	return nil
}

// Renew issues a certificate in place of an older one, for the same key: a renewed agent server certificate keeps the
// ServerID. The result has the dates and the names of the configuration; names that are not configured are those of the
// older certificate. A root renews itself. What another authority issued is refused with [ErrNotIssued].
func (a *Authority) Renew(old *Certificate) (*Certificate, error) {
	if old.Signer == nil {
		return nil, fmt.Errorf("%w for %s", ErrNoKey, old.Name)
	}
	if err := a.Issued(old); err != nil {
		return nil, err
	}
	if old.Name == Root {
		template, err := rootTemplate(old.Signer.Public())
		if err != nil {
			return nil, err
		}
		template.RawSubject = a.parent.RawSubject // every certificate names its issuer by it
		return signRoot(template, old.Signer)
	}
	issuer := *a
	if err := issuer.cfg.adopt(old); err != nil {
		return nil, err
	}
	return issuer.Issue(old.Name, old.Signer)
}

// adopt takes what is not configured from a certificate.
func (c *Config) adopt(old *Certificate) error {
	subject, err := old.subject()
	if err != nil {
		return err
	}
	if c.Country == "" && len(subject.Country) > 0 {
		c.Country = subject.Country[0]
	}
	if c.Organization == "" && len(subject.Organization) > 0 {
		c.Organization = subject.Organization[0]
	}
	host := subject.CommonName
	if old.Name == CodeSign {
		if i := strings.LastIndexByte(host, '-'); i > 0 {
			host = host[:i]
		}
	}
	if c.Host == unconfigured && (old.Name.isWeb() || old.Name == CodeSign) {
		c.Host = host
	}
	if c.MPSHost == unconfigured && old.Name == MPS {
		c.MPSHost = host
	}
	if cert, err := old.X509(); err == nil && c.AltNames == nil {
		c.AltNames = append(c.AltNames, cert.DNSNames...)
		for _, ip := range cert.IPAddresses {
			c.AltNames = append(c.AltNames, ip.String())
		}
	}
	return c.check()
}

func selfSignRoot(key crypto.Signer, cfg Config) (*Certificate, error) {
	template, err := rootTemplate(key.Public())
	if err != nil {
		return nil, err
	}
	template.Subject = pkix.Name{CommonName: cfg.RootCommonName}
	if cfg.RootCommonName == "" {
		template.Subject.CommonName = "MeshCentralRoot-" + shortKeyName(template.SubjectKeyId)
	}
	return signRoot(template, key)
}

func rootTemplate(pub crypto.PublicKey) (*x509.Certificate, error) {
	keyID, err := keyIdentifier(pub)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	alg, err := signatureAlgorithm(pub)
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber:          serial,
		NotBefore:             longNotBefore,
		NotAfter:              longNotAfter,
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		SubjectKeyId:          keyID,
		SignatureAlgorithm:    alg,
	}, nil
}

func signRoot(template *x509.Certificate, key crypto.Signer) (*Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("certs: signing %s: %w", Root, err)
	}
	return newCertificate(Root, [][]byte{der}, key)
}

// newSerial returns a random positive serial number of 15 bytes: the reference server's are short, and negative at
// times.
func newSerial() (*big.Int, error) {
	b := make([]byte, 15)
	if _, err := rand.Read(b); err != nil {
		return nil, fmt.Errorf("certs: serial number: %w", err)
	}
	b[0] = b[0]&0x7f | 0x40 // neither negative nor shorter
	return new(big.Int).SetBytes(b), nil
}

// signatureAlgorithm returns how a root with this key signs: with SHA-384, as the reference server does.
func signatureAlgorithm(pub crypto.PublicKey) (x509.SignatureAlgorithm, error) {
	switch pub.(type) {
	case *rsa.PublicKey:
		return x509.SHA384WithRSA, nil
	case *ecdsa.PublicKey:
		return x509.ECDSAWithSHA384, nil
	case ed25519.PublicKey:
		return x509.PureEd25519, nil
	default:
		return 0, fmt.Errorf("%w: %T cannot sign certificates", ErrKeyKind, pub)
	}
}

// keyIdentifier returns the SHA-1 hash of the subjectPublicKey, RFC 5280 section 4.2.1.2.
func keyIdentifier(pub crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyKind, err)
	}
	var spki struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &spki); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyKind, err)
	}
	id := sha1.Sum(spki.Key.Bytes) //nolint:gosec // see above
	return id[:], nil
}

// shortKeyName returns the six digits that end the common names of certificates that have no host.
func shortKeyName(keyID []byte) string { return hex.EncodeToString(keyID[:3]) }
