package agentproto

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"unicode/utf16"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
	"github.com/meshcentral-go/sdk/internal/secret"
)

// NetInfo lists the network interfaces of the device.
//
//	{"netif2":{"eth0":[{"mac":"02:FC:00:00:00:01","type":"ethernet","status":"up","address":"192.0.2.2",
//	 "family":"IPv4","gateway":"192.0.2.1","netmask":"255.255.255.0"}]},"action":"netinfo"}
//
// Direction: agent to server, 5 seconds after the connection is ready and whenever it changed; not repeated by a process
// that only reconnects. The server keeps the last one of each device.
// meshagent.js, processAgentData; meshcore.js, sendNetworkUpdate.
type NetInfo struct {
	Interfaces map[AgentString][]NetAddress // by name of the interface ("netif2")
	Order      []AgentString                // names of interfaces in the agent's order; those that are not in it come last, sorted
	Old        json.RawMessage              // the form of very old agents ("netif")
	Extra      map[string]json.RawMessage
}

// NetAddress is one address of an interface. An interface without addresses has one entry without Address.
type NetAddress struct {
	Address    AgentString // may carry a zone: "fe80::1%4"
	Family     AgentString // "IPv4" or "IPv6"
	Netmask    AgentString
	MAC        AgentString
	Gateway    AgentString
	GatewayMAC AgentString
	Type       AgentString // "ethernet", "wireless", ...
	Status     AgentString // "up" or "down"
	FQDN       AgentString
	Index      *int64
	Speed      *float64 // bits per second
	Extra      map[string]json.RawMessage
}

// Action is "netinfo".
func (*NetInfo) Action() string { return "netinfo" }

const (
	maxInterfaces = 1024
	maxAddresses  = 256 // of one interface
)

func (m *NetInfo) fields(c *jsonFields) {
	if !c.reading {
		if m.Interfaces != nil {
			c.name("netif2")
			c.writeObject("netif2", func(sub *jsonFields) {
				for _, name := range m.ordered() {
					list := m.Interfaces[name]
					sub.name(string(name))
					sub.objects(string(name), len(list), func(i int, item *jsonFields) { list[i].fields(item) })
				}
			})
		}
	} else if object, members, ok := c.object("netif2", maxInterfaces); ok {
		m.Interfaces = make(map[AgentString][]NetAddress, len(members))
		m.Order = nil
		for _, name := range memberOrder(object, members) {
			raw, field := members[name], "netif2."+name
			list := []NetAddress{}
			switch raw[0] {
			case 'n':
			case '[':
				if items, ok := c.itemsOf(field, raw, maxAddresses); ok {
					list = objectItems(c, field, raw, items, (*NetAddress).fields)
				}
			default:
				c.unwanted(field, raw, raw, "an array")
			}
			clean := CleanAgentString(name, ruleName.limit)
			if _, again := m.Interfaces[clean]; !again {
				m.Order = append(m.Order, clean)
			}
			m.Interfaces[clean] = list
		}
	}
	rawField(c, "netif", &m.Old)
	c.extra(&m.Extra)
}

// ordered lists all interfaces once.
func (m *NetInfo) ordered() []AgentString {
	names := make([]AgentString, 0, len(m.Interfaces))
	listed := make(map[AgentString]bool, len(m.Interfaces))
	for _, list := range [][]AgentString{m.Order, sortedKeys(m.Interfaces)} {
		for _, name := range list {
			if _, ok := m.Interfaces[name]; ok && !listed[name] {
				listed[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

// memberOrder lists the names of an object's members in the order of the text, each once.
func memberOrder(object json.RawMessage, members map[string]json.RawMessage) []string {
	names := make([]string, 0, len(members))
	listed := make(map[string]bool, len(members))
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil { // the brace; it was read before, so nothing here fails
		return sortedKeys(members)
	}
	for d.More() {
		name, err := d.Token()
		var value json.RawMessage
		if err == nil {
			err = d.Decode(&value)
		}
		text, ok := name.(string)
		if err != nil || !ok {
			return sortedKeys(members)
		}
		if _, known := members[text]; known && !listed[text] {
			listed[text] = true
			names = append(names, text)
		}
	}
	return names
}

func (v *NetAddress) fields(c *jsonFields) {
	textField(c, "address", &v.Address, ruleName)
	textField(c, "family", &v.Family, ruleName)
	textField(c, "netmask", &v.Netmask, ruleName)
	textField(c, "mac", &v.MAC, ruleName)
	textField(c, "gateway", &v.Gateway, ruleName)
	textField(c, "gatewaymac", &v.GatewayMAC, ruleName)
	textField(c, "type", &v.Type, ruleName)
	textField(c, "status", &v.Status, ruleName)
	textField(c, "fqdn", &v.FQDN, ruleName)
	optInt(c, "index", &v.Index)
	optFloat(c, "speed", &v.Speed)
	c.extra(&v.Extra)
}

// SysInfo is the inventory of the device: hardware, firmware, disks, memory.
//
//	{"action":"sysinfo","sessionid":"...","data":{"hash":"9f..","hardware":{"identifiers":{..},"linux":{..}}}}
//
// Direction: agent to server, as answer to a [GetSysInfo] whose hash differs from the agent's own. A core that cannot
// collect it (containers without SMBIOS tables) does not answer at all. The hash is the agent's choice; the server only
// compares it. The stock server drops what [SysInfo.Validate] refuses without a word.
// meshagent.js, processAgentData; meshcore.js, getSystemInformation.
type SysInfo struct {
	Data      SystemData
	SessionID AgentString
	Extra     map[string]json.RawMessage
}

// SystemData is the document of a [SysInfo]. On Windows it holds the recovery passwords of encrypted disks
// (hardware.windows.volumes), so printing it, in any form, shows its size only.
type SystemData struct {
	_   [0]func()        // not comparable
	raw *json.RawMessage // hidden like a [Secret]
}

// NewSystemData wraps a document.
func NewSystemData(raw json.RawMessage) SystemData {
	if raw == nil {
		return SystemData{}
	}
	return SystemData{raw: &raw}
}

// Raw is the document; compact JSON if it was read. It may not be changed.
func (d SystemData) Raw() json.RawMessage {
	if d.raw == nil {
		return nil
	}
	return *d.raw
}

// Equal compares the documents byte for byte.
func (d SystemData) Equal(e SystemData) bool { return bytes.Equal(d.Raw(), e.Raw()) }

// String tells the size.
func (d SystemData) String() string {
	return "[" + strconv.Itoa(len(d.Raw())) + " bytes of system information]"
}

// GoString is what %#v prints.
func (d SystemData) GoString() string { return "agentproto.SystemData(" + d.String() + ")" }

// Format makes every verb print the size.
func (d SystemData) Format(f fmt.State, verb rune) { secret.Format(f, verb, d.String(), d.GoString()) }

// LogValue is what log/slog prints.
func (d SystemData) LogValue() slog.Value { return slog.StringValue(d.String()) }

// MarshalText is what encoding/json prints.
func (d SystemData) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Action is "sysinfo".
func (*SysInfo) Action() string { return "sysinfo" }

func (m *SysInfo) fields(c *jsonFields) {
	raw := m.Data.Raw()
	rawField(c, "data", &raw)
	if c.reading {
		m.Data = NewSystemData(raw)
	}
	textField(c, "sessionid", &m.SessionID, ruleID)
	c.extra(&m.Extra)
}

// Hash is data.hash, which a server sends back in [GetSysInfo] to be spared what it has. It is "" when there is none.
func (m *SysInfo) Hash() AgentString {
	hash, err := jsonrec.Peek(m.Data.Raw(), "hash")
	if err != nil || len(hash[0]) == 0 || hash[0][0] != '"' {
		return ""
	}
	return CleanAgentString(unquoteJSON(hash[0]), ruleID.limit)
}

// Validate applies the rules by which the stock server accepts the document: an object with a string "hash"; names of at
// most 100 characters of 0-9, A-Z, a-z and "_"; strings of at most 1024 characters (of UTF-16). Like the stock server it does not
// look into arrays. meshagent.js, case 'sysinfo'; common.js, validateObjectForMongo.
func (m *SysInfo) Validate() error {
	bad := func(path, detail string) error {
		return &JSONError{Action: "sysinfo", Field: path, Err: ErrJSONField, Detail: detail}
	}
	var walk func(raw json.RawMessage, path string, depth int) error
	walk = func(raw json.RawMessage, path string, depth int) error {
		if depth > maxJSONDepth {
			return &JSONError{Action: "sysinfo", Field: path, Err: ErrJSONLimit, Detail: "nested too deep"}
		}
		switch raw[0] {
		case '"':
			if n := len(utf16.Encode([]rune(unquoteJSON(raw)))); n > 1024 {
				return bad(path, strconv.Itoa(n)+" characters, at most 1024")
			}
		case '{':
			var members map[string]json.RawMessage
			if err := json.Unmarshal(raw, &members); err != nil {
				return &JSONError{Action: "sysinfo", Field: path, Err: ErrJSONSyntax}
			}
			for _, name := range sortedKeys(members) {
				if !isDatabaseName(name) {
					return bad(path, "a name that is no database field: "+strconv.Quote(cutText(name, 64)))
				}
				if err := walk(members[name], path+"."+name, depth+1); err != nil {
					return err
				}
			}
		}
		return nil
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(m.Data.Raw(), &top); err != nil || top == nil {
		return bad("data", "want an object")
	}
	if hash := top["hash"]; len(hash) == 0 || hash[0] != '"' {
		return bad("data.hash", "want a string")
	}
	return walk(bytes.TrimSpace(m.Data.Raw()), "data", 0)
}

func isDatabaseName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return len(s) <= 100
}

// SysInfoCheck asks the server for a [GetSysInfo] with the hash that it has.
//
//	{"action":"sysinfocheck"}
//
// Direction: agent to server. meshagent.js, processAgentData.
type SysInfoCheck struct {
	Extra map[string]json.RawMessage
}

// Action is "sysinfocheck".
func (*SysInfoCheck) Action() string { return "sysinfocheck" }

func (m *SysInfoCheck) fields(c *jsonFields) { c.extra(&m.Extra) }

// SMBIOSReport carries the raw SMBIOS tables of the device.
//
//	{"action":"smbios","value":{"0":["AABlE...=="],"17":["...","..."]}}
//
// Direction: agent to server, on connection. The names are table types (0 to 255), the items the tables in base64. The stock
// server stores it only if the domain has `smbios` set. meshagent.js, processAgentData; meshcore.js, SMBiosTablesRaw.
type SMBIOSReport struct {
	Value json.RawMessage
	Extra map[string]json.RawMessage
}

// Action is "smbios".
func (*SMBIOSReport) Action() string { return "smbios" }

func (m *SMBIOSReport) fields(c *jsonFields) {
	rawField(c, "value", &m.Value)
	c.extra(&m.Extra)
}

// IPLocation tells where the device's public address is.
//
//	{"action":"iplocation","type":"publicip","value":{"ip":"192.0.2.7","city":"Hillsboro","region":"Oregon",
//	 "country":"US","loc":"45.44,-122.96","org":"AS4983 Intel Corporation","postal":"97123"}}
//
// Direction: agent to server, as answer to [GetIPLocation]. meshagent.js, processAgentData; meshcore.js, getIpLocationData.
type IPLocation struct {
	Type  AgentString // "publicip"
	Value *PublicIP
	Extra map[string]json.RawMessage
}

// PublicIP is what a location service said of an address.
type PublicIP struct {
	IP, City, Region, Country, Loc, Org, Postal AgentString

	Extra map[string]json.RawMessage
}

// Action is "iplocation".
func (*IPLocation) Action() string { return "iplocation" }

func (m *IPLocation) fields(c *jsonFields) {
	textField(c, "type", &m.Type, ruleName)
	objectField(c, "value", &m.Value, (*PublicIP).fields)
	c.extra(&m.Extra)
}

func (v *PublicIP) fields(c *jsonFields) {
	textField(c, "ip", &v.IP, ruleName)
	textField(c, "city", &v.City, ruleName)
	textField(c, "region", &v.Region, ruleName)
	textField(c, "country", &v.Country, ruleName)
	textField(c, "loc", &v.Loc, ruleName)
	textField(c, "org", &v.Org, ruleName)
	textField(c, "postal", &v.Postal, ruleName)
	c.extra(&v.Extra)
}

// Battery tells the power state of the device.
//
//	{"action":"battery","state":"dc","level":55}
//
// Direction: agent to server, on change. A server ignores a state other than "ac" and "dc" and a level outside 0 to 100.
// meshagent.js, processAgentData; meshcore.js, _battLevelChanged and _powerChanged.
type Battery struct {
	State AgentString // "ac" or "dc"
	Level *float64    // percent
	Extra map[string]json.RawMessage
}

// Action is "battery".
func (*Battery) Action() string { return "battery" }

func (m *Battery) fields(c *jsonFields) {
	c.lenient = true
	textField(c, "state", &m.State, ruleName)
	optFloat(c, "level", &m.Level)
	c.extra(&m.Extra)
}

// LMSInfo lists the ports of the device's Intel AMT local manageability service.
//
//	{"action":"lmsinfo","value":{"ports":["623","16992"]}}
//
// Direction: agent to server. The stock server ignores it. meshagent.js, processAgentData; meshcore.js, portBinding_LMS.
type LMSInfo struct {
	Value *LMSPorts
	Extra map[string]json.RawMessage
}

// LMSPorts are the ports of a manageability service.
type LMSPorts struct {
	Ports []AgentString
	Extra map[string]json.RawMessage
}

// Action is "lmsinfo".
func (*LMSInfo) Action() string { return "lmsinfo" }

func (m *LMSInfo) fields(c *jsonFields) {
	objectField(c, "value", &m.Value, (*LMSPorts).fields)
	c.extra(&m.Extra)
}

func (v *LMSPorts) fields(c *jsonFields) {
	textsField(c, "ports", &v.Ports, 256, ruleName)
	c.extra(&v.Extra)
}
