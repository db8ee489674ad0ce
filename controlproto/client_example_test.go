//go:build !js

package controlproto_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controltest"
)

// A client lists devices. A fake server takes the place of a real one here, with a certificate that the client trusts.
func ExampleDial() {
	server := controltest.NewServer(nil)
	defer server.Close()
	server.AddDevice("mesh//lab", controlproto.Device{ID: "node//pc1", Name: "pc1", Conn: controlproto.ConnAgent, Power: controlproto.PowerOn})

	ctx := context.Background()
	login := controlproto.PasswordLogin{User: controltest.User, Password: controlproto.NewSecret(controltest.Password)}
	client, err := controlproto.Dial(ctx, server.URL, login, server.ClientConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	devices, err := client.Devices(ctx, controlproto.DeviceFilter{Group: "mesh//lab"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range devices {
		fmt.Println(d.Name, d.Conn, d.Power)
	}
	// Output: pc1 agent on
}

// Errors tell a wrong password from a missing second factor and from a server that can not be reached.
func ExampleDial_errors() {
	server := controltest.NewServer(nil)
	defer server.Close()
	for _, password := range []string{controltest.Password, "wrong"} {
		login := controlproto.PasswordLogin{User: controltest.User, Password: controlproto.NewSecret(password)}
		client, err := controlproto.Dial(context.Background(), server.URL, login, server.ClientConfig())
		var second *controlproto.TokenRequiredError
		switch {
		case errors.As(err, &second):
			fmt.Println("a code is needed; by e-mail:", second.Email)
		case errors.Is(err, controlproto.ErrBadCredentials):
			fmt.Println("wrong name or password")
		case err != nil:
			fmt.Println(err)
		default:
			fmt.Println("welcome,", client.UserInfo().Name)
			client.Close()
		}
	}
	// Output:
	// welcome, admin
	// wrong name or password
}

// Every action of the protocol has a request type, and the request tells what type the reply has.
func ExampleDo() {
	server := controltest.NewServer(nil)
	defer server.Close()
	server.Refuse("editmesh", "Access denied")
	ctx := context.Background()
	client, err := server.Dial(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	name := "laboratory"
	_, err = controlproto.Do(ctx, client, &controlproto.EditMesh{GroupID: "mesh//lab", Name: &name})
	var refused *controlproto.ResultError
	if errors.As(err, &refused) {
		fmt.Println(refused.Result)
	}
	// Output: Access denied
}

// The result of each device comes as soon as it is there.
func ExampleClient_RunCommands() {
	ctx := context.Background()
	var client *controlproto.Client // of Dial
	run := func(devices []controlproto.ID) {
		command := controlproto.Command{Text: "uname -r", Timeout: time.Minute}
		for result, err := range client.RunCommands(ctx, devices, command) {
			if err != nil {
				fmt.Println(result.Device, err)
				continue
			}
			fmt.Printf("%s: %q\n", result.Device, result.Output)
		}
	}
	_ = run
}

// Events go on across reconnects.
func ExampleClient_Events() {
	ctx := context.Background()
	var client *controlproto.Client // of Dial, with Reconnect
	watch := func() error {
		for event, err := range client.Events(ctx, controlproto.Filter{Actions: []string{"nodeconnect"}}) {
			var lost *controlproto.DroppedError
			switch {
			case errors.As(err, &lost):
				fmt.Println("too slow:", lost.Count)
			case err != nil:
				return err
			case event.Action == controlproto.EventReconnected:
				fmt.Println("ask for the list again")
			default:
				fmt.Println(event.DeviceID, "came or went")
			}
		}
		return nil
	}
	_ = watch
}
