package agenttest_test

import (
	"context"
	"fmt"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/agentproto/agenttest"
)

// A program that is a server is tested with agents whose answers the test decides on.
func ExampleNewAgent() {
	ctx := context.Background()
	// The program to test: a server that wants to know the processes of every device.
	processes := make(chan int)
	server, err := agentproto.NewServer(agentproto.ServerConfig{
		Identities: []*agentproto.ServerIdentity{agenttest.ServerIdentity()},
		WebHashes:  agenttest.WebHashes,
		Handler: func(ctx context.Context, s *agentproto.Session) {
			if s.Send(ctx, &agentproto.GetProcesses{}) != nil {
				return
			}
			for ev := range s.Events(ctx) {
				if msg, ok := ev.(agentproto.MessageEvent); ok {
					if list, ok := msg.Message.(*agentproto.ProcessList); ok {
						processes <- len(list.Value)
					}
				}
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Shutdown(ctx)

	address := agentproto.ServerAddress{URL: "wss://not.needed.invalid", ID: agenttest.ServerIdentity().ID()}
	agent := agenttest.NewAgent(address, agenttest.Through(server))
	defer agent.Close()
	agentproto.Handle(&agent.Mux, func(ctx context.Context, s *agentproto.ClientSession, m *agentproto.GetProcesses) {
		answer := &agentproto.ProcessList{Value: `{"1":{"cmd":"init"}}`}
		answer.SessionID = agentproto.AgentString(m.SessionID)
		_ = s.Send(ctx, answer)
	})
	agent.Start()
	fmt.Println("answered with", <-processes, "bytes")
	// Output: answered with 20 bytes
}

// Many agents at once are a fleet.
func ExampleFleet() {
	ctx := context.Background()
	server := agenttest.NewServer(agenttest.InMemory())
	defer server.Close()
	fleet := server.NewFleet(25)
	defer fleet.Close()
	if err := fleet.Login(ctx, 8); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(server.Sessions()), "online")
	// Output: 25 online
}

// What goes wrong on purpose: an agent that repeats each of its messages.
func ExampleAgent_Raw() {
	ctx := context.Background()
	server := agenttest.NewServer(agenttest.InMemory())
	defer server.Close()
	agent := server.NewAgent()
	defer agent.Close()

	raw, err := agent.Raw(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer raw.Close()
	_, err = raw.Login(ctx, func(msg []byte) [][]byte { return [][]byte{msg, msg} })
	fmt.Println(err)
	// Output: agentproto: handshake: msgconn: closed by peer with code 1002: "protocol error"
}

// Both ends of one session, in memory. Inside [testing/synctest.Test] its time-outs take no time.
func ExamplePipe() {
	ctx := context.Background()
	server, err := agentproto.NewServer(agentproto.ServerConfig{
		Identities: []*agentproto.ServerIdentity{agenttest.ServerIdentity()},
		WebHashes:  agenttest.WebHashes,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Shutdown(ctx)
	agent := agenttest.NewAgent(agentproto.ServerAddress{ID: agenttest.ServerIdentity().ID()})
	defer agent.Close()

	session, client, err := agenttest.Pipe(ctx, server, agent.Client())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(session.Info().Name)
	client.Close("that was all")
	for _, err := range session.Events(ctx) {
		if err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// agenttest-0
	// agentproto: session: msgconn: closed by peer with code 1000: "that was all"
}
