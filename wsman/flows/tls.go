package flows

import (
	"context"
	"crypto/rsa"
	"errors"
	"slices"
	"time"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
)

// TLSSetup is how the ports of a device are protected.
type TLSSetup struct {
	// Issue makes the certificate of a key that the device has made and keeps for itself. It is good for server authentication. It
	// is needed, and called, only if the device has none in use; twice if a key that was there turns out to be somebody else's.
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
// Steps: Enumerate AMT_PublicKeyCertificate and AMT_TLSCredentialContext, and if no certificate is in use: Enumerate
// AMT_PublicPrivateKeyPair and, if all of these have certificates, CIM_CredentialContext; GenerateKeyPair if there is no key to be
// used (the device may take minutes); Issue, AddCertificate, Create AMT_TLSCredentialContext; Enumerate and Put AMT_TLSSettingData,
// that of the network last; CommitChanges, if something was different. A flow that failed half way is called again: a certificate that
// could not be used is removed, by the next call if there was no way to do it at once, and its key, as every one without a certificate,
// is used. Certificates that are not in use, but not of the same issuer and name, are left alone. If it was the last step that failed,
// [Device.Commit] is what remains: the device does not tell settings that wait for it from others.
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
