// Package digest is HTTP digest authentication (RFC 2617, RFC 7616) as Intel AMT does it, both sides: over HTTP and, with
// the same hashes, in the redirection protocol.
//
// A client answers a [Challenge] with an [Authorization]; a server recomputes it ([Authorization.Verify]) and looks at its
// nonce and count ([Nonces]). MD5 and SHA-256, qop auth, auth-int and none (RFC 2069) are there. Reading is lenient:
// parameters may be quoted or not, with or without blanks, and unknown ones are skipped.
package digest
