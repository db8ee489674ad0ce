package controlproto

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"
)

// MaxCookieText is the longest text of a cookie that is made or read. HTTP servers take no longer header lines.
const MaxCookieText = 8192

// CookieEncoding is how the bytes of a cookie are written.
type CookieEncoding uint8

const (
	// CookieBase64 is base64 with padding, with @ in place of + and $ in place of /. It needs no escaping in a query.
	CookieBase64 CookieEncoding = iota
	// CookieHex is lower-case hexadecimal, for servers with the setting cookieEncoding "hex".
	CookieHex
)

// String names the encoding as the setting does.
func (e CookieEncoding) String() string {
	switch e {
	case CookieBase64:
		return "base64"
	case CookieHex:
		return "hex"
	}
	return fmt.Sprintf("CookieEncoding(%d)", uint8(e))
}

// CookieCodec encrypts and decrypts cookies.
//
//	0..11  nonce, random
//	12..27 tag of AES-256-GCM, without additional data
//	28..   the JSON text of the [Cookie], encrypted under bytes 0 to 31 of the key
//
// Confirmed in meshcentral.js, encodeCookie and decodeCookieAESGCM. The zero value has no key and refuses everything. A
// codec may be used from several goroutines, if Now and Rand may.
type CookieCodec struct {
	// Key encrypts, and is the first that decrypts.
	Key CookieKey
	// OtherKeys decrypt only: the keys before the present one, or those of other servers. They are tried in their order.
	OtherKeys []CookieKey
	// Encoding is how cookies are written and read.
	Encoding CookieEncoding
	// Once keeps the cookies that are good for one use apart. Without it, Decode refuses them all.
	Once *OnceGuard
	// AcceptCBC has Decode take the form without GCM, too, that stock servers take from clients without it:
	//
	//	0..15  IV
	//	16..   AES-256-CBC with PKCS#7 padding, under bytes 48 to 79 of the key, of:
	//	       48 bytes HMAC-SHA384 of the JSON text under bytes 0 to 47, the JSON text
	//
	// The code is verified here. Stock servers accept any (meshcentral.js, decodeCookieAESSHA), and are open to forgery
	// by this form. The padding is inside of what the code protects, so refusals look alike, but who takes this
	// form gives strangers something to measure: leave it off unless a client needs it.
	AcceptCBC bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Rand gives nonces; nil means crypto/rand. A nonce that comes twice under a key gives the key away.
	Rand io.Reader
}

func (c *CookieCodec) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

const (
	cookieNonce = 12
	cookieTag   = 16
	cookieMAC   = sha512.Size384
)

// cookieBase64 is without padding, which is added by hand: what is read may lack it.
var cookieBase64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@$").WithPadding(base64.NoPadding)

// Encode makes the text of a cookie. It is a credential, so it comes wrapped.
func (c *CookieCodec) Encode(cookie Cookie) (Secret, error) {
	if c.Key.IsZero() {
		return Secret{}, fmt.Errorf("%w: none to encrypt with", ErrCookieKey)
	}
	made := cookie.Time
	if made.IsZero() {
		made = c.now()
	}
	random := c.Rand
	if random == nil {
		random = rand.Reader
	}
	text, err := cookie.appendJSON(make([]byte, 0, 256), made)
	if err != nil {
		return Secret{}, err
	}
	b := make([]byte, cookieNonce, cookieNonce+cookieTag+len(text))
	if _, err := io.ReadFull(random, b); err != nil {
		return Secret{}, fmt.Errorf("controlproto: cookie: reading random bytes: %w", err)
	}
	// Go's GCM puts the tag behind the text.
	sealed := c.Key.get().gcm.Seal(nil, b, text, nil)
	b = append(b, sealed[len(text):]...)
	b = append(b, sealed[:len(text)]...)
	var out string
	switch c.Encoding {
	case CookieBase64:
		out = cookieBase64.EncodeToString(b)
		out += "==="[:-len(out)&3]
	case CookieHex:
		out = hex.EncodeToString(b)
	default:
		return Secret{}, fmt.Errorf("controlproto: cookie: unknown encoding %v", c.Encoding)
	}
	if len(out) > MaxCookieText {
		return Secret{}, fmt.Errorf("controlproto: cookie of %d characters, at most %d", len(out), MaxCookieText)
	}
	return NewSecret(out), nil
}

// Decode reads the text of a cookie, which may be maxAge old unless the cookie says something else; a maxAge of zero means
// [CookieAgeDefault]. A cookie with an Expire is good for that long, whatever maxAge is. In both cases it may be
// [CookieClockSkew] from the future; one with [CookieForever] may have any time.
//
// A '?' and what follows is cut off: meshctrl appends the query of its control address to the cookies of its tunnels.
//
// Every error is an [ErrCookie] and one of its causes, except that a codec without keys gives [ErrCookieKey]. What the
// cookie permits, and at which address, is for its methods and [CookieIPPolicy] to say. A cookie for one use is used up
// by decoding it, also when one of these refuses it then.
func (c *CookieCodec) Decode(text string, maxAge time.Duration) (Cookie, error) {
	if c.Key.IsZero() && len(c.OtherKeys) == 0 {
		return Cookie{}, fmt.Errorf("%w: none to decrypt with", ErrCookieKey)
	}
	b, err := c.decodeText(text)
	if err != nil {
		return Cookie{}, err
	}
	plain := c.open(b)
	if plain == nil {
		return Cookie{}, ErrCookieMalformed
	}
	var cookie Cookie
	if bad, ok := cookie.parseJSON(plain); !ok {
		// It was made by somebody with the key, so that its names are no secret. Its values might be.
		return Cookie{}, fmt.Errorf("%w: member %q", ErrCookieMalformed, bad)
	}
	if err := c.checkAge(&cookie, maxAge); err != nil {
		return Cookie{}, err
	}
	return cookie, nil
}

func (c *CookieCodec) decodeText(text string) ([]byte, error) {
	text, _, _ = strings.Cut(text, "?")
	if len(text) > MaxCookieText {
		return nil, fmt.Errorf("%w: %d characters, at most %d", ErrCookieMalformed, len(text), MaxCookieText)
	}
	var b []byte
	var err error
	switch c.Encoding {
	case CookieBase64:
		b, err = cookieBase64.DecodeString(strings.TrimRight(text, "="))
	case CookieHex:
		b, err = hex.DecodeString(text)
	default:
		return nil, fmt.Errorf("%w: unknown encoding %v", ErrCookieMalformed, c.Encoding)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: not %v", ErrCookieMalformed, c.Encoding)
	}
	return b, nil
}

// open decrypts with the first key that fits; nil is none.
func (c *CookieCodec) open(b []byte) []byte {
	for _, open := range []func(*cookieKey, []byte) []byte{openGCM, openCBC} {
		if plain := open(c.Key.get(), b); plain != nil {
			return plain
		}
		for _, k := range c.OtherKeys {
			if plain := open(k.get(), b); plain != nil {
				return plain
			}
		}
		if !c.AcceptCBC {
			break
		}
	}
	return nil
}

func openGCM(k *cookieKey, b []byte) []byte {
	if k == nil || len(b) <= cookieNonce+cookieTag {
		return nil
	}
	sealed := make([]byte, 0, len(b)-cookieNonce)
	sealed = append(sealed, b[cookieNonce+cookieTag:]...)
	sealed = append(sealed, b[cookieNonce:cookieNonce+cookieTag]...)
	plain, err := k.gcm.Open(sealed[:0], b[:cookieNonce], sealed, nil)
	if err != nil {
		return nil
	}
	return plain
}

// openCBC computes the code whether or not the padding is right, over what would be the text: who sends a cookie must not
// learn, not even from a clock, which of the two was wrong.
func openCBC(k *cookieKey, b []byte) []byte {
	if k == nil || len(b) < aes.BlockSize {
		return nil
	}
	iv, sealed := b[:aes.BlockSize], b[aes.BlockSize:]
	if len(sealed) <= cookieMAC || len(sealed)%aes.BlockSize != 0 {
		return nil
	}
	plain := make([]byte, len(sealed))
	cipher.NewCBCDecrypter(k.cbc, iv).CryptBlocks(plain, sealed)
	pad := int(plain[len(plain)-1])
	good := subtle.ConstantTimeLessOrEq(1, pad) & subtle.ConstantTimeLessOrEq(pad, aes.BlockSize)
	for i := 1; i <= aes.BlockSize; i++ {
		inside := subtle.ConstantTimeLessOrEq(i, pad)
		same := subtle.ConstantTimeByteEq(plain[len(plain)-i], byte(pad))
		good &= subtle.ConstantTimeSelect(inside, same, 1)
	}
	text := plain[cookieMAC : len(plain)-subtle.ConstantTimeSelect(good, pad, aes.BlockSize)]
	h := hmac.New(sha512.New384, k.bytes[:48])
	h.Write(text)
	if good&subtle.ConstantTimeCompare(h.Sum(nil), plain[:cookieMAC]) != 1 {
		return nil
	}
	return text
}

func (c *CookieCodec) checkAge(cookie *Cookie, maxAge time.Duration) error {
	now := c.now()
	limit := cookie.Expire
	if limit == 0 {
		limit = maxAge
	}
	if limit == 0 {
		limit = CookieAgeDefault
	}
	age := now.Sub(cookie.Time)
	if limit != CookieForever {
		if age > limit || limit < 0 {
			return fmt.Errorf("%w: made %v ago, good for %v", ErrCookieExpired, age, limit)
		}
		if age < -CookieClockSkew {
			return fmt.Errorf("%w: %v ahead", ErrCookieFuture, -age)
		}
	}
	if cookie.Once == "" {
		return nil
	}
	if c.Once == nil {
		return fmt.Errorf("%w, or not: nothing here keeps account of cookies for one use", ErrCookieReplayed)
	}
	var until time.Time // for ever
	if limit != CookieForever {
		// A cookie without a lifetime of its own can be shown again where older ones are taken.
		if cookie.Expire == 0 && limit < CookieAgeRelay {
			limit = CookieAgeRelay
		}
		until = cookie.Time.Add(min(limit, CookieAgeUnlimited-time.Minute)).Add(time.Minute)
	}
	return c.Once.use(cookie.Once, now, until)
}
