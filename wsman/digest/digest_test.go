package digest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// The values of the vector were computed from RFC 2617 by hand, with a realm in the form of AMT.
const (
	vectorRealm  = "Digest:0123456789ABCDEF0123456789ABCDEF"
	vectorNonce  = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
	vectorCNonce = "0a4f113b5b6a2f1d0a4f113b5b6a2f1d"
)

var vectorCredentials = Credentials{Username: "admin", Password: secret.New("P@ssw0rd1")}

func TestVector(t *testing.T) {
	ha1 := HA1(MD5, "admin", vectorRealm, "P@ssw0rd1")
	require.Equal(t, "f9fdfa372cc1fa4098a0168d77a8c241", hex.EncodeToString(ha1))
	require.Equal(t, "+f36NyzB+kCYoBaNd6jCQQ==", base64.StdEncoding.EncodeToString(ha1))

	hashed := vectorCredentials.HashFor(MD5, vectorRealm)
	for _, cred := range []*Credentials{&vectorCredentials, &hashed} {
		auth := Challenge{Realm: vectorRealm, Nonce: vectorNonce, Auth: true}
		a := auth.Authorize(cred, "POST", "/wsman", []byte("<x/>"), 1, vectorCNonce)
		require.Equal(t, "fd6bb3bb226c8efb1797d2e5cdb871c1", a.Response)
		a = auth.Authorize(cred, "POST", "/RedirectionService", nil, 2, vectorCNonce)
		require.Equal(t, "12f2bf9b00c7b2a004e5d783cc18c261", a.Response)

		both := Challenge{Realm: vectorRealm, Nonce: vectorNonce, Auth: true, AuthInt: true}
		a = both.Authorize(cred, "POST", "/wsman", []byte("<x/>"), 1, vectorCNonce)
		require.Equal(t, "89bbf263c415761cd761c16ebed3ed32", a.Response)
		require.Equal(t, `Digest username="admin",realm="`+vectorRealm+`",nonce="`+vectorNonce+`",uri="/wsman",qop=auth-int,`+
			`response="89bbf263c415761cd761c16ebed3ed32",nc=00000001,cnonce="`+vectorCNonce+`"`, string(a.Append(nil)))
		require.True(t, a.Verify(cred, "POST", []byte("<x/>")))
		require.False(t, a.Verify(cred, "POST", []byte("<y/>")))
	}
}

// The example of RFC 7616, section 3.9.1.
func TestRFC7616(t *testing.T) {
	c := Challenge{
		Realm: "http-auth@example.org", Nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
		Opaque: "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", Auth: true,
	}
	cred := &Credentials{Username: "Mufasa", Password: secret.New("Circle of Life")}
	const cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
	a := c.Authorize(cred, "GET", "/dir/index.html", nil, 1, cnonce)
	require.Equal(t, "8ca523f5e9506fed4657c9700eebdbec", a.Response)
	c.Algorithm = SHA256
	a = c.Authorize(cred, "GET", "/dir/index.html", nil, 1, cnonce)
	require.Equal(t, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", a.Response)
	again, err := ParseAuthorization(string(a.Append(nil)))
	require.NoError(t, err)
	require.Equal(t, *a, again)
	require.True(t, again.Verify(cred, "GET", nil))
}

func TestParseChallenge(t *testing.T) {
	amt := Challenge{Realm: "Digest:2517B2332AFD88353D5F5FD352697901", Nonce: "QYePBLMVAAAAAAAAjfXveceOM5bNfu/K", Auth: true, AuthInt: true}
	for name, c := range map[string]struct {
		headers []string
		want    Challenge
		err     error
	}{
		"AMT 16":                                 {[]string{`Digest realm="Digest:2517B2332AFD88353D5F5FD352697901", nonce="QYePBLMVAAAAAAAAjfXveceOM5bNfu/K",stale="false",qop="auth-int, auth"`}, amt, nil},
		"unquoted":                               {[]string{`digest realm=Digest:2517B2332AFD88353D5F5FD352697901,nonce=QYePBLMVAAAAAAAAjfXveceOM5bNfu/K,stale=false,qop=auth-int, auth, algorithm=MD5`}, amt, nil},
		"blanks, unknown parameters, other case": {[]string{`Digest  Realm = "Digest:2517B2332AFD88353D5F5FD352697901" , charset=UTF-8 ,, NONCE="QYePBLMVAAAAAAAAjfXveceOM5bNfu/K", userhash="false", QOP="token,AUTH-INT,AUTH"`}, amt, nil},
		"padding in the nonce":                   {[]string{`Digest realm="r", nonce="AA==", qop="auth"`}, Challenge{Realm: "r", Nonce: "AA==", Auth: true}, nil},
		"padding in the nonce, unquoted":         {[]string{`Digest nonce=AA==,realm=r,qop=auth`}, Challenge{Realm: "r", Nonce: "AA==", Auth: true}, nil},
		"without qop":                            {[]string{`Digest realm="r", nonce="n"`}, Challenge{Realm: "r", Nonce: "n"}, nil},
		"escapes":                                {[]string{`Digest realm="a \"b\" \\ c", nonce="n,o=", opaque="x", stale=TRUE`}, Challenge{Realm: `a "b" \ c`, Nonce: "n,o=", Opaque: "x", Stale: true}, nil},
		"others first":                           {[]string{`Negotiate abc==, Basic realm="b"`, `Basic realm="x", Digest realm="r", nonce="n", qop="auth"`}, Challenge{Realm: "r", Nonce: "n", Auth: true}, nil},
		"the stronger":                           {[]string{`Digest realm="r", nonce="n", qop="auth"`, `Digest realm="r", nonce="m", qop="auth", algorithm=SHA-256`}, Challenge{Realm: "r", Nonce: "m", Auth: true, Algorithm: SHA256}, nil},
		"one unknown":                            {[]string{`Digest realm="r", nonce="n", algorithm=SHA-512-256`, `Digest realm="r", nonce="m"`}, Challenge{Realm: "r", Nonce: "m"}, nil},
		"unknown algorithm":                      {[]string{`Digest realm="r", nonce="n", algorithm=MD5-sess`}, Challenge{}, ErrAlgorithm},
		"unknown qop":                            {[]string{`Digest realm="r", nonce="n", qop="other"`}, Challenge{}, ErrQOP},
		"no nonce":                               {[]string{`Digest realm="r"`}, Challenge{}, ErrMalformed},
		"no end":                                 {[]string{`Digest realm="r`}, Challenge{}, ErrMalformed},
		"no end after a backslash":               {[]string{`Digest realm="r\`}, Challenge{}, ErrMalformed},
		"control character":                      {[]string{"Digest realm=\"r\x01\", nonce=\"n\""}, Challenge{}, ErrMalformed},
		"no name":                                {[]string{`Digest ="r"`}, Challenge{}, ErrMalformed},
		"no scheme":                              {[]string{`realm="r"`}, Challenge{}, ErrMalformed},
		"another scheme":                         {[]string{`Basic realm="r"`}, Challenge{}, ErrScheme},
		"nothing":                                {nil, Challenge{}, ErrScheme},
		"tab":                                    {[]string{"Digest realm=\"a\tb\", nonce=n"}, Challenge{Realm: "a\tb", Nonce: "n"}, nil},
		"too long":                               {[]string{"Digest realm=\"" + strings.Repeat("r", 5000) + "\", nonce=n"}, Challenge{}, ErrMalformed},
		"too many":                               {[]string{"Digest nonce=n" + strings.Repeat(",a=b", 100)}, Challenge{}, ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Select(c.headers)
			require.ErrorIs(t, err, c.err)
			require.Equal(t, c.want, got)
			if err == nil {
				again, err := ParseChallenge(got.String())
				require.NoError(t, err)
				require.Equal(t, got, again)
			}
		})
	}
}

// Every prefix of a header is read without panic, and none becomes a challenge with another nonce.
func TestChallengePrefixes(t *testing.T) {
	full := `Digest realm="Digest:00", nonce="abc",stale="false",qop="auth-int, auth"`
	for i := range full {
		if c, err := ParseChallenge(full[:i]); err == nil {
			require.Equal(t, "abc", c.Nonce)
		}
	}
}

func TestParseAuthorization(t *testing.T) {
	for header, want := range map[string]error{
		`Digest username="u",realm="r",nonce="n",uri="/w",response="x",qop="auth",nc="6",cnonce="c"`: nil,
		`Digest username=u,nonce=n,response=x`:                                                       nil,
		`Digest username=u,response=x`:                                                               ErrMalformed,
		`Digest username=u,nonce=n`:                                                                  ErrMalformed,
		`Digest username=u,nonce=n,response=x,qop=auth`:                                              ErrMalformed,
		`Digest username=u,nonce=n,response=x,qop=other`:                                             ErrQOP,
		`Digest username=u,nonce=n,response=x,algorithm=other`:                                       ErrAlgorithm,
		`Basic abc`:          ErrScheme,
		``:                   ErrScheme,
		`Digest username="u`: ErrMalformed,
	} {
		_, err := ParseAuthorization(header)
		require.ErrorIs(t, err, want, "%s", header)
	}
	for nc, want := range map[string]uint64{"00000001": 1, "6": 6, "10": 16, "ffffffff": 1<<32 - 1} {
		got, err := (&Authorization{QOP: Auth, NC: nc}).Count()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := (&Authorization{QOP: Auth, NC: "x"}).Count()
	require.ErrorIs(t, err, ErrMalformed)
}

// A name cannot break out of its quotes, nor out of its line.
func TestAppendInjection(t *testing.T) {
	a := Authorization{Username: "a\"\r\nX: y", Realm: `\`, Nonce: "n", URI: "/", Response: "r", QOP: Auth, NC: "1\r\n2", CNonce: "c"}
	line := string(a.Append(nil))
	require.NotContains(t, line, "\n")
	got, err := ParseAuthorization(line)
	require.NoError(t, err)
	require.Equal(t, `a"??X: y`, got.Username)
	require.Equal(t, "12", got.NC)
}

func TestAuthorizationPrintsNoResponse(t *testing.T) {
	c := Challenge{Realm: "r", Nonce: "n", Auth: true}
	a := c.Authorize(&vectorCredentials, "POST", "/wsman", nil, 1, "c")
	j, err := json.Marshal(map[string]any{"a": a, "c": vectorCredentials})
	require.NoError(t, err)
	for _, s := range []string{
		fmt.Sprintf("%v %+v %#v %s %q %x", a, a, a, a, a, a), fmt.Sprintf("%v %+v %#v %d", *a, *a, *a, *a), string(j),
		fmt.Sprintf("%v %+v %#v", vectorCredentials, vectorCredentials, vectorCredentials),
	} {
		require.NotContains(t, s, a.Response)
		require.NotContains(t, s, "P@ssw0rd1")
	}
}

func testServer() *Server {
	return &Server{
		Realm: vectorRealm, Auth: true, AuthInt: true, Nonces: NewNonces(4, time.Minute),
		Lookup: func(user string) (Credentials, bool) { return vectorCredentials, user == "admin" },
	}
}

func TestServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testServer()
		ch := s.Challenge(false)
		require.Len(t, ch.Nonce, 32)
		require.NotContains(t, ch.Nonce, "=")
		send := func(c *Challenge, cred Credentials, nc uint32, cnonce string) error {
			a := c.Authorize(&cred, "POST", "/wsman", []byte("body"), nc, cnonce)
			user, err := s.Check(string(a.Append(nil)), "POST", "/wsman", []byte("body"))
			if err == nil {
				require.Equal(t, "admin", user)
			}
			return err
		}
		require.NoError(t, send(ch, vectorCredentials, 1, "c"))
		require.NoError(t, send(ch, vectorCredentials, 2, "c"))
		require.ErrorIs(t, send(ch, vectorCredentials, 2, "c"), ErrStale, "the same count again")
		require.ErrorIs(t, send(ch, vectorCredentials, 1, "c"), ErrStale, "a lower count")
		require.NoError(t, send(ch, vectorCredentials, 1, "d"), "another cnonce starts anew")

		require.ErrorIs(t, send(ch, Credentials{Username: "admin", Password: secret.New("x")}, 9, "c"), ErrRefused)
		require.ErrorIs(t, send(ch, Credentials{Username: "root", Password: secret.New("P@ssw0rd1")}, 9, "c"), ErrRefused)
		other := *ch
		other.Realm = "Digest:other"
		require.ErrorIs(t, send(&other, vectorCredentials, 9, "c"), ErrRefused)
		other = *ch
		other.Nonce = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
		require.ErrorIs(t, send(&other, vectorCredentials, 9, "c"), ErrStale, "a nonce of somebody else")
		other = *ch
		other.Auth, other.AuthInt = false, false
		require.ErrorIs(t, send(&other, vectorCredentials, 9, "c"), ErrRefused, "less than what was offered")
		other = *ch
		other.Algorithm = SHA256
		require.ErrorIs(t, send(&other, vectorCredentials, 9, "c"), ErrRefused, "another algorithm")
		_, err := s.Check("", "POST", "/wsman", nil)
		require.ErrorIs(t, err, ErrRefused)
		_, err = s.Check("Basic x", "POST", "/wsman", nil)
		require.ErrorIs(t, err, ErrScheme)

		time.Sleep(time.Minute)
		require.ErrorIs(t, send(ch, vectorCredentials, 10, "c"), ErrStale, "too old")
		ch = s.Challenge(true)
		require.True(t, ch.Stale)
		require.NoError(t, send(ch, vectorCredentials, 1, "c"))
		s.Nonces.Forget()
		require.ErrorIs(t, send(ch, vectorCredentials, 2, "c"), ErrStale)
	})
}

// What is forgotten for want of room cannot be replayed.
func TestNoncesBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNonces(4, time.Hour)
		use := func(nonce, cnonce string) error {
			return n.Check(&Authorization{Nonce: nonce, QOP: Auth, NC: "00000001", CNonce: cnonce})
		}
		var nonces []string
		for range 6 {
			nonces = append(nonces, n.New())
			time.Sleep(time.Second)
			require.NoError(t, use(nonces[len(nonces)-1], "c"))
		}
		require.Len(t, n.used, 4)
		require.ErrorIs(t, use(nonces[0], "c"), ErrStale)
		require.ErrorIs(t, use(nonces[1], "c"), ErrStale)
		require.ErrorIs(t, use(nonces[2], "c"), ErrReplay)
		for i := range maxCNonces - 1 {
			require.NoError(t, use(nonces[5], fmt.Sprint(i)))
		}
		require.ErrorIs(t, use(nonces[5], "one more"), ErrStale)
		for range 100000 / 100 {
			n.New() // asking takes no room
		}
		require.Len(t, n.used, 4)
	})
}

func FuzzChallenge(f *testing.F) {
	f.Add(`Digest realm="Digest:2517B2332AFD88353D5F5FD352697901", nonce="QYePBLMVAAAAAAAAjfXveceOM5bNfu/K",stale="false",qop="auth-int, auth"`)
	f.Add(`Negotiate abc==, Digest realm=r,nonce=n==,qop=auth-int, auth,algorithm=SHA-256,opaque="\"x"`)
	f.Fuzz(func(t *testing.T, header string) {
		c, err := ParseChallenge(header)
		if err != nil {
			return
		}
		a := c.Authorize(&vectorCredentials, "POST", "/wsman", []byte("x"), 1, "c")
		if len(c.String()) > maxHeader || len(a.Append(nil)) > maxHeader {
			return // grown by quotes, or by what else an answer has
		}
		again, err := ParseChallenge(c.String())
		if err != nil || again != c {
			t.Fatalf("%+v became %+v, %v", c, again, err)
		}
		b, err := ParseAuthorization(string(a.Append(nil)))
		if err != nil || !b.Verify(&vectorCredentials, "POST", []byte("x")) {
			t.Fatalf("%q: %v", a.Append(nil), err)
		}
	})
}

func FuzzAuthorization(f *testing.F) {
	f.Add(`Digest username="admin",realm="Digest:00",nonce="abc",uri="/wsman",qop=auth-int,response="00",nc=00000001,cnonce="c"`)
	f.Add(`Digest username="admin",realm="r",nonce="abc",uri="/wsman",qop="auth",response="00",nc="6",cnonce="c"`)
	s := testServer()
	f.Fuzz(func(t *testing.T, header string) {
		if user, err := s.Check(header, "POST", "/wsman", nil); err == nil {
			t.Fatalf("%q got in with %q", user, header)
		}
		a, err := ParseAuthorization(header)
		if err != nil {
			return
		}
		if _, err := a.Count(); err != nil || len(a.Append(nil)) > maxHeader {
			return // digits are all that a count is written with
		}
		if a.QOP == None {
			a.NC, a.CNonce = "", "" // not part of it
		}
		if again, err := ParseAuthorization(string(a.Append(nil))); err != nil || again != a {
			t.Fatalf("%#q became %#q, %v", a.Append(nil), again.Append(nil), err)
		}
	})
}
