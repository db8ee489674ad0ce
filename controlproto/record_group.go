package controlproto

import (
	"encoding/json"
	"time"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// DeviceGroup is a group of devices, "mesh" in the protocol (meshuser.js, case 'meshes').
//
//	{"type":"mesh","_id":"mesh//...","name":"lab","mtype":2,"desc":"","domain":"","links":{"user//admin":{"name":"admin",
//	 "rights":4294967295}},"creation":1795333098219,"creatorid":"user//admin","creatorname":"admin"}
type DeviceGroup struct {
	Type        string                     `json:"type"` // "mesh"
	ID          ID                         `json:"_id"`
	Name        string                     `json:"name"`
	GroupType   GroupType                  `json:"mtype"`
	Desc        string                     `json:"desc"`
	Domain      string                     `json:"domain,keep"`
	Links       Links                      `json:"links"` // accounts and user groups
	Created     time.Time                  `json:"creation,ms"`
	CreatorID   ID                         `json:"creatorid"`
	CreatorName string                     `json:"creatorname"`
	Flags       GroupFlags                 `json:"flags"`
	Consent     Consent                    `json:"consent"`
	Invite      *InviteCodes               `json:"invite"`
	ExpireDays  int                        `json:"expireDevs"` // devices not seen for so long are removed
	RelayID     ID                         `json:"relayid"`    // device through which the devices are reached
	AMT         *AMTPolicy                 `json:"amt"`
	KVM         *IPKVM                     `json:"kvm"`
	Quota       int64                      `json:"quota"`
	Deleted     json.RawMessage            `json:"deleted"` // when; such groups are not listed
	Extra       map[string]json.RawMessage `json:"-"`
}

// InviteCodes are words with which somebody finds the agent of a group on the server's page.
type InviteCodes struct {
	Codes []string                   `json:"codes"`
	Flags InviteKind                 `json:"flags,keep"`
	Agent int                        `json:"ag"` // which agents are offered
	Extra map[string]json.RawMessage `json:"-"`
}

// AMTPolicy says what the server does with Intel AMT in a device group.
type AMTPolicy struct {
	Type      int                        `json:"type,keep"`      // 0 none, 1 deactivate, 2 simple, 3 full, 4 automatic
	Password  Secret                     `json:"password,shown"` // "1" when shown, a number on the wire
	BadPass   int                        `json:"badpass"`
	CIRASetup int                        `json:"cirasetup"`
	CCM       int                        `json:"ccm"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// amtPolicy2 and amtPolicy3 are an [AMTPolicy] of the types 2 and 3, which have members that are told even when zero.
type (
	amtPolicy2 struct {
		Type      int                        `json:"type,keep"`
		Password  Secret                     `json:"password,shown"`
		BadPass   int                        `json:"badpass,keep"`
		CIRASetup int                        `json:"cirasetup,keep"`
		CCM       int                        `json:"ccm"`
		Extra     map[string]json.RawMessage `json:"-"`
	}
	amtPolicy3 struct {
		Type      int                        `json:"type,keep"`
		Password  Secret                     `json:"password,shown"`
		BadPass   int                        `json:"badpass,keep"`
		CIRASetup int                        `json:"cirasetup,keep"`
		CCM       int                        `json:"ccm,keep"`
		Extra     map[string]json.RawMessage `json:"-"`
	}
	amtPolicyAny AMTPolicy
)

// AppendJSONRec writes the JSON value.
func (p AMTPolicy) AppendJSONRec(b []byte) ([]byte, error) {
	switch p.Type {
	case 2:
		return jsonrec.Append(b, amtPolicy2(p))
	case 3:
		return jsonrec.Append(b, amtPolicy3(p))
	}
	return jsonrec.Append(b, amtPolicyAny(p))
}

// UnmarshalJSONRec reads the JSON value.
func (p *AMTPolicy) UnmarshalJSONRec(raw []byte) error {
	return jsonrec.Unmarshal(raw, (*amtPolicyAny)(p))
}

// IPKVM says how to reach an IP-KVM.
type IPKVM struct {
	Model    int                        `json:"model"`
	Host     string                     `json:"host"`
	User     string                     `json:"user"`
	Password Secret                     `json:"pass,shown"` // "1" when shown, a number on the wire
	Extra    map[string]json.RawMessage `json:"-"`
}
