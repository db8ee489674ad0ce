package cim_test

import (
	"context"
	"fmt"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/cim"
)

// The power state is in an association of the power service with the host, the first one of its class.
func ExampleServiceAvailableToElement() {
	powerState := func(ctx context.Context, c *wsman.Client) (cim.PowerState, error) {
		for item, err := range wsman.Enumerate[cim.ServiceAvailableToElement](ctx, c) {
			if err != nil {
				return 0, err
			}
			return item.PowerState, nil
		}
		return cim.PowerStateUnknown, nil
	}
	_ = powerState
}

func Example() {
	uuid, err := cim.PlatformUUID("000102030405060708090A0B0C0D0E0F")
	fmt.Println(uuid, err)
	fmt.Println(cim.PowerState(2), cim.MemoryTypeDDR5, cim.ManagedSystem())
	// Output:
	// 03020100-0504-0706-0809-0a0b0c0d0e0f <nil>
	// On DDR5 CIM_ComputerSystem{CreationClassName="CIM_ComputerSystem", Name="ManagedSystem"}
}
