package derwalk_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/meshcentral-go/sdk/internal/derwalk"
)

// recorded are certificates of real peers; see nodeid/testdata/README.md.
func recorded(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "nodeid", "testdata", name))
	require.NoError(t, err)
	block, _ := pem.Decode(b)
	require.NotNil(t, block)
	return block.Bytes
}

func generated(t testing.TB, notBefore, notAfter time.Time) []byte {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(127), Subject: pkix.Name{CommonName: "x"}, NotBefore: notBefore, NotAfter: notAfter,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return der
}

func requireSame(t testing.TB, der []byte) {
	t.Helper()
	want, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	got, err := derwalk.Parse(der)
	require.NoError(t, err)
	require.Equal(t, want.Raw, got.Raw)
	require.Equal(t, want.RawTBSCertificate, got.TBS)
	require.Equal(t, want.RawIssuer, got.Issuer)
	require.Equal(t, want.RawSubject, got.Subject)
	require.Equal(t, want.RawSubjectPublicKeyInfo, got.SPKI)
	require.Equal(t, want.SerialNumber.Bytes(), bytes.TrimLeft(got.Serial, "\x00"))
	require.Equal(t, want.PublicKeyAlgorithm == x509.RSA, got.IsRSA())
	var spki struct {
		Algorithm pkix.AlgorithmIdentifier
		PublicKey asn1.BitString
	}
	_, err = asn1.Unmarshal(want.RawSubjectPublicKeyInfo, &spki)
	require.NoError(t, err)
	require.Equal(t, spki.PublicKey.Bytes, got.PublicKey)
	notBefore, err := got.NotBefore.Decode()
	require.NoError(t, err)
	require.Equal(t, want.NotBefore, notBefore)
	notAfter, err := got.NotAfter.Decode()
	require.NoError(t, err)
	require.Equal(t, want.NotAfter, notAfter)
}

func TestSameAsX509(t *testing.T) {
	for _, name := range []string{"agent-cert.pem", "agentserver-cert.pem", "web-cert.pem"} {
		requireSame(t, recorded(t, name))
	}
	date := func(year int) time.Time { return time.Date(year, 2, 3, 4, 5, 6, 0, time.UTC) }
	for _, years := range [][2]int{{1950, 1968}, {1969, 2049}, {2050, 9999}} {
		requireSame(t, generated(t, date(years[0]), date(years[1])))
	}
}

func TestEveryPrefix(t *testing.T) {
	der := recorded(t, "agent-cert.pem")
	for i := range der {
		got, err := derwalk.Parse(der[:i])
		require.ErrorIs(t, err, derwalk.ErrMalformed, i)
		require.Zero(t, got)
	}
	_, err := derwalk.Parse(append(der, 0))
	require.ErrorIs(t, err, derwalk.ErrMalformed)
}

// TestEveryByte: no damage is a panic, and what is returned lies within the input.
func TestEveryByte(t *testing.T) {
	der := recorded(t, "agentserver-cert.pem")
	for i := range der {
		for _, v := range []byte{0, 1, 0x30, 0x7f, 0x80, 0x81, 0x82, 0x83, 0x84, 0xff} {
			damaged := bytes.Clone(der)
			damaged[i] = v
			if c, err := derwalk.Parse(damaged); err == nil {
				require.NotEmpty(t, c.PublicKey)
				require.NotEmpty(t, c.Serial)
				require.True(t, bytes.Contains(damaged, c.SPKI))
			}
		}
	}
}

func TestTooLarge(t *testing.T) {
	_, err := derwalk.Parse(make([]byte, derwalk.MaxCertificate+1))
	require.ErrorIs(t, err, derwalk.ErrMalformed)
	require.ErrorContains(t, err, "at most")
}

// tlv makes one element with a length of any size.
func tlv(tag byte, parts ...[]byte) []byte {
	content := bytes.Join(parts, nil)
	b := []byte{tag}
	switch n := len(content); {
	case n < 0x80:
		b = append(b, byte(n))
	case n < 0x100:
		b = append(b, 0x81, byte(n))
	default:
		b = append(b, 0x82, byte(n>>8), byte(n))
	}
	return append(b, content...)
}

// minimal makes the least that passes for a certificate, with changes.
func minimal(change func(parts map[string][]byte)) []byte {
	p := map[string][]byte{
		"version":   tlv(0xa0, tlv(2, []byte{2})),
		"serial":    tlv(2, []byte{0x94, 0x96, 0x72, 0x95}), // negative
		"algorithm": tlv(0x30, tlv(6, []byte{0x2a})),
		"name":      tlv(0x30),
		"validity":  tlv(0x30, tlv(0x17, []byte("180101000000Z")), tlv(0x18, []byte("20991231000000Z"))),
		"keyAlg":    tlv(0x30, tlv(6, []byte{0x2b, 0x65, 0x70})),
		"key":       tlv(3, []byte{0, 1, 2, 3}),
		"rest":      nil,
		"signature": tlv(3, []byte{0}),
	}
	change(p)
	spki := p["spki"]
	if spki == nil {
		spki = tlv(0x30, p["keyAlg"], p["key"])
	}
	tbs := tlv(0x30, p["version"], p["serial"], p["algorithm"], p["name"], p["validity"], p["name"], spki, p["rest"])
	return tlv(0x30, tbs, p["algorithm"], p["signature"])
}

func TestMinimal(t *testing.T) {
	for name, test := range map[string]struct {
		change func(map[string][]byte)
		ok     bool
	}{
		"as it is":          {func(map[string][]byte) {}, true},
		"no version":        {func(p map[string][]byte) { p["version"] = nil }, true},
		"more in TBS":       {func(p map[string][]byte) { p["rest"] = []byte{0xa3, 0} }, true},
		"empty serial":      {func(p map[string][]byte) { p["serial"] = tlv(2) }, false},
		"no serial":         {func(p map[string][]byte) { p["serial"] = nil }, false},
		"unused bits":       {func(p map[string][]byte) { p["key"] = tlv(3, []byte{1, 2}) }, false},
		"empty key":         {func(p map[string][]byte) { p["key"] = tlv(3, []byte{0}) }, false},
		"empty bit string":  {func(p map[string][]byte) { p["key"] = tlv(3) }, false},
		"octet string":      {func(p map[string][]byte) { p["key"] = tlv(4, []byte{0, 1}) }, false},
		"more in SPKI":      {func(p map[string][]byte) { p["key"] = append(p["key"], 5, 0) }, false},
		"no key algorithm":  {func(p map[string][]byte) { p["keyAlg"] = tlv(0x30) }, false},
		"empty OID":         {func(p map[string][]byte) { p["keyAlg"] = tlv(0x30, tlv(6)) }, false},
		"more in validity":  {func(p map[string][]byte) { p["validity"] = tlv(0x30, tlv(0x17), tlv(0x17), tlv(5)) }, false},
		"odd time":          {func(p map[string][]byte) { p["validity"] = tlv(0x30, tlv(5), tlv(5)) }, false},
		"no signature":      {func(p map[string][]byte) { p["signature"] = nil }, false},
		"two signatures":    {func(p map[string][]byte) { p["signature"] = append(p["signature"], p["signature"]...) }, false},
		"long form":         {func(p map[string][]byte) { p["serial"] = []byte{2, 0x81, 1, 7} }, false},
		"longer form":       {func(p map[string][]byte) { p["serial"] = []byte{2, 0x82, 0, 1, 7} }, false},
		"indefinite length": {func(p map[string][]byte) { p["name"] = []byte{0x30, 0x80, 0, 0} }, false},
		"length of lengths": {func(p map[string][]byte) { p["name"] = []byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := derwalk.Parse(minimal(test.change))
			if !test.ok {
				require.ErrorIs(t, err, derwalk.ErrMalformed)
				return
			}
			require.NoError(t, err)
			require.Equal(t, []byte{0x94, 0x96, 0x72, 0x95}, c.Serial)
			require.Equal(t, []byte{1, 2, 3}, c.PublicKey)
			require.False(t, c.IsRSA())
		})
	}
}

func TestTimes(t *testing.T) {
	decode := func(tag byte, text string) (time.Time, error) {
		c, err := derwalk.Parse(minimal(func(p map[string][]byte) {
			p["validity"] = tlv(0x30, tlv(tag, []byte(text)), tlv(tag, []byte(text)))
		}))
		require.NoError(t, err)
		return c.NotAfter.Decode()
	}
	for text, year := range map[string]int{"490101000000Z": 2049, "500101000000Z": 1950, "680101000000Z": 1968, "690101000000Z": 1969} {
		got, err := decode(0x17, text)
		require.NoError(t, err)
		require.Equal(t, year, got.Year())
	}
	got, err := decode(0x18, "20500101000000Z")
	require.NoError(t, err)
	require.Equal(t, 2050, got.Year())
	for _, text := range []string{"", "4901010000Z", "490101000000+0000", "491301000000Z", "49010100000xZ", "20500101000000Z"} {
		_, err := decode(0x17, text)
		require.ErrorIs(t, err, derwalk.ErrMalformed, text)
	}
	_, err = derwalk.Time{}.Decode()
	require.ErrorIs(t, err, derwalk.ErrMalformed)
}

func TestNoAllocations(t *testing.T) {
	der := recorded(t, "agent-cert.pem")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := derwalk.Parse(der); err != nil {
			t.Fatal(err)
		}
	}))
}

// isTidy says of a certificate that crypto/x509 takes whether there is nothing after the last element where this package
// wants nothing, and whether the key is whole octets: crypto/x509 does not look there.
func isTidy(der []byte) bool {
	in := cryptobyte.String(der)
	var cert, tbs, validity, spki, key cryptobyte.String
	ok := in.ReadASN1(&cert, cbasn1.SEQUENCE) && cert.ReadASN1(&tbs, cbasn1.SEQUENCE) &&
		cert.SkipASN1(cbasn1.SEQUENCE) && cert.SkipASN1(cbasn1.BIT_STRING) && cert.Empty() &&
		tbs.SkipOptionalASN1(cbasn1.Tag(0).Constructed().ContextSpecific()) && tbs.SkipASN1(cbasn1.INTEGER) &&
		tbs.SkipASN1(cbasn1.SEQUENCE) && tbs.SkipASN1(cbasn1.SEQUENCE) && tbs.ReadASN1(&validity, cbasn1.SEQUENCE) &&
		tbs.SkipASN1(cbasn1.SEQUENCE) && tbs.ReadASN1(&spki, cbasn1.SEQUENCE) &&
		spki.SkipASN1(cbasn1.SEQUENCE) && spki.ReadASN1(&key, cbasn1.BIT_STRING) && spki.Empty()
	for range 2 { // notBefore, notAfter
		ok = ok && (validity.PeekASN1Tag(cbasn1.UTCTime) && validity.SkipASN1(cbasn1.UTCTime) || validity.SkipASN1(cbasn1.GeneralizedTime))
	}
	return ok && validity.Empty() && len(key) > 1 && key[0] == 0
}

// simple makes a certificate that crypto/x509 takes, with a key of an unknown kind, and with changes.
func simple(change func(parts map[string][]byte)) []byte {
	return minimal(func(p map[string][]byte) {
		p["serial"] = tlv(2, []byte{1})
		p["keyAlg"] = tlv(0x30, tlv(6, []byte{0x2b, 0x65, 0x10}))
		p["signature"] = tlv(3, []byte{0, 1})
		change(p)
	})
}

// untidy are certificates that crypto/x509 takes, and this package does not.
func untidy() map[string][]byte {
	return map[string][]byte{
		"more in certificate": simple(func(p map[string][]byte) { p["signature"] = append(p["signature"], 5, 0) }),
		"more in validity": simple(func(p map[string][]byte) {
			p["validity"] = tlv(0x30, tlv(0x17, []byte("180101000000Z")), tlv(0x17, []byte("190101000000Z")), []byte{5, 0})
		}),
		"more in SPKI": simple(func(p map[string][]byte) { p["key"] = append(p["key"], 5, 0) }),
		"unused bits":  simple(func(p map[string][]byte) { p["key"] = tlv(3, []byte{1, 2}) }),
		"empty key":    simple(func(p map[string][]byte) { p["key"] = tlv(3, []byte{0}) }),
	}
}

func TestStricterThanX509(t *testing.T) {
	require.True(t, isTidy(simple(func(map[string][]byte) {})))
	_, err := derwalk.Parse(simple(func(map[string][]byte) {}))
	require.NoError(t, err)
	for name, der := range untidy() {
		_, err := x509.ParseCertificate(der)
		require.NoError(t, err, name)
		_, err = derwalk.Parse(der)
		require.ErrorIs(t, err, derwalk.ErrMalformed, name)
		require.False(t, isTidy(der), name)
	}
}

func FuzzDERWalk(f *testing.F) {
	for _, name := range []string{"agent-cert.pem", "agentserver-cert.pem", "web-cert.pem"} {
		f.Add(recorded(f, name))
	}
	f.Add(minimal(func(map[string][]byte) {}))
	f.Add(simple(func(map[string][]byte) {}))
	for _, der := range untidy() {
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := derwalk.Parse(der)
		if want, x509Err := x509.ParseCertificate(der); x509Err == nil && len(der) <= derwalk.MaxCertificate && isTidy(der) {
			// What crypto/x509 takes is taken, if it is tidy, and read alike.
			require.NoError(t, err)
			require.Equal(t, want.RawSubjectPublicKeyInfo, c.SPKI)
			require.Equal(t, want.RawSubject, c.Subject)
			require.Equal(t, want.RawIssuer, c.Issuer)
			require.Equal(t, want.RawTBSCertificate, c.TBS)
		}
		if err != nil {
			require.ErrorIs(t, err, derwalk.ErrMalformed)
			return
		}
		_, _ = c.NotBefore.Decode()
		_, _ = c.NotAfter.Decode()
		require.NotEmpty(t, c.PublicKey)
		require.NotEmpty(t, c.Algorithm)
	})
}
