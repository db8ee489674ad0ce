package controlserver

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"

	"github.com/meshcentral-go/sdk/controlproto"
)

// twoFactorVerbs manage the second factors of one's own account: an authenticator application and backup codes.
func (s *Server) twoFactorVerbs(m *controlproto.Mux) {
	controlproto.On(m, s.otpAuthRequest)
	controlproto.On(m, s.otpAuthSetup)
	controlproto.On(m, s.otpAuthClear)
	controlproto.On(m, s.otpAuthGetPasswords)
	controlproto.On(m, s.otpHKeyGet)
}

// otpAuthRequest makes a secret for an authenticator application. It counts once it was set up.
func (s *Server) otpAuthRequest(ctx context.Context, c *controlproto.Call, _ *controlproto.OTPAuthRequest) error {
	u := c.Session.User()
	switch {
	case c.Session.Login().TokenName != "":
		return c.Reply(ctx, &controlproto.OTPAuthRequestReply{Err: controlproto.OTPAuthTokenSession})
	case s.domains[c.Session.Domain()].NoTwoFactor:
		return c.Reply(ctx, &controlproto.OTPAuthRequestReply{Err: controlproto.OTPAuthDisabled})
	case u.SiteRights.Restricted(controlproto.SiteLockSettings):
		return c.Reply(ctx, &controlproto.OTPAuthRequestReply{Err: controlproto.OTPAuthSettings})
	}
	secret, err := controlproto.NewTOTPSecret(s.cfg.Rand)
	if err != nil {
		return err
	}
	issuer := s.domains[c.Session.Domain()].Title
	if issuer == "" {
		issuer = "MeshCentral"
	}
	address, err := controlproto.TOTPURL(issuer, u.Name, secret)
	if err != nil {
		return err
	}
	return c.Reply(ctx, &controlproto.OTPAuthRequestReply{Secret: secret, URL: address})
}

// maxTOTPSecret bounds the secret that a client brings, in characters.
const maxTOTPSecret = 256

// otpAuthSetup makes a secret the account's second factor, if a code shows that an application has it.
func (s *Server) otpAuthSetup(ctx context.Context, c *controlproto.Call, req *controlproto.OTPAuthSetup) error {
	if s.domains[c.Session.Domain()].NoTwoFactor {
		return nil
	}
	if badLength(req.Secret.Reveal(), 1, maxTOTPSecret) || badLength(req.Token.Reveal(), controlproto.TOTPDigits, controlproto.TOTPDigits) {
		return c.Reply(ctx, &controlproto.OTPAuthSetupReply{})
	}
	step, ok, err := controlproto.VerifyTOTP(req.Secret, req.Token.Reveal(), s.cfg.Now(), 0)
	if err != nil || !ok {
		return c.Reply(ctx, &controlproto.OTPAuthSetupReply{})
	}
	err = s.editSelf(ctx, c, 90, "Added authentication application", func(a *Account) error {
		// The code that was shown here is still good for one login: it has opened nothing yet.
		a.TOTPSecret, a.TOTPStep = req.Secret, int64(step)-1
		return nil
	})
	if err != nil {
		return err
	}
	return c.Reply(ctx, &controlproto.OTPAuthSetupReply{Success: true})
}

// otpAuthClear removes the authenticator application, and with it the backup codes, which are of no use alone.
func (s *Server) otpAuthClear(ctx context.Context, c *controlproto.Call, _ *controlproto.OTPAuthClear) error {
	a := s.account(c.Session.UserID())
	if a == nil || a.TOTPSecret.Reveal() == "" {
		return c.Reply(ctx, &controlproto.OTPAuthClearReply{})
	}
	err := s.editSelf(ctx, c, 91, "Removed authentication application", func(a *Account) error {
		a.TOTPSecret, a.TOTPStep, a.BackupCodes = controlproto.Secret{}, 0, nil
		return nil
	})
	if err != nil {
		return err
	}
	return c.Reply(ctx, &controlproto.OTPAuthClearReply{Success: true})
}

// backupCodes is how many an account has.
const backupCodes = 10

// otpAuthGetPasswords lists the backup codes, makes new ones, or removes them. There are some only beside another factor.
func (s *Server) otpAuthGetPasswords(ctx context.Context, c *controlproto.Call, req *controlproto.OTPAuthGetPasswords) error {
	a := s.account(c.Session.UserID())
	if a == nil || a.TOTPSecret.Reveal() == "" {
		return nil
	}
	codes := a.BackupCodes
	change := req.SubAction == controlproto.BackupCodesGenerate || req.SubAction == controlproto.BackupCodesClear
	if change && !a.SiteRights.Restricted(controlproto.SiteLockSettings) {
		msgID, text := 93, "2FA backup codes cleared"
		codes = nil
		if req.SubAction == controlproto.BackupCodesGenerate {
			msgID, text = 92, "New 2FA backup codes generated"
			for range backupCodes {
				n, err := rand.Int(s.cfg.Rand, big.NewInt(100_000_000))
				if err != nil {
					return err
				}
				codes = append(codes, BackupCode{Code: controlproto.NewSecret(fmt.Sprintf("%08d", n))})
			}
		}
		if err := s.editSelf(ctx, c, msgID, text, func(a *Account) error { a.BackupCodes = codes; return nil }); err != nil {
			return err
		}
	}
	var list []controlproto.BackupCode
	for _, code := range codes {
		list = append(list, controlproto.BackupCode{Code: controlproto.BackupCodeDigits{Secret: code.Code}, Unused: !code.Used})
	}
	return c.Reply(ctx, &controlproto.OTPAuthGetPasswordsReply{Passwords: list})
}

// otpHKeyGet lists the account's security keys: there are none.
func (s *Server) otpHKeyGet(ctx context.Context, c *controlproto.Call, _ *controlproto.OTPHKeyGet) error {
	return c.Reply(ctx, &controlproto.OTPHKeyGetReply{Keys: []controlproto.HardwareKey{}})
}
