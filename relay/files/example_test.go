package files_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/relay/files"
)

// Both ends of a tunnel with files. On a real one the connection comes from package relay.
func Example() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "files-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	root, err := os.OpenRoot(folder)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer root.Close()
	operator, device := msgconn.Pipe()
	served := make(chan error)
	go func() {
		err := files.Accept(ctx, device)
		if err == nil {
			err = files.Serve(ctx, device, files.ServeConfig{Root: root})
		}
		served <- err
	}()

	c, err := files.Open(ctx, operator, files.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := c.Upload(ctx, strings.NewReader("hello"), "/hello.txt", files.UploadOptions{}); err != nil {
		fmt.Println(err)
	}
	entries, err := c.List(ctx, "/")
	for _, e := range entries {
		fmt.Println(e.Name, e.Size)
	}
	if err != nil {
		fmt.Println(err)
	}
	r, err := c.Download(ctx, "/hello.txt", os.Stdout, files.DownloadOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println()
	fmt.Println(r.Size, "bytes, compared by hash:", r.Hash != "")
	c.Close()
	fmt.Println(<-served)
	// Output:
	// hello.txt 5
	// hello
	// 5 bytes, compared by hash: true
	// <nil>
}

// A listing shows what a device says; the names are not to be trusted.
func ExampleEntry_LocalName() {
	for _, e := range []files.Entry{{Name: "report.pdf"}, {Name: "../../etc/passwd"}} {
		name, ok := e.LocalName()
		fmt.Printf("%q %v\n", name, ok)
	}
	// Output:
	// "report.pdf" true
	// "" false
}
