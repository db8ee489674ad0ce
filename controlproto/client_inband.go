package controlproto

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/meshcentral-go/sdk/nodeid"
)

// inBandHello is the client's half of {"action":"serverAuth"}: a nonce in base64 and the SHA-384 of the TLS certificate that it
// saw, in hexadecimal digits. (webserver.js, PerformWSSessionInternalAuth)
type inBandHello struct {
	Nonce []byte `json:"cnonce"`
	Hash  string `json:"tlshash"`
}

// Action is "serverAuth".
func (*inBandHello) Action() string { return "serverAuth" }

// inBandProof is the server's half: the certificate of the agent server, its nonce, and the signature over the client's
// nonce, the hash, and the server's nonce (RSASSA-PKCS1-v1_5 with SHA-384).
type inBandProof struct {
	Certificate []byte `json:"cert"`
	Nonce       []byte `json:"nonce"`
	Signature   []byte `json:"signature"`
}

// Action is "serverAuth".
func (*inBandProof) Action() string { return "serverAuth" }

// inBandLogin is {"action":"userAuth"}: name and password in base64, the second factor as it is.
type inBandLogin struct {
	User     string `json:"username"`
	Password Secret `json:"password"`
	Token    Secret `json:"token"`
}

// Action is "userAuth".
func (*inBandLogin) Action() string { return "userAuth" }

// exchange verifies the server and then gives it the password.
func (l *InBandLogin) exchange(ctx context.Context, link *clientLink, certificate []byte) error {
	if certificate == nil {
		return errors.New("in-band login without a TLS certificate to bind it to")
	}
	hello := inBandHello{Nonce: make([]byte, 48)}
	_, _ = rand.Read(hello.Nonce) // never fails
	hash := sha512.Sum384(certificate)
	hello.Hash = hex.EncodeToString(hash[:])
	if err := link.write(ctx, &hello); err != nil {
		return err
	}
	e, _, err := link.readLogin(ctx)
	if err != nil {
		return err
	}
	if e.Action != hello.Action() {
		return fmt.Errorf("%w: %.32q in place of its proof", ErrServerIdentity, e.Action)
	}
	var proof inBandProof
	if err := e.Decode(&proof); err != nil {
		return err
	}
	if err := proof.verify(l.ServerID, hello.Nonce, hash[:]); err != nil {
		return err
	}
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	return link.write(ctx, &inBandLogin{User: encode(l.User), Password: NewSecret(encode(l.Password.Reveal())), Token: l.Token})
}

// verify checks that the server has the key that its id names, and that the connection ends at it.
func (p *inBandProof) verify(want nodeid.ServerID, clientNonce, hash []byte) error {
	cert, err := x509.ParseCertificate(p.Certificate)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrServerIdentity, err)
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok || key.Size() > 1024 {
		return fmt.Errorf("%w: its key is not RSA, or too large", ErrServerIdentity)
	}
	id, err := nodeid.ServerIDFromPublicKey(key)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrServerIdentity, err)
	}
	if id != want {
		return fmt.Errorf("%w: it is %v, not %v", ErrServerIdentity, id, want)
	}
	h := sha512.New384()
	h.Write(clientNonce)
	h.Write(hash)
	h.Write(p.Nonce)
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA384, h.Sum(nil), p.Signature); err != nil {
		return fmt.Errorf("%w: %w", ErrServerIdentity, err)
	}
	return nil
}
