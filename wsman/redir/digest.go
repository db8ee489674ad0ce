package redir

import (
	"crypto/rand"
	"encoding/hex"

	"github.com/meshcentral-go/sdk/wsman/digest"
)

// authURI is what all digests of the redirection protocol are for.
const authURI = "/RedirectionService"

// response is what proves the knowledge of the password: the digest of RFC 2617 with method POST.
func response(cred *digest.Credentials, d *DigestResponse) string {
	a := digest.Authorization{
		Username: d.Username, Realm: d.Realm, Nonce: d.Nonce, URI: d.URI, CNonce: d.CNonce, NC: d.NC, QOP: digest.Auth,
	}
	return a.Sum(cred, "POST", nil)
}

// answer makes the response to a challenge.
func answer(c Credentials, challenge *DigestChallenge, cnonce, nc string) (*DigestResponse, error) {
	if c.Realm != "" && c.Realm != challenge.Realm {
		return nil, ErrRealm
	}
	if challenge.QOP != "auth" {
		return nil, protocolError("quality of protection %.64q", challenge.QOP)
	}
	d := &DigestResponse{
		Username: c.Username, Realm: challenge.Realm, Nonce: challenge.Nonce, URI: authURI,
		CNonce: cnonce, NC: nc, QOP: challenge.QOP,
	}
	d.Response = response(&digest.Credentials{Username: c.Username, Password: c.Password}, d)
	return d, nil
}

// randomHex returns n random bytes in hexadecimal.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// appendDigest appends an AuthRequest or an error if a field is too long.
func appendDigest(b []byte, d *DigestResponse) ([]byte, error) {
	data, err := d.Append(nil)
	if err != nil {
		return b, err
	}
	return AuthRequest{Type: AuthDigest, Data: data}.Append(b), nil
}
