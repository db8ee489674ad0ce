package wsmantest

import (
	"slices"

	"github.com/meshcentral-go/sdk/wsman"
)

const (
	redirOff, redirIDER, redirSOL, redirBoth = 32768, 32769, 32770, 32771

	kvmOn, kvmOff, kvmOnUnusable = 2, 3, 6
	kvmPassword                  = 8 // characters
)

func (d *Device) buildRedirection() {
	if !d.cfg.NoRedirection {
		o := service("AMT_RedirectionService", "Intel(r) AMT Redirection Service", "EnabledState", redirBoth, "ListenerEnabled", true)
		d.define(&class{
			name: o.class, keys: serviceKeys, realms: []int{RealmRedirection}, put: d.putRedirection, optional: []string{"AccessLog"},
			methods: map[string]method{
				"RequestStateChange": d.requestStateChange(EventRedirection, redirOff, redirIDER, redirSOL, redirBoth),
				"TerminateSession": func(c *call) (int, *fault) {
					if _, given := c.num("SessionType"); !given {
						return statusInvalidParameter, nil
					}
					d.endSessionsLocked()
					return ok, nil
				},
			},
		}, o)
		d.define(&class{name: "CIM_RedirectionService", of: []string{o.class}})
	}
	if d.cfg.NoKVM {
		return
	}
	sap := newObject("CIM_KVMRedirectionSAP", "CreationClassName", "CIM_KVMRedirectionSAP", "ElementName", "KVM Redirection Service Access Point",
		"EnabledState", kvmOn, "KVMProtocol", 4, "Name", "KVM Redirection Service Access Point", "RequestedState", 5,
		"SystemCreationClassName", computer, "SystemName", managed)
	d.define(&class{name: sap.class, keys: serviceKeys, realms: []int{RealmRedirection}, methods: map[string]method{
		"RequestStateChange": func(c *call) (int, *fault) {
			if c.in.Child("TimeoutPeriod") != nil {
				return 4098, nil // use of the parameter is not supported
			}
			was := c.object.num("EnabledState")
			value, f := d.requestStateChange(EventRedirection, kvmOn, kvmOff)(c)
			if now := c.object.num("EnabledState"); now != was {
				d.alert(wsman.Alert{MessageID: alertKVMEnabled, MessageArguments: []string{map[int]string{kvmOff: "0", kvmOn: "1"}[now]}})
			}
			return value, f
		},
	}}, sap)
	data := newObject("IPS_KVMRedirectionSettingData", "BackToBackFbMode", false, "DefaultScreen", 0, "ElementName", "Intel(r) KVM Redirection Settings",
		"EnabledByMEBx", true, "GrayscalePixelFormatSupported", false, "InitialDecimationModeForLowRes", 0, "InstanceID", "Intel(r) KVM Redirection Settings",
		"Is5900PortEnabled", false, "OptInPolicy", false, "OptInPolicyTimeout", 120, "SessionTimeout", 3, "ZlibControlSupported", false)
	d.define(&class{
		name: data.class, keys: []string{"InstanceID"}, realms: []int{RealmRedirection}, readOnly: []string{"ElementName", "EnabledByMEBx"},
		optional: []string{"RFBPassword"}, put: d.putKVM,
		methods: map[string]method{"TerminateSession": func(*call) (int, *fault) { d.endSessionsLocked(); return ok, nil }},
	}, data)
}

// putRedirection checks a new EnabledState.
func (d *Device) putRedirection(_ *request, _, o *object) *fault {
	if !slices.Contains([]int{redirOff, redirIDER, redirSOL, redirBoth}, o.num("EnabledState")) {
		return invalidRepresentation()
	}
	return nil
}

// putKVM keeps the password of port 5900, which never reads back.
func (d *Device) putKVM(_ *request, _, o *object) *fault {
	word := o.get("RFBPassword")
	if word != "" {
		if len(word) != kvmPassword || !strongPassword(word) {
			return invalidRepresentation()
		}
		d.state.rfb = NewSecret(word)
	}
	if o.flag("Is5900PortEnabled") && d.state.rfb.Reveal() == "" {
		return invalidRepresentation()
	}
	hidePasswords(o)
	return nil
}

// RFBPassword returns the password of the plain VNC port.
func (d *Device) RFBPassword() Secret {
	d.mu.Lock()
	defer d.unlock()
	return d.state.rfb
}

// Redirection says what may be redirected: SOL, IDE-R and KVM, and whether the ports listen.
func (d *Device) Redirection() (sol, ider, kvm, listens bool) {
	d.mu.Lock()
	defer d.unlock()
	return d.redirectionLocked()
}

func (d *Device) redirectionLocked() (sol, ider, kvm, listens bool) {
	if !d.cfg.NoRedirection {
		o := d.only("AMT_RedirectionService")
		state := o.num("EnabledState")
		sol, ider, listens = state == redirSOL || state == redirBoth, state == redirIDER || state == redirBoth, o.flag("ListenerEnabled")
	}
	if !d.cfg.NoKVM {
		kvm = d.only("CIM_KVMRedirectionSAP").num("EnabledState") != kvmOff
	}
	return sol, ider, kvm, listens
}

// endSessionsLocked ends all redirection sessions.
func (d *Device) endSessionsLocked() {
	for conn, c := range d.conns {
		if c.port == PortRedirection || c.port == PortRedirectionTLS {
			c.cancel()
			_ = conn.Close()
		}
	}
}

// EndSessions ends all redirection sessions, as somebody at the computer can.
func (d *Device) EndSessions() {
	d.mu.Lock()
	defer d.unlock()
	d.endSessionsLocked()
}
