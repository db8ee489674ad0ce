package nodeid

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ErrSyntax is what every error of the Parse and UnmarshalText functions wraps.
var ErrSyntax = errors.New("nodeid: invalid identifier")

// ParseNodeID takes a device identifier in any form in use: the 64 characters that [NodeID.String] returns, 96
// hexadecimal digits in either case with or without 0x, or either of these after node/DOMAIN/. The domain is checked
// and dropped; use [ParseNodeKey] to keep it. Percent-encoded text is refused: decode URLs first.
func ParseNodeID(s string) (NodeID, error) {
	id, err := bareID(s, nodePrefix)
	if err != nil {
		return NodeID{}, err
	}
	raw, err := parse48(id, "device")
	return NodeID(raw), err
}

// ParseMeshID takes a device group identifier in any form in use: the 64 characters that [MeshID.String] returns, 96
// hexadecimal digits in either case with or without 0x, 64 of them with 0x, or any of these after mesh/DOMAIN/. The
// domain is checked and dropped; use [ParseMeshKey] to keep it. Percent-encoded text is refused: decode URLs first.
//
// Text of 64 hexadecimal digits without 0x has two readings. The reference server knows a legacy group by lower-case
// digits, so lower-case digits are the 32 bytes of a legacy id; with one upper-case letter among them they are base64,
// like any other 64 characters. The result is [MeshID.Canonical].
func ParseMeshID(s string) (MeshID, error) {
	id, err := bareID(s, meshPrefix)
	if err != nil {
		return MeshID{}, err
	}
	return parseMesh(id)
}

func parseMesh(s string) (MeshID, error) {
	if digits, found := cutHexPrefix(s); len(digits) == 2*legacySize && (found || isLowerHex(digits)) {
		var id MeshID
		if !decodeHex(id[:legacySize], digits) {
			return MeshID{}, syntaxError("group", s, "not hexadecimal")
		}
		return id, nil
	}
	raw, err := parse48(s, "group")
	return MeshID(raw).Canonical(), err
}

// ParseServerID takes a server identifier in any form in use: the 64 characters that [ServerID.String] returns, or 96
// hexadecimal digits in either case with or without 0x.
func ParseServerID(s string) (ServerID, error) {
	raw, err := parse48(s, "server")
	return ServerID(raw), err
}

// ParseStrictNodeID takes exactly what [NodeID.String] returns.
func ParseStrictNodeID(s string) (NodeID, error) {
	raw, err := parseText(s, "device")
	return NodeID(raw), err
}

// ParseStrictMeshID takes exactly what [MeshID.String] returns; see [ParseMeshID] for how a legacy id is told.
func ParseStrictMeshID(s string) (MeshID, error) {
	if len(s) == TextSize && isLowerHex(s) {
		return parseMesh(s)
	}
	raw, err := parseText(s, "group")
	if err == nil && MeshID(raw).Legacy() {
		// The base64 of a legacy id, whose text is hexadecimal.
		return MeshID{}, syntaxError("group", s, "not the canonical form")
	}
	return MeshID(raw), err
}

// ParseStrictServerID takes exactly what [ServerID.String] returns.
func ParseStrictServerID(s string) (ServerID, error) {
	raw, err := parseText(s, "server")
	return ServerID(raw), err
}

// parse48 takes 64 characters of base64 or 96 hexadecimal digits with or without 0x.
func parse48(s, kind string) (raw [Size]byte, err error) {
	digits, found := cutHexPrefix(s)
	if !found && len(s) != 2*Size {
		return parseText(s, kind)
	}
	if len(digits) != 2*Size {
		return raw, syntaxError(kind, s, "wrong length")
	}
	if !decodeHex(raw[:], digits) {
		return [Size]byte{}, syntaxError(kind, s, "not hexadecimal")
	}
	return raw, nil
}

func parseText(s, kind string) (raw [Size]byte, err error) {
	if len(s) != TextSize {
		return raw, syntaxError(kind, s, "wrong length")
	}
	var text [TextSize]byte
	copy(text[:], s)
	// The decoder skips line ends; what is then too short is refused with the rest.
	if n, err := encoding.Decode(raw[:], text[:]); err != nil || n != Size {
		return [Size]byte{}, syntaxError(kind, s, "not base64 with @ and $")
	}
	return raw, nil
}

// cutHexPrefix cuts 0x from s. 64 characters of base64 may begin with 0x as well, so those are left whole: what 0x
// announces is 64 or 96 digits more.
func cutHexPrefix(s string) (digits string, found bool) {
	if len(s) > TextSize && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		return s[2:], true
	}
	return s, false
}

// decodeHex fills dst from twice as many digits.
func decodeHex(dst []byte, digits string) bool {
	var text [2 * Size]byte
	n := copy(text[:], digits)
	_, err := hex.Decode(dst, text[:n])
	return err == nil
}

// quoted is the most of refused text that an error repeats.
const quoted = 80

func syntaxError(kind, s, why string) error {
	tail := ""
	if len(s) > quoted {
		// The clone keeps a small error from holding a big message.
		s, tail = strings.Clone(s[:quoted]), "..."
	}
	return fmt.Errorf("%w: %s %q%s: %s", ErrSyntax, kind, s, tail, why)
}
