package controlproto

import (
	"context"
	"encoding/base64"
	"fmt"
)

// inBandHello is the client's half of the proof: {"action":"serverAuth","cnonce":"...","tlshash":"..."}, see
// [ServerAuth].
type inBandHello struct {
	Nonce string `json:"cnonce"`
	Hash  string `json:"tlshash"`
}

// Action is "serverAuth".
func (*inBandHello) Action() string { return "serverAuth" }

// inBandProof is the server's half.
type inBandProof struct {
	Certificate string `json:"cert"`
	Nonce       string `json:"nonce"`
	Signature   string `json:"signature"`
}

// Action is "serverAuth".
func (*inBandProof) Action() string { return "serverAuth" }

// inBandUser is {"action":"userAuth"}: name and password in base64, the second factor as it is. (webserver.js,
// PerformWSSessionInnerAuth)
type inBandUser struct {
	User     string `json:"username"`
	Password Secret `json:"password"`
	Token    Secret `json:"token"`
}

// Action is "userAuth".
func (*inBandUser) Action() string { return "userAuth" }

// exchange verifies the server and then gives it the password.
func (l *InBandLogin) exchange(ctx context.Context, link *clientLink, certificate []byte) error {
	auth, err := NewServerAuth(nil, certificate)
	if err != nil {
		return err
	}
	var hello inBandHello
	hello.Nonce, hello.Hash = auth.Request()
	if err := link.write(ctx, &hello); err != nil {
		return err
	}
	e, _, err := link.readLogin(ctx)
	if err != nil {
		return err
	}
	if e.Action != hello.Action() {
		return fmt.Errorf("%w: %.32q in place of its proof", ErrServerAuth, e.Action)
	}
	var proof inBandProof
	if err := e.Decode(&proof); err != nil {
		return err
	}
	if err := auth.VerifyReply(proof.Certificate, proof.Nonce, proof.Signature, l.ServerID); err != nil {
		return err
	}
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	return link.write(ctx, &inBandUser{User: encode(l.User), Password: NewSecret(encode(l.Password.Reveal())), Token: l.Token})
}
