package terminal_test

import (
	"context"
	"fmt"
	"io"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/relay/terminal"
)

// greeter is a shell that greets and ends.
type greeter struct{ io.Reader }

func (greeter) Write(p []byte) (int, error)  { return len(p), nil }
func (greeter) Close() error                 { return nil }
func (greeter) Resize(_ terminal.Size) error { return nil }
func start(_ context.Context, r *terminal.Request) (terminal.Shell, error) {
	pr, pw := io.Pipe()
	go func() {
		fmt.Fprintf(pw, "a %v of %d columns\n", r.Kind, r.Size().Cols)
		pw.Close()
	}()
	return greeter{pr}, nil
}

// Both ends of a shell. On a real tunnel the connection comes from package relay, and a device's shell from a PTY.
func Example() {
	ctx := context.Background()
	operator, device := msgconn.Pipe()
	served := make(chan error)
	go func() {
		r, err := terminal.Accept(ctx, device)
		if err == nil {
			err = terminal.Serve(ctx, device, r, terminal.ServeConfig{Start: start})
		}
		served <- err
	}()

	shell, err := terminal.Open(ctx, operator, terminal.System, &terminal.Options{Cols: 80, Rows: 25}, terminal.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer shell.Close()
	output, err := io.ReadAll(shell)
	fmt.Printf("%s%v %v\n", output, err, <-served)
	// Output:
	// a shell of 80 columns
	// <nil> <nil>
}
