//go:build !js

package controltest_test

import (
	"context"
	"fmt"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controltest"
)

// A program that lists and renames devices is tested without a MeshCentral.
func ExampleNewServer() {
	s := controltest.NewServer(nil) // in a test: NewServer(t), which also closes it
	defer s.Close()
	s.AddDevice("mesh//lab", controlproto.Device{ID: "node//pc1", Name: "pc1"})
	s.Refuse("deletemesh", "Access denied")

	ctx := context.Background()
	client, err := s.Dial(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	nodes, err := controlproto.Do(ctx, client, &controlproto.Nodes{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for group, devices := range nodes.Devices {
		for _, d := range devices {
			fmt.Println(group, d.Name)
		}
	}
	_, err = controlproto.Do(ctx, client, &controlproto.DeleteMesh{GroupID: "mesh//lab"})
	fmt.Println(err)
	fmt.Println(len(s.Requests("deletemesh")), "request to delete a group")
	// Output:
	// mesh//lab pc1
	// controlproto: request "deletemesh": refused: "Access denied"
	// 1 request to delete a group
}
