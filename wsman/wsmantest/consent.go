package wsmantest

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/meshcentral-go/sdk/wsman"
)

// States of IPS_OptInService.
const (
	consentNone      = 0
	consentRequested = 1
	consentDisplayed = 2
	consentReceived  = 3
	consentSession   = 4

	consentNever  = "0" // OptInRequired
	consentKVM    = "1"
	consentAlways = "4294967295"

	optInState    = 2 // ReturnValue: invalid state
	optInBlocked  = 3
	consentTries  = 3
	optInServices = "IPS_OptInService"
)

// consentState is the user's part of it.
type consentState struct {
	code  int
	wrong int
	until time.Time // of the display, or of the code that was received
}

func (d *Device) buildConsent() {
	o := service(optInServices, "Intel(r) AMT OptIn Service", "CanModifyOptInPolicy", 1, "OptInCodeTimeout", 120, "OptInDisplayTimeout", 300,
		"OptInRequired", consentNever, "OptInState", consentNone)
	d.define(&class{
		name: o.class, keys: serviceKeys, realms: []int{RealmRedirection, RealmRemoteControl},
		readOnly: []string{"CanModifyOptInPolicy", "OptInState"},
		put: func(_ *request, old, o *object) *fault {
			required := o.get("OptInRequired")
			if required != consentNever && required != consentKVM && required != consentAlways {
				return invalidRepresentation()
			}
			if o.get("OptInRequired") != old.get("OptInRequired") && !old.flag("CanModifyOptInPolicy") {
				return accessDenied()
			}
			return nil
		},
		methods: map[string]method{
			"StartOptIn": d.startConsent, "SendOptInCode": d.sendConsent, "CancelOptIn": d.cancelConsent,
			"StartService": func(*call) (int, *fault) { return ok, nil }, "StopService": func(*call) (int, *fault) { return ok, nil },
		},
	}, o)
	d.showConsentPolicy()
}

// showConsentPolicy makes consent necessary in client control mode, and nobody can change that.
func (d *Device) showConsentPolicy() {
	k := d.classes[optInServices]
	if k == nil {
		return
	}
	if d.mode() == ModeClient {
		k.objects[0].set("OptInRequired", consentAlways)
		k.objects[0].set("CanModifyOptInPolicy", 0)
		return
	}
	k.objects[0].set("CanModifyOptInPolicy", 1)
}

func (d *Device) consentLocked() int {
	o := d.only(optInServices)
	state := o.num("OptInState")
	if state != consentNone && state != consentSession && d.cfg.Now().After(d.state.consent.until) {
		d.setConsent(consentNone)
		return consentNone
	}
	return state
}

func (d *Device) setConsent(state int) {
	was := d.only(optInServices).num("OptInState")
	d.only(optInServices).set("OptInState", state)
	switch {
	case state == consentReceived:
		d.alert(wsman.Alert{MessageID: alertConsent, MessageArguments: []string{"1"}})
	case state == consentNone && (was == consentReceived || was == consentSession):
		d.alert(wsman.Alert{MessageID: alertConsent, MessageArguments: []string{"2"}})
	}
	d.emit(EventConsent, "user consent is in state %d", state)
}

// startConsent is StartOptIn: six digits appear on the user's screen.
func (d *Device) startConsent(c *call) (int, *fault) {
	if d.consentLocked() != consentNone {
		return optInState, nil
	}
	if d.power() != PowerOn {
		return optInBlocked, nil
	}
	d.state.consent = consentState{
		code:  int(binary.BigEndian.Uint32(d.random(4)) % 1000000),
		until: d.cfg.Now().Add(time.Duration(c.object.num("OptInDisplayTimeout")) * time.Second),
	}
	d.setConsent(consentDisplayed)
	return ok, nil
}

// sendConsent is SendOptInCode. The third wrong code ends it.
func (d *Device) sendConsent(c *call) (int, *fault) {
	if s := d.consentLocked(); s != consentDisplayed && s != consentRequested {
		return optInState, nil
	}
	code, err := strconv.Atoi(c.text("OptInCode"))
	if err != nil || code != d.state.consent.code {
		if d.state.consent.wrong++; d.state.consent.wrong >= consentTries {
			d.setConsent(consentNone)
			return optInBlocked, nil
		}
		return statusInternal, nil
	}
	d.state.consent.until = d.cfg.Now().Add(time.Duration(c.object.num("OptInCodeTimeout")) * time.Second)
	d.setConsent(consentReceived)
	d.audit(auditOptIn, 1, nil, c.req)
	return ok, nil
}

func (d *Device) cancelConsent(*call) (int, *fault) {
	if d.consentLocked() == consentNone {
		return optInState, nil
	}
	d.setConsent(consentNone)
	return ok, nil
}

// ConsentCode returns the six digits on the user's screen, or "" if there are none.
func (d *Device) ConsentCode() string {
	d.mu.Lock()
	defer d.unlock()
	if d.consentLocked() != consentDisplayed {
		return ""
	}
	return fmt.Sprintf("%06d", d.state.consent.code)
}

// mayRedirect says whether the user's consent lets a session of a kind begin.
func (d *Device) mayRedirect(kvm bool) bool {
	if _, there := d.classes[optInServices]; !there {
		return true
	}
	required := d.only(optInServices).get("OptInRequired")
	if required == consentNever || required == consentKVM && !kvm {
		return true
	}
	s := d.consentLocked()
	return s == consentReceived || s == consentSession
}
