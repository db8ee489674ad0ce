package wsmantest

import (
	"fmt"
	"slices"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/redir"
)

// PowerState is a state of the computer, or an action that leads to one, as CIM numbers them.
type PowerState uint8

// States and actions. A computer is in state 2, 3, 4, 6, 7 or 8.
const (
	PowerOn              PowerState = 2  // S0
	PowerSleepLight      PowerState = 3  // S1 or S2
	PowerSleep           PowerState = 4  // S3
	PowerCycleSoft       PowerState = 5  // off and on
	PowerOffHard         PowerState = 6  // no power but to the firmware
	PowerHibernate       PowerState = 7  // S4
	PowerOffSoft         PowerState = 8  // S5
	PowerCycleHard       PowerState = 9  // off and on
	PowerReset           PowerState = 10 // master bus reset
	PowerNMI             PowerState = 11 // diagnostic interrupt
	PowerOffSoftGraceful PowerState = 12 // asks the operating system
	PowerOffHardGraceful PowerState = 13
	PowerResetGraceful   PowerState = 14
	PowerCycleGraceful   PowerState = 15
	PowerCycleHardGrace  PowerState = 16
	PowerInit            PowerState = 17 // INIT interrupt
)

var powerNames = []string{
	"", "", "on", "sleep light", "sleep", "power cycle", "off hard", "hibernate", "off", "power cycle hard", "reset", "NMI",
	"off, graceful", "off hard, graceful", "reset, graceful", "power cycle, graceful", "power cycle hard, graceful", "INIT",
}

// String returns a few words.
func (p PowerState) String() string {
	if int(p) >= len(powerNames) || powerNames[p] == "" {
		return fmt.Sprintf("PowerState(%d)", uint8(p))
	}
	return powerNames[p]
}

type powerState struct {
	service *object // CIM_PowerManagementService
	shown   *object // CIM_AssociatedPowerManagementService
	saving  *object // IPS_PowerManagementService, nil before version 10
	actions []PowerState
}

func (d *Device) buildPower() {
	p := &d.state.power
	p.service = service("CIM_PowerManagementService", "Intel(r) AMT Power Management Service", "EnabledState", 5, "RequestedState", 12)
	d.define(&class{name: p.service.class, keys: serviceKeys, realms: remoteControl, methods: map[string]method{
		"RequestPowerStateChange": d.requestPower,
	}}, p.service)
	system := refTo(computer, "CreationClassName", computer, "Name", managed)
	p.shown = newObject("CIM_AssociatedPowerManagementService",
		"AvailableRequestedPowerStates", []int{}, "PowerState", d.cfg.Power, "ServiceProvided", d.ref(p.service), "UserOfService", system)
	d.define(&class{name: p.shown.class, keys: []string{"ServiceProvided", "UserOfService"}}, p.shown)
	d.define(&class{name: "CIM_ServiceAvailableToElement", of: []string{p.shown.class}})
	capabilities := newObject("CIM_PowerManagementCapabilities",
		"ElementName", "Intel(r) AMT: Power Management Capabilities", "InstanceID", "Intel(r) AMT:PowerManagementCapabilities 0",
		"PowerChangeCapabilities", []int{3, 4, 5, 7, 8}, "PowerStatesSupported", []int{2, 5, 8, 10})
	d.fixed(capabilities)
	if d.prof.osPower {
		p.saving = service("IPS_PowerManagementService", "Intel(r) AMT Power Management Service", "EnabledState", 5, "OSPowerSavingState", 2, "RequestedState", 12)
		d.define(&class{name: p.saving.class, keys: serviceKeys, realms: remoteControl, methods: map[string]method{
			"RequestOSPowerSavingStateChange": d.requestOSPower,
		}}, p.saving)
	}
	d.showPower(d.cfg.Power)
}

// power is the state.
func (d *Device) power() PowerState { return PowerState(d.state.power.shown.num("PowerState")) }

// showPower enters a state and says what may be asked for in it.
func (d *Device) showPower(state PowerState) {
	d.state.power.shown.set("PowerState", state)
	var may []int
	switch state {
	case PowerOn:
		may = []int{2, 4, 5, 6, 7, 8, 9, 10, 11}
		if !d.cfg.Quirks.NoLocalService {
			may = append(may, 12, 13, 14, 15, 16)
		}
		may = append(may, 17)
	case PowerOffHard, PowerOffSoft:
		may = []int{2}
	default:
		may = []int{2, 5, 6, 8, 9, 10}
	}
	d.state.power.shown.set("AvailableRequestedPowerStates", may)
	if state != PowerOn && d.state.power.saving != nil {
		d.state.power.saving.set("OSPowerSavingState", 2)
	}
}

// Reasons of a boot, in IPS_HostBootReason.
const (
	reasonOther  = 1
	reasonRemote = 2
	reasonAlarm  = 3
)

// changePower does what an action says. Actions that end in a start of the computer boot it by the boot settings.
func (d *Device) changePower(action PowerState, reason int) {
	was := d.power()
	switch action {
	case PowerOn:
		d.showPower(PowerOn)
		if was == PowerOn {
			if d.state.power.saving != nil {
				d.state.power.saving.set("OSPowerSavingState", 2)
			}
			return
		}
		if was != PowerSleep && was != PowerSleepLight {
			d.boot(action, was, reason)
		}
	case PowerCycleSoft, PowerCycleHard, PowerReset, PowerResetGraceful, PowerCycleGraceful, PowerCycleHardGrace:
		d.showPower(PowerOn)
		d.boot(action, was, reason)
	case PowerOffSoftGraceful:
		d.showPower(PowerOffSoft)
	case PowerOffHardGraceful:
		d.showPower(PowerOffHard)
	case PowerNMI, PowerInit:
	default:
		d.showPower(action)
	}
	d.emit(EventPower, "%s, so it is %s now (it was %s)", action, d.power(), was)
}

// requestPower is CIM_PowerManagementService.RequestPowerStateChange.
func (d *Device) requestPower(c *call) (int, *fault) {
	n, given := c.num("PowerState")
	if !given || n < 2 || n > 17 {
		return cimInvalidParameter, nil
	}
	if o, given := c.reference("ManagedElement"); given && o.ClassName() != computer {
		return cimInvalidParameter, nil
	}
	action := PowerState(n)
	if !slices.Contains(d.state.power.shown.texts("AvailableRequestedPowerStates"), fmt.Sprint(n)) {
		if action >= PowerOffSoftGraceful && action <= PowerCycleHardGrace && d.cfg.Quirks.NoLocalService {
			return cimNotSupported, nil
		}
		return cimInvalidTransition, nil
	}
	d.state.power.actions = append(d.state.power.actions, action)
	d.audit(auditRemoteControl, 0, nil, c.req)
	if action == PowerOffSoft && d.cfg.Quirks.KVMBlocksPowerOff && d.sessions[redir.KVM.String()] > 0 {
		return ok, nil
	}
	if action >= PowerOffSoftGraceful && action <= PowerCycleHardGrace {
		code := "1"
		if action == PowerOffSoftGraceful || action == PowerOffHardGraceful {
			code = "0"
		}
		d.alert(wsman.Alert{MessageID: alertGraceful, MessageArguments: []string{code}})
	}
	d.changePower(action, reasonRemote)
	return ok, nil
}

// requestOSPower is IPS_PowerManagementService.RequestOSPowerSavingStateChange.
func (d *Device) requestOSPower(c *call) (int, *fault) {
	n, given := c.num("OSPowerSavingState")
	if !given || n != 2 && n != 3 {
		return cimInvalidParameter, nil
	}
	if d.power() != PowerOn {
		return cimInvalidTransition, nil
	}
	d.state.power.saving.set("OSPowerSavingState", n)
	d.emit(EventPower, "the operating system's power saving state is %d", n)
	return ok, nil
}

// Power returns the state of the computer.
func (d *Device) Power() PowerState {
	d.mu.Lock()
	defer d.unlock()
	return d.power()
}

// PowerActions returns the actions that were asked for and accepted, in order.
func (d *Device) PowerActions() []PowerState {
	d.mu.Lock()
	defer d.unlock()
	return slices.Clone(d.state.power.actions)
}

// PressPowerButton does what the button of the computer does: it starts or wakes it, or switches it off.
func (d *Device) PressPowerButton() {
	d.mu.Lock()
	defer d.unlock()
	d.alert(wsman.Alert{MessageID: alertPowerButton})
	if d.power() == PowerOn {
		d.changePower(PowerOffSoft, reasonOther)
		return
	}
	d.changePower(PowerOn, reasonOther)
}

// SetModernStandby says whether the operating system saves power while the computer counts as on. It does nothing before
// version 10.
func (d *Device) SetModernStandby(on bool) {
	d.mu.Lock()
	defer d.unlock()
	if s := d.state.power.saving; s != nil && d.power() == PowerOn {
		s.set("OSPowerSavingState", map[bool]int{false: 2, true: 3}[on])
		d.emit(EventPower, "modern standby: %v", on)
	}
}
