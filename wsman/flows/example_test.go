package flows_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/cim"
	"github.com/meshcentral-go/sdk/wsman/flows"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// A machine is switched off, and then boots into the setup of its BIOS.
func Example() {
	machine := wsmantest.New(wsmantest.Config{}) // simulated; of a real one Address is enough
	defer machine.Close()
	client, err := wsman.NewClient(wsman.Config{
		Address: "10.0.0.9:16992", Username: "admin", Password: wsman.NewSecret(wsmantest.DefaultPassword),
		Dial: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go machine.ServeConn(far, 16992)
			return near, nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	ctx := context.Background()
	d := flows.Device{Client: client, OnStep: func(s flows.Step) { fmt.Println(s.Flow+":", s.Name) }}
	power, err := d.SetPower(ctx, cim.PowerStateOffSoft)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("The machine is", power.State)
	if _, err := d.Boot(ctx, flows.Boot{BIOSSetup: true, Power: cim.PowerStateOn}); err != nil {
		log.Fatal(err)
	}
	// Output:
	// power: ask for OffSoft
	// power: read the power state
	// The machine is OffSoft
	// boot: clear the boot order
	// boot: read the boot settings
	// boot: write the boot settings
	// boot: make it the next boot
	// boot: ask for On
	// boot: wake the operating system
	// boot: read the power state
	// boot: read whether the operating system saves power
}
