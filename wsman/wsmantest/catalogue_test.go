package wsmantest_test

import (
	"context"
	"net"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
	"github.com/meshcentral-go/sdk/wsman/cim"
	"github.com/meshcentral-go/sdk/wsman/ips"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// sdkClient is this project's own client, connected to a device directly.
func sdkClient(t testing.TB, d *wsmantest.Device, change ...func(*wsman.Config)) *wsman.Client {
	t.Helper()
	cfg := wsman.Config{
		Address: "pc1:16992", Username: "admin", Password: wsman.NewSecret(wsmantest.DefaultPassword), Timeout: 10 * time.Minute,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go d.ServeConn(theirs, wsmantest.PortHTTP)
			return ours, nil
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := wsman.NewClient(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func allClasses() []string { return slices.Concat(amt.Classes(), cim.Classes(), ips.Classes()) }

func newOf(class string) wsman.Classer {
	switch class[:4] {
	case "AMT_":
		return amt.New(class)
	case "CIM_":
		return cim.New(class)
	}
	return ips.New(class)
}

// full is a device with an instance of everything that it can have.
func full(t *testing.T, cfg wsmantest.Config) *wsmantest.Device {
	t.Helper()
	cfg.TLS = true
	d := newDevice(t, cfg)
	c := newClient(t, d)
	d.AddRecord(wsmantest.Record{SensorType: 15})
	c.call(0, remoteAccess, "AddMpServer", "AccessInfo", "a.example", "InfoFormat", "201", "Port", "4433", "AuthMethod", "2", "Username", "u", "Password", "p")
	c.call(0, remoteAccess, "AddRemoteAccessPolicyRule", "Trigger", "2", "TunnelLifeTime", "0", "ExtendedData", "AAAAAAAAAAo=",
		"MpServer", epr("AMT_ManagementPresenceRemoteSAP", "Name", "Intel(r) AMT:Management Presence Server 0"))
	c.call(0, "IPS_HTTPProxyService", "AddProxyAccessPoint", "AccessInfo", "proxy.example", "InfoFormat", "201", "Port", "8080", "NetworkDnsSuffix", "example")
	c.call(0, wifiService, "AddWiFiSettings", "WiFiEndpoint", epr("CIM_WiFiEndpoint", "Name", "WiFi Endpoint 0"), "WiFiEndpointSettingsInput", profile("home", "6", "1", "correct horse"))
	return d
}

// TestCatalogue enumerates all classes that this project knows, with its own client, into their structs: each is there or
// absent as a fault says, and a struct of the class names every property that the simulator shows.
func TestCatalogue(t *testing.T) {
	d := full(t, wsmantest.Config{})
	c := sdkClient(t, d)
	var absent, empty []string
	for _, class := range allClasses() {
		n := 0
		for el, err := range c.Enumerate(t.Context(), wsman.ResourceURI(class)) {
			if err != nil {
				require.ErrorIs(t, err, wsman.ErrUnsupported, class)
				absent = append(absent, class)
				n = -1
				break
			}
			n++
			v := newOf(el.Name)
			require.NotNil(t, v, el.Name)
			require.NoError(t, wsman.Decode(el, v), class)
			for _, extra := range reflect.ValueOf(v).Elem().FieldByName("Extra").Interface().([]wsman.Element) {
				t.Errorf("%s: the struct does not know %s", el.Name, extra.Name)
			}
		}
		if n == 0 {
			empty = append(empty, class)
		}
	}
	assert.Equal(t, []string{"AMT_EndpointAccessControlService"}, absent)
	t.Logf("%d classes; empty: %v", len(allClasses()), empty)
}

func methodsOf(class string) (names []string, input, output func(class, method string) any) {
	switch class[:4] {
	case "AMT_":
		return amt.Methods(class), amt.NewInput, amt.NewOutput
	case "CIM_":
		return cim.Methods(class), cim.NewInput, cim.NewOutput
	}
	return ips.Methods(class), ips.NewInput, ips.NewOutput
}

// TestMethods calls all methods that this project knows, with nothing in their parameters: each answers with a ReturnValue
// and what its struct names, or is not supported as a fault says.
func TestMethods(t *testing.T) {
	// What the simulator has nothing behind: agents that watch software, filters, devices that are parts of the computer.
	without := []string{
		"AMT_AgentPresenceWatchdog", "AMT_AgentPresenceWatchdogAction", "AMT_AgentPresenceWatchdogVA", "AMT_AssetTableService", "AMT_AuditPolicyRule",
		"AMT_EndpointAccessControlService", "AMT_HeuristicPacketFilterStatistics", "AMT_SystemDefensePolicy", "CIM_Account",
		"CIM_AccountManagementService", "CIM_Battery", "CIM_Card", "CIM_Chassis", "CIM_EthernetPort", "CIM_Fan", "CIM_MediaAccessDevice",
		"CIM_PhysicalFrame", "CIM_PhysicalPackage", "CIM_PowerSupply", "CIM_Processor", "CIM_Sensor", "CIM_StatisticalData", "CIM_Watchdog",
	}
	var absent []string
	for _, class := range allClasses() {
		if slices.Contains(without, class) {
			continue
		}
		names, input, output := methodsOf(class)
		for _, name := range names {
			d := newDevice(t, wsmantest.Config{Version: "11"})
			c := sdkClient(t, d)
			uri := wsman.ResourceURI(class)
			el, err := c.Invoke(t.Context(), wsman.NewRef(class), name, func(w *wsman.Writer) { w.Value(uri, name+"_INPUT", input(class, name)) })
			if err != nil {
				var f *wsman.Fault
				require.ErrorAs(t, err, &f, class)
				absent = append(absent, class+"."+name+" "+f.Subcode.Local)
				continue
			}
			require.NotNil(t, el.Child("ReturnValue"), "%s.%s", class, name)
			v := output(class, name)
			require.NoError(t, wsman.Decode(el, v))
			if f := reflect.ValueOf(v).Elem().FieldByName("Extra"); f.IsValid() {
				for _, extra := range f.Interface().([]wsman.Element) {
					t.Errorf("%s.%s: the output does not know %s", class, name, extra.Name)
				}
			}
		}
	}
	assert.Equal(t, []string{
		"AMT_AuditLog.ExportAuditLogSignature ActionNotSupported", "AMT_AuditLog.SetSigningKeyMaterial ActionNotSupported",
		"AMT_PublicKeyManagementService.AddCRL ActionNotSupported", "AMT_PublicKeyManagementService.ResetCRLList ActionNotSupported",
		"AMT_SetupAndConfigurationService.GetProvisioningAuditRecord ActionNotSupported",
		"AMT_SetupAndConfigurationService.GetProvisioningAuditRecordV2 ActionNotSupported",
		"AMT_SetupAndConfigurationService.SetTLSPSK ActionNotSupported", "AMT_SystemPowerScheme.SetPowerScheme InvalidSelectors",
		"CIM_WiFiPort.EnableDevice ActionNotSupported", "CIM_WiFiPort.OnlineDevice ActionNotSupported", "CIM_WiFiPort.QuiesceDevice ActionNotSupported",
		"CIM_WiFiPort.Reset ActionNotSupported", "CIM_WiFiPort.RestoreProperties ActionNotSupported", "CIM_WiFiPort.SaveProperties ActionNotSupported",
		"CIM_WiFiPort.SetPowerState ActionNotSupported", "IPS_HTTPProxyService.AddProxyAccessPoint DestinationUnreachable",
		"IPS_KVMRedirectionSettingData.DataChannelRead ActionNotSupported", "IPS_KVMRedirectionSettingData.DataChannelWrite ActionNotSupported",
		"IPS_OptInService.RequestStateChange ActionNotSupported", "IPS_ScreenConfigurationService.RequestStateChange DestinationUnreachable",
		"IPS_ScreenConfigurationService.SetSessionState DestinationUnreachable",
	}, absent)
}
