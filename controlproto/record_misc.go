package controlproto

import (
	"encoding/json"
	"time"
)

// LoginTokenRecord is a login token without its secret.
//
//	{"name":"backup job","tokenUser":"~t:...","created":1795333098219,"expire":0}
type LoginTokenRecord struct {
	Name      string                     `json:"name"`
	TokenUser string                     `json:"tokenUser"` // the login name
	Created   time.Time                  `json:"created,ms"`
	Expires   time.Time                  `json:"expire,ms,keep"` // zero: never (0 on the wire)
	Extra     map[string]json.RawMessage `json:"-"`
}

// Share is a link that lets a guest use a device.
//
//	{"publicid":"...","userid":"user//admin","guestName":"bob","p":2,"consent":1,"startTime":0,"expireTime":0,"url":"https://..."}
type Share struct {
	DeviceID  ID                         `json:"nodeid"` // only in the list of a group
	Kind      ShareKind                  `json:"p"`
	PublicID  string                     `json:"publicid"`
	UserID    ID                         `json:"userid"`
	GuestName string                     `json:"guestName"`
	Consent   Consent                    `json:"consent,keep"`
	Port      uint16                     `json:"port,null"`
	URL       SecretURL                  `json:"url"` // told to who made it
	Start     time.Time                  `json:"startTime,ms"`
	Expires   time.Time                  `json:"expireTime,ms"`
	Duration  time.Duration              `json:"duration,mins"`
	Recurring Recurring                  `json:"recurring"`
	ViewOnly  bool                       `json:"viewOnly"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// LastConnect is when and from where a device connected or disconnected last.
type LastConnect struct {
	Time  time.Time                  `json:"time,ms"`
	Addr  string                     `json:"addr"`       // ip:port
	Cause int                        `json:"cause,keep"` // 1 connected, 0 disconnected
	Type  Connectivity               `json:"connectType"`
	Extra map[string]json.RawMessage `json:"-"`
}

// NetworkInterface is one address of one interface.
type NetworkInterface struct {
	Family     string                     `json:"family"` // "IPv4", "IPv6"
	Address    string                     `json:"address"`
	Netmask    string                     `json:"netmask"`
	Gateway    string                     `json:"gateway"`
	MAC        string                     `json:"mac"`
	GatewayMAC string                     `json:"gatewaymac"`
	FQDN       string                     `json:"fqdn"`
	Type       string                     `json:"type"`
	Status     string                     `json:"status"`
	Index      json.RawMessage            `json:"index"`
	Speed      json.RawMessage            `json:"speed"`
	Extra      map[string]json.RawMessage `json:"-"`
}
