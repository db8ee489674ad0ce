package nodeid

import "encoding/hex"

// UUID is the system UUID of an Intel AMT device, in the order of its text form.
type UUID [16]byte

// FromUUID returns the identifier of a device that has only Intel AMT and no agent: the 16 bytes of its UUID, in text
// order, three times.
//
// Such an identifier is claimed, not proved: whoever knows a UUID can name it. Do not take it for the hash of a key.
//
// Confirmed in mpsserver.js, the handling of USERAUTH_REQUEST.
func FromUUID(u UUID) NodeID {
	var id NodeID
	for part := id[:]; len(part) > 0; part = part[len(u):] {
		copy(part, u[:])
	}
	return id
}

// UUID returns the UUID that id was made from with [FromUUID], and whether it was. The hash of a key has this form
// by chance only once in 2^256.
func (id NodeID) UUID() (UUID, bool) {
	u := UUID(id[:16])
	if u == (UUID{}) || FromUUID(u) != id {
		return UUID{}, false
	}
	return u, true
}

// UUIDFromGUID returns the UUID whose bytes on the wire are b. APF messages carry it as a Microsoft GUID, with the first
// three groups in little-endian order.
func UUIDFromGUID(b [16]byte) UUID { return UUID(swapGUID(b)) }

// GUID returns the bytes of u on the wire of an APF connection; see [UUIDFromGUID].
func (u UUID) GUID() [16]byte { return swapGUID(u) }

func swapGUID(b [16]byte) [16]byte {
	return [16]byte{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]}
}

// ParseUUID takes the 36 characters of the form 00112233-4455-6677-8899-aabbccddeeff, in either case.
func ParseUUID(s string) (UUID, error) {
	const size = 36
	if len(s) != size || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return UUID{}, syntaxError("UUID", s, "not of the form 8-4-4-4-12")
	}
	var digits [32]byte
	n := copy(digits[:], s[:8])
	n += copy(digits[n:], s[9:13])
	n += copy(digits[n:], s[14:18])
	n += copy(digits[n:], s[19:23])
	copy(digits[n:], s[24:])
	var u UUID
	if _, err := hex.Decode(u[:], digits[:]); err != nil {
		return UUID{}, syntaxError("UUID", s, "not hexadecimal")
	}
	return u, nil
}

// AppendTo appends the 36 characters of u to b, in lower case.
func (u UUID) AppendTo(b []byte) []byte {
	b = hex.AppendEncode(b, u[:4])
	for _, group := range [...][]byte{u[4:6], u[6:8], u[8:10], u[10:]} {
		b = append(b, '-')
		b = hex.AppendEncode(b, group)
	}
	return b
}

// String returns the 36 characters of u, in lower case.
func (u UUID) String() string { return string(u.AppendTo(make([]byte, 0, 36))) }

// MarshalText returns what String returns.
func (u UUID) MarshalText() ([]byte, error) { return u.AppendTo(nil), nil }

// UnmarshalText takes what [ParseUUID] takes.
func (u *UUID) UnmarshalText(b []byte) error { return unmarshal(u, b, ParseUUID) }
