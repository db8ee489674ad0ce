package certs

import (
	"crypto"
	"errors"
	"fmt"
	"time"
)

// Config says what the certificates of a server shall be like. The zero value works.
type Config struct {
	// Host is the DNS name or IP address that browsers and agents connect to. It is the common name of new
	// certificates. The default is un-configured, as with the reference server.
	Host string
	// AltNames are further DNS names and IP addresses in new web certificates. localhost, 127.0.0.1 and ::1 always are.
	AltNames []string
	// MPSHost is the name that Intel AMT devices connect to. The default is Host.
	MPSHost string
	// Country and Organization are in the subject of new certificates, if set.
	Country, Organization string
	// RootCommonName is the common name of a new root. The default is MeshCentralRoot- and six digits from its key.
	RootCommonName string
	// Domains has the domains with a DNS name of their own: domain to DNS name. Such a domain has its own web
	// certificate, unless the main one covers the DNS name.
	Domains map[string]string

	// NewKey makes the private keys of new certificates. The default is [NewKey]. Keys of the kinds in package crypto
	// are saved; any other signer keeps its key, and Signer must find it again.
	NewKey func(Name) (crypto.Signer, error)
	// Signer finds the private key of a loaded certificate that has no key file, in a TPM, by PKCS#11 or in a key
	// management service. It returns nil without an error if there is none. Without Signer, a certificate without
	// key file is an error.
	Signer func(name Name, pub crypto.PublicKey) (crypto.Signer, error)
	// Passwords returns the passwords to try on encrypted key files. The default is none.
	Passwords func() []string
	// TLSOffload says that a proxy has the web certificates. Their private keys may then be absent.
	TLSOffload bool

	// WebLifetime is how long new web certificates are valid. The default is until the end of 2049, as with the
	// reference server; clients of Apple want at most 825 days.
	WebLifetime time.Duration
	// Now is the clock for WebLifetime. The default is time.Now.
	Now func() time.Time
}

// unconfigured is the common name that the reference server uses if it is not told one.
const unconfigured = "un-configured"

// NewKey makes the kind of key that suits a certificate: ECDSA P-256 for the web server, which costs least at each login
// of an agent; RSA-2048 for the MPS, since the firmware of older Intel AMT devices takes no more, and for domains with
// a DNS name of their own, since the reference server does not start if those have another kind; RSA-3072 for the root,
// for the agent server, whose signature agents only know as RSA, and for code signing.
//
// The reference server has RSA-3072 for all of them but the MPS (certoperations.js, IssueWebServerCertificate). What it
// refuses of domains is in webserver.js, webCertificateExpire.
func NewKey(name Name) (crypto.Signer, error) {
	switch {
	case name == Web:
		return newP256()
	case name == MPS || name.isWeb():
		return newRSA(2048)
	default:
		return newRSA(3072)
	}
}

// withDefaults returns a copy with what is not set filled in.
func (c Config) withDefaults() Config {
	if c.Host == "" {
		c.Host = unconfigured
	}
	if c.MPSHost == "" {
		c.MPSHost = c.Host
	}
	if c.NewKey == nil {
		c.NewKey = NewKey
	}
	if c.Passwords == nil {
		c.Passwords = func() []string { return nil }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// newKey makes a key and looks whether it is one.
func (c Config) newKey(name Name) (crypto.Signer, error) {
	key, err := c.NewKey(name)
	if err != nil {
		return nil, fmt.Errorf("certs: key for %s: %w", name, err)
	}
	if key == nil {
		return nil, fmt.Errorf("%w for %s", ErrNoKey, name)
	}
	return key, nil
}

// check refuses what cannot become part of a certificate or a file name.
func (c Config) check() error {
	for _, host := range append([]string{c.Host, c.MPSHost}, c.AltNames...) {
		if err := checkHost(host); err != nil {
			return err
		}
	}
	for domain, host := range c.Domains {
		if domain == "" {
			return errors.New("certs: the default domain has no DNS name of its own: set Host")
		}
		if _, err := DomainWeb(domain); err != nil {
			return err
		}
		if err := checkHost(host); err != nil {
			return err
		}
	}
	return nil
}

// checkHost is deliberately mild: names with an underscore are in use.
func checkHost(host string) error {
	if host == "" || len(host) > 253 {
		return fmt.Errorf("certs: host name of %d characters", len(host))
	}
	for _, r := range host {
		if r <= ' ' || r > '~' || r == '/' || r == '@' || r == '"' || r == ',' {
			return fmt.Errorf("certs: host name %q: character %q", host, r)
		}
	}
	return nil
}
