package wsmantest

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	mpsMost       = 4
	suffixMost    = 4
	ciraWordMost  = 16 // user and password
	formatIPv4    = 3
	formatIPv6    = 4
	formatFQDN    = 201
	authMutualTLS = 1
	authPassword  = 2
)

// policyNames are the names of CIRA policies by trigger. A second one of a trigger is refused.
var policyNames = []string{"User Initiated", "Alert", "Periodic", "Home Provisioning"}

var mpsUser = regexp.MustCompile(`^[0-9A-Za-z]{1,16}$`)

// MPS is a server that the device would connect to.
type MPS struct {
	Name     string // of the instance: "Intel(r) AMT:Management Presence Server 0"
	Address  string
	Port     int
	User     string
	Password Secret
	CN       string // what its certificate is for, if Address is an IP
}

// Policy says when the device connects to its servers.
type Policy struct {
	Trigger  int // 0 user initiated, 1 alert, 2 periodic, 3 home provisioning
	LifeTime int // seconds; 0 without limit
	// Interval is how often, with trigger 2; or Hour and Minute say when each day.
	Interval     time.Duration
	Hour, Minute int
	Daily        bool
	Servers      []string // names of MPS, in order of preference
}

// CIRA is the configuration of client initiated remote access.
type CIRA struct {
	Servers  []MPS
	Policies []Policy
	Suffixes []string // the networks in which the device is at home, where it does not connect
	State    int      // AMT_UserInitiatedConnectionService.EnabledState: 32768 off, 32769 BIOS, 32770 OS, 32771 both
}

func (d *Device) buildCIRA() {
	serverKeys := []string{"CreationClassName", "Name", "SystemCreationClassName", "SystemName"}
	d.define(&class{name: "AMT_ManagementPresenceRemoteSAP", keys: serverKeys, remove: func(o *object) *fault {
		for _, link := range d.classes["AMT_RemoteAccessPolicyAppliesToMPS"].objects {
			if ref, _ := link.ref("ManagedElement"); d.resolve(ref) == o {
				return inUse()
			}
		}
		for _, link := range slices.Clone(d.classes["AMT_RemoteAccessCredentialContext"].objects) {
			if ref, _ := link.ref("ElementProvidingContext"); d.resolve(ref) == o {
				if secret, _ := link.ref("ElementInContext"); d.resolve(secret) != nil && secret.ClassName() == "AMT_MPSUsernamePassword" {
					d.discard(d.resolve(secret))
				}
				d.discard(link)
			}
		}
		d.emit(EventCIRA, "server %q was removed", o.get("AccessInfo"))
		return nil
	}})
	// The password of a server is not shown.
	d.define(&class{
		name: "AMT_MPSUsernamePassword", keys: []string{"InstanceID"}, optional: []string{"Secret"}, readOnly: []string{"ElementName"},
		put: func(_ *request, _, o *object) *fault {
			if !mpsUser.MatchString(o.get("RemoteID")) || len(o.get("Secret")) > ciraWordMost {
				return invalidRepresentation()
			}
			return nil
		},
	})
	d.define(&class{name: "AMT_RemoteAccessCredentialContext", keys: []string{"ElementInContext", "ElementProvidingContext"}})
	d.define(&class{name: "AMT_RemoteAccessPolicyRule", keys: []string{"CreationClassName", "PolicyRuleName", "SystemCreationClassName", "SystemName"}, remove: func(o *object) *fault {
		for _, link := range slices.Clone(d.classes["AMT_RemoteAccessPolicyAppliesToMPS"].objects) {
			if ref, _ := link.ref("PolicySet"); d.resolve(ref) == o {
				d.discard(link)
			}
		}
		d.emit(EventCIRA, "policy %q was removed", o.get("PolicyRuleName"))
		return nil
	}})
	d.define(&class{
		name: "AMT_RemoteAccessPolicyAppliesToMPS", keys: []string{"ManagedElement", "PolicySet"}, remove: func(*object) *fault { return nil },
		put: func(*request, *object, *object) *fault { return nil },
	})
	remote := service("AMT_RemoteAccessService", "Intel(r) AMT:Remote Access Service", "IsRemoteTunnelConnected", false)
	d.define(&class{name: remote.class, keys: serviceKeys, methods: map[string]method{
		"AddMpServer":               d.addServer,
		"AddRemoteAccessPolicyRule": d.addPolicy,
		"CloseRemoteAccessConnection": func(*call) (int, *fault) {
			d.emit(EventCIRA, "the connection shall be closed")
			return ok, nil
		},
	}}, remote)
	d.fixed(newObject("AMT_RemoteAccessCapabilities", "ElementName", "Intel(r) AMT: Remote Access Capabilities",
		"InstanceID", "Intel(r) AMT: Remote Access Capabilities", "MaxMpsPerPolicy", 2, "MaxTotalMpServers", mpsMost, "MaxTotalPolicies", len(policyNames)))
	detection := newObject("AMT_EnvironmentDetectionSettingData", "DetectionAlgorithm", 0, "ElementName", "Intel(r) AMT Environment Detection Settings",
		"InstanceID", "Intel(r) AMT Environment Detection Settings")
	d.define(&class{
		name: detection.class, keys: []string{"InstanceID"}, readOnly: []string{"ElementName"}, optional: []string{"DetectionStrings", "DetectionIPv6LocalPrefixes"},
		texts: []string{"DetectionStrings"},
		put: func(_ *request, _, o *object) *fault {
			all := o.texts("DetectionStrings")
			if len(all) > suffixMost || slices.ContainsFunc(all, func(s string) bool { return s == "" || len(s) >= 64 }) {
				return invalidRepresentation()
			}
			return nil
		},
		methods: map[string]method{
			"EnableVpnRouting":       func(*call) (int, *fault) { return ok, nil },
			"SetSystemDefensePolicy": func(*call) (int, *fault) { return cimNotSupported, nil },
		},
	}, detection)
	user := service("AMT_UserInitiatedConnectionService", "Intel(r) AMT: User Initiated Connection Service", "EnabledState", 32768, "RequestedState", 12)
	d.define(&class{name: user.class, keys: serviceKeys, methods: map[string]method{
		"RequestStateChange": d.requestStateChange(EventCIRA, 32768, 32769, 32770, 32771),
	}}, user)
	if !d.prof.proxies {
		return
	}
	proxies := service("IPS_HTTPProxyService", "Intel(r) AMT HTTP Proxy Service", "EnabledState", 5, "RequestedState", 12, "SyncEnabled", true)
	d.define(&class{name: proxies.class, keys: serviceKeys, readOnly: []string{"EnabledState", "RequestedState"}, methods: map[string]method{
		"AddProxyAccessPoint": d.addProxy,
	}, put: func(*request, *object, *object) *fault { return nil }}, proxies)
	d.define(&class{name: "IPS_HTTPProxyAccessPoint", keys: serverKeys, remove: func(*object) *fault { return nil }})
}

// checkAddress says whether an address has the form that InfoFormat names.
func checkAddress(address string, format int) bool {
	ip, err := netip.ParseAddr(address)
	switch format {
	case formatIPv4:
		return err == nil && ip.Is4()
	case formatIPv6:
		return err == nil && ip.Is6()
	case formatFQDN:
		return address != "" && len(address) < 256 && !strings.ContainsAny(address, " /<>&\"")
	}
	return false
}

// addServer is AMT_RemoteAccessService.AddMpServer.
func (d *Device) addServer(c *call) (int, *fault) {
	address := c.text("AccessInfo")
	format, ok1 := c.num("InfoFormat")
	port, ok2 := c.num("Port")
	auth, ok3 := c.num("AuthMethod")
	servers := d.classes["AMT_ManagementPresenceRemoteSAP"]
	user, word := c.text("Username"), c.text("Password")
	cert, _ := c.ref("Certificate")
	switch {
	case !ok1 || !ok2 || !ok3 || !checkAddress(address, format) || port < 1 || port > 65535:
		return statusInvalidParameter, nil
	case auth == authPassword && (!mpsUser.MatchString(user) || word == "" || len(word) > ciraWordMost):
		return statusInvalidParameter, nil
	case auth == authMutualTLS && (cert == nil || d.keyOf(cert) == nil), auth != authPassword && auth != authMutualTLS:
		return statusInvalidParameter, nil
	case len(servers.objects) >= mpsMost:
		return statusMaxLimit, nil
	case !d.flashWrite():
		return statusFlashLimit, nil
	}
	n := 0
	title := func() string { return fmt.Sprintf("Intel(r) AMT:Management Presence Server %d", n) }
	for d.one(servers.name, "Name", title()) != nil {
		n++
	}
	o := newObject(servers.name, "AccessInfo", address, "CN", c.text("CN"), "CreationClassName", servers.name,
		"ElementName", "Intel(r) AMT:Management Presence Server", "InfoFormat", format, "Name", title(), "Port", port,
		"SystemCreationClassName", computer, "SystemName", amtSystem)
	d.store(o)
	if auth == authPassword {
		credential := newObject("AMT_MPSUsernamePassword", "Algorithm", "TLS", "ElementName", "Intel(r) AMT:MPS Username Password",
			"InstanceID", fmt.Sprintf("Intel(r) AMT:MPS Username Password %d", n), "Protocol", "MPS", "RemoteID", user)
		d.store(credential)
		d.state.cira[credential] = NewSecret(word)
		d.store(newObject("AMT_RemoteAccessCredentialContext", "ElementInContext", d.ref(credential), "ElementProvidingContext", d.ref(o)))
	} else {
		d.store(newObject("AMT_RemoteAccessCredentialContext", "ElementInContext", d.ref(cert), "ElementProvidingContext", d.ref(o)))
	}
	ref := d.ref(o)
	if d.cfg.Quirks.OneSelector {
		ref = refTo(o.class, "Name", o.get("Name"))
	}
	c.set("MpServer", ref)
	d.emit(EventCIRA, "server %q, port %d, was added", address, port)
	return ok, nil
}

// addPolicy is AMT_RemoteAccessService.AddRemoteAccessPolicyRule.
func (d *Device) addPolicy(c *call) (int, *fault) {
	trigger, ok1 := c.num("Trigger")
	life, ok2 := c.num("TunnelLifeTime")
	if !ok1 || !ok2 || trigger < 0 || trigger >= len(policyNames) || life < 0 {
		return statusInvalidParameter, nil
	}
	extended, given := c.bytes("ExtendedData")
	if _, valid := periodic(extended); trigger == 2 && (!given || !valid) {
		return statusInvalidParameter, nil
	}
	var servers []*object
	for i := range c.in.Children {
		e := &c.in.Children[i]
		if e.Name != "MpServer" && e.Name != "InternalMpServer" {
			continue
		}
		ref, _ := parseRef(e)
		o := d.resolve(ref)
		if o == nil || o.class != "AMT_ManagementPresenceRemoteSAP" {
			return statusInvalidParameter, nil
		}
		servers = append(servers, o)
	}
	title := policyNames[trigger]
	switch {
	case len(servers) < 1 || len(servers) > 2:
		return statusInvalidParameter, nil
	case d.one("AMT_RemoteAccessPolicyRule", "PolicyRuleName", title) != nil:
		return statusDuplicate, nil
	case !d.flashWrite():
		return statusFlashLimit, nil
	}
	o := newObject("AMT_RemoteAccessPolicyRule", "CreationClassName", "AMT_RemoteAccessPolicyRule", "ElementName", "Intel(r) AMT:Remote Access Policy",
		"ExtendedData", extended, "PolicyRuleName", title, "SystemCreationClassName", computer, "SystemName", amtSystem,
		"Trigger", trigger, "TunnelLifeTime", life)
	d.store(o)
	for i, server := range servers {
		d.store(newObject("AMT_RemoteAccessPolicyAppliesToMPS", "ManagedElement", d.ref(server), "MpsType", 0, "OrderOfAccess", i, "PolicySet", d.ref(o)))
	}
	c.set("PolicyRule", d.ref(o))
	d.emit(EventCIRA, "policy %q was added", title)
	return ok, nil
}

// periodic reads ExtendedData: 0 and seconds, or 1, hour and minute, all big-endian.
func periodic(b []byte) (p Policy, valid bool) {
	var n []uint32
	for ; len(b) >= 4; b = b[4:] {
		n = append(n, binary.BigEndian.Uint32(b))
	}
	switch {
	case len(b) == 0 && len(n) == 2 && n[0] == 0 && n[1] > 0:
		p.Interval = time.Duration(n[1]) * time.Second
		return p, true
	case len(b) == 0 && len(n) == 3 && n[0] == 1 && n[1] < 24 && n[2] < 60:
		p.Daily, p.Hour, p.Minute = true, int(n[1]), int(n[2])
		return p, true
	}
	return p, false
}

// addProxy is IPS_HTTPProxyService.AddProxyAccessPoint.
func (d *Device) addProxy(c *call) (int, *fault) {
	format, ok1 := c.num("InfoFormat")
	port, ok2 := c.num("Port")
	if !ok1 || !ok2 || !checkAddress(c.text("AccessInfo"), format) || port < 1 || port > 65535 {
		return statusInvalidParameter, nil
	}
	k := d.classes["IPS_HTTPProxyAccessPoint"]
	if len(k.objects) >= mpsMost {
		return statusMaxLimit, nil
	}
	n := 0
	title := func() string { return fmt.Sprintf("Intel(r) ME:HTTP Proxy Access Point %d", n) }
	for d.one(k.name, "Name", title()) != nil {
		n++
	}
	o := newObject(k.name, "AccessInfo", c.text("AccessInfo"), "CreationClassName", k.name, "ElementName", "Intel(r) ME:HTTP Proxy Access Point",
		"InfoFormat", format, "Name", title(), "NetworkDnsSuffix", c.text("NetworkDnsSuffix"), "Port", port,
		"SystemCreationClassName", computer, "SystemName", amtSystem)
	d.store(o)
	c.set("ProxyAccessPoint", d.ref(o))
	return ok, nil
}

// CIRA returns the configuration of client initiated remote access. Package mps/mpstest connects; this only says where to.
func (d *Device) CIRA() CIRA {
	d.mu.Lock()
	defer d.unlock()
	out := CIRA{
		Suffixes: d.only("AMT_EnvironmentDetectionSettingData").texts("DetectionStrings"),
		State:    d.only("AMT_UserInitiatedConnectionService").num("EnabledState"),
	}
	for _, o := range d.classes["AMT_ManagementPresenceRemoteSAP"].objects {
		m := MPS{Name: o.get("Name"), Address: o.get("AccessInfo"), Port: o.num("Port"), CN: o.get("CN")}
		for _, link := range d.classes["AMT_RemoteAccessCredentialContext"].objects {
			if server, _ := link.ref("ElementProvidingContext"); d.resolve(server) != o {
				continue
			}
			ref, _ := link.ref("ElementInContext")
			if credential := d.resolve(ref); credential != nil {
				m.User, m.Password = credential.get("RemoteID"), d.state.cira[credential]
			}
		}
		out.Servers = append(out.Servers, m)
	}
	for _, o := range d.classes["AMT_RemoteAccessPolicyRule"].objects {
		extended, _ := decodeBase64(o.get("ExtendedData"))
		p, _ := periodic(extended)
		p.Trigger, p.LifeTime = o.num("Trigger"), o.num("TunnelLifeTime")
		for _, link := range d.classes["AMT_RemoteAccessPolicyAppliesToMPS"].objects {
			if rule, _ := link.ref("PolicySet"); d.resolve(rule) == o {
				server, _ := link.ref("ManagedElement")
				p.Servers = append(p.Servers, server.Selector("Name"))
			}
		}
		out.Policies = append(out.Policies, p)
	}
	return out
}
