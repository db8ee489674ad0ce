package mps

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/x509"
	"errors"

	"github.com/meshcentral-go/sdk/internal/secret"
	"github.com/meshcentral-go/sdk/nodeid"
)

// Secret is text that no log shows: a password.
type Secret = secret.Text

// NewSecret wraps text.
func NewSecret(text string) Secret { return secret.New(text) }

// TunnelUser is the user name of agents that pass their machine's AMT on by themselves. The password is a cookie that the
// server gave the agent a moment before.
//
// Confirmed in mpsserver.js, the handling of USERAUTH_REQUEST, and meshagent.js, case 'amtconfig'.
const TunnelUser = "**MeshAgentApfTunnel**"

// GroupUserSize is the length of the user names that name a device group.
const GroupUserSize = 16

// GroupUser returns the user name that devices of a group are configured with: the first 16 characters of the group's id,
// in which AMT takes neither '@' nor '$'.
//
// Confirmed in amtmanager.js, the MPS server that is added.
func GroupUser(group nodeid.MeshID) string {
	var text [nodeid.TextSize]byte
	name := group.AppendTo(text[:0])[:GroupUserSize]
	foldUser(name)
	return string(name)
}

// MatchesGroup says whether a user name is that of a device group: the first 16 characters of its id, in which '@', '$' and
// 'X' are the same. Whoever knows such a name can claim to be any device of the group.
//
// Confirmed in mpsserver.js, the handling of USERAUTH_REQUEST.
func MatchesGroup(user string, group nodeid.MeshID) bool {
	if len(user) != GroupUserSize {
		return false
	}
	name := []byte(user)
	foldUser(name)
	return string(name) == GroupUser(group)
}

func foldUser(name []byte) {
	for i, c := range name {
		if c == '@' || c == '$' {
			name[i] = 'X'
		}
	}
}

// ErrCertificate is what errors about client certificates wrap that name no device or no group.
var ErrCertificate = errors.New("mps: the client certificate")

// CertificateGroup returns the device group that a client certificate names: the 64 characters of its id are the
// certificate's organisation.
//
// Confirmed in mpsserver.js, onConnection.
func CertificateGroup(cert *x509.Certificate) (nodeid.MeshID, error) {
	for _, o := range cert.Subject.Organization {
		if len(o) == nodeid.TextSize {
			return nodeid.ParseMeshID(o)
		}
	}
	return nodeid.MeshID{}, wrap(ErrCertificate, "has no device group as organisation")
}

// CertificateNodeID returns the identifier of the device with a client certificate. It is not that of an agent with the
// same key: it is the SHA-384 hash of the modulus as text, each byte a character from U+0000 to U+00FF in UTF-8.
// Certificates with another key than RSA are refused; stock servers give all of them the same identifier.
//
// Confirmed in mpsserver.js, onConnection.
func CertificateNodeID(cert *x509.Certificate) (nodeid.NodeID, error) {
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nodeid.NodeID{}, wrap(ErrCertificate, "has no RSA key")
	}
	return modulusNodeID(key.N.Bytes()), nil
}

func modulusNodeID(modulus []byte) nodeid.NodeID {
	text := make([]byte, 0, 2*len(modulus))
	for _, b := range modulus {
		if b < 0x80 {
			text = append(text, b)
		} else {
			text = append(text, 0xc0|b>>6, 0x80|b&0x3f)
		}
	}
	return sha512.Sum384(text)
}

// PasswordIs compares the password of a login in constant time, whatever the lengths. It is false for a login without one, and
// if want is empty: a password that was not set lets nobody in.
func (l *Login) PasswordIs(want Secret) bool {
	a, b := sha256.Sum256([]byte(l.Password.Reveal())), sha256.Sum256([]byte(want.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && l.Method == methodPassword && want.Reveal() != ""
}

// methodPassword is the name of the only method of APF that proves something.
const methodPassword = "password"
