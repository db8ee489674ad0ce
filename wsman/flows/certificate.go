package flows

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
	"github.com/meshcentral-go/sdk/wsman/cim"
)

// newCertificate makes the device use a certificate for a key of its own.
func (f flow) newCertificate(ctx context.Context, issue func(context.Context, *rsa.PublicKey) ([]byte, error), known []*amt.PublicKeyCertificate) ([]byte, error) {
	if issue == nil {
		err := fmt.Errorf("%w: the device has no certificate in use, and there is no Issue", ErrInput)
		return nil, &StepError{Step{f.name, "issue the certificate"}, err}
	}
	issued := func(key *rsa.PublicKey) (der []byte, err error) {
		err = f.do("issue the certificate", func() (err error) {
			der, err = issue(ctx, key)
			return err
		})
		return der, err
	}
	pairs, err := f.keys(ctx, known)
	if err != nil {
		return nil, err
	}
	// A key without a certificate, or one whose certificates nobody uses and are such as are made here: a run that failed has left
	// them.
	if i := slices.IndexFunc(pairs, func(p keyPair) bool { return len(p.certificates) == 0 }); i >= 0 {
		der, err := issued(pairs[i].key)
		if err != nil {
			return nil, err
		}
		return der, f.bind(ctx, der, nil)
	}
	spare, err := f.unused(ctx, pairs)
	if err != nil {
		return nil, err
	}
	if spare != nil {
		der, err := issued(spare.key)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(spare.certificates, func(c *amt.PublicKeyCertificate) bool { return !alike(der, c.X509Certificate) }) {
			return der, f.bind(ctx, der, spare.certificates)
		}
	}
	key, err := f.newKey(ctx, known, pairs)
	if err != nil {
		return nil, err
	}
	der, err := issued(key)
	if err != nil {
		return nil, err
	}
	return der, f.bind(ctx, der, nil)
}

// bind stores a certificate in place of others, and has it used.
func (f flow) bind(ctx context.Context, der []byte, others []*amt.PublicKeyCertificate) error {
	for _, c := range others {
		if err := f.do("remove the certificate that is not used", func() error { return f.remove(ctx, c.InstanceID) }); err != nil {
			return err
		}
	}
	var id string
	err := f.do("add the certificate", func() error {
		out, err := (&amt.PublicKeyManagementServiceAddCertificate{CertificateBlob: der}).Invoke(ctx, f.Client)
		if err == nil {
			if id = out.CreatedCertificate.Selector("InstanceID"); id == "" { // it is to be removed by name, should it come to that
				err = fmt.Errorf("%w: the new certificate has no name", wsman.ErrMalformed)
			}
		} else if errors.Is(err, wsman.ErrNoAnswer) {
			if found, listErr := f.stored(ctx, der); listErr == nil && found != "" {
				id, err = found, nil
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	err = f.do("use the certificate", func() error {
		_, err := wsman.Create(ctx, f.Client, &amt.TLSCredentialContext{ElementInContext: amt.Certificate(id), ElementProvidingContext: amt.TLSEndpoints()})
		if errors.Is(err, wsman.ErrNoAnswer) {
			if contexts, listErr := collect[amt.TLSCredentialContext](ctx, f.Client); listErr == nil && slices.ContainsFunc(contexts, func(c *amt.TLSCredentialContext) bool {
				return c.ElementInContext.Selector("InstanceID") == id
			}) {
				return nil
			}
		}
		return err
	})
	if err != nil && ctx.Err() == nil {
		// What the first error was matters. A certificate in use is not removed by the device.
		_ = f.do("remove the certificate that is not used", func() error { return f.remove(ctx, id) })
	}
	return err
}

func (f flow) remove(ctx context.Context, id string) error {
	return wsman.Delete[amt.PublicKeyCertificate](ctx, f.Client, wsman.Key("InstanceID", id))
}

// stored returns the name of a certificate that the device has, or "".
func (f flow) stored(ctx context.Context, der []byte) (string, error) {
	all, err := collect[amt.PublicKeyCertificate](ctx, f.Client)
	for _, c := range all {
		if bytes.Equal(c.X509Certificate, der) {
			return c.InstanceID, nil
		}
	}
	return "", err
}

// keyPair is a key of the device, and the certificates that it has for it.
type keyPair struct {
	key          *rsa.PublicKey
	certificates []*amt.PublicKeyCertificate
}

// keys returns the RSA keys of the device. Newer firmware has others too, which are not made here.
func (f flow) keys(ctx context.Context, certificates []*amt.PublicKeyCertificate) (all []keyPair, err error) {
	err = f.do("list the keys", func() error {
		pairs, err := collect[amt.PublicPrivateKeyPair](ctx, f.Client)
		for _, p := range pairs {
			key, err := parseKey(p.DERKey)
			if err != nil {
				continue
			}
			pair := keyPair{key: key}
			for _, c := range certificates {
				if belongs(key, c.X509Certificate) {
					pair.certificates = append(pair.certificates, c)
				}
			}
			all = append(all, pair)
		}
		return err
	})
	return all, err
}

// newKey has the device make a key. It may have others, so that the new one is who was not there before.
func (f flow) newKey(ctx context.Context, certificates []*amt.PublicKeyCertificate, before []keyPair) (*rsa.PublicKey, error) {
	err := f.do("make a key", func() error {
		return f.until(ctx, keyPause, setupTime, func() (bool, error) {
			_, err := (&amt.PublicKeyManagementServiceGenerateKeyPair{KeyAlgorithm: amt.KeyAlgorithmRSA, KeyLength: keyBits}).Invoke(ctx, f.Client)
			if returned(err, statusGenerating) {
				return false, nil
			}
			return err == nil, err
		})
	})
	if err != nil {
		return nil, err
	}
	after, err := f.keys(ctx, certificates)
	if err != nil {
		return nil, err
	}
	for _, p := range after {
		if !slices.ContainsFunc(before, func(b keyPair) bool { return b.key.Equal(p.key) }) {
			return p.key, nil
		}
	}
	return nil, &StepError{Step{f.name, "make a key"}, fmt.Errorf("%w: the new key is not listed", wsman.ErrMalformed)}
}

// unused returns a key that has certificates of which none is in use, or nil.
func (f flow) unused(ctx context.Context, pairs []keyPair) (spare *keyPair, err error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	var contexts []*cim.CredentialContext
	listed, err := f.optional("list what certificates are used for", func() error { return allInto(ctx, f, &contexts) })
	if err != nil || !listed {
		return nil, err // who knows
	}
	taken := func(c *amt.PublicKeyCertificate) bool {
		return c.TrustedRootCertificate || c.ReadOnlyCertificate || slices.ContainsFunc(contexts, func(used *cim.CredentialContext) bool {
			return used.ElementInContext.Selector("InstanceID") == c.InstanceID
		})
	}
	for i := range pairs {
		if !slices.ContainsFunc(pairs[i].certificates, taken) {
			return &pairs[i], nil
		}
	}
	return nil, nil
}

// parseKey reads a public key, which older firmware gives as PKCS #1 and newer one as SubjectPublicKeyInfo.
func parseKey(der []byte) (*rsa.PublicKey, error) {
	if k, err := x509.ParsePKCS1PublicKey(der); err == nil {
		return k, nil
	}
	if k, err := x509.ParsePKIXPublicKey(der); err == nil {
		if k, ok := k.(*rsa.PublicKey); ok {
			return k, nil
		}
	}
	return nil, fmt.Errorf("%w: a key of %d bytes is neither form of an RSA key", wsman.ErrMalformed, len(der))
}

// belongs reports whether a certificate is for a key. One that cannot be read is for none.
func belongs(key *rsa.PublicKey, der []byte) bool {
	c, err := x509.ParseCertificate(der)
	return err == nil && key.Equal(c.PublicKey)
}

// alike reports whether two certificates are of the same issuer and for the same name.
func alike(a, b []byte) bool {
	x, errX := x509.ParseCertificate(a)
	y, errY := x509.ParseCertificate(b)
	return errX == nil && errY == nil && bytes.Equal(x.RawIssuer, y.RawIssuer) && bytes.Equal(x.RawSubject, y.RawSubject)
}
