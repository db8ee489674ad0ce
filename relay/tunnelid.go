package relay

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ID names a tunnel: both ends give it to the server. Whoever knows one that is waiting and has a cookie of its user can
// take the other end, so an id is half a secret and no log of this package shows it.
//
// Stock browsers make about 11 lower-case characters with Math.random, meshctrl.js 12 hexadecimal digits, and the stock
// server 12 characters of base64. Nobody checks any of that, and so ids are opaque here.
type ID string

const (
	// maxID bounds ids; those of messengers name two parties and are longer.
	maxID          = 128
	maxMessengerID = 512
	// idBytes of randomness make an id that cannot be guessed.
	idBytes = 16
)

// messengerPrefix starts the id of a chat: two browsers meet, and no device's agent.
const messengerPrefix = "meshmessenger/"

// ErrID is an id that no tunnel has.
var ErrID = errors.New("relay: bad tunnel id")

// NewID makes an id of 128 random bits.
func NewID() ID {
	var b [idBytes]byte
	rand.Read(b[:]) // never fails
	return ID(hex.EncodeToString(b[:]))
}

// ParseID checks the id of a peer: what the stock clients make, and any other text of the characters of their ids.
func ParseID(s string) (ID, error) {
	id, most := ID(s), maxID
	if id.Messenger() {
		most = maxMessengerID
	}
	if s == "" || len(s) > most {
		return "", fmt.Errorf("%w: %d bytes long", ErrID, len(s))
	}
	if id.Messenger() {
		if _, _, err := id.Parties(); err != nil {
			return "", err
		}
		return id, nil
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("@$-_.=+~", c) >= 0) {
			return "", fmt.Errorf("%w: %.64q", ErrID, s)
		}
	}
	return id, nil
}

// Messenger says whether the tunnel is a chat.
func (id ID) Messenger() bool { return strings.HasPrefix(string(id), messengerPrefix) }

// Parties returns the two parties of a chat, each user/DOMAIN/NAME or node/DOMAIN/ID.
//
// Confirmed in meshrelay.js, CreateMeshRelayEx ("meshmessenger/").
func (id ID) Parties() (a, b string, err error) {
	parts := strings.Split(string(id), "/")
	if !id.Messenger() || len(parts) != 7 {
		return "", "", fmt.Errorf("%w: no chat of two parties", ErrID)
	}
	for _, p := range [][]string{parts[1:4], parts[4:7]} {
		bad := strings.ContainsFunc(p[1]+p[2], func(r rune) bool { return r < ' ' || r == 0x7F || r == 0xFFFD })
		if p[0] != "user" && p[0] != "node" || p[2] == "" || bad {
			return "", "", fmt.Errorf("%w: no chat of two parties", ErrID)
		}
	}
	return strings.Join(parts[1:4], "/"), strings.Join(parts[4:7], "/"), nil
}
