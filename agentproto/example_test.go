//go:build !js

package agentproto_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"log"
	"log/slog"
	"math/big"
	"net/http"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/nodeid"
)

// A server is an http.Handler. What an agent does comes as events, in a goroutine for each agent.
func ExampleServer() {
	// From the data folder: see package certs.
	var identity *agentproto.ServerIdentity // NewServerIdentity, of the agent server certificate
	var web []byte                          // the TLS certificate, in DER
	groups := map[nodeid.MeshID]bool{}

	cores, err := agentproto.LoadCoreSet("node_modules/meshcentral/agents")
	if err != nil {
		log.Fatal(err)
	}
	server, err := agentproto.NewServer(agentproto.ServerConfig{
		Identities: []*agentproto.ServerIdentity{identity},
		WebHashes:  func(string) []agentproto.Hash { return certs.WebHashes(web) },
		Core:       cores.ForAgent,
		Login: func(_ context.Context, _ agentproto.Peer, info agentproto.AgentInfo) error {
			if !groups[info.Group] {
				return agentproto.Refuse("no such device group")
			}
			return nil
		},
		Handler: func(ctx context.Context, s *agentproto.Session) {
			for ev, err := range s.Events(ctx) {
				if err != nil {
					slog.Info("offline", "session", s, "reason", err)
					return
				}
				if msg, ok := ev.(agentproto.MessageEvent); ok {
					slog.Info("message", "session", s, "action", msg.Message.Action())
				}
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/agent.ashx", server)
	log.Fatal(http.ListenAndServeTLS("127.0.0.1:8443", "web.crt", "web.key", nil))
}

// An agent is a Client. A Mux calls a function for each kind of message.
func ExampleClient() {
	identity, err := certs.OpenAgentIdentity("agent.pem", nil)
	if err != nil {
		log.Fatal(err)
	}
	var server nodeid.ServerID // and these two from the .msh file
	var group nodeid.MeshID

	var mux agentproto.Mux
	mux.LoggedIn = func(ctx context.Context, s *agentproto.ClientSession) {
		caps := agentproto.CapConsole
		_ = s.Send(ctx, &agentproto.CoreInfo{Value: "my agent 1.0", Caps: &caps})
	}
	agentproto.Handle(&mux, func(ctx context.Context, s *agentproto.ClientSession, m *agentproto.ConsoleCommand) {
		_ = s.Send(ctx, &agentproto.ConsoleOutput{
			Value:    agentproto.AgentText("you said: " + m.Value),
			MsgRoute: agentproto.MsgRoute{SessionID: agentproto.AgentString(m.SessionID)},
		})
	})
	client, err := agentproto.NewClient(agentproto.ClientConfig{
		Servers:     []agentproto.ServerAddress{{URL: "wss://127.0.0.1:8443/agent.ashx", ID: server}},
		Certificate: identity.Certificate, Signer: identity.Signer,
		Group: group, Name: "desk", Handler: mux.Serve,
	})
	if err != nil {
		log.Fatal(err)
	}
	err = client.Run(context.Background()) // connects, and connects again, until the context ends
	log.Print(err)
}

// The machines have no I/O of their own. Here both sides of a login are driven by hand, without a connection.
func ExampleServerHandshake() {
	agentKey, serverKey := exampleKey(), exampleKey()
	identity, err := agentproto.NewServerIdentity(serverKey.certificate, serverKey.PrivateKey)
	if err != nil {
		log.Fatal(err)
	}
	web := agentproto.Hash{1, 2, 3} // of the TLS certificate
	server, err := agentproto.NewServerHandshake(agentproto.ServerHandshakeConfig{
		Identities: []*agentproto.ServerIdentity{identity}, WebHashes: []agentproto.Hash{web},
	})
	if err != nil {
		log.Fatal(err)
	}
	agent, err := agentproto.NewAgentHandshake(agentproto.AgentHandshakeConfig{
		Certificate: agentKey.certificate, ServerID: identity.ID(), WebHash: web,
		Info: agentproto.AuthInfo{AgentID: agentproto.AgentLinux64, Name: []byte("desk")},
	})
	if err != nil {
		log.Fatal(err)
	}

	toServer, err := agent.Start()
	var toAgent []byte
	for err == nil && agent.Need() != agentproto.Complete {
		switch {
		case agent.Need() == agentproto.NeedSignature:
			digest := agent.Digest()
			var out [][]byte
			out, err = agent.SetSignature(agentKey.sign(digest))
			toServer = append(toServer, out...)
		case server.Need() == agentproto.NeedAdmission:
			err = server.Admit() // the agent's key is proved: is it welcome?
		case server.Need() == agentproto.NeedSignature:
			digest := server.Digest() // sign it in a pool, a TPM, a key service
			toAgent, err = server.SetSignature(serverKey.sign(digest))
		case server.Need() == agentproto.NeedLogin:
			toAgent, err = server.Accept() // all is known: enrol it, or look it up
		case toAgent != nil:
			var out [][]byte
			out, err = agent.Handle(toAgent)
			toServer, toAgent = append(toServer, out...), nil
		default:
			cmd, _ := agentproto.PeekCommand(toServer[0])
			fmt.Println("agent sends", cmd)
			toAgent, err = server.Handle(toServer[0])
			toServer = toServer[1:]
		}
	}
	info, _ := server.Info()
	fmt.Println(info.Name, "is logged in:", err == nil && agent.ServerProved())
	// Output:
	// agent sends ServerID
	// agent sends AuthRequest
	// agent sends AuthVerify
	// agent sends AuthInfo
	// desk is logged in: true
}

type exampleKeyPair struct {
	*rsa.PrivateKey
	certificate []byte
}

func exampleKey() exampleKeyPair {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		log.Fatal(err)
	}
	return exampleKeyPair{key, der}
}

func (k exampleKeyPair) sign(digest [48]byte) []byte {
	sig, err := k.Sign(rand.Reader, digest[:], crypto.SHA384)
	if err != nil {
		log.Fatal(err)
	}
	return sig
}

// Binary messages are values.
func ExampleAuthInfo() {
	group := nodeid.MeshID{1, 2, 3}
	wire, err := agentproto.AuthInfo{
		InfoVersion: 1, AgentID: agentproto.AgentLinux64, Platform: agentproto.PlatformServer, Group: group,
		Capabilities: agentproto.CapConsole | agentproto.CapCore, Name: []byte("desk"),
	}.AppendBinary(nil)
	if err != nil {
		log.Fatal(err)
	}
	m, err := agentproto.ParseFromAgent(wire)
	if err != nil {
		log.Fatal(err)
	}
	info := m.(agentproto.AuthInfo)
	fmt.Printf("%v: agent %d, %v, %v, %q\n", m.Command(), info.AgentID, info.Platform, info.Capabilities, info.Name)
	// Output: AuthInfo: agent 6, server, console|core, "desk"
}

// JSON messages are structs; what a program does not know of them survives.
func ExampleParseAgentMessage() {
	m, err := agentproto.ParseAgentMessage([]byte(`{"action":"coreinfo","value":"core 1","caps":14,"osdesc":"Debian\u0007 12","new":true}`))
	if err != nil {
		log.Fatal(err)
	}
	info := m.(*agentproto.CoreInfo)
	fmt.Printf("%s on %s (%v), and %s\n", info.Value, info.OSDesc, *info.Caps, info.Extra["new"])
	// Output: core 1 on Debian 12 (terminal|files|console), and true
}
