package amt

import (
	"crypto/md5" //nolint:gosec // what digest authentication of AMT is made of
	"encoding/base64"

	"github.com/meshcentral-go/sdk/wsman"
)

// PasswordHash returns a password as DigestPassword of AMT_AuthorizationService's methods: 16 bytes in base64. The realm is
// DigestRealm of [GeneralSettings]. Setup and AdminSetup take another form: that of ips.PasswordHash.
func PasswordHash(user, realm string, password wsman.Secret) wsman.Secret {
	sum := md5.Sum([]byte(user + ":" + realm + ":" + password.Reveal())) //nolint:gosec // see above
	return wsman.NewSecret(base64.StdEncoding.EncodeToString(sum[:]))
}
