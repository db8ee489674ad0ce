package wsmantest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/digest"
)

// lock counts wrong passwords of one user.
type lock struct {
	wrong int
	until time.Time
}

// nonceCount is how many nonces are kept; the firmware keeps few, but a fleet on one device may be a test's wish.
const nonceCount = 256

// forgetNonces makes all nonces invalid: after a restart, a change of passwords or of the provisioning state.
func (d *Device) forgetNonces() {
	d.nonces = digest.NewNonces(nonceCount, d.cfg.Quirks.NonceTime)
	d.state.nonceUses = map[string]int{}
}

// authenticate returns the user who sent a request, or the challenge to answer with.
func (d *Device) authenticate(c *connection, req *http.Request, body []byte) (user *account, challenge string) {
	if len(c.peers) > 0 && d.state.setup.remote {
		// Activation over TLS: the certificate has been checked in the handshake, and no password is asked for.
		return d.state.accounts.admin, ""
	}
	header := req.Header.Get("Authorization")
	if header == "" {
		return nil, d.challenge(false)
	}
	a, err := digest.ParseAuthorization(header)
	if err != nil {
		d.emit(EventLogin, "refused: %v", err)
		return nil, d.challenge(false)
	}
	user, err = d.check(&a, req.Method, body)
	if err != nil {
		if !errors.Is(err, digest.ErrStale) {
			d.emit(EventLogin, "refused %.32q: %v", a.Username, err)
		}
		return nil, d.challenge(errors.Is(err, digest.ErrStale))
	}
	if (user == d.state.setup.local) && c.port != PortHTTP && c.port != PortHTTPS {
		return nil, d.challenge(false)
	}
	return user, ""
}

var (
	errUnknownUser = errors.New("unknown user")
	errLocked      = errors.New("locked for a while")
	errWrong       = errors.New("wrong password")
	errOther       = errors.New("realm or URI of another server")
	errQuality     = errors.New("this quality of protection was not offered")
)

// check says whose answer to a challenge this is.
func (d *Device) check(a *digest.Authorization, method string, body []byte) (*account, error) {
	nonce := a.Nonce
	if d.cfg.Quirks.PaddedNonce {
		var padded bool
		if a.Nonce, padded = strings.CutSuffix(nonce, "="); !padded {
			return nil, digest.ErrStale // it was cut off, which makes another nonce of it
		}
	}
	if a.Realm != d.realm || a.URI != wsman.Path {
		return nil, errOther
	}
	if a.QOP == digest.AuthInt && !strings.Contains(d.qop(), "auth-int") {
		return nil, errQuality
	}
	user := d.account(a.Username)
	if user == nil || !user.enabled {
		return nil, errUnknownUser
	}
	l := d.locks[user.name]
	if l == nil {
		l = &lock{}
		d.locks[user.name] = l
	}
	if d.cfg.Now().Before(l.until) {
		return nil, errLocked
	}
	check := *a
	check.Nonce = nonce
	if !check.Verify(&digest.Credentials{Username: user.name, HA1: NewSecret(hex.EncodeToString(user.ha1))}, method, body) {
		l.wrong++
		if most := d.cfg.Quirks.LockAfter; most > 0 && l.wrong >= most {
			l.wrong, l.until = 0, d.cfg.Now().Add(d.cfg.Quirks.LockTime)
			d.emit(EventLogin, "user %.32q locked for %s", user.name, d.cfg.Quirks.LockTime)
		}
		return nil, errWrong
	}
	l.wrong = 0
	if err := d.nonces.Check(a); err != nil {
		return nil, err
	}
	if most := d.cfg.Quirks.NonceUses; most > 0 {
		if d.state.nonceUses[a.Nonce]++; d.state.nonceUses[a.Nonce] > most {
			return nil, fmt.Errorf("%w: used %d times", digest.ErrStale, most)
		}
		if len(d.state.nonceUses) > 4*nonceCount {
			clear(d.state.nonceUses)
		}
	}
	return user, nil
}

// qop is what the challenge offers.
func (d *Device) qop() string {
	switch {
	case d.cfg.Quirks.AuthOnly:
		return "auth"
	case d.cfg.Quirks.AuthInt:
		return "auth-int, auth"
	}
	return d.prof.qop
}

// challenge asks for credentials with a new nonce, in the form of the firmware: stale in quotes, which is "false" even if
// it is not, and no blanks after most commas.
func (d *Device) challenge(stale bool) string {
	nonce, word := d.nonces.New(), "false"
	if d.cfg.Quirks.PaddedNonce {
		nonce += "="
	}
	if stale && d.cfg.Quirks.StaleTrue {
		word = "true"
	}
	if !d.cfg.Quirks.Unquoted {
		word = `"` + word + `"`
	}
	return fmt.Sprintf(`Digest realm="%s", nonce="%s",stale=%s,qop="%s"`, d.realm, nonce, word, d.qop())
}
