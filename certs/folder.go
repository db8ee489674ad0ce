package certs

import (
	"crypto"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Errors about the files of certificates.
var (
	// ErrMissing reports a certificate that is not there, neither it nor its key.
	ErrMissing = errors.New("certs: no such certificate")
	// ErrHalfPair reports a certificate without its private key, or a private key without its certificate.
	ErrHalfPair = errors.New("certs: only one half of the pair is there")
)

// Folder is a data folder with the certificates of a server, in the file names and forms of the reference server: one
// program can take over the folder of the other.
//
//	root-cert-public.crt        root-cert-private.key
//	webserver-cert-public.crt   webserver-cert-private.key   webserver-cert-chain1.crt ...
//	agentserver-cert-public.crt agentserver-cert-private.key
//	mpsserver-cert-public.crt   mpsserver-cert-private.key
//	codesign-cert-public.crt    codesign-cert-private.key
//	swarmserver-cert-...        webserver-DOMAIN-cert-...    (where there are such)
//
// Files are written in one step each, private keys with mode 0600. A file that exists is never changed, except by
// [Folder.Renew].
//
// Confirmed in certoperations.js, GetMeshServerCertificate.
type Folder struct {
	Path   string
	Config Config
}

// Load reads the certificates of the server, all of which must be there. It writes nothing.
func (f Folder) Load() (*ServerSet, error) {
	return f.load(func(_ *ServerSet, name Name) (*Certificate, error) {
		return nil, fmt.Errorf("%w: %s in %s", ErrMissing, name, f.Path)
	})
}

// LoadOrCreate reads the certificates of the server and makes those that are not there, which [ServerSet.Created] then
// names. A half-present pair is an error: what is left of it may be all that is left of the server's identity.
func (f Folder) LoadOrCreate() (*ServerSet, error) {
	if err := os.MkdirAll(f.Path, 0o700); err != nil {
		return nil, fmt.Errorf("certs: %w", err)
	}
	var authority *Authority
	var created []Name
	set, err := f.load(func(set *ServerSet, name Name) (cert *Certificate, err error) {
		switch {
		case name == Root:
			authority, err = NewAuthority(f.Config)
		case authority == nil:
			authority, err = OpenAuthority(set.Root, f.Config)
		}
		if err != nil {
			return nil, err
		}
		if name == Root {
			cert = authority.Root()
		} else if cert, err = authority.Issue(name, nil); err != nil {
			return nil, err
		}
		created = append(created, name)
		return cert, f.create(cert)
	})
	if err != nil {
		return nil, err
	}
	set.Created = created
	return set, nil
}

// load reads the set, with missing for what is not there. The root is the first in the set.
func (f Folder) load(missing func(*ServerSet, Name) (*Certificate, error)) (*ServerSet, error) {
	cfg := f.Config.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	set := &ServerSet{}
	get := func(name Name) (*Certificate, error) {
		cert, err := f.read(name)
		if errors.Is(err, ErrMissing) {
			return missing(set, name)
		}
		return cert, err
	}
	for _, name := range []Name{Root, AgentServer, Web, MPS, CodeSign} {
		cert, err := get(name)
		if err != nil {
			return nil, err
		}
		set.put(cert)
	}
	swarm, err := f.read(SwarmServer)
	if err != nil && !errors.Is(err, ErrMissing) {
		return nil, err
	}
	set.SwarmServer = swarm
	return set, set.domains(cfg, get)
}

// Renew issues the certificate of this name anew, for the same key; see [Authority.Renew]. The file takes the place of
// the old one in one step. The old one is kept beside it, with -old at the end of its name.
func (f Folder) Renew(name Name) (*Certificate, error) {
	root, err := f.read(Root)
	if err != nil {
		return nil, err
	}
	authority, err := OpenAuthority(root, f.Config)
	if err != nil {
		return nil, err
	}
	old, err := f.read(name)
	if err != nil {
		return nil, err
	}
	renewed, err := authority.Renew(old)
	if err != nil {
		return nil, err
	}
	if err := replaceFile(f.file(name, publicSuffix), renewed.AppendPEM(nil), 0o644); err != nil {
		return nil, err
	}
	return renewed, nil
}

func (f Folder) file(name Name, suffix string) string {
	return filepath.Join(f.Path, string(name)+suffix)
}

// create writes a new pair. The key comes first: a certificate without it could not be told from a lost key.
func (f Folder) create(c *Certificate) error {
	private := f.file(c.Name, privateSuffix)
	key, inFile, err := marshalKey(c.Signer)
	if err != nil {
		return err
	}
	if inFile {
		if err := createFile(private, key, 0o600); err != nil {
			return err
		}
	}
	err = createFile(f.file(c.Name, publicSuffix), c.AppendPEM(nil), 0o644)
	if err != nil && inFile {
		_ = os.Remove(private) // ours, made a moment ago
	}
	return err
}

// read reads one certificate with its key and chain.
func (f Folder) read(name Name) (*Certificate, error) {
	public, private := f.file(name, publicSuffix), f.file(name, privateSuffix)
	havePublic, err := exists(public)
	if err != nil {
		return nil, err
	}
	havePrivate, err := exists(private)
	if err != nil {
		return nil, err
	}
	switch {
	case !havePublic && !havePrivate:
		return nil, fmt.Errorf("%w: %s", ErrMissing, public)
	case !havePublic:
		return nil, fmt.Errorf("%w: %s is there, its certificate %s is not: put the certificate back, or move the key away to have a new pair",
			ErrHalfPair, private, filepath.Base(public))
	}
	chain, err := readCertificates(public)
	if err != nil {
		return nil, err
	}
	if name.isWeb() {
		if chain, err = f.readChain(name, chain); err != nil {
			return nil, err
		}
	}
	cert, err := newCertificate(name, chain, nil)
	if err != nil {
		return nil, fmt.Errorf("%w (in %s)", err, public)
	}
	if cert.Signer, err = f.readSigner(cert, private, havePrivate); err != nil {
		return nil, err
	}
	return cert, nil
}

// readSigner finds the private key of cert.
func (f Folder) readSigner(cert *Certificate, path string, inFile bool) (crypto.Signer, error) {
	pub, err := cert.PublicKey()
	if err != nil {
		return nil, err
	}
	var signer crypto.Signer
	origin := path
	switch {
	case inFile:
		if signer, err = readKey(path, f.Config.withDefaults().Passwords()); err != nil {
			return nil, err
		}
	case f.Config.Signer != nil:
		origin = "the Signer of the configuration"
		if signer, err = f.Config.Signer(cert.Name, pub); err != nil {
			return nil, fmt.Errorf("certs: key of %s: %w", cert.Name, err)
		}
		if signer == nil && cert.Name == AgentServer {
			return nil, fmt.Errorf("%w for %s, which every login of an agent needs", ErrNoKey, cert.Name)
		}
	case cert.Name.isWeb() && f.Config.TLSOffload:
	default:
		return nil, fmt.Errorf("%w: the certificate of %s is there, its private key is not: put the key back, or move the certificate away to have a new pair",
			ErrHalfPair, path)
	}
	if signer != nil && !samePublicKey(signer, pub) {
		return nil, fmt.Errorf("%w: %s and %s", ErrKeyMismatch, f.file(cert.Name, publicSuffix), origin)
	}
	return signer, nil
}

// readChain appends the certificates in the files NAME-chain1.crt, NAME-chain2.crt and so on.
func (f Folder) readChain(name Name, chain [][]byte) ([][]byte, error) {
	const most = 10
	for i := 1; i <= most; i++ {
		path := f.file(name, fmt.Sprintf("-chain%d.crt", i))
		have, err := exists(path)
		if err != nil {
			return nil, err
		}
		if !have {
			break
		}
		more, err := readCertificates(path)
		if err != nil {
			return nil, err
		}
		chain = append(chain, more...)
	}
	return chain, nil
}

// readCertificates returns the certificates in a PEM file, at least one.
func readCertificates(path string) ([][]byte, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	var chain [][]byte
	err = pemBlocks(b, func(block *pem.Block) error {
		if block.Type == pemCertificate {
			chain = append(chain, block.Bytes)
		}
		return nil
	})
	if err == nil && len(chain) == 0 {
		err = fmt.Errorf("%w: no PEM block of type %s", ErrCertificate, pemCertificate)
	}
	if err != nil {
		return nil, fmt.Errorf("%w (in %s)", err, path)
	}
	return chain, nil
}

// readKey returns the private key in a PEM file.
func readKey(path string, passwords []string) (crypto.Signer, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	var signer crypto.Signer
	err = pemBlocks(b, func(block *pem.Block) error {
		key, found, err := parseKey(block, passwords)
		if found && signer == nil {
			signer = key
			return err
		}
		return nil
	})
	if err == nil && signer == nil {
		err = ErrNoKey
	}
	if err != nil {
		return nil, fmt.Errorf("%w (in %s)", err, path)
	}
	return signer, nil
}
