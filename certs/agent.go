package certs

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // a subject key identifier is a name, not a proof
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"os"
	"time"

	"github.com/meshcentral-go/sdk/internal/derwalk"
	"github.com/meshcentral-go/sdk/nodeid"
)

// AgentIdentity is what an agent is known by: its RSA key, and a certificate around the public part of it. The device
// identifier depends on the key alone.
type AgentIdentity struct {
	// Certificate is the DER that the agent sends in command 2.
	Certificate []byte
	// Signer has the private key. It signs with PKCS#1 v1.5 and SHA-384.
	Signer crypto.Signer
}

// AgentIdentityOptions are the options of [NewAgentIdentity]. The zero value, like a nil pointer, makes an identity as
// native agents do.
type AgentIdentityOptions struct {
	// NewKey makes the RSA key, for example in a TPM. The default is RSA-3072 in memory.
	NewKey func() (crypto.Signer, error)
	// CommonName is the subject. The default is MeshNodeCertificate.
	CommonName string
	// Now is the clock for the dates. The default is time.Now.
	Now func() time.Time
}

// agentKeyTries bounds the search for a key whose hash does not begin with four zero bytes; one try in 2^32 fails.
const agentKeyTries = 4

// NewAgentIdentity makes a key and a self-signed certificate for it.
//
// Confirmed in agentcore.c, agent_GenerateCertificates, and ILibCrypto.c, util_mkCertEx.
func NewAgentIdentity(opts *AgentIdentityOptions) (*AgentIdentity, error) {
	var o AgentIdentityOptions
	if opts != nil {
		o = *opts
	}
	if o.NewKey == nil {
		o.NewKey = func() (crypto.Signer, error) { return newRSA(3072) }
	}
	for range agentKeyTries {
		key, err := o.NewKey()
		if err != nil {
			return nil, fmt.Errorf("certs: key of the agent: %w", err)
		}
		id, err := selfSignAgent(key, o)
		if err != nil {
			return nil, err
		}
		node, err := id.NodeID()
		if err != nil {
			return nil, err
		}
		// Native agents throw such a key away: four zero bytes once marked an identifier as not made from a key.
		if !bytes.HasPrefix(node[:], make([]byte, 4)) {
			return id, nil
		}
	}
	return nil, errors.New("certs: key of the agent: every key has a hash that begins with zeros")
}

func selfSignAgent(key crypto.Signer, o AgentIdentityOptions) (*AgentIdentity, error) {
	if key == nil {
		return nil, fmt.Errorf("%w: the agent has none", ErrNoKey)
	}
	pub, ok := key.Public().(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w: an agent needs an RSA key, not %T", ErrKeyKind, key.Public())
	}
	if o.CommonName == "" {
		o.CommonName = "MeshNodeCertificate"
	}
	now := time.Now()
	if o.Now != nil {
		now = o.Now()
	}
	serial, err := digitSerial()
	if err != nil {
		return nil, err
	}
	keyID := sha1.Sum(x509.MarshalPKCS1PublicKey(pub)) //nolint:gosec // see above
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: o.CommonName},
		NotBefore:             now.AddDate(0, 0, -10),
		NotAfter:              now.AddDate(0, 0, 10000),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		SubjectKeyId:          keyID[:],
		SignatureAlgorithm:    x509.SHA384WithRSA,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, pub, key)
	if err != nil {
		return nil, fmt.Errorf("certs: certificate of the agent: %w", err)
	}
	return &AgentIdentity{Certificate: der, Signer: key}, nil
}

// digitSerial returns a serial number of eight ASCII digits, the form of native agents.
func digitSerial() (*big.Int, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, fmt.Errorf("certs: serial number: %w", err)
	}
	for i := range b {
		b[i] = '0' + b[i]%10
	}
	return new(big.Int).SetBytes(b[:]), nil
}

// Check reports why id cannot be used: no certificate, no key, another key, or a key that is not RSA.
func (id AgentIdentity) Check() error {
	cert, err := derwalk.Parse(id.Certificate)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	if id.Signer == nil {
		return fmt.Errorf("%w: the agent has none", ErrNoKey)
	}
	pub, err := x509.ParsePKIXPublicKey(cert.SPKI)
	if err != nil {
		return fmt.Errorf("%w: public key: %w", ErrCertificate, err)
	}
	if _, ok := pub.(*rsa.PublicKey); !ok {
		return fmt.Errorf("%w: an agent needs an RSA key, not %T", ErrKeyKind, pub)
	}
	if !samePublicKey(id.Signer, pub) {
		return ErrKeyMismatch
	}
	return nil
}

// NodeID returns the device identifier.
func (id AgentIdentity) NodeID() (nodeid.NodeID, error) {
	return nodeid.FromCertificateDER(id.Certificate)
}

// AppendPEM appends the certificate and, unless it is kept elsewhere, the private key in PEM form to b. The result is a
// secret.
func (id AgentIdentity) AppendPEM(b []byte) ([]byte, error) {
	if err := id.Check(); err != nil {
		return nil, err
	}
	key, _, err := marshalKey(id.Signer)
	if err != nil {
		return nil, err
	}
	b = append(b, pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: id.Certificate})...)
	return append(b, key...), nil
}

// ParseAgentIdentity takes what [AgentIdentity.AppendPEM] makes. If signer is not nil it holds the private key, and b
// only needs to have the certificate.
func ParseAgentIdentity(b []byte, signer crypto.Signer) (*AgentIdentity, error) {
	id := &AgentIdentity{Signer: signer}
	err := pemBlocks(b, func(block *pem.Block) error {
		if block.Type == pemCertificate {
			if id.Certificate == nil {
				id.Certificate = block.Bytes
			}
			return nil
		}
		if id.Signer != nil {
			return nil
		}
		key, found, err := parseKey(block, nil)
		if found && err == nil {
			id.Signer = key
		}
		return err
	})
	if err == nil {
		err = id.Check()
	}
	if err != nil {
		return nil, err
	}
	return id, nil
}

// LoadAgentIdentity reads a file that [AgentIdentity.Save] wrote. If signer is not nil it holds the private key.
func LoadAgentIdentity(path string, signer crypto.Signer) (*AgentIdentity, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	id, err := ParseAgentIdentity(b, signer)
	if err != nil {
		return nil, fmt.Errorf("%w (in %s)", err, path)
	}
	return id, nil
}

// Save writes id to a new file of mode 0600, in the form of [AgentIdentity.AppendPEM]. It fails with fs.ErrExist if there
// is a file: an identity that is lost cannot be made again.
func (id AgentIdentity) Save(path string) error {
	b, err := id.AppendPEM(nil)
	if err != nil {
		return err
	}
	return createFile(path, b, 0o600)
}

// OpenAgentIdentity loads the identity in a file, or makes one with opts and saves it if there is no file. The keys that
// opts.NewKey makes must be of the kind that can be saved; others are for [NewAgentIdentity] and [LoadAgentIdentity].
func OpenAgentIdentity(path string, opts *AgentIdentityOptions) (*AgentIdentity, error) {
	id, err := LoadAgentIdentity(path, nil)
	if !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	if id, err = NewAgentIdentity(opts); err != nil {
		return nil, err
	}
	if _, ok, err := marshalKey(id.Signer); err != nil {
		return nil, err
	} else if !ok {
		return nil, fmt.Errorf("%w: a %T cannot be saved", ErrKeyKind, id.Signer)
	}
	if err := id.Save(path); err != nil {
		if errors.Is(err, os.ErrExist) { // made at the same time by someone else
			return LoadAgentIdentity(path, nil)
		}
		return nil, err
	}
	return id, nil
}

// String names the device and never has the key.
func (id AgentIdentity) String() string {
	node, err := id.NodeID()
	if err != nil {
		return "certs.AgentIdentity{no certificate}"
	}
	return "certs.AgentIdentity{" + node.String() + "}"
}

// GoString returns what String returns.
func (id AgentIdentity) GoString() string { return id.String() }

// Format writes what String returns, for every verb.
func (id AgentIdentity) Format(f fmt.State, _ rune) { formatRedacted(f, id.String()) }

// LogValue returns what String returns.
func (id AgentIdentity) LogValue() slog.Value { return logRedacted(id.String()) }

// MarshalJSON returns what String returns, as a JSON string.
func (id AgentIdentity) MarshalJSON() ([]byte, error) { return jsonRedacted(id.String()) }
