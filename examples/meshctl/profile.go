package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/meshcentral-go/sdk/controlproto"
)

// profileFile is the file with the profiles, below the user's folder of settings.
const profileFile = "meshcentral-go-meshctl/profiles.json"

// profiles are what the file holds.
type profiles struct {
	Default  string              `json:"default,omitempty"` // used when none is named
	Profiles map[string]*profile `json:"profiles"`
}

// profile is a server and an account on it. There is no place for a password: a login token can be revoked, has no second
// factor, and is what programs are to use.
type profile struct {
	URL         string `json:"url"`
	User        string `json:"user"`
	TokenSecret stored `json:"tokenSecret,omitempty"` // of the login token whose name is in User
	KeyFile     string `json:"keyFile,omitempty"`
	Domain      string `json:"domain,omitempty"`
	Pin         string `json:"pin,omitempty"`
	ServerID    string `json:"serverID,omitempty"`
	Proxy       string `json:"proxy,omitempty"`
}

// stored is a secret that is written to the file as it is, and printed nowhere.
type stored string

func (stored) String() string   { return "[redacted]" }
func (stored) GoString() string { return "[redacted]" }

func (p *profile) settings() settings {
	return settings{
		url: p.URL, user: p.User, pass: controlproto.NewSecret(string(p.TokenSecret)), keyFile: p.KeyFile,
		domain: p.Domain, pin: p.Pin, serverID: p.ServerID, proxy: p.Proxy,
	}
}

// login says in words how a profile logs in.
func (p *profile) login() string {
	switch {
	case p.KeyFile != "":
		return "key file"
	case p.TokenSecret != "":
		return "login token"
	}
	return "password, asked for"
}

// chosenProfile returns the settings of the profile that --profile, MESHCTL_PROFILE or the file names. named tells whether
// it was --profile.
func (a *app) chosenProfile() (s settings, named bool, err error) {
	name := a.flags.profile
	named = name != ""
	orElse(&name, a.getenv("MESHCTL_PROFILE"))
	all, err := a.loadProfiles()
	if err != nil {
		return settings{}, named, err
	}
	mustExist := name != ""
	orElse(&name, all.Default)
	p, ok := all.Profiles[name]
	if !ok {
		if mustExist {
			return settings{}, named, usageError("there is no profile %q", name)
		}
		return settings{}, named, nil
	}
	return p.settings(), named, nil
}

func (a *app) profilePath() (string, error) {
	dir, err := a.configDir()
	if err != nil {
		return "", usageError("no folder for settings: %v", err)
	}
	return filepath.Join(dir, filepath.FromSlash(profileFile)), nil
}

// loadProfiles reads the file. A file that others can read is not used.
func (a *app) loadProfiles() (*profiles, error) {
	all := &profiles{Profiles: map[string]*profile{}}
	path, err := a.profilePath()
	if err != nil {
		return all, nil //nolint:nilerr // without the folder there are no profiles, which need not matter
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, usageError("profiles: %v", err)
	}
	if openToOthers(info) {
		return nil, usageError("profiles: others can use %s, which holds secrets: chmod 600 it", path)
	}
	b, err := readSmall(path)
	if err != nil {
		return nil, usageError("profiles: %v", err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(all); err != nil {
		return nil, usageError("profiles: %s is malformed", path) // the decoder's words may quote secrets
	}
	maps.DeleteFunc(all.Profiles, func(_ string, p *profile) bool { return p == nil })
	return all, nil
}

// saveProfiles replaces the file by one that only its owner can read.
func (a *app) saveProfiles(all *profiles) error {
	path, err := a.profilePath()
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("profiles: %w", err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("profiles: %w", err)
	}
	return replaceFile(path, append(b, '\n'))
}

// replaceFile writes a file for its owner's eyes, all of it or nothing.
func replaceFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // is gone if all went well
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// names lists the profiles.
func (p *profiles) names() []string { return slices.Sorted(maps.Keys(p.Profiles)) }

// openToOthers tells whether others than the owner may read or change a file. Windows keeps that elsewhere.
func openToOthers(info os.FileInfo) bool {
	return runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0
}

// maxSettings is how large a file of settings may be.
const maxSettings = 1 << 20

// readSmall reads a file of settings.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSettings+1))
	if err == nil && len(b) > maxSettings {
		err = fmt.Errorf("%s is over %d bytes long", path, maxSettings)
	}
	return b, err
}
