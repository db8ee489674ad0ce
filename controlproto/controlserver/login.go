package controlserver

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
)

// User implements [controlproto.Accounts].
func (s *Server) User(_ context.Context, id controlproto.ID) (*controlproto.User, error) {
	if a := s.account(id); a != nil {
		return a.Public(), nil
	}
	return nil, controlproto.ErrNoUser
}

// noPassword is checked when there is no such account, so that the answer takes as long.
var noPassword = controlproto.NewSecret("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")

// CheckPassword implements [controlproto.Accounts]. A password that is right and stored in MeshCentral's form is stored
// anew in ours.
func (s *Server) CheckPassword(ctx context.Context, id controlproto.ID, password controlproto.Secret) (bool, error) {
	a := s.account(id)
	if a == nil || a.PasswordHash.Reveal() == "" && a.StockHash.Reveal() == "" {
		CheckPassword(noPassword.Reveal(), password.Reveal())
		return false, nil
	}
	if a.PasswordHash.Reveal() != "" {
		return CheckPassword(a.PasswordHash.Reveal(), password.Reveal()), nil
	}
	stock := controlproto.StockPassword{Salt: a.StockSalt.Reveal(), Hash: a.StockHash}
	if !stock.Verify(password) {
		return false, nil
	}
	hash := controlproto.NewSecret(HashPassword(password.Reveal()))
	err := s.Update(ctx, func(tx *Tx) error {
		return tx.EditAccount(id, func(a *Account) error {
			a.PasswordHash, a.StockSalt, a.StockHash = hash, controlproto.Secret{}, controlproto.Secret{}
			return nil
		})
	})
	if err != nil {
		s.log.Warn("the password is still stored in MeshCentral's form", "user", id, "reason", err)
	}
	return true, nil
}

// tokenHash is what is stored of a login token's secret. That has 120 random bits, so one round of SHA-256 is enough.
func tokenHash(secret controlproto.Secret) controlproto.Secret {
	sum := sha256.Sum256([]byte(secret.Reveal()))
	return controlproto.NewSecret("sha256$" + base64.StdEncoding.EncodeToString(sum[:]))
}

// CheckLoginToken implements [controlproto.LoginTokens].
func (s *Server) CheckLoginToken(ctx context.Context, domain, tokenUser string, secret controlproto.Secret) (user controlproto.ID, tokenName string, err error) {
	var t LoginToken
	found, err := s.document(ctx, KindLoginToken, tokenUser, &t)
	if err != nil {
		return "", "", err
	}
	hash := t.Hash.Reveal()
	var right bool
	if salt, stock, ok := strings.Cut(hash, "$stock$"); ok {
		right = controlproto.StockPassword{Salt: salt, Hash: controlproto.NewSecret(stock)}.Verify(secret)
	} else {
		right = subtle.ConstantTimeCompare([]byte(tokenHash(secret).Reveal()), []byte(hash)) == 1
	}
	a := s.account(t.UserID)
	d, known := s.domains[domain]
	switch {
	case !found, !right, a == nil, !known, d.NoLoginTokens, t.UserID.Domain() != domain, t.Expired(s.cfg.Now()):
		return "", "", controlproto.ErrBadCredentials
	}
	return t.UserID, t.Name, nil
}

// StockTokenHash is what is stored of a login token that MeshCentral made.
func StockTokenHash(p controlproto.StockPassword) controlproto.Secret {
	return controlproto.NewSecret(p.Salt + "$stock$" + p.Hash.Reveal())
}

// Factors implements [controlproto.SecondFactors]: authenticator applications and backup codes.
func (s *Server) Factors(_ context.Context, u *controlproto.User, _ *controlproto.LoginRequest) (controlproto.Factors, error) {
	a := s.account(u.ID)
	if a == nil {
		return controlproto.Factors{}, controlproto.ErrNoUser
	}
	d := s.domains[a.Domain]
	days := int(d.twoFactorAge() / (24 * time.Hour))
	return controlproto.Factors{Required: a.TOTPSecret.Reveal() != "" && !d.NoTwoFactor, CookieDays: days}, nil
}

func (d Domain) twoFactorAge() time.Duration {
	if d.TwoFactorCookieAge > 0 {
		return d.TwoFactorCookieAge
	}
	return 30 * 24 * time.Hour
}

// errWrongCode ends a transaction that found no matching code.
var errWrongCode = errors.New("controlserver: wrong code")

// CheckToken implements [controlproto.SecondFactors]: a code of an authenticator application, which counts once, or a
// backup code, which counts once.
func (s *Server) CheckToken(ctx context.Context, u *controlproto.User, token controlproto.Secret) (bool, error) {
	code := strings.TrimSpace(token.Reveal())
	if len(code) != controlproto.TOTPDigits && len(code) != backupDigits {
		return false, nil
	}
	err := s.Update(ctx, func(tx *Tx) error {
		return tx.EditAccount(u.ID, func(a *Account) error {
			if a.TOTPSecret.Reveal() == "" {
				return errWrongCode
			}
			if len(code) == backupDigits {
				return a.useBackupCode(code)
			}
			step, ok, err := controlproto.VerifyTOTP(a.TOTPSecret, code, s.cfg.Now(), controlproto.TOTPStep(a.TOTPStep))
			if err != nil {
				return err
			}
			if !ok {
				return errWrongCode
			}
			a.TOTPStep = int64(step)
			return nil
		})
	})
	switch {
	case errors.Is(err, errWrongCode), errors.Is(err, ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, nil
}

const backupDigits = 8

func (a *Account) useBackupCode(code string) error {
	match := -1
	for i, c := range a.BackupCodes { // all of them, in the same time
		if subtle.ConstantTimeCompare([]byte(c.Code.Reveal()), []byte(code)) == 1 && !c.Used {
			match = i
		}
	}
	if match < 0 {
		return errWrongCode
	}
	a.BackupCodes[match].Used = true
	return nil
}

// errNoSender says that codes cannot be sent.
var errNoSender = errors.New("controlserver: codes by e-mail, SMS or messenger are not sent")

// SendCode implements [controlproto.SecondFactors]; [Server.Factors] offers no way of sending.
func (s *Server) SendCode(context.Context, *controlproto.User, controlproto.FactorKind) error {
	return errNoSender
}
