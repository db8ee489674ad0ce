package flows

import (
	"context"
	"fmt"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
	"github.com/meshcentral-go/sdk/wsman/cim"
	"github.com/meshcentral-go/sdk/wsman/ips"
)

// Redirection is which kinds of sessions a device offers, and whether its user is asked.
type Redirection struct {
	SOL  bool
	IDER bool
	// KVM is nil where the device has none.
	KVM *bool
	// Listener is whether the ports are open at all.
	Listener bool
	// Consent is when the user has to read out a code. ConsentState is how far the current request is, ConsentFixed whether the
	// policy cannot be changed, as in client control mode.
	Consent      ips.OptInRequired
	ConsentState ips.OptInState
	ConsentFixed bool
}

// Redirection reads what the device offers.
//
// Steps: Get AMT_RedirectionService, CIM_KVMRedirectionSAP, IPS_OptInService; the last two may be missing.
func (d *Device) Redirection(ctx context.Context) (Redirection, error) {
	r, _, _, err := d.begin("redirection").redirection(ctx)
	return r, err
}

func (f flow) redirection(ctx context.Context) (r Redirection, s *amt.RedirectionService, o *ips.OptInService, err error) {
	if err = f.do("read AMT_RedirectionService", func() error { return getInto(ctx, f, &s) }); err != nil {
		return r, nil, nil, err
	}
	r.Listener = s.ListenerEnabled
	r.SOL = s.EnabledState == amt.RedirectionStateSOL || s.EnabledState == amt.RedirectionStateBoth
	r.IDER = s.EnabledState == amt.RedirectionStateIDER || s.EnabledState == amt.RedirectionStateBoth
	var kvm *cim.KVMRedirectionSAP
	if _, err = f.optional("read CIM_KVMRedirectionSAP", func() error { return getInto(ctx, f, &kvm) }); err != nil {
		return r, nil, nil, err
	}
	if kvm != nil {
		on := kvm.EnabledState == 2 || kvm.EnabledState == 6
		r.KVM = &on
	}
	if _, err = f.optional("read IPS_OptInService", func() error { return getInto(ctx, f, &o) }); err != nil {
		return r, nil, nil, err
	}
	if o != nil {
		r.Consent, r.ConsentState, r.ConsentFixed = o.OptInRequired, o.OptInState, o.CanModifyOptInPolicy == 0
	}
	return r, s, o, nil
}

// SetRedirection makes the device offer what is asked for, which is best a changed copy of what [Device.Redirection] gave: the zero
// value of Consent is that nobody is asked. ConsentState and ConsentFixed are not looked at; KVM is left as it is if it is nil, and a policy of consent that cannot be changed is an error only if another one is asked for.
//
// Steps: those of [Device.Redirection]; where something differs: Put IPS_OptInService; AMT_RedirectionService.RequestStateChange
// and Put; CIM_KVMRedirectionSAP.RequestStateChange.
func (d *Device) SetRedirection(ctx context.Context, want Redirection) error {
	f := d.begin("redirection")
	have, service, consent, err := f.redirection(ctx)
	if err != nil {
		return err
	}
	if consent != nil && want.Consent != have.Consent {
		err = f.do("set when the user is asked", func() error {
			if have.ConsentFixed {
				return fmt.Errorf("%w: the device does not let it be changed in its control mode", wsman.ErrUnsupported)
			}
			consent.OptInRequired = want.Consent
			_, err := wsman.Put(ctx, f.Client, consent)
			return err
		})
	}
	if state := redirectionState(want); err == nil && (service.EnabledState != state || have.Listener != want.Listener) {
		err = f.do("switch SOL and IDE-R", func() error {
			if _, err := (&amt.RedirectionServiceRequestStateChange{RequestedState: state}).Invoke(ctx, f.Client); err != nil {
				return err
			}
			service.EnabledState, service.ListenerEnabled = state, want.Listener
			_, err := wsman.Put(ctx, f.Client, service)
			return err
		})
	}
	if err == nil && want.KVM != nil && (have.KVM != nil && *have.KVM) != *want.KVM {
		err = f.do("switch KVM", func() error {
			in := &cim.KVMRedirectionSAPRequestStateChange{RequestedState: cim.RequestedStateDisabled}
			if *want.KVM {
				in.RequestedState = cim.RequestedStateEnabled
			}
			_, err := in.Invoke(ctx, f.Client)
			return err
		})
	}
	return err
}

func redirectionState(r Redirection) amt.RedirectionState {
	switch {
	case r.SOL && r.IDER:
		return amt.RedirectionStateBoth
	case r.SOL:
		return amt.RedirectionStateSOL
	case r.IDER:
		return amt.RedirectionStateIDER
	}
	return amt.RedirectionStateBothDisabled
}

// VNC opens KVM also at the standard port 5900, or closes it there. The password has exactly 8 characters and is as strong as
// others; firmware does not give it back, so without one the port cannot be opened.
//
// Steps: Get and Put IPS_KVMRedirectionSettingData.
func (d *Device) VNC(ctx context.Context, open bool, password wsman.Secret) error {
	f := d.begin("vnc")
	var s *ips.KVMRedirectionSettingData
	if err := f.do("read IPS_KVMRedirectionSettingData", func() error { return getInto(ctx, f, &s) }); err != nil {
		return err
	}
	return f.do("write IPS_KVMRedirectionSettingData", func() error {
		s.Is5900PortEnabled, s.RFBPassword = open, wsman.Secret{}
		if open {
			if err := CheckPassword(password); err != nil || len(password.Reveal()) != 8 {
				return fmt.Errorf("%w: the password of VNC has exactly 8 characters, with both cases, a digit and a symbol", ErrInput)
			}
			s.RFBPassword = password
		}
		_, err := wsman.Put(ctx, f.Client, s)
		return err
	})
}

// The code that the user reads out.
const maxConsentCode = 999_999

// StartConsent shows a code of six digits on the device's screen. That a code is shown already is no error.
//
// Steps: IPS_OptInService.StartOptIn.
func (d *Device) StartConsent(ctx context.Context) error {
	const invalidState = 2
	return d.begin("consent").do("show the code", func() error {
		_, err := (&ips.OptInServiceStartOptIn{}).Invoke(ctx, d.Client)
		if returned(err, invalidState) {
			return nil
		}
		return err
	})
}

// SendConsent sends the code that the user has read out. After three wrong ones it begins anew.
//
// Steps: IPS_OptInService.SendOptInCode.
func (d *Device) SendConsent(ctx context.Context, code uint32) error {
	return d.begin("consent").do("send the code", func() error {
		if code > maxConsentCode {
			return fmt.Errorf("%w: the code has six digits", ErrInput)
		}
		_, err := (&ips.OptInServiceSendOptInCode{OptInCode: code}).Invoke(ctx, d.Client)
		return err
	})
}

// CancelConsent takes the code off the screen, or ends the time for which it was good.
//
// Steps: IPS_OptInService.CancelOptIn.
func (d *Device) CancelConsent(ctx context.Context) error {
	return d.begin("consent").do("cancel", func() error {
		_, err := (&ips.OptInServiceCancelOptIn{}).Invoke(ctx, d.Client)
		return err
	})
}
