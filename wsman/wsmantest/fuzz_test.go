package wsmantest_test

import (
	"io"
	"net"
	"testing"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// FuzzServe sends any bytes to the HTTP port: nothing panics, and what is answered is HTTP.
func FuzzServe(f *testing.F) {
	f.Add([]byte("POST /wsman HTTP/1.1\r\nHost: node//a:16992\r\nContent-Length: 4\r\n\r\n<x/>"))
	f.Add([]byte("POST /wsman HTTP/1.1\r\nHost: x\r\nAuthorization: Digest username=\"admin\",realm=\"Digest:00\",nonce=\"AAAA\",uri=\"/wsman\",qop=auth-int,response=\"00\",nc=00000001,cnonce=\"a\"\r\nContent-Length: 0\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /wsman HTTP/1.1\r\nHost: x\r\n\r\n"))
	f.Add([]byte("POST /wsman HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
	d := wsmantest.New(wsmantest.Config{})
	f.Cleanup(d.Close)
	f.Fuzz(func(t *testing.T, request []byte) {
		ours, theirs := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			d.ServeConn(theirs, wsmantest.PortHTTP)
		}()
		got := make(chan []byte)
		go func() {
			b, _ := io.ReadAll(ours)
			got <- b
		}()
		_, _ = ours.Write(request)
		_ = ours.Close()
		<-done
		if b := <-got; len(b) > 0 && string(b[:min(len(b), 9)]) != "HTTP/1.1 " {
			t.Fatalf("the answer begins with %q", b[:min(len(b), 40)])
		}
	})
}

// FuzzRequest sends any envelope with the right credentials: nothing panics, what is answered parses, and the device goes on
// answering.
func FuzzRequest(f *testing.F) {
	seeds := &client{}
	uri := wsman.ResourceURI
	f.Add([]byte(seeds.request(wsman.ActionGet, uri("AMT_GeneralSettings"), "", "")))
	f.Add([]byte(seeds.request(wsman.ActionPut, uri("AMT_BootSettingData"), "", putBody("AMT_BootSettingData", nil, "BIOSSetup", "true", "IDERBootDevice", "1"))))
	f.Add([]byte(seeds.request(wsman.ActionPut, uri("AMT_TLSSettingData"), selector("InstanceID", tlsRemote), putBody("AMT_TLSSettingData", nil, "Enabled", "true"))))
	f.Add([]byte(seeds.request(wsman.ActionDelete, uri("AMT_PublicKeyCertificate"), selector("InstanceID", "Intel(r) AMT Certificate: Handle: 1"), "")))
	f.Add([]byte(seeds.request(wsman.ActionEnumerate, uri("CIM_CredentialContext"), "", `<Enumerate xmlns="`+wsman.NamespaceEnumeration+`" />`)))
	f.Add([]byte(seeds.request(wsman.ActionPull, uri("CIM_Chip"), "", pullBody("01000000-0000-0000-0000-000000000000", "999", "1"))))
	f.Add([]byte(seeds.request(wsman.ActionSubscribe, uri("CIM_FilterCollection"), selector("InstanceID", "Intel(r) AMT:All"), `<Subscribe xmlns="`+wsman.NamespaceEventing+`"/>`)))
	method := func(class, name string, pairs ...string) {
		f.Add([]byte(seeds.request(uri(class)+"/"+name, uri(class), "", `<r:`+name+`_INPUT xmlns:r="`+uri(class)+`">`+params(pairs...)+`</r:`+name+`_INPUT>`)))
	}
	method("CIM_PowerManagementService", "RequestPowerStateChange", "PowerState", "10", "ManagedElement", managedSystem)
	method("CIM_BootConfigSetting", "ChangeBootOrder", "Source", epr("CIM_BootSourceSetting", "InstanceID", "Intel(r) AMT: Force PXE Boot"))
	method("AMT_AuthorizationService", "AddUserAclEntryEx", "DigestUsername", "joe", "DigestPassword", "AAAAAAAAAAAAAAAAAAAAAA==", "AccessPermission", "2", "Realms", "5")
	method(keyService, "AddCertificate", "CertificateBlob", "MIIB")
	method(keyService, "GeneratePKCS10RequestEx", "KeyPair", epr("AMT_PublicPrivateKeyPair", "InstanceID", "x"), "SigningAlgorithm", "1")
	method(remoteAccess, "AddMpServer", "AccessInfo", "a.example", "InfoFormat", "201", "Port", "4433", "AuthMethod", "2", "Username", "u", "Password", "p")
	method(remoteAccess, "AddRemoteAccessPolicyRule", "Trigger", "2", "TunnelLifeTime", "0", "ExtendedData", "AAAAAAAAAAo=")
	method(wifiService, "AddWiFiSettings", "WiFiEndpoint", epr("CIM_WiFiEndpoint", "Name", "WiFi Endpoint 0"), "WiFiEndpointSettingsInput", profile("home", "6", "1", "correct horse"))
	method("AMT_MessageLog", "GetRecords", "IterationIdentifier", "1", "MaxReadRecords", "390")
	method("AMT_AuditLog", "ReadRecords", "StartIndex", "1")
	method("AMT_AuditLog", "ReadRecords", "StartIndex", "9223372036854775807")
	method("AMT_AuditLog", "ReadRecords", "StartIndex", "2147483647")
	method("AMT_AlarmClockService", "AddAlarm", "AlarmTemplate", "<InstanceID>a</InstanceID><StartTime>2030-01-01T00:00:00Z</StartTime><Interval>P1D</Interval>")
	method(setupService, "AddNextCertInChain", "NextCertificate", "MIIB", "IsLeafCertificate", "true", "IsRootCertificate", "true")
	method("IPS_OptInService", "SendOptInCode", "OptInCode", "1")
	// Writers of all forms come in turn.
	forms := []wsmantest.Quirks{{}, {PullItems: 1, ShortTags: true}, {Pretty: true, LocalNamespaces: true}, {StrictPut: true, Comments: true}}
	f.Fuzz(func(t *testing.T, envelope []byte) {
		form := forms[len(envelope)%len(forms)]
		d := wsmantest.New(wsmantest.Config{Quirks: form})
		defer d.Close()
		c := newClient(t, d)
		defer c.close()
		switch status := c.post(string(envelope)); status {
		case 200, 400, 500:
			if _, err := wsman.ParseEnvelope([]byte(c.raw), wsman.Limits{}); err != nil {
				t.Fatalf("the answer does not parse: %v\n%s", err, c.raw)
			}
		case 413:
		default:
			t.Fatalf("status %d\n%s", status, c.raw)
		}
		if len(d.Instances("AMT_GeneralSettings")) != 1 {
			t.Fatal("the state is broken")
		}
	})
}
