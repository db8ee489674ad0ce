//go:build !js

package mps_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/mps"
	"github.com/meshcentral-go/sdk/nodeid"
)

// A server takes a device, here a simulated one, and connects to a port of it.
func Example() {
	password := mps.NewSecret("P@ssw0rd")
	server, err := mps.NewServer(mps.Config{
		// A real server has Certificates here. Devices do not come without TLS.
		Authenticate: func(_ context.Context, l *mps.Login) (mps.Identity, error) {
			if !l.PasswordIs(password) {
				return mps.Identity{}, errors.New("wrong password")
			}
			return mps.Identity{Device: nodeid.NodeKey{ID: nodeid.FromUUID(l.UUID)}}, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	events := server.Registry().Subscribe(mps.SubscribeOptions{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	go server.Serve(ctx, ln)
	defer server.Shutdown(ctx)

	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	device := apf.NewDeviceConn(conn, &apf.DeviceConfig{
		UUID: apf.UUID{1}, User: "AbCdEfXhIjKlMnXp", Password: password, Ports: []uint16{16992},
		Accept: func(context.Context, *apf.OpenRequest) (func(net.Conn), error) {
			return func(c net.Conn) { fmt.Fprintln(c, "Intel(R) Active Management Technology") }, nil
		},
	})
	go device.Run(ctx)
	defer device.Close()

	online := <-events.Events()
	key, _ := online.Device()
	d, _ := server.Registry().Device(key)
	fmt.Println(online.Connection.Kind(), online.Connection.UUID(), online.Connection.Ports())
	port, err := d.DialContext(ctx, "tcp", ":16992")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer port.Close()
	line, err := bufio.NewReader(port).ReadString('\n')
	fmt.Println(line, err)
	_, err = d.DialContext(ctx, "tcp", ":5900")
	fmt.Println(err)
	// Output:
	// CIRA 01000000-0000-0000-0000-000000000000 [16992]
	// Intel(R) Active Management Technology
	//  <nil>
	// mps: the device does not forward the port 5900
}
