package flows

import (
	"context"
	"errors"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
)

// Unprovision takes a device back to where it was before activation. It drops off for about a minute, often without an answer,
// which counts as done: look later, from the host. Afterwards wait a minute before it is activated again.
//
// Steps: AMT_SetupAndConfigurationService.Unprovision.
func (d *Device) Unprovision(ctx context.Context) error {
	return d.unprovision(func() error {
		_, err := (&amt.SetupAndConfigurationServiceUnprovision{ProvisioningMode: amt.ProvisioningModeEnterprise}).Invoke(ctx, d.Client)
		return err
	})
}

// UnprovisionPartially is [Device.Unprovision] that keeps what the next activation needs: keys and hashes.
//
// Steps: AMT_SetupAndConfigurationService.PartialUnprovision.
func (d *Device) UnprovisionPartially(ctx context.Context) error {
	return d.unprovision(func() error {
		_, err := (&amt.SetupAndConfigurationServicePartialUnprovision{}).Invoke(ctx, d.Client)
		return err
	})
}

func (d *Device) unprovision(run func() error) error {
	f := d.begin("unprovision")
	err := f.do("ask for it", func() error {
		err := run()
		if errors.Is(err, wsman.ErrNoAnswer) {
			return nil
		}
		return err
	})
	if err == nil {
		f.Client.Reset()
	}
	return err
}
