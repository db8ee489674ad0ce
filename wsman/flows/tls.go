package flows

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
)

// TLSSetup is how the ports of a device are protected.
type TLSSetup struct {
	// Issue makes the certificate of a key that the device has made and keeps for itself. It is good for server authentication. It
	// is needed, and called, only if the device has none in use.
	Issue func(ctx context.Context, key *rsa.PublicKey) (der []byte, err error)
	// OnlyTLS closes the ports without TLS of the network. Firmware since AMT 16.1 has them closed in any case.
	OnlyTLS bool
	// Local protects the ports for the host too; without it they are not, also if they were.
	Local bool
}

const (
	keyBits  = 2048
	keyPause = 10 * time.Second
	// statusGenerating is what GenerateKeyPair returns while the device makes a key.
	statusGenerating = 0x80D
)

// SetTLS protects the device's ports with TLS, and returns the certificate in use. From then on a client for the device is needed
// that uses the port for TLS; where the other one stays open this one goes on, with new connections. Certificates of clients are not
// asked for, also if they were before.
//
// Steps: Enumerate AMT_PublicKeyCertificate and AMT_TLSCredentialContext, and if no certificate is in use: GenerateKeyPair (the
// device may take minutes), Enumerate AMT_PublicPrivateKeyPair, Issue, AddCertificate, Create AMT_TLSCredentialContext; Enumerate and
// Put AMT_TLSSettingData, that of the network last; CommitChanges, if something was different. A flow that failed half way is called
// again: a key that is there without a certificate is used. If it was the last step that failed, [Device.Commit] is what remains: the
// device does not tell settings that wait for it from others.
func (d *Device) SetTLS(ctx context.Context, setup TLSSetup) (certificate []byte, err error) {
	f := d.begin("TLS")
	var known []*amt.PublicKeyCertificate
	var contexts []*amt.TLSCredentialContext
	err = f.do("list the certificates", func() error {
		return errors.Join(allInto(ctx, f, &known), allInto(ctx, f, &contexts))
	})
	if err != nil {
		return nil, err
	}
	used := slices.IndexFunc(known, func(k *amt.PublicKeyCertificate) bool {
		return slices.ContainsFunc(contexts, func(c *amt.TLSCredentialContext) bool {
			return c.ElementInContext.Selector("InstanceID") == k.InstanceID
		})
	})
	if used >= 0 {
		certificate = known[used].X509Certificate
	} else if certificate, err = f.newCertificate(ctx, setup.Issue, known); err != nil {
		return nil, err
	}
	changed, err := f.tlsSettings(ctx, setup)
	if err != nil || !changed && used >= 0 {
		return certificate, err
	}
	if err := f.commit(ctx); err != nil {
		return nil, err
	}
	return certificate, nil
}

// newCertificate makes the device use a certificate for a key of its own.
func (f flow) newCertificate(ctx context.Context, issue func(context.Context, *rsa.PublicKey) ([]byte, error), known []*amt.PublicKeyCertificate) ([]byte, error) {
	if issue == nil {
		err := fmt.Errorf("%w: the device has no certificate in use, and there is no Issue", ErrInput)
		return nil, &StepError{Step{f.name, "issue the certificate"}, err}
	}
	key, err := f.key(ctx, known)
	if err != nil {
		return nil, err
	}
	var der []byte
	if err := f.do("issue the certificate", func() (err error) {
		der, err = issue(ctx, key)
		return err
	}); err != nil {
		return nil, err
	}
	var ref wsman.Ref
	if err := f.do("add the certificate", func() error {
		out, err := (&amt.PublicKeyManagementServiceAddCertificate{CertificateBlob: der}).Invoke(ctx, f.Client)
		if err == nil {
			ref = amt.Certificate(out.CreatedCertificate.Selector("InstanceID"))
		}
		return err
	}); err != nil {
		return nil, err
	}
	return der, f.do("use the certificate", func() error {
		_, err := wsman.Create(ctx, f.Client, &amt.TLSCredentialContext{ElementInContext: ref, ElementProvidingContext: amt.TLSEndpoints()})
		return err
	})
}

// key returns the public half of a key pair that no certificate has, and makes one if there is none.
func (f flow) key(ctx context.Context, certificates []*amt.PublicKeyCertificate) (key *rsa.PublicKey, err error) {
	if key, err = f.freeKey(ctx, certificates); key != nil || err != nil {
		return key, err
	}
	err = f.do("make a key", func() error {
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
	if key, err = f.freeKey(ctx, certificates); err == nil && key == nil {
		err = &StepError{Step{f.name, "make a key"}, fmt.Errorf("%w: the new key is not listed", wsman.ErrMalformed)}
	}
	return key, err
}

func (f flow) freeKey(ctx context.Context, certificates []*amt.PublicKeyCertificate) (key *rsa.PublicKey, err error) {
	err = f.do("list the keys", func() error {
		pairs, err := collect[amt.PublicPrivateKeyPair](ctx, f.Client)
		for _, p := range pairs {
			k, err := parseKey(p.DERKey)
			if err != nil {
				continue // newer firmware has others than RSA, which are not made here
			}
			if !slices.ContainsFunc(certificates, func(c *amt.PublicKeyCertificate) bool { return belongs(k, c.X509Certificate) }) {
				key = k
			}
		}
		return err
	})
	return key, err
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

// tlsSettings writes what differs of the settings.
func (f flow) tlsSettings(ctx context.Context, setup TLSSetup) (changed bool, err error) {
	var all []*amt.TLSSettingData
	if err := f.do("read the settings", func() error { return allInto(ctx, f, &all) }); err != nil {
		return false, err
	}
	for _, id := range []string{amt.TLSLocal, amt.TLSRemote} {
		i := slices.IndexFunc(all, func(s *amt.TLSSettingData) bool { return s.InstanceID == id })
		if i < 0 {
			continue
		}
		s := all[i]
		enabled, open := id == amt.TLSRemote || setup.Local, id == amt.TLSLocal || !setup.OnlyTLS
		if s.NonSecureConnectionsSupported != nil && !*s.NonSecureConnectionsSupported {
			open = false
		}
		if id == amt.TLSLocal {
			open = s.AcceptNonSecureConnections
		}
		if s.Enabled == enabled && s.AcceptNonSecureConnections == open && !s.MutualAuthentication {
			continue
		}
		s.Enabled, s.AcceptNonSecureConnections, s.MutualAuthentication, s.TrustedCN = enabled, open, false, nil
		err := f.do("write the settings of "+id, func() error {
			_, err := wsman.Put(ctx, f.Client, s, wsman.Key("InstanceID", id))
			return err
		})
		if err != nil {
			return changed, err
		}
		changed = true
	}
	return changed, nil
}

// Commit makes changes of the setup take effect: those of TLS, of provisioning. The client makes new connections afterwards. It is part
// of [Device.SetTLS], and needed alone where that failed with this step.
//
// Steps: AMT_SetupAndConfigurationService.CommitChanges. That its answer is lost is no error, as connections end with it.
func (d *Device) Commit(ctx context.Context) error { return d.begin("TLS").commit(ctx) }

// commit makes changes of the setup take effect. Connections end with it, at times before the answer.
func (f flow) commit(ctx context.Context) error {
	err := f.do("commit the changes", func() error {
		_, err := (&amt.SetupAndConfigurationServiceCommitChanges{}).Invoke(ctx, f.Client)
		if errors.Is(err, wsman.ErrNoAnswer) {
			return nil
		}
		return err
	})
	f.Client.Reset()
	return err
}
