package interop

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
)

// meshctrlPreload has meshctrl put cookies into the URLs of tunnels as they are. It does so with String.replace, which makes one
// "$" of two, and a stock server's cookies have two side by side now and then: one tunnel in thirty is refused, and the device
// waits in vain.
const meshctrlPreload = `const replace = String.prototype.replace;
String.prototype.replace = function (what, by) {
  return replace.call(this, what, what === '/control.ashx' && typeof by === 'string' ? () => by : by);
};
`

// meshctrlPreloadFile returns the name of a file with meshctrlPreload.
func meshctrlPreloadFile(ctx context.Context) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	const name = "preload.js"
	key := sha256.Sum256([]byte(meshctrlPreload))
	dir := filepath.Join(cache, "meshctrl-"+hex.EncodeToString(key[:8]))
	err = produceOnce(ctx, dir, func(tmp string) error {
		return os.WriteFile(filepath.Join(tmp, name), []byte(meshctrlPreload), 0o644)
	})
	return filepath.Join(dir, name), err
}
