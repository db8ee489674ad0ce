package ips_test

import (
	"context"
	"fmt"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/ips"
)

// The user of the device is asked for consent: a code on the screen, which the user tells.
func ExampleOptInServiceSendOptInCode() {
	consent := func(ctx context.Context, c *wsman.Client, ask func() uint32) error {
		if _, err := (&ips.OptInServiceStartOptIn{}).Invoke(ctx, c); err != nil {
			return err
		}
		_, err := (&ips.OptInServiceSendOptInCode{OptInCode: ask()}).Invoke(ctx, c)
		return err
	}
	_ = consent
}

func Example() {
	fmt.Println(ips.ControlModeAdmin, ips.OptInRequiredAll, ips.OptInState(2))
	fmt.Println(ips.HostBasedSetupNames(5))
	// Output:
	// Admin All Displayed
	// AUTH_FAILED
}
