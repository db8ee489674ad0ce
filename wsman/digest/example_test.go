package digest_test

import (
	"fmt"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/digest"
)

func Example() {
	c, err := digest.ParseChallenge(`Digest realm="Digest:0123456789ABCDEF0123456789ABCDEF", nonce="AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",stale="false",qop="auth"`)
	if err != nil {
		fmt.Println(err)
		return
	}
	cred := &digest.Credentials{Username: "admin", Password: wsman.NewSecret("P@ssw0rd1")}
	a := c.Authorize(cred, "POST", "/wsman", nil, 1, "0a4f113b5b6a2f1d0a4f113b5b6a2f1d")
	fmt.Println(a.Response)
	fmt.Println(a) // no response in what is printed
	// Output:
	// fd6bb3bb226c8efb1797d2e5cdb871c1
	// Digest username="admin",realm="Digest:0123456789ABCDEF0123456789ABCDEF",[redacted]
}
