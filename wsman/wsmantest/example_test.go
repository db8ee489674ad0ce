package wsmantest_test

import (
	"context"
	"fmt"
	"net"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// A client asks a simulated device for its host name, and then finds it busy.
func Example() {
	d := wsmantest.New(wsmantest.Config{Version: "15", HostName: "pc1"})
	defer d.Close()
	c, err := wsman.NewClient(wsman.Config{
		Address: "pc1:16992", Username: "admin", Password: wsman.NewSecret(wsmantest.DefaultPassword),
		Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go d.ServeConn(theirs, wsmantest.PortHTTP)
			return ours, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	ctx := context.Background()
	settings, err := c.Get(ctx, wsman.ResourceURI("AMT_GeneralSettings"))
	fmt.Println(settings.ChildText("HostName"), c.Server(), err)

	d.Inject(wsmantest.Injection{Class: "CIM_Chassis", Fault: "InternalError"})
	_, err = c.Get(ctx, wsman.ResourceURI("CIM_Chassis"))
	fmt.Println(err)
	for _, call := range d.Calls() {
		fmt.Println(call)
	}
	// Output:
	// pc1 Intel(R) Active Management Technology 15.0.35.1951 <nil>
	// wsman: Get CIM_Chassis fault InternalError (status 400): "The fault was injected."
	// AMT_GeneralSettings.Get 200
	// CIM_Chassis.Get 400 InternalError
}
