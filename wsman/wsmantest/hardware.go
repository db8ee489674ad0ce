package wsmantest

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// buildHardware makes the inventory: a small office computer, whose serial numbers come from the UUID.
func (d *Device) buildHardware() {
	serial := strings.ToUpper(hex.EncodeToString(d.cfg.UUID[10:14]))
	add := func(o *object) { d.classes[o.class].realms = hardwareAsset }
	fixed := func(objects ...*object) {
		d.fixed(objects...)
		for _, o := range objects {
			add(o)
		}
	}
	system := refTo(computer, "CreationClassName", computer, "Name", managed)
	chassis := newObject("CIM_Chassis", "ChassisPackageType", 3, "CreationClassName", "CIM_Chassis", "ElementName", "Managed System Chassis",
		"Manufacturer", "Example Computers", "Model", "Desk One", "OperationalStatus", 0, "PackageType", 3, "SerialNumber", "C"+serial,
		"Tag", "CIM_Chassis", "Version", "1.0")
	fixed(
		newObject("CIM_ComputerSystemPackage", "Antecedent", refTo("CIM_Chassis", "CreationClassName", "CIM_Chassis", "Tag", "CIM_Chassis"),
			"Dependent", system, "PlatformGUID", strings.ToUpper(hex.EncodeToString(smbiosOrder(d.cfg.UUID)))),
		newObject("CIM_SystemPackaging", "Antecedent", refTo("CIM_Chassis", "CreationClassName", "CIM_Chassis", "Tag", "CIM_Chassis"), "Dependent", system),
		chassis,
		newObject("CIM_PhysicalFrame", "CreationClassName", "CIM_PhysicalFrame", "ElementName", "Managed System Frame", "Tag", "CIM_PhysicalFrame"),
		newObject("CIM_Card", "CanBeFRUed", true, "CreationClassName", "CIM_Card", "ElementName", "Managed System Base Board",
			"Manufacturer", "Example Boards", "Model", "EB-100", "OperationalStatus", 0, "PackageType", 9, "SerialNumber", "B"+serial,
			"Tag", "CIM_Card", "Version", "A01"),
		newObject("CIM_BIOSElement", "ElementName", "Primary BIOS", "Manufacturer", "Example BIOS", "Name", "Primary BIOS", "OperationalStatus", 0,
			"PrimaryBIOS", true, "ReleaseDate", time.Date(2024, 5, 14, 0, 0, 0, 0, time.UTC), "SoftwareElementID", "1.12.0", "SoftwareElementState", 2,
			"TargetOperatingSystem", 66, "Version", "1.12.0"),
		newObject("CIM_BIOSFeature", "Characteristics", []int{7, 9, 11, 12, 15, 16, 19}, "ElementName", "BIOS Features", "IdentifyingNumber", "1",
			"Name", "BIOS Feature", "ProductName", "Example BIOS", "Vendor", "Example BIOS", "Version", "1.12.0"),
		newObject("CIM_Chip", "CanBeFRUed", true, "CreationClassName", "CIM_Chip", "ElementName", "Managed System Processor Chip",
			"Manufacturer", "Intel(R) Corporation", "OperationalStatus", 0, "Tag", "CPU 0", "Version", "Intel(R) Core(TM) i5-12500 CPU @ 3.00GHz"),
		newObject("CIM_Processor", "CPUStatus", 1, "CreationClassName", "CIM_Processor", "CurrentClockSpeed", 3000, "DeviceID", "CPU 0",
			"ElementName", "Managed System CPU", "EnabledState", 2, "ExternalBusClockSpeed", 100, "Family", 205, "HealthState", 0,
			"MaxClockSpeed", 4600, "OperationalStatus", 0, "OtherFamilyDescription", "", "RequestedState", 12, "Role", "Central",
			"Stepping", "2", "SystemCreationClassName", computer, "SystemName", managed, "UpgradeMethod", 62),
	)
	for i, slot := range []string{"DIMM A", "DIMM B"} {
		fixed(newObject("CIM_PhysicalMemory", "BankLabel", "BANK "+fmt.Sprint(i), "Capacity", uint64(8<<30), "ConfiguredMemoryClockSpeed", 3200,
			"CreationClassName", "CIM_PhysicalMemory", "ElementName", "Managed System Memory Chip", "FormFactor", 8, "IsSpeedInMhz", true,
			"Manufacturer", "Example Memory", "MaxMemorySpeed", 3200, "MemoryType", 26, "PartNumber", "EM8G3200  ", "SerialNumber", fmt.Sprintf("M%s%d", serial[:6], i),
			"Speed", 3200, "Tag", slot))
	}
	fixed(
		newObject("CIM_MediaAccessDevice", "Capabilities", []int{4, 10}, "CreationClassName", "CIM_MediaAccessDevice", "DeviceID", "MEDIA DEV 0",
			"ElementName", "Managed System Media Access Device", "EnabledState", 0, "MaxMediaSize", uint64(512110190), "OperationalStatus", 0,
			"RequestedState", 12, "Security", 2, "SystemCreationClassName", computer, "SystemName", managed),
		newObject("CIM_PhysicalPackage", "CanBeFRUed", true, "CreationClassName", "CIM_PhysicalPackage", "ElementName", "Managed System Storage Media Package",
			"Manufacturer", "Example Storage", "Model", "ES512", "OperationalStatus", 0, "PackageType", 15, "SerialNumber", "S"+serial,
			"Tag", "Storage Media Package 0"),
		newObject("CIM_Fan", "ActiveCooling", true, "CreationClassName", "CIM_Fan", "DesiredSpeed", 0, "DeviceID", "Fan 0", "ElementName", "Managed System Fan",
			"EnabledState", 2, "HealthState", 5, "OperationalStatus", 2, "RequestedState", 12, "SystemCreationClassName", computer, "SystemName", managed,
			"VariableSpeed", true),
		newObject("CIM_Sensor", "CreationClassName", "CIM_Sensor", "CurrentState", "Normal", "DeviceID", "Sensor 0", "ElementName", "Managed System Sensor",
			"EnabledState", 2, "HealthState", 5, "PossibleStates", []string{"Normal", "Critical"}, "RequestedState", 12, "SensorType", 2,
			"SystemCreationClassName", computer, "SystemName", managed),
		newObject("CIM_PowerSupply", "CreationClassName", "CIM_PowerSupply", "DeviceID", "Power Supply 0", "ElementName", "Managed System Power Supply",
			"EnabledState", 2, "HealthState", 5, "RequestedState", 12, "SystemCreationClassName", computer, "SystemName", managed, "TotalOutputPower", 180000),
		newObject("CIM_Watchdog", "CreationClassName", "CIM_Watchdog", "DeviceID", "Watchdog 0", "ElementName", "Managed System Watchdog", "EnabledState", 3,
			"MonitoredEntity", 3, "RequestedState", 12, "SystemCreationClassName", computer, "SystemName", managed, "TimeoutInterval", 0),
	)
	d.define(&class{name: "CIM_Battery", keys: []string{"DeviceID"}}) // it has none
	for _, s := range [][2]string{
		{"AMT", d.prof.short()}, {"AMTApps", d.prof.short()}, {"Build Number", d.prof.version[strings.LastIndexByte(d.prof.version, '.')+1:]},
		{"Flash", d.prof.short()}, {"Netstack", d.prof.short()}, {"Recovery Version", d.prof.short()}, {"Recovery Build Num", "0"},
		{"Sku", "16392"}, {"VendorID", "8086"}, {"Legacy Mode", "False"},
	} {
		fixed(newObject("CIM_SoftwareIdentity", "InstanceID", s[0], "IsEntity", true, "VersionString", s[1]))
	}
	fixed(newObject(computer, "CreationClassName", computer, "ElementName", "Managed System", "EnabledState", 5, "Name", managed, "NameFormat", "Other", "RequestedState", 12),
		newObject(computer, "CreationClassName", computer, "ElementName", "Intel(r) AMT Subsystem", "EnabledState", 5, "Name", amtSystem, "NameFormat", "Other",
			"RequestedState", 12))
}
