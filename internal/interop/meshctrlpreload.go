package interop

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
)

// Scripts that Node runs before meshctrl.

// mendCookies has meshctrl put cookies into the URLs of tunnels as they are. It does so with String.replace, which makes one
// "$" of two, and a stock server's cookies have two side by side now and then: one tunnel in thirty is refused, and the device
// waits in vain.
const mendCookies = `const replace = String.prototype.replace;
String.prototype.replace = function (what, by) {
  return replace.call(this, what, what === '/control.ashx' && typeof by === 'string' ? () => by : by);
};
`

// noRawMode is for meshctrl without a terminal, which has no raw mode that it could ask for.
const noRawMode = "process.stdin.setRawMode = function () { return this; };\n"

// preloadFile returns the name of a file with a script.
func preloadFile(ctx context.Context, script string) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	const name = "preload.js"
	key := sha256.Sum256([]byte(script))
	dir := filepath.Join(cache, "meshctrl-"+hex.EncodeToString(key[:8]))
	err = produceOnce(ctx, dir, func(tmp string) error {
		return os.WriteFile(filepath.Join(tmp, name), []byte(script), 0o644)
	})
	return filepath.Join(dir, name), err
}
