package flows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
	"github.com/meshcentral-go/sdk/wsman/cim"
)

// WiFiState is what a device knows of wireless networks.
type WiFiState struct {
	Port     cim.WiFiPortState // when the radio is on
	Sync     amt.ProfileSync   // whether profiles of the operating system are taken over
	Profiles []*cim.WiFiEndpointSettings
	Accounts []*cim.IEEE8021xSettings // of profiles with 802.1x
}

// WiFiState reads what the device knows. A device without a radio is wsman.ErrUnsupported.
//
// Steps: Get CIM_WiFiPort, AMT_WiFiPortConfigurationService; Enumerate CIM_WiFiEndpointSettings, CIM_IEEE8021xSettings, of which
// the last may be missing.
func (d *Device) WiFiState(ctx context.Context) (*WiFiState, error) {
	s, _, err := d.begin("WiFi").wifi(ctx)
	return s, err
}

func (f flow) wifi(ctx context.Context) (*WiFiState, *amt.WiFiPortConfigurationService, error) {
	var s WiFiState
	var port *cim.WiFiPort
	var service *amt.WiFiPortConfigurationService
	err := f.do("read the radio's state", func() error {
		return errors.Join(getInto(ctx, f, &port), getInto(ctx, f, &service))
	})
	if err != nil {
		return nil, nil, err
	}
	s.Port, s.Sync = port.EnabledState, service.LocalProfileSynchronizationEnabled
	if err := f.do("list the profiles", func() error { return allInto(ctx, f, &s.Profiles) }); err != nil {
		return nil, nil, err
	}
	_, err = f.optional("list the accounts", func() error { return allInto(ctx, f, &s.Accounts) })
	return &s, service, err
}

// WiFiProfile is a wireless network that a device shall join.
type WiFiProfile struct {
	Name       string // of the profile
	SSID       string
	Auth       cim.AuthenticationMethod
	Encryption cim.EncryptionMethod
	Passphrase wsman.Secret // with the methods PSK and SAE: 8 to 63 characters
	Priority   uint8        // from 1, each profile another one; 0 means the lowest that is free
	// Account, of networks with 802.1x; its names are set by the profile. Client and CA are the certificates that its protocol
	// needs, amt.Certificate.
	Account    *cim.IEEE8021xSettings
	Client, CA wsman.Ref
}

// Lengths of what a profile has.
const (
	maxSSID       = 32
	minPassphrase = 8
	maxPassphrase = 63
	maxProfile    = 32
)

func (p *WiFiProfile) check() error {
	psk := p.Auth == cim.AuthenticationMethodWPAPSK || p.Auth == cim.AuthenticationMethodWPA2PSK || p.Auth == cim.AuthenticationMethodWPA3SAE
	n := len(p.Passphrase.Reveal())
	switch {
	case p.Name == "" || len(p.Name) > maxProfile || p.SSID == "" || len(p.SSID) > maxSSID:
		return fmt.Errorf("%w: a profile has a name of at most %d characters and an SSID of at most %d", ErrInput, maxProfile, maxSSID)
	case psk && (n < minPassphrase || n > maxPassphrase):
		return fmt.Errorf("%w: a passphrase has %d to %d characters", ErrInput, minPassphrase, maxPassphrase)
	case !psk && n > 0:
		return fmt.Errorf("%w: a passphrase goes with the methods PSK and SAE only", ErrInput)
	}
	return nil
}

// SetWiFiProfile adds a profile or changes the one of the same name, and has the radio on while the host is on, asleep or off.
// A passphrase cannot be read back, so a profile that is there is written again.
//
// Steps: those of [Device.WiFiState]; AddWiFiSettings or UpdateWiFiSettings; CIM_WiFiPort.RequestStateChange.
func (d *Device) SetWiFiProfile(ctx context.Context, p WiFiProfile) error {
	f := d.begin("WiFi")
	if err := p.check(); err != nil {
		return &StepError{Step{f.name, "look at what is asked for"}, err}
	}
	state, _, err := f.wifi(ctx)
	if err != nil {
		return err
	}
	settings := &cim.WiFiEndpointSettings{
		ElementName: p.Name, InstanceID: cim.WiFiProfileID(p.Name), AuthenticationMethod: p.Auth, EncryptionMethod: p.Encryption,
		SSID: p.SSID, Priority: p.Priority, PSKPassPhrase: p.Passphrase,
	}
	known := slices.IndexFunc(state.Profiles, func(k *cim.WiFiEndpointSettings) bool { return k.InstanceID == settings.InstanceID })
	if settings.Priority == 0 {
		settings.Priority = freePriority(state.Profiles, settings.InstanceID)
	}
	var account *cim.IEEE8021xSettings
	if p.Account != nil {
		a := *p.Account
		a.ElementName, a.InstanceID = p.Name, account8021x+p.Name
		account = &a
	}
	if known >= 0 {
		err = f.do("change the profile", func() error {
			in := &amt.WiFiPortConfigurationServiceUpdateWiFiSettings{
				WiFiEndpointSettings:      wsman.NewRef("CIM_WiFiEndpointSettings", wsman.Key("InstanceID", settings.InstanceID)),
				WiFiEndpointSettingsInput: settings, IEEE8021xSettingsInput: account, ClientCredential: p.Client, CACredential: p.CA,
			}
			_, err := in.Invoke(ctx, f.Client)
			return err
		})
	} else {
		err = f.do("add the profile", func() error {
			in := &amt.WiFiPortConfigurationServiceAddWiFiSettings{
				WiFiEndpoint: cim.WiFiEndpointRef(), WiFiEndpointSettingsInput: settings, IEEE8021xSettingsInput: account,
				ClientCredential: p.Client, CACredential: p.CA,
			}
			_, err := in.Invoke(ctx, f.Client)
			return err
		})
	}
	if err != nil || state.Port == cim.WiFiPortStateEnabledInS0AndSx {
		return err
	}
	return f.radio(ctx, cim.WiFiPortStateEnabledInS0AndSx)
}

const account8021x = "Intel(r) AMT:IEEE 802.1x Settings "

// freePriority returns the lowest priority that no other profile has.
func freePriority(profiles []*cim.WiFiEndpointSettings, except string) uint8 {
	for n := uint8(1); n < 255; n++ {
		if !slices.ContainsFunc(profiles, func(p *cim.WiFiEndpointSettings) bool { return p.Priority == n && p.InstanceID != except }) {
			return n
		}
	}
	return 255
}

// RemoveWiFiProfile removes a profile by its name; one that is not there is no error.
//
// Steps: Enumerate CIM_WiFiEndpointSettings; Delete.
func (d *Device) RemoveWiFiProfile(ctx context.Context, name string) error {
	f := d.begin("WiFi")
	var all []*cim.WiFiEndpointSettings
	if err := f.do("list the profiles", func() error { return allInto(ctx, f, &all) }); err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(p *cim.WiFiEndpointSettings) bool {
		return strings.EqualFold(p.InstanceID, cim.WiFiProfileID(name))
	})
	if i < 0 {
		return nil
	}
	return f.do("remove the profile", func() error {
		return wsman.Delete[cim.WiFiEndpointSettings](ctx, f.Client, wsman.Key("InstanceID", all[i].InstanceID))
	})
}

// SetWiFi sets when the radio is on, and whether profiles of the operating system are taken over.
//
// Steps: those of [Device.WiFiState]; Put AMT_WiFiPortConfigurationService and CIM_WiFiPort.RequestStateChange where they differ.
func (d *Device) SetWiFi(ctx context.Context, port cim.WiFiPortState, sync amt.ProfileSync) error {
	f := d.begin("WiFi")
	state, service, err := f.wifi(ctx)
	if err != nil {
		return err
	}
	if state.Sync != sync {
		service.LocalProfileSynchronizationEnabled = sync
		err = f.do("set whether profiles are taken over", func() error {
			_, err := wsman.Put(ctx, f.Client, service)
			return err
		})
	}
	if err == nil && state.Port != port {
		err = f.radio(ctx, port)
	}
	return err
}

func (f flow) radio(ctx context.Context, state cim.WiFiPortState) error {
	return f.do("switch the radio", func() error {
		_, err := (&cim.WiFiPortRequestStateChange{RequestedState: state}).Invoke(ctx, f.Client)
		return err
	})
}

// Wired8021x reads the 802.1x profile of the wired interface.
//
// Steps: Get AMT_8021XProfile.
func (d *Device) Wired8021x(ctx context.Context) (p *amt.IEEE8021XProfile, err error) {
	f := d.begin("802.1x")
	err = f.do("read the profile", func() error { return getInto(ctx, f, &p) })
	return p, err
}

// SetWired8021x writes the 802.1x profile of the wired interface, changed by the caller's function. Passwords cannot be read
// back: what is not set again is removed.
//
// Steps: Get and Put AMT_8021XProfile.
func (d *Device) SetWired8021x(ctx context.Context, change func(*amt.IEEE8021XProfile)) error {
	p, err := d.Wired8021x(ctx)
	if err != nil {
		return err
	}
	return d.begin("802.1x").do("write the profile", func() error {
		change(p)
		_, err := wsman.Put(ctx, d.Client, p)
		return err
	})
}
