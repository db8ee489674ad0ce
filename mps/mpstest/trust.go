package mpstest

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ErrUntrusted is returned, wrapped, for a server whose certificate the device does not take.
var ErrUntrusted = errors.New("mpstest: the server's certificate is not trusted")

// ErrNegativeSerial is returned, wrapped, for a server whose certificate crypto/x509 can not read. About one in 200 of the
// certificates that MeshCentral makes for itself has a negative serial number, and crypto/tls ends the handshake before
// anything can be done about it. The setting x509negativeserial=1 changes that, for the whole program only.
var ErrNegativeSerial = errors.New("mpstest: the server's certificate has a negative serial number, as some of MeshCentral's have: " +
	"start the program with GODEBUG=x509negativeserial=1, or build it with //go:debug x509negativeserial=1")

// Pin is the SHA-256 hash of a certificate in DER.
type Pin [sha256.Size]byte

// PinOf returns the pin of a certificate.
func PinOf(cert *x509.Certificate) Pin { return sha256.Sum256(cert.Raw) }

// ParsePin reads 64 hexadecimal digits, with or without colons between the bytes.
func ParsePin(s string) (Pin, error) {
	var p Pin
	b, err := hex.DecodeString(strings.ReplaceAll(s, ":", ""))
	if err != nil || len(b) != len(p) {
		return p, fmt.Errorf("mpstest: %.80q is no pin: that is the SHA-256 hash of a certificate, 64 hexadecimal digits", s)
	}
	return Pin(b), nil
}

// String returns 64 hexadecimal digits.
func (p Pin) String() string { return hex.EncodeToString(p[:]) }

// Trust says which server a device takes: Pin if it is set, else Verify, else Roots and Name. The zero value takes servers
// that any program would take, with a certificate that the system trusts and for the name that was dialed.
type Trust struct {
	// Pin is that of the one certificate that is taken, whoever has signed it.
	Pin Pin
	// Verify decides on the certificate that the server shows. A server may show more, or none of those that signed it.
	Verify func(*x509.Certificate) error
	// Roots have signed the server's certificate. Firmware holds one, which the set-up has given it. Nil are the system's.
	Roots *x509.CertPool
	// Name is in the certificate, as its common name, which is what firmware looks at, or as one of its alternative names.
	// Empty is the host of the server's address.
	Name string
	// Insecure takes every server. Whoever is in between gets the password.
	Insecure bool
}

// config returns the TLS settings of a device: those it was given, and that trust.
func (t Trust) config(base *tls.Config, host string, cert *tls.Certificate) *tls.Config {
	c := &tls.Config{} //nolint:gosec // below 1.2 only if asked for
	if base != nil {
		c = base.Clone()
	}
	if t.Name == "" {
		t.Name = host
	}
	// Firmware sends no server name, and looks at the common name: what crypto/tls checks by itself is neither.
	c.InsecureSkipVerify = true
	c.VerifyConnection = t.verify
	if cert != nil {
		// Whatever authorities the server names: it knows the devices by their key.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	return c
}

func (t Trust) verify(state tls.ConnectionState) error {
	if t.Insecure && t.Pin == (Pin{}) {
		return nil
	}
	leaf := state.PeerCertificates[0]
	switch {
	case t.Pin != Pin{}:
		if pin := PinOf(leaf); subtle.ConstantTimeCompare(pin[:], t.Pin[:]) != 1 {
			return fmt.Errorf("%w: its pin is %s, and not %s", ErrUntrusted, pin, t.Pin)
		}
		return nil
	case t.Verify != nil:
		if err := t.Verify(leaf); err != nil {
			return fmt.Errorf("%w: %w", ErrUntrusted, err)
		}
		return nil
	}
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: t.Roots, Intermediates: between})
	if err == nil && !strings.EqualFold(leaf.Subject.CommonName, t.Name) {
		err = leaf.VerifyHostname(t.Name)
	}
	if err != nil {
		return fmt.Errorf("%w: %w; its pin is %s", ErrUntrusted, err, PinOf(leaf))
	}
	return nil
}

// explain names the one failure of a handshake that nobody can guess.
func explain(err error) error {
	if err != nil && strings.Contains(err.Error(), "negative serial number") {
		return fmt.Errorf("%w (%w)", ErrNegativeSerial, err)
	}
	return err
}
