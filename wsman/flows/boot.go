package flows

import (
	"context"
	"fmt"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
	"github.com/meshcentral-go/sdk/wsman/cim"
)

// Boot is how a host shall boot, once.
type Boot struct {
	// Source is where from: cim.BootSourcePXE and the like. "" leaves it to the BIOS.
	Source string
	// BIOSSetup stops in the BIOS's setup. It goes with no source.
	BIOSSetup bool
	// BIOSPause stops before the operating system is loaded. It goes with no source.
	BIOSPause bool
	// SOL shows the texts of the BIOS in a serial-over-LAN session.
	SOL bool
	// IDER boots from the medium of an IDE redirection session, which is to be there before. It goes with no source.
	IDER bool
	// IDERDevice is the drive of that medium.
	IDERDevice amt.IDERBootDevice
	// UserPasswordBypass skips the user's password of the BIOS.
	UserPasswordBypass bool
	// SecureBoot insists on it. Without it, recovery boots over HTTPS may turn it off.
	SecureBoot bool
	// Recovery is what a boot over HTTPS (cim.BootSourceHTTPS) or into a pre-boot application needs: its address, and so on.
	Recovery []amt.BootParameter
	// Power is the request that ends it: cim.PowerStateOn for a host that is off, cim.PowerStateMasterBusReset and the like for
	// one that runs. The zero value prepares the next boot only.
	Power cim.PowerState
}

func (b *Boot) check() error {
	if b.Source != "" && (b.BIOSSetup || b.BIOSPause || b.IDER) {
		return fmt.Errorf("%w: the BIOS's setup, its pause and IDE redirection go with no other source, and %.80q is one", ErrInput, b.Source)
	}
	return nil
}

// Boot boots a host the way that is asked for. The settings are good for one boot. It returns the power state that the host ends
// in, if there was a power request.
//
// Steps, in the order that also firmware takes which keeps an old source: ChangeBootOrder without a source; Get and Put
// AMT_BootSettingData; SetBootConfigRole (next single use); ChangeBootOrder with the source, if there is one; the power request.
// A flow that failed can be called again.
func (d *Device) Boot(ctx context.Context, b Boot) (Power, error) {
	f := d.begin("boot")
	if err := b.check(); err != nil {
		return Power{}, &StepError{Step{f.name, "look at what is asked for"}, err}
	}
	if err := f.order(ctx, "clear the boot order", ""); err != nil {
		return Power{}, err
	}
	if err := f.bootSettings(ctx, &b); err != nil {
		return Power{}, err
	}
	err := f.do("make it the next boot", func() error {
		in := &cim.BootServiceSetBootConfigRole{BootConfigSetting: cim.BootConfig(), Role: cim.BootConfigRoleIsNextSingleUse}
		_, err := in.Invoke(ctx, f.Client)
		return err
	})
	if err == nil && b.Source != "" {
		err = f.order(ctx, "choose the boot source", b.Source)
	}
	if err != nil || b.Power == 0 {
		return Power{}, err
	}
	if err := f.request(ctx, b.Power); err != nil {
		return Power{}, err
	}
	return f.settled(ctx, b.Power)
}

// order sets the source of the next boot; "" clears it.
func (f flow) order(ctx context.Context, step, source string) error {
	return f.do(step, func() error {
		in := &cim.BootConfigSettingChangeBootOrder{}
		if source != "" {
			in.Source = []wsman.Ref{cim.BootSource(source)}
		}
		_, err := in.Invoke(ctx, f.Client)
		return err
	})
}

func (f flow) bootSettings(ctx context.Context, b *Boot) error {
	var settings *amt.BootSettingData
	err := f.do("read the boot settings", func() (err error) {
		settings, err = wsman.Get[amt.BootSettingData](ctx, f.Client)
		return err
	})
	if err != nil {
		return err
	}
	return f.do("write the boot settings", func() error {
		s := settings.ForPut()
		s.ConfigurationDataReset = false
		s.ReflashBIOS = false
		s.PlatformErase, s.SecureErase = false, false
		s.BIOSSetup, s.BIOSPause = b.BIOSSetup, b.BIOSPause
		s.UseSOL, s.UseIDER, s.IDERBootDevice = b.SOL, b.IDER, b.IDERDevice
		s.UserPasswordBypass = b.UserPasswordBypass
		s.EnforceSecureBoot = b.SecureBoot
		if len(b.Recovery) > 0 {
			if err := s.SetBootParameters(b.Recovery...); err != nil {
				return err
			}
		}
		_, err := wsman.Put(ctx, f.Client, s)
		return err
	})
}

// BootSources lists what the host can be told to boot from, and BootCapabilities what else can be asked for.
func (d *Device) BootSources(ctx context.Context) (sources []*cim.BootSourceSetting, err error) {
	f := d.begin("boot")
	err = f.do("list the boot sources", func() (err error) {
		sources, err = collect[cim.BootSourceSetting](ctx, f.Client)
		return err
	})
	return sources, err
}

// BootCapabilities says what kinds of boots the device can do.
func (d *Device) BootCapabilities(ctx context.Context) (abilities *amt.BootCapabilities, err error) {
	f := d.begin("boot")
	err = f.do("read the boot capabilities", func() (err error) {
		abilities, err = wsman.Get[amt.BootCapabilities](ctx, f.Client)
		return err
	})
	return abilities, err
}

// RecoveryState switches what the firmware may do to the host on its own: one-click recovery, remote platform erase.
//
// Steps: CIM_BootService.RequestStateChange.
func (d *Device) RecoveryState(ctx context.Context, state cim.BootServiceState) error {
	f := d.begin("boot")
	return f.do("switch recovery", func() error {
		_, err := (&cim.BootServiceRequestStateChange{RequestedState: state}).Invoke(ctx, f.Client)
		return err
	})
}
