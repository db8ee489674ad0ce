package wsman

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/meshcentral-go/sdk/wsman/digest"
)

// stage is how far a request came.
type stage uint8

const (
	unsent   stage = iota // the device has not seen it, at least not all of it
	sent                  // it may have been carried out
	answered              // the answer has begun
)

// exchange is one request until its answer, over as many connections as it takes.
type exchange struct {
	c     *Client
	s     *slot
	r     *Request
	id    string
	begin time.Time

	attempt  int
	tries    logins
	greeting bool // only the challenge is wanted
}

func (x *exchange) run(ctx context.Context) (*Response, error) {
	c := x.c
	if !x.r.Idempotent && !x.r.WithoutLogin && !x.greeting {
		if err := x.greet(ctx); err != nil {
			return nil, err
		}
	}
	x.id = strconv.FormatUint(c.ids.Add(1), 10)
	var err error
	if x.s.body, err = x.message(x.s.body[:0]); err != nil {
		return nil, err
	}
	for x.attempt = 1; ; {
		resp, at, reused, err := x.once(ctx)
		if err == nil && resp.status == 401 {
			if x.r.WithoutLogin {
				if ch, err := digest.Select(resp.challenges); err == nil {
					c.noteRealm(ch.Realm)
				}
				return nil, ErrCredentials
			}
			if err := c.challenged(x.s, resp, &x.tries); err != nil || x.greeting {
				return nil, err
			}
			continue
		}
		if err == nil {
			if c.cfg.Realm != "" && x.s.auth.challenge == nil && !x.r.WithoutLogin && resp.status < 300 {
				return nil, fmt.Errorf("%w: it asks for no login", ErrRealm)
			}
			// Identify needs no login anywhere, and an error of the web server says nothing of it.
			if x.s.auth.challenge == nil && !x.r.Bare && resp.status < 300 {
				_, generation := c.account.get()
				x.s.auth = slotAuth{open: true, generation: generation}
			}
			return x.read(resp)
		}
		if c.ctx.Err() != nil {
			err = ErrClosed
		} else if ctx.Err() != nil {
			err = ctx.Err()
		}
		again := at == unsent || at == sent && x.r.Idempotent
		if !again || x.attempt >= c.cfg.Attempts || !lost(err) {
			if at != unsent && !x.r.Idempotent {
				return nil, fmt.Errorf("%w: %w", ErrNoAnswer, err)
			}
			return nil, err
		}
		x.attempt++
		if t := c.cfg.Trace; t != nil && t.Retry != nil {
			t.Retry(RetryInfo{Action: x.r.Action, ResourceURI: x.r.ResourceURI, MessageID: x.id, Attempt: x.attempt, Err: err})
		}
		// A connection that ended while it was idle says nothing about the next one.
		if !reused {
			if err := pause(ctx, c.cfg.RetryPause); err != nil {
				return nil, err
			}
		}
	}
}

// greet asks for a challenge, if there is none yet, before something is sent that changes the device: what is in it, passwords
// too, shall not go to who has shown no realm, and a connection that is closed with a 401 may lose the 401.
func (x *exchange) greet(ctx context.Context) error {
	cred, generation := x.c.account.get()
	if auth := &x.s.auth; cred.Username == "" || auth.generation == generation && (auth.challenge != nil || auth.open) {
		return nil
	}
	r := &Request{Action: ActionGet, ResourceURI: ResourceURI("AMT_GeneralSettings"), Idempotent: true}
	hello := exchange{c: x.c, s: x.s, r: r, begin: x.begin, greeting: true}
	_, err := hello.run(ctx)
	var fault *Fault
	if err != nil && (!errors.As(err, &fault) || x.c.cfg.Realm != "") {
		return err
	}
	x.tries.fresh = hello.tries.fresh
	if x.s.auth.challenge == nil {
		x.s.auth = slotAuth{open: true, generation: generation}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// message appends the envelope.
func (x *exchange) message(b []byte) ([]byte, error) {
	r := x.r
	if r.Bare {
		return AppendEnvelope(b, &Envelope{WriteBody: r.Body})
	}
	e := Envelope{
		Action: r.Action, To: Path, ResourceURI: r.ResourceURI, MessageID: x.id, ReplyTo: Anonymous,
		Timeout: r.OperationTimeout, Selectors: r.Selectors, Header: r.Header, WriteBody: r.Body,
	}
	if e.Timeout == 0 {
		e.Timeout = 60 * time.Second
	}
	return AppendEnvelope(b, &e)
}

// once sends the request over one connection and reads the answer into the slot.
func (x *exchange) once(ctx context.Context) (_ *httpResponse, at stage, reused bool, err error) {
	s := x.s
	cn, reused, err := x.connection(ctx)
	if err != nil {
		return nil, unsent, false, err
	}
	keep := false
	defer func() {
		if !keep {
			s.conn = nil
			cn.close()
		}
	}()
	// Whoever closes the connection ends what is being read or written.
	stop := context.AfterFunc(ctx, cn.close)
	defer stop()

	x.request(reused)
	if n, err := cn.Write(s.wire); err != nil {
		if n == 0 {
			return nil, unsent, reused, err
		}
		// A device may refuse by the header and close before it has read the body.
		if resp := cn.refusal(ctx); resp != nil {
			return resp, answered, reused, nil
		}
		return nil, sent, reused, err
	}
	if err := cn.awaitFirst(); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, sent, reused, err
	}
	resp, err := cn.rr.header()
	if err != nil {
		return nil, answered, reused, err
	}
	most := x.c.cfg.Limits.Size
	if resp.status == 401 {
		most = maxRefusal
	}
	s.resp = s.resp[:0]
	// Nobody reads the page that comes with a 401, least of all when the connection ends with it.
	if resp.status != 401 || !resp.close {
		if s.resp, err = cn.rr.body(resp, s.resp, most); err != nil {
			return nil, answered, reused, err
		}
	}
	x.c.noteServer(resp.server)
	x.traceResponse(resp)
	// What follows the answer unasked would be taken for the next one.
	if !resp.close && cn.br.Buffered() == 0 && x.c.cfg.IdleTimeout > 0 && stop() {
		keep = true
		cn.rest(x.c.cfg.IdleTimeout)
	}
	return resp, answered, reused, nil
}

// connection returns the one that the slot keeps, if it is of use, or a new one.
func (x *exchange) connection(ctx context.Context) (cn *conn, reused bool, err error) {
	s := x.s
	if epoch := x.c.epoch.Load(); s.epoch != epoch {
		s.epoch = epoch
		if s.conn != nil {
			s.conn.close()
			s.conn = nil
		}
	}
	if cn := s.conn; cn != nil {
		if cn.wake() && (x.r.Idempotent || time.Since(cn.since) < fresh) {
			return cn, true, nil
		}
		cn.close()
		s.conn = nil
	}
	cn, err = x.c.dial(ctx)
	if err != nil {
		return nil, false, err
	}
	s.conn = cn
	return cn, false, nil
}

// request puts the header and the body together, since they are to be written at once.
func (x *exchange) request(reused bool) {
	s := x.s
	b := append(s.wire[:0], "POST "+Path+" HTTP/1.1\r\n"...)
	authorized := false
	if !x.r.WithoutLogin {
		const name = "Authorization: "
		with := s.auth.authorize(append(b, name...), &x.c.account, s.body)
		if authorized = len(with) > len(b)+len(name); authorized {
			b = append(with, "\r\n"...)
		}
	}
	b = append(b, "Host: "...)
	b = append(b, x.c.host...)
	b = append(b, "\r\nContent-Type: application/soap+xml; charset=utf-8\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(s.body)), 10)
	b = append(b, "\r\n\r\n"...)
	s.wire = append(b, s.body...)
	if t := x.c.cfg.Trace; t != nil && t.Request != nil {
		t.Request(RequestInfo{
			Action: x.r.Action, ResourceURI: x.r.ResourceURI, MessageID: x.id, Attempt: x.attempt,
			Reused: reused, Authorized: authorized, XML: RedactXML(s.body),
		})
	}
}

func (x *exchange) traceResponse(resp *httpResponse) {
	t := x.c.cfg.Trace
	if t == nil || t.Response == nil {
		return
	}
	info := ResponseInfo{
		Action: x.r.Action, ResourceURI: x.r.ResourceURI, MessageID: x.id, Status: resp.status,
		Server: resp.server, Duration: time.Since(x.begin),
	}
	if looksLikeXML(x.s.resp) {
		info.XML = RedactXML(x.s.resp)
	}
	t.Response(info)
}

func looksLikeXML(b []byte) bool {
	b = bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\uFEFF")), " \t\r\n")
	return bytes.HasPrefix(b, []byte("<?xml")) || bytes.Contains(b[:min(len(b), 200)], []byte("Envelope"))
}

// read makes the answer of what came.
func (x *exchange) read(resp *httpResponse) (*Response, error) {
	if resp.status != 200 && !looksLikeXML(x.s.resp) {
		return nil, &HTTPError{Status: resp.status, Server: resp.server, Action: x.r.Action, ResourceURI: x.r.ResourceURI}
	}
	e, err := ParseEnvelope(x.s.resp, x.c.cfg.Limits)
	if err != nil {
		if resp.status != 200 {
			return nil, &HTTPError{Status: resp.status, Server: resp.server, Action: x.r.Action, ResourceURI: x.r.ResourceURI}
		}
		return nil, err
	}
	if e.RelatesTo != "" && e.RelatesTo != x.id && !x.r.Bare {
		// Whatever this answers, the connection is out of step.
		if x.s.conn != nil {
			x.s.conn.close()
			x.s.conn = nil
		}
		err := fmt.Errorf("%w: the answer relates to message %s", ErrMalformed, quoted(e.RelatesTo))
		if !x.r.Idempotent {
			err = fmt.Errorf("%w: %w", ErrNoAnswer, err)
		}
		return nil, err
	}
	if f := e.Fault(); f != nil {
		f.HTTPStatus, f.Action, f.ResourceURI = resp.status, x.r.Action, x.r.ResourceURI
		return nil, f
	}
	if resp.status < 200 || resp.status > 299 {
		return nil, &HTTPError{Status: resp.status, Server: resp.server, Action: x.r.Action, ResourceURI: x.r.ResourceURI}
	}
	return &Response{Envelope: e, Status: resp.status, Server: resp.server}, nil
}

// lost says whether an error is that of a connection which failed, so that another one may do better.
func lost(err error) bool {
	var d *dialError
	if errors.As(err, &d) {
		return d.again
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrClosed) {
		return false
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return true
	}
	var op *net.OpError
	if errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error") {
		return false // an alert of TLS: both sides do not agree, and will not the next time
	}
	var ne net.Error
	return errors.As(err, &ne)
}
