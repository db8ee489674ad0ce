package agentproto

import (
	"encoding/binary"
	"math"
)

// AuthVerify (command 2) proves a key. The agent sends it when it has the server's nonce, the server when it has the
// agent's, unless the agent waived it with command 4.
//
//	  0  2  00 02
//	  2  2  length of the certificate
//	  4  n  certificate, X.509 in DER
//	4+n  *  signature, to the end
//
// The signature is a raw RSASSA-PKCS1-v1_5 one over [AppendSigned], or, from a Windows agent whose key is in the
// certificate store, a PKCS#7 SignedData in DER that holds it.
//
// Confirmed in agentcore.c, MeshServer_ProcessCommand, and meshagent.js, case 2.
type AuthVerify struct {
	Certificate []byte // aliases the message when parsed
	Signature   []byte // aliases the message when parsed
}

// Command returns [CmdAuthVerify].
func (AuthVerify) Command() Command { return CmdAuthVerify }

// AppendBinary appends the message. It fails if the certificate is empty or over 65,535 bytes, or if there is no signature.
func (m AuthVerify) AppendBinary(b []byte) ([]byte, error) {
	if len(m.Certificate) == 0 || len(m.Certificate) > math.MaxUint16 {
		return b, malformed(CmdAuthVerify, "certificate of %d bytes", len(m.Certificate))
	}
	if len(m.Signature) == 0 {
		return b, malformed(CmdAuthVerify, "no signature")
	}
	b = appendHeader(b, CmdAuthVerify)
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.Certificate)))
	b = append(b, m.Certificate...)
	return append(b, m.Signature...), nil
}

// ParseAuthVerify parses a command 2. What it returns aliases msg.
func ParseAuthVerify(msg []byte) (m AuthVerify, err error) {
	if err := checkHeader(msg, CmdAuthVerify, 4, math.MaxInt); err != nil {
		return m, err
	}
	n := int(binary.BigEndian.Uint16(msg[2:]))
	body := msg[4:]
	switch {
	case n == 0:
		return m, malformed(CmdAuthVerify, "no certificate")
	case len(body) < n:
		return m, malformed(CmdAuthVerify, "certificate of %d bytes, %d are there", n, len(body))
	case len(body) == n:
		return m, malformed(CmdAuthVerify, "no signature")
	}
	m.Certificate, m.Signature = body[:n:n], body[n:]
	return m, nil
}
