// Package certstest has ready-made keys and identities, so that tests of servers and agents do not spend seconds on
// making RSA keys. The private keys are published with the source: never use them outside tests.
package certstest

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"sync"

	"github.com/meshcentral-go/sdk/certs"
)

// Keys is the number of different keys.
const Keys = 8

//go:embed keys.pem
var keysPEM []byte

var keys = sync.OnceValue(func() (k [Keys]*rsa.PrivateKey) {
	rest := keysPEM
	for i := range k {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			panic("certstest: " + err.Error())
		}
		k[i] = key
	}
	return k
})

// Key returns an RSA-2048 key, the same for the same i modulo [Keys].
func Key(i int) *rsa.PrivateKey { return keys()[uint(i)%Keys] }

// AgentIdentity returns an agent with [Key] i.
func AgentIdentity(i int) *certs.AgentIdentity {
	id, err := certs.NewAgentIdentity(&certs.AgentIdentityOptions{
		NewKey: func() (crypto.Signer, error) { return Key(i), nil },
	})
	if err != nil {
		panic("certstest: " + err.Error())
	}
	return id
}

// NewKey is a certs.Config.NewKey that takes no time: the same RSA-2048 keys again, and new ECDSA keys for web servers.
func NewKey(name certs.Name) (crypto.Signer, error) {
	switch name {
	case certs.Root:
		return Key(0), nil
	case certs.AgentServer:
		return Key(1), nil
	case certs.MPS:
		return Key(2), nil
	case certs.CodeSign:
		return Key(3), nil
	default:
		return certs.NewKey(name)
	}
}

// ServerSet returns the certificates of a server at 127.0.0.1.
func ServerSet() *certs.ServerSet {
	set, err := certs.NewServerSet(certs.Config{Host: "127.0.0.1", NewKey: NewKey})
	if err != nil {
		panic("certstest: " + err.Error())
	}
	return set
}
