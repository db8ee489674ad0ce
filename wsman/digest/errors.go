package digest

import "errors"

// Errors.
var (
	ErrMalformed = errors.New("digest: malformed header")
	ErrScheme    = errors.New("digest: no challenge of the scheme Digest")
	ErrAlgorithm = errors.New("digest: unknown algorithm")
	ErrQOP       = errors.New("digest: unknown quality of protection")
	// ErrStale: the nonce is not, or no longer, known.
	ErrStale = errors.New("digest: unknown or expired nonce")
	// ErrReplay: the count was used before, or a higher one.
	ErrReplay = errors.New("digest: count used before")
	// ErrRefused: name, password or realm are wrong.
	ErrRefused = errors.New("digest: credentials refused")
)
