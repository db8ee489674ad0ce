package sqlstore

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// User is someone who may log in to the pages.
type User struct {
	Name     string       `json:"-"` // unique, upper and lower case being the same
	Password PasswordHash `json:"-"`
	Admin    bool         `json:"admin,omitempty"`
	Created  time.Time    `json:"created"`
}

// PasswordHash is a salted hash in whatever form its maker chose. No form of printing shows it.
type PasswordHash string

const redacted = "[redacted]"

// String hides the hash.
func (PasswordHash) String() string { return redacted }

// GoString hides the hash.
func (PasswordHash) GoString() string { return redacted }

// Format hides the hash, for every verb.
func (PasswordHash) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue hides the hash.
func (PasswordHash) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the hash.
func (PasswordHash) MarshalText() ([]byte, error) { return []byte(redacted), nil }

func scanUser(row scanner) (u User, err error) {
	var password string
	var doc []byte
	if err := row.Scan(&u.Name, &password, &doc); err != nil {
		return u, err
	}
	u.Password = PasswordHash(password)
	return u, json.Unmarshal(doc, &u)
}

// User returns the user of a name, or ErrNotFound.
func (t *Tx) User(name string) (User, error) {
	return get(t, "user", scanUser, "SELECT name, password, doc FROM user WHERE name = ?", name)
}

// Users returns all users by name.
func (t *Tx) Users() ([]User, error) {
	return list(t, "users", scanUser, "SELECT name, password, doc FROM user ORDER BY name")
}

// PutUser adds a user or replaces it.
func (t *Tx) PutUser(u User) error {
	_, err := t.exec("user", `INSERT INTO user (name, password, doc) VALUES (?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET password = excluded.password, doc = excluded.doc`,
		u.Name, string(u.Password), document(u))
	return err
}
