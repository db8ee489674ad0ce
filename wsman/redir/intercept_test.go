package redir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman/digest"
)

const (
	testNonce     = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
	testChallenge = `Digest realm="` + testRealm + `", nonce="` + testNonce + `",stale="false",qop="auth-int, auth"`
)

// feed gives an interceptor's direction src in one piece, or byte by byte.
func feed(direction func(dst, src []byte) ([]byte, error), src string, bytewise bool) (string, error) {
	if !bytewise {
		out, err := direction(nil, []byte(src))
		return string(out), err
	}
	var out []byte
	var err error
	for i := 0; i < len(src) && err == nil; i++ {
		out, err = direction(out, []byte{src[i]})
	}
	return string(out), err
}

func testHTTP(change func(*HTTPInterceptorConfig)) *HTTPInterceptor {
	cfg := HTTPInterceptorConfig{Credentials: testCredentials(), Memory: new(Memory), Key: "device:16992"}
	if change != nil {
		change(&cfg)
	}
	return NewHTTPInterceptor(cfg)
}

// authorization cuts the field out of a request, and checks that its response is the stored credentials'.
func authorization(t testing.TB, request, method, uri string) (digest.Authorization, string) {
	t.Helper()
	line, value, ok := "", "", false
	for _, line = range strings.Split(request, "\r\n") {
		if value, ok = strings.CutPrefix(line, "Authorization: "); ok {
			break
		}
	}
	require.True(t, ok, request)
	a, err := digest.ParseAuthorization(value)
	require.NoError(t, err)
	require.True(t, a.Verify(&digest.Credentials{Username: "admin", Password: NewSecret(testPassword)}, method, nil))
	require.Equal(t, uri, a.URI)
	require.Equal(t, testRealm, a.Realm)
	rest := strings.Replace(request, line+"\r\n", "", 1)
	require.NotContains(t, strings.ToLower(rest), "authorization")
	return a, rest
}

func TestHTTPInterceptor(t *testing.T) {
	const (
		request  = "POST /wsman HTTP/1.1\r\nHost: node//x@y:16992\r\nAUTHORIZATION: Digest username=\"mallory\"\r\nContent-Length: 4\r\n\r\n<x/>"
		bare     = "POST /wsman HTTP/1.1\r\nHost: node//x@y:16992\r\nContent-Length: 4\r\n\r\n<x/>"
		refused  = "HTTP/1.1 401 Unauthorized\r\nServer: AMT\r\nWWW-Authenticate: " + testChallenge + "\r\nContent-Length: 0\r\n\r\n"
		accepted = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
	)
	for _, bytewise := range []bool{false, true} {
		t.Run(fmt.Sprint("bytewise ", bytewise), func(t *testing.T) {
			memory := new(Memory)
			same := func(c *HTTPInterceptorConfig) { c.Memory = memory }
			i := testHTTP(same)
			// Without a challenge the operator's field is taken away and nothing put in its place.
			got, err := feed(i.FromOperator, request, bytewise)
			require.NoError(t, err)
			require.Equal(t, bare, got)
			got, err = feed(i.FromDevice, refused, bytewise)
			require.NoError(t, err)
			require.Equal(t, refused, got)

			// The device has closed the connection; on the next one the stored credentials go with the first request.
			i = testHTTP(same)
			got, err = feed(i.FromOperator, request, bytewise)
			require.NoError(t, err)
			a, rest := authorization(t, got, "POST", "/wsman")
			require.Equal(t, bare, rest)
			require.Equal(t, digest.Auth, a.QOP) // though auth-int is offered
			require.Equal(t, "00000001", a.NC)
			require.Len(t, a.CNonce, 10)
			got, err = feed(i.FromDevice, accepted, bytewise)
			require.NoError(t, err)
			require.Equal(t, accepted, got)

			// The count goes up, with a GET too; two at once are two.
			got, err = feed(i.FromOperator, "GET /index.htm HTTP/1.1\r\n\r\n"+request, bytewise)
			require.NoError(t, err)
			first, second, _ := strings.Cut(got, "\r\n\r\n")
			b, _ := authorization(t, first+"\r\n\r\n", "GET", "/index.htm")
			require.Equal(t, "00000002", b.NC)
			require.Equal(t, a.CNonce, b.CNonce)
			c, _ := authorization(t, second, "POST", "/wsman")
			require.Equal(t, "00000003", c.NC)

			// Another connection starts from 1, with a client nonce of its own.
			got, err = feed(testHTTP(same).FromOperator, request, bytewise)
			require.NoError(t, err)
			d, _ := authorization(t, got, "POST", "/wsman")
			require.Equal(t, "00000001", d.NC)
			require.NotEqual(t, a.CNonce, d.CNonce)
		})
	}
}

// TestHTTPBodies has bodies of every kind followed by a request whose credentials have to be found.
func TestHTTPBodies(t *testing.T) {
	const next = "POST /wsman HTTP/1.1\r\nauthorization: Basic eDp5\r\nContent-Length: 0\r\n\r\n"
	const clean = "POST /wsman HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
	long := strings.Repeat("Authorization: x\r\n\r\n", 5000)
	for name, request := range map[string]string{
		"none":           "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"none, 1.0":      "GET / HTTP/1.0\r\n\r\n",
		"empty":          "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
		"length":         "POST / HTTP/1.1\r\ncontent-LENGTH:  5 \r\n\r\nhello",
		"a long one":     "POST / HTTP/1.1\r\nContent-Length: " + strconv.Itoa(len(long)) + "\r\n\r\n" + long,
		"chunks":         "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n5;a=b\r\nhello\r\n1A\r\nAuthorization: x\r\n\r\n012345\r\n0\r\n\r\n",
		"a trailer":      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n000\r\nA: b\r\nC: d\r\n\r\n",
		"a strange path": "GET /?x=%22&y='z' HTTP/1.1\r\n\r\n",
	} {
		for _, bytewise := range []bool{false, true} {
			got, err := feed(testHTTP(nil).FromOperator, request+next, bytewise)
			require.NoError(t, err, name)
			require.Equal(t, request+clean, got, name)
		}
	}
}

func TestHTTPAnswers(t *testing.T) {
	for name, c := range map[string]struct{ request, answer string }{
		"length":           {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"},
		"chunks":           {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
		"continue":         {"POST", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"},
		"head":             {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"},
		"no content":       {"GET", "HTTP/1.1 204 No Content\r\n\r\n"},
		"not modified":     {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n"},
		"no reason":        {"GET", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"},
		"unasked, at last": {"", "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"},
		"to the end":       {"GET", "HTTP/1.0 200 OK\r\nServer: x\r\n\r\nHTTP/1.1 401 no head\r\n\r\nnot one either"},
	} {
		for _, bytewise := range []bool{false, true} {
			i := testHTTP(nil)
			if c.request != "" {
				_, err := feed(i.FromOperator, c.request+" / HTTP/1.1\r\n\r\n", bytewise)
				require.NoError(t, err, name)
			}
			answers := c.answer
			if name != "to the end" {
				_, err := feed(i.FromOperator, "GET / HTTP/1.1\r\n\r\n", bytewise)
				require.NoError(t, err, name)
				answers += "HTTP/1.1 401 X\r\nContent-Length: 0\r\nWWW-Authenticate: " + testChallenge + "\r\n\r\n"
			}
			got, err := feed(i.FromDevice, answers, bytewise)
			require.NoError(t, err, name)
			require.Equal(t, answers, got, name)
			known, _ := i.cfg.Memory.known("device:16992", testCredentials())
			require.Equal(t, name != "to the end", known != nil, name)
		}
	}
}

func TestHTTPChallenges(t *testing.T) {
	for name, c := range map[string]struct {
		fields string
		want   string // in the field that is put in; nothing for none
	}{
		"firmware":                {"WWW-Authenticate: " + testChallenge, "qop=auth,"},
		"auth-int alone":          {`WWW-Authenticate: Digest realm="` + testRealm + `",nonce="n",qop="auth-int"`, "qop=auth,"},
		"none of them":            {`WWW-Authenticate: Digest realm="` + testRealm + `",nonce="n"`, `nonce="n"`},
		"SHA-256":                 {`WWW-Authenticate: Digest realm="` + testRealm + `",nonce="n",qop="auth",algorithm=SHA-256`, "SHA-256"},
		"opaque":                  {`WWW-Authenticate: Digest realm="` + testRealm + `",nonce="n",qop="auth",opaque="o\"p"`, `opaque="o\"p"`},
		"after another one":       {"WWW-Authenticate: Negotiate\r\nwww-authenticate: " + testChallenge, "qop=auth,"},
		"another kind":            {"WWW-Authenticate: Basic realm=\"x\"", ""},
		"unknown algorithm":       {`WWW-Authenticate: Digest realm="r",nonce="n",algorithm=X`, ""},
		"too long to be kept":     {`WWW-Authenticate: Digest realm="` + testRealm + `",qop="auth",nonce="` + strings.Repeat("n", 2000) + `"`, ""},
		"without a nonce":         {`WWW-Authenticate: Digest realm="r"`, ""},
		"garbage":                 {`WWW-Authenticate: Digest "=,"="`, ""},
		"no field at all for 401": {"Server: x", ""},
	} {
		i := testHTTP(nil)
		_, err := feed(i.FromOperator, "GET / HTTP/1.1\r\n\r\n", false)
		require.NoError(t, err)
		_, err = feed(i.FromDevice, "HTTP/1.1 401 X\r\nContent-Length: 0\r\n"+c.fields+"\r\n\r\n", false)
		require.NoError(t, err, name)
		got, err := feed(i.FromOperator, "GET / HTTP/1.1\r\n\r\n", false)
		require.NoError(t, err, name)
		require.Contains(t, got, c.want, name)
		require.Equal(t, c.want != "", strings.Contains(got, "Authorization: "), name)
		if c.want != "" {
			authorization(t, got, "GET", "/")
		}
	}
}

// TestHTTPRealm: nothing made of the password leaves for another realm than the pinned one.
func TestHTTPRealm(t *testing.T) {
	i := testHTTP(func(c *HTTPInterceptorConfig) { c.Credentials.Realm = "Digest:F" })
	_, err := feed(i.FromDevice, "HTTP/1.1 401 X\r\nContent-Length: 0\r\nWWW-Authenticate: "+testChallenge+"\r\n\r\n", false)
	require.NoError(t, err)
	got, err := feed(i.FromOperator, "GET / HTTP/1.1\r\n\r\n", false)
	require.ErrorIs(t, err, ErrRealm)
	require.Empty(t, got)
}

func TestHTTPBlockStorage(t *testing.T) {
	i := testHTTP(func(c *HTTPInterceptorConfig) { c.BlockStorage = true })
	_, err := feed(i.FromDevice, "HTTP/1.1 401 X\r\nContent-Length: 0\r\nWWW-Authenticate: "+testChallenge+"\r\n\r\n", false)
	require.NoError(t, err)
	got, err := feed(i.FromOperator, "GET /amt-storage/x HTTP/1.1\r\n\r\n", false)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(got, "GET /amt-dummy-storage/x HTTP/1.1\r\n"), got)
	authorization(t, got, "GET", "/amt-dummy-storage/x")
}

// TestHTTPStrict has what could hide a request from the interceptor, or cost it memory.
func TestHTTPStrict(t *testing.T) {
	for name, request := range map[string]string{
		"binary":                   "\x16\x03\x01\x02\x00",
		"a word":                   "HELO x\r\n\r\n",
		"no end of the method":     strings.Repeat("A", maxMethod+1),
		"no end of the head":       "GET / HTTP/1.1\r\nA: " + strings.Repeat("x", MaxHead),
		"many fields":              "GET / HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", MaxHead/6+1),
		"connect":                  "CONNECT x:1 HTTP/1.1\r\n\r\n",
		"HTTP/2":                   "PRI * HTTP/2.0\r\n\r\n",
		"two spaces":               "GET  / HTTP/1.1\r\n\r\n",
		"a quote in the target":    "GET /\" HTTP/1.1\r\n\r\n",
		"two lengths":              "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
		"length and chunks":        "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"a signed length":          "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
		"an enormous length":       "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"another encoding":         "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"a folded line":            "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
		"a space before the colon": "GET / HTTP/1.1\r\nContent-Length : 5\r\n\r\n",
		"a bare line feed":         "GET / HTTP/1.1\r\nA: b\nAuthorization: x\r\n\r\n",
		"a bare carriage return":   "GET / HTTP/1.1\r\nA: b\rAuthorization: x\r\n\r\n",
		"a zero":                   "GET / HTTP/1.1\r\nA: \x00\r\n\r\n",
		"no chunk size":            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
		"an empty chunk size":      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
		"a signed chunk size":      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\n",
		"a long chunk size":        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("0", 300),
		"a chunk beyond its size":  "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n",
		"a wrong trailer":          "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx y\r\n\r\n",
		"an endless trailer":       "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("A: b\r\n", MaxHead/6+1),
		"requests without answers": strings.Repeat("GET / HTTP/1.1\r\n\r\n", maxPipelined+1),
	} {
		for _, bytewise := range []bool{false, true} {
			i := testHTTP(nil)
			_, err := feed(i.FromOperator, request, bytewise)
			require.Error(t, err, name)
			require.True(t, errors.Is(err, ErrProtocol) || errors.Is(err, ErrTooLarge), name)
			require.Less(t, len(err.Error()), 300)
			_, again := feed(i.FromOperator, "GET / HTTP/1.1\r\n\r\n", false)
			require.Equal(t, err, again, name)
			_, again = feed(i.FromDevice, "HTTP/1.1 200 OK\r\n\r\n", false)
			require.Equal(t, err, again, name)
		}
	}
	for name, answer := range map[string]string{
		"binary":      "\x16\x03\x01",
		"a word":      "HTTP/1x200",
		"HTTP/2":      "HTTP/2 200 OK\r\n\r\n",
		"status":      "HTTP/1.1 2x0 OK\r\n\r\n",
		"status 0":    "HTTP/1.1 000 OK\r\n\r\n",
		"upgrade":     "HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"two lengths": "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
	} {
		_, err := feed(testHTTP(nil).FromDevice, answer, true)
		require.ErrorIs(t, err, ErrProtocol, name)
	}
}

// operatorLogin is what an operator with credentials of his own sends.
func operatorLogin(t testing.TB, challenge *DigestChallenge) string {
	t.Helper()
	b, err := appendDigest(nil, &DigestResponse{Username: "mallory", URI: authURI})
	if challenge != nil {
		foreign := Credentials{Username: "mallory", Password: NewSecret("foreign")}
		d, _ := answer(foreign, challenge, "0123456789", "00000002")
		b, err = appendDigest(nil, d)
	}
	require.NoError(t, err)
	return string(b)
}

func TestRedirInterceptor(t *testing.T) {
	for _, bytewise := range []bool{false, true} {
		i := NewRedirInterceptor(RedirInterceptorConfig{Credentials: testCredentials()})
		server := testServer(nil)
		// device passes what the interceptor lets through to the device, and back.
		device := func(src string) (string, error) {
			through, err := feed(i.FromOperator, src, bytewise)
			require.NoError(t, err)
			m, n, err := NewParser(Operator).Next([]byte(through))
			require.NoError(t, err)
			require.Equal(t, len(through), n)
			out, _, err := server.Receive(nil, m)
			if err != nil {
				return "", err
			}
			back, err := feed(i.FromDevice, string(out), bytewise)
			require.Equal(t, string(out), back) // answers are passed as they are
			return back, err
		}
		_, err := device(string(StartSession{SOL}.Append(nil)))
		require.NoError(t, err)
		require.Equal(t, SOL, i.Session())
		_, err = device(string(AuthRequest{Type: AuthQuery}.Append(nil)))
		require.NoError(t, err)
		back, err := device(operatorLogin(t, nil))
		require.NoError(t, err)
		var reply AuthReply
		require.NoError(t, reply.Parse(Message(back)))
		var challenge DigestChallenge
		require.NoError(t, challenge.Parse(reply.Data))
		require.False(t, i.Authenticated())
		_, err = device(operatorLogin(t, &challenge))
		require.NoError(t, err)
		require.Equal(t, "admin", server.Username())
		require.True(t, i.Authenticated())
		// From here on anything goes.
		for _, direction := range []func(dst, src []byte) ([]byte, error){i.FromOperator, i.FromDevice} {
			got, err := feed(direction, "\x00\xFFanything\x13", bytewise)
			require.NoError(t, err)
			require.Equal(t, "\x00\xFFanything\x13", got)
		}
	}
}

// TestRedirInterceptorForm: a client nonce of ten digits and a count of eight, as interceptor.js sends.
func TestRedirInterceptorForm(t *testing.T) {
	i := NewRedirInterceptor(RedirInterceptorConfig{Credentials: testCredentials()})
	data, err := DigestChallenge{testRealm, testNonce, "auth"}.Append(nil)
	require.NoError(t, err)
	_, err = i.FromDevice(nil, AuthReply{Status: AuthFailed, Type: AuthDigest, Data: data}.Append(nil))
	require.NoError(t, err)
	got, err := feed(i.FromOperator, operatorLogin(t, nil), false)
	require.NoError(t, err)
	var request AuthRequest
	require.NoError(t, request.Parse(Message(got)))
	var d DigestResponse
	require.NoError(t, d.Parse(request.Data))
	require.Equal(t, "00000001", d.NC)
	require.Len(t, d.CNonce, 10)
	require.Equal(t, testResponse(&d), d.Response)
	_, err = feed(i.FromOperator, operatorLogin(t, nil), false)
	require.ErrorIs(t, err, ErrProtocol) // before the device has answered
}

// TestRedirInterceptorEarly: what the operator sent ahead of the device's word is passed on with what comes after it.
func TestRedirInterceptorEarly(t *testing.T) {
	i := NewRedirInterceptor(RedirInterceptorConfig{Credentials: testCredentials()})
	got, err := feed(i.FromOperator, "\x13\x00\x00", false)
	require.NoError(t, err)
	require.Empty(t, got)
	_, err = i.FromDevice(nil, AuthReply{Type: AuthDigest}.Append(nil))
	require.NoError(t, err)
	got, err = feed(i.FromOperator, "x", false)
	require.NoError(t, err)
	require.Equal(t, "\x13\x00\x00x", got)
}

func TestRedirInterceptorRefusals(t *testing.T) {
	data, err := DigestChallenge{testRealm, testNonce, "auth"}.Append(nil)
	require.NoError(t, err)
	refused := AuthReply{Status: AuthFailed, Type: AuthDigest, Data: data}.Append(nil)
	t.Run("wrong password", func(t *testing.T) {
		i := NewRedirInterceptor(RedirInterceptorConfig{Credentials: testCredentials()})
		_, err := i.FromDevice(nil, refused)
		require.NoError(t, err)
		_, err = feed(i.FromOperator, operatorLogin(t, nil), false)
		require.NoError(t, err)
		got, err := i.FromDevice(nil, refused)
		require.ErrorIs(t, err, ErrCredentials)
		require.Equal(t, refused, got) // the operator hears of it
		for range 3 {
			got, err = i.FromOperator(nil, []byte(operatorLogin(t, nil)))
			require.ErrorIs(t, err, ErrCredentials)
			require.Empty(t, got)
		}
	})
	t.Run("realm", func(t *testing.T) {
		c := testCredentials()
		c.Realm = "Digest:F"
		i := NewRedirInterceptor(RedirInterceptorConfig{Credentials: c})
		_, err := i.FromDevice(nil, refused)
		require.NoError(t, err)
		got, err := feed(i.FromOperator, operatorLogin(t, nil), false)
		require.ErrorIs(t, err, ErrRealm)
		require.Empty(t, got)
	})
	t.Run("password of the operator's own", func(t *testing.T) {
		for _, kind := range []AuthType{AuthPassword, AuthKerberos, AuthOldDigest, 99} {
			i := NewRedirInterceptor(RedirInterceptorConfig{Credentials: testCredentials()})
			got, err := i.FromOperator(nil, AuthRequest{Type: kind, Data: []byte("\x01a\x01b")}.Append(nil))
			require.ErrorIs(t, err, ErrAuthType)
			require.Empty(t, got)
		}
	})
	t.Run("busy", func(t *testing.T) { // interceptor.js swallows it
		got, err := NewRedirInterceptor(RedirInterceptorConfig{Credentials: testCredentials()}).FromDevice(nil, []byte{0x11, 2, 0, 0})
		require.NoError(t, err)
		require.Equal(t, []byte{0x11, 2, 0, 0}, got)
	})
	t.Run("garbage", func(t *testing.T) {
		i := NewRedirInterceptor(RedirInterceptorConfig{Credentials: testCredentials()})
		_, err := i.FromOperator(nil, []byte("GET / HTTP/1.1\r\n"))
		require.ErrorIs(t, err, ErrProtocol)
		_, err = i.FromDevice(nil, []byte{0x11, 2, 0, 0})
		require.ErrorIs(t, err, ErrProtocol)
		_, err = NewRedirInterceptor(RedirInterceptorConfig{Credentials: testCredentials()}).FromDevice(nil, []byte{0x2A})
		require.ErrorIs(t, err, ErrProtocol)
		_, err = NewRedirInterceptor(RedirInterceptorConfig{Credentials: testCredentials()}).FromOperator(nil, unhex(t, "13 00 00 00 04 FF FF FF 7F"))
		require.ErrorIs(t, err, ErrTooLarge)
	})
}

// TestIntercept runs a session with foreign credentials through the driver.
func TestIntercept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		device, ended := serve(t, testDevice(nil))
		operator, middle := net.Pipe()
		done := make(chan error, 1)
		go func() {
			done <- Intercept(context.Background(), middle, device, NewRedirInterceptor(RedirInterceptorConfig{Credentials: testCredentials()}))
		}()
		s, err := OpenSOL(t.Context(), operator, SOLConfig{Config: Config{Credentials: Credentials{Username: "mallory", Password: NewSecret("foreign")}}})
		require.NoError(t, err)
		_, err = s.Write([]byte("hello"))
		require.NoError(t, err)
		b := make([]byte, 5)
		_, err = io.ReadFull(s, b)
		require.NoError(t, err)
		require.Equal(t, "hello", string(b))
		require.NoError(t, s.Close())
		require.NoError(t, <-done)
		require.NoError(t, <-ended)
	})
}

func TestInterceptEnds(t *testing.T) {
	type pipe struct{ operator, device net.Conn }
	start := func(ctx context.Context, i Interceptor) (pipe, <-chan error) {
		operator, a := net.Pipe()
		b, device := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- Intercept(ctx, a, b, i) }()
		return pipe{operator, device}, done
	}
	t.Run("context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		_, done := start(ctx, NewRedirInterceptor(RedirInterceptorConfig{Credentials: testCredentials()}))
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
	t.Run("operator", func(t *testing.T) {
		p, done := start(t.Context(), testHTTP(nil))
		require.NoError(t, p.operator.Close())
		require.NoError(t, <-done)
		_, err := p.device.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
	})
	t.Run("device", func(t *testing.T) {
		p, done := start(t.Context(), testHTTP(nil))
		go func() {
			_, _ = p.device.Write([]byte("HTTP/1.1 200 OK\r\n\r\nto the end"))
			_ = p.device.Close()
		}()
		got, err := io.ReadAll(p.operator)
		require.NoError(t, err)
		require.Equal(t, "HTTP/1.1 200 OK\r\n\r\nto the end", string(got))
		require.NoError(t, <-done)
	})
	t.Run("refusal", func(t *testing.T) {
		p, done := start(t.Context(), testHTTP(nil))
		_, err := p.operator.Write([]byte("\x00"))
		require.NoError(t, err)
		require.ErrorIs(t, <-done, ErrProtocol)
	})
}

// garbage is what an operator who means harm sends.
func garbage(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(b)
	return b
}

// TestGarbageIsCheap: neither kind of interceptor keeps anything of it.
func TestGarbageIsCheap(t *testing.T) {
	noise := garbage(1 << 20)
	letters := bytes.Repeat([]byte("A"), 1<<20)
	dribble := bytes.Repeat([]byte("GET / HTTP/1.1\r\nA: b\r\n"), 1<<15)
	for name, b := range map[string][]byte{"noise": noise, "letters": letters, "a head without an end": dribble} {
		h, r := testHTTP(nil), NewRedirInterceptor(RedirInterceptorConfig{Credentials: testCredentials()})
		for rest := b; len(rest) > 0; rest = rest[min(len(rest), 1000):] {
			piece := rest[:min(len(rest), 1000)]
			for _, direction := range []func(dst, src []byte) ([]byte, error){h.FromOperator, h.FromDevice, r.FromOperator, r.FromDevice} {
				out, _ := direction(nil, piece)
				require.Less(t, len(out), MaxHead, name)
			}
		}
		require.Zero(t, cap(h.requests.buf)+cap(h.answers.buf), name)
		require.Nil(t, r.operator, name)
		require.Nil(t, r.device, name)
	}
}

// challenged returns an interceptor that knows what the device asks for.
func challenged(t *testing.T, change func(*HTTPInterceptorConfig)) *HTTPInterceptor {
	t.Helper()
	i := testHTTP(change)
	_, err := feed(i.FromDevice, "HTTP/1.1 401 X\r\nContent-Length: 0\r\nWWW-Authenticate: "+testChallenge+"\r\n\r\n", false)
	require.NoError(t, err)
	return i
}

func TestHTTPBlockStorageForms(t *testing.T) {
	for target, want := range map[string]string{
		"/amt-storage":                    "/amt-dummy-storage",
		"/amt-storage/a?b":                "/amt-dummy-storage/a?b",
		"/amt-storage/../amt-storage/":    "/amt-dummy-storage",
		"/amt-storage/%2e./%61mt-storage": "/amt-dummy-storage",
		"/AMT-Storage/a":                  "/amt-dummy-storage",
		"//amt-storage/a":                 "/amt-dummy-storage",
		"/./amt-storage/a":                "/amt-dummy-storage",
		"/x/../amt-storage/a":             "/amt-dummy-storage",
		"/%61mt-storage/a":                "/amt-dummy-storage",
		"/%2561mt-storage/a":              "/amt-dummy-storage",
		"/x%2F..%2Famt-storage/":          "/amt-dummy-storage",
		"/amt%2dstorage":                  "/amt-dummy-storage",
		"/%zzamt-storage":                 "/amt-dummy-storage",
		"/wsman":                          "/wsman",
		"/index.htm?amt-storage":          "/index.htm?amt-storage",
		"/%zz":                            "/%zz",
	} {
		i := challenged(t, func(c *HTTPInterceptorConfig) { c.BlockStorage = true })
		got, err := feed(i.FromOperator, "GET "+target+" HTTP/1.1\r\n\r\n", false)
		require.NoError(t, err, target)
		authorization(t, got, "GET", want)
	}
}

func TestHTTPStrictTargets(t *testing.T) {
	for name, request := range map[string]string{
		"a whole address":       "GET http://user:secretword@x/amt-storage HTTP/1.1\r\n\r\n",
		"an authority":          "GET x:16992 HTTP/1.1\r\n\r\n",
		"an echo":               "TRACE / HTTP/1.1\r\n\r\n",
		"another echo":          "trace / HTTP/1.1\r\n\r\n",
		"chunks in 1.0":         "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"credentials in a tail": "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: secretword\r\n\r\n",
		"a length in a tail":    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\ncontent-length: 1\r\n\r\n",
		"a folded secret":       "GET / HTTP/1.1\r\nAuthorization: Digest a=b\r\n response=\"secretword\"\r\n\r\n",
		"a spaced secret":       "GET / HTTP/1.1\r\nAuthorization : Basic secretword\r\n\r\n",
		"a secret for a size":   "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nsecretword\r\n",
		"a secret for a target": "GET /?\"secretword HTTP/1.1\r\n\r\n",
	} {
		for _, bytewise := range []bool{false, true} {
			_, err := feed(challenged(t, nil).FromOperator, request, bytewise)
			require.ErrorIs(t, err, ErrProtocol, name)
			require.NotContains(t, err.Error(), "secretword", name)
		}
	}
	_, err := feed(challenged(t, nil).FromOperator, "OPTIONS * HTTP/1.1\r\n\r\n", false)
	require.NoError(t, err)
}

// TestHTTPExpired: many connections that come with an expired nonce at once are no wrong password.
func TestHTTPExpired(t *testing.T) {
	memory := new(Memory)
	open := func() *HTTPInterceptor {
		i := testHTTP(func(c *HTTPInterceptorConfig) { c.Memory = memory })
		_, err := feed(i.FromOperator, "GET / HTTP/1.1\r\n\r\n", false)
		require.NoError(t, err)
		return i
	}
	answer := func(i *HTTPInterceptor, status, nonce string) {
		_, err := feed(i.FromDevice, "HTTP/1.1 "+status+" X\r\nContent-Length: 0\r\nWWW-Authenticate: Digest realm=\""+testRealm+"\", nonce=\""+nonce+"\", qop=\"auth\"\r\n\r\n", false)
		require.NoError(t, err)
	}
	answer(open(), "401", "first")
	answer(open(), "200", "first")
	var all []*HTTPInterceptor
	for range 6 {
		all = append(all, open())
	}
	for n, i := range all {
		answer(i, "401", string(rune('a'+n)))
	}
	answer(open(), "200", "f")
}

// TestHTTPAuthenticationInfo: what proves the device's knowledge of the password is made of it, so the operator does not get it.
func TestHTTPAuthenticationInfo(t *testing.T) {
	i := challenged(t, nil)
	_, err := feed(i.FromOperator, "GET / HTTP/1.1\r\n\r\n", false)
	require.NoError(t, err)
	got, err := feed(i.FromDevice, "HTTP/1.1 200 OK\r\nA: b\r\nauthentication-INFO: rspauth=\"x\"\r\nContent-Length: 2\r\n\r\nok", true)
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nok", got)
}
