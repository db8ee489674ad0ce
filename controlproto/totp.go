package controlproto

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
)

// Time-based codes (RFC 6238) as MeshCentral and authenticator applications have them: SHA-1, 6 digits, a new one every 30
// seconds. Confirmed in webserver.js, checkUserOneTimePassword, and meshuser.js, case 'otpauth-request'.
const (
	// TOTPPeriod is how long a code is shown.
	TOTPPeriod = 30 * time.Second
	// TOTPDigits is the length of a code.
	TOTPDigits = 6
	// TOTPWindow is how many codes before and after the present one are taken.
	TOTPWindow = 2

	totpModulus    = 1000000
	totpSecretSize = 20 // the length of the hash, as RFC 4226 advises
	totpSecretMin  = 10 // stock servers make secrets of this length
	totpSecretMax  = 128
)

// ErrTOTPSecret is a secret that is no base32 text of a usable length.
var ErrTOTPSecret = errors.New("controlproto: TOTP secret")

var totpBase32 = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewTOTPSecret makes the secret of an authenticator application, 32 characters of base32; a nil random means crypto/rand.
func NewTOTPSecret(random io.Reader) (Secret, error) {
	if random == nil {
		random = rand.Reader
	}
	var raw [totpSecretSize]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return Secret{}, fmt.Errorf("%w: reading random bytes: %w", ErrTOTPSecret, err)
	}
	return NewSecret(totpBase32.EncodeToString(raw[:])), nil
}

// totpKey reads a secret as people type it: small letters, blanks and padding are taken.
func totpKey(secret Secret) ([]byte, error) {
	text := secret.Reveal()
	if len(text) > 4*totpSecretMax {
		return nil, fmt.Errorf("%w of %d characters", ErrTOTPSecret, len(text))
	}
	text = strings.ToUpper(strings.TrimRight(strings.ReplaceAll(text, " ", ""), "="))
	key, err := totpBase32.DecodeString(text)
	if err != nil {
		// The error of encoding/base32 tells the place, which is no use without the text.
		return nil, fmt.Errorf("%w is not base32", ErrTOTPSecret)
	}
	if len(key) < totpSecretMin || len(key) > totpSecretMax {
		return nil, fmt.Errorf("%w of %d bytes, %d to %d are taken", ErrTOTPSecret, len(key), totpSecretMin, totpSecretMax)
	}
	return key, nil
}

// TOTPStep numbers the periods since 1970.
type TOTPStep int64

// TOTPStepAt returns the step of a time.
func TOTPStepAt(t time.Time) TOTPStep {
	step := t.Unix() / int64(TOTPPeriod/time.Second)
	if t.Unix() < 0 {
		step = 0 // before 1970 there is none
	}
	return TOTPStep(step)
}

// TOTPCode returns the code that is shown at a time.
func TOTPCode(secret Secret, t time.Time) (Secret, error) {
	key, err := totpKey(secret)
	if err != nil {
		return Secret{}, err
	}
	code := totpCode(key, TOTPStepAt(t))
	return NewSecret(string(code[:])), nil
}

func totpCode(key []byte, step TOTPStep) (code [TOTPDigits]byte) {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step))
	h := hmac.New(sha1.New, key)
	h.Write(counter[:])
	sum := h.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[len(sum)-1]&15:]) & 0x7fffffff % totpModulus
	for i := TOTPDigits - 1; i >= 0; i-- {
		code[i] = '0' + byte(n%10)
		n /= 10
	}
	return code
}

// VerifyTOTP tells whether a code is, or was or will be within two periods, the one that is shown, and at which step. Store
// the step with the account and pass it as used in the next call: a code of this step or an earlier one is refused then,
// so that nobody who looks over a shoulder can use it again. Zero is for an account without one.
//
// A wrong code is not an error: ok is false. All codes of the window are compared, in constant time. Six digits can be
// guessed; to limit attempts is for the caller.
func VerifyTOTP(secret Secret, code string, now time.Time, used TOTPStep) (step TOTPStep, ok bool, err error) {
	key, err := totpKey(secret)
	if err != nil {
		return 0, false, err
	}
	middle := TOTPStepAt(now)
	for s := max(middle-TOTPWindow, 0); s <= middle+TOTPWindow; s++ {
		want := totpCode(key, s)
		same := subtle.ConstantTimeCompare(want[:], []byte(code))
		// The latest, should two steps have the same code: then neither can come again.
		if same == 1 && s > used {
			step, ok = s, true
		}
	}
	return step, ok, nil
}

// TOTPURL makes the address that authenticator applications read from a QR code: `otpauth://totp/...`. The issuer is the
// name of the server. Neither may hold a colon, which separates them.
func TOTPURL(issuer, account string, secret Secret) (SecretURL, error) {
	key, err := totpKey(secret)
	if err != nil {
		return SecretURL{}, err
	}
	if account == "" || strings.Contains(issuer, ":") || strings.Contains(account, ":") {
		return SecretURL{}, fmt.Errorf("controlproto: TOTP account %.128q of %.128q: empty, or with a colon", account, issuer)
	}
	label, query := url.PathEscape(account), ""
	if issuer != "" {
		label, query = url.PathEscape(issuer)+":"+label, "&issuer="+strings.ReplaceAll(url.QueryEscape(issuer), "+", "%20")
	}
	return NewSecretURL("otpauth://totp/" + label + "?secret=" + totpBase32.EncodeToString(key) +
		"&period=30&digits=6&algorithm=SHA1" + query), nil
}
