package flows

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
)

// CIRA is how a device calls a server.
type CIRA struct {
	Host     string                  // name or address of the server
	Format   amt.InfoFormat          // what Host is; 0 means what it looks like
	Port     uint16                  // 4433 is usual
	Name     string                  // the name in the server's certificate; "" means Host
	Root     []byte                  // the certificate of the authority that issued it, DER
	Username string                  // at most 16 letters and digits
	Password wsman.Secret            // 1 to 16 characters
	Every    time.Duration           // between two tries; 0 means 10 seconds
	Inside   []string                // domains of networks in which the device does not call; none means it always calls
	AlsoUser amt.UserConnectionState // who else may start a call; 0 means BIOS and operating system
}

const (
	ciraEvery       = 10 * time.Second
	maxCIRAAccount  = 16
	maxInside       = 4
	maxInsideDomain = 63
)

func (c *CIRA) check() error {
	switch {
	case c.Host == "" || c.Port == 0:
		return fmt.Errorf("%w: the server has a name and a port", ErrInput)
	case c.Username == "" || len(c.Username) > maxCIRAAccount || c.Password.Reveal() == "" || len(c.Password.Reveal()) > maxCIRAAccount:
		return fmt.Errorf("%w: user and password have 1 to %d characters", ErrInput, maxCIRAAccount)
	case len(c.Inside) > maxInside || slices.ContainsFunc(c.Inside, func(s string) bool { return len(s) > maxInsideDomain }):
		return fmt.Errorf("%w: there are at most %d domains, of %d characters", ErrInput, maxInside, maxInsideDomain)
	}
	if _, err := x509.ParseCertificate(c.Root); err != nil {
		return fmt.Errorf("%w: the root certificate: %w", ErrInput, err)
	}
	return nil
}

// SetCIRA makes the device call this server and no other one. It is safe to call again. Do not use a client whose connections are
// those that the device has called with: they end when their rule is removed, and the device calls nobody from then on.
//
// Steps: AddTrustedRootCertificate if the root is not there; user initiated connections; removal of all rules and servers (rules
// first: a server that a rule names cannot be removed; also one that looks right, as its password cannot be read); AddMpServer;
// AddRemoteAccessPolicyRule (periodic); Put AMT_EnvironmentDetectionSettingData. A device calls only outside of the networks named there, so with none a
// random one is written, and it is outside everywhere.
func (d *Device) SetCIRA(ctx context.Context, c CIRA) error {
	f := d.begin("CIRA")
	if err := c.check(); err != nil {
		return &StepError{Step{f.name, "look at what is asked for"}, err}
	}
	if c.Name == "" {
		c.Name = c.Host
	}
	if c.Format == 0 {
		c.Format = formatOf(c.Host)
	}
	if c.Every == 0 {
		c.Every = ciraEvery
	}
	if c.AlsoUser == 0 {
		c.AlsoUser = amt.UserConnectionStateBoth
	}
	if err := f.trust(ctx, c.Root); err != nil {
		return err
	}
	if err := f.userInitiated(ctx, c.AlsoUser); err != nil {
		return err
	}
	if err := f.replaceServers(ctx, &c); err != nil {
		return err
	}
	return f.inside(ctx, c.Inside, true)
}

func formatOf(host string) amt.InfoFormat {
	switch a, err := netip.ParseAddr(host); {
	case err != nil:
		return amt.InfoFormatFQDN
	case a.Is4():
		return amt.InfoFormatIPv4
	default:
		return amt.InfoFormatIPv6
	}
}

// ClearCIRA makes the device call nobody. Connections that it has called with end.
//
// Steps: removal of rules and servers; Put AMT_EnvironmentDetectionSettingData without domains.
func (d *Device) ClearCIRA(ctx context.Context) error {
	f := d.begin("CIRA")
	if err := f.removeServers(ctx); err != nil {
		return err
	}
	return f.inside(ctx, nil, false)
}

// trust adds a root certificate unless it is there.
func (f flow) trust(ctx context.Context, root []byte) error {
	var known []*amt.PublicKeyCertificate
	if err := f.do("list the certificates", func() error { return allInto(ctx, f, &known) }); err != nil {
		return err
	}
	if slices.ContainsFunc(known, func(k *amt.PublicKeyCertificate) bool { return bytes.Equal(k.X509Certificate, root) }) {
		return nil
	}
	return f.do("add the root certificate", func() error {
		_, err := (&amt.PublicKeyManagementServiceAddTrustedRootCertificate{CertificateBlob: root}).Invoke(ctx, f.Client)
		return err
	})
}

func (f flow) userInitiated(ctx context.Context, want amt.UserConnectionState) error {
	var s *amt.UserInitiatedConnectionService
	present, err := f.optional("read who may start calls", func() error { return getInto(ctx, f, &s) })
	if err != nil || !present || s.EnabledState == want {
		return err
	}
	return f.do("set who may start calls", func() error {
		_, err := (&amt.UserInitiatedConnectionServiceRequestStateChange{RequestedState: want}).Invoke(ctx, f.Client)
		return err
	})
}

// replaceServers leaves one server with one rule. A password cannot be read back, so a server that looks right is replaced too.
func (f flow) replaceServers(ctx context.Context, c *CIRA) error {
	if err := f.removeServers(ctx); err != nil {
		return err
	}
	var server wsman.Ref
	err := f.do("add the server", func() error {
		in := &amt.RemoteAccessServiceAddMpServer{
			AccessInfo: c.Host, InfoFormat: c.Format, Port: c.Port, AuthMethod: amt.MPSAuthPassword,
			Username: c.Username, Password: c.Password, CN: c.Name,
		}
		out, err := in.Invoke(ctx, f.Client)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(out.MpServer.Selectors, func(s wsman.Selector) bool { return s.Name == "Name" })
		if i < 0 {
			return fmt.Errorf("%w: the new server has no name", wsman.ErrMalformed)
		}
		server = amt.MPS(out.MpServer.Selectors[i].Value)
		return nil
	})
	if err != nil {
		return err
	}
	return f.do("add the rule", func() error {
		in := &amt.RemoteAccessServiceAddRemoteAccessPolicyRule{
			Trigger: amt.TriggerPeriodic, ExtendedData: amt.Every(c.Every), MpServer: []wsman.Ref{server},
		}
		_, err := in.Invoke(ctx, f.Client)
		return err
	})
}

func (f flow) removeServers(ctx context.Context) error {
	var rules []*amt.RemoteAccessPolicyRule
	if err := f.do("list the rules", func() error { return allInto(ctx, f, &rules) }); err != nil {
		return err
	}
	for _, r := range rules {
		err := f.do("remove a rule", func() error {
			return wsman.Delete[amt.RemoteAccessPolicyRule](ctx, f.Client, wsman.Key("PolicyRuleName", r.PolicyRuleName))
		})
		if err != nil {
			return err
		}
	}
	var servers []*amt.ManagementPresenceRemoteSAP
	if err := f.do("list the servers", func() error { return allInto(ctx, f, &servers) }); err != nil {
		return err
	}
	for _, s := range servers {
		err := f.do("remove a server", func() error {
			return wsman.Delete[amt.ManagementPresenceRemoteSAP](ctx, f.Client, wsman.Key("Name", s.Name))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// inside sets the networks in which the device does not call.
func (f flow) inside(ctx context.Context, domains []string, calls bool) error {
	var s *amt.EnvironmentDetectionSettingData
	if err := f.do("read the inner networks", func() error { return getInto(ctx, f, &s) }); err != nil {
		return err
	}
	switch {
	case len(domains) == 0 && calls && len(s.DetectionStrings) == 1 && isOutside(s.DetectionStrings[0]):
		return nil // written by an earlier call
	case slices.Equal(s.DetectionStrings, domains) && (len(domains) > 0 || !calls):
		return nil
	}
	return f.do("write the inner networks", func() error {
		s.DetectionStrings = domains
		if len(domains) == 0 && calls {
			var b [outsideBytes]byte
			if _, err := io.ReadFull(f.rand(), b[:]); err != nil {
				return err
			}
			s.DetectionStrings = []string{hex.EncodeToString(b[:])}
		}
		_, err := wsman.Put(ctx, f.Client, s)
		return err
	})
}

// outsideBytes is the length of a name that no network has.
const outsideBytes = 6

func isOutside(domain string) bool {
	b, err := hex.DecodeString(domain)
	return err == nil && len(b) == outsideBytes
}
