package redir

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
)

const (
	// MaxHead is the longest head of an HTTP message, and the longest trailer, that an HTTPInterceptor accepts.
	MaxHead = 16 << 10
	// maxMethod is the longest method, and with it how soon garbage is found out.
	maxMethod = 32
	// maxChunkLine is the longest line that tells the size of a chunk.
	maxChunkLine = 256
)

// httpStream finds the heads in one direction of an HTTP connection and passes the bodies.
type httpStream struct {
	state httpState
	buf   []byte // a head, a line or a trailer that is incomplete
	left  int64  // bytes of the body or the chunk
}

type httpState uint8

const (
	httpInHead httpState = iota
	httpInBody
	httpInChunkLine
	httpInChunk
	httpInChunkEnd
	httpInTrailer
	httpToEnd // the body ends with the connection
)

// run appends to dst what is passed on for src. Heads are given to head, which appends what is passed on in their place.
func (s *httpStream) run(dst, src []byte, request bool, head func(dst, raw []byte) ([]byte, error)) ([]byte, error) {
	for len(src) > 0 {
		switch s.state {
		case httpToEnd:
			return append(dst, src...), nil
		case httpInBody, httpInChunk:
			n := int64(len(src))
			if n > s.left {
				n = s.left
			}
			dst = append(dst, src[:n]...)
			src = src[n:]
			s.left -= n
			if s.left == 0 {
				if s.state == httpInChunk {
					s.state = httpInChunkEnd
				} else {
					s.state = httpInHead
				}
			}
		case httpInHead:
			raw, n, err := s.until("\r\n\r\n", src, MaxHead, request)
			if err != nil {
				return dst, err
			}
			src = src[n:]
			if raw != nil {
				if dst, err = head(dst, raw); err != nil {
					return dst, err
				}
				s.buf = s.buf[:0]
			}
		case httpInChunkLine, httpInChunkEnd:
			raw, n, err := s.until("\r\n", src, maxChunkLine, request)
			if err != nil {
				return dst, err
			}
			src = src[n:]
			if raw != nil {
				if err := s.chunkLine(raw); err != nil {
					return dst, err
				}
				dst = append(dst, raw...)
				s.buf = s.buf[:0]
			}
		case httpInTrailer:
			raw, n, err := s.until("\r\n", src, MaxHead, request)
			if err != nil {
				return dst, err
			}
			src = src[n:]
			if raw != nil {
				if err := checkTrailer(raw); err != nil {
					return dst, err
				}
				dst = append(dst, raw...)
				s.left += int64(len(raw))
				switch {
				case len(raw) == 2:
					s.state, s.left = httpInHead, 0
				case s.left > MaxHead:
					return dst, fmt.Errorf("%w: HTTP trailer", ErrTooLarge)
				}
				s.buf = s.buf[:0]
			}
		}
	}
	return dst, nil
}

// until collects bytes of src, n of them, and returns what ends with the terminator as soon as it is there.
func (s *httpStream) until(terminator string, src []byte, limit int, request bool) (raw []byte, n int, err error) {
	before := len(s.buf)
	s.buf = append(s.buf, src[:min(len(src), limit+1-before)]...)
	at := bytes.Index(s.buf[max(0, before-len(terminator)+1):], []byte(terminator))
	if at >= 0 {
		end := max(0, before-len(terminator)+1) + at + len(terminator)
		if s.state == httpInHead {
			if err := plausible(s.buf[:end], request); err != nil {
				return nil, 0, err
			}
		}
		s.buf = s.buf[:end]
		return s.buf, end - before, nil
	}
	if s.state == httpInHead {
		if err := plausible(s.buf, request); err != nil {
			return nil, 0, err
		}
	}
	if len(s.buf) > limit {
		return nil, 0, fmt.Errorf("%w: head of an HTTP message", ErrTooLarge)
	}
	return nil, len(s.buf) - before, nil
}

// plausible finds garbage by its first bytes.
func plausible(b []byte, request bool) error {
	if !request {
		const version = "HTTP/1."
		if n := min(len(b), len(version)); string(b[:n]) != version[:n] {
			return protocolError("no HTTP from the device: %q", b[:min(len(b), 16)])
		}
		return nil
	}
	for i, c := range b {
		if c == ' ' && i > 0 {
			return nil
		}
		if i >= maxMethod || !isTokenByte(c) {
			return protocolError("no HTTP from the operator: %q", b[:min(len(b), 16)])
		}
	}
	return nil
}

// body says what follows a head.
func (s *httpStream) body(h *httpHead, request, none bool) error {
	length, lengths, chunked := int64(0), 0, 0
	for _, f := range h.fields {
		switch {
		case strings.EqualFold(f.name, "Content-Length"):
			n, err := parseLength(f.value)
			if err != nil {
				return err
			}
			length = n
			lengths++
		case strings.EqualFold(f.name, "Transfer-Encoding"):
			if !strings.EqualFold(f.value, "chunked") {
				return protocolError("HTTP transfer encoding %.64q", f.value)
			}
			chunked++
		}
	}
	s.left = 0
	switch {
	case lengths+chunked > 1:
		return protocolError("HTTP body with %d lengths", lengths+chunked)
	case none:
		s.state = httpInHead
	case chunked == 1:
		s.state = httpInChunkLine
	case length > 0:
		s.state, s.left = httpInBody, length
	case lengths == 1 || request:
		s.state = httpInHead
	default:
		s.state = httpToEnd
	}
	return nil
}

func parseLength(text string) (int64, error) {
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, protocolError("HTTP content length %.64q", text)
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, protocolError("HTTP content length %.64q", text)
	}
	return n, nil
}

// chunkLine takes the line before a chunk, or the empty one after it.
func (s *httpStream) chunkLine(raw []byte) error {
	line := string(raw[:len(raw)-2])
	if s.state == httpInChunkEnd {
		if line != "" {
			return protocolError("HTTP chunk is longer than it says")
		}
		s.state = httpInChunkLine
		return nil
	}
	size, extension, _ := strings.Cut(line, ";")
	size = strings.TrimRight(size, " \t")
	n, err := strconv.ParseUint(size, 16, 63)
	if err != nil || size[0] == '+' || n > math.MaxInt64 || strings.ContainsAny(extension, "\r\n\x00") {
		return protocolError("HTTP chunk without a size") // what is there may be anything
	}
	s.left = int64(n) //nolint:gosec // checked
	if n == 0 {
		s.state = httpInTrailer
	} else {
		s.state = httpInChunk
	}
	return nil
}

// checkTrailer checks a line of a trailer. What says who asks, or how long something is, belongs into the head: a peer that
// puts both together would take it for the interceptor's.
func checkTrailer(raw []byte) error {
	line := raw[:len(raw)-2]
	if len(line) == 0 {
		return nil
	}
	h, err := parseHead(append([]byte("x\r\n"), line...))
	if err != nil {
		return err
	}
	switch name := h.fields[0].name; strings.ToLower(name) {
	case "authorization", "content-length", "transfer-encoding", "host", "www-authenticate", "authentication-info":
		return protocolError("HTTP field %s in a trailer", name)
	}
	return nil
}
