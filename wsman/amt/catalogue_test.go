package amt_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// catalogue is all classes that clients of AMT are known to use.
const catalogue = `
AMT_8021XProfile
AMT_8021xCredentialContext
AMT_AgentPresenceWatchdog
AMT_AgentPresenceWatchdogAction
AMT_AgentPresenceWatchdogVA
AMT_AlarmClockService
AMT_AssetTable
AMT_AssetTableService
AMT_AuditLog
AMT_AuditPolicyRule
AMT_AuthorizationService
AMT_BootCapabilities
AMT_BootSettingData
AMT_CryptographicCapabilities
AMT_EndpointAccessControlService
AMT_EnvironmentDetectionSettingData
AMT_EthernetPortSettings
AMT_EventLogEntry
AMT_GeneralSettings
AMT_Hdr8021Filter
AMT_HeuristicPacketFilterStatistics
AMT_KerberosSettingData
AMT_MPSUsernamePassword
AMT_ManagementPresenceRemoteSAP
AMT_MessageLog
AMT_PublicKeyCertificate
AMT_PublicKeyManagementService
AMT_PublicPrivateKeyPair
AMT_RedirectionService
AMT_RemoteAccessCapabilities
AMT_RemoteAccessCredentialContext
AMT_RemoteAccessPolicyAppliesToMPS
AMT_RemoteAccessPolicyRule
AMT_RemoteAccessService
AMT_SetupAndConfigurationService
AMT_SystemDefensePolicy
AMT_SystemPowerScheme
AMT_TLSCredentialContext
AMT_TLSProtocolEndpointCollection
AMT_TLSSettingData
AMT_TimeSynchronizationService
AMT_UserInitiatedConnectionService
AMT_WebUIService
AMT_WiFiPortConfigurationService
CIM_Account
CIM_AccountManagementService
CIM_AssociatedPowerManagementService
CIM_BIOSElement
CIM_BIOSFeature
CIM_Battery
CIM_BootConfigSetting
CIM_BootService
CIM_BootSourceSetting
CIM_Card
CIM_Chassis
CIM_Chip
CIM_ComputerSystemPackage
CIM_ConcreteDependency
CIM_CredentialContext
CIM_EthernetPort
CIM_Fan
CIM_IEEE8021xSettings
CIM_KVMRedirectionSAP
CIM_MediaAccessDevice
CIM_PhysicalFrame
CIM_PhysicalMemory
CIM_PhysicalPackage
CIM_PowerManagementCapabilities
CIM_PowerManagementService
CIM_PowerSupply
CIM_Processor
CIM_RecordLog
CIM_RedirectionService
CIM_Sensor
CIM_ServiceAvailableToElement
CIM_SoftwareIdentity
CIM_StatisticalData
CIM_SystemPackaging
CIM_Watchdog
CIM_WiFiEndpoint
CIM_WiFiEndpointCapabilities
CIM_WiFiEndpointSettings
CIM_WiFiPort
CIM_WiFiPortCapabilities
IPS_8021xCredentialContext
IPS_AlarmClockOccurrence
IPS_HTTPProxyAccessPoint
IPS_HTTPProxyService
IPS_HostBasedSetupService
IPS_HostBootReason
IPS_HostIPSettings
IPS_IEEE8021xSettings
IPS_IPv6PortSettings
IPS_KVMRedirectionSettingData
IPS_LANEndpoint
IPS_OptInService
IPS_PowerManagementService
IPS_ProvisioningRecordLog
IPS_ScreenConfigurationService
IPS_ScreenSettingData
IPS_SecIOService
`

func TestCatalogue(t *testing.T) {
	want := strings.Fields(catalogue)
	require.Len(t, want, 101)
	var have []string
	for _, f := range families {
		names := f.classes()
		require.True(t, slices.IsSorted(names))
		for _, class := range names {
			require.True(t, strings.HasPrefix(class, f.prefix), class)
			require.Equal(t, class, f.create(class).Class())
			require.NotSame(t, f.create(class), f.create(class))
		}
		have = append(have, names...)
	}
	slices.Sort(have)
	require.Equal(t, want, have)
}

func TestUnknownNames(t *testing.T) {
	for _, f := range families {
		for _, class := range []string{"", f.prefix, f.prefix + "Nothing", strings.ToLower(f.classes()[0])} {
			require.Nil(t, f.create(class), class)
			require.Nil(t, f.methods(class), class)
			require.Nil(t, f.newInput(class, "RequestStateChange"), class)
			require.Nil(t, f.newOutput(class, ""), class)
		}
		require.Nil(t, f.newInput(f.classes()[0], "Nothing"))
	}
}

// What the facts say of methods: names and parameters, in their order.
func TestMethodParameters(t *testing.T) {
	for _, line := range strings.Split(strings.TrimSpace(methodParameters), "\n") {
		class, rest, _ := strings.Cut(line, ".")
		method, params, _ := strings.Cut(strings.TrimSuffix(rest, ")"), "(")
		t.Run(class+"."+method, func(t *testing.T) {
			var in any
			for _, f := range families {
				if strings.HasPrefix(class, f.prefix) {
					in = f.newInput(class, method)
				}
			}
			require.NotNil(t, in)
			var want []string
			if params != "" {
				want = strings.Split(params, ", ")
			}
			var have []string
			for f := range fields(in) {
				have = append(have, f)
			}
			require.Equal(t, want, have)
		})
	}
}

// methodParameters are the methods that the stock manager has wrappers for.
const methodParameters = `
AMT_AgentPresenceWatchdog.RegisterAgent()
AMT_AgentPresenceWatchdog.AssertPresence(SequenceNumber)
AMT_AgentPresenceWatchdog.AssertShutdown(SequenceNumber)
AMT_AgentPresenceWatchdog.AddAction(OldState, NewState, EventOnTransition, ActionSd, ActionEac)
AMT_AgentPresenceWatchdog.DeleteAllActions()
AMT_AgentPresenceWatchdogAction.GetActionEac()
AMT_AgentPresenceWatchdogVA.RegisterAgent()
AMT_AgentPresenceWatchdogVA.AssertPresence(SequenceNumber)
AMT_AgentPresenceWatchdogVA.AssertShutdown(SequenceNumber)
AMT_AgentPresenceWatchdogVA.AddAction(OldState, NewState, EventOnTransition, ActionSd, ActionEac)
AMT_AgentPresenceWatchdogVA.DeleteAllActions()
AMT_AuditLog.ClearLog()
AMT_AuditLog.RequestStateChange(RequestedState, TimeoutPeriod)
AMT_AuditLog.ReadRecords(StartIndex)
AMT_AuditLog.SetAuditLock(LockTimeoutInSeconds, Flag, Handle)
AMT_AuditLog.ExportAuditLogSignature(SigningMechanism)
AMT_AuditLog.SetSigningKeyMaterial(SigningMechanismType, SigningKey, LengthOfCertificates, Certificates)
AMT_AuditPolicyRule.SetAuditPolicy(Enable, AuditedAppID, EventID, PolicyType)
AMT_AuditPolicyRule.SetAuditPolicyBulk(Enable, AuditedAppID, EventID, PolicyType)
AMT_AuthorizationService.AddUserAclEntryEx(DigestUsername, DigestPassword, KerberosUserSid, AccessPermission, Realms)
AMT_AuthorizationService.EnumerateUserAclEntries(StartIndex)
AMT_AuthorizationService.GetUserAclEntryEx(Handle)
AMT_AuthorizationService.UpdateUserAclEntryEx(Handle, DigestUsername, DigestPassword, KerberosUserSid, AccessPermission, Realms)
AMT_AuthorizationService.RemoveUserAclEntry(Handle)
AMT_AuthorizationService.SetAdminAclEntryEx(Username, DigestPassword)
AMT_AuthorizationService.GetAdminAclEntry()
AMT_AuthorizationService.GetAdminAclEntryStatus()
AMT_AuthorizationService.GetAdminNetAclEntryStatus()
AMT_AuthorizationService.SetAclEnabledState(Handle, Enabled)
AMT_AuthorizationService.GetAclEnabledState(Handle)
AMT_EndpointAccessControlService.RequestStateChange(RequestedState, TimeoutPeriod)
AMT_EndpointAccessControlService.GetPosture(PostureType)
AMT_EndpointAccessControlService.GetPostureHash(PostureType)
AMT_EndpointAccessControlService.UpdatePostureState(UpdateType)
AMT_EndpointAccessControlService.GetEacOptions()
AMT_EndpointAccessControlService.SetEacOptions(EacVendors, PostureHashAlgorithm)
AMT_EnvironmentDetectionSettingData.SetSystemDefensePolicy(Policy)
AMT_EnvironmentDetectionSettingData.EnableVpnRouting(Enable)
AMT_EthernetPortSettings.SetLinkPreference(LinkPreference, Timeout)
AMT_HeuristicPacketFilterStatistics.ResetSelectedStats(SelectedStatistics)
AMT_KerberosSettingData.GetCredentialCacheState()
AMT_KerberosSettingData.SetCredentialCacheState(Enable)
AMT_MessageLog.CancelIteration(IterationIdentifier)
AMT_MessageLog.RequestStateChange(RequestedState, TimeoutPeriod)
AMT_MessageLog.ClearLog()
AMT_MessageLog.GetRecords(IterationIdentifier, MaxReadRecords)
AMT_MessageLog.GetRecord(IterationIdentifier, PositionToNext)
AMT_MessageLog.PositionAtRecord(IterationIdentifier, MoveAbsolute, RecordNumber)
AMT_MessageLog.PositionToFirstRecord()
AMT_MessageLog.FreezeLog(Freeze)
AMT_PublicKeyManagementService.AddCRL(Url, SerialNumbers)
AMT_PublicKeyManagementService.ResetCRLList()
AMT_PublicKeyManagementService.AddCertificate(CertificateBlob)
AMT_PublicKeyManagementService.AddTrustedRootCertificate(CertificateBlob)
AMT_PublicKeyManagementService.AddKey(KeyBlob)
AMT_PublicKeyManagementService.GeneratePKCS10Request(KeyPair, DNName, Usage)
AMT_PublicKeyManagementService.GeneratePKCS10RequestEx(KeyPair, SigningAlgorithm, NullSignedCertificateRequest)
AMT_PublicKeyManagementService.GenerateKeyPair(KeyAlgorithm, KeyLength)
AMT_RedirectionService.RequestStateChange(RequestedState)
AMT_RedirectionService.TerminateSession(SessionType)
AMT_RemoteAccessService.AddMpServer(AccessInfo, InfoFormat, Port, AuthMethod, Certificate, Username, Password, CN)
AMT_RemoteAccessService.AddRemoteAccessPolicyRule(Trigger, TunnelLifeTime, ExtendedData, MpServer, InternalMpServer)
AMT_RemoteAccessService.CloseRemoteAccessConnection()
AMT_SetupAndConfigurationService.CommitChanges()
AMT_SetupAndConfigurationService.Unprovision(ProvisioningMode)
AMT_SetupAndConfigurationService.PartialUnprovision()
AMT_SetupAndConfigurationService.ResetFlashWearOutProtection()
AMT_SetupAndConfigurationService.ExtendProvisioningPeriod(Duration)
AMT_SetupAndConfigurationService.SetMEBxPassword(Password)
AMT_SetupAndConfigurationService.SetTLSPSK(PID, PPS)
AMT_SetupAndConfigurationService.GetProvisioningAuditRecord()
AMT_SetupAndConfigurationService.GetUuid()
AMT_SetupAndConfigurationService.GetUnprovisionBlockingComponents()
AMT_SetupAndConfigurationService.GetProvisioningAuditRecordV2()
AMT_SystemDefensePolicy.GetTimeout()
AMT_SystemDefensePolicy.SetTimeout(Timeout)
AMT_SystemDefensePolicy.UpdateStatistics(NetworkInterface, ResetOnRead)
AMT_SystemPowerScheme.SetPowerScheme()
AMT_TimeSynchronizationService.GetLowAccuracyTimeSynch()
AMT_TimeSynchronizationService.SetHighAccuracyTimeSynch(Ta0, Tm1, Tm2)
AMT_UserInitiatedConnectionService.RequestStateChange(RequestedState, TimeoutPeriod)
AMT_WebUIService.RequestStateChange(RequestedState, TimeoutPeriod)
AMT_WiFiPortConfigurationService.AddWiFiSettings(WiFiEndpoint, WiFiEndpointSettingsInput, IEEE8021xSettingsInput, ClientCredential, CACredential)
AMT_WiFiPortConfigurationService.UpdateWiFiSettings(WiFiEndpointSettings, WiFiEndpointSettingsInput, IEEE8021xSettingsInput, ClientCredential, CACredential)
AMT_WiFiPortConfigurationService.DeleteAllITProfiles()
AMT_WiFiPortConfigurationService.DeleteAllUserProfiles()
CIM_Account.RequestStateChange(RequestedState, TimeoutPeriod)
CIM_AccountManagementService.CreateAccount(System, AccountTemplate)
CIM_BootConfigSetting.ChangeBootOrder(Source)
CIM_BootService.SetBootConfigRole(BootConfigSetting, Role)
CIM_Card.ConnectorPower(Connector, PoweredOn)
CIM_Card.IsCompatible(ElementToCheck)
CIM_Chassis.IsCompatible(ElementToCheck)
CIM_Fan.SetSpeed(DesiredSpeed)
CIM_KVMRedirectionSAP.RequestStateChange(RequestedState, TimeoutPeriod)
CIM_MediaAccessDevice.LockMedia(Lock)
CIM_MediaAccessDevice.SetPowerState(PowerState, Time)
CIM_MediaAccessDevice.Reset()
CIM_MediaAccessDevice.EnableDevice(Enabled)
CIM_MediaAccessDevice.OnlineDevice(Online)
CIM_MediaAccessDevice.QuiesceDevice(Quiesce)
CIM_MediaAccessDevice.SaveProperties()
CIM_MediaAccessDevice.RestoreProperties()
CIM_MediaAccessDevice.RequestStateChange(RequestedState, TimeoutPeriod)
CIM_PhysicalFrame.IsCompatible(ElementToCheck)
CIM_PhysicalPackage.IsCompatible(ElementToCheck)
CIM_PowerManagementService.RequestPowerStateChange(PowerState, ManagedElement, Time, TimeoutPeriod)
CIM_PowerSupply.SetPowerState(PowerState, Time)
CIM_PowerSupply.Reset()
CIM_PowerSupply.EnableDevice(Enabled)
CIM_PowerSupply.OnlineDevice(Online)
CIM_PowerSupply.QuiesceDevice(Quiesce)
CIM_PowerSupply.SaveProperties()
CIM_PowerSupply.RestoreProperties()
CIM_PowerSupply.RequestStateChange(RequestedState, TimeoutPeriod)
CIM_Processor.SetPowerState(PowerState, Time)
CIM_Processor.Reset()
CIM_Processor.EnableDevice(Enabled)
CIM_Processor.OnlineDevice(Online)
CIM_Processor.QuiesceDevice(Quiesce)
CIM_Processor.SaveProperties()
CIM_Processor.RestoreProperties()
CIM_Processor.RequestStateChange(RequestedState, TimeoutPeriod)
CIM_RecordLog.ClearLog()
CIM_RecordLog.RequestStateChange(RequestedState, TimeoutPeriod)
CIM_RedirectionService.RequestStateChange(RequestedState, TimeoutPeriod)
CIM_Sensor.SetPowerState(PowerState, Time)
CIM_Sensor.Reset()
CIM_Sensor.EnableDevice(Enabled)
CIM_Sensor.OnlineDevice(Online)
CIM_Sensor.QuiesceDevice(Quiesce)
CIM_Sensor.SaveProperties()
CIM_Sensor.RestoreProperties()
CIM_Sensor.RequestStateChange(RequestedState, TimeoutPeriod)
CIM_StatisticalData.ResetSelectedStats(SelectedStatistics)
CIM_Watchdog.KeepAlive()
CIM_Watchdog.SetPowerState(PowerState, Time)
CIM_Watchdog.Reset()
CIM_Watchdog.EnableDevice(Enabled)
CIM_Watchdog.OnlineDevice(Online)
CIM_Watchdog.QuiesceDevice(Quiesce)
CIM_Watchdog.SaveProperties()
CIM_Watchdog.RestoreProperties()
CIM_Watchdog.RequestStateChange(RequestedState, TimeoutPeriod)
CIM_WiFiPort.SetPowerState(PowerState, Time)
CIM_WiFiPort.Reset()
CIM_WiFiPort.EnableDevice(Enabled)
CIM_WiFiPort.OnlineDevice(Online)
CIM_WiFiPort.QuiesceDevice(Quiesce)
CIM_WiFiPort.SaveProperties()
CIM_WiFiPort.RestoreProperties()
CIM_WiFiPort.RequestStateChange(RequestedState, TimeoutPeriod)
IPS_HTTPProxyService.AddProxyAccessPoint(AccessInfo, InfoFormat, Port, NetworkDnsSuffix)
IPS_HostBasedSetupService.Setup(NetAdminPassEncryptionType, NetworkAdminPassword, McNonce, Certificate, SigningAlgorithm, DigitalSignature)
IPS_HostBasedSetupService.AddNextCertInChain(NextCertificate, IsLeafCertificate, IsRootCertificate)
IPS_HostBasedSetupService.AdminSetup(NetAdminPassEncryptionType, NetworkAdminPassword, McNonce, SigningAlgorithm, DigitalSignature)
IPS_HostBasedSetupService.UpgradeClientToAdmin(McNonce, SigningAlgorithm, DigitalSignature)
IPS_HostBasedSetupService.DisableClientControlMode()
IPS_KVMRedirectionSettingData.TerminateSession()
IPS_KVMRedirectionSettingData.DataChannelRead()
IPS_KVMRedirectionSettingData.DataChannelWrite(DataMessage)
IPS_OptInService.StartOptIn()
IPS_OptInService.CancelOptIn()
IPS_OptInService.SendOptInCode(OptInCode)
IPS_OptInService.StartService()
IPS_OptInService.StopService()
IPS_OptInService.RequestStateChange(RequestedState, TimeoutPeriod)
IPS_PowerManagementService.RequestOSPowerSavingStateChange(OSPowerSavingState, ManagedElement, Time, TimeoutPeriod)
IPS_ProvisioningRecordLog.RequestStateChange(RequestedState, TimeoutPeriod)
IPS_ProvisioningRecordLog.ClearLog()
IPS_ScreenConfigurationService.SetSessionState(SessionState, ConsecutiveRebootsNum)
IPS_SecIOService.RequestStateChange(RequestedState, TimeoutPeriod)
`
