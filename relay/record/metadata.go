package record

import (
	"encoding/json"
	"fmt"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

const (
	magic = "MeshCentralRelaySession"
	// maxMetadata bounds the first block. A stock server's has some 600 bytes.
	maxMetadata = 1 << 20
)

// Metadata is the first block of a recording: whose session it is.
//
//	{"magic":"MeshCentralRelaySession","ver":1,"userid":"user//admin","username":"admin","sessionid":"dn1is13t6aen",
//	 "ipaddr1":"127.0.0.1","ipaddr2":"127.0.0.1","time":"1/2/2026, 3:04:05 AM","protocol":"2","nodeid":"node//...",
//	 "devicename":"d1"}
//
// A recording of a desktop that several operators shared (meshdesktopmultiplex.js) names no user, but the group.
// Confirmed in meshrelay.js, performRelay.
type Metadata struct {
	Magic      string                     `json:"magic"` // set by [NewWriter]
	Version    int                        `json:"ver"`   // set by [NewWriter]
	UserID     string                     `json:"userid"`
	UserName   string                     `json:"username"`
	SessionID  string                     `json:"sessionid"` // the id of the tunnel
	Address1   string                     `json:"ipaddr1"`   // of the end that came first
	Address2   string                     `json:"ipaddr2"`
	Time       string                     `json:"time"`     // when it began, in words of the server's locale
	Protocol   int                        `json:"protocol"` // what the tunnel is for: 1 terminal, 2 desktop, 5 files, ...
	NodeID     string                     `json:"nodeid"`
	MeshID     string                     `json:"meshid"`
	DeviceName string                     `json:"devicename"`
	GroupName  string                     `json:"devicegroup"`
	IntelAMT   bool                       `json:"intelamt"`
	Extra      map[string]json.RawMessage `json:"-"`
}

// protocolDesktop is the protocol number of desktop sessions, the only ones that can have an index.
const protocolDesktop = 2

// parseMetadata reads the payload of the first block.
func parseMetadata(b []byte) (Metadata, error) {
	var m Metadata
	if err := jsonrec.Unmarshal(b, &m); err != nil {
		return Metadata{}, fmt.Errorf("%w: metadata: %w", ErrFormat, err)
	}
	// What a browser saves of its own session has the same text here.
	if m.Magic != magic {
		return Metadata{}, fmt.Errorf("%w: magic %.40q", ErrFormat, m.Magic)
	}
	return m, nil
}
