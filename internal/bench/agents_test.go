//go:build !js

package bench

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"flag"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/nodeid"
)

var (
	agentCount = flag.Int("agents", 1000, "how many agents BenchmarkIdleAgents connects")
	quiet      = flag.Duration("quiet", 10*time.Second, "how long BenchmarkIdleAgents waits before it measures")
	keyCount   = flag.Int("keys", 8, "how many agents log in at once in the login benchmarks")
)

func TestMain(m *testing.M) {
	switch os.Getenv(childVariable) {
	case "agents":
		agentServer()
		return
	case "control":
		controlServer()
		return
	case "mps":
		mpsServer()
		return
	case "relay":
		relayServer()
		return
	}
	flag.Parse()
	os.Exit(m.Run())
}

// agentServer is the server process: the defaults of agentproto behind net/http, with an ECDSA web certificate and an
// RSA-3072 identity, as examples/server makes them.
func agentServer() {
	debug.SetGCPercent(75) // as examples/server: much is kept for long, and little is made anew
	webKey := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	web := certificate(&webKey.PublicKey, webKey)
	key := must(rsa.GenerateKey(rand.Reader, 3072))
	identity := must(agentproto.NewServerIdentity(certificate(&key.PublicKey, key), key))
	hashes := certs.WebHashes(web)
	server := must(agentproto.NewServer(agentproto.ServerConfig{
		Identities: []*agentproto.ServerIdentity{identity},
		WebHashes:  func(string) []agentproto.Hash { return hashes },
	}))
	ln := must(net.Listen("tcp", "127.0.0.1:0"))
	hs := &http.Server{
		Handler:           server,
		ReadHeaderTimeout: 10 * time.Second,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{web}, PrivateKey: webKey}}},
	}
	go hs.ServeTLS(ln, "", "")
	if file := os.Getenv(profileVariable); file != "" {
		f := must(os.Create(file))
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			panic(err)
		}
		defer pprof.StopCPUProfile()
	}
	serveQuestions(map[string]func() string{
		"address": func() string { return ln.Addr().String() + " " + identity.ID().Hex() },
		"online":  func() string { return fmt.Sprint(server.Len()) },
		"signature": func() string {
			const n = 50
			before := must(time.ParseDuration(processTime()))
			digest := make([]byte, 48)
			for range n {
				must(key.Sign(rand.Reader, digest, crypto.SHA384))
			}
			return ((must(time.ParseDuration(processTime())) - before) / n).String()
		},
	})
	hs.Close()
	server.Shutdown(context.Background())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func certificate(pub, priv any) []byte {
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	return must(x509.CreateCertificate(rand.Reader, tpl, tpl, pub, priv))
}

// agentKeys are made once: an RSA-3072 key takes a second.
var agentKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	keys := make([]*rsa.PrivateKey, *keyCount)
	for i := range keys {
		keys[i] = must(rsa.GenerateKey(rand.Reader, 3072))
	}
	return keys
})

// newClients returns an agent for each key. trust makes them use the short form from their second login on.
func newClients(b *testing.B, p *process, trust bool, keys []*rsa.PrivateKey) []*agentproto.Client {
	b.Helper()
	addr, id, _ := strings.Cut(p.address, " ")
	serverID, err := nodeid.ParseServerID(id)
	if err != nil {
		b.Fatal(err)
	}
	var clients []*agentproto.Client
	for _, key := range keys {
		cfg := agentproto.ClientConfig{
			Servers:     []agentproto.ServerAddress{{URL: "wss://" + addr + "/agent.ashx", ID: serverID}},
			Certificate: certificate(&key.PublicKey, key), Signer: key, Group: nodeid.MeshID{1}, Name: "bench",
			// As the native agent, whose OpenSSL 1.1.1 knows no post-quantum key exchange. No resumption: each login
			// pays for a whole TLS handshake.
			TLSConfig: &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519}},
			KeepAlive: agentproto.KeepAlive{Interval: -1, Timeout: -1}, // the server's keep-alive is what is measured
		}
		if !trust {
			cfg.Trust = noTrust{}
		}
		c, err := agentproto.NewClient(cfg)
		if err != nil {
			b.Fatal(err)
		}
		clients = append(clients, c)
	}
	return clients
}

// noTrust makes every login a full one.
type noTrust struct{}

func (noTrust) Trusted(nodeid.ServerID, agentproto.Hash) bool { return false }
func (noTrust) Trust(nodeid.ServerID, agentproto.Hash)        {}

func dial(c *agentproto.Client, p *process) *agentproto.ClientSession {
	addr, id, _ := strings.Cut(p.address, " ")
	serverID, _ := nodeid.ParseServerID(id)
	s, err := c.Dial(context.Background(), agentproto.ServerAddress{URL: "wss://" + addr + "/agent.ashx", ID: serverID})
	if err != nil {
		panic(err)
	}
	return s
}

// BenchmarkLogin measures a connection from TCP to command 4 and its end, of several agents at once, as after a restart of
// the server: the server's CPU time for each.
func BenchmarkLogin(b *testing.B) {
	for _, form := range []string{"full", "short"} {
		b.Run(form, func(b *testing.B) {
			p := startProcess(b, "agents")
			clients := newClients(b, p, form == "short", agentKeys())
			for _, c := range clients { // the first login is a full one, and warms up
				dial(c, p).Close("")
			}
			before := p.cpu(b)
			b.ResetTimer()
			var wg sync.WaitGroup
			for i := range len(clients) {
				wg.Go(func() {
					for range (b.N - i + len(clients) - 1) / len(clients) {
						s := dial(clients[i], p)
						if s.ShortForm() != (form == "short") {
							b.Error("the other form was used")
						}
						s.Close("")
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			used := p.cpu(b) - before
			b.ReportMetric(float64(used.Microseconds())/1000/float64(b.N), "server-cpu-ms/login")
			signature, err := time.ParseDuration(p.ask(b, "signature"))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(signature.Microseconds())/1000, "signature-cpu-ms") // on this machine, now
		})
	}
}

// BenchmarkIdleAgents measures the server's resident memory with many agents that are online and silent.
func BenchmarkIdleAgents(b *testing.B) {
	for range b.N {
		p := startProcess(b, "agents")
		keys := fleetKeys(*agentCount)
		before := p.resident(b)
		clients := newClients(b, p, false, keys)
		var wg sync.WaitGroup
		sem := make(chan struct{}, 8)
		sessions := make([]*agentproto.ClientSession, len(clients))
		for i, c := range clients {
			sem <- struct{}{}
			wg.Go(func() {
				defer func() { <-sem }()
				s := dial(c, p)
				sessions[i] = s
				report(s)
				go func() { // answer the server's pings
					for range s.Events(context.Background()) {
						continue
					}
				}()
			})
		}
		wg.Wait()
		time.Sleep(*quiet)
		if online := p.ask(b, "online"); online != fmt.Sprint(len(clients)) {
			b.Fatalf("%s agents are online, not %d", online, len(clients))
		}
		after := p.resident(b)
		n := float64(len(clients))
		b.ReportMetric(float64(after)/1024/n, "KiB/agent")
		b.ReportMetric(float64(after-before)/1024/n, "growth-KiB/agent")
		b.ReportMetric(float64(after)/(1<<20), "MiB-resident")
		for _, s := range sessions {
			go s.Close("")
		}
	}
}

// report sends what a native agent's core sends when it starts.
func report(s *agentproto.ClientSession) {
	caps := agentproto.CapDesktop | agentproto.CapTerminal | agentproto.CapFiles | agentproto.CapConsole
	root := true
	addr := []agentproto.NetAddress{{Address: "192.0.2.7", Netmask: "255.255.255.0", MAC: "02:FC:00:00:00:01", Status: "up", Type: "ethernet"}}
	for _, m := range []agentproto.JSONMessage{
		&agentproto.CoreInfo{Value: "Nov 21 2022, 2189501291", Caps: &caps, OSDesc: "Debian GNU/Linux 12 (bookworm)", Root: &root},
		&agentproto.AgentSessions{Type: "app"},
		&agentproto.NetInfo{Interfaces: map[agentproto.AgentString][]agentproto.NetAddress{"lo": addr, "eth0": addr}},
	} {
		if err := s.Send(context.Background(), m); err != nil {
			panic(err)
		}
	}
}

// fleetKeys returns different keys quickly: each is the first one with another public exponent. That halves nobody's
// security here, and the server can not tell.
func fleetKeys(n int) []*rsa.PrivateKey {
	base := must(rsa.GenerateKey(rand.Reader, 2048))
	p, q := base.Primes[0], base.Primes[1]
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	keys := make([]*rsa.PrivateKey, 0, n)
	for e := int64(257); len(keys) < n; e += 2 { // servers take up to 65,537
		d := new(big.Int).ModInverse(big.NewInt(e), phi)
		if d == nil {
			continue
		}
		k := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: base.N, E: int(e)}, D: d, Primes: []*big.Int{p, q}}
		k.Precompute()
		keys = append(keys, k)
	}
	return keys
}
