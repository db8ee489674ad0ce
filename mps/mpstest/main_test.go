package mpstest

import (
	"crypto/rand"
	"crypto/rsa"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/meshcentral-go/sdk/internal/leakcheck"
)

// stockTime bounds what a server is waited for, on a machine that does much else.
const stockTime = 2 * time.Minute

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

// testLogger logs to a test until that ends: writing to it later would panic.
func testLogger(t testing.TB) *slog.Logger {
	out := &testOutput{w: t.Output()}
	t.Cleanup(out.stop)
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type testOutput struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements [io.Writer].
func (o *testOutput) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(b)
}

func (o *testOutput) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.w = io.Discard
}
