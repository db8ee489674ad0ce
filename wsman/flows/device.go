package flows

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/wsman"
)

// Device does the flows with one device. Only Client is needed. It holds no state of its own and may be copied.
type Device struct {
	Client *wsman.Client
	// OnStep, if not nil, is called when a step begins. It must not block.
	OnStep func(Step)
	// Settle bounds how long flows wait for what takes a device some time: to reach a power state, to generate a key, to be
	// back after a change of its setup. 0 means 30 seconds, of keys and setups 3 minutes; negative means not to wait. It is the
	// time between the questions; how long a question may take is the client's business, and the context bounds all of it.
	Settle time.Duration
	// Wait pauses between questions. Nil waits for real.
	Wait func(ctx context.Context, d time.Duration) error
	// Now is the time that clocks are set by. Nil means time.Now.
	Now func() time.Time
	// Rand is where keys' and activation's random numbers come from. Nil means crypto/rand.
	Rand io.Reader
}

// Step is a part of a flow.
type Step struct {
	Flow string // "boot"
	Name string // "write the boot settings"
}

// StepError says which step of a flow failed.
type StepError struct {
	Step
	Err error
}

func (e *StepError) Error() string { return fmt.Sprintf("flows: %s: %s: %v", e.Flow, e.Name, e.Err) }

// Unwrap returns why.
func (e *StepError) Unwrap() error { return e.Err }

// Errors of flows, besides those of package wsman.
var (
	// ErrUnsettled is a device that has accepted a request but was not seen to have carried it out in the time there was.
	ErrUnsettled = errors.New("not reached yet")
	// ErrInput is something that the caller asks for and that no device can do.
	ErrInput = errors.New("invalid")
)

// flow is one run of a flow.
type flow struct {
	*Device
	name string
}

func (d *Device) begin(name string) flow { return flow{d, name} }

// do runs a step.
func (f flow) do(name string, run func() error) error {
	s := Step{f.name, name}
	if f.OnStep != nil {
		f.OnStep(s)
	}
	if err := run(); err != nil {
		return &StepError{s, err}
	}
	return nil
}

// optional runs a step that not every device has a need for: what is absent there is not an error.
func (f flow) optional(name string, run func() error) (present bool, err error) {
	err = f.do(name, run)
	if errors.Is(err, wsman.ErrUnsupported) {
		return false, nil
	}
	return err == nil, err
}

// pause waits between two questions.
func (d *Device) pause(ctx context.Context, t time.Duration) error {
	if d.Wait != nil {
		return d.Wait(ctx, t)
	}
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// until asks again and again, with pauses, until the answer is yes, or for as long as the device is waited for: longest, unless
// Settle says otherwise. Then it returns ErrUnsettled.
func (d *Device) until(ctx context.Context, pause, longest time.Duration, ask func() (bool, error)) error {
	if d.Settle != 0 {
		longest = d.Settle
	}
	// Time is counted in pauses, so that it is the caller's.
	for waited := time.Duration(0); ; waited += pause {
		if done, err := ask(); done || err != nil {
			return err
		}
		if waited+pause > longest {
			return ErrUnsettled
		}
		if err := d.pause(ctx, pause); err != nil {
			return err
		}
	}
}

const (
	settleTime = 30 * time.Second
	setupTime  = 3 * time.Minute
)

func (d *Device) now() time.Time {
	if d.Now != nil {
		return d.Now()
	}
	return time.Now()
}

func (d *Device) rand() io.Reader {
	if d.Rand != nil {
		return d.Rand
	}
	return rand.Reader
}

// AMTVersion returns the version of the firmware, as its web server tells it with each answer: 16, 1. It is 0, 0 if nothing was
// asked of the device yet, or if the maker has changed the text.
func (d *Device) AMTVersion() (major, minor int) {
	first, rest, _ := strings.Cut(wsman.ServerVersion(d.Client.Server()), ".")
	second, _, _ := strings.Cut(rest, ".")
	major, err := strconv.Atoi(first)
	if err != nil {
		return 0, 0
	}
	minor, err = strconv.Atoi(second)
	if err != nil {
		return major, 0
	}
	return major, minor
}

// collect reads all instances of a class.
func collect[T any, P wsman.Instance[T]](ctx context.Context, c *wsman.Client) ([]*T, error) {
	var all []*T
	for v, err := range wsman.Enumerate[T, P](ctx, c) {
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}
