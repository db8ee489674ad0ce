package mpstest_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/mps/mpstest"
)

// A device in memory, without a network, and the server's end of its connection.
func ExampleDevice() {
	online := make(chan *apf.Conn, 1)
	server := &apf.ServerConfig{
		Authenticate: func(_ context.Context, l *apf.Login) error {
			fmt.Println("login of", l.User, l.UUID)
			return nil
		},
		Ready: func(c *apf.Conn) { online <- c },
	}
	uuid, err := apf.ParseUUID("00112233-4455-6677-8899-aabbccddeeff")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan struct{})
	device, err := mpstest.NewDevice(mpstest.Config{
		Connect: func(context.Context) (apf.Stream, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer close(ended)
				_ = apf.NewServerConn(theirs, server).Run(ctx)
			}()
			return ours, nil
		},
		UUID: uuid, User: "AbCdEfGhIjKlMnOp", Password: mpstest.NewSecret("P@ssw0rd"),
		Ports: map[uint16]mpstest.Handler{
			16992: mpstest.HTTP(http.NotFoundHandler()),
			5900:  mpstest.Echo,
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	device.Start()

	// A server may have the device online with the ports that have come so far; the device is when it has told them all.
	if _, err := device.WaitOnline(ctx); err != nil {
		fmt.Println(err)
		return
	}
	conn := <-online
	fmt.Println("ports", conn.Ports())
	channel, err := conn.Dial(ctx, "", 5900)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = io.WriteString(channel, "hello")
	answer := make([]byte, 5)
	_, _ = io.ReadFull(channel, answer)
	fmt.Println(string(answer))

	device.Close()
	cancel()
	<-ended
	// Output:
	// login of AbCdEfGhIjKlMnOp 00112233-4455-6677-8899-aabbccddeeff
	// ports [16992 5900]
	// hello
}
