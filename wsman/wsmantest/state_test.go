package wsmantest_test

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

var managedSystem = epr("CIM_ComputerSystem", "CreationClassName", "CIM_ComputerSystem", "Name", "ManagedSystem")

func (c *client) power(want int, state wsmantest.PowerState) {
	c.t.Helper()
	c.call(want, "CIM_PowerManagementService", "RequestPowerStateChange", "PowerState", itoa(int(state)), "ManagedElement", managedSystem)
}

func TestPower(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	shown := func() string {
		t.Helper()
		all := c.list("CIM_ServiceAvailableToElement")
		require.Len(t, all, 1)
		assert.Equal(t, "CIM_AssociatedPowerManagementService", all[0].Name, "the item is of the subclass")
		return all[0].ChildText("PowerState")
	}
	assert.Equal(t, "2", shown())
	c.power(0, wsmantest.PowerOffSoft)
	assert.Equal(t, "8", shown())
	assert.Equal(t, wsmantest.PowerOffSoft, d.Power())
	c.power(4097, wsmantest.PowerReset)
	c.power(5, 99)
	assert.Equal(t, "8", shown())
	c.power(0, wsmantest.PowerOn)
	c.power(0, wsmantest.PowerSleep)
	assert.Equal(t, "4", shown())
	c.power(0, wsmantest.PowerOn)
	c.power(0, wsmantest.PowerCycleSoft)
	assert.Equal(t, "2", shown())
	assert.Len(t, d.Boots(), 2, "waking up is no boot")
	assert.Equal(t, []wsmantest.PowerState{8, 2, 4, 2, 5}, d.PowerActions())
	assert.Equal(t, "Power Cycle", c.get("IPS_HostBootReason").ChildText("ReasonDetails"))
	d.PressPowerButton()
	assert.Equal(t, "8", shown())
	d.PressPowerButton()
	assert.Equal(t, "1", c.get("IPS_HostBootReason").ChildText("Reason"))
	assert.Equal(t, "5", c.get("IPS_HostBootReason").ChildText("PreviousSxState"))
}

func TestOSPower(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	d.SetModernStandby(true)
	assert.Equal(t, "3", c.get("IPS_PowerManagementService").ChildText("OSPowerSavingState"))
	c.call(0, "IPS_PowerManagementService", "RequestOSPowerSavingStateChange", "OSPowerSavingState", "2", "ManagedElement", managedSystem)
	assert.Equal(t, "2", c.get("IPS_PowerManagementService").ChildText("OSPowerSavingState"))
	c = newClient(t, newDevice(t, wsmantest.Config{Version: "9.5.61.3012"}))
	assert.Equal(t, "DestinationUnreachable", c.refused(wsman.ActionGet, "IPS_PowerManagementService", "", ""))
}

func TestGraceful(t *testing.T) {
	c := newClient(t, newDevice(t, wsmantest.Config{Quirks: wsmantest.Quirks{NoLocalService: true}}))
	c.power(1, wsmantest.PowerOffSoftGraceful)
	d := newDevice(t, wsmantest.Config{})
	newClient(t, d).power(0, wsmantest.PowerOffSoftGraceful)
	assert.Equal(t, wsmantest.PowerOffSoft, d.Power())
}

// bootTo is what a console does: read, change, write, role, order, power.
func (c *client) bootTo(source string, changes ...string) {
	c.t.Helper()
	from := c.get("AMT_BootSettingData")
	from.Children = slices.DeleteFunc(from.Children, func(p wsman.Element) bool {
		return slices.Contains([]string{
			"WinREBootEnabled", "UEFILocalPBABootEnabled", "UEFIHTTPSBootEnabled", "SecureBootControlEnabled", "BootguardStatus", "OptionsCleared",
			"BIOSLastStatus", "UefiBootParametersArray", "RPEEnabled", "RSEPassword",
		}, p.Name)
	})
	c.ask(wsman.ActionPut, "AMT_BootSettingData", "", putBody("AMT_BootSettingData", from, changes...))
	config := epr("CIM_BootConfigSetting", "InstanceID", "Intel(r) AMT: Boot Configuration 0")
	c.call(0, "CIM_BootService", "SetBootConfigRole", "BootConfigSetting", config, "Role", "1")
	if source == "" {
		c.call(0, "CIM_BootConfigSetting", "ChangeBootOrder")
	} else {
		c.call(0, "CIM_BootConfigSetting", "ChangeBootOrder", "Source", epr("CIM_BootSourceSetting", "InstanceID", source))
	}
}

func TestBoot(t *testing.T) {
	for _, version := range []string{"11", "16.1"} {
		d := newDevice(t, wsmantest.Config{Version: version, Quirks: wsmantest.Quirks{StrictBoot: true}})
		c := newClient(t, d)
		c.bootTo("", "BIOSSetup", "true", "UseSOL", "true")
		c.power(0, wsmantest.PowerReset)
		c.bootTo("Intel(r) AMT: Force PXE Boot", "BIOSSetup", "false", "UseSOL", "false")
		c.power(0, wsmantest.PowerReset)
		c.power(0, wsmantest.PowerReset)
		c.bootTo("", "UseIDER", "true", "IDERBootDevice", "1")
		c.power(0, wsmantest.PowerOffSoft)
		c.power(0, wsmantest.PowerOn)
		var got []string
		for _, b := range d.Boots() {
			got = append(got, b.String())
		}
		assert.Equal(t, []string{"reset: BIOS setup, SOL", "reset: Force PXE Boot", "reset: usual order", "on: IDE-R device 1"}, got)
		assert.Equal(t, "true", c.get("AMT_BootSettingData").ChildText("OptionsCleared"), "the options were used up")
		assert.Equal(t, "false", c.get("AMT_BootSettingData").ChildText("UseIDER"))
	}
}

// TestBootRefusals are those of the firmware: see section 5.3 of the documents on boot options.
func TestBootRefusals(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	c.bootTo("Intel(r) AMT: Force PXE Boot")
	from := c.get("AMT_BootSettingData")
	put := func(changes ...string) string {
		t.Helper()
		return c.refused(wsman.ActionPut, "AMT_BootSettingData", "", putBody("AMT_BootSettingData", from, changes...))
	}
	assert.Equal(t, "InvalidRepresentation", put("BIOSSetup", "true"), "only without a boot source")
	c.call(0, "CIM_BootConfigSetting", "ChangeBootOrder")
	assert.Equal(t, "InvalidRepresentation", put("BIOSPause", "true"), "not among the capabilities")
	assert.Equal(t, "InvalidRepresentation", put("OptionsCleared", "true", "RPEEnabled", "true"), "read-only")
	assert.Equal(t, "SchemaValidationError", put("BIOSSetup", "undefined"))
	assert.Equal(t, "SchemaValidationError", put("IDERBootDevice", "5"))
	c.ask(wsman.ActionPut, "AMT_BootSettingData", "", putBody("AMT_BootSettingData", nil, "BIOSSetup", "true"))
	c.call(5, "CIM_BootConfigSetting", "ChangeBootOrder", "Source", epr("CIM_BootSourceSetting", "InstanceID", "Intel(r) AMT: Force PXE Boot"))
	c.call(5, "CIM_BootConfigSetting", "ChangeBootOrder", "Source", epr("CIM_BootSourceSetting", "InstanceID", "Intel(r) AMT: Force Tape Boot"))
	c.call(5, "CIM_BootService", "SetBootConfigRole", "Role", "1")
}

func TestPut(t *testing.T) {
	d := newDevice(t, wsmantest.Config{HostName: "pc1", Domain: "example.org"})
	c := newClient(t, d)
	from := c.get("AMT_GeneralSettings")
	stored := c.ask(wsman.ActionPut, "AMT_GeneralSettings", "", putBody("AMT_GeneralSettings", from, "HostName", "pc2", "PingResponseEnabled", "0", "DigestRealm", "x"))
	assert.Equal(t, "pc2", stored.ChildText("HostName"))
	assert.Equal(t, "0", stored.ChildText("PingResponseEnabled"))
	assert.Equal(t, d.Realm(), stored.ChildText("DigestRealm"), "read-only")
	host, domain := d.HostName()
	assert.Equal(t, []string{"pc2", "example.org"}, []string{host, domain})
	// What is missing is unset, numbers and booleans aside.
	stored = c.ask(wsman.ActionPut, "AMT_GeneralSettings", "", putBody("AMT_GeneralSettings", nil, "HostName", "pc3"))
	assert.Equal(t, "", stored.ChildText("DomainName"))
	assert.Equal(t, "65535", stored.ChildText("IdleWakeTimeout"))
	assert.Equal(t, "SchemaValidationError", c.refused(wsman.ActionPut, "AMT_GeneralSettings", "", putBody("AMT_GeneralSettings", from, "IdleWakeTimeout", "undefined")))
	assert.Equal(t, "SchemaValidationError", c.refused(wsman.ActionPut, "AMT_GeneralSettings", "", ""))
	assert.Equal(t, "ActionNotSupported", c.refused(wsman.ActionPut, "CIM_Card", "", putBody("CIM_Card", nil)))
	assert.Equal(t, "InvalidParameter", c.refused(wsman.ActionPut, "AMT_GeneralSettings", "", putBody("AMT_GeneralSettings", from, "HostName", "a b")))
	c = newClient(t, newDevice(t, wsmantest.Config{Quirks: wsmantest.Quirks{StrictPut: true}}))
	assert.Equal(t, "InvalidRepresentation", c.refused(wsman.ActionPut, "AMT_GeneralSettings", "", putBody("AMT_GeneralSettings", nil, "Colour", "red")))
}

func TestClock(t *testing.T) {
	d := newDevice(t, wsmantest.Config{Now: func() time.Time { return time.Date(2026, 1, 1, 0, 0, 30, 0, time.UTC) }})
	d.SetClock(time.Unix(1767225600, 0))
	c := newClient(t, d)
	e := c.call(0, "AMT_TimeSynchronizationService", "GetLowAccuracyTimeSynch")
	assert.Equal(t, "1767225600", e.ChildText("Ta0"))
	c.call(0, "AMT_TimeSynchronizationService", "SetHighAccuracyTimeSynch", "Ta0", "1767225600", "Tm1", "1800000000", "Tm2", "1800000000")
	assert.Equal(t, int64(1800000000), d.Clock().Unix())
	c.call(36, "AMT_TimeSynchronizationService", "SetHighAccuracyTimeSynch", "Ta0", "1767225600", "Tm1", "9", "Tm2", "1")
}

func TestUsers(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	const service = "AMT_AuthorizationService"
	list := c.call(0, service, "EnumerateUserAclEntries", "StartIndex", "1")
	assert.Equal(t, "1", list.ChildText("TotalCount"))
	password := d.PasswordParameter("joe", "S3cret!!")
	added := c.call(0, service, "AddUserAclEntryEx", "DigestUsername", "joe", "DigestPassword", password, "AccessPermission", "2", "Realms", "5", "Realms", "13")
	assert.Equal(t, "2", added.ChildText("Handle"))
	assert.True(t, d.CheckPassword("joe", "S3cret!!"))
	c.call(2058, service, "AddUserAclEntryEx", "DigestUsername", "joe", "DigestPassword", password, "AccessPermission", "2")
	c.call(12, service, "AddUserAclEntryEx", "DigestUsername", "$$joe", "DigestPassword", password, "AccessPermission", "2")
	c.call(12, service, "AddUserAclEntryEx", "DigestUsername", "abcdefghijklmnopq", "DigestPassword", password, "AccessPermission", "2")
	c.call(2054, service, "AddUserAclEntryEx", "DigestUsername", "max", "DigestPassword", "abcd", "AccessPermission", "2")
	c.call(2055, service, "AddUserAclEntryEx", "DigestUsername", "max", "DigestPassword", password, "AccessPermission", "2", "Realms", "99")
	c.call(36, service, "AddUserAclEntryEx", "DigestUsername", "max", "DigestPassword", password, "AccessPermission", "7")
	c.call(2053, service, "GetUserAclEntryEx", "Handle", "9")
	e := c.call(0, service, "GetUserAclEntryEx", "Handle", "2")
	assert.Equal(t, "joe", e.ChildText("DigestUsername"))

	joe := newClient(t, d)
	joe.user, joe.pass = "joe", "S3cret!!"
	joe.get("AMT_GeneralSettings")
	joe.power(0, wsmantest.PowerOffSoft)
	assert.Equal(t, "AccessDenied", joe.refused(wsman.ActionGet, "AMT_RedirectionService", "", ""))

	c.call(0, service, "SetAclEnabledState", "Handle", "2", "Enabled", "false")
	assert.Equal(t, "false", c.call(0, service, "GetAclEnabledState", "Handle", "2").ChildText("Enabled"))
	assert.Equal(t, 401, joe.post(joe.request(wsman.ActionGet, wsman.ResourceURI("AMT_GeneralSettings"), "", "")))
	c.call(0, service, "UpdateUserAclEntryEx", "Handle", "2", "DigestUsername", "jim", "DigestPassword", d.PasswordParameter("jim", "S3cret!!"), "AccessPermission", "1", "Realms", "2")
	assert.Equal(t, "jim", d.Users()[2].Name)
	c.call(0, service, "RemoveUserAclEntry", "Handle", "2")
	assert.Equal(t, "2", c.call(0, service, "AddUserAclEntryEx", "KerberosUserSid", "AQUAAAAAAAUVAAAA", "AccessPermission", "2", "Realms", "3").ChildText("Handle"), "handles are used again")
	assert.Equal(t, "AQUAAAAAAAUVAAAA", c.call(0, service, "GetUserAclEntryEx", "Handle", "2").ChildText("KerberosUserSid"))
	for i := range 13 {
		name := "user" + itoa(i)
		c.call(0, service, "AddUserAclEntryEx", "DigestUsername", name, "DigestPassword", d.PasswordParameter(name, "S3cret!!"), "AccessPermission", "2")
	}
	c.call(23, service, "AddUserAclEntryEx", "DigestUsername", "last", "DigestPassword", password, "AccessPermission", "2")
	assert.Equal(t, "admin", c.call(0, service, "GetAdminAclEntry").ChildText("Username"))
	assert.Len(t, d.Users(), 16)
}

// TestEventLog checks the binary form of an entry that the documents show decoded.
func TestEventLog(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	_, value := c.invoke("AMT_MessageLog", "PositionToFirstRecord", "")
	assert.Equal(t, 2, value, "no records")
	d.AddRecord(wsmantest.Record{
		Time: time.Date(2024, 1, 6, 3, 26, 27, 0, time.UTC), DeviceAddress: 255, SensorType: 6, EventType: 0x6F, Offset: 5, SourceType: 0x68, Severity: 16,
		SensorNumber: 255, Entity: 38, EntityInstance: 0x61, Data: [8]byte{0xAA, 10},
	})
	e := c.call(0, "AMT_MessageLog", "PositionToFirstRecord")
	assert.Equal(t, "1", e.ChildText("IterationIdentifier"))
	e = c.call(0, "AMT_MessageLog", "GetRecords", "IterationIdentifier", "1", "MaxReadRecords", "390")
	assert.Equal(t, "Y8iYZf8GbwVoEP8mYaoKAAAAAAAA", e.ChildText("RecordArray"))
	assert.Equal(t, "true", e.ChildText("NoMoreRecords"))
	for i := range 30 {
		d.AddRecord(wsmantest.Record{SensorType: byte(i)})
	}
	var got []byte
	for at := "1"; ; {
		e := c.call(0, "AMT_MessageLog", "GetRecords", "IterationIdentifier", at, "MaxReadRecords", "7")
		for _, p := range e.Children {
			if p.Name == "RecordArray" {
				b, err := base64.StdEncoding.DecodeString(p.Text)
				require.NoError(t, err)
				require.Len(t, b, 21)
				got = append(got, b[5])
			}
		}
		if at = e.ChildText("IterationIdentifier"); e.ChildText("NoMoreRecords") == "true" {
			break
		}
	}
	require.Len(t, got, 31)
	assert.Equal(t, []byte{29, 28, 0, 6}, []byte{got[0], got[1], got[29], got[30]}, "newest first")
	c.call(5, "AMT_MessageLog", "GetRecords", "IterationIdentifier", "0", "MaxReadRecords", "7")
	assert.Len(t, c.list("AMT_EventLogEntry"), 31)
	c.call(0, "AMT_MessageLog", "FreezeLog", "Freeze", "true")
	d.AddRecord(wsmantest.Record{})
	assert.Len(t, d.Records(), 31)
	c.call(0, "AMT_MessageLog", "ClearLog")
	assert.Empty(t, d.Records())
}

// TestAuditLog does so for the audit log.
func TestAuditLog(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	var data []byte
	for _, v := range []uint16{12, 0, 40, 1433, 12, 0, 36, 1428} {
		data = binary.BigEndian.AppendUint16(data, v)
	}
	d.AddAudit(wsmantest.AuditRecord{App: 19, Time: time.Date(2004, 1, 2, 1, 46, 22, 0, time.UTC), Data: data})
	e := c.call(0, "AMT_AuditLog", "ReadRecords", "StartIndex", "1")
	assert.Equal(t, "ABMAAAI/9M1uAgAQAAwAAAAoBZkADAAAACQFlA==", e.ChildText("EventRecords"))
	c.power(0, wsmantest.PowerReset)
	for range 11 {
		d.AddAudit(wsmantest.AuditRecord{App: 20, User: "admin", Address: "192.0.2.9"})
	}
	e = c.call(0, "AMT_AuditLog", "ReadRecords", "StartIndex", "2")
	assert.Equal(t, "13", e.ChildText("TotalRecordCount"))
	assert.Equal(t, "10", e.ChildText("RecordsReturned"))
	assert.Equal(t, "2", c.call(0, "AMT_AuditLog", "ReadRecords", "StartIndex", "12").ChildText("RecordsReturned"))
	c.call(36, "AMT_AuditLog", "ReadRecords", "StartIndex", "0")
	assert.Equal(t, 17, d.AuditRecords()[1].App, "power actions are noted")
	assert.Equal(t, "admin", d.AuditRecords()[1].User)
}

func TestAlarms(t *testing.T) {
	d := newDevice(t, wsmantest.Config{Power: wsmantest.PowerOffSoft, Now: func() time.Time { return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) }})
	c := newClient(t, d)
	template := func(id, start, interval, remove string) string {
		s := `<s:InstanceID xmlns:s="http://intel.com/wbem/wscim/1/ips-schema/1/IPS_AlarmClockOccurrence">` + id + `</s:InstanceID>`
		s += `<s:StartTime xmlns:s="x"><p:Datetime xmlns:p="` + wsman.NamespaceCommon + `">` + start + `</p:Datetime></s:StartTime>`
		if interval != "" {
			s += `<s:Interval xmlns:s="x"><p:Interval xmlns:p="` + wsman.NamespaceCommon + `">` + interval + `</p:Interval></s:Interval>`
		}
		return s + `<s:DeleteOnCompletion xmlns:s="x">` + remove + `</s:DeleteOnCompletion>`
	}
	add := func(want int, id, start, interval, remove string) {
		t.Helper()
		c.call(want, "AMT_AlarmClockService", "AddAlarm", "AlarmTemplate", template(id, start, interval, remove))
	}
	add(0, "Wake", "2026-12-01T06:00:00Z", "P1DT0H0M", "true")
	add(0, "Once", "2026-12-02T06:00:00Z", "", "true")
	add(36, "Past", "2020-12-01T06:00:00Z", "", "true")
	add(36, "Odd", "tomorrow", "", "true")
	add(2058, "Wake", "2026-12-01T06:00:00Z", "", "true")
	require.Len(t, d.Alarms(), 2)
	assert.Equal(t, 24*time.Hour, d.Alarms()[0].Interval)
	all := c.list("IPS_AlarmClockOccurrence")
	require.Len(t, all, 2)
	assert.Equal(t, "2026-12-01T06:00:00Z", all[0].Child("StartTime").ChildText("Datetime"))
	assert.Equal(t, "P1DT0H0M", all[0].Child("Interval").ChildText("Interval"))
	assert.Empty(t, d.Ring())
	d.SetClock(time.Date(2026, 12, 2, 7, 0, 0, 0, time.UTC))
	assert.Len(t, d.Ring(), 2)
	assert.Equal(t, wsmantest.PowerOn, d.Power())
	require.Len(t, d.Alarms(), 1)
	assert.Equal(t, time.Date(2026, 12, 3, 6, 0, 0, 0, time.UTC), d.Alarms()[0].Start)
	c.ask(wsman.ActionDelete, "IPS_AlarmClockOccurrence", selector("InstanceID", "Wake"), "")
	for i := range 5 {
		add(0, "A"+itoa(i), "2027-12-01T06:00:00Z", "", "true")
	}
	add(23, "B", "2027-12-01T06:00:00Z", "", "true")
}
