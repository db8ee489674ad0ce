package redir_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"

	"github.com/meshcentral-go/sdk/wsman/redir"
)

const realm = "Digest:0123456789ABCDEF0123456789ABCDEF"

// device is a device of which the redirection port is at the other end of the returned connection.
func device(cfg redir.DeviceConfig) (conn net.Conn, ended <-chan error) {
	cfg.Realm = realm
	cfg.Password = func(user string) (redir.Secret, bool) { return redir.NewSecret("P@ssw0rd"), user == "admin" }
	operator, device := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- redir.NewDevice(cfg).Serve(context.Background(), device) }()
	return operator, done
}

func credentials() redir.Credentials {
	return redir.Credentials{Username: "admin", Password: redir.NewSecret("P@ssw0rd"), Realm: realm}
}

// The connection is a TCP connection to port 16994, a TLS connection to port 16995, or a channel of a CIRA connection.
func ExampleOpenSOL() {
	conn, ended := device(redir.DeviceConfig{SOL: redir.Echo})

	port, err := redir.OpenSOL(context.Background(), conn, redir.SOLConfig{Config: redir.Config{Credentials: credentials()}})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := port.Write([]byte("dir\r\n")); err != nil {
		log.Fatal(err)
	}
	screen := make([]byte, 5)
	if _, err := io.ReadFull(port, screen); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", screen)
	_ = port.Close()
	<-ended
	// Output: "dir\r\n"
}

// An image is anything with ReadAt: a file, a part of one, something far away.
func ExampleOpenIDER() {
	read := make(chan string, 1)
	conn, ended := device(redir.DeviceConfig{IDER: func(ctx context.Context, host *redir.IDERHost) error {
		if err := host.WaitMedium(ctx, redir.CD); err != nil {
			return err
		}
		var copied bytes.Buffer
		n, err := host.CopyMedium(ctx, &copied, redir.CD)
		read <- fmt.Sprintf("%d bytes, %q", n, copied.Bytes()[:5])
		return err
	}})

	image := bytes.NewReader(append([]byte("CD001"), make([]byte, 4*2048-5)...))
	session, err := redir.OpenIDER(context.Background(), conn, redir.IDERConfig{
		Config: redir.Config{Credentials: credentials()},
		CD:     redir.Medium{Reader: image, Size: image.Size()},
		Mode:   redir.StartNow,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-read)
	_ = session.Close()
	<-ended
	// Output: 8192 bytes, "CD001"
}

// What comes back is for a client of RFB.
func ExampleOpenKVM() {
	conn, ended := device(redir.DeviceConfig{KVM: func(_ context.Context, rfb net.Conn) error {
		_, err := rfb.Write([]byte("RFB 004.000\n"))
		return err
	}})

	rfb, err := redir.OpenKVM(context.Background(), conn, redir.Config{Credentials: credentials()})
	if err != nil {
		log.Fatal(err)
	}
	version, _ := io.ReadAll(rfb)
	fmt.Printf("%q\n", version)
	_ = rfb.Close()
	<-ended
	// Output: "RFB 004.000\n"
}

// An operator who does not know the password of a device has a session with it all the same.
func ExampleIntercept() {
	atDevice, ended := device(redir.DeviceConfig{SOL: redir.Echo})
	operator, atServer := net.Pipe()
	go func() {
		_ = redir.Intercept(context.Background(), atServer, atDevice, redir.NewRedirInterceptor(redir.RedirInterceptorConfig{Credentials: credentials()}))
	}()

	port, err := redir.OpenSOL(context.Background(), operator, redir.SOLConfig{
		Config: redir.Config{Credentials: redir.Credentials{Username: "someone", Password: redir.NewSecret("something")}},
	})
	fmt.Println(err)
	_ = port.Close()
	<-ended
	// Output: <nil>
}

// The first request is refused. The device closes the connection then, so there is an interceptor for the next one, which
// knows from the first what the device has asked for.
func ExampleHTTPInterceptor() {
	memory := new(redir.Memory)
	const request = "GET /wsman HTTP/1.1\r\nAuthorization: Digest username=\"someone\"\r\n\r\n"
	for range 2 {
		i := redir.NewHTTPInterceptor(redir.HTTPInterceptorConfig{Credentials: credentials(), Memory: memory, Key: "device"})
		toDevice, err := i.FromOperator(nil, []byte(request))
		fmt.Println(bytes.Contains(toDevice, []byte(`username="admin"`)), bytes.Contains(toDevice, []byte("someone")), err)
		_, err = i.FromDevice(nil, []byte("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n"+
			`WWW-Authenticate: Digest realm="`+realm+`", nonce="AAECAwQFBgcI",stale="false",qop="auth"`+"\r\n\r\n"))
		if err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// false false <nil>
	// true false <nil>
}
