package wsmantest

import (
	"strings"

	"github.com/meshcentral-go/sdk/wsman"
)

func (d *Device) buildGeneral() {
	realm := d.realm
	if d.cfg.Quirks.RealmMismatch {
		realm = d.newRealm()
	}
	settings := newObject("AMT_GeneralSettings",
		"AMTNetworkEnabled", 1, "DDNSPeriodicUpdateInterval", 1440, "DDNSTTL", 900, "DDNSUpdateByDHCPServerEnabled", true,
		"DDNSUpdateEnabled", false, "DHCPSyncRequiresHostname", 1, "DHCPv6ConfigurationTimeout", 0, "DigestRealm", realm,
		"DomainName", d.cfg.Domain, "ElementName", "Intel(r) AMT: General Settings", "HostName", d.cfg.HostName, "HostOSFQDN", "",
		"IdleWakeTimeout", 65535, "InstanceID", "Intel(r) AMT: General Settings", "NetworkInterfaceEnabled", true,
		"PingResponseEnabled", true, "PowerSource", 0, "PreferredAddressFamily", 0, "PresenceNotificationInterval", 0,
		"PrivacyLevel", 0, "RmcpPingResponseEnabled", true, "SharedFQDN", true, "ThunderboltDockEnabled", 0, "WsmanOnlyMode", false)
	d.define(&class{
		name: settings.class, keys: []string{"InstanceID"}, realms: generalInfo,
		readOnly: []string{"DigestRealm", "ElementName", "PowerSource", "DHCPSyncRequiresHostname"},
		put: func(_ *request, _, o *object) *fault {
			if len(o.get("HostName")) > 63 || len(o.get("DomainName")) > 191 || strings.ContainsAny(o.get("HostName"), " <>&/") {
				return invalidParameter()
			}
			return nil
		},
	}, settings)
}

// HostName returns the names in AMT_GeneralSettings.
func (d *Device) HostName() (host, domain string) {
	d.mu.Lock()
	defer d.unlock()
	o := d.only("AMT_GeneralSettings")
	return o.get("HostName"), o.get("DomainName")
}

// Realm returns the digest realm.
func (d *Device) Realm() string {
	d.mu.Lock()
	defer d.unlock()
	return d.realm
}

// Instances returns the instances of a class as Enumerate would, or nothing if the device lacks it.
func (d *Device) Instances(class string) []wsman.Element {
	d.mu.Lock()
	defer d.unlock()
	k := d.class(class)
	if k == nil {
		return nil
	}
	var out []wsman.Element
	for _, o := range d.instances(k) {
		out = append(out, o.element())
	}
	return out
}

// Set changes a property of all instances of a class that match the selectors, and says how many there were. The values
// are texts; none removes the property.
func (d *Device) Set(class string, selectors []wsman.Selector, property string, values ...string) int {
	d.mu.Lock()
	defer d.unlock()
	k := d.class(class)
	if k == nil {
		return 0
	}
	n := 0
	for _, o := range d.instances(k) {
		if match, _ := matches(o, selectors); match {
			o.set(property, values)
			n++
		}
	}
	if n > 0 {
		d.emit(EventSettings, "%s.%s was set", class, property)
	}
	return n
}
