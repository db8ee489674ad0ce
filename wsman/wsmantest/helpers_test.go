package wsmantest_test

import (
	"strconv"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/digest"
)

func itoa(n int) string { return strconv.Itoa(n) }

func credentials(c *client) digest.Credentials {
	return digest.Credentials{Username: c.user, Password: wsman.NewSecret(c.pass)}
}
