package mps

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"

	"github.com/meshcentral-go/sdk/nodeid"
)

func testGroup(t *testing.T) nodeid.MeshID {
	t.Helper()
	id, err := nodeid.ParseMeshID("AbCdEf@hIjKlMn$p0123456789012345678901234567890123456789ABCDEFGH")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestGroupUser(t *testing.T) {
	id := testGroup(t)
	if got := GroupUser(id); got != "AbCdEfXhIjKlMnXp" {
		t.Errorf("GroupUser: %q", got)
	}
	for user, want := range map[string]bool{
		"AbCdEfXhIjKlMnXp": true, "AbCdEf@hIjKlMn$p": true, "AbCdEf$hIjKlMn@p": true, "AbCdEf@hIjKlMnXp": true,
		"AbCdEfXhIjKlMnX": false, "AbCdEfXhIjKlMnXp0": false, "AbCdEfXhIjKlMnXP": false, "": false, TunnelUser: false,
		"XXXXXXXXXXXXXXXX": false,
	} {
		if MatchesGroup(user, id) != want {
			t.Errorf("MatchesGroup(%q): %v", user, !want)
		}
	}
}

// The values were read in a stock server that a device had called.
func TestNodeIDs(t *testing.T) {
	if got := modulusNodeID([]byte{0xc0, 0xff, 0xee, 0x80, 0xff}).String(); got != "zcctqn7Z7CuJF1JvhVoYHLylC0YZzNNwfWlvKyQrTdW2AWO4773sQt5nF23qEFei" {
		t.Errorf("of a modulus: %s", got)
	}
	u, err := nodeid.ParseUUID("00112233-4455-6677-8899-aabbccddeeff")
	if err != nil {
		t.Fatal(err)
	}
	if got := nodeid.FromUUID(u).String(); got != "ABEiM0RVZneImaq7zN3u$wARIjNEVWZ3iJmqu8zd7v8AESIzRFVmd4iZqrvM3e7$" {
		t.Errorf("of a UUID: %s", got)
	}
}

func TestCertificateIdentity(t *testing.T) {
	group := testGroup(t)
	rsaCert := &x509.Certificate{
		PublicKey: &rsa.PublicKey{N: new(big.Int).SetBytes([]byte{0xc0, 0xff, 0xee, 0x80, 0xff}), E: 65537},
		Subject:   pkix.Name{Organization: []string{"Intel", group.String()}},
	}
	if id, err := CertificateNodeID(rsaCert); err != nil || id != modulusNodeID([]byte{0xc0, 0xff, 0xee, 0x80, 0xff}) {
		t.Errorf("node id %v, %v", id, err)
	}
	if id, err := CertificateGroup(rsaCert); err != nil || id != group {
		t.Errorf("group %v, %v", id, err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other := &x509.Certificate{PublicKey: &key.PublicKey, Subject: pkix.Name{Organization: []string{"mesh//" + group.String()}}}
	if id, err := CertificateNodeID(other); !errors.Is(err, ErrCertificate) {
		t.Errorf("of an ECDSA key: %v, %v", id, err)
	}
	if id, err := CertificateGroup(other); !errors.Is(err, ErrCertificate) {
		t.Errorf("of another organisation: %v, %v", id, err)
	}
}

func TestPasswordIs(t *testing.T) {
	l := &Login{Method: "password", Password: NewSecret("P@ssw0rd")}
	for want, same := range map[string]bool{"P@ssw0rd": true, "P@ssw0r": false, "P@ssw0rd ": false, "": false, "p@ssw0rd": false} {
		if l.PasswordIs(NewSecret(want)) != same {
			t.Errorf("%q: %v", want, !same)
		}
	}
	if (&Login{Method: "password"}).PasswordIs(Secret{}) {
		t.Error("a password that was not set lets in who has none")
	}
	if (&Login{Method: "none"}).PasswordIs(Secret{}) {
		t.Error("no password is an empty one")
	}
}
