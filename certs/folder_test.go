package certs_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/certs/certstest"
	"github.com/meshcentral-go/sdk/nodeid"
)

func testFolder(t testing.TB) certs.Folder {
	return certs.Folder{
		Path:   filepath.Join(t.TempDir(), "data"),
		Config: certs.Config{Host: "mesh.example.com", NewKey: certstest.NewKey},
	}
}

// files returns the content of all files in a folder.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	all := make(map[string]string)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		all[e.Name()] = string(b)
	}
	return all
}

func TestFolderCreatesOnce(t *testing.T) {
	f := testFolder(t)
	_, err := f.Load()
	require.ErrorIs(t, err, certs.ErrMissing)

	first, err := f.LoadOrCreate()
	require.NoError(t, err)
	require.Equal(t, []certs.Name{certs.Root, certs.AgentServer, certs.Web, certs.MPS, certs.CodeSign}, first.Created)
	before := files(t, f.Path)
	require.Len(t, before, 10, "five pairs and nothing else")

	second, err := f.LoadOrCreate()
	require.NoError(t, err)
	require.Empty(t, second.Created)
	require.Equal(t, before, files(t, f.Path))
	loaded, err := f.Load()
	require.NoError(t, err)
	for i, cert := range loaded.All() {
		require.Equal(t, first.All()[i].DER, cert.DER)
		require.NotNil(t, cert.Signer)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for name := range before {
		info, err := os.Stat(filepath.Join(f.Path, name))
		require.NoError(t, err)
		want := fs.FileMode(0o644)
		if strings.HasSuffix(name, ".key") {
			want = 0o600
		}
		require.Equal(t, want, info.Mode().Perm(), name)
	}
}

// TestFolderOfReferenceServer: certificates that crypto/x509 refuses are loaded, used and renewed.
func TestFolderOfReferenceServer(t *testing.T) {
	f := certs.Folder{Path: stockFolder(t), Config: certs.Config{Host: "my_host.example.com"}}
	before := files(t, f.Path)
	set, err := f.LoadOrCreate()
	require.NoError(t, err)
	require.Empty(t, set.Created)
	require.Equal(t, before, files(t, f.Path))
	require.Empty(t, set.Expiring(time.Now()))

	id, err := set.ServerID()
	require.NoError(t, err)
	want, err := nodeid.ServerIDFromPublicKey(certstest.Key(1).Public())
	require.NoError(t, err)
	require.Equal(t, want, id)
	require.Len(t, set.WebHashes(""), 2)
	require.Equal(t, "my_host.example.com", set.Web.CommonName())
	require.True(t, set.Web.Covers("my_host.example.com"))
	_, err = set.Web.X509()
	require.Error(t, err, "the test is of no use otherwise")
	_, notAfter, err := set.Web.Validity()
	require.NoError(t, err)
	require.Equal(t, 2049, notAfter.Year())

	// A server can use it: the handshake gets to where the client, also written in Go, refuses to look at it.
	config, err := set.TLSConfig()
	require.NoError(t, err)
	_, err = handshake(t, config, &tls.Config{InsecureSkipVerify: true})
	require.ErrorContains(t, err, "failed to parse certificate from server")

	renewed, err := f.Renew(certs.AgentServer)
	require.NoError(t, err)
	cert, err := renewed.X509()
	require.NoError(t, err, "the new one is sound")
	require.Equal(t, set.AgentServer.Signer.Public(), cert.PublicKey)
	again, err := f.Load()
	require.NoError(t, err)
	renewedID, err := again.ServerID()
	require.NoError(t, err)
	require.Equal(t, id, renewedID)
	require.NoError(t, (&x509.Certificate{PublicKey: set.Root.Signer.Public()}).
		CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature))
}

// TestFolderCompletes: what an older installation does not have yet is issued by its root.
func TestFolderCompletes(t *testing.T) {
	dir := stockFolder(t)
	require.NoError(t, os.Remove(filepath.Join(dir, "codesign-cert-public.crt")))
	require.NoError(t, os.Remove(filepath.Join(dir, "codesign-cert-private.key")))
	f := certs.Folder{Path: dir, Config: certs.Config{Host: "my_host.example.com", NewKey: certstest.NewKey}}
	set, err := f.LoadOrCreate()
	require.NoError(t, err)
	require.Equal(t, []certs.Name{certs.CodeSign}, set.Created)
	cert, err := set.CodeSign.X509()
	require.NoError(t, err)
	require.Equal(t, "MeshCentralRoot-abcdef", cert.Issuer.CommonName)
	require.Regexp(t, "^my_host.example.com-[0-9a-f]{6}$", cert.Subject.CommonName)
}

func TestHalfPairs(t *testing.T) {
	for _, name := range []certs.Name{certs.Root, certs.AgentServer, certs.Web, certs.MPS, certs.CodeSign} {
		for _, suffix := range []string{"-public.crt", "-private.key"} {
			t.Run(string(name)+suffix, func(t *testing.T) {
				f := testFolder(t)
				_, err := f.LoadOrCreate()
				require.NoError(t, err)
				require.NoError(t, os.Remove(filepath.Join(f.Path, string(name)+suffix)))
				before := files(t, f.Path)
				_, err = f.LoadOrCreate()
				require.ErrorIs(t, err, certs.ErrHalfPair)
				require.ErrorContains(t, err, string(name))
				require.Equal(t, before, files(t, f.Path))
			})
		}
	}
}

func TestKeyOfAnother(t *testing.T) {
	f := testFolder(t)
	_, err := f.LoadOrCreate()
	require.NoError(t, err)
	mps, err := os.ReadFile(filepath.Join(f.Path, "mpsserver-cert-private.key"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(f.Path, "agentserver-cert-private.key"), mps, 0o600))
	_, err = f.LoadOrCreate()
	require.ErrorIs(t, err, certs.ErrKeyMismatch)
	require.ErrorContains(t, err, "agentserver-cert")
}

func TestDamagedFiles(t *testing.T) {
	f := testFolder(t)
	_, err := f.LoadOrCreate()
	require.NoError(t, err)
	good := files(t, f.Path)
	public, private := "agentserver-cert-public.crt", "agentserver-cert-private.key"
	for name, test := range map[string]struct {
		file, content string
		want          error
	}{
		"no certificate":      {public, "", certs.ErrCertificate},
		"a key for it":        {public, good[private], certs.ErrCertificate},
		"cut certificate":     {public, good[public][:300], certs.ErrCertificate},
		"another PEM content": {public, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})), certs.ErrCertificate},
		"no key":              {private, "", certs.ErrNoKey},
		"a certificate for a": {private, good[public], certs.ErrNoKey},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(filepath.Join(f.Path, test.file), []byte(test.content), 0o600))
			defer func() {
				require.NoError(t, os.WriteFile(filepath.Join(f.Path, test.file), []byte(good[test.file]), 0o600))
			}()
			_, err := f.LoadOrCreate()
			require.ErrorIs(t, err, test.want)
			require.ErrorContains(t, err, test.file)
		})
	}
	t.Run("too big", func(t *testing.T) {
		require.NoError(t, os.WriteFile(filepath.Join(f.Path, public), bytes.Repeat([]byte("x"), 2<<20), 0o600))
		_, err := f.LoadOrCreate()
		require.ErrorContains(t, err, "bigger than")
	})
}

// TestEditedFiles: what editors do to PEM files is harmless.
func TestEditedFiles(t *testing.T) {
	f := testFolder(t)
	set, err := f.LoadOrCreate()
	require.NoError(t, err)
	for name, content := range files(t, f.Path) {
		content = "\ufeff" + strings.ReplaceAll(content, "\n", "\r")
		require.NoError(t, os.WriteFile(filepath.Join(f.Path, name), []byte(content), 0o600))
	}
	edited, err := f.Load()
	require.NoError(t, err)
	require.Equal(t, set.Web.DER, edited.Web.DER)
}

func TestKeysElsewhere(t *testing.T) {
	f := testFolder(t)
	inHardware := map[certs.Name]crypto.Signer{}
	f.Config.NewKey = func(name certs.Name) (crypto.Signer, error) {
		key, err := certstest.NewKey(name)
		inHardware[name] = hardware{key}
		return inHardware[name], err
	}
	f.Config.Signer = func(name certs.Name, _ crypto.PublicKey) (crypto.Signer, error) { return inHardware[name], nil }
	set, err := f.LoadOrCreate()
	require.NoError(t, err)
	require.Len(t, files(t, f.Path), 5, "no private key is written")

	loaded, err := f.Load()
	require.NoError(t, err)
	require.Equal(t, set.Root.DER, loaded.Root.DER)
	require.IsType(t, hardware{}, loaded.AgentServer.Signer)
	_, err = f.Renew(certs.Web)
	require.NoError(t, err)
	config, err := loaded.TLSConfig()
	require.NoError(t, err)
	_, err = handshake(t, config, &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, err)

	// The root may be out of reach while the server runs.
	inHardware[certs.Root] = nil
	loaded, err = f.Load()
	require.NoError(t, err)
	require.Nil(t, loaded.Root.Signer)
	_, err = f.Renew(certs.Web)
	require.ErrorIs(t, err, certs.ErrNoKey)

	inHardware[certs.AgentServer] = nil
	_, err = f.Load()
	require.ErrorIs(t, err, certs.ErrNoKey)
	inHardware[certs.AgentServer] = certstest.Key(5)
	_, err = f.Load()
	require.ErrorIs(t, err, certs.ErrKeyMismatch)
	f.Config.Signer = func(certs.Name, crypto.PublicKey) (crypto.Signer, error) { return nil, os.ErrPermission }
	_, err = f.Load()
	require.ErrorIs(t, err, os.ErrPermission)
}

func TestTLSOffload(t *testing.T) {
	f := testFolder(t)
	_, err := f.LoadOrCreate()
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(f.Path, "webserver-cert-private.key")))
	_, err = f.Load()
	require.ErrorIs(t, err, certs.ErrHalfPair)
	f.Config.TLSOffload = true
	set, err := f.Load()
	require.NoError(t, err)
	require.Nil(t, set.Web.Signer)
	require.Len(t, set.WebHashes(""), 2)
	_, err = set.TLSConfig()
	require.ErrorIs(t, err, certs.ErrNoKey)
}

func TestDomains(t *testing.T) {
	f := testFolder(t)
	f.Config.Domains = map[string]string{"one": "one.example.net", "two": "MESH.example.com"}
	set, err := f.LoadOrCreate()
	require.NoError(t, err)
	require.Contains(t, set.Created, certs.Name("webserver-one-cert"))
	require.FileExists(t, filepath.Join(f.Path, "webserver-one-cert-private.key"))
	require.NoFileExists(t, filepath.Join(f.Path, "webserver-two-cert-private.key"), "the main certificate covers it")
	require.Same(t, set.Web, set.Domains["two"])
	require.Same(t, set.Domains["one"], set.ForHost("one.example.net"))
	require.Same(t, set.Web, set.ForHost("mesh.example.com"))
	require.Same(t, set.Web, set.ForHost(""))
	require.Same(t, set.Web, set.ForHost("unknown.example.org"))
	require.Len(t, set.All(), 6)

	require.Len(t, set.WebHashes("one"), 4, "its own and those of the main one")
	require.Len(t, set.WebHashes("two"), 2)
	require.Equal(t, set.WebHashes(""), set.WebHashes("unknown"))

	config, err := set.TLSConfig()
	require.NoError(t, err)
	for _, host := range []string{"one.example.net", "mesh.example.com"} {
		pool := x509.NewCertPool()
		root, err := set.Root.X509()
		require.NoError(t, err)
		pool.AddCert(root)
		state, err := handshake(t, config, &tls.Config{ServerName: host, RootCAs: pool})
		require.NoError(t, err, "trusted by whoever trusts the root")
		require.Equal(t, set.ForHost(host).DER, state.PeerCertificates[0].Raw)
	}

	renewed, err := f.Renew("webserver-one-cert")
	require.NoError(t, err)
	require.True(t, renewed.Covers("one.example.net"))
}

func TestConfigRefuses(t *testing.T) {
	for name, cfg := range map[string]certs.Config{
		"host":           {Host: "a b"},
		"host with line": {Host: "a\nb"},
		"MPS host":       {MPSHost: "a/b"},
		"other name":     {AltNames: []string{""}},
		"long host":      {Host: strings.Repeat("a", 254)},
		"domain":         {Domains: map[string]string{"../up": "a.example"}},
		"domain of DNS":  {Domains: map[string]string{"a:b": "a.example"}},
		"default domain": {Domains: map[string]string{"": "a.example"}},
		"domain host":    {Domains: map[string]string{"a": "a example"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.NewKey = certstest.NewKey
			f := certs.Folder{Path: filepath.Join(t.TempDir(), "data"), Config: cfg}
			_, err := f.LoadOrCreate()
			require.Error(t, err)
			require.Empty(t, files(t, f.Path))
			_, err = certs.NewServerSet(cfg)
			require.Error(t, err)
		})
	}
}

func TestChainFiles(t *testing.T) {
	f := testFolder(t)
	set, err := f.LoadOrCreate()
	require.NoError(t, err)
	// A second certificate in the file itself, and one in a file of its own.
	web := filepath.Join(f.Path, "webserver-cert-public.crt")
	b, err := os.ReadFile(web)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(web, set.MPS.AppendPEM(b), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(f.Path, "webserver-cert-chain1.crt"), set.Root.AppendPEM(nil), 0o644))
	loaded, err := f.Load()
	require.NoError(t, err)
	require.Equal(t, [][]byte{set.MPS.DER, set.Root.DER}, loaded.Web.Chain)
	require.Equal(t, [][]byte{set.Web.DER, set.MPS.DER, set.Root.DER}, loaded.Web.TLSCertificate().Certificate)
}

func TestSwarmServer(t *testing.T) {
	f := testFolder(t)
	_, err := f.LoadOrCreate()
	require.NoError(t, err)
	der := oddCertificate(t, "MeshCentralRoot", "MeshCentralSwarm", certstest.Key(6), certstest.Key(0))
	writePair(t, f.Path, certs.SwarmServer, der, certstest.Key(6))
	set, err := f.LoadOrCreate()
	require.NoError(t, err)
	require.Equal(t, der, set.SwarmServer.DER)
	require.Contains(t, set.All(), set.SwarmServer)
}

func TestRenew(t *testing.T) {
	f := testFolder(t)
	set, err := f.LoadOrCreate()
	require.NoError(t, err)
	for _, old := range set.All() {
		t.Run(string(old.Name), func(t *testing.T) {
			key, err := os.ReadFile(filepath.Join(f.Path, string(old.Name)+"-private.key"))
			require.NoError(t, err)
			renewed, err := f.Renew(old.Name)
			require.NoError(t, err)
			require.NotEqual(t, old.DER, renewed.DER)
			require.Equal(t, old.CommonName(), renewed.CommonName())
			require.Equal(t, old.Signer.Public(), renewed.Signer.Public())
			same, err := os.ReadFile(filepath.Join(f.Path, string(old.Name)+"-private.key"))
			require.NoError(t, err)
			require.Equal(t, key, same)
			kept, err := os.ReadFile(filepath.Join(f.Path, string(old.Name)+"-public.crt-old"))
			require.NoError(t, err)
			require.Equal(t, old.AppendPEM(nil), kept)
			if runtime.GOOS != "windows" {
				info, err := os.Stat(filepath.Join(f.Path, string(old.Name)+"-public.crt"))
				require.NoError(t, err)
				require.Equal(t, fs.FileMode(0o644), info.Mode().Perm())
			}
		})
	}
	_, err = f.Renew(certs.Web)
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(f.Path, "webserver-cert-public.crt-old2"))

	// Whoever trusted the old root goes on trusting the certificates.
	again, err := f.Load()
	require.NoError(t, err)
	for _, root := range []*certs.Certificate{set.Root, again.Root} {
		parsedRoot, err := root.X509()
		require.NoError(t, err)
		for _, cert := range append(set.All(), again.All()...) {
			parsed, err := cert.X509()
			require.NoError(t, err)
			require.NoError(t, parsed.CheckSignatureFrom(parsedRoot))
		}
	}
	_, err = f.Renew("other-cert")
	require.ErrorIs(t, err, certs.ErrMissing)
}

// TestRenewWithoutConfiguration: names that are not configured stay.
func TestRenewWithoutConfiguration(t *testing.T) {
	f := testFolder(t)
	f.Config.MPSHost, f.Config.Country, f.Config.Organization = "mps.example.com", "DE", "Example"
	f.Config.AltNames = []string{"mesh", "192.0.2.7"}
	set, err := f.LoadOrCreate()
	require.NoError(t, err)
	f.Config = certs.Config{}
	for _, old := range []*certs.Certificate{set.Web, set.AgentServer, set.MPS, set.CodeSign} {
		renewed, err := f.Renew(old.Name)
		require.NoError(t, err)
		was, now := parsed(t, old), parsed(t, renewed)
		require.Equal(t, was.Subject.String(), now.Subject.String())
		require.ElementsMatch(t, was.DNSNames, now.DNSNames)
		require.Len(t, now.IPAddresses, len(was.IPAddresses))
		require.Equal(t, was.KeyUsage, now.KeyUsage)
		require.Equal(t, was.ExtKeyUsage, now.ExtKeyUsage)
	}
	f.Config = certs.Config{Host: "new.example.com", AltNames: []string{}}
	renewed, err := f.Renew(certs.Web)
	require.NoError(t, err)
	require.Equal(t, []string{"new.example.com", "localhost"}, parsed(t, renewed).DNSNames)
}

// TestRenewOfAnotherAuthority: a certificate that someone bought is not replaced by one of ours.
func TestRenewOfAnotherAuthority(t *testing.T) {
	f := testFolder(t)
	_, err := f.LoadOrCreate()
	require.NoError(t, err)
	bought, err := certs.NewServerSet(certs.Config{Host: "mesh.example.com", RootCommonName: "Another", NewKey: certstest.NewKey})
	require.NoError(t, err)
	key, err := x509.MarshalPKCS8PrivateKey(bought.Web.Signer)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(f.Path, "webserver-cert-private.key"),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(f.Path, "webserver-cert-public.crt"), bought.Web.AppendPEM(nil), 0o644))
	before := files(t, f.Path)
	_, err = f.Renew(certs.Web)
	require.ErrorIs(t, err, certs.ErrNotIssued)
	require.Equal(t, before, files(t, f.Path))

	// The same name is not enough.
	impostor, err := certs.NewServerSet(certs.Config{
		Host: "mesh.example.com",
		NewKey: func(name certs.Name) (crypto.Signer, error) {
			if name == certs.Root {
				return certstest.Key(7), nil
			}
			return certstest.NewKey(name)
		},
		RootCommonName: "MeshCentralRoot",
	})
	require.NoError(t, err)
	own, err := certs.NewAuthority(certs.Config{RootCommonName: "MeshCentralRoot", NewKey: certstest.NewKey})
	require.NoError(t, err)
	require.ErrorIs(t, own.Issued(impostor.Web), certs.ErrNotIssued)
}

// TestInterruptedCreation: what is there already is kept.
func TestInterruptedCreation(t *testing.T) {
	f := testFolder(t)
	f.Config.NewKey = func(name certs.Name) (crypto.Signer, error) {
		if name == certs.AgentServer {
			return nil, os.ErrDeadlineExceeded
		}
		return certstest.NewKey(name)
	}
	_, err := f.LoadOrCreate()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	f.Config.NewKey = certstest.NewKey
	set, err := f.LoadOrCreate()
	require.NoError(t, err)
	require.NotContains(t, set.Created, certs.Root)
	require.Contains(t, set.Created, certs.AgentServer)
}

// TestHalfWrittenPair: a key whose certificate cannot be written is taken back.
func TestHalfWrittenPair(t *testing.T) {
	f := testFolder(t)
	require.NoError(t, os.MkdirAll(f.Path, 0o700))
	public := filepath.Join(f.Path, "agentserver-cert-public.crt")
	if err := os.Symlink("nowhere", public); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	_, err := f.LoadOrCreate()
	require.ErrorIs(t, err, fs.ErrExist)
	require.NoFileExists(t, filepath.Join(f.Path, "agentserver-cert-private.key"))
	require.NoError(t, os.Remove(public))
	_, err = f.LoadOrCreate()
	require.NoError(t, err)
}

// TestFolderIsAFile: the error says so.
func TestFolderIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err := certs.Folder{Path: path}.LoadOrCreate()
	require.Error(t, err)
	_, err = certs.Folder{Path: path}.Load()
	require.Error(t, err)
}

// handshake connects over a pipe and returns what the client saw.
func handshake(t testing.TB, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	a, b := net.Pipe()
	defer func() { _, _ = a.Close(), b.Close() }()
	done := make(chan error, 1)
	go func() {
		conn := tls.Server(a, server)
		err := conn.Handshake()
		if err == nil {
			_, err = io.Copy(io.Discard, conn)
		}
		done <- err
	}()
	conn := tls.Client(b, client)
	err := conn.Handshake()
	_ = b.Close()
	serverErr := <-done
	if err == nil && serverErr != nil && !errors.Is(serverErr, io.ErrUnexpectedEOF) && !errors.Is(serverErr, io.EOF) {
		t.Logf("server: %v", serverErr)
	}
	return conn.ConnectionState(), err
}

func TestEncryptedKeys(t *testing.T) {
	wantEC := readKeyFile(t, "p256.pem")
	for _, name := range []string{"sec1.pem", "aes256-sha256.pem", "aes128-sha1.pem", "aes192-sha512.pem", "des3-sha384.pem"} {
		t.Run(name, func(t *testing.T) {
			got, err := loadWithKey(t, name, wantEC, []string{"wrong", "", "secret"})
			require.NoError(t, err)
			require.Equal(t, wantEC, got)
		})
	}
	got, err := loadWithKey(t, "forge-rsa.pem", certstest.Key(0), []string{"secret"})
	require.NoError(t, err)
	require.Equal(t, certstest.Key(0).D, got.(*rsa.PrivateKey).D)

	_, err = loadWithKey(t, "aes256-sha256.pem", wantEC, []string{"wrong"})
	require.ErrorIs(t, err, certs.ErrPassword)
	_, err = loadWithKey(t, "aes256-sha256.pem", wantEC, nil)
	require.ErrorIs(t, err, certs.ErrPassword)
	_, err = loadWithKey(t, "scrypt.pem", wantEC, []string{"secret"})
	require.ErrorContains(t, err, "not supported")
	_, err = loadWithKey(t, "legacy.pem", wantEC, []string{"secret"})
	require.ErrorContains(t, err, "PKCS#8")
}

func readKeyFile(t testing.TB, name string) crypto.Signer {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "pkcs8", name))
	require.NoError(t, err)
	block, _ := pem.Decode(b)
	require.NotNil(t, block)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	return key.(crypto.Signer)
}

// loadWithKey loads a folder whose web certificate has the key, and its key file the form in testdata.
func loadWithKey(t testing.TB, name string, key crypto.Signer, passwords []string) (crypto.Signer, error) {
	t.Helper()
	f := testFolder(t)
	f.Config.NewKey = func(n certs.Name) (crypto.Signer, error) {
		if n == certs.Web {
			return key, nil
		}
		return certstest.NewKey(n)
	}
	_, err := f.LoadOrCreate()
	require.NoError(t, err)
	b, err := os.ReadFile(filepath.Join("testdata", "pkcs8", name))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(f.Path, "webserver-cert-private.key"), b, 0o600))
	f.Config.Passwords = func() []string { return passwords }
	set, err := f.Load()
	if err != nil {
		return nil, err
	}
	return set.Web.Signer, nil
}
