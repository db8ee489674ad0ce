package interop

import "testing"

// TestServerListeners: what a server does not open is not waited for.
func TestServerListeners(t *testing.T) {
	for want, settings := range map[int]map[string]any{
		3: {"wanOnly": true, "mpsTlsOffload": true},
		2: {"lanonly": true},
		1: {"MpsPort": 0, "redirPort": 0},
	} {
		s := &Server{options: ServerOptions{Settings: settings}}
		if got := s.listeners(); len(got) != want {
			t.Errorf("with %v it listens as %q", settings, got)
		}
	}
}
