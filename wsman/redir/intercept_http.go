package redir

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/meshcentral-go/sdk/wsman/digest"
)

// maxPipelined is how many requests may wait for their answers on one connection. AMT's clients do not pipeline at all.
const maxPipelined = 64

// HTTPInterceptorConfig is what an HTTPInterceptor is made with.
type HTTPInterceptorConfig struct {
	// Credentials are the stored ones.
	Credentials Credentials
	// Memory is what is known of the device from connections before: AMT closes the connection with each 401, so an interceptor
	// that knows one connection alone never gets to answer. Use one for all connections to all devices, and for interceptors of
	// redirection too. Nil is one for this connection alone.
	Memory *Memory
	// Key names the device in Memory.
	Key string
	// BlockStorage changes requests for /amt-storage, however it is spelled, so that they find nothing.
	BlockStorage bool
}

// HTTPInterceptor puts a device's stored credentials into the HTTP requests of an operator, who may send any or none: from each
// request the field Authorization is dropped, and, when a challenge of the device is known, one with the stored credentials is
// put in, of quality auth, which AMT takes even where it offers auth-int. Answers pass as they are, without
// Authentication-Info; a challenge in them is remembered. Bodies of any length and kind pass through.
//
// It holds one head of a message at most, of [MaxHead] bytes, and is strict: what is not HTTP/1, or can be understood in two
// ways, ends the stream.
//
// Credentials that the device has refused three times in a row, as with the first a nonce may be too old, are not tried for a
// while that grows, see [Memory]. Requests are passed on without any then: the operator gets the device's own refusal, after
// which the stream ends with a [PausedError].
//
// Confirmed in interceptor.js, CreateHttpInterceptor, of which the places that lose count of bodies were not copied.
type HTTPInterceptor struct {
	cfg    HTTPInterceptorConfig
	cnonce string

	mu       sync.Mutex
	requests httpStream
	answers  httpStream
	waiting  []httpWaiting
	nonce    string // the one that was used last
	count    uint32 // how often
	paused   error  // ends the stream with the answer that is passed on
	err      error
}

// httpWaiting is a request that has no answer yet.
type httpWaiting struct {
	head   bool   // its answer has no body
	nonce  string // what was put in is for this one; empty if nothing was
	tried  bool   // and nobody knows whether it is good
	paused error  // why nothing was, though there is a challenge
}

// NewHTTPInterceptor returns an interceptor for one connection.
func NewHTTPInterceptor(cfg HTTPInterceptorConfig) *HTTPInterceptor {
	if cfg.Memory == nil {
		cfg.Memory = new(Memory)
	}
	return &HTTPInterceptor{cfg: cfg, cnonce: randomHex(5)}
}

// FromOperator appends to dst what the device is to get for src, which came from the operator.
func (i *HTTPInterceptor) FromOperator(dst, src []byte) ([]byte, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.run(dst, src, &i.requests, true, i.request)
}

// FromDevice appends to dst what the operator is to get for src, which came from the device.
func (i *HTTPInterceptor) FromDevice(dst, src []byte) ([]byte, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	dst, err := i.run(dst, src, &i.answers, false, i.answer)
	if err == nil && i.paused != nil && i.answers.state == httpInHead {
		err = i.end(i.paused) // the operator has all of the device's refusal
	}
	return dst, err
}

func (i *HTTPInterceptor) run(dst, src []byte, s *httpStream, request bool, head func([]byte, []byte) ([]byte, error)) ([]byte, error) {
	if i.err != nil {
		return dst, i.err
	}
	dst, err := s.run(dst, src, request, head)
	if err != nil {
		return dst, i.end(err)
	}
	return dst, nil
}

// end ends the stream.
func (i *HTTPInterceptor) end(err error) error {
	i.err = err
	i.requests, i.answers, i.waiting = httpStream{}, httpStream{}, nil
	return err
}

// request takes the head of a request, says how its body is framed, and appends what takes its place.
func (i *HTTPInterceptor) request(dst, raw []byte) ([]byte, error) {
	h, err := parseHead(raw)
	if err != nil {
		return dst, err
	}
	method, target, version, err := h.requestLine()
	if err != nil {
		return dst, err
	}
	switch strings.ToUpper(method) {
	case "CONNECT", "TRACE": // TRACE would show the operator what is put in
		return dst, protocolError("HTTP method %s", method)
	}
	if len(i.waiting) >= maxPipelined {
		return dst, fmt.Errorf("%w: %d requests without an answer", ErrTooLarge, len(i.waiting))
	}
	if err := i.requests.body(&h, true, false); err != nil {
		return dst, err
	}
	if version == "HTTP/1.0" && i.requests.state == httpInChunkLine {
		return dst, protocolError("chunks in HTTP/1.0") // which some servers do not know
	}
	if i.cfg.BlockStorage {
		target = withoutStorage(target)
	}
	waiting := httpWaiting{head: method == "HEAD"}
	authorization, err := i.authorize(method, target, &waiting)
	var paused *PausedError
	if err != nil && !errors.As(err, &paused) {
		return dst, err
	}
	waiting.paused = err
	i.waiting = append(i.waiting, waiting)

	dst = append(dst, method...)
	dst = append(dst, ' ')
	dst = append(dst, target...)
	dst = append(dst, ' ')
	dst = append(dst, version...)
	dst = append(dst, "\r\n"...)
	if authorization != "" {
		dst = append(dst, "Authorization: "...)
		dst = append(dst, authorization...)
		dst = append(dst, "\r\n"...)
	}
	for _, f := range h.fields {
		if !strings.EqualFold(f.name, "Authorization") {
			dst = append(dst, f.line...)
			dst = append(dst, "\r\n"...)
		}
	}
	return append(dst, "\r\n"...), nil
}

// withoutStorage gives a target that is in the storage, in whatever way it is spelled, another name.
func withoutStorage(target string) string {
	const storage = "/amt-storage"
	if rest, ok := strings.CutPrefix(target, storage); ok {
		target = "/amt-dummy-storage" + rest // where there may be a way back
	}
	path, _, _ := strings.Cut(target, "?")
	for range 3 { // as it is, decoded, and decoded twice
		if strings.Contains(strings.ToLower(path), storage[1:]) {
			return "/amt-dummy-storage"
		}
		path = percentDecoded(path)
	}
	return target
}

// percentDecoded decodes what it can, and leaves the rest as it is.
func percentDecoded(s string) string {
	b := make([]byte, 0, len(s))
	for ; s != ""; s = s[1:] {
		if len(s) > 2 && s[0] == '%' {
			if v, err := strconv.ParseUint(s[1:3], 16, 8); err == nil {
				b = append(b, byte(v))
				s = s[2:]
				continue
			}
		}
		b = append(b, s[0])
	}
	return string(b)
}

// authorize returns the field that is put in, or nothing as long as the device has not asked for it. Credentials that were good
// with the very nonce may be sent as often as somebody likes: if it is refused it is too old, for as many connections as come
// with it at once.
func (i *HTTPInterceptor) authorize(method, target string, w *httpWaiting) (string, error) {
	c := i.cfg.Credentials
	challenge, proven := i.cfg.Memory.known(i.cfg.Key, c)
	if challenge == nil {
		return "", nil
	}
	if c.Realm != "" && c.Realm != challenge.Realm {
		return "", ErrRealm
	}
	if w.tried = challenge.Nonce != proven; w.tried {
		if err := i.cfg.Memory.try(i.cfg.Key, c); err != nil {
			w.tried = false
			return "", err
		}
	}
	if challenge.Nonce != i.nonce {
		i.nonce, i.count = challenge.Nonce, 0
	}
	i.count++
	a := challenge.Authorize(&digest.Credentials{Username: c.Username, Password: c.Password}, method, target, nil, i.count, i.cnonce)
	w.nonce = a.Nonce
	return string(a.Append(nil)), nil
}

// answer takes the head of an answer, says how its body is framed, and appends it, as it is but for Authentication-Info:
// that is made of the password too.
func (i *HTTPInterceptor) answer(dst, raw []byte) ([]byte, error) {
	h, err := parseHead(raw)
	if err != nil {
		return dst, err
	}
	status, err := h.statusLine()
	if err != nil {
		return dst, err
	}
	switch {
	case status == 101:
		return dst, protocolError("HTTP status 101")
	case status < 200:
		return append(dst, raw...), nil // the answer is still to come
	}
	var to httpWaiting // nothing, for a device that complains unasked
	if len(i.waiting) > 0 {
		to = i.waiting[0]
		i.waiting = append(i.waiting[:0], i.waiting[1:]...)
	}
	if err := i.answers.body(&h, false, to.head || status == 204 || status == 304); err != nil {
		return dst, err
	}
	if status == 401 {
		i.paused = to.paused
		if to.tried {
			i.cfg.Memory.refused(i.cfg.Key, i.cfg.Credentials, false)
		}
		i.cfg.Memory.challenged(i.cfg.Key, h.challenge())
	} else if to.nonce != "" {
		i.cfg.Memory.accepted(i.cfg.Key, i.cfg.Credentials, to.nonce)
	}
	dst = append(dst, h.first...)
	dst = append(dst, "\r\n"...)
	for _, f := range h.fields {
		if !strings.EqualFold(f.name, "Authentication-Info") {
			dst = append(dst, f.line...)
			dst = append(dst, "\r\n"...)
		}
	}
	return append(dst, "\r\n"...), nil
}

// httpHead is the head of a message, cut into its lines.
type httpHead struct {
	first  string
	fields []httpField
}

type httpField struct {
	line, name, value string
}

// parseHead cuts a head that ends with its empty line. It refuses what some peers read otherwise than others: bare line
// feeds, folded lines, names with spaces, control characters.
func parseHead(raw []byte) (httpHead, error) {
	var h httpHead
	text := string(bytes.TrimSuffix(raw, []byte("\r\n\r\n")))
	for i, line := range strings.Split(text, "\r\n") {
		for _, c := range []byte(line) {
			if c < ' ' && c != '\t' || c == 0x7F {
				return h, protocolError("control character %02X in the head of an HTTP message", c)
			}
		}
		if i == 0 {
			h.first = line
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !isToken(name) {
			// Its text is not told: it may be a part of somebody's credentials.
			return h, protocolError("line %d of the head of an HTTP message is no field", i+1)
		}
		h.fields = append(h.fields, httpField{line, name, strings.Trim(value, " \t")})
	}
	return h, nil
}

func (h *httpHead) requestLine() (method, target, version string, err error) {
	parts := strings.Split(h.first, " ")
	switch {
	case len(parts) != 3 || !isToken(parts[0]) || parts[2] != "HTTP/1.1" && parts[2] != "HTTP/1.0":
		return "", "", "", protocolError("HTTP request line of %d parts", len(parts))
	case parts[1] != "*" && !strings.HasPrefix(parts[1], "/") || strings.ContainsAny(parts[1], "\"\\\t"):
		// Whole addresses are for proxies. A target may hold a secret, so it is not told.
		return "", "", "", protocolError("HTTP request for something that is no path")
	}
	return parts[0], parts[1], parts[2], nil
}

func (h *httpHead) statusLine() (int, error) {
	version, rest, _ := strings.Cut(h.first, " ")
	code, _, _ := strings.Cut(rest, " ")
	if version != "HTTP/1.1" && version != "HTTP/1.0" || len(code) != 3 {
		return 0, protocolError("HTTP status line %.64q", h.first)
	}
	status := 0
	for _, c := range []byte(code) {
		if c < '0' || c > '9' {
			return 0, protocolError("HTTP status line %.64q", h.first)
		}
		status = 10*status + int(c-'0')
	}
	if status < 100 {
		return 0, protocolError("HTTP status line %.64q", h.first)
	}
	return status, nil
}

func isToken(s string) bool {
	for _, c := range []byte(s) {
		if !isTokenByte(c) {
			return false
		}
	}
	return s != ""
}

func isTokenByte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
