package controlserver_test

import (
	"strings"
	"testing"

	"github.com/meshcentral-go/sdk/controlproto/controlserver"
)

func TestPasswords(t *testing.T) {
	const password = "correct horse"
	hash := controlserver.HashPassword(password)
	if !controlserver.CheckPassword(hash, password) {
		t.Error("the right password is refused")
	}
	if hash == controlserver.HashPassword(password) || strings.Contains(hash, password) {
		t.Errorf("hash %s is not salted, or none", hash)
	}
	for _, wrong := range []string{password + " ", "", "Correct horse"} {
		if controlserver.CheckPassword(hash, wrong) {
			t.Errorf("password %q is taken", wrong)
		}
	}
	parts := strings.Split(hash, "$")
	for _, bad := range []string{
		"", "$", hash[1:], hash + "$", strings.Repeat("$", 5),
		"$argon2i$" + strings.Join(parts[2:], "$"),
		strings.Replace(hash, "m=19456", "m=4294967295", 1),
		strings.Replace(hash, "t=2", "t=0", 1),
		strings.Replace(hash, "p=1", "p=0", 1),
		strings.Join(append(parts[:5:5], ""), "$"),
		strings.Join(append(parts[:5:5], "%%%%"), "$"),
	} {
		if controlserver.CheckPassword(bad, password) {
			t.Errorf("hash %q is taken", bad)
		}
	}
}
