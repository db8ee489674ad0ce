package flows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/cim"
	"github.com/meshcentral-go/sdk/wsman/ips"
)

// Power is a device's power state.
type Power struct {
	State cim.PowerState
	// Requestable is what can be asked for in this state, as far as the firmware says it.
	Requestable []cim.PowerState
	// OS is whether the operating system that runs saves power. Unknown below AMT 10, or if the host is off.
	OS ips.OSPowerSavingState
}

// The power of a device is asked of this class, whose first instance is of a subclass that has it.
const powerClass = "CIM_ServiceAvailableToElement"

// Power reads the power state.
//
// Steps: Enumerate CIM_ServiceAvailableToElement, whose first instance has it; if the host is on and AMT is 10 or later, Get
// IPS_PowerManagementService.
func (d *Device) Power(ctx context.Context) (Power, error) {
	return d.begin("power").power(ctx)
}

func (f flow) power(ctx context.Context) (p Power, err error) {
	err = f.do("read the power state", func() error {
		for el, err := range f.Client.Enumerate(ctx, wsman.ResourceURI(powerClass)) {
			if err != nil {
				return err
			}
			var s cim.AssociatedPowerManagementService
			if err := wsman.Decode(el, &s); err != nil {
				return err
			}
			p.State, p.Requestable = s.PowerState, s.AvailableRequestedPowerStates
			return nil
		}
		return fmt.Errorf("%w: it has no instance of %s", wsman.ErrUnsupported, powerClass)
	})
	if err != nil {
		return Power{}, err
	}
	if major, _ := f.AMTVersion(); p.State != cim.PowerStateOn || major < 10 {
		return p, nil
	}
	_, err = f.optional("read whether the operating system saves power", func() error {
		s, err := wsman.Get[ips.PowerManagementService](ctx, f.Client)
		if err == nil {
			p.OS = s.OSPowerSavingState
		}
		return err
	})
	return p, err
}

// endOf is the states that a request ends in; none for requests that have no end to be seen.
func endOf(request cim.PowerState) []cim.PowerState {
	switch request {
	case cim.PowerStateOn, cim.PowerStatePowerCycleSoft, cim.PowerStatePowerCycleHard, cim.PowerStateMasterBusReset,
		cim.PowerStateResetGraceful, cim.PowerStatePowerCycleSoftGraceful, cim.PowerStatePowerCycleHardGraceful:
		return []cim.PowerState{cim.PowerStateOn}
	case cim.PowerStateSleepLight:
		return []cim.PowerState{cim.PowerStateSleepLight, cim.PowerStateSleepDeep}
	case cim.PowerStateSleepDeep:
		return []cim.PowerState{cim.PowerStateSleepDeep}
	case cim.PowerStateHibernate:
		return []cim.PowerState{cim.PowerStateHibernate}
	case cim.PowerStateOffSoft, cim.PowerStateOffHard, cim.PowerStateOffSoftGraceful, cim.PowerStateOffHardGraceful:
		return []cim.PowerState{cim.PowerStateOffSoft, cim.PowerStateOffHard}
	case cim.PowerStateUnknown, cim.PowerStateOther, cim.PowerStateNMI, cim.PowerStateINIT:
	}
	return nil
}

const powerPause = time.Second

// SetPower asks for another power state, waits until the device is in it, and returns the state that it is in then.
// If the state that the request ends in was not seen, the error is [ErrUnsettled] and the state the last one seen: a shutdown
// that the operating system is asked for may take longer, or be refused by it. The end of a reset is that the host is on. A device that
// cannot be reached is asked again three times, as its network may come and go with the host.
//
// Steps: RequestPowerStateChange; to switch on with AMT 10 or later also RequestOSPowerSavingStateChange, which wakes a host
// from modern standby; then [Device.Power] until the state is there. To ask for the state that the device is in already does
// nothing else.
func (d *Device) SetPower(ctx context.Context, request cim.PowerState) (Power, error) {
	f := d.begin("power")
	if err := f.request(ctx, request); err != nil {
		return Power{}, err
	}
	return f.settled(ctx, request)
}

// request asks for a power state.
func (f flow) request(ctx context.Context, request cim.PowerState) error {
	err := f.do("ask for "+request.String(), func() error {
		in := &cim.PowerManagementServiceRequestPowerStateChange{PowerState: request, ManagedElement: cim.ManagedSystem()}
		_, err := in.Invoke(ctx, f.Client)
		return err
	})
	if err != nil {
		return err
	}
	if major, _ := f.AMTVersion(); request != cim.PowerStateOn || major < 10 {
		return nil
	}
	_, err = f.optional("wake the operating system", func() error {
		in := &ips.PowerManagementServiceRequestOSPowerSavingStateChange{
			OSPowerSavingState: ips.OSPowerSavingStateFullPower, ManagedElement: cim.ManagedSystem(),
		}
		_, err := in.Invoke(ctx, f.Client)
		return err
	})
	var failed *wsman.ReturnValueError
	if errors.As(err, &failed) {
		return nil // there is none to be woken, or not yet: the host was switched on all the same
	}
	return err
}

// maxLost is how often in a row a device may be out of reach while it is waited for: with the host's state the network's changes.
const maxLost = 3

// settled waits for the end of a request.
func (f flow) settled(ctx context.Context, request cim.PowerState) (p Power, err error) {
	ends := endOf(request)
	if ends == nil {
		return f.power(ctx)
	}
	var last error
	lost := 0
	err = f.until(ctx, powerPause, settleTime, func() (bool, error) {
		now, err := f.power(ctx)
		if last = err; err == nil {
			p, lost = now, 0
			return slices.Contains(ends, p.State), nil
		}
		if lost++; lost > maxLost || ctx.Err() != nil || lasting(err) {
			return false, err
		}
		return false, nil
	})
	if err == ErrUnsettled { //nolint:errorlint // until returns it as it is
		if last != nil {
			err = fmt.Errorf("%w: %w", err, last)
		}
		err = &StepError{Step{f.name, "wait for " + request.String()}, err}
	}
	return p, err
}

// lasting reports whether an error is one that time does not help against.
func lasting(err error) bool {
	for _, e := range []error{wsman.ErrClosed, wsman.ErrPin, wsman.ErrRealm, wsman.ErrCredentials, wsman.ErrUnsupported, wsman.ErrMalformed, wsman.ErrTooLarge} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
