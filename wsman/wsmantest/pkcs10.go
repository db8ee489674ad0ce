package wsmantest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // signing algorithm 0 of the firmware
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"
)

// pkcs10 is a certification request (RFC 2986).
type pkcs10 struct {
	Raw       asn1.RawContent
	Info      asn1.RawValue
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
}

type pkcs10Info struct {
	Raw        asn1.RawContent
	Version    int
	Subject    asn1.RawValue
	PublicKey  asn1.RawValue
	Attributes asn1.RawValue `asn1:"optional,tag:0"`
}

var (
	oidSHA1WithRSA   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 5}
	oidSHA256WithRSA = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
)

// signPKCS10 signs a request anew, whatever its signature was. Its public key must be that of the private key. Algorithm 0
// is SHA-1 with RSA, 1 SHA-256 with RSA.
func signPKCS10(random io.Reader, der []byte, key *rsa.PrivateKey, algorithm int) ([]byte, error) {
	var req pkcs10
	rest, err := asn1.Unmarshal(der, &req)
	if err != nil {
		return nil, err
	}
	var info pkcs10Info
	if _, err := asn1.Unmarshal(req.Info.FullBytes, &info); err != nil {
		return nil, err
	}
	public, err := x509.ParsePKIXPublicKey(info.PublicKey.FullBytes)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 || !key.PublicKey.Equal(public) {
		return nil, errors.New("wsmantest: the request is for another key")
	}
	oid, hash := oidSHA256WithRSA, crypto.SHA256
	var digest []byte
	if algorithm == 0 {
		oid, hash = oidSHA1WithRSA, crypto.SHA1
		sum := sha1.Sum(req.Info.FullBytes) //nolint:gosec // see above
		digest = sum[:]
	} else {
		sum := sha256.Sum256(req.Info.FullBytes)
		digest = sum[:]
	}
	signature, err := rsa.SignPKCS1v15(random, key, hash, digest)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(struct {
		Info      asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{
		asn1.RawValue{FullBytes: req.Info.FullBytes},
		pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.NullRawValue},
		asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)},
	})
}
