package flows

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/ips"
)

// Admin is the name of the account that activation makes.
const Admin = "admin"

// Setup reads in which control mode a device is, and which it can be put into.
//
// Steps: Get IPS_HostBasedSetupService.
func (d *Device) Setup(ctx context.Context) (*ips.HostBasedSetupService, error) {
	return d.begin("activation").setup(ctx)
}

func (f flow) setup(ctx context.Context) (s *ips.HostBasedSetupService, err error) {
	err = f.do("read the control mode", func() error { return getInto(ctx, f, &s) })
	return s, err
}

// ActivateClient puts a device into client control mode, with a password for its administrator. The client is one of the host itself
// (local interface) with the account that its driver gives out, $$OsAdmin. From then on it uses the administrator's. A device that is in
// that mode already is only logged in to. After [ErrUnsettled] it is not known which account is in force: the client has the
// administrator's then, and wants the other one back (SetCredentials) before this is called again.
//
// Steps: Get AMT_GeneralSettings and IPS_HostBasedSetupService; Setup; the administrator's login and the control mode, until they are
// there. Some firmware ends the connection instead of an answer: the control mode decides.
func (d *Device) ActivateClient(ctx context.Context, password wsman.Secret) error {
	f := d.begin("activation")
	return f.activate(ctx, ips.ControlModeClient, password, nil, func(realm string) error {
		return f.do("set up", func() error {
			_, err := (&ips.HostBasedSetupServiceSetup{
				NetAdminPassEncryptionType: ips.PasswordEncryptionHTTPDigestMD5A1,
				NetworkAdminPassword:       ips.PasswordHash(Admin, realm, password),
			}).Invoke(ctx, f.Client)
			return err
		})
	})
}

// Provisioning is the certificate that makes somebody the administrator of a device: of a domain that the device is in, from an
// authority whose hash its firmware has.
type Provisioning struct {
	Chain [][]byte // DER, the leaf first, the root last
	Key   crypto.Signer
}

// nonceSize is the size of the random numbers that both sides bring.
const nonceSize = 20

// provisioningOID is the extended key usage of such certificates: Intel AMT, provisioning.
var provisioningOID = asn1.ObjectIdentifier{2, 16, 840, 1, 113741, 1, 2, 3}

func (p *Provisioning) check() error {
	if len(p.Chain) < 2 || p.Key == nil {
		return fmt.Errorf("%w: it takes a leaf, a root and the key of the leaf", ErrInput)
	}
	leaf, err := x509.ParseCertificate(p.Chain[0])
	if err != nil {
		return fmt.Errorf("%w: the leaf: %w", ErrInput, err)
	}
	public, ok := p.Key.Public().(*rsa.PublicKey)
	if !ok || !public.Equal(leaf.PublicKey) {
		return fmt.Errorf("%w: the key is not the leaf's, or not RSA", ErrInput)
	}
	if !slices.ContainsFunc(leaf.UnknownExtKeyUsage, provisioningOID.Equal) {
		return fmt.Errorf("%w: the leaf is not for provisioning (%v)", ErrInput, provisioningOID)
	}
	return nil
}

// ActivateAdmin puts a device into admin control mode. The client is one of the host itself with the account $$OsAdmin; from then
// on it uses the administrator's, also after [ErrUnsettled], as with [Device.ActivateClient]. The key has to sign within two seconds:
// a connection that was idle for longer is not used again, and the device's random number is good for one connection.
//
// Steps: Get AMT_GeneralSettings and IPS_HostBasedSetupService, whose random number is good for this connection; AddNextCertInChain for
// each certificate; AdminSetup with a signature over both random numbers; the administrator's login and the control mode, until they are
// there. Firmware below 19 often ends the connection instead of answering: the control mode decides.
func (d *Device) ActivateAdmin(ctx context.Context, p Provisioning, password wsman.Secret) error {
	f := d.begin("activation")
	if err := p.check(); err != nil {
		return &StepError{Step{f.name, "look at what is asked for"}, err}
	}
	var nonce, signature []byte
	prove := func(s *ips.HostBasedSetupService) (err error) {
		nonce, signature, err = f.prove(ctx, &p, s)
		return err
	}
	return f.activate(ctx, ips.ControlModeAdmin, password, prove, func(realm string) error {
		return f.do("set up", func() error {
			_, err := (&ips.HostBasedSetupServiceAdminSetup{
				NetAdminPassEncryptionType: ips.PasswordEncryptionHTTPDigestMD5A1,
				NetworkAdminPassword:       ips.PasswordHash(Admin, realm, password),
				McNonce:                    nonce, SigningAlgorithm: ips.SigningAlgorithmRSASHA256, DigitalSignature: signature,
			}).Invoke(ctx, f.Client)
			return err
		})
	})
}

// UpgradeToAdmin puts a device that is in client control mode into admin control mode. The client is the administrator's; the
// password stays.
//
// Steps: as [Device.ActivateAdmin], with UpgradeClientToAdmin.
func (d *Device) UpgradeToAdmin(ctx context.Context, p Provisioning) error {
	f := d.begin("activation")
	if err := p.check(); err != nil {
		return &StepError{Step{f.name, "look at what is asked for"}, err}
	}
	s, err := f.setup(ctx)
	if err != nil || s.CurrentControlMode == ips.ControlModeAdmin {
		return err
	}
	nonce, signature, err := f.prove(ctx, &p, s)
	if err != nil {
		return err
	}
	err = f.do("upgrade", func() error {
		_, err := (&ips.HostBasedSetupServiceUpgradeClientToAdmin{
			McNonce: nonce, SigningAlgorithm: ips.SigningAlgorithmRSASHA256, DigitalSignature: signature,
		}).Invoke(ctx, f.Client)
		return err
	})
	if err != nil && !errors.Is(err, wsman.ErrNoAnswer) {
		return err
	}
	return f.activated(ctx, ips.ControlModeAdmin)
}

// prove shows the device the certificates, and signs both sides' random numbers.
func (f flow) prove(ctx context.Context, p *Provisioning, s *ips.HostBasedSetupService) (nonce, signature []byte, err error) {
	for i, der := range p.Chain {
		err := f.do("show a certificate", func() error {
			_, err := (&ips.HostBasedSetupServiceAddNextCertInChain{
				NextCertificate: der, IsLeafCertificate: i == 0, IsRootCertificate: i == len(p.Chain)-1,
			}).Invoke(ctx, f.Client)
			return err
		})
		if err != nil {
			return nil, nil, err
		}
	}
	nonce = make([]byte, nonceSize)
	err = f.do("sign", func() error {
		if len(s.ConfigurationNonce) != nonceSize {
			return fmt.Errorf("%w: the device's random number has %d bytes", wsman.ErrMalformed, len(s.ConfigurationNonce))
		}
		if _, err := io.ReadFull(f.rand(), nonce); err != nil {
			return err
		}
		sum := sha256.Sum256(slices.Concat(s.ConfigurationNonce, nonce))
		signature, err = p.Key.Sign(f.rand(), sum[:], crypto.SHA256)
		return err
	})
	return nonce, signature, err
}

// activate is what both ways of activation have in common. What prepare does is known to have failed if it does; what setUp
// does may have happened without an answer.
func (f flow) activate(ctx context.Context, mode ips.ControlMode, password wsman.Secret, prepare func(*ips.HostBasedSetupService) error, setUp func(realm string) error) error {
	if err := CheckPassword(password); err != nil {
		return &StepError{Step{f.name, "look at what is asked for"}, err}
	}
	realm, err := f.realm(ctx)
	if err != nil {
		return err
	}
	s, err := f.setup(ctx)
	if err != nil {
		return err
	}
	switch {
	case s.CurrentControlMode == mode:
	case s.CurrentControlMode != ips.ControlModeNone:
		return &StepError{Step{f.name, "read the control mode"}, fmt.Errorf("%w: the device is in control mode %v already", ErrInput, s.CurrentControlMode)}
	case !slices.Contains(s.AllowedControlModes, mode):
		return &StepError{Step{f.name, "read the control mode"}, fmt.Errorf("%w: control mode %v", wsman.ErrUnsupported, mode)}
	default:
		if prepare != nil {
			if err := prepare(s); err != nil {
				return err
			}
		}
		if err := setUp(realm); err != nil && !errors.Is(err, wsman.ErrNoAnswer) {
			return err
		}
	}
	f.Client.SetCredentials(Admin, password)
	return f.activated(ctx, mode)
}

const activationPause = 10 * time.Second

// activated waits until the device answers in its new mode. Meanwhile it refuses connections, and also the credentials.
func (f flow) activated(ctx context.Context, mode ips.ControlMode) error {
	f.Client.Reset()
	var last error
	err := f.do("wait for "+mode.String(), func() error {
		return f.until(ctx, activationPause, setupTime, func() (bool, error) {
			s, err := wsman.Get[ips.HostBasedSetupService](ctx, f.Client)
			last = err
			switch {
			case ctx.Err() != nil:
				return false, context.Cause(ctx)
			case errors.Is(err, wsman.ErrClosed), errors.Is(err, wsman.ErrPin), errors.Is(err, wsman.ErrRealm):
				return false, err // time does not help
			}
			return err == nil && s.CurrentControlMode == mode, nil
		})
	})
	if errors.Is(err, ErrUnsettled) && last != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return err
}
