// Package derwalk finds the parts of an X.509 certificate that the MeshCentral protocols need, without judging the rest.
//
// The reference server makes certificates that crypto/x509 refuses: a random serial number whose first bit is set is a
// negative INTEGER, and a host name with an underscore is written as a PrintableString (agents enforce neither). What
// the protocols need of such a certificate is its public key and a few raw fields, so this package walks the DER
// encoding just far enough to find them. It checks structure and lengths, never meaning: a result of this package
// says nothing about names, dates, extensions or signatures.
//
// All results are sub-slices of the input. The walk allocates nothing on success, never recurses and reads each
// byte of the input at most once.
package derwalk

import (
	"errors"
	"fmt"
)

// MaxCertificate is the largest certificate that [Parse] looks at. The certificate in the agent protocol has a 16-bit
// length field; nothing bigger can be met there.
const MaxCertificate = 1<<16 - 1

// ErrMalformed reports bytes that are not the DER of a certificate, as far as this package looks.
var ErrMalformed = errors.New("derwalk: malformed certificate")

// Identifier octets of the elements that are walked over.
const (
	tagInteger         = 0x02
	tagBitString       = 0x03
	tagOID             = 0x06
	tagUTCTime         = 0x17
	tagGeneralizedTime = 0x18
	tagSequence        = 0x30
	tagVersion         = 0xa0 // [0] EXPLICIT Version
)

// oidRSA is the content of the OBJECT IDENTIFIER rsaEncryption, 1.2.840.113549.1.1.1.
const oidRSA = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"

// Certificate holds the parts of a certificate. All fields are sub-slices of the parsed bytes.
type Certificate struct {
	Raw     []byte // the whole certificate
	TBS     []byte // TBSCertificate with its header: what the issuer signed
	Serial  []byte // content of the serial number INTEGER, two's complement, not empty
	Issuer  []byte // issuer Name with its header
	Subject []byte // subject Name with its header

	NotBefore Time
	NotAfter  Time

	SPKI      []byte // SubjectPublicKeyInfo with its header
	Algorithm []byte // content of the key algorithm's OBJECT IDENTIFIER
	PublicKey []byte // content of the subjectPublicKey BIT STRING, without the octet that counts unused bits
}

// IsRSA reports whether the key algorithm is rsaEncryption.
func (c *Certificate) IsRSA() bool { return string(c.Algorithm) == oidRSA }

// Parse walks der, which must be exactly one certificate, with nothing after it.
//
//	Certificate     ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature }
//	TBSCertificate  ::= SEQUENCE { [0] version OPTIONAL, serialNumber, signature, issuer, validity, subject,
//	                               subjectPublicKeyInfo, ... }
//	SubjectPublicKeyInfo ::= SEQUENCE { algorithm SEQUENCE { OID, ... }, subjectPublicKey BIT STRING }
func Parse(der []byte) (Certificate, error) {
	var c Certificate
	if len(der) > MaxCertificate {
		return Certificate{}, fmt.Errorf("%w: %d bytes, at most %d are looked at", ErrMalformed, len(der), MaxCertificate)
	}
	w := walker{rest: der}
	c.Raw = der
	cert := w.enter(tagSequence, "certificate")
	w.end("certificate")

	w.rest = cert
	before := w.rest
	tbs := w.enter(tagSequence, "tbsCertificate")
	if w.failed == "" {
		c.TBS = before[:len(before)-len(w.rest)]
	}
	w.enter(tagSequence, "signatureAlgorithm")
	w.enter(tagBitString, "signature")
	w.end("certificate")

	w.rest = tbs
	if len(w.rest) > 0 && w.rest[0] == tagVersion {
		w.enter(tagVersion, "version")
	}
	c.Serial = w.enter(tagInteger, "serialNumber")
	if len(c.Serial) == 0 {
		w.fail("serialNumber")
	}
	w.enter(tagSequence, "signature algorithm")
	c.Issuer = w.whole(tagSequence, "issuer")
	validity := w.enter(tagSequence, "validity")
	c.Subject = w.whole(tagSequence, "subject")
	c.SPKI = w.whole(tagSequence, "subjectPublicKeyInfo")

	w.rest = validity
	c.NotBefore = w.time("notBefore")
	c.NotAfter = w.time("notAfter")
	w.end("validity")

	w.rest = c.SPKI
	w.rest = w.enter(tagSequence, "subjectPublicKeyInfo")
	algorithm := w.enter(tagSequence, "algorithm")
	key := w.enter(tagBitString, "subjectPublicKey")
	w.end("subjectPublicKeyInfo")
	// A key is whole octets, so the count of unused bits is zero.
	if len(key) < 2 || key[0] != 0 {
		w.fail("subjectPublicKey")
	} else {
		c.PublicKey = key[1:]
	}

	w.rest = algorithm
	c.Algorithm = w.enter(tagOID, "algorithm identifier")
	if len(c.Algorithm) == 0 {
		w.fail("algorithm identifier")
	}

	if w.failed != "" {
		return Certificate{}, fmt.Errorf("%w: at %s", ErrMalformed, w.failed)
	}
	return c, nil
}

// walker consumes elements from rest. The first failure is kept and empties every later result, so that the caller
// checks once.
type walker struct {
	rest   []byte
	failed string // name of the element that was not as expected
}

func (w *walker) fail(what string) {
	if w.failed == "" {
		w.failed = what
	}
	w.rest = nil
}

// enter consumes one element and returns its content.
func (w *walker) enter(tag byte, what string) []byte {
	header, content, ok := element(w.rest, tag)
	if w.failed != "" || !ok {
		w.fail(what)
		return nil
	}
	body := w.rest[header : header+content : header+content]
	w.rest = w.rest[header+content:]
	return body
}

// whole consumes one element and returns it with its header.
func (w *walker) whole(tag byte, what string) []byte {
	header, content, ok := element(w.rest, tag)
	if w.failed != "" || !ok {
		w.fail(what)
		return nil
	}
	all := w.rest[: header+content : header+content]
	w.rest = w.rest[header+content:]
	return all
}

func (w *walker) time(what string) Time {
	tag := byte(tagUTCTime)
	if len(w.rest) > 0 && w.rest[0] == tagGeneralizedTime {
		tag = tagGeneralizedTime
	}
	return Time{generalized: tag == tagGeneralizedTime, text: w.enter(tag, what)}
}

// end checks that the container is used up.
func (w *walker) end(what string) {
	if len(w.rest) != 0 {
		w.fail(what)
	}
}

// element measures the element at the start of b, which must have the given identifier octet and a length in the
// shortest form, as DER demands.
func element(b []byte, tag byte) (header, content int, ok bool) {
	if len(b) < 2 || b[0] != tag {
		return 0, 0, false
	}
	switch n := b[1]; {
	case n < 0x80:
		header, content = 2, int(n)
	case n == 0x81 && len(b) >= 3 && b[2] >= 0x80:
		header, content = 3, int(b[2])
	case n == 0x82 && len(b) >= 4 && b[2] != 0:
		header, content = 4, int(b[2])<<8|int(b[3])
	default:
		// Longer lengths do not fit in MaxCertificate; indefinite ones are not DER.
		return 0, 0, false
	}
	return header, content, content <= len(b)-header
}
