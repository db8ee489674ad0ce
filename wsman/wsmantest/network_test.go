package wsmantest_test

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

const remoteAccess = "AMT_RemoteAccessService"

// TestCIRA goes through section 5.7 of the documents.
func TestCIRA(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	c.call(0, "AMT_UserInitiatedConnectionService", "RequestStateChange", "RequestedState", "32771")
	add := func(want int, pairs ...string) *wsman.Element {
		t.Helper()
		in := map[string]string{
			"AccessInfo": "mps.example.org", "InfoFormat": "201", "Port": "4433", "AuthMethod": "2", "Username": "abcdefgh", "Password": "S3cret!!", "CN": "mps.example.org",
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			in[pairs[i]] = pairs[i+1]
		}
		var list []string
		for _, name := range []string{"AccessInfo", "InfoFormat", "Port", "AuthMethod", "Username", "Password", "CN"} {
			list = append(list, name, in[name])
		}
		return c.call(want, remoteAccess, "AddMpServer", list...)
	}
	made := add(0)
	const name = "Intel(r) AMT:Management Presence Server 0"
	assert.Equal(t, name, ref(made, "MpServer", "Name"))
	assert.GreaterOrEqual(t, len(made.Path("MpServer", "ReferenceParameters", "SelectorSet").Children), 2, "with a single selector MeshCentral's chain stops")
	add(36, "Username", "abcdefghijklmnopq")
	add(36, "Username", "a@b")
	add(36, "Password", "12345678901234567")
	add(36, "Port", "0")
	add(36, "InfoFormat", "3")
	add(0, "AccessInfo", "192.0.2.1", "InfoFormat", "3")
	add(0, "AccessInfo", "2001:db8::1", "InfoFormat", "4")
	add(0, "AccessInfo", "192.0.2.4", "InfoFormat", "3")
	add(23)
	server := epr("AMT_ManagementPresenceRemoteSAP", "Name", name)
	rule := func(want int, trigger, data, server string) {
		t.Helper()
		c.call(want, remoteAccess, "AddRemoteAccessPolicyRule", "Trigger", trigger, "TunnelLifeTime", "0", "ExtendedData", data, "MpServer", server)
	}
	rule(0, "2", "AAAAAAAAAAo=", server)
	rule(2058, "2", "AAAAAAAAAAo=", server)
	rule(36, "2", "AAAA", server)
	rule(36, "9", "AAAAAAAAAAo=", server)
	rule(36, "0", "", epr("AMT_ManagementPresenceRemoteSAP", "Name", "none"))
	rule(0, "0", "", server)
	// A name of digits, as random ones may be, is a text like others.
	c.ask(wsman.ActionPut, "AMT_EnvironmentDetectionSettingData", "", putBody("AMT_EnvironmentDetectionSettingData", nil, "DetectionStrings", "123456789012"))
	c.ask(wsman.ActionPut, "AMT_EnvironmentDetectionSettingData", "", putBody("AMT_EnvironmentDetectionSettingData", nil, "DetectionStrings", "a.example", "DetectionStrings", "b.example"))
	got := d.CIRA()
	require.Len(t, got.Servers, 4)
	assert.Equal(t, []string{"a.example", "b.example"}, got.Suffixes)
	assert.Equal(t, 32771, got.State)
	assert.Equal(t, "abcdefgh", got.Servers[0].User)
	assert.Equal(t, "S3cret!!", got.Servers[0].Password.Reveal())
	assert.Equal(t, "mps.example.org", got.Servers[0].Address)
	assert.Equal(t, []wsmantest.Policy{
		{Trigger: 2, Interval: 10 * time.Second, Servers: []string{name}}, {Trigger: 0, Servers: []string{name}},
	}, got.Policies)
	assert.NotContains(t, c.raw, "S3cret!!")
	assert.Len(t, c.list("AMT_RemoteAccessCredentialContext"), 4)
	assert.Len(t, c.list("AMT_MPSUsernamePassword"), 4)
	assert.NotContains(t, c.raw, "S3cret!!", "passwords of servers are not shown")

	sap := selector("Name", name)
	assert.Equal(t, "Concurrency", c.refused(wsman.ActionDelete, "AMT_ManagementPresenceRemoteSAP", sap, ""), "its policies first")
	c.ask(wsman.ActionDelete, "AMT_RemoteAccessPolicyRule", selector("PolicyRuleName", "Periodic"), "")
	c.ask(wsman.ActionDelete, "AMT_RemoteAccessPolicyRule", selector("PolicyRuleName", "User Initiated"), "")
	assert.Empty(t, c.list("AMT_RemoteAccessPolicyAppliesToMPS"))
	c.ask(wsman.ActionDelete, "AMT_ManagementPresenceRemoteSAP", sap, "")
	assert.Len(t, c.list("AMT_MPSUsernamePassword"), 3, "its password goes with it")
	c.ask(wsman.ActionPut, "AMT_EnvironmentDetectionSettingData", "", putBody("AMT_EnvironmentDetectionSettingData", nil, "DetectionAlgorithm", "0"))
	assert.Empty(t, d.CIRA().Suffixes)
	long := "a123456789a123456789a123456789a123456789a123456789a123456789.example"
	assert.Equal(t, "InvalidRepresentation", c.refused(wsman.ActionPut, "AMT_EnvironmentDetectionSettingData", "", putBody("AMT_EnvironmentDetectionSettingData", nil, "DetectionStrings", long)))
	c.call(0, "AMT_RemoteAccessService", "AddRemoteAccessPolicyRule", "Trigger", "2", "TunnelLifeTime", "0", "ExtendedData", "AAAAAQAAAA4AAAAe",
		"MpServer", epr("AMT_ManagementPresenceRemoteSAP", "Name", "Intel(r) AMT:Management Presence Server 1"))
	assert.Equal(t, wsmantest.Policy{Trigger: 2, Daily: true, Hour: 14, Minute: 30, Servers: []string{"Intel(r) AMT:Management Presence Server 1"}}, d.CIRA().Policies[0])
}

func TestOneSelector(t *testing.T) {
	c := newClient(t, newDevice(t, wsmantest.Config{Quirks: wsmantest.Quirks{OneSelector: true}}))
	made := c.call(0, remoteAccess, "AddMpServer", "AccessInfo", "a.example", "InfoFormat", "201", "Port", "4433", "AuthMethod", "2", "Username", "u", "Password", "p")
	assert.Len(t, made.Path("MpServer", "ReferenceParameters", "SelectorSet").Children, 1)
}

func TestProxies(t *testing.T) {
	c := newClient(t, newDevice(t, wsmantest.Config{Version: "12"}))
	c.call(0, "IPS_HTTPProxyService", "AddProxyAccessPoint", "AccessInfo", "proxy.example", "InfoFormat", "201", "Port", "8080", "NetworkDnsSuffix", "example")
	c.call(36, "IPS_HTTPProxyService", "AddProxyAccessPoint", "AccessInfo", "proxy.example", "InfoFormat", "3", "Port", "8080")
	all := c.list("IPS_HTTPProxyAccessPoint")
	require.Len(t, all, 1)
	c.ask(wsman.ActionDelete, "IPS_HTTPProxyAccessPoint", selector("Name", all[0].ChildText("Name")), "")
	assert.Empty(t, c.list("IPS_HTTPProxyAccessPoint"))
	c = newClient(t, newDevice(t, wsmantest.Config{Version: "11"}))
	assert.Equal(t, "DestinationUnreachable", c.refused(wsman.ActionGet, "IPS_HTTPProxyService", "", ""))
}

const wifiService = "AMT_WiFiPortConfigurationService"

// profile writes the input of AddWiFiSettings.
func profile(name, auth, priority, phrase string) string {
	ns := wsman.ResourceURI("CIM_WiFiEndpointSettings")
	s := `<q:ElementName xmlns:q="` + ns + `">` + name + `</q:ElementName><q:InstanceID xmlns:q="` + ns + `">Intel(r) AMT:WiFi Endpoint Settings ` + name +
		`</q:InstanceID><q:AuthenticationMethod xmlns:q="` + ns + `">` + auth + `</q:AuthenticationMethod><q:EncryptionMethod xmlns:q="` + ns +
		`">4</q:EncryptionMethod><q:SSID xmlns:q="` + ns + `">net &amp; ` + name + `</q:SSID><q:Priority xmlns:q="` + ns + `">` + priority + `</q:Priority>`
	if phrase != "" {
		s += `<q:PSKPassPhrase xmlns:q="` + ns + `">` + phrase + `</q:PSKPassPhrase>`
	}
	return s
}

// TestWiFi goes through section 5.11 of the documents.
func TestWiFi(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	endpoint := epr("CIM_WiFiEndpoint", "Name", "WiFi Endpoint 0")
	add := func(want int, in string, extra ...string) *wsman.Element {
		t.Helper()
		return c.call(want, wifiService, "AddWiFiSettings", append([]string{"WiFiEndpoint", endpoint, "WiFiEndpointSettingsInput", in}, extra...)...)
	}
	made := add(0, profile("home", "6", "1", "correct &lt;horse>"))
	assert.Equal(t, "Intel(r) AMT:WiFi Endpoint Settings home", ref(made, "WiFiEndpointSettings_Config", "InstanceID"))
	add(3, profile("home", "6", "2", "correct horse"))
	add(3, profile("other", "6", "1", "correct horse"))
	add(3, profile("other", "6", "2", "short"))
	add(3, profile("other", "2", "2", ""))
	add(3, profile("other", "7", "2", ""))
	c.call(4, wifiService, "AddWiFiSettings", "WiFiEndpointSettingsInput", profile("other", "6", "2", "correct horse"))
	dot1x := wsman.ResourceURI("CIM_IEEE8021xSettings")
	settings := `<q:ElementName xmlns:q="` + dot1x + `">corp</q:ElementName><q:InstanceID xmlns:q="` + dot1x + `">x</q:InstanceID><q:AuthenticationProtocol xmlns:q="` +
		dot1x + `">2</q:AuthenticationProtocol><q:Username xmlns:q="` + dot1x + `">joe</q:Username><q:Password xmlns:q="` + dot1x + `">S3cret!!</q:Password>`
	c.call(0, keyService, "AddTrustedRootCertificate", "CertificateBlob", b64(issuer().cert.Raw))
	ca := epr("AMT_PublicKeyCertificate", "InstanceID", "Intel(r) AMT Certificate: Handle: 1")
	add(4, profile("corp", "7", "2", ""), "IEEE8021xSettingsInput", settings, "CACredential", epr("AMT_PublicKeyCertificate", "InstanceID", "none"))
	add(0, profile("corp", "7", "2", ""), "IEEE8021xSettingsInput", settings, "CACredential", ca)
	assert.Equal(t, "Concurrency", c.refused(wsman.ActionDelete, "AMT_PublicKeyCertificate", selector("InstanceID", "Intel(r) AMT Certificate: Handle: 1"), ""))

	got := d.WiFi()
	require.Len(t, got, 2)
	assert.Equal(t, "net & home", got[0].SSID)
	assert.Equal(t, "correct <horse>", got[0].Passphrase.Reveal())
	assert.Equal(t, []any{2, "joe", 2}, []any{got[1].Protocol, got[1].Username, got[1].Priority})
	assert.Len(t, c.list("CIM_WiFiEndpointSettings"), 2)
	assert.NotContains(t, c.raw, "horse", "the passphrase does not read back")
	assert.Len(t, c.list("CIM_IEEE8021xSettings"), 1)
	assert.NotContains(t, c.raw, "S3cret")

	c.call(0, wifiService, "UpdateWiFiSettings", "WiFiEndpointSettings", epr("CIM_WiFiEndpointSettings", "InstanceID", "Intel(r) AMT:WiFi Endpoint Settings home"),
		"WiFiEndpointSettingsInput", profile("home", "6", "3", "another horse"))
	assert.Equal(t, "another horse", d.WiFi()[1].Passphrase.Reveal())
	c.ask(wsman.ActionDelete, "CIM_WiFiEndpointSettings", selector("InstanceID", "Intel(r) AMT:WiFi Endpoint Settings corp"), "")
	assert.Empty(t, c.list("CIM_IEEE8021xSettings"))
	c.ask(wsman.ActionDelete, "AMT_PublicKeyCertificate", selector("InstanceID", "Intel(r) AMT Certificate: Handle: 1"), "")
	c.call(0, wifiService, "DeleteAllITProfiles")
	assert.Empty(t, d.WiFi())

	from := c.get(wifiService)
	c.ask(wsman.ActionPut, wifiService, "", putBody(wifiService, from, "localProfileSynchronizationEnabled", "1"))
	assert.Equal(t, "1", c.get(wifiService).ChildText("localProfileSynchronizationEnabled"))
	c.call(0, "CIM_WiFiPort", "RequestStateChange", "RequestedState", "32769")
	assert.Equal(t, "32769", c.get("CIM_WiFiPort").ChildText("EnabledState"))
	ports := c.list("AMT_EthernetPortSettings")
	require.Len(t, ports, 2)
	assert.Nil(t, ports[1].Child("IPAddress"))
	assert.NotNil(t, ports[1].Child("WLANLinkProtectionLevel"), "which tells the one with WiFi")
}

func TestEthernet(t *testing.T) {
	c := newClient(t, newDevice(t, wsmantest.Config{}))
	const class, id = "AMT_EthernetPortSettings", "Intel(r) AMT Ethernet Port Settings 0"
	from := c.get(class, "InstanceID", id)
	assert.Regexp(t, `^02(-[0-9a-f]{2}){5}$`, from.ChildText("MACAddress"))
	put := func(changes ...string) string { return putBody(class, from, changes...) }
	stored := c.ask(wsman.ActionPut, class, selector("InstanceID", id), put("IPAddress", "192.0.2.77"))
	assert.Equal(t, from.ChildText("IPAddress"), stored.ChildText("IPAddress"), "DHCP has set it")
	assert.Equal(t, "InvalidRepresentation", c.refused(wsman.ActionPut, class, selector("InstanceID", id), put("DHCPEnabled", "false", "IpSyncEnabled", "false", "IPAddress", "none")))
	stored = c.ask(wsman.ActionPut, class, selector("InstanceID", id), put("DHCPEnabled", "false", "IpSyncEnabled", "false", "IPAddress", "192.0.2.77"))
	assert.Equal(t, "192.0.2.77", stored.ChildText("IPAddress"))
	assert.Equal(t, "InvalidSelectors", c.refused(wsman.ActionGet, class, "", ""), "there are two")
	e, value := c.invoke(class, "SetLinkPreference", params("LinkPreference", "1", "Timeout", "60"), "InstanceID", "Intel(r) AMT Ethernet Port Settings 1")
	assert.Zero(t, value, e)
}

func TestWired8021x(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	const class = "AMT_8021XProfile"
	from := c.get(class)
	assert.Equal(t, "InvalidRepresentation", c.refused(wsman.ActionPut, class, "", putBody(class, from, "Enabled", "true", "AuthenticationProtocol", "2")))
	stored := c.ask(wsman.ActionPut, class, "", putBody(class, from, "Enabled", "true", "AuthenticationProtocol", "2", "Username", "joe", "Password", "S3cret!!"))
	assert.Equal(t, "joe", stored.ChildText("Username"))
	assert.Nil(t, stored.Child("Password"))
	c.call(0, keyService, "AddKey", "KeyBlob", b64(x509.MarshalPKCS1PrivateKey(issuer().key)))
	c.call(0, keyService, "AddCertificate", "CertificateBlob", b64(issuer().cert.Raw))
	uri := wsman.ResourceURI("AMT_8021xCredentialContext")
	body := func(id string) string {
		return `<r:AMT_8021xCredentialContext xmlns:r="` + uri + `"><r:ElementInContext>` + epr("AMT_PublicKeyCertificate", "InstanceID", id) +
			`</r:ElementInContext><r:ElementProvidingContext>` + epr(class, "InstanceID", "Intel(r) AMT 802.1x Profile 0") + `</r:ElementProvidingContext></r:AMT_8021xCredentialContext>`
	}
	c.ask(wsman.ActionCreate, "AMT_8021xCredentialContext", "", body("Intel(r) AMT Certificate: Handle: 1"))
	assert.Equal(t, "InvalidRepresentation", c.refused(wsman.ActionCreate, "AMT_8021xCredentialContext", "", body("none")))
	assert.Len(t, c.list("CIM_CredentialContext"), 1)
	c.call(0, "IPS_IEEE8021xSettings", "SetCertificates", "ClientCertificate", epr("AMT_PublicKeyCertificate", "InstanceID", "Intel(r) AMT Certificate: Handle: 1"))
}

func TestEventing(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	subscribe := func(url, mode string) string {
		return `<e:Subscribe xmlns:e="` + wsman.NamespaceEventing + `"><e:Delivery Mode="` + mode + `"><e:NotifyTo><a:Address>` + url +
			`</a:Address><a:ReferenceParameters><m:arg xmlns:m="http://x.com">opaque</m:arg></a:ReferenceParameters></e:NotifyTo></e:Delivery></e:Subscribe>`
	}
	const push, ack = "http://schemas.xmlsoap.org/ws/2004/08/eventing/DeliveryModes/Push", "http://schemas.dmtf.org/wbem/wsman/1/wsman/PushWithAck"
	filter := selector("InstanceID", "Intel(r) AMT:AllEvents")
	e := c.ask(wsman.ActionSubscribe, "CIM_FilterCollection", filter, subscribe("http://192.0.2.5:8080/amtevents.ashx", ack))
	assert.Equal(t, "SubscribeResponse", e.Name)
	require.Len(t, d.Subscriptions(), 1)
	s := d.Subscriptions()[0]
	assert.True(t, s.WithAck)
	assert.Equal(t, "http://192.0.2.5:8080/amtevents.ashx", s.URL)
	require.Len(t, s.Reference, 1)
	assert.Equal(t, "opaque", s.Reference[0].Text)
	assert.Equal(t, "DeliveryModeRequestedUnavailable", c.refused(wsman.ActionSubscribe, "CIM_FilterCollection", filter, subscribe("http://192.0.2.5/", "x")))
	assert.Equal(t, "InvalidParameter", c.refused(wsman.ActionSubscribe, "CIM_FilterCollection", filter, subscribe("ftp://192.0.2.5/", push)))
	for range 8 {
		c.ask(wsman.ActionSubscribe, "CIM_FilterCollection", filter, subscribe("https://192.0.2.5/", push))
	}
	assert.Equal(t, "QuotaLimit", c.refused(wsman.ActionSubscribe, "CIM_FilterCollection", filter, subscribe("http://192.0.2.5/", push)))
	reference := func(class string, pairs ...string) string {
		return "<a:EndpointReference>" + epr(class, pairs...) + "</a:EndpointReference>"
	}
	both := selector("Filter", reference("CIM_FilterCollection", "InstanceID", "Intel(r) AMT:AllEvents"),
		"Handler", reference("CIM_ListenerDestinationWSManagement", "Name", "Intel(r) AMT:Listener 1"))
	c.ask(wsman.ActionUnsubscribe, "CIM_FilterCollectionSubscription", both, `<e:Unsubscribe xmlns:e="`+wsman.NamespaceEventing+`"/>`)
	assert.Len(t, d.Subscriptions(), 8)
	assert.Equal(t, "DestinationUnreachable", c.refused(wsman.ActionUnsubscribe, "CIM_FilterCollectionSubscription", both, ""))
}
