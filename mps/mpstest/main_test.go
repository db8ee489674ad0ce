package mpstest

import (
	"crypto/rand"
	"crypto/rsa"
	"sync"
	"testing"

	"github.com/meshcentral-go/sdk/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// madeKey is made once: an RSA key takes a moment.
var madeKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// testKey is a key of a client or a server, for tests that do not need one of their own.
func testKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := madeKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}
