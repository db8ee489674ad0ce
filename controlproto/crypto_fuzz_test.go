package controlproto

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/meshcentral-go/sdk/nodeid"
)

// FuzzCookie reads any text as a cookie. Without the key nothing is one, except what was recorded.
func FuzzCookie(f *testing.F) {
	forLines(f, "cookies.jsonl", func(v cookieVector) {
		f.Add(v.Text, v.Encoding == "hex")
	})
	key := vectorKey(f)
	f.Fuzz(func(t *testing.T, text string, inHex bool) {
		c := &CookieCodec{Key: key, OtherKeys: []CookieKey{{}, key}, AcceptCBC: true, Now: func() time.Time { return vectorTime }}
		if inHex {
			c.Encoding = CookieHex
		}
		cookie, err := c.Decode(text, CookieAgeUnlimited)
		if err != nil {
			if !errors.Is(err, ErrCookie) || diffCookies(cookie, Cookie{}) != "" || len(err.Error()) > 300 {
				t.Fatalf("%v, %+v", err, cookie)
			}
			return
		}
		again, err := c.Encode(cookie)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = c.Decode(again.Reveal(), CookieAgeUnlimited); err != nil && !errors.Is(err, ErrCookieReplayed) {
			t.Fatal(err)
		}
	})
}

// FuzzCookieJSON reads any text as what is in a cookie.
func FuzzCookieJSON(f *testing.F) {
	forLines(f, "cookies.jsonl", func(v cookieVector) { f.Add([]byte(v.JSON)) })
	f.Fuzz(func(t *testing.T, text []byte) {
		var c Cookie
		bad, ok := c.parseJSON(text)
		if !ok {
			if len(bad) > 8 {
				t.Fatalf("%q is no member", bad)
			}
			return
		}
		for _, domain := range []string{"", "customer1"} {
			login, err := c.LoginUser(domain)
			if err == nil && (login.Domain() != domain || login.Kind() != KindUser || c.narrowed()) {
				t.Fatalf("%q logs in with %s", login, text)
			}
			tunnel, tunnelErr := c.TunnelUser(domain)
			if err == nil && (tunnelErr != nil || tunnel != login) {
				t.Fatalf("%q may log in, but not tunnel: %v", login, tunnelErr)
			}
		}
		// Written, it means the same. Only the time loses its fraction.
		out, err := c.appendJSON(nil, c.Time)
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		var again Cookie
		if bad, ok = again.parseJSON(out); !ok {
			t.Fatalf("%s: %s", bad, out)
		}
		c.Time = c.Time.Truncate(time.Second)
		if diff := c.Expire - again.Expire; diff < -c.Expire.Abs()/1e9-time.Microsecond || diff > c.Expire.Abs()/1e9+time.Microsecond {
			t.Fatalf("%v became %v", c.Expire, again.Expire)
		}
		again.Expire = c.Expire // minutes are a fraction
		c.Extra, again.Extra = nil, nil
		if diff := diffCookies(c, again); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzCookieKey reads any text as a key.
func FuzzCookieKey(f *testing.F) {
	f.Add(vectorKey(f).Hex())
	f.Add("00 11\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseCookieKey(text)
		if err != nil {
			if !errors.Is(err, ErrCookieKey) || !k.IsZero() {
				t.Fatal(err)
			}
			return
		}
		if want := strings.ToLower(strings.Join(strings.Fields(text), "")); k.Hex() != want {
			t.Fatalf("%q, want %q", k.Hex(), want)
		}
	})
}

// FuzzMeshAuth reads any text as the header.
func FuzzMeshAuth(f *testing.F) {
	for _, s := range []string{"YWRtaW4=,cHc=,MTIzNDU2", "YWRtaW4,cHc", "*", ",", ",,", "/w==,AA==", "a,b,c,d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		a, err := ParseMeshAuth(header)
		if err != nil {
			if !errors.Is(err, ErrMeshAuth) || len(err.Error()) > 100 {
				t.Fatal(err)
			}
			return
		}
		text, err := a.Header()
		if err != nil {
			if len(header) < maxMeshAuth-8 { // padding may make it too long
				t.Fatal(err)
			}
			return
		}
		b, err := ParseMeshAuth(text.Reveal())
		if err != nil || a.User != b.User || !a.Password.Equal(b.Password) || !a.Token.Equal(b.Token) || a.Inside != b.Inside {
			t.Fatalf("%v: %q became %q", err, header, text.Reveal())
		}
	})
}

// FuzzServerAuth gives both sides any message. Only the recorded one proves anything.
func FuzzServerAuth(f *testing.F) {
	r := readServerAuth(f)
	id, err := nodeid.ParseServerID(r.ServerID)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(r.CNonce, r.TLSHash, r.Cert, r.Nonce, r.Signature)
	f.Add("AAAA", strings.Repeat("0", 96), "", "", "")
	f.Fuzz(func(t *testing.T, cnonce, tlshash, cert, nonce, signature string) {
		a, err := ParseServerAuth(cnonce, tlshash)
		if err != nil {
			if a != nil || !errors.Is(err, ErrServerAuth) || len(err.Error()) > 600 {
				t.Fatal(err)
			}
			return
		}
		err = a.VerifyReply(cert, nonce, signature, id)
		if err == nil {
			gotNonce, gotHash := a.Request()
			was, err := ParseServerAuth(r.CNonce, r.TLSHash)
			if err != nil {
				t.Fatal(err)
			}
			if wantNonce, wantHash := was.Request(); gotNonce != wantNonce || gotHash != wantHash {
				t.Fatalf("%q and %q are proved", cnonce, tlshash)
			}
		} else if !errors.Is(err, ErrServerAuth) {
			t.Fatal(err)
		}
	})
}

// FuzzTOTP reads any text as a secret and as a code.
func FuzzTOTP(f *testing.F) {
	f.Add("PJQB23DAPYWXYZTQ", "287082", int64(59))
	f.Add("pjqb 23da pywx yztq ====", "", int64(-1))
	f.Add("A", "00000000", int64(1)<<62)
	f.Fuzz(func(t *testing.T, secret, code string, seconds int64) {
		now := time.Unix(seconds, 0)
		step, ok, err := VerifyTOTP(NewSecret(secret), code, now, 0)
		if err != nil && (ok || !errors.Is(err, ErrTOTPSecret)) {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		if ok {
			if _, ok, err = VerifyTOTP(NewSecret(secret), code, now, step); ok || err != nil {
				t.Fatalf("again: %v", err)
			}
		}
		shown, err := TOTPCode(NewSecret(secret), now)
		if err != nil || len(shown.Reveal()) != TOTPDigits {
			t.Fatal(err)
		}
		if _, ok, err = VerifyTOTP(NewSecret(secret), shown.Reveal(), now, -1); !ok || err != nil {
			t.Fatalf("the code of the moment is refused: %v", err)
		}
		u, err := TOTPURL("issuer", "account", NewSecret(secret))
		if err != nil {
			t.Fatal(err)
		}
		if q, err := u.Query(); err != nil || q.Get("issuer") != "issuer" {
			t.Fatal(err)
		}
	})
}

// FuzzEmbed makes addresses of any texts: what comes out has the arguments that went in, and no others.
func FuzzEmbed(f *testing.F) {
	f.Add("https://host/", "AB$@==", "key", vectorNode, "name", "filter", 11, 63)
	f.Add("http://[::1]:80/customer1", "", "", "", "", "a&b=c", 1, 0)
	f.Fuzz(func(t *testing.T, base, login, key, node, name, filter string, view, hide int) {
		e := Embed{
			Login: NewSecret(login), Key: NewSecret(key), Node: ID(node), GotoDeviceName: name, Filter: filter,
			View: EmbedView(view), Hide: EmbedHide(hide & 0xff),
		}
		u, err := e.URL(base)
		if err != nil {
			return
		}
		q, err := u.Query()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for want, has := range map[string]bool{
			"login": login != "", "key": key != "", "node": node != "", "gotodevicename": name != "", "filter": filter != "",
			"viewmode": view != 0, "hide": hide&0xff != 0,
		} {
			if len(q[want]) > 1 || (len(q[want]) == 1) != has {
				t.Fatalf("%s in %q", want, u.Reveal())
			}
			n += len(q[want])
		}
		if n != len(q) || q.Get("login") != login || q.Get("key") != key || q.Get("filter") != filter {
			t.Fatalf("%q", u.Reveal())
		}
	})
}
