package digest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// The values of the vector were computed from RFC 2617 by hand, with a realm in the form of AMT.
const (
	vectorRealm  = "Digest:0123456789ABCDEF0123456789ABCDEF"
	vectorNonce  = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
	vectorCNonce = "0a4f113b5b6a2f1d0a4f113b5b6a2f1d"
)

var vectorCredentials = Credentials{Username: "admin", Password: secret.New("P@ssw0rd1")}

func TestVector(t *testing.T) {
	ha1 := HA1(MD5, "admin", vectorRealm, "P@ssw0rd1")
	require.Equal(t, "f9fdfa372cc1fa4098a0168d77a8c241", hex.EncodeToString(ha1))
	require.Equal(t, "+f36NyzB+kCYoBaNd6jCQQ==", base64.StdEncoding.EncodeToString(ha1))

	hashed := vectorCredentials.HashFor(MD5, vectorRealm)
	for _, cred := range []*Credentials{&vectorCredentials, &hashed} {
		auth := Challenge{Realm: vectorRealm, Nonce: vectorNonce, Auth: true}
		a := auth.Authorize(cred, "POST", "/wsman", []byte("<x/>"), 1, vectorCNonce)
		require.Equal(t, "fd6bb3bb226c8efb1797d2e5cdb871c1", a.Response)
		a = auth.Authorize(cred, "POST", "/RedirectionService", nil, 2, vectorCNonce)
		require.Equal(t, "12f2bf9b00c7b2a004e5d783cc18c261", a.Response)

		both := Challenge{Realm: vectorRealm, Nonce: vectorNonce, Auth: true, AuthInt: true}
		a = both.Authorize(cred, "POST", "/wsman", []byte("<x/>"), 1, vectorCNonce)
		require.Equal(t, "89bbf263c415761cd761c16ebed3ed32", a.Response)
		require.Equal(t, `Digest username="admin",realm="`+vectorRealm+`",nonce="`+vectorNonce+`",uri="/wsman",qop=auth-int,`+
			`response="89bbf263c415761cd761c16ebed3ed32",nc=00000001,cnonce="`+vectorCNonce+`"`, string(a.Append(nil)))
		require.True(t, a.Verify(cred, "POST", []byte("<x/>")))
		require.False(t, a.Verify(cred, "POST", []byte("<y/>")))
	}
}
