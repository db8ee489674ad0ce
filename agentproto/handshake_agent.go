package agentproto

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"

	"github.com/meshcentral-go/sdk/nodeid"
)

// AgentHandshakeConfig is what an [AgentHandshake] needs to know. Certificate, ServerID and WebHash are required.
type AgentHandshakeConfig struct {
	// Certificate is the agent's own, in DER. The server takes nothing from it but the RSA key.
	Certificate []byte
	// ServerID is the server to expect, from the .msh file. One of the SHA-256 era is padded with zeros.
	ServerID nodeid.ServerID
	// WebHash is the hash of the TLS certificate of this connection, seen by the agent itself: the server's proof is
	// bound to it, so that nobody in between can pass the login on.
	WebHash Hash
	// TrustServer asks for the short form: an earlier login over this very TLS certificate proved the server, so it
	// need not sign again.
	TrustServer bool
	// Info is sent as command 3.
	Info AuthInfo
	// PreferredName is the name to be shown by, at most 255 bytes. Empty sends none.
	PreferredName string
	// CommitDate and HostInfo are sent as commands 30 and 31 unless empty.
	CommitDate, HostInfo string
	// Lenient ignores messages that have no place in a login instead of failing. It loosens no check.
	Lenient bool
	// Rand makes the nonce. Nil is crypto/rand.
	Rand io.Reader
}

// AgentHandshake is the agent's side of a login, without I/O: send what [AgentHandshake.Start] returns, feed it the
// server's messages, do what [AgentHandshake.Need] says. Any failure is final.
//
// JSON among the messages it returns goes out as text, all else as binary.
type AgentHandshake struct {
	cfg AgentHandshakeConfig
	handshake

	infoSent    bool
	proved      bool
	agentNonce  Nonce
	serverNonce Nonce
}

// NewAgentHandshake starts a login.
func NewAgentHandshake(cfg AgentHandshakeConfig) (*AgentHandshake, error) {
	switch {
	case len(cfg.Certificate) == 0:
		return nil, fmt.Errorf("agentproto: agent handshake without a certificate")
	case cfg.ServerID.IsZero():
		return nil, fmt.Errorf("agentproto: agent handshake without a ServerID")
	case cfg.WebHash == Hash{}:
		return nil, fmt.Errorf("agentproto: agent handshake without the hash of the TLS certificate")
	case len(cfg.PreferredName) > 255:
		return nil, fmt.Errorf("agentproto: preferred name of %d bytes, at most 255 are allowed", len(cfg.PreferredName))
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Info.InfoVersion == 0 {
		cfg.Info.InfoVersion = 1
	}
	h := &AgentHandshake{cfg: cfg, handshake: handshake{lenient: cfg.Lenient}}
	if _, err := io.ReadFull(cfg.Rand, h.agentNonce[:]); err != nil {
		return nil, fmt.Errorf("agentproto: agent nonce: %w", err)
	}
	return h, nil
}

// Start returns the messages that open the login.
func (h *AgentHandshake) Start() ([][]byte, error) {
	var out outbox
	if h.cfg.CommitDate != "" {
		out.add(AgentCommitDate{Text: []byte(h.cfg.CommitDate)})
	}
	if h.cfg.HostInfo != "" {
		out.add(HostInfo{Text: []byte(h.cfg.HostInfo)})
	}
	out.add(ServerID{ID: h.cfg.ServerID})
	if h.cfg.TrustServer {
		out.add(AuthConfirm{})
	}
	out.add(AuthRequest{WebHash: h.cfg.WebHash, Nonce: h.agentNonce})
	if h.cfg.TrustServer {
		h.addInfo(&out)
	}
	return out.done(h.fail)
}

// ServerProved reports whether the server proved its identity in this login, so that a later one over the same TLS
// certificate may use the short form.
func (h *AgentHandshake) ServerProved() bool { return h.proved }

// Handle takes one message of the server and returns the replies to send, if any.
func (h *AgentHandshake) Handle(msg []byte) (replies [][]byte, err error) {
	if err := h.next(); err != nil {
		return nil, err
	}
	cmd, ok := PeekCommand(msg)
	if !ok {
		return nil, h.ignore(notBinary(msg))
	}
	if h.seen.has(cmd) {
		return nil, h.fail(unexpected(cmd, "sent twice"))
	}
	switch cmd {
	case CmdAuthRequest:
		err = h.handleRequest(msg)
	case CmdAuthVerify:
		replies, err = h.handleVerify(msg)
	case CmdAuthConfirm:
		err = h.handleConfirm(msg)
	default:
		return nil, h.ignore(unexpected(cmd, "before the login"))
	}
	if err != nil {
		return nil, h.fail(err)
	}
	h.seen.add(cmd)
	return replies, nil
}

func (h *AgentHandshake) handleRequest(msg []byte) error {
	m, err := ParseAuthRequest(msg)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(m.WebHash[:], h.cfg.WebHash[:]) != 1 {
		return &WebHashError{Got: m.WebHash, Want: []Hash{h.cfg.WebHash}}
	}
	h.serverNonce = m.Nonce
	h.need = NeedSignature
	return nil
}

// Digest returns what to sign after NeedSignature: a SHA-384 digest, for RSASSA-PKCS1-v1_5 with the agent's key.
func (h *AgentHandshake) Digest() [sha512.Size384]byte {
	return SignedDigest(h.cfg.WebHash, h.serverNonce, h.agentNonce)
}

// SetSignature takes the signature after NeedSignature and returns the command 2 to send.
func (h *AgentHandshake) SetSignature(signature []byte) (replies [][]byte, err error) {
	if h.need != NeedSignature {
		return nil, h.fail(fmt.Errorf("%w: SetSignature while the handshake needs: %v", ErrProtocol, h.need))
	}
	h.need = NeedMessage
	var out outbox
	out.add(AuthVerify{Certificate: h.cfg.Certificate, Signature: signature})
	return out.done(h.fail)
}

func (h *AgentHandshake) handleVerify(msg []byte) ([][]byte, error) {
	m, err := ParseAuthVerify(msg)
	if err != nil {
		return nil, err
	}
	if !h.seen.has(CmdAuthRequest) {
		return nil, unexpected(CmdAuthVerify, "before command 1")
	}
	key, err := peerKey(m.Certificate)
	if err != nil {
		return nil, err
	}
	if err := checkServerID(key, h.cfg.ServerID); err != nil {
		return nil, err
	}
	digest := SignedDigest(h.cfg.WebHash, h.agentNonce, h.serverNonce)
	if err := rsaVerifyRaw(key, digest[:], m.Signature); err != nil {
		return nil, err
	}
	h.proved = true
	var out outbox
	if !h.infoSent {
		h.addInfo(&out)
	}
	return out.done(nil)
}

// checkServerID compares a key with the ServerID to expect: its SHA-384 hash, or, for an id of the SHA-256 era, which
// is padded with zeros, its SHA-256 hash.
func checkServerID(key *rsa.PublicKey, want nodeid.ServerID) error {
	got, err := nodeid.ServerIDFromPublicKey(key)
	if err != nil {
		return malformed(CmdAuthVerify, "certificate: %v", err)
	}
	if subtle.ConstantTimeCompare(got[:], want[:]) == 1 {
		return nil
	}
	var legacy nodeid.ServerID
	short := sha256.Sum256(x509.MarshalPKCS1PublicKey(key))
	copy(legacy[:], short[:])
	if subtle.ConstantTimeCompare(legacy[:], want[:]) == 1 {
		return nil
	}
	return fmt.Errorf("%w: server is %v, expected was %v", ErrWrongServer, got, want)
}

func (h *AgentHandshake) handleConfirm(msg []byte) error {
	if _, err := ParseAuthConfirm(msg); err != nil {
		return err
	}
	switch {
	case !h.seen.has(CmdAuthRequest):
		return unexpected(CmdAuthConfirm, "before command 1")
	case !h.proved && !h.cfg.TrustServer:
		return unexpected(CmdAuthConfirm, "before the server proved its identity")
	}
	h.need = Complete
	return nil
}

// addInfo adds command 3, after the preferred name if there is one.
func (h *AgentHandshake) addInfo(out *outbox) {
	if h.cfg.PreferredName != "" {
		out.addJSON(struct {
			Action string `json:"action"`
			Value  string `json:"value"`
		}{"agentName", h.cfg.PreferredName})
	}
	out.add(h.cfg.Info)
	h.infoSent = true
}

// Waiting tells what an unfinished login waits for, for the error that a time limit ends it with. A stock server that
// refuses a login says nothing and keeps the connection open, so this is the place for guesses.
func (h *AgentHandshake) Waiting() string {
	switch {
	case h.need != NeedMessage:
		return "this side: " + h.need.String()
	case !h.seen.has(CmdAuthRequest):
		return "server has not answered command 1; it may not know the TLS certificate this agent sees, or want an agent key"
	case !h.proved && !h.cfg.TrustServer:
		return "server has not proved its identity (command 2)"
	}
	return "server has not confirmed the login (command 4); it may not know the device group, or be holding a device that reconnected too often"
}

// outbox collects messages and the first error in making them.
type outbox struct {
	msgs [][]byte
	err  error
}

func (o *outbox) add(m Message) {
	b, err := m.AppendBinary(nil)
	o.put(b, err)
}

func (o *outbox) addJSON(v any) {
	b, err := json.Marshal(v)
	o.put(b, err)
}

func (o *outbox) put(b []byte, err error) {
	if o.err == nil {
		o.err = err
	}
	o.msgs = append(o.msgs, b)
}

// done returns the messages, or passes the error to fail if that is not nil.
func (o *outbox) done(fail func(error) error) ([][]byte, error) {
	if o.err == nil {
		return o.msgs, nil
	}
	if fail != nil {
		return nil, fail(o.err)
	}
	return nil, o.err
}
