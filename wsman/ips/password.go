package ips

import (
	"crypto/md5" //nolint:gosec // what digest authentication of AMT is made of
	"encoding/hex"

	"github.com/meshcentral-go/sdk/wsman"
)

// PasswordHash returns a password as Setup and AdminSetup take it: 32 hexadecimal digits. The user is "admin", the realm
// DigestRealm of AMT_GeneralSettings. Methods of AMT_AuthorizationService take another form: that of amt.PasswordHash.
func PasswordHash(user, realm string, password wsman.Secret) wsman.Secret {
	sum := md5.Sum([]byte(user + ":" + realm + ":" + password.Reveal())) //nolint:gosec // see above
	return wsman.NewSecret(hex.EncodeToString(sum[:]))
}
