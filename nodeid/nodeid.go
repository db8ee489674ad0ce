// Package nodeid has the identifiers of MeshCentral as values: devices, device groups and servers.
//
// Each is 48 bytes, comparable, and usable as a map key. A device is named by its public key ([FromPublicKey]), a
// server by the public key of its agent server certificate ([ServerIDFromPublicKey]), a device group by random bytes
// ([NewMeshID]). [NodeKey] and [MeshKey] join an identifier with the domain that it lives in, which is the form of the
// reference server's database and JSON: node/DOMAIN/ID and mesh/DOMAIN/ID.
//
// The text form is base64 with @ in place of + and $ in place of /, which makes exactly 64 characters of 48 bytes
// without padding. The Parse functions take every form that is in use, the ParseStrict functions only what String
// returns. PROTOCOL.md beside this file has the table of forms.
//
// The package needs nothing but the standard library. Formatting with the Append functions and parsing allocate nothing.
package nodeid

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
)

// Size is the number of bytes in an identifier: the length of a SHA-384 hash.
const Size = 48

// TextSize is the number of characters of an identifier in its text form.
const TextSize = 64

// NodeID names a device: the SHA-384 hash of its public key, see [FromPublicKey]. The zero value names nothing.
//
// Confirmed in meshagent.js, the handling of command 2.
type NodeID [Size]byte

// MeshID names a device group: 48 random bytes chosen when the group is made, or 32 bytes followed by 16 zero bytes for
// a group of the SHA-256 era, see [MeshID.Legacy]. The zero value names nothing.
//
// Confirmed in meshuser.js, action createmesh, and meshagent.js, the handling of command 3.
type MeshID [Size]byte

// ServerID names a server: the SHA-384 hash of the public key in its agent server certificate, see
// [ServerIDFromPublicKey]. Agents are told it in their .msh file and check it. The zero value names nothing.
//
// Confirmed in webserver.js, agentCertificateHashHex.
type ServerID [Size]byte

// encoding is base64 with the two characters changed that have a meaning in paths and URLs.
var encoding = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@$").
	WithPadding(base64.NoPadding)

// AppendTo appends the 64 characters of id to b.
func (id NodeID) AppendTo(b []byte) []byte { return encoding.AppendEncode(b, id[:]) }

// AppendTo appends the 64 characters of id to b; see [MeshID.String].
func (id MeshID) AppendTo(b []byte) []byte {
	if id.Legacy() {
		return hex.AppendEncode(b, id[:legacySize])
	}
	return encoding.AppendEncode(b, id[:])
}

// AppendTo appends the 64 characters of id to b.
func (id ServerID) AppendTo(b []byte) []byte { return encoding.AppendEncode(b, id[:]) }

// String returns the 64 characters of id, in base64 with @ and $.
func (id NodeID) String() string { return string(id.AppendTo(make([]byte, 0, TextSize))) }

// String returns the 64 characters of id, in base64 with @ and $. Those of a legacy id are 64 lower-case hexadecimal
// digits instead.
func (id MeshID) String() string { return string(id.AppendTo(make([]byte, 0, TextSize))) }

// String returns the 64 characters of id, in base64 with @ and $. A .msh file has the [ServerID.Hex] form, in upper case.
func (id ServerID) String() string { return string(id.AppendTo(make([]byte, 0, TextSize))) }

// AppendHex appends id as 96 lower-case hexadecimal digits to b.
func (id NodeID) AppendHex(b []byte) []byte { return hex.AppendEncode(b, id[:]) }

// AppendHex appends id to b as 96 lower-case hexadecimal digits, or 64 if it is a legacy id.
func (id MeshID) AppendHex(b []byte) []byte {
	if id.Legacy() {
		return hex.AppendEncode(b, id[:legacySize])
	}
	return hex.AppendEncode(b, id[:])
}

// AppendHex appends id as 96 lower-case hexadecimal digits to b.
func (id ServerID) AppendHex(b []byte) []byte { return hex.AppendEncode(b, id[:]) }

// Hex returns id as 96 lower-case hexadecimal digits.
func (id NodeID) Hex() string { return hex.EncodeToString(id[:]) }

// Hex returns id as 96 lower-case hexadecimal digits, or 64 if it is a legacy id.
func (id MeshID) Hex() string { return string(id.AppendHex(make([]byte, 0, 2*Size))) }

// Hex returns id as 96 lower-case hexadecimal digits. A .msh file has them in upper case.
func (id ServerID) Hex() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether id is the zero value.
func (id NodeID) IsZero() bool { return id == NodeID{} }

// IsZero reports whether id is the zero value.
func (id MeshID) IsZero() bool { return id == MeshID{} }

// IsZero reports whether id is the zero value.
func (id ServerID) IsZero() bool { return id == ServerID{} }

// Compare orders identifiers by their bytes, as [bytes.Compare] does.
func (id NodeID) Compare(other NodeID) int { return bytes.Compare(id[:], other[:]) }

// Compare orders identifiers by their bytes, as [bytes.Compare] does.
func (id MeshID) Compare(other MeshID) int { return bytes.Compare(id[:], other[:]) }

// Compare orders identifiers by their bytes, as [bytes.Compare] does.
func (id ServerID) Compare(other ServerID) int { return bytes.Compare(id[:], other[:]) }

// AppendText appends what [NodeID.AppendTo] appends. It implements [encoding.TextAppender].
func (id NodeID) AppendText(b []byte) ([]byte, error) { return id.AppendTo(b), nil }

// AppendText appends what [MeshID.AppendTo] appends. It implements [encoding.TextAppender].
func (id MeshID) AppendText(b []byte) ([]byte, error) { return id.AppendTo(b), nil }

// AppendText appends what [ServerID.AppendTo] appends. It implements [encoding.TextAppender].
func (id ServerID) AppendText(b []byte) ([]byte, error) { return id.AppendTo(b), nil }

// MarshalText returns what String returns.
func (id NodeID) MarshalText() ([]byte, error) { return id.AppendTo(nil), nil }

// MarshalText returns what String returns.
func (id MeshID) MarshalText() ([]byte, error) { return id.AppendTo(nil), nil }

// MarshalText returns what String returns.
func (id ServerID) MarshalText() ([]byte, error) { return id.AppendTo(nil), nil }

// UnmarshalText takes what [ParseNodeID] takes.
func (id *NodeID) UnmarshalText(b []byte) error { return unmarshal(id, b, ParseNodeID) }

// UnmarshalText takes what [ParseMeshID] takes.
func (id *MeshID) UnmarshalText(b []byte) error { return unmarshal(id, b, ParseMeshID) }

// UnmarshalText takes what [ParseServerID] takes.
func (id *ServerID) UnmarshalText(b []byte) error { return unmarshal(id, b, ParseServerID) }

// unmarshal leaves *v alone when the text is refused.
func unmarshal[T any](v *T, b []byte, parse func(string) (T, error)) error {
	parsed, err := parse(string(b))
	if err == nil {
		*v = parsed
	}
	return err
}
