package agenttest

import (
	"context"
	"crypto/sha512"
	"errors"
	"net/netip"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// memoryURL is where servers are that have no network.
const memoryURL = "wss://agenttest.invalid/agent.ashx"

// memoryPeer is who connects in memory, to a server.
var memoryPeer = agentproto.Peer{Addr: netip.AddrFrom4([4]byte{127, 0, 0, 1}), ServerName: "agenttest.invalid"}

// WebHash stands for the hash of the server's TLS certificate on connections in memory, which have none.
func WebHash() agentproto.Hash { return sha512.Sum384([]byte("agenttest: no certificate")) }

// WebHashes is for [agentproto.ServerConfig].WebHashes, of servers that agents reach in memory.
func WebHashes(string) []agentproto.Hash { return []agentproto.Hash{WebHash()} }

// Conns returns the two ends of a connection in memory, for Accept or Serve of an [agentproto.Server] and for Handshake of
// an [agentproto.Client].
func Conns() (server, agent agentproto.Conn) {
	a, b := msgconn.Pipe()
	return a, b
}

// Pipe logs an agent in to a server over a connection in memory and returns both ends of the session, from which the
// caller receives. The server must have the [ServerIdentity] and [WebHashes].
func Pipe(ctx context.Context, server *agentproto.Server, client *agentproto.Client) (*agentproto.Session, *agentproto.ClientSession, error) {
	a, b := Conns()
	type accepted struct {
		session *agentproto.Session
		err     error
	}
	done := make(chan accepted, 1)
	go func() {
		session, err := server.Accept(ctx, a, memoryPeer)
		done <- accepted{session, err}
	}()
	agent, err := client.Handshake(ctx, b, agentproto.ServerAddress{URL: memoryURL, ID: ServerIdentity().ID()}, WebHash())
	s := <-done
	if err = errors.Join(s.err, err); err != nil {
		if s.session != nil {
			s.session.Close("agenttest: the agent's login failed")
		}
		if agent != nil {
			agent.Close("agenttest: the server's login failed")
		}
		return nil, nil, err
	}
	return s.session, agent, nil
}

// Connector returns a function for [agentproto.ClientConfig].Connect that connects to a server in memory, whatever the URL.
// The server's Handler gets the sessions. The server must have [WebHashes] among its own.
func Connector(server *agentproto.Server) func(ctx context.Context, url string) (agentproto.Conn, agentproto.Hash, error) {
	return func(context.Context, string) (agentproto.Conn, agentproto.Hash, error) {
		a, b := Conns()
		// A login of its own time limit, and then a session that Shutdown ends and waits for.
		go func() { _ = server.Serve(context.Background(), a, memoryPeer) }()
		return b, WebHash(), nil
	}
}
