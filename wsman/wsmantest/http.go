package wsmantest

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/meshcentral-go/sdk/wsman"
)

// What a request may be at most. Requests of consoles have some hundred bytes, with certificates up to 3 KiB.
const (
	maxHeader = 16 << 10
	maxBody   = 64 << 10
)

// connection is one TCP connection, or channel of a CIRA connection, to 16992 or 16993.
type connection struct {
	d      *Device
	conn   net.Conn
	port   uint16
	peers  []*x509.Certificate // the client's certificates, with TLS
	cancel context.CancelFunc  // ends a delay
	last   bool                // guarded by Device.mu: the next answer is the last
}

// reply is an HTTP answer.
type reply struct {
	status    int
	challenge string
	html      bool
	body      []byte
	close     bool // Connection: close
	silent    bool // nothing is sent, and the connection is closed
	cut       int  // with more than 0: the connection is closed after so many bytes of the body
}

// serveHTTP answers requests until the connection ends. net/http's server is not used for the reasons given in the
// package comment; its parser of requests is.
func (c *connection) serveHTTP(ctx context.Context) {
	limited := &io.LimitedReader{R: c.conn}
	in := bufio.NewReader(limited)
	for {
		limited.N = maxHeader
		_ = c.conn.SetReadDeadline(time.Now().Add(c.d.cfg.IdleTime))
		req, err := http.ReadRequest(in)
		if err != nil {
			if !errors.Is(err, io.EOF) && limited.N > 0 && !timeout(err) && !errors.Is(err, net.ErrClosed) {
				_ = c.write(&reply{status: http.StatusBadRequest, html: true, close: true})
			}
			return
		}
		limited.N = maxBody + maxHeader // chunks have their own overhead
		body, err := io.ReadAll(io.LimitReader(req.Body, maxBody+1))
		if err != nil || len(body) > maxBody {
			_ = c.write(&reply{status: http.StatusRequestEntityTooLarge, html: true, close: true})
			return
		}
		answer := c.answer(ctx, req, body)
		if answer.silent {
			return
		}
		if err := c.write(answer); err != nil || answer.close || answer.cut > 0 || req.Close {
			return
		}
	}
}

func timeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// answer decides on everything about one request.
func (c *connection) answer(ctx context.Context, req *http.Request, body []byte) *reply {
	d := c.d
	if req.URL.Path != wsman.Path {
		return &reply{status: http.StatusNotFound, html: true}
	}
	if req.ContentLength < 0 && d.cfg.Quirks.RefuseChunked {
		return &reply{status: http.StatusBadRequest, html: true, close: true}
	}
	d.mu.Lock()
	defer d.unlock()
	user, challenge := d.authenticate(c, req, body)
	if user == nil {
		// The firmware closes the socket after each of these.
		return &reply{status: http.StatusUnauthorized, challenge: challenge, html: true, close: true}
	}
	if req.Method != http.MethodPost {
		return &reply{status: http.StatusMethodNotAllowed, html: true}
	}
	r := d.handle(ctx, c, user, body)
	r.close = r.close || c.last || d.cfg.Quirks.CloseAlways
	return r
}

var pages = map[int]string{
	http.StatusBadRequest:   "The request could not be understood.",
	http.StatusUnauthorized: "Log on failed. Incorrect user name or password, or user account temporarily locked.",
	http.StatusNotFound:     "The page was not found.",
}

// page is the HTML of refused requests.
func page(status int) []byte {
	text := pages[status]
	if text == "" {
		text = http.StatusText(status)
	}
	return fmt.Appendf(nil, "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01 Transitional//EN\" \"http://www.w3.org/TR/html4/loose.dtd\">\n"+
		"<html><head><title>Intel&reg; Active Management Technology</title></head>\n<body><h1>%s</h1><p>%s</p></body></html>\n",
		http.StatusText(status), text)
}

// write sends an answer with one write, as the firmware's window of a CIRA channel allows.
func (c *connection) write(r *reply) error {
	q := &c.d.cfg.Quirks
	b := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\n", r.status, http.StatusText(r.status))
	if r.challenge != "" {
		b = fmt.Appendf(b, "WWW-Authenticate: %s\r\n", r.challenge)
	}
	if !r.html {
		b = c.d.cfg.Now().UTC().AppendFormat(append(b, "Date: "...), http.TimeFormat+"\r\n")
	}
	body := r.body
	if r.html {
		body = page(r.status)
		b = append(b, "Content-Type: text/html\r\n"...)
	}
	b = fmt.Appendf(b, "Server: %s\r\n", c.d.serverHeader())
	if !r.html {
		b = append(b, "X-Frame-Options: DENY\r\nContent-Type: application/soap+xml; charset=UTF-8\r\n"...)
	}
	chunked := !r.html && !q.ContentLength
	if chunked {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	} else {
		b = fmt.Appendf(b, "Content-Length: %d\r\n", len(body))
	}
	if r.close {
		b = append(b, "Connection: close\r\n"...)
	}
	b = append(b, "\r\n"...)
	head := len(b)
	if chunked {
		b = appendChunks(b, body, q.ChunkSize)
	} else {
		b = append(b, body...)
	}
	if r.cut > 0 {
		b = b[:min(head+r.cut, len(b)-1)]
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(c.d.cfg.IdleTime))
	_, err := c.conn.Write(b)
	return err
}

// appendChunks writes chunks as the firmware does: sizes of four upper-case digits.
func appendChunks(b, body []byte, most int) []byte {
	most = min(most, 0xFFFF)
	for len(body) > 0 {
		n := min(most, len(body))
		b = fmt.Appendf(b, "%04X\r\n", n)
		b = append(append(b, body[:n]...), "\r\n"...)
		body = body[n:]
	}
	return append(b, "0\r\n\r\n"...)
}
