package interop

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// TestMeshctrlClient runs the client as it is answered, refused, left waiting, and watching.
func TestMeshctrlClient(t *testing.T) {
	t.Parallel()
	Require(t, PeerMeshCentral)
	client := StartServer(t, ServerOptions{}).MeshctrlClient()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()

	if got, err := client.Run(ctx, "listusers", "--idexists", User); err != nil || got.Output != "1\n" || got.Code != 0 {
		t.Errorf("listusers: %+v, %v", got, err)
	}
	if got, err := client.Run(ctx, "devicepower", "--id", "x"); err != nil || got.Code != 1 {
		t.Errorf("devicepower without an operation: %+v, %v, want exit status 1", got, err)
	}
	wrong := client
	wrong.Password = "wrong"
	if got, err := wrong.Run(ctx, "serverinfo"); err != nil || got.Output != "Invalid login.\n" {
		t.Errorf("a wrong password: %+v, %v", got, err)
	}

	// The client sends nothing, and waits for ever.
	short, cancelShort := context.WithTimeout(ctx, 5*time.Second)
	defer cancelShort()
	got, err := client.Run(short, "addtousergroup", "--groupid", "x", "--id", "nothing")
	if !errors.Is(err, context.DeadlineExceeded) || got.Code != -1 {
		t.Errorf("a silent server: %+v, %v", got, err)
	}

	// It says that it is connected before it has logged in; the server's first message says that it hears of events.
	printed, err := client.RunUntil(ctx, `"serverinfo"`, func() {
		if _, err := client.Run(ctx, "adddevicegroup", "--name", "seen"); err != nil {
			t.Error(err)
		}
	}, "seen", "showevents", "--filter", "serverinfo,createmesh")
	if err != nil || strings.Count(printed, `"action": "createmesh"`) != 1 {
		t.Errorf("showevents: %q, %v", printed, err)
	}
}
