package interop

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
)

// Meshctrl runs the stock command-line client as the administrator and returns
// what it printed. An exit status other than 0 fails the test.
func (s *Server) Meshctrl(t testing.TB, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := s.TryMeshctrl(ctx, args...)
	if err != nil {
		t.Fatalf("%v: %q", err, lastBytes(out, 2000))
	}
	return out
}

// MeshctrlJSON runs the stock command-line client with --json added and decodes
// what it printed into v.
func (s *Server) MeshctrlJSON(t testing.TB, v any, args ...string) {
	t.Helper()
	out := s.Meshctrl(t, append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), v); err != nil {
		t.Fatalf("interop: meshctrl %s: %v in %q", args[0], err, lastBytes(out, 2000))
	}
}

// TryMeshctrl is Meshctrl for a call that may fail. What was printed is
// returned with an error too.
func (s *Server) TryMeshctrl(ctx context.Context, args ...string) (string, error) {
	return s.MeshctrlClient().Try(ctx, args...)
}

// MeshctrlClient returns the stock command-line client, logging in as the administrator.
func (s *Server) MeshctrlClient() MeshctrlClient {
	return MeshctrlClient{URL: "wss://" + s.Addr(), User: User, Password: Password, MendCookies: true}
}

// CreateGroup makes a device group and returns its id, "mesh//" and 64 characters.
func (s *Server) CreateGroup(t testing.TB, name string) string {
	t.Helper()
	out := s.Meshctrl(t, "adddevicegroup", "--name", name)
	id, ok := strings.CutPrefix(strings.TrimSpace(out), "ok ")
	if !ok || !strings.HasPrefix(id, "mesh//") {
		t.Fatalf("interop: adddevicegroup answered %q", out)
	}
	return id
}
