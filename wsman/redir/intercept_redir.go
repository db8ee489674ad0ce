package redir

import (
	"fmt"
	"sync"
)

// RedirInterceptorConfig is what a RedirInterceptor is made with.
type RedirInterceptorConfig struct {
	// Credentials are the stored ones.
	Credentials Credentials
	// Memory is what is known of the device from connections before, so that operators who connect again and again do not lock
	// its account when the stored password is wrong. Use one for all devices, and for interceptors of HTTP too. Nil is one for
	// this connection alone.
	Memory *Memory
	// Key names the device in Memory.
	Key string
}

// RedirInterceptor puts a device's stored credentials into the redirection session of an operator, who may send any or none.
// It passes messages on as they are, but for those of type digest that the operator sends: in their place go its own, with
// blanks until the device has sent a challenge. When the device is satisfied both directions are transparent.
//
// It is strict up to then: the first byte that starts no message ends the stream, other kinds of authentication are refused,
// as they would go past the stored credentials, and after one wrong password there is no second attempt, whatever the operator
// does: AMT would lock the account, and stock clients try for ever. Nor is there for a while that grows on other connections, see
// [Memory]: then the device gets blanks in place of the digest, so that the operator gets the device's own refusal, with which the
// stream ends with a [PausedError].
//
// Confirmed in interceptor.js, CreateRedirInterceptor, which in place of that keeps whatever it does not understand.
type RedirInterceptor struct {
	cfg RedirInterceptorConfig

	mu        sync.Mutex
	operator  *Parser
	device    *Parser
	session   SessionType
	challenge *DigestChallenge
	answered  bool  // a digest is on its way
	paused    error // why it is blank
	direct    bool
	err       error
}

// NewRedirInterceptor returns an interceptor for one stream.
func NewRedirInterceptor(cfg RedirInterceptorConfig) *RedirInterceptor {
	if cfg.Memory == nil {
		cfg.Memory = new(Memory)
	}
	return &RedirInterceptor{cfg: cfg, operator: NewParser(Operator), device: NewParser(AMT)}
}

// Session is what the operator has started, or 0.
func (i *RedirInterceptor) Session() SessionType {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.session
}

// Authenticated says whether the device has accepted the credentials, so that the stream is transparent.
func (i *RedirInterceptor) Authenticated() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.direct
}

// FromOperator appends to dst what the device is to get for src, which came from the operator.
func (i *RedirInterceptor) FromOperator(dst, src []byte) ([]byte, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.run(dst, src, i.operator, i.fromOperator)
}

// FromDevice appends to dst what the operator is to get for src, which came from the device.
func (i *RedirInterceptor) FromDevice(dst, src []byte) ([]byte, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.run(dst, src, i.device, i.fromDevice)
}

func (i *RedirInterceptor) run(dst, src []byte, p *Parser, handle func([]byte, Message) ([]byte, error)) ([]byte, error) {
	if i.err != nil {
		return dst, i.err
	}
	for len(src) > 0 {
		if i.direct {
			dst = p.appendRest(dst)
			return append(dst, src...), nil
		}
		m, n, err := p.Next(src)
		src = src[n:]
		if err == nil && m != nil {
			dst, err = handle(dst, m)
		}
		if err != nil {
			i.err = err
			i.operator, i.device = nil, nil
			return dst, err
		}
	}
	return dst, nil
}

func (i *RedirInterceptor) fromOperator(dst []byte, m Message) ([]byte, error) {
	var start StartSession
	var auth AuthRequest
	switch {
	case start.Parse(m) == nil:
		i.session = start.Type
	case auth.Parse(m) == nil:
		switch auth.Type {
		case AuthQuery:
		case AuthDigest:
			return i.inject(dst)
		default:
			return dst, fmt.Errorf("%w: the operator tried %v", ErrAuthType, auth.Type)
		}
	}
	return append(dst, m...), nil
}

// inject appends the authentication that takes the place of the operator's.
func (i *RedirInterceptor) inject(dst []byte) ([]byte, error) {
	c := i.cfg.Credentials
	blank := &DigestResponse{Username: c.Username, URI: authURI}
	switch {
	case i.answered:
		return dst, protocolError("a digest before the answer to the last one")
	case i.challenge == nil:
		return appendDigest(dst, blank)
	}
	d, err := answer(c, i.challenge, randomHex(5), "00000001")
	if err != nil {
		return dst, err
	}
	full, err := appendDigest(dst, d)
	if err != nil {
		return dst, err
	}
	i.answered = true
	if i.paused = i.cfg.Memory.try(i.cfg.Key, c); i.paused != nil {
		return appendDigest(dst, blank)
	}
	return full, nil
}

func (i *RedirInterceptor) fromDevice(dst []byte, m Message) ([]byte, error) {
	passed := append(dst, m...)
	if m.Command() != CommandAuthReply {
		return passed, nil
	}
	var reply AuthReply
	if err := reply.Parse(m); err != nil {
		return dst, err
	}
	switch {
	case reply.Type == AuthQuery:
	case reply.Status == AuthOK:
		if i.answered && i.paused == nil {
			i.cfg.Memory.accepted(i.cfg.Key, i.cfg.Credentials, "")
		}
		i.direct = true
	case reply.Type == AuthDigest && i.paused != nil:
		return passed, i.paused
	case reply.Type == AuthDigest && i.answered:
		if reply.Status == AuthFailed {
			i.cfg.Memory.refused(i.cfg.Key, i.cfg.Credentials, true)
		}
		return passed, ErrCredentials
	case reply.Type == AuthDigest && reply.Status == AuthFailed:
		challenge := new(DigestChallenge)
		if err := challenge.Parse(reply.Data); err != nil {
			return dst, err
		}
		i.challenge = challenge
	}
	return passed, nil
}
