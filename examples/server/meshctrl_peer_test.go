package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/interop"
)

const (
	// ctlSilence is how long a server must be silent to count as silent, where that is expected. The client needs time
	// too: there are added a few times what the last calls took.
	ctlSilence = 2 * time.Second
)

// meshctrlPeer is a server that meshctrl talks to, with what was captured from its answers.
type meshctrlPeer struct {
	t       *testing.T
	name    string
	address string
	ports   map[int]string // of the server, with what to replace them by
	dir     string         // the folder that meshctrl runs in
	stock   bool           // it is a stock server
	logins  map[string]interop.MeshctrlClient
	vars    map[string]string
	agent   *interop.Agent
	took    [5]time.Duration // the last calls that were answered
	calls   int
}

// newMeshctrlPeer returns a peer with the addresses of a stock server, which may be stopped and replaced by another.
func newMeshctrlPeer(t *testing.T, name string, server *interop.Server) *meshctrlPeer {
	t.Helper()
	p := &meshctrlPeer{t: t, name: name, address: server.Addr(), vars: make(map[string]string), ports: map[int]string{
		server.Port(): "{port}", server.RedirectPort(): "{redirect port}", server.MPSPort(): "{MPS port}",
	}}
	p.dir = filepath.Join(t.TempDir(), "work")
	require.NoError(t, os.Mkdir(p.dir, 0o755))
	p.logins = map[string]interop.MeshctrlClient{"": {User: interop.User, Password: interop.Password}}
	return p
}

// client returns the client for one of the logins.
func (p *meshctrlPeer) client(user string) (interop.MeshctrlClient, error) {
	c, ok := p.logins[user]
	if !ok {
		return c, fmt.Errorf("the scenario has no login %q", user)
	}
	c.URL, c.Dir, c.MendCookies = "wss://"+p.address, p.dir, p.stock
	return c, nil
}

// ctlOutcome is what a step did on one server.
type ctlOutcome struct {
	printed string
	code    int
	silent  bool
	err     error // the step could not be run
}

// slowest returns how long a call takes at the moment.
func (p *meshctrlPeer) slowest() time.Duration { return slices.Max(p.took[:]) }

// do runs a step. Only steps that are expected to be silent may run at once.
//
// A server waits for an agent for 15 seconds, which may be too short on a busy machine, and meshctrl says that it waits, too, when its
// tunnel was open before it heard that there will be none: what waited in vain is run again.
func (p *meshctrlPeer) do(ctx context.Context, s ctlStep) (o ctlOutcome) {
	for range 5 {
		o = p.once(ctx, s)
		waited := strings.Contains(o.printed, "Waiting for Agent...") && !strings.Contains(o.printed, "Connected.")
		if !waited && strings.Contains(o.printed, s.settled) {
			break
		}
	}
	return o
}

func (p *meshctrlPeer) once(ctx context.Context, s ctlStep) ctlOutcome {
	client, err := p.client(s.user)
	if err != nil {
		return ctlOutcome{err: err}
	}
	args, err := ctlWords(s.line, p.vars)
	if err != nil {
		return ctlOutcome{err: err}
	}
	limit := patience
	if s.mute {
		limit = ctlSilence + 4*p.slowest()
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	start := time.Now()
	var o ctlOutcome
	if s.during != "" {
		o = p.watch(ctx, client, s, args)
	} else {
		var result interop.MeshctrlResult
		result, o.err = client.Run(ctx, args...)
		o.printed, o.code = result.Output, result.Code
	}
	if !s.mute && !errors.Is(o.err, context.DeadlineExceeded) {
		p.took[p.calls%len(p.took)] = time.Since(start)
		p.calls++
	}
	if errors.Is(o.err, context.DeadlineExceeded) {
		o.silent, o.err = true, nil
	}
	for name, pattern := range s.captures {
		if m := regexp.MustCompile(pattern).FindStringSubmatch(o.printed); m != nil {
			p.vars[name] = m[1]
		}
	}
	return o
}

// watch runs a step that waits for events, and meanwhile the command that makes them.
func (p *meshctrlPeer) watch(ctx context.Context, client interop.MeshctrlClient, s ctlStep, args []string) ctlOutcome {
	during, err := ctlWords(s.during, p.vars)
	if err != nil {
		return ctlOutcome{err: err}
	}
	other, err := p.client("")
	if err != nil {
		return ctlOutcome{err: err}
	}
	var failed error
	// Who is connected is not yet a session that hears of events. This is the first thing that it hears.
	const ready = `"action": "userinfo"`
	printed, err := client.RunUntil(ctx, ready, func() { _, failed = other.Run(ctx, during...) }, s.until, args...)
	if err == nil {
		err = failed
	}
	return ctlOutcome{printed: printed, err: err}
}

// msh returns the settings file for a device group.
func (p *meshctrlPeer) msh(group string) []byte {
	p.t.Helper()
	_, bare, _ := cutID(group)
	transport := &http.Transport{TLSClientConfig: insecure(), DisableKeepAlives: true}
	client := &http.Client{Transport: transport, Timeout: patience}
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet,
		"https://"+p.address+"/meshsettings?id="+url.QueryEscape(bare), nil)
	require.NoError(p.t, err)
	response, err := client.Do(request)
	require.NoError(p.t, err)
	defer response.Body.Close()
	msh, err := io.ReadAll(response.Body)
	require.NoError(p.t, err)
	require.Contains(p.t, string(msh), "MeshID=", "the settings of group %s of %s", group, p.name)
	return msh
}

// startAgent runs a stock agent in a captured device group.
func (p *meshctrlPeer) startAgent(group string) *interop.Agent {
	p.t.Helper()
	return interop.StartAgent(p.t, p.msh(p.vars[group]), interop.AgentOptions{})
}

// removeGroups removes all device groups.
func (p *meshctrlPeer) removeGroups() {
	p.t.Helper()
	client, err := p.client("")
	require.NoError(p.t, err)
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	result, err := client.Run(ctx, "listdevicegroups", "--json")
	require.NoError(p.t, err)
	var groups []struct {
		ID string `json:"_id"`
	}
	require.NoError(p.t, json.Unmarshal([]byte(result.Output), &groups), "%s: %s", p.name, result.Output)
	for _, g := range groups {
		result, err := client.Run(ctx, "removedevicegroup", "--id", g.ID)
		require.NoError(p.t, err)
		require.Equal(p.t, "ok\n", result.Output, "removedevicegroup of %s", p.name)
	}
}

// waitDevice waits until a device of a captured device group is as expected.
func (p *meshctrlPeer) waitDevice(group string, match func(interop.Device) bool) interop.Device {
	p.t.Helper()
	client, err := p.client("")
	require.NoError(p.t, err)
	var found interop.Device
	require.Eventually(p.t, func() bool {
		result, err := client.Run(p.t.Context(), "listdevices", "--id", p.vars[group], "--json")
		if err != nil {
			return false
		}
		var devices []interop.Device
		if json.Unmarshal([]byte(result.Output), &devices) != nil {
			return false
		}
		for _, d := range devices {
			if match(d) {
				found = d
				return true
			}
		}
		return false
	}, patience, 300*time.Millisecond, "the device of %s is as expected", p.name)
	return found
}

// insecure is what meshctrl does too: it checks no certificate.
func insecure() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

// loginKey reads the key for login cookies from a stock server's database.
func loginKey(t *testing.T, dataDir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dataDir, "meshcentral.db"))
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		var record struct {
			ID  string `json:"_id"`
			Key string `json:"key"`
		}
		if json.Unmarshal([]byte(line), &record) == nil && record.ID == "LoginCookieEncryptionKey" {
			return record.Key
		}
	}
	t.Fatal("the stock server's database holds no key for login cookies")
	return ""
}
