package agentproto

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/nodeid"
)

// agentScript makes the messages of an agent that logs in at hs, out of their order if a test wants.
type agentScript struct {
	key   keyPair
	web   Hash
	nonce Nonce
	hs    *ServerHandshake
}

func newScript(t testing.TB, change func(*ServerHandshakeConfig)) *agentScript {
	t.Helper()
	cfg := ServerHandshakeConfig{Identities: []*ServerIdentity{testServer().identity(t)}, WebHashes: []Hash{testWeb}}
	if change != nil {
		change(&cfg)
	}
	hs, err := NewServerHandshake(cfg)
	require.NoError(t, err)
	return &agentScript{key: testAgent(), web: testWeb, nonce: Nonce{5}, hs: hs}
}

func encode(t testing.TB, m Message) []byte {
	t.Helper()
	b, err := m.AppendBinary(nil)
	require.NoError(t, err)
	return b
}

// message returns the agent's message for a letter: the digits are the commands, d and h commands 30 and 31, n the name
// in JSON, w a command 2 in PKCS#7 form.
func (a *agentScript) message(t testing.TB, what rune) []byte {
	t.Helper()
	switch what {
	case 'd':
		return encode(t, AgentCommitDate{Text: []byte("2022-Nov-2 23:01:45-0700")})
	case 'h':
		return encode(t, HostInfo{Text: []byte("Linux")})
	case '5':
		return encode(t, ServerID{ID: testServer().identity(t).ID()})
	case '4':
		return encode(t, AuthConfirm{})
	case '1':
		return encode(t, AuthRequest{WebHash: a.web, Nonce: a.nonce})
	case '2':
		return encode(t, AuthVerify{Certificate: a.key.der, Signature: a.signature(t)})
	case 'w':
		return encode(t, AuthVerify{Certificate: a.key.der, Signature: pkcs7Wrap(t, a.signature(t), false)})
	case '3':
		return encode(t, AuthInfo{InfoVersion: 1, AgentID: 6, Group: nodeid.MeshID{1}, Name: []byte("x")})
	case 'n':
		return []byte(`{"action":"agentName","value":"preferred"}`)
	}
	t.Fatalf("no message %q", what)
	return nil
}

func (a *agentScript) signature(t testing.TB) []byte {
	return a.key.sign(t, SignedDigest(a.web, a.hs.serverNonce, a.nonce))
}

// run feeds the messages and does what the handshake needs. It returns the commands that the server sent.
func (a *agentScript) run(t testing.TB, script string) (sent string) {
	t.Helper()
	for _, what := range script {
		if a.hs.Need() != NeedMessage {
			break
		}
		reply, _ := a.hs.Handle(a.message(t, what))
		sent += a.settle(t, reply)
	}
	return sent
}

// settle does what the handshake needs until it needs a message.
func (a *agentScript) settle(t testing.TB, reply []byte) (sent string) {
	t.Helper()
	for {
		if reply != nil {
			cmd, _ := PeekCommand(reply)
			sent += string('0' + rune(cmd))
		}
		reply = nil
		switch a.hs.Need() {
		case NeedAdmission:
			_ = a.hs.Admit()
		case NeedSignature:
			reply, _ = a.hs.SetSignature(testServer().sign(t, a.hs.Digest()))
		case NeedLogin:
			reply, _ = a.hs.Accept()
		default:
			return sent
		}
	}
}

func TestServerHandshakeOrders(t *testing.T) {
	eager := func(c *ServerHandshakeConfig) { c.SignEagerly = true }
	lenient := func(c *ServerHandshakeConfig) { c.Lenient = true }
	tests := []struct {
		script string
		cfg    func(*ServerHandshakeConfig)
		sent   string
		want   Need
		err    error
	}{
		// What real agents do.
		{"dh5123", nil, "124", Complete, nil},
		{"dh541n32", nil, "14", Complete, nil},
		{"dh5412n3", nil, "14", Complete, nil},
		// Every other legal order.
		{"123", nil, "124", Complete, nil},
		{"132", nil, "124", Complete, nil},
		{"312", nil, "124", Complete, nil},
		{"3412", nil, "14", Complete, nil},
		{"h1d23", nil, "124", Complete, nil},
		{"1w3", nil, "124", Complete, nil},
		{"123", eager, "124", Complete, nil},
		{"312", eager, "124", Complete, nil},
		{"4132", eager, "14", Complete, nil},
		// Unfinished.
		{"", nil, "", NeedMessage, nil},
		{"1", nil, "1", NeedMessage, nil},
		{"1", eager, "12", NeedMessage, nil},
		{"12", nil, "12", NeedMessage, nil},
		{"412", nil, "1", NeedMessage, nil},
		// Out of order or too often.
		{"2", nil, "", Failed, ErrProtocol},
		{"11", nil, "1", Failed, ErrProtocol},
		{"14", nil, "1", Failed, ErrProtocol},
		{"122", nil, "12", Failed, ErrProtocol},
		{"33", nil, "", Failed, ErrProtocol},
		{"44", nil, "", Failed, ErrProtocol},
		{"15", nil, "1", Failed, ErrProtocol},
		{"55", nil, "", Failed, ErrProtocol},
		{"dd", nil, "", Failed, ErrProtocol},
		{"dd55hh15123", lenient, "1", Failed, ErrProtocol}, // the second command 1 is not forgiven
		{"dd55hh1523", lenient, "124", Complete, nil},
		{"122", lenient, "12", Failed, ErrProtocol},
		{"2", lenient, "", Failed, ErrProtocol},
		{"nnnnnnnnnnnnnnnnnnnnnnnnn", nil, "", Failed, ErrProtocol},
	}
	for _, tt := range tests {
		a := newScript(t, tt.cfg)
		require.Equal(t, tt.sent, a.run(t, tt.script), tt.script)
		require.Equal(t, tt.want, a.hs.Need(), tt.script)
		if tt.err == nil {
			require.NoError(t, a.hs.Err(), tt.script)
		} else {
			require.ErrorIs(t, a.hs.Err(), tt.err, tt.script)
		}
		if tt.want == Complete {
			info, has := a.hs.Info()
			require.True(t, has)
			require.Equal(t, testAgent().node(t), info.NodeID)
		}
	}
}

func TestServerHandshakeFailsForGood(t *testing.T) {
	a := newScript(t, nil)
	_, err := a.hs.Handle(a.message(t, '2'))
	require.ErrorIs(t, err, ErrProtocol)
	for _, what := range "dh5123" {
		_, again := a.hs.Handle(a.message(t, what))
		require.Equal(t, err, again, "the first error stays")
	}
	require.Error(t, a.hs.Admit())
	_, err = a.hs.Accept()
	require.Error(t, err)
	_, err = a.hs.SetSignature([]byte{1})
	require.Error(t, err)
	require.Equal(t, Failed, a.hs.Need())
}

func TestServerHandshakeNeedsItsDecisions(t *testing.T) {
	a := newScript(t, nil)
	a.run(t, "1")
	_, err := a.hs.Handle(a.message(t, '2'))
	require.NoError(t, err)
	require.Equal(t, NeedAdmission, a.hs.Need(), "the agent is proved, nothing was signed")
	info, has := a.hs.Info()
	require.False(t, has)
	require.Equal(t, testAgent().node(t), info.NodeID)
	require.Equal(t, testAgent().der, a.hs.Certificate())
	_, err = a.hs.Accept()
	require.ErrorIs(t, err, ErrProtocol, "no way around the admission")

	a = newScript(t, nil)
	a.run(t, "1")
	_, _ = a.hs.Handle(a.message(t, '2'))
	reason := errors.New("unwanted")
	require.ErrorIs(t, a.hs.Reject(reason), ErrRefused)
	require.ErrorIs(t, a.hs.Err(), reason)
	require.Equal(t, Failed, a.hs.Need())
}

func TestServerHandshakeProofs(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(t *testing.T, a *agentScript) []byte // returns the command 2
		want  error
	}{
		{"another web certificate", func(t *testing.T, a *agentScript) []byte {
			a.web = Hash{9}
			return a.message(t, '2')
		}, ErrBadSignature},
		{"another key", func(t *testing.T, a *agentScript) []byte {
			sig := testAgent2().sign(t, SignedDigest(a.web, a.hs.serverNonce, a.nonce))
			return encode(t, AuthVerify{Certificate: a.key.der, Signature: sig})
		}, ErrBadSignature},
		{"the server's order of nonces", func(t *testing.T, a *agentScript) []byte {
			sig := a.key.sign(t, SignedDigest(a.web, a.nonce, a.hs.serverNonce))
			return encode(t, AuthVerify{Certificate: a.key.der, Signature: sig})
		}, ErrBadSignature},
		{"an old login", func(t *testing.T, a *agentScript) []byte {
			sig := a.key.sign(t, SignedDigest(a.web, Nonce{1}, a.nonce))
			return encode(t, AuthVerify{Certificate: a.key.der, Signature: sig})
		}, ErrBadSignature},
		{"junk of the right size", func(t *testing.T, a *agentScript) []byte {
			return encode(t, AuthVerify{Certificate: a.key.der, Signature: make([]byte, 256)})
		}, ErrBadSignature},
		{"junk", func(t *testing.T, a *agentScript) []byte {
			return encode(t, AuthVerify{Certificate: a.key.der, Signature: []byte{1, 2, 3}})
		}, ErrMalformed},
		{"PKCS#7 with authenticated attributes", func(t *testing.T, a *agentScript) []byte {
			return encode(t, AuthVerify{Certificate: a.key.der, Signature: pkcs7Wrap(t, a.signature(t), true)})
		}, ErrMalformed},
		{"PKCS#7 by another key", func(t *testing.T, a *agentScript) []byte {
			sig := testAgent2().sign(t, SignedDigest(a.web, a.hs.serverNonce, a.nonce))
			return encode(t, AuthVerify{Certificate: a.key.der, Signature: pkcs7Wrap(t, sig, false)})
		}, ErrBadSignature},
		{"no certificate", func(t *testing.T, a *agentScript) []byte {
			return encode(t, AuthVerify{Certificate: []byte{0x30, 0}, Signature: a.signature(t)})
		}, ErrMalformed},
		{"an EC key", func(t *testing.T, a *agentScript) []byte {
			return encode(t, AuthVerify{Certificate: ecPair().der, Signature: a.signature(t)})
		}, ErrMalformed},
		{"a weak key", func(t *testing.T, a *agentScript) []byte {
			a.key = weakPair()
			return encode(t, AuthVerify{Certificate: a.key.der, Signature: make([]byte, 128)})
		}, ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, lenient := range []bool{false, true} {
				a := newScript(t, func(c *ServerHandshakeConfig) { c.Lenient = lenient })
				a.run(t, "1")
				_, err := a.hs.Handle(tt.spoil(t, a))
				require.ErrorIs(t, err, tt.want)
				require.Equal(t, Failed, a.hs.Need())
			}
		})
	}
}

func TestServerHandshakeWebHash(t *testing.T) {
	a := newScript(t, func(c *ServerHandshakeConfig) { c.WebHashes = []Hash{{1}, testWeb} })
	require.Equal(t, "124", a.run(t, "123"), "any of several")
	a = newScript(t, nil)
	a.web = Hash{9}
	_, err := a.hs.Handle(a.message(t, '1'))
	require.ErrorIs(t, err, ErrBadWebHash)
	var bad *WebHashError
	require.ErrorAs(t, err, &bad)
	require.Equal(t, WebHashError{Got: Hash{9}, Want: []Hash{testWeb}}, *bad)
}

func TestServerHandshakePicksIdentity(t *testing.T) {
	both := func(c *ServerHandshakeConfig) { c.Identities = append(c.Identities, testServer2().identity(t)) }
	legacy := sha256.Sum256(x509.MarshalPKCS1PublicKey(publicKey(t, testServer2().der)))
	var legacyID nodeid.ServerID
	copy(legacyID[:], legacy[:])
	for _, id := range []nodeid.ServerID{testServer2().identity(t).ID(), legacyID} {
		a := newScript(t, both)
		_, err := a.hs.Handle(encode(t, ServerID{ID: id}))
		require.NoError(t, err)
		require.Equal(t, testServer2().identity(t).ID(), a.hs.Identity().ID())
	}
	// Another server's agent is told so before a signature is made for it, and let in if it wants none.
	a := newScript(t, both)
	_, err := a.hs.Handle(encode(t, ServerID{ID: nodeid.ServerID{1}}))
	require.NoError(t, err)
	require.Equal(t, "1", a.run(t, "12"))
	require.ErrorIs(t, a.hs.Err(), ErrWrongServer)
	a = newScript(t, both)
	_, err = a.hs.Handle(encode(t, ServerID{ID: nodeid.ServerID{1}}))
	require.NoError(t, err)
	require.Equal(t, "14", a.run(t, "4123"))
}

func TestServerHandshakeOddMessages(t *testing.T) {
	for _, msg := range [][]byte{
		nil, {0}, {0x7A, 1}, {0, 10, 0, 0}, {0, 11, 0, 0},
		[]byte(`{"action":"coreinfo"}`), []byte(`{"action":"agentName","value":""}`), []byte(`{`),
		append([]byte(`{"action":"agentName","value":"`), append(make([]byte, 300), `"}`...)...),
	} {
		a := newScript(t, nil)
		_, err := a.hs.Handle(msg)
		require.Error(t, err, "%q", msg)
		a = newScript(t, func(c *ServerHandshakeConfig) { c.Lenient = true })
		_, err = a.hs.Handle(msg)
		require.NoError(t, err, "%q", msg)
		require.Equal(t, "124", a.run(t, "123"), "%q", msg)
	}
}

// agentHandshake returns an agent's handshake that has begun.
func agentHandshake(t testing.TB, change func(*AgentHandshakeConfig)) *AgentHandshake {
	t.Helper()
	cfg := AgentHandshakeConfig{
		Certificate: testAgent().der, ServerID: testServer().identity(t).ID(), WebHash: testWeb,
		Info: AuthInfo{AgentID: 6, Name: []byte("x")},
	}
	if change != nil {
		change(&cfg)
	}
	h, err := NewAgentHandshake(cfg)
	require.NoError(t, err)
	_, err = h.Start()
	require.NoError(t, err)
	return h
}

func TestAgentHandshakeOrders(t *testing.T) {
	short := func(c *AgentHandshakeConfig) { c.TrustServer = true }
	tests := []struct {
		script string
		cfg    func(*AgentHandshakeConfig)
		want   Need
		err    error
	}{
		{"124", nil, Complete, nil},
		{"14", short, Complete, nil},
		{"124", short, Complete, nil}, // a server that signs although it need not
		{"1", nil, NeedMessage, nil},
		{"12", nil, NeedMessage, nil},
		{"4", nil, Failed, ErrProtocol},
		{"4", short, Failed, ErrProtocol},
		{"14", nil, Failed, ErrProtocol}, // logged in by a server that proved nothing
		{"2", nil, Failed, ErrProtocol},
		{"11", nil, Failed, ErrProtocol},
		{"122", nil, Failed, ErrProtocol},
		{"1x", nil, Failed, ErrProtocol},
		{"x124", func(c *AgentHandshakeConfig) { c.Lenient = true }, Complete, nil},
		{"s", nil, Failed, ErrBadWebHash},
		{"1o", nil, Failed, ErrWrongServer},
		{"1o", short, Failed, ErrWrongServer},
		{"1b", nil, Failed, ErrBadSignature},
		{"1e", nil, Failed, ErrMalformed},
	}
	for _, tt := range tests {
		h := agentHandshake(t, tt.cfg)
		nonce := Nonce{7}
		digest := func() [48]byte { return SignedDigest(testWeb, h.agentNonce, nonce) }
		for _, what := range tt.script {
			var msg []byte
			switch what {
			case '1':
				msg = encode(t, AuthRequest{WebHash: testWeb, Nonce: nonce})
			case 's':
				msg = encode(t, AuthRequest{WebHash: Hash{9}, Nonce: nonce})
			case '2':
				msg = encode(t, AuthVerify{Certificate: testServer().der, Signature: testServer().sign(t, digest())})
			case 'o':
				msg = encode(t, AuthVerify{Certificate: testServer2().der, Signature: testServer2().sign(t, digest())})
			case 'b':
				msg = encode(t, AuthVerify{Certificate: testServer().der, Signature: testServer2().sign(t, digest())})
			case 'e':
				msg = encode(t, AuthVerify{Certificate: ecPair().der, Signature: []byte{1}})
			case '4':
				msg = encode(t, AuthConfirm{})
			case 'x':
				msg = encode(t, CoreHashRequest{})
			}
			_, err := h.Handle(msg)
			if err == nil && h.Need() == NeedSignature {
				_, err = h.SetSignature(testAgent().sign(t, h.Digest()))
			}
			if err != nil {
				break
			}
		}
		require.Equal(t, tt.want, h.Need(), tt.script)
		if tt.err == nil {
			require.NoError(t, h.Err(), tt.script)
		} else {
			require.ErrorIs(t, h.Err(), tt.err, tt.script)
		}
		if tt.want == Complete {
			require.Equal(t, contains2(tt.script, '2'), h.ServerProved(), tt.script)
		}
	}
}

func contains2(s string, r rune) bool {
	for _, c := range s {
		if c == r {
			return true
		}
	}
	return false
}

func TestAgentHandshakeLegacyServerID(t *testing.T) {
	short := sha256.Sum256(x509.MarshalPKCS1PublicKey(publicKey(t, testServer().der)))
	var id nodeid.ServerID
	copy(id[:], short[:])
	require.NoError(t, checkServerID(publicKey(t, testServer().der), id))
	id[47] = 1 // not padding
	require.ErrorIs(t, checkServerID(publicKey(t, testServer().der), id), ErrWrongServer)
}

func TestAgentHandshakeConfig(t *testing.T) {
	for _, cfg := range []AgentHandshakeConfig{
		{}, {Certificate: []byte{1}}, {Certificate: []byte{1}, ServerID: nodeid.ServerID{1}},
		{Certificate: []byte{1}, ServerID: nodeid.ServerID{1}, WebHash: testWeb, PreferredName: string(make([]byte, 256))},
	} {
		_, err := NewAgentHandshake(cfg)
		require.Error(t, err)
	}
}

// pkcs7Wrap puts a signature into the form that Windows agents send.
func pkcs7Wrap(t testing.TB, sig []byte, attributes bool) []byte {
	t.Helper()
	type issuerAndSerial struct {
		Issuer asn1.RawValue
		Serial int
	}
	type algorithm struct{ OID asn1.ObjectIdentifier }
	sha384 := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}
	empty := asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true}
	signer := struct {
		Version    int
		Issuer     issuerAndSerial
		Digest     algorithm
		Attributes asn1.RawValue `asn1:"optional"`
		Encryption algorithm
		Signature  []byte
	}{1, issuerAndSerial{empty, 1}, algorithm{sha384}, asn1.RawValue{}, algorithm{sha384}, sig}
	if attributes {
		signer.Attributes = asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true}
	}
	signed := struct {
		Version int
		Digests []algorithm `asn1:"set"`
		Content algorithm
		Certs   asn1.RawValue
		Signers []any `asn1:"set"`
	}{1, []algorithm{{sha384}}, algorithm{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}},
		asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: testAgent().der}, []any{signer}}
	inner, err := asn1.Marshal(signed)
	require.NoError(t, err)
	outer, err := asn1.Marshal(struct {
		OID     asn1.ObjectIdentifier
		Content asn1.RawValue
	}{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: inner}})
	require.NoError(t, err)
	return outer
}

// FuzzPKCS7 checks that what is found in a blob lies in it.
func FuzzPKCS7(f *testing.F) {
	f.Add(pkcs7Wrap(f, make([]byte, 256), false))
	f.Add(pkcs7Wrap(f, make([]byte, 256), true))
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		sig, err := pkcs7Signature(b)
		if err != nil && !errors.Is(err, ErrMalformed) || len(sig) > len(b) {
			t.Fatal(len(sig), err)
		}
	})
}

// FuzzServerHandshake shuffles, repeats, cuts and spoils the messages of a login. Each byte of the script picks a message
// and what happens to it. Whatever comes, no agent gets in whose key was not proved, and nothing that failed recovers.
func FuzzServerHandshake(f *testing.F) {
	for _, s := range []string{"dh5123", "dh541n32", "123", "11", "\x811234", "1\xb22", "312"} {
		f.Add([]byte(s), byte(0))
		f.Add([]byte(s), byte(3))
	}
	f.Fuzz(func(t *testing.T, script []byte, flags byte) {
		a := newScript(t, func(c *ServerHandshakeConfig) { c.SignEagerly, c.Lenient = flags&1 != 0, flags&2 != 0 })
		proved := false
		for i, b := range script {
			if i > 2*maxHandshakeMessages {
				break
			}
			const letters = "dh54123nw"
			what := rune(b & 0x7F)
			if !contains2(letters, what) {
				what = rune(letters[int(b&0x7F)%len(letters)])
			}
			msg := a.message(t, what)
			if b&0x80 != 0 { // cut it, or change a byte
				if i%2 == 0 {
					msg = msg[:len(msg)*int(flags)/256]
				} else {
					msg[(int(flags)*31+i)%len(msg)] ^= 0x55
				}
			}
			// A changed byte may have hit what nobody checks, such as the certificate's own signature.
			proved = proved || what == '2' || what == 'w'
			failed := a.hs.Need() == Failed
			reply, err := a.hs.Handle(msg)
			if failed && (err == nil || reply != nil) {
				t.Fatal("a failed handshake went on")
			}
			a.settle(t, reply)
			if a.hs.Need() == Complete {
				info, has := a.hs.Info()
				if !proved || !has || info.NodeID != testAgent().node(t) {
					t.Fatalf("logged in without proof: %q", script)
				}
				return
			}
		}
	})
}

// FuzzAgentHandshake does the same to the messages of a server: no agent takes a server that did not prove itself.
func FuzzAgentHandshake(f *testing.F) {
	for _, s := range []string{"124", "14", "4", "1224", "\xb1", "1\xb24"} {
		f.Add([]byte(s), byte(0))
		f.Add([]byte(s), byte(1))
	}
	f.Fuzz(func(t *testing.T, script []byte, flags byte) {
		trust := flags&1 != 0
		h := agentHandshake(t, func(c *AgentHandshakeConfig) { c.TrustServer, c.Lenient = trust, flags&2 != 0 })
		nonce := Nonce{7}
		proved := false
		for i, b := range script {
			if i > 2*maxHandshakeMessages {
				break
			}
			var msg []byte
			what := b & 0x7F
			switch what % 4 {
			case 1:
				msg = encode(t, AuthRequest{WebHash: testWeb, Nonce: nonce})
			case 2:
				sig := testServer().sign(t, SignedDigest(testWeb, h.agentNonce, nonce))
				msg = encode(t, AuthVerify{Certificate: testServer().der, Signature: sig})
			case 0:
				msg = encode(t, AuthConfirm{})
			case 3:
				msg = encode(t, CoreHashRequest{})
			}
			if b&0x80 != 0 {
				msg[(int(flags)*31+i)%len(msg)] ^= 0x55
			}
			proved = proved || what%4 == 2
			failed := h.Need() == Failed
			_, err := h.Handle(msg)
			if failed && err == nil {
				t.Fatal("a failed handshake went on")
			}
			if h.Need() == NeedSignature {
				_, _ = h.SetSignature(testAgent().sign(t, h.Digest()))
			}
			if h.Need() == Complete {
				if !trust && !proved {
					t.Fatalf("took a server without proof: %q", script)
				}
				return
			}
		}
	})
}
