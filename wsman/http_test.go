package wsman

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// readHTTP reads one answer, and what follows it.
func readHTTP(r io.Reader, limit int) (*httpResponse, string, string, error) {
	br := bufio.NewReaderSize(r, maxLine)
	rr := &responseReader{br: br}
	resp, err := rr.header()
	if err != nil {
		return nil, "", "", err
	}
	body, err := rr.body(resp, nil, limit)
	if err != nil {
		return resp, string(body), "", err
	}
	rest, err := io.ReadAll(br)
	return resp, string(body), string(rest), err
}

const chunkedSample = "HTTP/1.1 200 OK\r\nDate: Mon, 20 Mar 2023 22:48:10 GMT\r\nServer: Intel(R) Active Management Technology 14.0.39.1339\r\n" +
	"Transfer-Encoding: chunked\r\n\r\n0005\r\nhello\r\n001;x=y\r\n,\r\n0006 \r\n world\r\n0000\r\nTrailer: x\r\n\r\nnext"

// However the bytes come, the answer is the same; and no prefix of it is one.
func TestHTTPSplits(t *testing.T) {
	for _, wrap := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader, func(r io.Reader) io.Reader { return r }} {
		resp, body, rest, err := readHTTP(wrap(strings.NewReader(chunkedSample)), 100)
		require.NoError(t, err)
		require.Equal(t, "hello, world", body)
		require.Equal(t, "next", rest)
		require.Equal(t, 200, resp.status)
		require.False(t, resp.close)
		require.Equal(t, "14.0.39.1339", ServerVersion(resp.server))
	}
	end := len(chunkedSample) - len("next")
	for i := range end {
		_, body, rest, err := readHTTP(io.MultiReader(strings.NewReader(chunkedSample[:i]), strings.NewReader(chunkedSample[i:])), 100)
		require.NoError(t, err)
		require.Equal(t, "hello, world", body)
		require.Equal(t, "next", rest)
		_, _, _, err = readHTTP(strings.NewReader(chunkedSample[:i]), 100)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d", i)
	}
}

func TestHTTPForms(t *testing.T) {
	for name, c := range map[string]struct {
		raw, body, rest string
		status          int
		close           bool
	}{
		"length":               {"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcd", "abc", "d", 200, false},
		"bare line ends":       {"HTTP/1.1 200 OK\nContent-Length:3\n\nabcd", "abc", "d", 200, false},
		"to the end":           {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcd", "abcd", "", 200, true},
		"to the end, unsaid":   {"HTTP/1.1 200\r\n\r\nabcd", "abcd", "", 200, true},
		"1.0":                  {"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabcd", "abc", "d", 200, true},
		"1.0, kept":            {"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 3\r\n\r\nabcd", "abc", "d", 200, false},
		"close and length":     {"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 3\r\n\r\nabc", "abc", "", 200, true},
		"chunks and close":     {"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: Chunked\r\n\r\n0003\r\nabc\r\n0\r\n\r\n", "abc", "", 200, true},
		"chunks and a length":  {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "abc", "", 200, true},
		"no chunk":             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0000\r\n\r\n", "", "", 200, false},
		"continue":             {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc", "", 200, false},
		"no content":           {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\nx", "", "x", 204, false},
		"identity":             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc", "abc", "", 200, false},
		"close, and not":       {"HTTP/1.1 200 OK\r\nConnection: close, keep-alive\r\nContent-Length: 3\r\n\r\nabc", "abc", "", 200, true},
		"length twice":         {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "abc", "", 200, false},
		"a line that goes on":  {"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 3\r\n\r\nabc", "abc", "", 200, false},
		"end of another in it": {"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n0\r\n\r\n</html>0\r\n\r\n", "0\r\n\r\n</html>0\r\n\r", "\n", 200, false},
	} {
		resp, body, rest, err := readHTTP(strings.NewReader(c.raw), 100)
		require.NoError(t, err, name)
		require.Equal(t, c.body, body, name)
		require.Equal(t, c.rest, rest, name)
		require.Equal(t, c.status, resp.status, name)
		require.Equal(t, c.close, resp.close, name)
	}
	resp, _, _, err := readHTTP(strings.NewReader(unauthorized("Digest realm=\"r\"")), 100)
	require.NoError(t, err)
	require.Equal(t, []string{`Digest realm="r"`}, resp.challenges)
	require.True(t, resp.close)
}

func TestHostileHTTP(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for raw, want := range map[string]error{
		"SSH-2.0-x\r\n":                                                                  ErrMalformed,
		"HTTP/2.0 200 OK\r\n\r\n":                                                        ErrMalformed,
		"HTTP/1.1 2000 OK\r\n\r\n":                                                       ErrMalformed,
		"HTTP/1.1 -12 OK\r\n\r\n":                                                        ErrMalformed,
		"HTTP/1.1 099 OK\r\n\r\n":                                                        ErrMalformed,
		ok + "nonsense\r\n\r\n":                                                          ErrMalformed,
		ok + "Content-Length: -1\r\n\r\n":                                                ErrMalformed,
		ok + "Content-Length: +1\r\n\r\n":                                                ErrMalformed,
		ok + "Content-Length: 0x1\r\n\r\n":                                               ErrMalformed,
		ok + "Content-Length: 99999999999999999999999\r\n\r\n":                           ErrMalformed,
		ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab":                          ErrMalformed,
		ok + "Content-Length: 101\r\n\r\n":                                               ErrTooLarge,
		ok + "Content-Length: 4611686018427387903\r\n\r\n":                               ErrTooLarge,
		ok + "Transfer-Encoding: gzip\r\n\r\n":                                           ErrMalformed,
		ok + "Transfer-Encoding: chunked\r\n\r\nx\r\n":                                   ErrMalformed,
		ok + "Transfer-Encoding: chunked\r\n\r\n-1\r\n":                                  ErrMalformed,
		ok + "Transfer-Encoding: chunked\r\n\r\n+1\r\n":                                  ErrMalformed,
		ok + "Transfer-Encoding: chunked\r\n\r\n\r\n":                                    ErrMalformed,
		ok + "Transfer-Encoding: chunked\r\n\r\n65\r\n":                                  ErrTooLarge,
		ok + "Transfer-Encoding: chunked\r\n\r\n3FFFFFFFFFFFFFFF\r\n":                    ErrTooLarge,
		ok + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n":                    ErrMalformed,
		ok + "Transfer-Encoding: chunked\r\n\r\n00000000000000001\r\n":                   ErrMalformed,
		ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n":                            ErrMalformed,
		ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("T: x\r\n", 100): ErrTooLarge,
		ok + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("32\r\n"+strings.Repeat("x", 50)+"\r\n", 3):     ErrTooLarge,
		ok + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1;"+strings.Repeat("y", 1000)+"\r\nx\r\n", 99): ErrTooLarge,
		ok + "Connection: close\r\n\r\n" + strings.Repeat("x", 1000):                                               ErrTooLarge,
		ok + strings.Repeat("X: y\r\n", 100) + "\r\n":                                                              ErrTooLarge,
		ok + "X: " + strings.Repeat("y", 5000) + "\r\n\r\n":                                                        ErrTooLarge,
		strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 10):                                                        ErrMalformed,
	} {
		_, body, _, err := readHTTP(strings.NewReader(raw), 100)
		if !errors.Is(err, want) {
			t.Errorf("%.80q: %v", raw, err)
		}
		require.Less(t, len(body), 4096+100)
	}
}

func FuzzHTTPResponse(f *testing.F) {
	f.Add([]byte(chunkedSample))
	f.Add([]byte(unauthorized(`Digest realm="r", nonce="n", qop="auth"`)))
	f.Add([]byte("HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nabc"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		const limit = 200
		resp, body, rest, err := readHTTP(strings.NewReader(string(raw)), limit)
		slow, body1, rest1, err1 := readHTTP(iotest.OneByteReader(strings.NewReader(string(raw))), limit)
		if (err == nil) != (err1 == nil) || err == nil && (body != body1 || rest != rest1 || resp.status != slow.status) {
			t.Fatalf("%q %q %v\nbyte by byte: %q %q %v", body, rest, err, body1, rest1, err1)
		}
		if err == nil && len(body) > limit {
			t.Fatalf("%d bytes", len(body))
		}
	})
}
