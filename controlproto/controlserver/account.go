package controlserver

import (
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
)

// Account is the record of an account: what operators may see, and what only the server knows. In the record the visible
// members say nothing about second factors; [Account.Public] fills them in.
type Account struct {
	controlproto.User
	Type   string `json:"type"` // "user"
	Domain string `json:"domain,keep"`

	PasswordHash controlproto.Secret `json:"password"` // see HashPassword
	StockSalt    controlproto.Secret `json:"salt"`     // MeshCentral's own hash, until the next login
	StockHash    controlproto.Secret `json:"hash"`
	PasswordHint controlproto.Secret `json:"passhint"`

	TOTPSecret  controlproto.Secret `json:"totpsecret"`
	TOTPStep    int64               `json:"totpstep"` // the last one that was used: no code counts twice
	BackupCodes []BackupCode        `json:"backupcodes"`
}

// BackupCode is a code of 8 digits that replaces the second factor once.
type BackupCode struct {
	Code controlproto.Secret `json:"code"`
	Used bool                `json:"used"`
}

// Public returns what operators see of an account.
func (a *Account) Public() *controlproto.User {
	u := a.User
	u.OTPSecret, u.OTPKeys = 0, nil
	if a.TOTPSecret.Reveal() != "" {
		u.OTPSecret = 1
	}
	if len(a.BackupCodes) > 0 {
		left := 0
		for _, c := range a.BackupCodes {
			if !c.Used {
				left = 1
			}
		}
		u.OTPKeys = &left
	}
	return &u
}

// LoginToken is the record of a login token.
type LoginToken struct {
	controlproto.LoginTokenRecord
	UserID controlproto.ID     `json:"userid"`
	Hash   controlproto.Secret `json:"hash"` // see hashToken
}

// Expired tells whether a token does not count any more.
func (t *LoginToken) Expired(now time.Time) bool {
	return !t.Expires.IsZero() && !now.Before(t.Expires)
}

// Notes is the record of a note on something.
type Notes struct {
	Text string `json:"notes"`
}

// WebState is the record of what an account's pages keep.
type WebState struct {
	State string `json:"state"`
}

// PowerLog is the record of what power states a device had, oldest first. Only the last ones are kept.
type PowerLog struct {
	Changes []PowerChange `json:"changes"`
}

// PowerChange is one of a [PowerLog].
type PowerChange struct {
	Time  time.Time               `json:"time,ms"`
	Power controlproto.PowerState `json:"power,keep"`
}
