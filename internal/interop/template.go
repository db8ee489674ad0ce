package interop

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// templateVersion changes when the way a template is made changes.
const templateVersion = "1"

const templateTimeout = 3 * time.Minute

// newDataDir fills dir with a data directory that has certificates and the
// administrator's account. Making these takes several seconds of RSA, so it is
// done once per installation and copied from then on; with fresh set it is done
// for dir alone.
func newDataDir(ctx context.Context, dir string, fresh bool) error {
	if fresh {
		return makeDataDir(ctx, dir)
	}
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	template := filepath.Join(cache, "data-"+lockKey()+"-"+templateVersion)
	err = produceOnce(template, func(tmp string) error { return makeDataDir(ctx, tmp) })
	if err != nil {
		return err
	}
	return os.CopyFS(dir, os.DirFS(template))
}

// makeDataDir creates the account, lets the server make its certificates and
// stops it.
func makeDataDir(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, templateTimeout)
	defer cancel()
	s := newServer(ServerOptions{}, dir)
	if err := s.listenAnywhere(ctx); err != nil {
		return err
	}
	defer s.releasePorts()
	s.Stop()
	for _, args := range [][]string{
		{"--createaccount", User, "--pass", Password, "--email", "admin@example.com", "--name", User},
		{"--adminaccount", User},
	} {
		cmd, err := s.command(ctx, args...)
		if err != nil {
			return err
		}
		out, err := run(ctx, cmd)
		if err == nil && !strings.Contains(out, "Done.") {
			err = errEnded
		}
		if err != nil {
			return fmt.Errorf("interop: meshcentral %s: %w: %q", args[0], err, lastBytes(out, 500))
		}
	}
	// Files that hold a port or a path, and 25 MB of signed agents, which the
	// server makes again because their signature names the port.
	for _, name := range []string{"config.json", "serverstate.txt", "signedagents", "files"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}
