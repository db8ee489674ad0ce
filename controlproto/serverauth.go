package controlproto

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/meshcentral-go/sdk/internal/derwalk"
	"github.com/meshcentral-go/sdk/nodeid"
)

// ServerNonceSize is the length of the nonces of [ServerAuth].
const ServerNonceSize = 48

// Bounds on what a peer sends in action serverAuth.
const (
	maxServerAuthNonce   = 256 // characters
	maxServerAuthCert    = 16 << 10
	serverAuthMinRSABits = 2048
	serverAuthMaxRSABits = 4096
)

// ErrServerAuth is a server that did not prove that it is the expected one, or a request for such a proof without its form.
var ErrServerAuth = errors.New("controlproto: server authentication")

// ServerAuth is what a server signs to prove itself inside of a connection whose TLS certificate proves nothing (header
// `x-meshauth: *`, action serverAuth):
//
//	client nonce   1 to 192 bytes, 48 when this package makes it
//	TLS hash       48 bytes: SHA-384 of the certificate that the client saw, whole or only its key
//	server nonce   48 bytes
//
// joined in this order, and signed with RSASSA-PKCS1-v1_5 and SHA-384 by the key of the agent server certificate. A server
// must sign only for a TLS hash that is its own: with another one, somebody in between is asking.
//
// Confirmed in webserver.js, PerformWSSessionInnerAuth.
type ServerAuth struct {
	ClientNonce []byte
	TLSHash     [sha512.Size384]byte
	ServerNonce [ServerNonceSize]byte
}

// NewServerAuth begins the check of a server as a client: it makes the client's nonce. The certificate is the one that
// the connection showed. A nil random means crypto/rand.
func NewServerAuth(random io.Reader, tlsCertificate []byte) (*ServerAuth, error) {
	if random == nil {
		random = rand.Reader
	}
	a := &ServerAuth{ClientNonce: make([]byte, ServerNonceSize), TLSHash: sha512.Sum384(tlsCertificate)}
	if len(tlsCertificate) == 0 {
		return nil, fmt.Errorf("%w: no TLS certificate", ErrServerAuth)
	}
	if _, err := io.ReadFull(random, a.ClientNonce); err != nil {
		return nil, fmt.Errorf("%w: reading random bytes: %w", ErrServerAuth, err)
	}
	return a, nil
}

// Request returns the members "cnonce" and "tlshash" of the client's message.
func (a *ServerAuth) Request() (cnonce, tlshash string) {
	return base64.StdEncoding.EncodeToString(a.ClientNonce), hex.EncodeToString(a.TLSHash[:])
}

// ParseServerAuth reads the members "cnonce" and "tlshash" of a client's message, as a server. Whether the hash is one of
// its certificates is for the caller to check, before [ServerAuth.Sign].
func ParseServerAuth(cnonce, tlshash string) (*ServerAuth, error) {
	a := new(ServerAuth)
	if len(cnonce) < 1 || len(cnonce) > maxServerAuthNonce {
		return nil, fmt.Errorf("%w: nonce of %d characters, 1 to %d are taken", ErrServerAuth, len(cnonce), maxServerAuthNonce)
	}
	var err error
	if a.ClientNonce, err = base64.StdEncoding.DecodeString(cnonce); err != nil || len(a.ClientNonce) == 0 {
		return nil, fmt.Errorf("%w: nonce is not base64", ErrServerAuth)
	}
	if len(tlshash) != hex.EncodedLen(len(a.TLSHash)) {
		return nil, fmt.Errorf("%w: TLS hash of %d characters", ErrServerAuth, len(tlshash))
	}
	if _, err = hex.Decode(a.TLSHash[:], []byte(tlshash)); err != nil {
		return nil, fmt.Errorf("%w: TLS hash %.96q is not hexadecimal", ErrServerAuth, tlshash)
	}
	return a, nil
}

// AppendSigned appends what is signed.
func (a *ServerAuth) AppendSigned(b []byte) []byte {
	b = append(b, a.ClientNonce...)
	b = append(b, a.TLSHash[:]...)
	return append(b, a.ServerNonce[:]...)
}

func (a *ServerAuth) digest() []byte {
	sum := sha512.Sum384(a.AppendSigned(make([]byte, 0, 256)))
	return sum[:]
}

// Sign makes a new server nonce and signs with the key of the agent server certificate, an RSA key. A nil random means
// crypto/rand.
func (a *ServerAuth) Sign(random io.Reader, key crypto.Signer) (signature []byte, err error) {
	if random == nil {
		random = rand.Reader
	}
	if _, ok := key.Public().(*rsa.PublicKey); !ok {
		return nil, fmt.Errorf("%w: key of type %T, clients take RSA only", ErrServerAuth, key.Public())
	}
	if len(a.ClientNonce) == 0 {
		return nil, fmt.Errorf("%w: no nonce of the client", ErrServerAuth)
	}
	if _, err := io.ReadFull(random, a.ServerNonce[:]); err != nil {
		return nil, fmt.Errorf("%w: reading random bytes: %w", ErrServerAuth, err)
	}
	signature, err = key.Sign(random, a.digest(), crypto.SHA384)
	if err != nil {
		return nil, fmt.Errorf("%w: signing: %w", ErrServerAuth, err)
	}
	return signature, nil
}

// Reply returns the members "cert", "nonce" and "signature" of the server's message. The certificate is the DER of the
// agent server certificate.
func (a *ServerAuth) Reply(certificate, signature []byte) (cert, nonce, sig string) {
	encode := base64.StdEncoding.EncodeToString
	return encode(certificate), encode(a.ServerNonce[:]), encode(signature)
}

// VerifyReply checks the members "cert", "nonce" and "signature" of the server's message: the certificate must have the key
// of the server that is expected, and that key must have signed. What else stands in the certificate does not count.
func (a *ServerAuth) VerifyReply(cert, nonce, signature string, expected nodeid.ServerID) error {
	if len(cert) > maxServerAuthCert || len(nonce) > maxServerAuthNonce || len(signature) > maxServerAuthCert {
		return fmt.Errorf("%w: reply is too long", ErrServerAuth)
	}
	der, err := base64.StdEncoding.DecodeString(cert)
	if err != nil {
		return fmt.Errorf("%w: certificate is not base64", ErrServerAuth)
	}
	serverNonce, err := base64.StdEncoding.DecodeString(nonce)
	if err != nil || len(serverNonce) != ServerNonceSize {
		return fmt.Errorf("%w: nonce is not %d bytes in base64", ErrServerAuth, ServerNonceSize)
	}
	sig, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return fmt.Errorf("%w: signature is not base64", ErrServerAuth)
	}
	a.ServerNonce = [ServerNonceSize]byte(serverNonce)
	return a.Verify(der, sig, expected)
}

// Verify checks a signature with the certificate's DER; see [ServerAuth.VerifyReply].
func (a *ServerAuth) Verify(certificate, signature []byte, expected nodeid.ServerID) error {
	if expected == (nodeid.ServerID{}) {
		return fmt.Errorf("%w: no server is expected", ErrServerAuth)
	}
	if len(a.ClientNonce) < ServerNonceSize {
		return fmt.Errorf("%w: nonce of %d bytes, too short to trust a signature", ErrServerAuth, len(a.ClientNonce))
	}
	id, err := nodeid.ServerIDFromCertificateDER(certificate)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrServerAuth, err)
	}
	if id != expected {
		return fmt.Errorf("%w: it is %v, not %v", ErrServerAuth, id, expected)
	}
	// The identifier is the hash of this very key, so the walk cannot fail after it has been made, but for other kinds.
	parts, err := derwalk.Parse(certificate)
	if err != nil || !parts.IsRSA() {
		return fmt.Errorf("%w: the certificate has no RSA key", ErrServerAuth)
	}
	key, err := x509.ParsePKCS1PublicKey(parts.PublicKey)
	if err != nil {
		return fmt.Errorf("%w: key in the certificate: %w", ErrServerAuth, err)
	}
	if n := key.N.BitLen(); n < serverAuthMinRSABits || n > serverAuthMaxRSABits {
		return fmt.Errorf("%w: RSA key of %d bits", ErrServerAuth, n)
	}
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA384, a.digest(), signature); err != nil {
		return fmt.Errorf("%w: signature does not verify", ErrServerAuth)
	}
	return nil
}
