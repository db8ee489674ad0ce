package apf_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/internal/secret"
)

// A management server and a device that calls in, over anything that is a net.Conn: mostly TLS.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	toServer, toDevice := net.Pipe()

	// The device serves its port 16992 with a function.
	forwarded := make(chan struct{})
	uuid, _ := apf.ParseUUID("00112233-4455-6677-8899-aabbccddeeff")
	device := apf.NewDeviceConn(toServer, &apf.DeviceConfig{
		UUID: uuid, User: "AbCdEfGhIjKlMnOp", Password: secret.New("P@ssw0rd"),
		Ports: []uint16{16992, 5900},
		Accept: func(_ context.Context, r *apf.OpenRequest) (func(net.Conn), error) {
			return func(c net.Conn) { fmt.Fprintf(c, "hello from port %d", r.Port) }, nil
		},
		Ready: func(*apf.Conn) { close(forwarded) },
	})
	ended := make(chan error, 2)
	go func() { ended <- device.Run(ctx) }()

	// The server decides who may log in, and dials.
	ready := make(chan struct{})
	server := apf.NewServerConn(toDevice, &apf.ServerConfig{
		Authenticate: func(_ context.Context, l *apf.Login) error {
			if !l.Password.Equal(secret.New("P@ssw0rd")) {
				return errors.New("wrong password")
			}
			return nil
		},
		Ready: func(*apf.Conn) { close(ready) },
	})
	go func() { ended <- server.Run(ctx) }()

	// For the server a device is ready when no further port has come for a while, for the device when it has told all.
	<-ready
	<-forwarded
	fmt.Println(server.Login().UUID, server.Ports())
	c, err := server.Dial(ctx, "", 16992)
	if err != nil {
		fmt.Println(err)
		return
	}
	text, _ := io.ReadAll(c)
	fmt.Printf("%s\n", text)
	c.Close()

	_, err = server.Dial(ctx, "", 22)
	fmt.Println(err)

	server.Close()
	<-ended
	<-ended
	// Output:
	// 00112233-4455-6677-8899-aabbccddeeff [16992 5900]
	// hello from port 16992
	// apf: open "" port 22: administratively prohibited: port is not forwarded
}

// The codec and the parser alone: messages as bytes, and bytes as messages, however they were cut.
func ExampleParser() {
	wire := apf.KeepAliveRequest{Cookie: 7}.Append(nil)
	wire = apf.ChannelData{Recipient: 4, Data: []byte("hello")}.Append(wire)

	p := apf.NewParser(apf.SideServer, apf.Limits{})
	p.LoggedIn()
	for _, piece := range [][]byte{wire[:3], wire[3:16], wire[16:]} {
		for len(piece) > 0 {
			m, n, err := p.Next(piece)
			if err != nil {
				fmt.Println(err)
				return
			}
			piece = piece[n:]
			switch m := m.(type) {
			case *apf.KeepAliveRequest:
				fmt.Println(m.Type(), m.Cookie)
			case *apf.ChannelData:
				fmt.Printf("%v %d: %q, from %d of %d\n", m.Type(), m.Recipient, m.Data, m.Offset, m.Length)
			}
		}
	}
	// Output:
	// KEEPALIVE_REQUEST 7
	// CHANNEL_DATA 4: "he", from 0 of 5
	// CHANNEL_DATA 4: "llo", from 2 of 5
}
