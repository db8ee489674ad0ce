package controlproto

import (
	"encoding/json"
	"time"
)

// Device is a machine, "node" in the protocol. Its texts are what its agent said (meshuser.js, case 'nodes').
//
//	{"type":"node","_id":"node//...","name":"pc1","mtype":2,"icon":1,"conn":1,"pwr":1,"agct":1795333098219,
//	 "osdesc":"Debian GNU/Linux 12 (bookworm)","agent":{"id":6,"ver":0,"caps":30}}
type Device struct {
	Type         string                     `json:"type"` // "node"
	MeshType     GroupType                  `json:"mtype"`
	ID           ID                         `json:"_id"`
	Icon         Icon                       `json:"icon"`
	Group        ID                         `json:"meshid"` // on the wire absent inside a list by group; filled in by this package
	Name         string                     `json:"name"`   // on the server
	RName        string                     `json:"rname"`  // as the agent reports it
	Domain       string                     `json:"domain,keep"`
	Agent        *DeviceAgent               `json:"agent"`
	Host         string                     `json:"host,null"`
	FirstConnect time.Time                  `json:"firstconnect,ms"`
	IP           string                     `json:"ip"` // from which the agent last came
	PublicIP     string                     `json:"publicip"`
	OSDesc       string                     `json:"osdesc"`
	Users        []string                   `json:"users"`  // logged in
	LocalUsers   []string                   `json:"lusers"` // logged in, local names
	LastBoot     time.Time                  `json:"lastbootuptime,ms"`
	Desc         string                     `json:"desc"`
	Tags         []string                   `json:"tags"` // sorted
	Consent      Consent                    `json:"consent"`
	Links        Links                      `json:"links"`
	Conn         Connectivity               `json:"conn"`
	Power        PowerState                 `json:"pwr"`
	AgentSince   time.Time                  `json:"agct,ms"` // while connected
	CIRASince    time.Time                  `json:"cict,ms"` // while connected
	AntiVirus    []AntiVirus                `json:"av"`
	Windows      *WindowsSecurity           `json:"wsc"`
	Defender     *Defender                  `json:"defender"`
	AMT          *DeviceAMT                 `json:"intelamt"`
	Sessions     json.RawMessage            `json:"sessions"` // who is connected how
	SSH          int                        `json:"ssh"`      // 1 user and password, 2 key and passphrase, 3 key: stored by the caller
	RDP          int                        `json:"rdp"`      // 1: stored by the caller
	PushToken    int                        `json:"pmt"`      // 1: push messages are possible
	RDPPort      uint16                     `json:"rdpport"`  // ports: when not the usual ones
	VNCPort      uint16                     `json:"rfbport"`
	SSHPort      uint16                     `json:"sshport"`
	HTTPPort     uint16                     `json:"httpport"`
	HTTPSPort    uint16                     `json:"httpsport"`
	IPLocation   string                     `json:"iploc"` // latitude,longitude,time
	WiFiLocation string                     `json:"wifiloc"`
	GPSLocation  string                     `json:"gpsloc"`
	UserLocation string                     `json:"userloc"`
	PortID       string                     `json:"portid"` // of an IP-KVM
	PortType     string                     `json:"porttype"`
	PortNumber   string                     `json:"portnum"`
	Extra        map[string]json.RawMessage `json:"-"`
}

// Online tells whether the device can be reached in any way.
func (d *Device) Online() bool { return d.Conn != 0 }

// DeviceAgent describes the agent of a device.
type DeviceAgent struct {
	Version *int                       `json:"ver"`     // nil: the device has no agent, only a kind of system
	ID      int                        `json:"id,keep"` // architecture, see agentproto.AgentArch
	Caps    AgentCaps                  `json:"caps,keep"`
	Core    string                     `json:"core"` // what the running core calls itself
	Root    *bool                      `json:"root"` // runs as root
	Tag     string                     `json:"tag"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// AntiVirus is one such program.
type AntiVirus struct {
	Product string                     `json:"product"`
	Updated bool                       `json:"updated,keep"`
	Enabled bool                       `json:"enabled,keep"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// WindowsSecurity is what the Windows Security Center says: OK, WARNING, PROBLEM or UNKNOWN.
type WindowsSecurity struct {
	AntiVirus  string                     `json:"antiVirus"`
	AutoUpdate string                     `json:"autoUpdate"`
	Firewall   string                     `json:"firewall"`
	Extra      map[string]json.RawMessage `json:"-"`
}

// Defender is the state of Windows Defender.
type Defender struct {
	RealTime bool                       `json:"RealTimeProtection,keep"`
	Tamper   bool                       `json:"TamperProtected,keep"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// DeviceAMT is the state of Intel AMT in a device.
type DeviceAMT struct {
	Version  string                     `json:"ver"`
	State    *int                       `json:"state"` // 0 not activated, 1 in between, 2 activated; nil: not known
	Flags    int                        `json:"flags"` // 2 client control, 4 admin control
	User     string                     `json:"user"`
	Password Secret                     `json:"pass,shown"`    // "1" when shown, a number on the wire
	MPSPass  Secret                     `json:"mpspass,shown"` // "1" when shown, a number on the wire
	TLS      *int                       `json:"tls"`           // 1 with TLS, 0 without; nil: not known
	SKU      json.RawMessage            `json:"sku"`
	UUID     string                     `json:"uuid"`
	Host     string                     `json:"host"`
	Realm    string                     `json:"realm"`
	Hash     string                     `json:"hash"`
	Warnings int                        `json:"warn"` // 1 unknown credentials, 2 realm mismatch, 4 TLS certificate mismatch, 8 trying
	Extra    map[string]json.RawMessage `json:"-"`
}
