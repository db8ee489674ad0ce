package mpstest

import (
	"context"
	"net"
	"sync"

	"github.com/meshcentral-go/sdk/apf"
)

// opens counts the channels that a device was asked for, of all its sessions.
type opens struct {
	quirks *Quirks
	mu     sync.Mutex
	n      int
}

// next says what becomes of the next channel.
func (o *opens) next() (refuse, silent bool) {
	every := func(n int) bool { return n > 0 && o.n%n == 0 }
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n++
	return every(o.quirks.RefuseEvery), every(o.quirks.SilentEvery)
}

// open begins to serve a channel.
func (d *Device) open(ctx context.Context, req *apf.OpenRequest, handlers *sync.WaitGroup) (net.Conn, error) {
	refuse, silent := d.opens.next()
	switch {
	case silent:
		<-ctx.Done()
		return nil, context.Cause(ctx)
	case refuse:
		return nil, &apf.OpenError{Reason: apf.OpenConnectFailed}
	}
	handler := d.cfg.Ports[req.Port]
	if handler == nil {
		return nil, &apf.OpenError{Reason: apf.OpenProhibited}
	}
	ours, theirs := net.Pipe()
	handlers.Go(func() {
		defer ours.Close()
		handler(ours)
	})
	return theirs, nil
}
