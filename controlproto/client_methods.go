package controlproto

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// The methods in the client_methods_*.go files are the operations of meshctrl, one for each of its commands that talks
// to a server, under the names of what they do. Every other action, and every rarer member, is a request for [Do].

// DeviceError is the error of one device of several.
type DeviceError struct {
	Device ID
	Err    error
}

// Error names the device.
func (e *DeviceError) Error() string { return fmt.Sprintf("%.160q: %v", string(e.Device), e.Err) }

// Unwrap returns the cause.
func (e *DeviceError) Unwrap() error { return e.Err }

// deviceCalls is how many devices of one operation are under way at a time.
const deviceCalls = 16

// eachDevice makes a request for each device, as the replies to one for several do not tell them apart. The error joins
// those of the devices, each a [DeviceError].
func eachDevice(ctx context.Context, devices []ID, f func(ctx context.Context, id ID) error) error {
	errs := make([]error, len(devices))
	turn := make(chan struct{}, deviceCalls)
	var wg sync.WaitGroup
	for i, id := range devices {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			if err := f(ctx, id); err != nil {
				errs[i] = &DeviceError{Device: id, Err: err}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// fail drops a reply that says nothing more than that all is well.
func fail[R any](_ *R, err error) error { return err }

// device completes the id of a device: most requests take the bare last part, some do not.
func (c *Client) device(id ID) ID { return id.In(KindDevice, c.ServerInfo().Domain) }

// account completes the id of an account. A bare name is put into lower case, as ids are.
func (c *Client) account(id ID) ID {
	if id.Kind() != "" {
		return id
	}
	return UserID(c.ServerInfo().Domain, string(id))
}

// isID tells whether something given as an account is an id, and not a bare name.
func isID(id ID) bool { return id.Kind() == KindUser || id.Kind() == KindUserGroup }
