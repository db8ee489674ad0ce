package wsman_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/meshcentral-go/sdk/wsman"
)

// generalSettings is what a class looks like; the packages amt, cim and ips have them all.
type generalSettings struct {
	HostName string `wsman:"HostName"`
	Present  wsman.Present
	Extra    []wsman.Element
}

func (*generalSettings) Class() string { return "AMT_GeneralSettings" }

// dialDevice stands for a device: a TCP connection, or a channel of one that called in.
func dialDevice(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		r, err := http.ReadRequest(bufio.NewReader(theirs))
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		const body = `<a:Envelope xmlns:a="http://www.w3.org/2003/05/soap-envelope"><a:Body><AMT_GeneralSettings><HostName>pc1</HostName></AMT_GeneralSettings></a:Body></a:Envelope>`
		fmt.Fprintf(theirs, "HTTP/1.1 200 OK\r\nServer: Intel(R) Active Management Technology 16.1.25\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}()
	return ours, nil
}

func Example() {
	c, err := wsman.NewClient(wsman.Config{
		Address: "10.0.0.9:16992", Dial: dialDevice,
		Username: "admin", Password: wsman.NewSecret("P@ssw0rd"),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	gs, err := wsman.Get[generalSettings](ctx, c)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(gs.HostName, wsman.ServerVersion(c.Server()))
	// Output: pc1 16.1.25
}

func ExampleAppendValue() {
	b, err := wsman.AppendValue(nil, "AMT_GeneralSettings", "AMT_GeneralSettings", &generalSettings{HostName: "a & b"})
	fmt.Println(string(b), err)
	// Output: <r:AMT_GeneralSettings xmlns:r="http://intel.com/wbem/wscim/1/amt-schema/1/AMT_GeneralSettings"><r:HostName>a &amp; b</r:HostName></r:AMT_GeneralSettings> <nil>
}

func ExampleDecode() {
	el, err := wsman.ParseElement([]byte(`<g:AMT_GeneralSettings xmlns:g="urn:any"><g:HostName>pc1</g:HostName><g:OEM>7</g:OEM></g:AMT_GeneralSettings>`), wsman.Limits{})
	if err != nil {
		log.Fatal(err)
	}
	var gs generalSettings
	if err := wsman.Decode(el, &gs); err != nil {
		log.Fatal(err)
	}
	fmt.Println(gs.HostName, gs.Extra[0].Name, gs.Extra[0].Text)
	// Output: pc1 OEM 7
}
