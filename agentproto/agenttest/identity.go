package agenttest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"math/big"
	"sync"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/certs"
)

// agentKeys are the moduli of the agents, one for perModulus of them.
var agentKeys struct {
	sync.Mutex
	keys map[int]*rsa.PrivateKey
}

func agentKey(n int) *rsa.PrivateKey {
	agentKeys.Lock()
	defer agentKeys.Unlock()
	key := agentKeys.keys[n]
	if key == nil {
		if agentKeys.keys == nil {
			agentKeys.keys = make(map[int]*rsa.PrivateKey)
		}
		key = newKey()
		agentKeys.keys[n] = key
	}
	return key
}

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(fmt.Sprintf("agenttest: key: %v", err))
	}
	return key
}

// Identity returns the identity of agent number i, the same for the same number in one process, and another device for
// every other number.
//
// The keys of many agents have their modulus in common and differ in their exponent: a new one takes milliseconds, and
// whoever has one has them all.
func Identity(i int) *certs.AgentIdentity {
	id, err := certs.NewAgentIdentity(&certs.AgentIdentityOptions{
		NewKey:     func() (crypto.Signer, error) { return siblingKey(i), nil },
		CommonName: fmt.Sprintf("agenttest-%d", i),
	})
	if err != nil {
		panic(fmt.Sprintf("agenttest: identity %d: %v", i, err))
	}
	return id
}

// Exponents of different agents are searched for so far apart that they never meet, up to the 65,537 that servers take.
const (
	firstExponent = 1<<8 + 1
	exponentStep  = 1 << 6
	perModulus    = (1<<16 + 1 - firstExponent) / exponentStep
	// MaxAgents bounds the numbers of agents.
	MaxAgents = 1_000_000
)

// siblingKey returns the key of agent number i: the modulus of its group with an exponent of its own.
func siblingKey(i int) *rsa.PrivateKey {
	if i < 0 || i >= MaxAgents {
		panic(fmt.Sprintf("agenttest: there is no agent number %d", i))
	}
	base := agentKey(i / perModulus)
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(base.Primes[0], one), new(big.Int).Sub(base.Primes[1], one))
	for e := firstExponent + i%perModulus*exponentStep; ; e += 2 {
		d := new(big.Int).ModInverse(big.NewInt(int64(e)), phi)
		if d == nil {
			continue
		}
		key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: base.N, E: e}, D: d, Primes: base.Primes}
		key.Precompute()
		return key
	}
}

// ServerIdentity returns the identity of every server here, the same in one process.
func ServerIdentity() *agentproto.ServerIdentity { return serverIdentity() }

var serverIdentity = sync.OnceValue(func() *agentproto.ServerIdentity {
	// An agent's certificate serves as well: agents look at nothing but the key.
	cert, err := certs.NewAgentIdentity(&certs.AgentIdentityOptions{
		NewKey:     func() (crypto.Signer, error) { return newKey(), nil },
		CommonName: "MeshCentralAgentServer-agenttest",
	})
	if err != nil {
		panic(fmt.Sprintf("agenttest: server identity: %v", err))
	}
	id, err := agentproto.NewServerIdentity(cert.Certificate, cert.Signer)
	if err != nil {
		panic(fmt.Sprintf("agenttest: server identity: %v", err))
	}
	return id
})
