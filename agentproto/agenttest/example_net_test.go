//go:build !js

package agenttest_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/agentproto/agenttest"
)

// A program that is an agent is pointed to a server of this package, by address or by the .msh file.
func ExampleNewServer() {
	ctx := context.Background()
	server := agenttest.NewServer()
	defer server.Close()

	// The program to test; here an agent of this package stands in for it.
	agent := agenttest.NewAgent(server.ServerAddress())
	agent.OnConsole(strings.ToUpper)
	defer agent.Close()
	agent.Start()

	session, err := server.WaitAgent(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	info, err := agenttest.WaitMessage[*agentproto.CoreInfo](ctx, session)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(session.Info().Name, "runs", info.OSDesc)
	answer, err := session.Console(ctx, "are you there?")
	fmt.Println(answer, err)
	// Output:
	// agenttest-0 runs agenttest
	// ARE YOU THERE? <nil>
}
