package wsman

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Bounds of what surrounds a body.
const (
	maxHeaderLines = 64
	maxLine        = 4096 // also the size of a connection's read buffer
	maxInterim     = 4    // answers 1xx before the answer
	maxRefusal     = 64 << 10
	maxChunkLines  = 64 << 10 // what the sizes of chunks may take beyond what chunks of some size need
)

// httpResponse is the header of an answer.
type httpResponse struct {
	status     int
	server     string
	challenges []string
	close      bool // the connection ends with this answer
	told       bool // which it said itself

	chunked bool
	length  int64 // -1: until the connection closes
}

// responseReader reads answers as firmware sends them: in chunks whose sizes have four digits, or with a length, or up to the
// end of the connection.
type responseReader struct {
	br *bufio.Reader
	// server is what the Server header was last, which saves making it anew.
	server string
}

func (rr *responseReader) line() ([]byte, error) {
	line, err := rr.br.ReadSlice('\n')
	if err != nil {
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("%w: a line of HTTP", ErrTooLarge)
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

// header reads up to the body.
func (rr *responseReader) header() (*httpResponse, error) {
	for range maxInterim {
		r, err := rr.oneHeader()
		if err != nil || r.status >= 200 {
			return r, err
		}
	}
	return nil, fmt.Errorf("%w: HTTP: too many interim answers", ErrMalformed)
}

func (rr *responseReader) oneHeader() (*httpResponse, error) {
	line, err := rr.line()
	if err != nil {
		return nil, err
	}
	r := &httpResponse{length: -1}
	version, rest, _ := bytes.Cut(line, []byte{' '})
	if len(version) != len("HTTP/1.1") || string(version[:7]) != "HTTP/1." {
		return nil, fmt.Errorf("%w: no HTTP: %s", ErrMalformed, quoted(string(line)))
	}
	r.close = version[7] == '0'
	code, _, _ := bytes.Cut(bytes.TrimLeft(rest, " "), []byte{' '})
	if len(code) != 3 || code[0] < '1' || code[0] > '9' || !isDigit(code[1]) || !isDigit(code[2]) {
		return nil, fmt.Errorf("%w: HTTP: status line %s", ErrMalformed, quoted(string(line)))
	}
	r.status = int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0')
	for range maxHeaderLines {
		if line, err = rr.line(); err != nil {
			return nil, err
		}
		if len(line) == 0 {
			r.settle()
			return r, nil
		}
		if line[0] == ' ' || line[0] == '\t' {
			continue // more of the line before it, which no header that matters here has
		}
		name, value, ok := bytes.Cut(line, []byte{':'})
		if !ok {
			return nil, fmt.Errorf("%w: HTTP: header line %s", ErrMalformed, quoted(string(line)))
		}
		if err := rr.field(r, name, bytes.TrimSpace(value)); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: more than %d lines of an HTTP header", ErrTooLarge, maxHeaderLines)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func (rr *responseReader) field(r *httpResponse, name, value []byte) error {
	switch {
	case equalFold(name, "Server"):
		if string(value) != rr.server {
			rr.server = string(value)
		}
		r.server = rr.server
	case equalFold(name, "WWW-Authenticate"):
		r.challenges = append(r.challenges, string(value))
	case equalFold(name, "Connection"):
		for token := range bytes.SplitSeq(value, []byte{','}) {
			token = bytes.TrimSpace(token)
			r.told = r.told || equalFold(token, "close")
			r.close = r.told || r.close && !equalFold(token, "keep-alive")
		}
	case equalFold(name, "Transfer-Encoding"):
		if !equalFold(value, "chunked") {
			if equalFold(value, "identity") {
				return nil
			}
			return fmt.Errorf("%w: HTTP: transfer encoding %s", ErrMalformed, quoted(string(value)))
		}
		r.chunked = true
	case equalFold(name, "Content-Length"):
		n, err := strconv.ParseUint(string(value), 10, 62)
		if err != nil || r.length >= 0 && r.length != int64(n) { //nolint:gosec // 62 bits
			return fmt.Errorf("%w: HTTP: length %s", ErrMalformed, quoted(string(value)))
		}
		r.length = int64(n) //nolint:gosec // 62 bits
	}
	return nil
}

// settle says how long the body is, by the header as a whole.
func (r *httpResponse) settle() {
	switch {
	case r.status < 200, r.status == 204, r.status == 304:
		r.chunked, r.length = false, 0
	case r.chunked && r.length >= 0:
		// Which of the two holds is a matter of opinion, so nothing may follow.
		r.length, r.close = -1, true
	case !r.chunked && r.length < 0:
		r.close = true
	}
}

// equalFold compares with a name in ASCII.
func equalFold(b []byte, name string) bool {
	return len(b) == len(name) && strings.EqualFold(string(b), name)
}

// body appends the body to b, which may grow by max bytes.
func (rr *responseReader) body(r *httpResponse, b []byte, max int) ([]byte, error) {
	limit := len(b) + max
	switch {
	case r.chunked:
		return rr.chunks(b, limit)
	case r.length >= 0:
		if r.length > int64(max) {
			return b, fmt.Errorf("%w: an answer of %d bytes", ErrTooLarge, r.length)
		}
		return rr.append(b, int(r.length))
	}
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := rr.br.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if len(b) > limit {
			return b, fmt.Errorf("%w: an answer of more than %d bytes", ErrTooLarge, max)
		}
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

// append reads exactly n bytes.
func (rr *responseReader) append(b []byte, n int) ([]byte, error) {
	// What was announced is made room for in steps, as it may never come.
	const step = 64 << 10
	for n > 0 {
		part := min(n, step)
		at := len(b)
		if cap(b)-at < part {
			grown := make([]byte, at, max(at+part, 2*cap(b)))
			copy(grown, b)
			b = grown
		}
		b = b[:at+part]
		if got, err := io.ReadFull(rr.br, b[at:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return b[:at+got], err
		}
		n -= part
	}
	return b, nil
}

func (rr *responseReader) chunks(b []byte, limit int) ([]byte, error) {
	for lines := 0; ; {
		line, err := rr.line()
		if err != nil {
			return b, err
		}
		if lines += len(line); lines > maxChunkLines+len(b) {
			return b, fmt.Errorf("%w: HTTP: sizes of chunks", ErrTooLarge)
		}
		digits, _, _ := bytes.Cut(line, []byte{';'})
		digits = bytes.TrimSpace(digits)
		if len(digits) == 0 || len(digits) > 16 || digits[0] == '+' {
			return b, fmt.Errorf("%w: HTTP: chunk size %s", ErrMalformed, quoted(string(line)))
		}
		n, err := strconv.ParseUint(string(digits), 16, 62)
		if err != nil {
			return b, fmt.Errorf("%w: HTTP: chunk size %s", ErrMalformed, quoted(string(line)))
		}
		if n == 0 {
			break
		}
		if n > uint64(limit-len(b)) { //nolint:gosec // never negative: this is what keeps it
			return b, fmt.Errorf("%w: an answer in chunks", ErrTooLarge)
		}
		if b, err = rr.append(b, int(n)); err != nil { //nolint:gosec // below limit
			return b, err
		}
		if line, err = rr.line(); err != nil {
			return b, err
		}
		if len(line) != 0 {
			return b, fmt.Errorf("%w: HTTP: a chunk longer than its size", ErrMalformed)
		}
	}
	for range maxHeaderLines {
		line, err := rr.line()
		if err != nil {
			return b, err
		}
		if len(line) == 0 {
			return b, nil
		}
	}
	return b, fmt.Errorf("%w: HTTP: a trailer", ErrTooLarge)
}

// HTTPError is an answer that is no message of WS-Management, such as an error of the device's web server.
type HTTPError struct {
	Status int
	Server string
	// What was asked for.
	Action      string
	ResourceURI string
}

// Error says what was asked for, and the status.
func (e *HTTPError) Error() string {
	return fmt.Sprintf("wsman: %s %s: HTTP status %d", ClassName(e.Action), ClassName(e.ResourceURI), e.Status)
}
