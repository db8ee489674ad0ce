package amt_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
	"github.com/meshcentral-go/sdk/wsman/cim"
	"github.com/meshcentral-go/sdk/wsman/ips"
)

const (
	testRealm = "Digest:0123456789ABCDEF0123456789ABCDEF"
	testID    = "Intel(r) AMT Certificate: Handle: "
)

// golden has values and the file in testdata/golden that says how they are written.
func golden() map[string]message {
	password := wsman.NewSecret("P@ssw0rd1")
	return map[string]message{
		"RequestPowerStateChange": {"CIM_PowerManagementService", "RequestPowerStateChange_INPUT", &cim.PowerManagementServiceRequestPowerStateChange{
			PowerState: cim.PowerStateMasterBusReset, ManagedElement: cim.ManagedSystem(),
		}},
		"ChangeBootOrder": {"CIM_BootConfigSetting", "ChangeBootOrder_INPUT", &cim.BootConfigSettingChangeBootOrder{
			Source: []wsman.Ref{cim.BootSource(cim.BootSourcePXE)},
		}},
		"ChangeBootOrderClear": {"CIM_BootConfigSetting", "ChangeBootOrder_INPUT", &cim.BootConfigSettingChangeBootOrder{}},
		"SetBootConfigRole": {"CIM_BootService", "SetBootConfigRole_INPUT", &cim.BootServiceSetBootConfigRole{
			BootConfigSetting: cim.BootConfig(), Role: cim.BootConfigRoleIsNextSingleUse,
		}},
		"AddRemoteAccessPolicyRule": {"AMT_RemoteAccessService", "AddRemoteAccessPolicyRule_INPUT", &amt.RemoteAccessServiceAddRemoteAccessPolicyRule{
			Trigger: amt.TriggerPeriodic, ExtendedData: amt.Every(10 * time.Second),
			MpServer: []wsman.Ref{amt.MPS("Intel(r) AMT:Management Presence Server 0")},
		}},
		"AddMpServer": {"AMT_RemoteAccessService", "AddMpServer_INPUT", &amt.RemoteAccessServiceAddMpServer{
			AccessInfo: "mps.example.org", InfoFormat: amt.InfoFormatFQDN, Port: 4433, AuthMethod: amt.MPSAuthPassword,
			Username: "user", Password: wsman.NewSecret("p&ssw<rd"), CN: "mps.example.org",
		}},
		"AddAlarm": {"AMT_AlarmClockService", "AddAlarm_INPUT", &amt.AlarmClockServiceAddAlarm{AlarmTemplate: &ips.AlarmClockOccurrence{
			InstanceID: "Wake", StartTime: time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC), Interval: 26*time.Hour + 30*time.Minute, DeleteOnCompletion: true,
		}}},
		"AddWiFiSettings": {"AMT_WiFiPortConfigurationService", "AddWiFiSettings_INPUT", &amt.WiFiPortConfigurationServiceAddWiFiSettings{
			WiFiEndpoint: cim.WiFiEndpointRef(),
			WiFiEndpointSettingsInput: &cim.WiFiEndpointSettings{
				ElementName: "home", InstanceID: cim.WiFiProfileID("home"), SSID: "a<b", Priority: 1,
				AuthenticationMethod: cim.AuthenticationMethodWPA2IEEE8021x, EncryptionMethod: cim.EncryptionMethodCCMP,
			},
			IEEE8021xSettingsInput: &cim.IEEE8021xSettings{
				ElementName: "home", InstanceID: "Intel(r) AMT: 8021X Settings home",
				AuthenticationProtocol: cim.AuthenticationProtocolEAPTLS, Username: "pc1",
			},
			ClientCredential: amt.Certificate(testID + "2"),
		}},
		"AddUserAclEntryEx": {"AMT_AuthorizationService", "AddUserAclEntryEx_INPUT", &amt.AuthorizationServiceAddUserAclEntryEx{
			DigestUsername: "admin", DigestPassword: amt.PasswordHash("admin", testRealm, password),
			AccessPermission: amt.AccessPermissionAny, Realms: []amt.Realm{amt.RealmRedirection, amt.RealmRemoteControl},
		}},
		"Setup": {"IPS_HostBasedSetupService", "Setup_INPUT", &ips.HostBasedSetupServiceSetup{
			NetAdminPassEncryptionType: ips.PasswordEncryptionHTTPDigestMD5A1,
			NetworkAdminPassword:       ips.PasswordHash("admin", testRealm, password),
		}},
		"AMT_TLSCredentialContext": {"AMT_TLSCredentialContext", "AMT_TLSCredentialContext", &amt.TLSCredentialContext{
			ElementInContext: amt.Certificate(testID + "3"), ElementProvidingContext: amt.TLSEndpoints(),
		}},
		// A reference whose selector is a reference.
		"UpdateStatistics": {"AMT_SystemDefensePolicy", "UpdateStatistics_INPUT", &amt.SystemDefensePolicyUpdateStatistics{
			NetworkInterface: wsman.NewRef("CIM_ElementSettingData", wsman.RefKey("ManagedElement",
				wsman.NewRef("CIM_EthernetPort", wsman.Key("DeviceID", "Intel(r) AMT Ethernet Port 0")))),
		}},
	}
}

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.xml")
	require.NoError(t, err)
	all := golden()
	require.Len(t, files, len(all))
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".xml")
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(file)
			require.NoError(t, err)
			want, err := wsman.ParseElement(b, wsman.Limits{})
			require.NoError(t, err)
			trim(want)
			m := all[name]
			require.NotNil(t, m.value)
			_, have := encode(t, m, m.value)
			require.Empty(t, cmp.Diff(want, have))

			back := m.fresh()
			require.NoError(t, wsman.Decode(want, back))
			again, err := wsman.AppendValue(nil, m.class, m.element, back)
			require.NoError(t, err)
			el, err := wsman.ParseElement(again, wsman.Limits{})
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(want, el))
		})
	}
}

// trim removes the line breaks that make the files readable.
func trim(el *wsman.Element) {
	if len(el.Children) > 0 {
		el.Text = strings.TrimSpace(el.Text)
	}
	for i := range el.Children {
		trim(&el.Children[i])
	}
}
