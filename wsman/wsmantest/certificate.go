package wsmantest

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
)

// parseCertificate reads a certificate as leniently as the firmware does: with a serial number that is negative, too, which package
// x509 refuses unless the program says otherwise (GODEBUG x509negativeserial). One in fifty of those that a stock MeshCentral
// makes is such (amtmanager.js, amtcert_createCertificate): it writes a random number as if its decimal digits were hexadecimal ones.
func parseCertificate(der []byte) (*x509.Certificate, error) {
	cert, err := x509.ParseCertificate(der)
	if err == nil {
		return cert, nil
	}
	changed := bytes.Clone(der)
	serial := serialOf(changed)
	if len(serial) == 0 || serial[0] < 0x80 {
		return nil, err
	}
	number := new(big.Int).SetBytes(serial)
	number.Sub(number, new(big.Int).Lsh(big.NewInt(1), uint(8*len(serial)))) //nolint:gosec // not negative
	serial[0] = 1
	if cert, err = x509.ParseCertificate(changed); err != nil {
		return nil, err
	}
	at := bytes.Index(cert.Raw, cert.RawTBSCertificate)
	cert.Raw = bytes.Clone(der)
	cert.RawTBSCertificate = cert.Raw[at : at+len(cert.RawTBSCertificate)]
	cert.SerialNumber = number
	return cert, nil
}

// serialOf returns the bytes of the serial number within a certificate, nil if it has none.
func serialOf(der []byte) []byte {
	var certificate, signed, field asn1.RawValue
	if _, err := asn1.Unmarshal(der, &certificate); err != nil {
		return nil
	}
	if _, err := asn1.Unmarshal(certificate.Bytes, &signed); err != nil {
		return nil
	}
	rest := signed.Bytes
	for range 2 { // the version may come first
		var err error
		if rest, err = asn1.Unmarshal(rest, &field); err != nil {
			return nil
		}
		if field.Class == asn1.ClassUniversal && field.Tag == asn1.TagInteger {
			return field.Bytes
		}
	}
	return nil
}
