package controlproto

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// The parameters of stored passwords; pass.js, iterations and len.
const (
	stockPasswordIterations = 12000
	stockPasswordSize       = 128
)

// Bounds on what is hashed. Servers take passwords up to 256 characters; a salt has 172.
const (
	maxStockPassword = 4096
	maxStockSalt     = 1024
)

// StockPassword is a password as MeshCentral stores it in the members "salt" and "hash" of accounts and login tokens:
// PBKDF2 with HMAC-SHA384, 12,000 rounds, 128 bytes in base64. The salt is the text itself, not the bytes that it may
// encode. Confirmed in pass.js.
//
// It is made for moving accounts from and to MeshCentral. Twelve thousand rounds are few today: a server of one's own does
// better with bcrypt or argon2id. Each hash costs some ten milliseconds, so the number of concurrent checks is for
// the caller to bound.
type StockPassword struct {
	Salt string `json:"salt"`
	Hash Secret `json:"hash"`
}

// HashStockPassword hashes a password under a new salt of 128 random bytes; a nil random means crypto/rand.
func HashStockPassword(random io.Reader, password Secret) (StockPassword, error) {
	if random == nil {
		random = rand.Reader
	}
	if n := len(password.Reveal()); n == 0 || n > maxStockPassword {
		return StockPassword{}, fmt.Errorf("controlproto: password of %d bytes, 1 to %d can be stored", n, maxStockPassword)
	}
	raw := make([]byte, stockPasswordSize)
	if _, err := io.ReadFull(random, raw); err != nil {
		return StockPassword{}, fmt.Errorf("controlproto: password: reading random bytes: %w", err)
	}
	salt := base64.StdEncoding.EncodeToString(raw)
	hash, err := stockPasswordHash(password.Reveal(), salt)
	if err != nil {
		return StockPassword{}, err
	}
	return StockPassword{Salt: salt, Hash: NewSecret(base64.StdEncoding.EncodeToString(hash))}, nil
}

// Verify tells whether the password is the stored one. It compares in constant time, and works as long on the zero value,
// or anything else that no password fits: call it for unknown accounts too, so that the time does not tell them apart.
func (p StockPassword) Verify(password Secret) bool {
	stored, err := base64.StdEncoding.DecodeString(p.Hash.Reveal())
	usable := err == nil && len(stored) == stockPasswordSize && p.Salt != "" && len(p.Salt) <= maxStockSalt
	text, salt := password.Reveal(), p.Salt
	if text == "" || len(text) > maxStockPassword {
		text, usable = "", false
	}
	if !usable {
		stored, salt = make([]byte, stockPasswordSize), "none"
	}
	hash, err := stockPasswordHash(text, salt)
	return subtle.ConstantTimeCompare(hash, stored) == 1 && err == nil && usable
}

func stockPasswordHash(password, salt string) ([]byte, error) {
	hash, err := pbkdf2.Key(sha512.New384, password, []byte(salt), stockPasswordIterations, stockPasswordSize)
	if err != nil {
		return nil, errors.New("controlproto: password: PBKDF2 is not permitted here")
	}
	return hash, nil
}
