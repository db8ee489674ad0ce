package agentproto

import (
	"crypto/sha512"

	"github.com/meshcentral-go/sdk/certs"
)

// Hash is a SHA-384 hash: of a certificate, a core or an executable.
type Hash = certs.Hash

// Nonce is what one side of a login picks at random.
type Nonce [48]byte

// SignedSize is the length of what a login signs.
const SignedSize = 3 * 48

// AppendSigned appends the 144 bytes that a side signs: the web certificate's hash, the other side's nonce, then its
// own. The agent signs H || Ns || Na (agentcore.c, MeshServer_ProcessCommand case 1; meshagent.js,
// processAgentSignature), the server H || Na || Ns (meshagent.js, case 1).
func AppendSigned(b []byte, h Hash, theirs, own Nonce) []byte {
	b = append(b, h[:]...)
	b = append(b, theirs[:]...)
	return append(b, own[:]...)
}

// SignedDigest returns the SHA-384 of [AppendSigned], which is signed with RSASSA-PKCS1-v1_5.
func SignedDigest(h Hash, theirs, own Nonce) [sha512.Size384]byte {
	var buf [SignedSize]byte
	return sha512.Sum384(AppendSigned(buf[:0], h, theirs, own))
}
