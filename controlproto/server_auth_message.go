package controlproto

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"unicode/utf8"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// refusal is how a login ends that does not succeed.
type refusal struct {
	stopped    bool // "stopped" in place of "close"
	cause, msg string
	factors    *Factors    // for the members that tell about second factors
	sent       *FactorKind // the code that was sent
	delayed    bool        // the credentials were wrong
	reason     error       // for the log
}

func (r *refusal) err() *RefusedError {
	cause := r.cause
	if r.stopped {
		cause = "stopped"
	}
	return &RefusedError{Cause: cause, Msg: r.msg, Reason: r.reason}
}

// closing is the "close" message of a server. (webserver.js, PerformWSSessionAuth)
//
//	{"action":"close","cause":"noauth","msg":"noauth-2d"}
//	{"action":"close","cause":"noauth","msg":"tokenrequired","email2fa":true,"sms2fa":false,"msg2fa":false,
//	 "email2fasent":true,"twoFactorCookieDays":30}
//	{"action":"stopped","msg":"Session count exceed"}
type closing struct {
	name          string
	Cause         string `json:"cause"`
	Msg           string `json:"msg,keep"`
	Email         *bool  `json:"email2fa"`
	SMS           *bool  `json:"sms2fa"`
	Messaging     *bool  `json:"msg2fa"`
	EmailSent     bool   `json:"email2fasent"`
	SMSSent       bool   `json:"sms2fasent"`
	MessagingSent bool   `json:"msg2fasent"`
	CookieDays    *int   `json:"twoFactorCookieDays"`
}

// Action is "close" or "stopped".
func (c *closing) Action() string { return c.name }

// message is what the client is told.
func (r *refusal) message() []byte {
	c := &closing{name: "close", Cause: r.cause, Msg: r.msg}
	if r.stopped {
		c.name, c.Cause = "stopped", ""
	}
	if f := r.factors; f != nil {
		c.Email, c.SMS, c.Messaging, c.CookieDays = &f.Email, &f.SMS, &f.Messaging, &f.CookieDays
	}
	if r.sent != nil {
		switch *r.sent {
		case FactorEmail:
			c.EmailSent = true
		case FactorSMS:
			c.SMSSent = true
		case FactorMessaging:
			c.MessagingSent = true
		}
	}
	return closeMessageBytes(c)
}

func closeMessageBytes(c *closing) []byte {
	b, err := AppendMessage(nil, c, Correlation{})
	if err != nil { // strings and booleans always encode
		return []byte(`{"action":"close","cause":"internal","msg":"internal-1"}`)
	}
	return b
}

// authLimits bound a message before the login.
var authLimits = jsonrec.Limits{Size: 64 << 10, Depth: 8, Values: 256}

// parseURLArgs reads {"action":"urlargs","args":{...}}, the frame that "?moreargs=1" announces. Arguments may be text or numbers.
func parseURLArgs(msg []byte) (args map[string]string, ok bool) {
	if jsonrec.Check(msg, authLimits) != nil {
		return nil, false
	}
	e, err := parseEnvelope(msg)
	if err != nil || e.Action != "urlargs" {
		return nil, false
	}
	found, err := jsonrec.Peek(msg, "args")
	if err != nil || len(found[0]) == 0 || found[0][0] != '{' {
		return nil, false
	}
	args = make(map[string]string)
	err = jsonrec.Members(found[0], func(name string, value json.RawMessage) error {
		var text string
		if json.Unmarshal(value, &text) == nil && string(value) != "null" {
			args[name] = text
		} else if len(value) > 0 && (value[0] == '-' || value[0] >= '0' && value[0] <= '9') {
			args[name] = string(value)
		}
		return nil
	})
	return args, err == nil
}

// inBandRequest is what a client sends between the header `x-meshauth: *` and the session. (webserver.js,
// PerformWSSessionInnerAuth)
//
//	{"action":"serverAuth","cnonce":"...","tlshash":"..."}
//	{"action":"userAuth","username":"Ym9i","password":"cHc=","token":"123456"}
type inBandRequest struct {
	CNonce   string `json:"cnonce"`
	TLSHash  string `json:"tlshash"`
	Username string `json:"username"`
	Password Secret `json:"password"`
	Token    Secret `json:"token"`
}

// serverAuthReply answers "serverAuth".
//
//	{"action":"serverAuth","cert":"MII...","nonce":"...","signature":"..."}
type serverAuthReply struct {
	Cert      string `json:"cert"`
	Nonce     string `json:"nonce"`
	Signature string `json:"signature"`
}

// Action is "serverAuth".
func (*serverAuthReply) Action() string { return "serverAuth" }

// mostProofs is how many signatures one connection is given; a client needs one.
const mostProofs = 2

// inBand takes the messages of a login that `x-meshauth: *` has announced.
func (s *authSequence) inBand(ctx context.Context, msg []byte) authStep {
	if jsonrec.Check(msg, authLimits) != nil {
		return authStep{}
	}
	e, err := parseEnvelope(msg)
	if err != nil {
		return authStep{}
	}
	var m inBandRequest
	if jsonrec.Unmarshal(msg, &m) != nil {
		return authStep{}
	}
	switch e.Action {
	case "serverAuth":
		return s.proveServer(ctx, &m)
	case "userAuth":
		s.wait = nil
		name, ok1 := decodeBase64(m.Username)
		password, ok2 := decodeBase64(m.Password.Reveal())
		if !ok1 || !ok2 {
			name, password = "", "" // nobody's
		}
		return s.password(ctx, credentials{name, NewSecret(password), m.Token, LoginInBand, CloseMsgBadInBand})
	}
	return authStep{}
}

func decodeBase64(s string) (string, bool) {
	b, err := base64.StdEncoding.DecodeString(s)
	return string(b), err == nil && utf8.Valid(b)
}

// proveServer signs what the client has seen, if that is a certificate of this server.
func (s *authSequence) proveServer(ctx context.Context, m *inBandRequest) authStep {
	proof, err := ParseServerAuth(m.CNonce, m.TLSHash)
	if err != nil {
		return refuse(CloseNoAuth, CloseMsgBadArgs, err)
	}
	if s.signed++; s.signed > mostProofs {
		return refuse(CloseNoAuth, CloseMsgBadArgs, errors.New("controlproto: too many serverAuth"))
	}
	if !s.cfg.ServerIdentity.sees(s.req.ServerName, proof.TLSHash[:]) {
		return refuse(CloseNoAuth, CloseMsgBadCertificate, nil)
	}
	release, err := s.enter(ctx)
	if err != nil {
		return failed(internalError{err}, authStep{})
	}
	defer release()
	signature, err := proof.Sign(nil, s.cfg.ServerIdentity.Signer)
	if err != nil {
		return failed(internalError{err}, authStep{})
	}
	reply := new(serverAuthReply)
	reply.Cert, reply.Nonce, reply.Signature = proof.Reply(s.cfg.ServerIdentity.Certificate, signature)
	b, err := AppendMessage(nil, reply, Correlation{})
	if err != nil {
		return failed(internalError{err}, authStep{})
	}
	return authStep{reply: b}
}
