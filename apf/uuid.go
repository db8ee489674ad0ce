package apf

import (
	"encoding/hex"
	"fmt"
)

// UUID is the system UUID of a device, its bytes in the order of the text form.
type UUID [16]byte

// wireOrder says which byte of the text form is at each place of the wire form: Microsoft's GUID, whose first three groups
// are little-endian. The permutation is its own inverse.
var wireOrder = [16]uint8{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15}

// appendWire appends the UUID in the order of the wire.
func (u UUID) appendWire(b []byte) []byte {
	for _, from := range wireOrder {
		b = append(b, u[from])
	}
	return b
}

// uuidFromWire reads the 16 bytes at the start of b.
func uuidFromWire(b []byte) (u UUID) {
	for i, from := range wireOrder {
		u[from] = b[i]
	}
	return u
}

// ParseUUID reads the text form, in either case.
func ParseUUID(s string) (u UUID, err error) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return UUID{}, fmt.Errorf("apf: %.40q is no UUID", s)
	}
	digits := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	if _, err := hex.Decode(u[:], []byte(digits)); err != nil {
		return UUID{}, fmt.Errorf("apf: %.40q is no UUID", s)
	}
	return u, nil
}

// AppendText appends the text form in lower case. The error is always nil.
func (u UUID) AppendText(b []byte) ([]byte, error) {
	for i, part := range [...][]byte{u[:4], u[4:6], u[6:8], u[8:10], u[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return b, nil
}

// MarshalText is the text form.
func (u UUID) MarshalText() ([]byte, error) { return u.AppendText(nil) }

// UnmarshalText reads the text form.
func (u *UUID) UnmarshalText(b []byte) (err error) {
	*u, err = ParseUUID(string(b))
	return err
}

// String returns the text form in lower case.
func (u UUID) String() string {
	b, _ := u.AppendText(make([]byte, 0, 36))
	return string(b)
}
