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

const templateTimeout = 8 * time.Minute

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
	err = produceOnce(ctx, template, func(tmp string) error { return makeDataDir(ctx, tmp) })
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
	defer s.releasePorts()
	for again := true; again; {
		if err := s.listenAnywhere(ctx); err != nil {
			return err
		}
		// It is stopped in the midst of what it does; what others shall find is to be there.
		for _, key := range []string{loginKeyID, invitationKeyID} {
			if _, err := waitDocument(ctx, dir, key); err != nil {
				return err
			}
		}
		s.Stop()
		s.releasePorts()
		var err error
		if again, err = dropUnreadable(dir); err != nil {
			return err
		}
	}
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
			return fmt.Errorf("interop: meshcentral %s: %w: %q", args[0], err, lastBytes(out, shownLog))
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

// dropUnreadable empties a data directory in which a certificate cannot be
// read, and says so. The server gives about one certificate in 200 a negative
// serial number, which crypto/x509 refuses.
func dropUnreadable(dir string) (bool, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*-cert-public.crt"))
	if err != nil {
		return false, err
	}
	for _, name := range names {
		_, err := readCertificate(name)
		if err == nil {
			continue
		}
		if !strings.Contains(err.Error(), "negative serial number") {
			return false, err
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			return false, err
		}
		for _, e := range entries {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return false, err
			}
		}
		return true, nil
	}
	return false, nil
}
