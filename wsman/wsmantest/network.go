package wsmantest

import (
	"fmt"
	"net/netip"
	"strings"
)

// address is the simulated device's own: one of the documentation's, made from the UUID.
func (d *Device) address() string { return fmt.Sprintf("192.0.2.%d", 1+int(d.cfg.UUID[15])%253) }

// mac writes an address as the firmware does.
func (d *Device) mac(last byte) string {
	u := d.cfg.UUID
	return fmt.Sprintf("02-%02x-%02x-%02x-%02x-%02x", u[10], u[11], u[12], u[13], u[14]&^3|last)
}

func (d *Device) buildNetwork() {
	wired := newObject("AMT_EthernetPortSettings",
		"ConsoleTcpMaxRetransmissions", 5, "DHCPEnabled", true, "DefaultGateway", "192.0.2.254", "ElementName", "Intel(r) AMT Ethernet Port Settings",
		"IPAddress", d.address(), "InstanceID", "Intel(r) AMT Ethernet Port Settings 0", "IpSyncEnabled", true, "LinkIsUp", true,
		"LinkPolicy", []int{1, 14, 16}, "MACAddress", d.mac(0), "PhysicalConnectionType", 0, "PrimaryDNS", "192.0.2.253",
		"SharedDynamicIP", true, "SharedMAC", true, "SharedStaticIp", false, "SubnetMask", "255.255.255.0", "VLANTag", 0)
	k := d.define(&class{
		name: wired.class, keys: []string{"InstanceID"}, put: d.putPort, realms: generalInfo,
		readOnly: []string{"ElementName", "LinkIsUp", "MACAddress", "PhysicalConnectionType", "SharedMAC", "WLANLinkProtectionLevel"},
		optional: []string{"DefaultGateway", "IPAddress", "PrimaryDNS", "SecondaryDNS", "SubnetMask", "LinkPolicy"},
		methods: map[string]method{"SetLinkPreference": func(c *call) (int, *fault) {
			preference, given := c.num("LinkPreference")
			if c.object == nil || !c.object.has("WLANLinkProtectionLevel") || !given || preference < 1 || preference > 2 {
				return statusInvalidParameter, nil
			}
			c.object.set("LinkPreference", preference)
			return ok, nil
		}},
	}, wired)
	if !d.cfg.NoWiFi {
		k.objects = append(k.objects, newObject(k.name,
			"ConsoleTcpMaxRetransmissions", 5, "DHCPEnabled", true, "ElementName", "Intel(r) AMT Ethernet Port Settings",
			"InstanceID", "Intel(r) AMT Ethernet Port Settings 1", "LinkControl", 2, "LinkIsUp", false, "LinkPolicy", []int{1, 14},
			"LinkPreference", 2, "MACAddress", d.mac(1), "PhysicalConnectionType", 3, "SharedMAC", true, "WLANLinkProtectionLevel", 1))
	}
	for i := range k.objects {
		n := fmt.Sprint(i)
		d.fixed(
			newObject("CIM_EthernetPort", "CreationClassName", "CIM_EthernetPort", "DeviceID", "Ethernet Port "+n, "ElementName", "Ethernet Port",
				"EnabledState", 5, "LinkTechnology", 2, "PermanentAddress", strings.ReplaceAll(k.objects[i].get("MACAddress"), "-", ""),
				"PortType", 0, "RequestedState", 12, "Speed", 1000000000, "SystemCreationClassName", computer, "SystemName", amtSystem),
			newObject("IPS_LANEndpoint", "CreationClassName", "IPS_LANEndpoint", "ElementName", "Intel(r) AMT LAN Endpoint",
				"MACAddress", strings.ReplaceAll(k.objects[i].get("MACAddress"), "-", ""), "Name", "Intel(r) LAN Endpoint "+n,
				"NameFormat", "MAC", "ProtocolType", 14, "SystemCreationClassName", computer, "SystemName", managed),
			newObject("IPS_IPv6PortSettings", "CurrentAddressInfo", "", "ElementName", "Intel(r) IPS IPv6 Settings",
				"InstanceID", "Intel(r) IPS IPv6 Settings "+n, "InterfaceIDType", 0, "PrimaryDNS", ""),
			newObject("IPS_HostIPSettings", "DHCPEnabled", true, "ElementName", "Intel(r) AMT Host IP Settings", "IpAddress", k.objects[i].get("IPAddress"),
				"InstanceID", "Intel(r) AMT Host IP Settings "+n))
	}
	d.buildWired8021x()
}

// putPort checks the settings of a port: with DHCP there are no addresses to set, without there must be.
func (d *Device) putPort(_ *request, old, o *object) *fault {
	if o.flag("DHCPEnabled") || !o.has("DHCPEnabled") {
		// What DHCP gave stays, whatever was sent.
		for _, p := range []string{"IPAddress", "SubnetMask", "DefaultGateway", "PrimaryDNS"} {
			o.set(p, old.all(p))
		}
		return nil
	}
	if o.flag("IpSyncEnabled") {
		return nil
	}
	for _, p := range []string{"IPAddress", "SubnetMask"} {
		if a, err := netip.ParseAddr(o.get(p)); err != nil || !a.Is4() {
			return invalidRepresentation()
		}
	}
	return nil
}

// maxProtocol is the highest number of an 802.1x authentication protocol.
const maxProtocol = 10

func (d *Device) buildWired8021x() {
	if d.cfg.No8021x {
		return
	}
	profile := newObject("AMT_8021XProfile", "ActiveInS0", true, "AuthenticationProtocol", 0, "ElementName", "Intel(r) AMT 802.1x Profile",
		"Enabled", false, "InstanceID", "Intel(r) AMT 802.1x Profile 0", "PxeTimeout", 120)
	d.define(&class{
		name: profile.class, keys: []string{"InstanceID"}, readOnly: []string{"ElementName"},
		optional: []string{
			"Domain", "PACPassword", "Password", "ProtectedAccessCredential", "RoamingIdentity", "ServerCertificateName",
			"ServerCertificateNameComparison", "Username", "ClientCertificate", "ServerCertificateIssuer",
		},
		put: func(_ *request, _, o *object) *fault {
			if p := o.num("AuthenticationProtocol"); p < 0 || p > maxProtocol || o.num("PxeTimeout") > 86400 {
				return invalidRepresentation()
			}
			if o.flag("Enabled") && o.num("AuthenticationProtocol") != 0 && o.get("Username") == "" {
				return invalidRepresentation()
			}
			hidePasswords(o)
			d.emit(EventNetwork, "wired 802.1x enabled: %v", o.flag("Enabled"))
			return nil
		},
	}, profile)
	links := func(name string) {
		d.define(&class{name: name, keys: []string{"ElementInContext", "ElementProvidingContext"}, remove: func(*object) *fault { return nil },
			create: func(o *object) (*object, *fault) {
				cert, ok1 := o.ref("ElementInContext")
				_, ok2 := o.ref("ElementProvidingContext")
				if !ok1 || !ok2 || d.resolve(cert) == nil {
					return nil, invalidRepresentation()
				}
				return o, nil
			}})
	}
	links("AMT_8021xCredentialContext")
	links("IPS_8021xCredentialContext")
	settings := newObject("IPS_IEEE8021xSettings", "AvailableInS0", true, "ElementName", "Intel(r) AMT: 8021X Settings", "Enabled", 3,
		"InstanceID", "Intel(r) AMT: 8021X Settings", "PxeTimeout", 120)
	d.define(&class{
		name: settings.class, keys: []string{"InstanceID"}, readOnly: []string{"ElementName"},
		optional: []string{
			"AuthenticationProtocol", "Domain", "Password", "RoamingIdentity", "ServerCertificateName", "ServerCertificateNameComparison", "Username",
		},
		put: func(_ *request, _, o *object) *fault {
			hidePasswords(o)
			return nil
		},
		methods: map[string]method{"SetCertificates": func(c *call) (int, *fault) {
			for _, name := range []string{"ServerCertificateIssuer", "ClientCertificate"} {
				if o, given := c.ref(name); given && (o == nil || o.class != "AMT_PublicKeyCertificate") {
					return cimInvalidParameter, nil
				}
			}
			return ok, nil
		}},
	}, settings)
}

// hidePasswords takes away what can be written but not read.
func hidePasswords(o *object) {
	for _, p := range []string{"PACPassword", "Password", "PSKPassPhrase", "PSKValue", "ProtectedAccessCredential", "RFBPassword"} {
		o.set(p, nil)
	}
}
