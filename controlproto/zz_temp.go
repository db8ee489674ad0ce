package controlproto

import "errors"

// ErrBadCredentials is a login with credentials that are not taken. Servers do not tell a wrong password from an unknown
// account.
var ErrBadCredentials = errors.New("controlproto: bad credentials")
