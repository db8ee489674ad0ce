package redir

import (
	"fmt"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// DigestResponse is the data of an AuthRequest of type digest: eight fields, each with a length byte. With the user and the
// URI alone it asks for a challenge.
//
//	user, realm, nonce, uri, cnonce, nc, response, qop
//
// Confirmed in amt-redir-mesh.js, xxOnSocketData.
type DigestResponse struct {
	Username, Realm, Nonce, URI, CNonce, NC, Response, QOP string
}

func (d *DigestResponse) fields() [8]*string {
	return [8]*string{&d.Username, &d.Realm, &d.Nonce, &d.URI, &d.CNonce, &d.NC, &d.Response, &d.QOP}
}

// Append appends the fields to b, or fails if one is longer than its length byte can say.
func (d DigestResponse) Append(b []byte) ([]byte, error) {
	fields := d.fields()
	return appendFields(b, fields[:])
}

// Parse reads the fields.
func (d *DigestResponse) Parse(b []byte) error {
	fields := d.fields()
	return parseFields(b, fields[:])
}

// String leaves the response out: with it, passwords can be guessed.
func (d DigestResponse) String() string {
	return fmt.Sprintf("digest of %.64q for realm %.64q", d.Username, d.Realm)
}

// GoString is what %#v prints.
func (d DigestResponse) GoString() string { return "redir.DigestResponse{" + d.String() + "}" }

// Format makes every verb print the redacted form.
func (d DigestResponse) Format(f fmt.State, verb rune) {
	secret.Format(f, verb, d.String(), d.GoString())
}

// MarshalText is what encoding/json and log/slog print.
func (d DigestResponse) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// DigestChallenge is the data of an AuthReply of type digest and status failure: three fields, each with a length byte.
//
//	realm, nonce, qop
//
// Confirmed in amt-redir-mesh.js, xxOnSocketData.
type DigestChallenge struct {
	Realm, Nonce, QOP string
}

func (d *DigestChallenge) fields() [3]*string { return [3]*string{&d.Realm, &d.Nonce, &d.QOP} }

// Append appends the fields to b, or fails if one is longer than its length byte can say.
func (d DigestChallenge) Append(b []byte) ([]byte, error) {
	fields := d.fields()
	return appendFields(b, fields[:])
}

// Parse reads the fields.
func (d *DigestChallenge) Parse(b []byte) error {
	fields := d.fields()
	return parseFields(b, fields[:])
}

func appendFields(b []byte, fields []*string) ([]byte, error) {
	for i, f := range fields {
		if len(*f) > 255 {
			return b, fmt.Errorf("%w: field %d of the digest has %d bytes", ErrTooLarge, i, len(*f))
		}
		b = append(b, byte(len(*f)))
		b = append(b, *f...)
	}
	return b, nil
}

func parseFields(b []byte, fields []*string) error {
	for i, f := range fields {
		if len(b) == 0 || int(b[0]) > len(b)-1 {
			return protocolError("field %d of the digest is cut", i)
		}
		n := int(b[0])
		*f = string(b[1 : 1+n])
		b = b[1+n:]
	}
	if len(b) > 0 {
		return protocolError("%d bytes after the digest", len(b))
	}
	return nil
}
