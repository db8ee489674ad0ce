// Command amtsim puts simulated Intel AMT devices online at a management presence server (MPS): a stock MeshCentral, a
// server built with package mps, or another one. Behind each is a simulated machine that can be managed, of package
// wsman/wsmantest.
//
//	go run ./examples/amtsim -mps mesh.example.com:4433 -user AbCdEfGhIjKlMnOp -pass P@ssw0rd -n 10
//	go run ./examples/amtsim -mps wss://mesh.example.com/apf.ashx -user AbCdEfGhIjKlMnOp -pass P@ssw0rd -conn-type relay
//
// For MeshCentral the user is the first 16 characters of the id of a device group, the part after mesh//. Each change of a
// device's state is one line on standard output. Interrupted, it takes the devices offline and ends; interrupted again it
// ends at once.

// Some stock servers have a certificate with a negative serial number, because of the way they make them, and crypto/tls
// refuses those. Nothing is lost by taking them: serial numbers prove nothing here.
//
//go:debug x509negativeserial=1
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/meshcentral-go/sdk/mps/mpstest"
)

func main() {
	// The first signal takes the devices offline, the second ends at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "amtsim:", err)
		os.Exit(2)
	}
}

// run is the program, until ctx ends. An error means that it could not begin.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	out := &printer{w: stdout}
	cfg, behind, err := flags.fleet(out)
	if err != nil {
		return err
	}
	defer behind.close()
	cfg.Changed = out.changed
	cfg.Logger = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: flags.level}))
	fleet, err := mpstest.NewFleet(cfg)
	if err != nil {
		return err
	}
	defer fleet.Close()
	behind.attach(fleet)
	out.line("%d devices, the first is %s", len(fleet), fleet[0].UUID())
	if flags.period > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, flags.period)
		defer cancel()
	}
	fleet.Start()
	ended := make(chan struct{})
	go func() { // devices that a server has dismissed end by themselves
		fleet.Wait()
		close(ended)
	}()
	select {
	case <-ctx.Done():
	case <-ended:
	}
	fleet.Close()
	<-ended
	var sessions uint64
	seen := 0
	for _, d := range fleet {
		n := d.Sessions()
		sessions += n
		if n > 0 {
			seen++
		}
	}
	out.line("%d of %d devices were online, in %d sessions", seen, len(fleet), sessions)
	return nil
}

// printer writes lines, one at a time.
type printer struct {
	mu sync.Mutex
	w  io.Writer
}

func (p *printer) line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, "%s %s\n", time.Now().Format("15:04:05.000"), fmt.Sprintf(format, args...))
}

// changed prints a change of state.
func (p *printer) changed(e mpstest.Event) { p.line("%s %s", e.Device.UUID(), e) }
