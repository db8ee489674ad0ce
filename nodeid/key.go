package nodeid

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxDomain is the longest domain name, in bytes. It is what the reference server has room for: it refuses a group key
// of more than 134 characters, 70 of which are mesh/, the slash and the 64 characters.
//
// Confirmed in meshuser.js, validateString(command.meshid, 8, 134).
const MaxDomain = 64

const (
	nodePrefix = "node/"
	meshPrefix = "mesh/"
)

// NodeKey is a device in its domain: node/DOMAIN/ID. The default domain has the empty name.
type NodeKey struct {
	Domain string
	ID     NodeID
}

// MeshKey is a device group in its domain: mesh/DOMAIN/ID. The default domain has the empty name.
type MeshKey struct {
	Domain string
	ID     MeshID
}

// ParseNodeKey takes exactly what [NodeKey.String] returns, with a domain that [CheckDomain] takes. The Domain of the
// result is a part of s.
func ParseNodeKey(s string) (NodeKey, error) {
	id, domain, err := splitKey(s, nodePrefix)
	if err != nil {
		return NodeKey{}, err
	}
	node, err := ParseStrictNodeID(id)
	if err != nil {
		return NodeKey{}, err
	}
	return NodeKey{Domain: domain, ID: node}, nil
}

// ParseMeshKey takes exactly what [MeshKey.String] returns, with a domain that [CheckDomain] takes. The Domain of the
// result is a part of s.
func ParseMeshKey(s string) (MeshKey, error) {
	id, domain, err := splitKey(s, meshPrefix)
	if err != nil {
		return MeshKey{}, err
	}
	mesh, err := ParseStrictMeshID(id)
	if err != nil {
		return MeshKey{}, err
	}
	return MeshKey{Domain: domain, ID: mesh}, nil
}

// AppendTo appends node/DOMAIN/ID to b.
func (k NodeKey) AppendTo(b []byte) []byte {
	return k.ID.AppendTo(appendPrefix(b, nodePrefix, k.Domain))
}

// AppendTo appends mesh/DOMAIN/ID to b.
func (k MeshKey) AppendTo(b []byte) []byte {
	return k.ID.AppendTo(appendPrefix(b, meshPrefix, k.Domain))
}

func appendPrefix(b []byte, prefix, domain string) []byte {
	b = append(b, prefix...)
	b = append(b, domain...)
	return append(b, '/')
}

// String returns node/DOMAIN/ID.
func (k NodeKey) String() string {
	var buf [maxKeySize]byte
	return string(k.AppendTo(buf[:0]))
}

// String returns mesh/DOMAIN/ID.
func (k MeshKey) String() string {
	var buf [maxKeySize]byte
	return string(k.AppendTo(buf[:0]))
}

// maxKeySize is the length of a key with the longest domain.
const maxKeySize = len(nodePrefix) + MaxDomain + 1 + TextSize

// IsZero reports whether k is the zero value.
func (k NodeKey) IsZero() bool { return k == NodeKey{} }

// IsZero reports whether k is the zero value.
func (k MeshKey) IsZero() bool { return k == MeshKey{} }

// AppendText appends what [NodeKey.AppendTo] appends. It implements [encoding.TextAppender].
func (k NodeKey) AppendText(b []byte) ([]byte, error) { return k.AppendTo(b), nil }

// AppendText appends what [MeshKey.AppendTo] appends. It implements [encoding.TextAppender].
func (k MeshKey) AppendText(b []byte) ([]byte, error) { return k.AppendTo(b), nil }

// MarshalText returns what String returns.
func (k NodeKey) MarshalText() ([]byte, error) { return k.AppendTo(nil), nil }

// MarshalText returns what String returns.
func (k MeshKey) MarshalText() ([]byte, error) { return k.AppendTo(nil), nil }

// UnmarshalText takes what [ParseNodeKey] takes.
func (k *NodeKey) UnmarshalText(b []byte) error { return unmarshal(k, b, ParseNodeKey) }

// UnmarshalText takes what [ParseMeshKey] takes.
func (k *MeshKey) UnmarshalText(b []byte) error { return unmarshal(k, b, ParseMeshKey) }

// CheckDomain reports why name cannot be a domain: too long, not UTF-8, or with characters that a domain cannot have
// where it is a part of keys and of URL paths. The empty name is the default domain's.
//
// The reference server itself only refuses blanks and slashes (meshcentral.js, getConfig). In a key that came from a
// peer, control characters, markup and URL syntax are as unwelcome.
func CheckDomain(name string) error {
	if len(name) > MaxDomain {
		return syntaxError("domain", name, "longer than 64 bytes")
	}
	if !utf8.ValidString(name) {
		return syntaxError("domain", name, "not UTF-8")
	}
	for _, r := range name {
		if unicode.IsSpace(r) || !unicode.IsGraphic(r) || strings.ContainsRune(`/\?#%"<>`, r) {
			return fmt.Errorf("%w: domain %q: character %q", ErrSyntax, name, r)
		}
	}
	return nil
}

// bareID cuts the prefix and the domain off, if s has them. What has another prefix still has its slashes in id, which
// no identifier has.
func bareID(s, prefix string) (id string, err error) {
	if !strings.HasPrefix(s, prefix) {
		return s, nil
	}
	id, _, err = splitKey(s, prefix)
	return id, err
}

func splitKey(s, prefix string) (id, domain string, err error) {
	kind := prefix[:len(prefix)-1]
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return "", "", syntaxError(kind, s, "does not begin with "+prefix)
	}
	domain, id, ok = strings.Cut(rest, "/")
	if !ok {
		return "", "", syntaxError(kind, s, "not of the form "+prefix+"DOMAIN/ID")
	}
	return id, domain, CheckDomain(domain)
}
