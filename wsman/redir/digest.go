package redir

import (
	"crypto/md5" //nolint:gosec // the digest of RFC 2617 as AMT has it
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// authURI is what all digests of the redirection protocol are for.
const authURI = "/RedirectionService"

// response is what proves the knowledge of the password: the digest of RFC 2617 with method POST.
func response(password Secret, d *DigestResponse) string {
	ha1 := md5hex(d.Username, d.Realm, password.Reveal())
	ha2 := md5hex("POST", d.URI)
	return md5hex(ha1, d.Nonce, d.NC, d.CNonce, d.QOP, ha2)
}

func md5hex(parts ...string) string {
	sum := md5.Sum([]byte(strings.Join(parts, ":")))
	return hex.EncodeToString(sum[:])
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
	d.Response = response(c.Password, d)
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
