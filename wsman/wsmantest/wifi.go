package wsmantest

import (
	"strings"

	"github.com/meshcentral-go/sdk/wsman"
)

const (
	wifiMost      = 16
	wifiSettings  = "CIM_WiFiEndpointSettings"
	wifi8021x     = "CIM_IEEE8021xSettings"
	wifiIDPrefix  = "Intel(r) AMT:WiFi Endpoint Settings "
	dot1xIDPrefix = "Intel(r) AMT:IEEE 802.1x Settings "

	wifiInvalidParameter = 3
	wifiInvalidReference = 4
	wifiFailed           = 2

	authWPAPSK, authWPA1X, authWPA2PSK, authWPA21X, authWPA3SAE, authWPA3OWE = 4, 5, 6, 7, 32768, 32769
)

// WiFiProfile is a stored WiFi network.
type WiFiProfile struct {
	Name           string
	SSID           string
	Authentication int // 4 WPA-PSK, 5 WPA-802.1x, 6 WPA2-PSK, 7 WPA2-802.1x, 32768 WPA3-SAE, 32769 WPA3-OWE
	Encryption     int // 2 WEP, 3 TKIP, 4 CCMP, 5 none
	Priority       int
	Passphrase     Secret
	Protocol       int    // of 802.1x, with 5 and 7
	Username       string // of 802.1x
}

func (d *Device) buildWiFi() {
	if d.cfg.NoWiFi {
		return
	}
	d.state.wifi = map[*object]Secret{}
	port := newObject("CIM_WiFiPort", "CreationClassName", "CIM_WiFiPort", "DeviceID", "WiFi Port 0", "ElementName", "WiFi Port 0",
		"EnabledState", 3, "HealthState", 5, "LinkTechnology", 11, "PermanentAddress", strings.ReplaceAll(d.mac(1), "-", ""), "PortType", 0,
		"RequestedState", 3, "SystemCreationClassName", computer, "SystemName", amtSystem)
	d.define(&class{name: port.class, keys: keysOf(port), methods: map[string]method{
		"RequestStateChange": d.requestStateChange(EventNetwork, 3, 32768, 32769),
	}}, port)
	endpoint := newObject("CIM_WiFiEndpoint", "CreationClassName", "CIM_WiFiEndpoint", "ElementName", "Intel(r) AMT:WiFi Endpoint 0",
		"EnabledState", 2, "Name", "WiFi Endpoint 0", "NameFormat", "Intel(r) AMT:WiFi Endpoint", "ProtocolIFType", 71,
		"SystemCreationClassName", computer, "SystemName", amtSystem)
	d.define(&class{name: endpoint.class, keys: keysOf(endpoint)}, endpoint)
	d.define(&class{name: wifi8021x, keys: []string{"InstanceID"}})
	d.define(&class{name: wifiSettings, keys: []string{"InstanceID"}, remove: func(o *object) *fault {
		d.forgetProfile(o)
		return nil
	}})
	s := service("AMT_WiFiPortConfigurationService", "Intel(r) AMT WiFi Port Configuration Service",
		"EnabledState", 5, "HealthState", 5, "LastConnectedSsidUnderMeControl", "", "NoHostCsmeSoftwarePolicy", 0, "RequestedState", 12,
		"UEFIWiFiProfileShareEnabled", false, "localProfileSynchronizationEnabled", 0)
	d.define(&class{
		name: s.class, keys: serviceKeys, readOnly: []string{"EnabledState", "HealthState", "LastConnectedSsidUnderMeControl", "RequestedState"},
		put: func(_ *request, _, o *object) *fault {
			if n := o.num("localProfileSynchronizationEnabled"); n < 0 || n > 3 {
				return invalidRepresentation()
			}
			return nil
		},
		methods: map[string]method{
			"AddWiFiSettings":       func(c *call) (int, *fault) { return d.addWiFi(c, nil) },
			"UpdateWiFiSettings":    d.updateWiFi,
			"DeleteAllITProfiles":   func(*call) (int, *fault) { d.forgetWiFi(); return ok, nil },
			"DeleteAllUserProfiles": func(*call) (int, *fault) { return ok, nil },
		},
	}, s)
	d.fixed(
		newObject("CIM_WiFiEndpointCapabilities", "ElementName", "Intel(r) AMT:WiFi Endpoint Capabilities",
			"InstanceID", "Intel(r) AMT:WiFi Endpoint Capabilities 0", "SupportedAuthenticationMethods", []int{4, 5, 6, 7, 32768, 32769},
			"SupportedEncryptionMethods", []int{3, 4, 5}),
		newObject("CIM_WiFiPortCapabilities", "ElementName", "Intel(r) AMT:WiFi Port Capabilities", "InstanceID", "Intel(r) AMT:WiFi Port Capabilities 0",
			"SupportedPortTypes", []int{70, 71, 72}))
}

// addWiFi is AddWiFiSettings; with old it replaces that profile.
func (d *Device) addWiFi(c *call, old *object) (int, *fault) {
	if o, given := c.ref("WiFiEndpoint"); old == nil && (!given || o == nil || o.class != "CIM_WiFiEndpoint") {
		return wifiInvalidReference, nil
	}
	in := c.embedded("WiFiEndpointSettingsInput", wifiSettings)
	if in == nil {
		return wifiInvalidParameter, nil
	}
	var certs []wsman.Ref
	for _, name := range []string{"ClientCredential", "CACredential"} {
		o, given := c.ref(name)
		if given && (o == nil || o.class != "AMT_PublicKeyCertificate") {
			return wifiInvalidReference, nil
		}
		if o != nil {
			certs = append(certs, d.ref(o))
		}
	}
	dot1x := c.embedded("IEEE8021xSettingsInput", wifi8021x)
	if status := d.checkWiFi(in, dot1x, old); status != ok {
		return status, nil
	}
	if !d.flashWrite() {
		return wifiFailed, nil
	}
	if old != nil {
		d.forgetProfile(old)
		d.discard(old)
	}
	phrase := in.get("PSKPassPhrase")
	hidePasswords(in)
	if !in.has("BSSType") {
		in.set("BSSType", 3)
	}
	d.store(in)
	d.state.wifi[in] = NewSecret(phrase)
	c.set("WiFiEndpointSettings_Config", d.ref(in))
	if dot1x != nil {
		hidePasswords(dot1x)
		dot1x.set("InstanceID", dot1xIDPrefix+strings.TrimPrefix(in.get("InstanceID"), wifiIDPrefix))
		d.store(dot1x)
		c.set("IEEE8021xSettings_Config", d.ref(dot1x))
		for _, cert := range certs {
			if k := d.classes["AMT_8021xCredentialContext"]; k != nil {
				k.objects = append(k.objects, newObject(k.name, "ElementInContext", cert, "ElementProvidingContext", d.ref(dot1x)))
			}
		}
	}
	d.emit(EventNetwork, "WiFi profile %q, SSID %q", in.get("ElementName"), in.get("SSID"))
	return ok, nil
}

// checkWiFi checks a profile: its name, its priority, which must be its own, and what goes with its authentication.
func (d *Device) checkWiFi(in, dot1x, old *object) int {
	id, name, ssid := in.get("InstanceID"), in.get("ElementName"), in.get("SSID")
	authentication, priority := in.num("AuthenticationMethod"), in.num("Priority")
	if !strings.HasPrefix(id, wifiIDPrefix) || name == "" || len(name) > 32 || ssid == "" || len(ssid) > 32 || priority < 1 || priority > 255 {
		return wifiInvalidParameter
	}
	for _, o := range d.classes[wifiSettings].objects {
		if o != old && (o.get("InstanceID") == id || o.num("Priority") == priority) {
			return wifiInvalidParameter
		}
	}
	if old == nil && len(d.classes[wifiSettings].objects) >= wifiMost {
		return wifiFailed
	}
	switch authentication {
	case authWPAPSK, authWPA2PSK, authWPA3SAE:
		if n := len(in.get("PSKPassPhrase")); n < 8 || n > 63 {
			return wifiInvalidParameter
		}
	case authWPA1X, authWPA21X:
		if dot1x == nil || dot1x.get("ElementName") == "" || dot1x.num("AuthenticationProtocol") > maxProtocol {
			return wifiInvalidParameter
		}
	case authWPA3OWE:
	default:
		return wifiInvalidParameter // the firmware has no open networks and no WEP any more
	}
	if e := in.num("EncryptionMethod"); e < 2 || e > 5 {
		return wifiInvalidParameter
	}
	return ok
}

func (d *Device) updateWiFi(c *call) (int, *fault) {
	old, _ := c.ref("WiFiEndpointSettings")
	if old == nil || old.class != wifiSettings {
		return wifiInvalidReference, nil
	}
	return d.addWiFi(c, old)
}

// forgetProfile removes what belongs to a profile.
func (d *Device) forgetProfile(o *object) {
	delete(d.state.wifi, o)
	id := dot1xIDPrefix + strings.TrimPrefix(o.get("InstanceID"), wifiIDPrefix)
	dot1x := d.one(wifi8021x, "InstanceID", id)
	if dot1x == nil {
		return
	}
	if k := d.classes["AMT_8021xCredentialContext"]; k != nil {
		var kept []*object
		for _, link := range k.objects {
			if ref, _ := link.ref("ElementProvidingContext"); d.resolve(ref) != dot1x {
				kept = append(kept, link)
			}
		}
		k.objects = kept
	}
	d.discard(dot1x)
}

func (d *Device) forgetWiFi() {
	for _, o := range d.classes[wifiSettings].objects {
		d.forgetProfile(o)
	}
	d.classes[wifiSettings].objects = nil
	d.emit(EventNetwork, "all WiFi profiles were removed")
}

// WiFi returns the stored WiFi profiles.
func (d *Device) WiFi() []WiFiProfile {
	d.mu.Lock()
	defer d.unlock()
	k := d.class(wifiSettings)
	if k == nil {
		return nil
	}
	var out []WiFiProfile
	for _, o := range k.objects {
		p := WiFiProfile{
			Name: o.get("ElementName"), SSID: o.get("SSID"), Authentication: o.num("AuthenticationMethod"),
			Encryption: o.num("EncryptionMethod"), Priority: o.num("Priority"), Passphrase: d.state.wifi[o],
		}
		if dot1x := d.one(wifi8021x, "InstanceID", dot1xIDPrefix+strings.TrimPrefix(o.get("InstanceID"), wifiIDPrefix)); dot1x != nil {
			p.Protocol, p.Username = dot1x.num("AuthenticationProtocol"), dot1x.get("Username")
		}
		out = append(out, p)
	}
	return out
}
