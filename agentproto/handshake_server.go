package agentproto

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"github.com/meshcentral-go/sdk/nodeid"
)

// ServerIdentity is what a server proves itself with: its agent server certificate and key. Agents know it by its
// [nodeid.ServerID].
type ServerIdentity struct {
	certificate []byte
	signer      crypto.Signer
	id          nodeid.ServerID
	legacy      [sha256.Size]byte // the id in .msh files of the SHA-256 era
}

// NewServerIdentity checks that the signer is RSA and belongs to the certificate, given in DER. Any crypto.Signer
// works: a key in a TPM, a PKCS#11 token, a key service.
func NewServerIdentity(certificate []byte, signer crypto.Signer) (*ServerIdentity, error) {
	key, err := peerKey(certificate)
	if err != nil {
		return nil, fmt.Errorf("agentproto: agent server certificate: %w", err)
	}
	if signer == nil || !key.Equal(signer.Public()) {
		return nil, fmt.Errorf("agentproto: agent server key does not belong to its certificate")
	}
	id, err := nodeid.ServerIDFromCertificateDER(certificate)
	if err != nil {
		return nil, fmt.Errorf("agentproto: agent server certificate: %w", err)
	}
	return &ServerIdentity{
		certificate: certificate, signer: signer, id: id,
		legacy: sha256.Sum256(x509.MarshalPKCS1PublicKey(key)),
	}, nil
}

// ID returns the ServerID that agents expect.
func (s *ServerIdentity) ID() nodeid.ServerID { return s.id }

// Certificate returns the certificate in DER.
func (s *ServerIdentity) Certificate() []byte { return s.certificate }

// Signer returns the private key.
func (s *ServerIdentity) Signer() crypto.Signer { return s.signer }

// matches reports whether id, as an agent sends it, is this server's: the SHA-384 key hash, or the SHA-256 one padded
// with zeros.
func (s *ServerIdentity) matches(id nodeid.ServerID) bool {
	if id == s.id {
		return true
	}
	var padded nodeid.ServerID
	copy(padded[:], s.legacy[:])
	return id == padded
}

// String returns the ServerID, never the key.
func (s ServerIdentity) String() string { return "ServerIdentity(" + s.id.String() + ")" }

// GoString returns the same as String.
func (s ServerIdentity) GoString() string { return s.String() }

// LogValue logs the ServerID alone.
func (s ServerIdentity) LogValue() slog.Value { return slog.StringValue(s.id.String()) }

// ServerHandshakeConfig is what a [ServerHandshake] needs to know. Identities and WebHashes are required.
type ServerHandshakeConfig struct {
	// Identities are the servers that this one is to agents, the first by default. An agent that names another one
	// with command 5 gets that.
	Identities []*ServerIdentity
	// WebHashes are the certificate and key hashes under which this server is seen on this connection: its own, or
	// those of a proxy in front. There may be several, as while a certificate is being replaced.
	WebHashes []Hash
	// SignEagerly proves the server first, right after the agent's command 1, as the stock server does. By default the
	// agent proves its key first, whose verification costs the server a twentieth of its own signature: that is then made
	// only for a key that is known, or admitted. Every known agent can do either.
	SignEagerly bool
	// Lenient ignores what the stock server ignores instead of failing: unknown commands, repeated commands 5, 30 and
	// 31, JSON other than the agent's name. It loosens no check of a signature, a hash or a size.
	Lenient bool
	// Rand makes the nonce. Nil is crypto/rand.
	Rand io.Reader
}

// AgentInfo is what an agent said of itself in its login. Its strings are sanitised, but they are the agent's word.
type AgentInfo struct {
	NodeID        nodeid.NodeID // from the key that it proved
	Group         nodeid.MeshID // where it wants to be enrolled; a known agent stays where it is
	AgentID       AgentID
	AgentVersion  uint32
	Platform      PlatformType
	Capabilities  Capabilities
	Name          AgentString // computer name
	PreferredName AgentString // the name it asks to be shown by, if any
	CommitDate    AgentString // command 30
	HostInfo      AgentString // command 31
	WebHash       Hash        // the TLS certificate it saw
	ShortForm     bool        // it did not ask for the server's signature
}

// ServerHandshake is the server's side of a login, without I/O: feed it messages, do what [ServerHandshake.Need] says.
// Any failure is final.
type ServerHandshake struct {
	cfg      ServerHandshakeConfig
	identity *ServerIdentity
	handshake

	skip        bool // command 4: the agent needs no signature
	signed      bool
	admitted    bool
	verified    bool
	expects     *nodeid.ServerID
	agentNonce  Nonce
	serverNonce Nonce
	info        AgentInfo
	certificate []byte
}

// NewServerHandshake starts a login. It fails if the configuration has no identity or if no nonce can be made.
func NewServerHandshake(cfg ServerHandshakeConfig) (*ServerHandshake, error) {
	if len(cfg.Identities) == 0 {
		return nil, fmt.Errorf("agentproto: server handshake without an identity")
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	h := &ServerHandshake{cfg: cfg, identity: cfg.Identities[0], handshake: handshake{lenient: cfg.Lenient}}
	if _, err := io.ReadFull(cfg.Rand, h.serverNonce[:]); err != nil {
		return nil, fmt.Errorf("agentproto: server nonce: %w", err)
	}
	return h, nil
}

// Info returns what is known of the agent. From NeedAdmission on the node id is proved; hasInfo tells whether command 3,
// and with it all but the node id and the strings of commands 30 and 31, has arrived.
func (h *ServerHandshake) Info() (info AgentInfo, hasInfo bool) {
	return h.info, h.seen.has(CmdAuthInfo)
}

// Certificate returns the agent's certificate in DER once its key is proved. Only the key in it means anything: agents
// sign their certificates themselves.
func (h *ServerHandshake) Certificate() []byte { return h.certificate }

// Identity returns which of the configured identities the login uses.
func (h *ServerHandshake) Identity() *ServerIdentity { return h.identity }

// Handle takes one message of the agent and returns the reply to send, if any.
func (h *ServerHandshake) Handle(msg []byte) (reply []byte, err error) {
	if err := h.next(); err != nil {
		return nil, err
	}
	if IsJSON(msg) {
		return nil, h.handleJSON(msg)
	}
	cmd, ok := PeekCommand(msg)
	if !ok {
		return nil, h.ignore(notBinary(msg))
	}
	if h.seen.has(cmd) {
		err := unexpected(cmd, "sent twice")
		if cmd <= CmdAuthConfirm {
			return nil, h.fail(err)
		}
		if err := h.ignore(err); err != nil {
			return nil, err
		}
	}
	switch cmd {
	case CmdAgentCommitDate:
		m, err := ParseAgentCommitDate(msg)
		if err != nil {
			return nil, h.fail(err)
		}
		h.info.CommitDate = CleanAgentString(string(m.Text), maxInfoText)
	case CmdHostInfo:
		m, err := ParseHostInfo(msg)
		if err != nil {
			return nil, h.fail(err)
		}
		h.info.HostInfo = CleanAgentString(string(m.Text), maxInfoText)
	case CmdServerID:
		err = h.handleServerID(msg)
	case CmdAuthConfirm:
		err = h.handleConfirm(msg)
	case CmdAuthRequest:
		reply, err = h.handleRequest(msg)
	case CmdAuthVerify:
		err = h.handleVerify(msg)
	case CmdAuthInfo:
		err = h.handleInfo(msg)
	default:
		return nil, h.ignore(unexpected(cmd, "before the login"))
	}
	if err != nil {
		return nil, h.fail(err)
	}
	h.seen.add(cmd)
	h.advance()
	return reply, nil
}

// maxInfoText bounds the texts of commands 30 and 31.
const maxInfoText = 256

// handleJSON takes the one JSON message that an agent may send before it is logged in: {"action":"agentName","value":x}.
func (h *ServerHandshake) handleJSON(msg []byte) error {
	var m struct {
		Action string `json:"action"`
		Value  string `json:"value"`
	}
	if err := json.Unmarshal(msg, &m); err != nil || m.Action != "agentName" {
		return h.ignore(unexpected(0, fmt.Sprintf("JSON action %.32q before the login", m.Action)))
	}
	if n := len(m.Value); n == 0 || n > 255 { // the stock server's bounds
		return h.ignore(malformed(0, "agent name of %d bytes", n))
	}
	h.info.PreferredName = CleanAgentString(m.Value, 255)
	return nil
}

func (h *ServerHandshake) handleServerID(msg []byte) error {
	m, err := ParseServerID(msg)
	if err != nil {
		return err
	}
	if h.seen.has(CmdAuthRequest) {
		if h.lenient {
			return nil
		}
		return unexpected(CmdServerID, "after command 1")
	}
	h.expects = &m.ID
	for _, id := range h.cfg.Identities {
		if id.matches(m.ID) {
			h.identity, h.expects = id, nil
			break
		}
	}
	return nil
}

func (h *ServerHandshake) handleConfirm(msg []byte) error {
	if _, err := ParseAuthConfirm(msg); err != nil {
		return err
	}
	if h.seen.has(CmdAuthRequest) {
		return unexpected(CmdAuthConfirm, "after command 1")
	}
	h.skip = true
	return nil
}

func (h *ServerHandshake) handleRequest(msg []byte) ([]byte, error) {
	m, err := ParseAuthRequest(msg)
	if err != nil {
		return nil, err
	}
	if !knownHash(h.cfg.WebHashes, m.WebHash) {
		return nil, &WebHashError{Got: m.WebHash, Want: h.cfg.WebHashes}
	}
	h.info.WebHash, h.agentNonce = m.WebHash, m.Nonce
	return AuthRequest{WebHash: m.WebHash, Nonce: h.serverNonce}.AppendBinary(make([]byte, 0, authRequestSize))
}

// knownHash reports whether h is one of known. Hashes of certificates are public, so time tells nothing.
func knownHash(known []Hash, h Hash) bool {
	for _, k := range known {
		if subtle.ConstantTimeCompare(k[:], h[:]) == 1 {
			return true
		}
	}
	return false
}

func (h *ServerHandshake) handleVerify(msg []byte) error {
	m, err := ParseAuthVerify(msg)
	if err != nil {
		return err
	}
	if !h.seen.has(CmdAuthRequest) {
		return unexpected(CmdAuthVerify, "before command 1")
	}
	key, err := peerKey(m.Certificate)
	if err != nil {
		return err
	}
	digest := SignedDigest(h.info.WebHash, h.serverNonce, h.agentNonce)
	if err := verifySignature(key, digest[:], m.Signature); err != nil {
		return err
	}
	if h.info.NodeID, err = nodeid.FromPublicKey(key); err != nil {
		return malformed(CmdAuthVerify, "certificate: %v", err)
	}
	h.certificate = append([]byte(nil), m.Certificate...)
	h.verified = true
	return nil
}

func (h *ServerHandshake) handleInfo(msg []byte) error {
	m, err := ParseAuthInfo(msg)
	if err != nil {
		return err
	}
	i := &h.info
	i.Group, i.AgentID, i.AgentVersion = m.Group.Canonical(), m.AgentID, m.AgentVersion
	i.Platform, i.Capabilities = m.Platform, m.Capabilities
	i.Name = CleanAgentString(string(m.Name), 255)
	return nil
}

// advance works out what is needed next.
func (h *ServerHandshake) advance() {
	requested := h.seen.has(CmdAuthRequest)
	mustSign := requested && !h.skip && !h.signed
	switch {
	case !h.admitted && (h.verified || mustSign && h.cfg.SignEagerly):
		h.need = NeedAdmission
	case h.admitted && mustSign:
		if h.expects != nil {
			// The agent would refuse the signature and wait in silence. Better to say so than to sign.
			h.fail(fmt.Errorf("%w: it expects ServerID %v, this is %v", ErrWrongServer, *h.expects, h.identity.id))
			return
		}
		h.need = NeedSignature
	case h.admitted && h.verified && h.seen.has(CmdAuthInfo):
		h.need = NeedLogin
	default:
		h.need = NeedMessage
	}
}

// Admit lets the login go on after NeedAdmission.
func (h *ServerHandshake) Admit() error {
	if h.need != NeedAdmission {
		return h.fail(fmt.Errorf("%w: Admit while the handshake needs: %v", ErrProtocol, h.need))
	}
	h.admitted = true
	h.info.ShortForm = h.skip
	h.advance()
	return h.err
}

// Digest returns what to sign after NeedSignature: a SHA-384 digest, for RSASSA-PKCS1-v1_5 with the key of
// [ServerHandshake.Identity].
func (h *ServerHandshake) Digest() [sha512.Size384]byte {
	return SignedDigest(h.info.WebHash, h.agentNonce, h.serverNonce)
}

// SetSignature takes the signature after NeedSignature and returns the command 2 to send.
func (h *ServerHandshake) SetSignature(signature []byte) (reply []byte, err error) {
	if h.need != NeedSignature {
		return nil, h.fail(fmt.Errorf("%w: SetSignature while the handshake needs: %v", ErrProtocol, h.need))
	}
	reply, err = AuthVerify{Certificate: h.identity.certificate, Signature: signature}.AppendBinary(nil)
	if err != nil {
		return nil, h.fail(err)
	}
	h.signed = true
	h.advance()
	return reply, nil
}

// Accept logs the agent in after NeedLogin and returns the command 4 to send.
func (h *ServerHandshake) Accept() (reply []byte, err error) {
	if h.need != NeedLogin {
		return nil, h.fail(fmt.Errorf("%w: Accept while the handshake needs: %v", ErrProtocol, h.need))
	}
	h.need = Complete
	return AuthConfirm{}.AppendBinary(make([]byte, 0, 2))
}

// Reject ends the login for a reason of the embedder's, at any step.
func (h *ServerHandshake) Reject(reason error) error {
	return h.fail(fmt.Errorf("%w: %w", ErrRefused, reason))
}

// Waiting tells what an unfinished login waits for, for the error that a time limit ends it with.
func (h *ServerHandshake) Waiting() string {
	switch {
	case h.need != NeedMessage:
		return "this side: " + h.need.String()
	case !h.seen.has(CmdAuthRequest):
		return "agent has not sent command 1"
	case !h.verified:
		return "agent has not proved its key (command 2)"
	case h.signed:
		return "agent did not answer the server's signature (command 3); the ServerID of its .msh may be another's"
	}
	return "agent has not said who it is (command 3)"
}
