//go:build !js

package controltest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controltest"
)

// Ten goroutines with two sessions on one login make a thousand calls of several kinds of correlation, mixed:
// no reply goes astray.
func TestNoReplyAstray(t *testing.T) {
	mux := controlproto.NewMux() // for its typed handlers
	controlproto.On(mux, func(ctx context.Context, c *controlproto.Call, req *controlproto.Nodes) error {
		return c.Reply(ctx, &controlproto.NodesReply{Devices: map[controlproto.ID][]controlproto.Device{req.GroupID: {}}})
	})
	controlproto.On(mux, func(ctx context.Context, c *controlproto.Call, req *controlproto.Meshes) error {
		return c.Reply(ctx, &controlproto.MeshesReply{Groups: []controlproto.DeviceGroup{{Name: string(req.Extra["n"])}}})
	})
	controlproto.On(mux, func(_ context.Context, _ *controlproto.Call, req *controlproto.DeleteMesh) error {
		return &controlproto.ActionError{Result: "refused " + string(req.GroupID)}
	})

	// Replies that name the request by one of its members only, and by nothing at all.
	controlproto.On(mux, func(ctx context.Context, c *controlproto.Call, req *controlproto.GetNetworkInfo) error {
		return c.Reply(ctx, &controlproto.GetNetworkInfoReply{DeviceID: req.DeviceID})
	})
	controlproto.On(mux, func(ctx context.Context, c *controlproto.Call, req *controlproto.Report) error {
		return c.Reply(ctx, &controlproto.ReportReply{Extra: map[string]json.RawMessage{"n": req.Extra["n"]}})
	})

	s := controltest.NewServerWith(t, func(cfg *controlproto.ServerConfig) {
		cfg.Trace = &controlproto.ServerTrace{Malformed: func(_ *controlproto.Session, err error) { t.Error(err) }}
	})
	for _, action := range []string{"nodes", "meshes", "deletemesh", "getnetworkinfo", "report"} {
		s.Handle(action, mux.Handler(action))
	}
	var clients []*controlproto.Client
	for range 2 {
		c, err := s.Dial(t.Context())
		require.NoError(t, err)
		defer c.Close()
		clients = append(clients, c)
	}
	check := func(c *controlproto.Client, n int) error {
		id := controlproto.ID(fmt.Sprintf("mesh//%d", n))
		nodes, err := controlproto.Do(t.Context(), c, &controlproto.Nodes{GroupID: id})
		if err != nil {
			return err
		}
		if _, ok := nodes.Devices[id]; !ok {
			return fmt.Errorf("nodes of %s: %v", id, nodes.Devices)
		}
		extra := map[string]json.RawMessage{"n": json.RawMessage(fmt.Sprint(n))}
		groups, err := controlproto.Do(t.Context(), c, &controlproto.Meshes{Extra: extra})
		if err != nil {
			return err
		}
		if groups.Groups[0].Name != fmt.Sprint(n) {
			return fmt.Errorf("meshes of %d: %s", n, groups.Groups[0].Name)
		}
		_, err = controlproto.Do(t.Context(), c, &controlproto.DeleteMesh{GroupID: id})
		var refused *controlproto.ResultError
		if !errors.As(err, &refused) || refused.Result != "refused "+string(id) {
			return fmt.Errorf("deletemesh of %s: %w", id, err)
		}
		// Five calls at once ask for the same device.
		device := controlproto.ID(fmt.Sprintf("node//%d", n%100))
		network, err := controlproto.Do(t.Context(), c, &controlproto.GetNetworkInfo{DeviceID: device})
		if err != nil {
			return err
		}
		if network.DeviceID != device {
			return fmt.Errorf("getnetworkinfo of %s: %s", device, network.DeviceID)
		}
		report, err := controlproto.Do(t.Context(), c, &controlproto.Report{Extra: extra})
		if err != nil {
			return err
		}
		if string(report.Extra["n"]) != fmt.Sprint(n) {
			return fmt.Errorf("report of %d: %s", n, report.Extra["n"])
		}
		_, err = c.Ping(t.Context())
		return err
	}
	var wg sync.WaitGroup
	failed := make(chan error, 10)
	for g := range 10 {
		wg.Go(func() {
			for i := range 25 {
				if err := check(clients[g%2], g*100+i); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	require.Len(t, s.Requests(""), 5*250)
}
