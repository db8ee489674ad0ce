package nodeid

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// legacySize is the number of bytes in the identifier of a device group of the SHA-256 era.
const legacySize = 32

// NewMeshID returns the identifier for a new device group, made of 48 bytes read from random. A nil random is
// crypto/rand.
func NewMeshID(random io.Reader) (MeshID, error) {
	if random == nil {
		random = rand.Reader
	}
	var id MeshID
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return MeshID{}, fmt.Errorf("nodeid: reading random bytes for a group id: %w", err)
	}
	// A new id with a second reading can only come from a source that is not random.
	if id.Legacy() || id.Canonical() != id {
		return MeshID{}, errors.New("nodeid: the random source is broken")
	}
	return id, nil
}

// Legacy reports whether id is a 32-byte identifier of the SHA-256 era, which is to say that its last 16 bytes are
// zero. The zero value counts as one, because the reference server takes it for one.
//
// Confirmed in meshagent.js, the handling of command 3 ("Older HEX MeshID").
func (id MeshID) Legacy() bool {
	return [Size - legacySize]byte(id[legacySize:]) == [Size - legacySize]byte{}
}

// Canonical returns the value that is equal for every spelling of the same group.
//
// The reference server knows a group by its text, and a legacy group by 64 hexadecimal digits. These digits also are
// valid base64 of 48 bytes, and the reference server does read them so when it writes the MeshID of a .msh file: an agent
// set up with that file sends 48 other bytes, which the server encodes to the same text again. Canonical turns such
// bytes into the 32-byte form and leaves every other value alone. The functions of this package that return a MeshID
// have applied it already; it is needed where 48 bytes were copied into a MeshID.
//
// Confirmed in webserver.js, getMshFromRequest, and meshagent.js, the handling of command 3.
func (id MeshID) Canonical() MeshID {
	if id.Legacy() {
		return id
	}
	var text [TextSize]byte
	encoding.Encode(text[:], id[:])
	if !isLowerHex(text[:]) {
		return id
	}
	var legacy MeshID
	_, _ = hex.Decode(legacy[:legacySize], text[:]) // cannot fail: only hexadecimal digits
	return legacy
}

// MeshIDFromBytes returns the identifier in b, which has 48 bytes or the 32 of a legacy id. The result is
// [MeshID.Canonical].
func MeshIDFromBytes(b []byte) (MeshID, error) {
	if len(b) != Size && len(b) != legacySize {
		return MeshID{}, fmt.Errorf("%w: a group id of %d bytes, want %d or %d", ErrSyntax, len(b), Size, legacySize)
	}
	var id MeshID
	copy(id[:], b)
	return id.Canonical(), nil
}

func isLowerHex[T string | []byte](s T) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
