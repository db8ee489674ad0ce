package jsonrec

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// device is the record of a device as in the reply to "nodes".
type device struct {
	Type     string                     `json:"type"`
	ID       string                     `json:"_id"`
	MeshID   string                     `json:"meshid"`
	Domain   string                     `json:"domain"`
	MType    int                        `json:"mtype"`
	Name     string                     `json:"name"`
	RName    string                     `json:"rname"`
	Host     string                     `json:"host"`
	IP       string                     `json:"ip"`
	PublicIP string                     `json:"publicip"`
	Icon     int                        `json:"icon"`
	Agent    *agent                     `json:"agent"`
	Conn     uint32                     `json:"conn"`
	Pwr      int                        `json:"pwr"`
	AgCt     time.Time                  `json:"agct,ms"`
	CiCt     time.Time                  `json:"cict,ms"`
	First    time.Time                  `json:"firstconnect,ms"`
	Boot     time.Time                  `json:"lastbootuptime,ms"`
	OSDesc   string                     `json:"osdesc"`
	Users    []string                   `json:"users"`
	LUsers   []string                   `json:"lusers"`
	Desc     string                     `json:"desc"`
	Tags     []string                   `json:"tags"`
	Consent  uint32                     `json:"consent"`
	Links    map[string]link            `json:"links"`
	AV       []antivirus                `json:"av"`
	WSC      *wsc                       `json:"wsc"`
	Defender *defender                  `json:"defender"`
	AMT      *intelAMT                  `json:"intelamt"`
	SSH      int                        `json:"ssh"`
	RDP      int                        `json:"rdp"`
	Push     bool                       `json:"pmt"`
	RDPPort  int                        `json:"rdpport"`
	SSHPort  int                        `json:"sshport"`
	IPLoc    string                     `json:"iploc"`
	Extra    map[string]json.RawMessage `json:"-"`
}

type agent struct {
	ID   int    `json:"id"`
	Ver  int    `json:"ver"`
	Caps uint32 `json:"caps"`
	Core string `json:"core"`
	Root *bool  `json:"root"`
	Tag  string `json:"tag"`
}

type link struct {
	Rights uint32 `json:"rights"`
	Name   string `json:"name"`
}

type antivirus struct {
	Product string `json:"product"`
	Updated bool   `json:"updated"`
	Enabled bool   `json:"enabled"`
}

type wsc struct {
	AntiVirus  string `json:"antiVirus"`
	AutoUpdate string `json:"autoUpdate"`
	Firewall   string `json:"firewall"`
}

type defender struct {
	RealTime bool `json:"RealTimeProtection"`
	Tamper   bool `json:"TamperProtected"`
}

type intelAMT struct {
	Ver   string      `json:"ver"`
	State int         `json:"state"`
	Flags uint32      `json:"flags"`
	User  string      `json:"user"`
	Pass  secret.Text `json:"pass"`
	SKU   int         `json:"sku"`
	UUID  string      `json:"uuid"`
}

// deviceText is an online Windows device, made up after what a server sends for one.
func deviceText(i int) string {
	return fmt.Sprintf(`{"type":"node","_id":"node//%0.64d","domain":"","mtype":2,"name":"DESK-%05d","rname":"DESK-%05d",`+
		`"host":"10.1.%d.%d","ip":"10.1.%d.%d","icon":1,"agent":{"ver":0,"id":4,"caps":31,"core":"Release Dec 14 2025 17:23:03, 1.1.55","root":true},`+
		`"conn":1,"pwr":1,"agct":1700000%06d,"firstconnect":1690000%06d,"lastbootuptime":1699990%06d,"osdesc":"Microsoft Windows 11 Pro - 23H2/22631.4602",`+
		`"users":["CORP\\user%d"],"lusers":["user%d"],"desc":"Second floor, room %d","tags":["office","windows"],"consent":64,`+
		`"links":{"user//admin":{"rights":4294967295,"name":"admin"}},"av":[{"product":"Windows Defender","updated":true,"enabled":true}],`+
		`"wsc":{"antiVirus":"OK","autoUpdate":"OK","firewall":"OK"},"defender":{"RealTimeProtection":true,"TamperProtected":true}}`,
		i, i, i, i>>8&255, i&255, i>>8&255, i&255, i, i, i, i, i, i)
}

type nodes struct {
	Nodes map[string][]device `json:"nodes"`
}

// nodesText is the reply to "nodes" with n devices in one group.
func nodesText(n int) []byte {
	b := []byte(`{"action":"nodes","nodes":{"mesh//x":[`)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, deviceText(i)...)
	}
	return append(b, `]}}`...)
}
