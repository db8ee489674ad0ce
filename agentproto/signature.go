package agentproto

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"fmt"

	"github.com/meshcentral-go/sdk/internal/derwalk"
)

// Bounds on the RSA keys of peers. Native agents have 3,072 bits and e = 65537, those with a TPM may have 2,048 bits.
// Larger ones, and larger exponents above all, would let a peer that never signed anything ask for as much work as the
// server's own signature costs.
const (
	minRSABits     = 2048
	maxRSABits     = 4096
	maxRSAExponent = 65537
)

// peerKey returns the key in a certificate that a peer sent in a command 2, if a login may be proved with it. Both peers
// know RSA only. Nothing else in the certificate is looked at: stock servers and agents make some that crypto/x509 refuses.
func peerKey(certificate []byte) (*rsa.PublicKey, error) {
	cert, err := derwalk.Parse(certificate)
	if err != nil {
		return nil, malformed(CmdAuthVerify, "%v", err)
	}
	if !cert.IsRSA() {
		return nil, malformed(CmdAuthVerify, "key in the certificate is not RSA")
	}
	key, err := x509.ParsePKCS1PublicKey(cert.PublicKey)
	if err != nil {
		return nil, malformed(CmdAuthVerify, "key in the certificate: %v", err)
	}
	if n := key.N.BitLen(); n < minRSABits || n > maxRSABits {
		return nil, malformed(CmdAuthVerify, "RSA key of %d bits, %d to %d are taken", n, minRSABits, maxRSABits)
	}
	if key.E > maxRSAExponent {
		return nil, malformed(CmdAuthVerify, "RSA key with exponent %d, at most %d is taken", key.E, maxRSAExponent)
	}
	return key, nil
}

// verifySignature checks an agent's signature, in either form, against the digest. It is never skipped: stock servers
// have a switch for that, and with it whoever can connect can be any device.
func verifySignature(key *rsa.PublicKey, digest, signature []byte) error {
	if len(signature) != key.Size() {
		raw, err := pkcs7Signature(signature)
		if err != nil {
			return err
		}
		signature = raw
	}
	return rsaVerifyRaw(key, digest, signature)
}

// rsaVerifyRaw checks a raw signature, the only form that servers send.
func rsaVerifyRaw(key *rsa.PublicKey, digest, signature []byte) error {
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA384, digest, signature); err != nil {
		return fmt.Errorf("%w (%d-bit RSA)", ErrBadSignature, key.N.BitLen())
	}
	return nil
}
