package certs

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/internal/derwalk"
	"github.com/meshcentral-go/sdk/nodeid"
)

// Name is what a certificate of a server is for. It is also the beginning of the names of its two files:
// NAME-public.crt and NAME-private.key.
//
// Confirmed in certoperations.js, GetMeshServerCertificate.
type Name string

// The certificates of a server. The certificates of domains with a DNS name of their own have the names that [DomainWeb]
// returns.
const (
	Root        Name = "root-cert"        // issues the others
	Web         Name = "webserver-cert"   // TLS for browsers and agents
	AgentServer Name = "agentserver-cert" // proves the server to agents; its key is the ServerID
	MPS         Name = "mpsserver-cert"   // TLS for Intel AMT devices
	CodeSign    Name = "codesign-cert"    // signs agent executables
	SwarmServer Name = "swarmserver-cert" // agent server of an older installation, optional and never made here
)

const (
	publicSuffix  = "-public.crt"
	privateSuffix = "-private.key"
)

// DomainWeb returns the name of the web certificate of a domain that has a DNS name of its own.
func DomainWeb(domain string) (Name, error) {
	if domain == "" {
		return Web, nil
	}
	if err := nodeid.CheckDomain(domain); err != nil {
		return "", fmt.Errorf("certs: %w", err)
	}
	// The domain becomes a part of a file name, where these mean something on one system or another.
	if strings.ContainsAny(domain, ":*|") {
		return "", fmt.Errorf("certs: domain %q cannot be in a file name", domain)
	}
	return Name("webserver-" + domain + "-cert"), nil
}

// isWeb reports whether the certificate is one that browsers and agents see.
func (n Name) isWeb() bool { return strings.HasPrefix(string(n), "webserver-") }

// Certificate is a certificate of a server, with its private key unless that is not there.
type Certificate struct {
	Name Name
	// DER is the certificate itself.
	DER []byte
	// Chain has the certificates to send along, from the issuer of DER on. It does not have the root.
	Chain [][]byte
	// Signer has the private key. It is nil for a web certificate behind a proxy and for a root that is kept elsewhere.
	Signer crypto.Signer
}

// newCertificate checks that the parts fit.
func newCertificate(name Name, chain [][]byte, signer crypto.Signer) (*Certificate, error) {
	c := &Certificate{Name: name, DER: chain[0], Chain: chain[1:], Signer: signer}
	pub, err := c.PublicKey()
	if err != nil {
		return nil, err
	}
	if signer != nil && !samePublicKey(signer, pub) {
		return nil, ErrKeyMismatch
	}
	return c, nil
}

// TLSCertificate returns c for a tls.Config. Its Leaf is nil if crypto/x509 refuses the certificate, which servers can
// use all the same.
func (c Certificate) TLSCertificate() tls.Certificate {
	leaf, _ := c.X509()
	return tls.Certificate{
		Certificate: append([][]byte{c.DER}, c.Chain...),
		PrivateKey:  c.Signer,
		Leaf:        leaf,
	}
}

// X509 returns the parsed certificate, with an error if crypto/x509 refuses it.
func (c Certificate) X509() (*x509.Certificate, error) {
	cert, err := x509.ParseCertificate(c.DER)
	if err != nil {
		return nil, fmt.Errorf("certs: %s: %w", c.Name, err)
	}
	return cert, nil
}

// PublicKey returns the key in the certificate.
func (c Certificate) PublicKey() (crypto.PublicKey, error) {
	walked, err := c.walk()
	if err != nil {
		return nil, err
	}
	pub, err := x509.ParsePKIXPublicKey(walked.SPKI)
	if err != nil {
		return nil, fmt.Errorf("%w: public key: %w", ErrCertificate, err)
	}
	return pub, nil
}

// Validity returns the first and the last moment at which the certificate is valid. Agents do not look at it, browsers
// and Intel AMT devices do.
func (c Certificate) Validity() (notBefore, notAfter time.Time, err error) {
	walked, err := c.walk()
	if err != nil {
		return time.Time{}, time.Time{}, err
	}
	if notBefore, err = walked.NotBefore.Decode(); err != nil {
		return time.Time{}, time.Time{}, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	if notAfter, err = walked.NotAfter.Decode(); err != nil {
		return time.Time{}, time.Time{}, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return notBefore, notAfter, nil
}

// CommonName returns the common name of the subject, or "" if it has none.
func (c Certificate) CommonName() string {
	subject, err := c.subject()
	if err != nil {
		return ""
	}
	return subject.CommonName
}

// subject decodes the subject as far as possible.
func (c Certificate) subject() (pkix.Name, error) {
	walked, err := c.walk()
	if err != nil {
		return pkix.Name{}, err
	}
	return decodeName(walked.Subject)
}

// Hashes returns the hashes by which agents may name the certificate; see [WebHashes].
func (c Certificate) Hashes() []Hash { return WebHashes(c.DER) }

// Covers reports whether a client that asked for this host accepts the name in the certificate. A certificate that
// crypto/x509 refuses covers its common name only.
func (c Certificate) Covers(host string) bool { return newNames(&c).cover(host) }

// names is what a certificate calls its host, ready to be compared many times.
type names struct {
	leaf       *x509.Certificate // nil if crypto/x509 refuses it
	commonName string
}

func newNames(c *Certificate) names {
	leaf, _ := c.X509()
	return names{leaf: leaf, commonName: strings.ToLower(c.CommonName())}
}

// cover compares with the alternative names and, as the reference server does, with the common name.
//
// Confirmed in certoperations.js, compareCertificateNames, which lets a wildcard stand for any number of labels. Clients
// do not, so it stands for one here.
func (n names) cover(host string) bool {
	if n.leaf != nil && n.leaf.VerifyHostname(host) == nil {
		return true
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if n.commonName == host {
		return host != ""
	}
	suffix, wildcard := strings.CutPrefix(n.commonName, "*.")
	label, rest, found := strings.Cut(host, ".")
	return wildcard && found && label != "" && rest == suffix && net.ParseIP(host) == nil
}

func (c Certificate) walk() (derwalk.Certificate, error) {
	walked, err := derwalk.Parse(c.DER)
	if err != nil {
		return derwalk.Certificate{}, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return walked, nil
}

// AppendPEM appends the certificate and its chain in PEM form to b, without the private key.
func (c Certificate) AppendPEM(b []byte) []byte {
	for _, der := range append([][]byte{c.DER}, c.Chain...) {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der})...)
	}
	return b
}

// String names the certificate and never has the key.
func (c Certificate) String() string {
	return fmt.Sprintf("certs.Certificate{%s %q}", c.Name, truncate(c.CommonName(), 100))
}

// GoString returns what String returns.
func (c Certificate) GoString() string { return c.String() }

// Format writes what String returns, for every verb.
func (c Certificate) Format(f fmt.State, _ rune) { formatRedacted(f, c.String()) }

// LogValue returns what String returns.
func (c Certificate) LogValue() slog.Value { return logRedacted(c.String()) }

// MarshalJSON returns what String returns, as a JSON string.
func (c Certificate) MarshalJSON() ([]byte, error) { return jsonRedacted(c.String()) }

// decodeName decodes a distinguished name, leniently: values are taken whatever string type they claim to be and
// whatever characters that type would allow.
func decodeName(der []byte) (pkix.Name, error) {
	type attribute struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	var sets []asn1.RawValue
	if _, err := asn1.Unmarshal(der, &sets); err != nil {
		return pkix.Name{}, fmt.Errorf("%w: name: %w", ErrCertificate, err)
	}
	var name pkix.Name
	for _, set := range sets {
		var a attribute
		if _, err := asn1.Unmarshal(set.Bytes, &a); err != nil {
			return pkix.Name{}, fmt.Errorf("%w: name: %w", ErrCertificate, err)
		}
		value := strings.ToValidUTF8(string(a.Value.Bytes), "\uFFFD")
		switch a.Type.String() {
		case "2.5.4.3":
			name.CommonName = value
		case "2.5.4.6":
			name.Country = append(name.Country, value)
		case "2.5.4.10":
			name.Organization = append(name.Organization, value)
		}
	}
	return name, nil
}

// truncate cuts text that is not ours before it gets into a message.
func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "..."
}
