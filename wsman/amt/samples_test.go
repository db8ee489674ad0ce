package amt_test

import (
	"encoding/base64"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
	"github.com/meshcentral-go/sdk/wsman/cim"
	"github.com/meshcentral-go/sdk/wsman/ips"
)

const sampleHead = `<a:Envelope xmlns:a="http://www.w3.org/2003/05/soap-envelope" xmlns:b="http://schemas.xmlsoap.org/ws/2004/08/addressing" ` +
	`xmlns:c="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:g="http://schemas.xmlsoap.org/ws/2004/09/enumeration" ` +
	`xmlns:h="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_AssociatedPowerManagementService"><a:Header></a:Header><a:Body>`

// sample returns the first element of a body, or what the path says below it.
func sample(t *testing.T, body string, path ...string) *wsman.Element {
	t.Helper()
	e, err := wsman.ParseEnvelope([]byte(sampleHead+body+`</a:Body></a:Envelope>`), wsman.Limits{})
	require.NoError(t, err)
	return e.First().Path(path...)
}

func decode[T any](t *testing.T, body string, path ...string) *T {
	t.Helper()
	v := new(T)
	require.NoError(t, wsman.Decode(sample(t, body, path...), v))
	return v
}

var ignorePresent = cmpopts.IgnoreTypes(wsman.Present{})

func TestSampleHostBasedSetup(t *testing.T) {
	got := decode[ips.HostBasedSetupService](t, `<g:IPS_HostBasedSetupService><g:AllowedControlModes>2</g:AllowedControlModes><g:AllowedControlModes>1</g:AllowedControlModes><g:CertChainStatus>0</g:CertChainStatus><g:ConfigurationNonce>AAECAwQFBgcICQoLDA0ODxAREhM=</g:ConfigurationNonce><g:CreationClassName>IPS_HostBasedSetupService</g:CreationClassName><g:CurrentControlMode>1</g:CurrentControlMode><g:ElementName>Intel(r) AMT Host Based Setup Service</g:ElementName><g:Name>Intel(r) AMT Host Based Setup Service</g:Name><g:SystemCreationClassName>CIM_ComputerSystem</g:SystemCreationClassName><g:SystemName>Intel(r) AMT</g:SystemName></g:IPS_HostBasedSetupService>`)
	require.Empty(t, cmp.Diff(&ips.HostBasedSetupService{
		AllowedControlModes:     []ips.ControlMode{ips.ControlModeAdmin, ips.ControlModeClient},
		ConfigurationNonce:      []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19},
		CreationClassName:       "IPS_HostBasedSetupService",
		CurrentControlMode:      ips.ControlModeClient,
		ElementName:             "Intel(r) AMT Host Based Setup Service",
		Name:                    "Intel(r) AMT Host Based Setup Service",
		SystemCreationClassName: "CIM_ComputerSystem",
		SystemName:              "Intel(r) AMT",
	}, got, ignorePresent))
}

func TestSampleGeneralSettings(t *testing.T) {
	got := decode[amt.GeneralSettings](t, `<g:AMT_GeneralSettings><g:AMTNetworkEnabled>1</g:AMTNetworkEnabled><g:DigestRealm>Digest:0123456789ABCDEF0123456789ABCDEF</g:DigestRealm><g:DomainName></g:DomainName><g:HostName>pc1</g:HostName><g:IdleWakeTimeout>65535</g:IdleWakeTimeout><g:InstanceID>Intel(r) AMT: General Settings</g:InstanceID><g:PowerSource>0</g:PowerSource><g:SharedFQDN>true</g:SharedFQDN></g:AMT_GeneralSettings>`)
	require.Empty(t, cmp.Diff(&amt.GeneralSettings{
		AMTNetworkEnabled: amt.SwitchEnabled,
		DigestRealm:       "Digest:0123456789ABCDEF0123456789ABCDEF",
		HostName:          "pc1",
		IdleWakeTimeout:   65535,
		InstanceID:        "Intel(r) AMT: General Settings",
		PowerSource:       amt.PowerSourceAC,
		SharedFQDN:        true,
	}, got, ignorePresent))

	// A Put has what the Get had, as it is now: a switch that went off is written, what was absent is not.
	got.SharedFQDN = false
	b, err := wsman.AppendValue(nil, "AMT_GeneralSettings", "AMT_GeneralSettings", got)
	require.NoError(t, err)
	el, err := wsman.ParseElement(b, wsman.Limits{})
	require.NoError(t, err)
	var names []string
	for _, c := range el.Children {
		names = append(names, c.Name)
	}
	require.Equal(t, []string{"AMTNetworkEnabled", "DigestRealm", "HostName", "IdleWakeTimeout", "InstanceID", "PowerSource", "SharedFQDN"}, names)
	require.Equal(t, "false", el.ChildText("SharedFQDN"))
}

// The enumeration of the association gives the subclass, which both types read.
const samplePower = `<g:PullResponse><g:Items><h:CIM_AssociatedPowerManagementService><h:AvailableRequestedPowerStates>8</h:AvailableRequestedPowerStates><h:AvailableRequestedPowerStates>10</h:AvailableRequestedPowerStates><h:PowerState>2</h:PowerState><h:ServiceProvided><b:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</b:Address><b:ReferenceParameters><c:ResourceURI>http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_PowerManagementService</c:ResourceURI><c:SelectorSet><c:Selector Name="Name">Intel(r) AMT Power Management Service</c:Selector></c:SelectorSet></b:ReferenceParameters></h:ServiceProvided></h:CIM_AssociatedPowerManagementService></g:Items><g:EndOfSequence></g:EndOfSequence></g:PullResponse>`

func TestSamplePowerState(t *testing.T) {
	path := []string{"Items", "CIM_AssociatedPowerManagementService"}
	service := decode[cim.AssociatedPowerManagementService](t, samplePower, path...)
	require.Equal(t, cim.PowerStateOn, service.PowerState)
	require.Equal(t, []cim.PowerState{cim.PowerStateOffSoft, cim.PowerStateMasterBusReset}, service.AvailableRequestedPowerStates)
	require.Equal(t, "Intel(r) AMT Power Management Service", service.ServiceProvided.Selector("Name"))
	require.Equal(t, "CIM_PowerManagementService", service.ServiceProvided.ClassName())
	require.True(t, service.UserOfService.IsZero())

	available := decode[cim.ServiceAvailableToElement](t, samplePower, path...)
	require.Equal(t, service.PowerState, available.PowerState)
	require.Equal(t, service.ServiceProvided, available.ServiceProvided)
}

func TestSampleKeyPair(t *testing.T) {
	got := decode[amt.PublicKeyManagementServiceGenerateKeyPairOutput](t, `<g:GenerateKeyPair_OUTPUT><g:KeyPair><b:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</b:Address><b:ReferenceParameters><c:ResourceURI>http://intel.com/wbem/wscim/1/amt-schema/1/AMT_PublicPrivateKeyPair</c:ResourceURI><c:SelectorSet><c:Selector Name="InstanceID">Intel(r) AMT Key: Handle: 0</c:Selector></c:SelectorSet></b:ReferenceParameters></g:KeyPair><g:ReturnValue>0</g:ReturnValue></g:GenerateKeyPair_OUTPUT>`)
	want := amt.KeyPair("Intel(r) AMT Key: Handle: 0")
	want.Address = wsman.Anonymous
	require.Equal(t, want, got.KeyPair)
}

func TestSampleACLList(t *testing.T) {
	got := decode[amt.AuthorizationServiceEnumerateUserAclEntriesOutput](t, `<g:EnumerateUserAclEntries_OUTPUT><g:TotalCount>1</g:TotalCount><g:HandlesCount>1</g:HandlesCount><g:Handles>1</g:Handles><g:ReturnValue>0</g:ReturnValue></g:EnumerateUserAclEntries_OUTPUT>`)
	require.Equal(t, &amt.AuthorizationServiceEnumerateUserAclEntriesOutput{TotalCount: 1, HandlesCount: 1, Handles: []uint32{1}}, got)
}

func TestSampleEventLog(t *testing.T) {
	got := decode[amt.MessageLogGetRecordsOutput](t, `<g:GetRecords_OUTPUT><g:IterationIdentifier>2</g:IterationIdentifier><g:NoMoreRecords>true</g:NoMoreRecords><g:RecordArray>Y8iYZf8GbwVoEP8mYaoKAAAAAAAA</g:RecordArray><g:ReturnValue>0</g:ReturnValue></g:GetRecords_OUTPUT>`)
	require.Equal(t, "2", got.IterationIdentifier)
	require.True(t, got.NoMoreRecords)
	require.Len(t, got.RecordArray, 1)
	require.Len(t, got.RecordArray[0], 21)
}

func TestSampleTime(t *testing.T) {
	got := decode[amt.TimeSynchronizationServiceGetLowAccuracyTimeSynchOutput](t, `<g:GetLowAccuracyTimeSynch_OUTPUT><g:Ta0>1767225600</g:Ta0><g:ReturnValue>0</g:ReturnValue></g:GetLowAccuracyTimeSynch_OUTPUT>`)
	require.Equal(t, uint32(1767225600), got.Ta0)
}

func TestSampleConsent(t *testing.T) {
	got := decode[ips.OptInServiceStartOptInOutput](t, `<g:StartOptIn_OUTPUT><g:ReturnValue>2</g:ReturnValue></g:StartOptIn_OUTPUT>`)
	require.Equal(t, uint32(2), got.ReturnValue)
	require.Equal(t, "INVALID_STATE", ips.OptInNames(got.ReturnValue))
}

func TestSampleBootOrder(t *testing.T) {
	got := decode[cim.BootConfigSettingChangeBootOrderOutput](t, `<g:ChangeBootOrder_OUTPUT><g:ReturnValue>0</g:ReturnValue></g:ChangeBootOrder_OUTPUT>`)
	require.Equal(t, &cim.BootConfigSettingChangeBootOrderOutput{}, got)
}

func TestSampleTLSSettings(t *testing.T) {
	const body = `<g:AMT_TLSSettingData><g:AcceptNonSecureConnections>false</g:AcceptNonSecureConnections><g:ElementName>Intel(r) AMT 802.3 TLS Settings</g:ElementName><g:Enabled>true</g:Enabled><g:InstanceID>Intel(r) AMT 802.3 TLS Settings</g:InstanceID><g:MutualAuthentication>false</g:MutualAuthentication>`
	old := decode[amt.TLSSettingData](t, body+`</g:AMT_TLSSettingData>`)
	require.True(t, old.Enabled)
	require.Equal(t, amt.TLSRemote, old.InstanceID)
	require.Nil(t, old.NonSecureConnectionsSupported)
	newer := decode[amt.TLSSettingData](t, body+`<g:NonSecureConnectionsSupported>false</g:NonSecureConnectionsSupported></g:AMT_TLSSettingData>`)
	require.Equal(t, new(false), newer.NonSecureConnectionsSupported)
}

func TestSampleOptInRequired(t *testing.T) {
	got := decode[ips.OptInService](t, `<g:IPS_OptInService><g:CanModifyOptInPolicy>1</g:CanModifyOptInPolicy><g:OptInRequired>4294967295</g:OptInRequired><g:OptInState>0</g:OptInState></g:IPS_OptInService>`)
	require.Equal(t, ips.OptInRequiredAll, got.OptInRequired)
}

func TestSampleDates(t *testing.T) {
	got := decode[cim.BIOSElement](t, `<g:CIM_BIOSElement><g:Manufacturer>Vendor  </g:Manufacturer><g:ReleaseDate><x:Datetime xmlns:x="http://schemas.dmtf.org/wbem/wscim/1/common">2017-01-31T15:40:09.000Z</x:Datetime></g:ReleaseDate></g:CIM_BIOSElement>`)
	require.Equal(t, "2017-01-31T15:40:09Z", got.ReleaseDate.Format("2006-01-02T15:04:05Z07:00"))
	require.Equal(t, "Vendor  ", got.Manufacturer)
	alarm := decode[ips.AlarmClockOccurrence](t, `<g:IPS_AlarmClockOccurrence><g:DeleteOnCompletion>true</g:DeleteOnCompletion><g:InstanceID>Wake</g:InstanceID><g:Interval><x:Interval xmlns:x="http://schemas.dmtf.org/wbem/wscim/1/common">P1DT2H30M</x:Interval></g:Interval></g:IPS_AlarmClockOccurrence>`)
	require.Equal(t, "26h30m0s", alarm.Interval.String())
}

// The name is misspelled in firmware.
func TestSampleTrustedRoot(t *testing.T) {
	got := decode[amt.PublicKeyCertificate](t, `<g:AMT_PublicKeyCertificate><g:TrustedRootCertficate>true</g:TrustedRootCertficate><g:X509Certificate>MAA=</g:X509Certificate></g:AMT_PublicKeyCertificate>`)
	require.True(t, got.TrustedRootCertificate)
	require.Equal(t, "MAA=", base64.StdEncoding.EncodeToString(got.X509Certificate))
}
