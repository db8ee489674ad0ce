package controlproto

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// CookieKeySize is the number of bytes of a [CookieKey].
const CookieKeySize = 80

// ErrCookieKey is a cookie key that is missing or does not have its form.
var ErrCookieKey = errors.New("controlproto: cookie key")

// CookieKey is a key under which a server encrypts cookies: 80 bytes, written as 160 hexadecimal digits. Servers have two of
// them, one for logins (`meshcentral --loginTokenKey` prints it, the setting loginCookieEncryptionKey sets it) and one for
// invitation and sharing links.
//
// Who has the login key can log in as anybody: cookies made with it bypass passwords, second factors and locks, and can
// not be revoked one by one. It is to be guarded like a root password; every form of printing gives "[redacted]".
//
// Of the 80 bytes, 0 to 31 are the key of the normal form of cookies; the other form uses 0 to 47 and 48 to 79.
// Confirmed in meshcentral.js, generateCookieKey.
type CookieKey struct {
	// A function, so that package fmt does not find the bytes where it cannot call methods, not even for a wrong verb.
	// It also makes keys not comparable: use Equal.
	key func() *cookieKey
}

type cookieKey struct {
	bytes [CookieKeySize]byte
	gcm   cipher.AEAD
	cbc   cipher.Block
}

// ParseCookieKey reads 160 hexadecimal digits. Blanks and line ends are skipped, as meshctrl does in key files.
func ParseCookieKey(text string) (CookieKey, error) {
	var raw [CookieKeySize]byte
	// The errors quote nothing: a key with one digit mistyped is nearly the key.
	n := 0
	for i := range len(text) {
		var digit byte
		switch c := text[i]; {
		case '0' <= c && c <= '9':
			digit = c - '0'
		case 'a' <= c && c <= 'f':
			digit = c - 'a' + 10
		case 'A' <= c && c <= 'F':
			digit = c - 'A' + 10
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			continue
		default:
			return CookieKey{}, fmt.Errorf("%w: character %d is no hexadecimal digit", ErrCookieKey, i+1)
		}
		if n >= 2*CookieKeySize {
			return CookieKey{}, fmt.Errorf("%w: more than %d digits", ErrCookieKey, 2*CookieKeySize)
		}
		raw[n/2] = raw[n/2]<<4 | digit
		n++
	}
	if n != 2*CookieKeySize {
		return CookieKey{}, fmt.Errorf("%w: %d digits, %d are needed", ErrCookieKey, n, 2*CookieKeySize)
	}
	return NewCookieKey(bytes.NewReader(raw[:]))
}

// NewCookieKey makes a key of the next 80 bytes of random; nil means crypto/rand.
func NewCookieKey(random io.Reader) (CookieKey, error) {
	if random == nil {
		random = rand.Reader
	}
	k := new(cookieKey)
	if _, err := io.ReadFull(random, k.bytes[:]); err != nil {
		return CookieKey{}, fmt.Errorf("%w: reading random bytes: %w", ErrCookieKey, err)
	}
	block, err := aes.NewCipher(k.bytes[:32])
	if err != nil {
		return CookieKey{}, fmt.Errorf("%w: %w", ErrCookieKey, err)
	}
	if k.gcm, err = cipher.NewGCM(block); err != nil {
		return CookieKey{}, fmt.Errorf("%w: %w", ErrCookieKey, err)
	}
	if k.cbc, err = aes.NewCipher(k.bytes[48:]); err != nil {
		return CookieKey{}, fmt.Errorf("%w: %w", ErrCookieKey, err)
	}
	return CookieKey{key: func() *cookieKey { return k }}, nil
}

// get returns the key, nil if there is none.
func (k CookieKey) get() *cookieKey {
	if k.key == nil {
		return nil
	}
	return k.key()
}

// Hex reveals the key, as 160 lower-case hexadecimal digits: for a key file or a database, never for a log.
func (k CookieKey) Hex() string {
	if k.key == nil {
		return ""
	}
	return hex.EncodeToString(k.get().bytes[:])
}

// IsZero tells whether there is no key.
func (k CookieKey) IsZero() bool { return k.key == nil }

// Equal compares in constant time.
func (k CookieKey) Equal(l CookieKey) bool {
	if k.IsZero() || l.IsZero() {
		return k.IsZero() && l.IsZero()
	}
	return subtle.ConstantTimeCompare(k.get().bytes[:], l.get().bytes[:]) == 1
}

// String returns "[redacted]", or "" without a key.
func (k CookieKey) String() string {
	if k.key == nil {
		return ""
	}
	return secret.Redacted
}

// GoString is what %#v prints.
func (k CookieKey) GoString() string { return fmt.Sprintf("controlproto.CookieKey(%q)", k.String()) }

// Format makes every verb print the redacted form.
func (k CookieKey) Format(f fmt.State, verb rune) { secret.Format(f, verb, k.String(), k.GoString()) }

// LogValue is what log/slog prints.
func (k CookieKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText is what encoding/json prints.
func (k CookieKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
