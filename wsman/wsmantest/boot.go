package wsmantest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Boot is one start of the computer.
type Boot struct {
	Action PowerState // what started it
	// Source is the boot source that was forced, without "Intel(r) AMT: ": "Force PXE Boot". Empty is the usual order.
	Source string
	// BIOS: it went to its setup. BIOSPause: it waits there. IDER: it started from redirected media, IDERDevice 0 floppy
	// or 1 CD. SOL: the console is redirected.
	BIOS, BIOSPause, IDER, SOL bool
	IDERDevice                 int
	Time                       time.Time
}

// String says how it started.
func (b Boot) String() string {
	var how []string
	for _, p := range []struct {
		on   bool
		text string
	}{
		{b.BIOS, "BIOS setup"}, {b.BIOSPause, "BIOS pause"}, {b.IDER, fmt.Sprintf("IDE-R device %d", b.IDERDevice)},
		{b.Source != "", b.Source}, {b.SOL, "SOL"},
	} {
		if p.on {
			how = append(how, p.text)
		}
	}
	if len(how) == 0 {
		how = []string{"usual order"}
	}
	return fmt.Sprintf("%s: %s", b.Action, strings.Join(how, ", "))
}

const (
	bootConfig   = "Intel(r) AMT: Boot Configuration 0"
	sourcePrefix = "Intel(r) AMT: "
	roleNext     = 1     // IsNextSingleUse
	roleNone     = 32768 // not used at the next start
)

// bootReadOnly are the properties of AMT_BootSettingData that clients cannot set.
var bootReadOnly = []string{
	"BIOSLastStatus", "BootguardStatus", "OptionsCleared", "RPEEnabled", "SecureBootControlEnabled", "UEFIHTTPSBootEnabled",
	"UEFILocalPBABootEnabled", "WinREBootEnabled",
}

// bootState is what was asked for the next start, and what starts there were.
type bootState struct {
	role   int
	source *object // CIM_BootSourceSetting
	done   []Boot
}

func (d *Device) buildBoot() {
	settings := newObject("AMT_BootSettingData",
		"BIOSLastStatus", []int{2, 0}, "BIOSPause", false, "BIOSSetup", false, "BootMediaIndex", 0, "ConfigurationDataReset", false,
		"ElementName", "Intel(r) AMT Boot Configuration Settings", "EnforceSecureBoot", false, "FirmwareVerbosity", 0,
		"ForcedProgressEvents", false, "IDERBootDevice", 0, "InstanceID", "Intel(r) AMT:BootSettingData 0", "LockKeyboard", false,
		"LockPowerButton", false, "LockResetButton", false, "LockSleepButton", false, "OptionsCleared", true,
		"OwningEntity", amtSystem, "ReflashBIOS", false, "SecureErase", false, "UseIDER", false, "UseSOL", false,
		"UseSafeMode", false, "UserPasswordBypass", false)
	if d.prof.recovery {
		for _, p := range []string{"RPEEnabled", "UEFIHTTPSBootEnabled", "UEFILocalPBABootEnabled", "WinREBootEnabled"} {
			settings.set(p, false)
		}
		settings.set("BootguardStatus", 127)
		settings.set("SecureBootControlEnabled", true)
		settings.set("UefiBootNumberOfParams", 0)
	}
	d.define(&class{
		name: settings.class, keys: []string{"InstanceID"}, put: d.putBoot, realms: remoteControl,
		readOnly: append([]string{"ElementName", "OwningEntity"}, bootReadOnly...),
		optional: []string{"BIOSBootString", "UefiBootParametersArray", "RSEPassword"},
	}, settings)
	config := newObject("CIM_BootConfigSetting", "ElementName", "Intel(r) AMT: Boot Configuration", "InstanceID", bootConfig)
	d.define(&class{name: config.class, keys: []string{"InstanceID"}, realms: remoteControl, methods: map[string]method{
		"ChangeBootOrder": d.changeBootOrder,
	}}, config)
	sources := []string{"Force Hard-drive Boot", "Force PXE Boot", "Force CD/DVD Boot", "Force Diagnostic Boot"}
	if d.prof.recovery {
		sources = append(sources, "Force OCR UEFI HTTPS Boot", "Force OCR UEFI Boot Option 1", "Force OCR UEFI Boot Option 2")
	}
	k := d.define(&class{name: "CIM_BootSourceSetting", keys: []string{"InstanceID"}, realms: remoteControl})
	for _, s := range sources {
		failed := 2
		k.objects = append(k.objects, newObject(k.name, "ElementName", "Intel(r) AMT: Boot Source", "FailThroughSupported", failed,
			"InstanceID", sourcePrefix+s, "StructuredBootString", "CIM:"+strings.TrimSuffix(strings.TrimPrefix(s, "Force "), " Boot")+":1"))
	}
	boot := service("CIM_BootService", "Intel(r) AMT Boot Service", "EnabledState", 5, "RequestedState", 12)
	if d.prof.recovery {
		boot.set("EnabledState", 32769)
	}
	change := d.requestStateChange(EventSettings, 32768, 32769, 32770, 32771)
	d.define(&class{name: boot.class, keys: serviceKeys, realms: remoteControl, methods: map[string]method{
		"SetBootConfigRole": d.setBootConfigRole,
		"RequestStateChange": func(c *call) (int, *fault) {
			if !d.prof.recovery {
				return cimNotSupported, nil
			}
			return change(c)
		},
	}}, boot)
	capabilities := newObject("AMT_BootCapabilities",
		"BIOSPause", false, "BIOSReflash", false, "BIOSSecureBoot", d.prof.recovery, "BIOSSetup", true,
		"ElementName", "Intel(r) AMT: Boot Capabilities", "ForceCDorDVDBoot", true, "ForceDiagnosticBoot", false,
		"ForceHardDriveBoot", true, "ForceHardDriveSafeModeBoot", false, "ForcePXEBoot", true)
	if d.prof.recovery {
		capabilities.set("ForceUEFIHTTPSBoot", true)
		capabilities.set("ForceUEFILocalPBABoot", true)
		capabilities.set("ForceWinREBoot", true)
	}
	for _, p := range []struct {
		name string
		v    any
	}{
		{"ForcedProgressEvents", true}, {"IDER", true}, {"InstanceID", "Intel(r) AMT:BootCapabilities 0"}, {"KeyboardLock", false},
		{"PlatformErase", 0}, {"PowerButtonLock", false}, {"ResetButtonLock", false}, {"SOL", true}, {"SecureErase", false},
		{"SleepButtonLock", false}, {"UserPasswordBypass", false}, {"VerbosityQuiet", false}, {"VerbosityScreenBlank", false},
		{"VerbosityVerbose", false},
	} {
		capabilities.set(p.name, p.v)
	}
	d.fixed(capabilities)
	d.fixed(newObject("IPS_HostBootReason", "ElementName", "Intel(r) AMT: Host Boot Reason", "InstanceID", "Intel(r) AMT: Host Boot Reason",
		"PreviousSxState", 5, "Reason", 0))
}

// putBoot refuses what firmware refuses: BIOSSetup, BIOSPause and ReflashBIOS while a boot source is set, options that the
// BIOS does not have, and read-only properties.
func (d *Device) putBoot(req *request, old, o *object) *fault {
	sent := objectFrom(old.class, req.First())
	for _, name := range bootReadOnly {
		if sent.has(name) && (d.cfg.Quirks.StrictBoot || !slices.Equal(sent.texts(name), old.texts(name))) {
			return invalidRepresentation()
		}
	}
	capabilities := d.only("AMT_BootCapabilities")
	for _, p := range [][2]string{{"BIOSSetup", "BIOSSetup"}, {"BIOSPause", "BIOSPause"}, {"ReflashBIOS", "BIOSReflash"}} {
		if o.flag(p[0]) && (d.bootSource() != "" || !capabilities.flag(p[1])) {
			return invalidRepresentation()
		}
	}
	if device := o.num("IDERBootDevice"); device != 0 && device != 1 {
		return schemaError()
	}
	o.set("OptionsCleared", false)
	return nil
}

// bootSource is the source that was forced, or "".
func (d *Device) bootSource() string {
	if d.state.boot.source == nil {
		return ""
	}
	return strings.TrimPrefix(d.state.boot.source.get("InstanceID"), sourcePrefix)
}

// changeBootOrder is CIM_BootConfigSetting.ChangeBootOrder. Without a source it clears the order.
func (d *Device) changeBootOrder(c *call) (int, *fault) {
	source, given := c.ref("Source")
	if !given {
		d.state.boot.source = nil
		return ok, nil
	}
	if source == nil || source.class != "CIM_BootSourceSetting" {
		return cimInvalidParameter, nil
	}
	settings := d.only("AMT_BootSettingData")
	if settings.flag("BIOSSetup") || settings.flag("BIOSPause") || settings.flag("ReflashBIOS") {
		return cimInvalidParameter, nil
	}
	d.state.boot.source = source
	return ok, nil
}

// setBootConfigRole is CIM_BootService.SetBootConfigRole.
func (d *Device) setBootConfigRole(c *call) (int, *fault) {
	config, _ := c.ref("BootConfigSetting")
	role, given := c.num("Role")
	if config == nil || config.class != "CIM_BootConfigSetting" || !given || role != roleNext && role != roleNone {
		return cimInvalidParameter, nil
	}
	d.state.boot.role = role
	return ok, nil
}

// boot starts the computer: with the boot settings if they are to be used, which they are once.
func (d *Device) boot(action, was PowerState, reason int) {
	b := Boot{Action: action, Time: d.cfg.Now()}
	settings := d.only("AMT_BootSettingData")
	if d.state.boot.role == roleNext {
		b.Source = d.bootSource()
		b.BIOS, b.BIOSPause = settings.flag("BIOSSetup"), settings.flag("BIOSPause")
		b.IDER, b.SOL, b.IDERDevice = settings.flag("UseIDER"), settings.flag("UseSOL"), settings.num("IDERBootDevice")
		d.state.boot.role, d.state.boot.source = 0, nil
		for _, p := range []string{
			"BIOSPause", "BIOSSetup", "ConfigurationDataReset", "EnforceSecureBoot", "ForcedProgressEvents", "LockKeyboard", "LockPowerButton",
			"LockResetButton", "LockSleepButton", "ReflashBIOS", "SecureErase", "UseIDER", "UseSOL", "UseSafeMode", "UserPasswordBypass",
		} {
			settings.set(p, false)
		}
		for _, p := range []string{"BootMediaIndex", "FirmwareVerbosity", "IDERBootDevice"} {
			settings.set(p, 0)
		}
		settings.set("UefiBootParametersArray", nil)
		settings.set("OptionsCleared", true)
	}
	why := d.only("IPS_HostBootReason")
	why.set("PreviousSxState", map[PowerState]int{PowerOn: 0, PowerHibernate: 4}[was])
	if was == PowerOffSoft || was == PowerOffHard {
		why.set("PreviousSxState", 5)
	}
	why.set("Reason", reason)
	why.set("ReasonDetails", nil)
	if reason == reasonRemote {
		why.set("ReasonDetails", map[PowerState]string{PowerOn: "Power Up", PowerCycleSoft: "Power Cycle", PowerCycleHard: "Power Cycle"}[action])
		if action != PowerOn && action != PowerCycleSoft && action != PowerCycleHard {
			why.set("ReasonDetails", "Reset")
		}
	}
	d.state.boot.done = append(d.state.boot.done, b)
	d.logEvent(Record{SensorType: 15, EventType: 0x6F, Offset: 2, Severity: 1, Entity: 34, Data: [8]byte{64, 19}})
	d.emit(EventBoot, "%s", b)
}

// Boots returns all starts of the computer, oldest first.
func (d *Device) Boots() []Boot {
	d.mu.Lock()
	defer d.unlock()
	return slices.Clone(d.state.boot.done)
}
