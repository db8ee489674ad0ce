package controlproto

import (
	"encoding/json"
	"time"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

var groupActions = []Spec{
	{Action: "meshes", Request: blank[Meshes], Reply: blank[MeshesReply], Echo: EchoTag},
	{Action: "createmesh", Request: blank[CreateMesh], Reply: blank[CreateMeshReply], Echo: EchoResponseID},
	{Action: "deletemesh", Request: blank[DeleteMesh], Replies: RepliesIfAsked, Echo: EchoResponseID},
	{Action: "editmesh", Request: blank[EditMesh], Replies: RepliesIfAsked, Echo: EchoResponseID},
	{Action: "meshamtpolicy", Request: blank[MeshAMTPolicy], Replies: RepliesNever},
	{
		Action: "addmeshuser", Request: blank[AddMeshUser], Reply: blank[AddMeshUserReply],
		Replies: RepliesIfAsked, Echo: EchoResponseID,
	},
	{Action: "removemeshuser", Request: blank[RemoveMeshUser], Replies: RepliesIfAsked, Echo: EchoResponseID},
	{Action: "inviteAgent", Request: blank[InviteAgent], Replies: RepliesIfAsked, Echo: EchoResponseID},
	{Action: "createInviteLink", Request: blank[CreateInviteLink], Reply: blank[CreateInviteLinkReply], Echo: EchoBoth},
	{Action: "importamtdevices", Request: blank[ImportAMTDevices], Replies: RepliesNever},
}

// Meshes asks for the device groups that the account sees. (meshuser.js, serverCommandMeshes)
//
//	{"action":"meshes","responseid":"x"}
type Meshes struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "meshes".
func (*Meshes) Action() string      { return "meshes" }
func (*Meshes) reply() *MeshesReply { return new(MeshesReply) }

// MeshesReply answers [Meshes]. It repeats the tag alone.
//
//	{"action":"meshes","meshes":[{"type":"mesh","_id":"mesh//...","name":"lab","mtype":2,"domain":"",
//	 "links":{...}}],"tag":"x"}
type MeshesReply struct {
	Groups []DeviceGroup              `json:"meshes,keep"`
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is "meshes".
func (*MeshesReply) Action() string { return "meshes" }

// CreateMesh makes a device group, to which the account gets full rights. Not with [SiteNoNewGroups], and where the
// domain sends mail only with a verified address. Errors: "Permission denied", "Email verification required", "Invalid
// group name", "Invalid group description", "Invalid group type", "Invalid KVM ...". Names need not differ. Events
// "accountchange" and "createmesh". (meshuser.js, case 'createmesh')
//
//	{"action":"createmesh","meshname":"lab","meshtype":2,"responseid":"x","desc":"second"}
type CreateMesh struct {
	Name      string                     `json:"meshname"`      // 1 to 128 characters
	GroupType GroupType                  `json:"meshtype,keep"` // a number or its text
	Desc      string                     `json:"desc"`          // up to 1,024 characters
	Flags     GroupFlags                 `json:"flags"`
	Consent   Consent                    `json:"consent"`
	RelayID   ID                         `json:"relayid"`  // device behind which the devices of a GroupLocal or GroupIPKVM are
	KVMModel  int                        `json:"kvmmodel"` // this and the rest: for GroupIPKVM
	KVMHost   string                     `json:"kvmhost"`
	KVMUser   string                     `json:"kvmuser"`
	KVMPass   Secret                     `json:"kvmpass"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "createmesh".
func (*CreateMesh) Action() string          { return "createmesh" }
func (*CreateMesh) reply() *CreateMeshReply { return new(CreateMeshReply) }

// CreateMeshReply answers [CreateMesh], asked or not.
//
//	{"action":"createmesh","responseid":"x","result":"ok","meshid":"mesh//...",
//	 "links":{"user//admin":{"name":"admin","rights":4294967295}}}
type CreateMeshReply struct {
	Result  string                     `json:"result"`
	GroupID ID                         `json:"meshid"`
	Links   Links                      `json:"links"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "createmesh".
func (*CreateMeshReply) Action() string { return "createmesh" }

// DeleteMesh removes a device group with its devices. It takes [FullRights] on it. The result is "ok", "Invalid group
// identifier", "Unknown device group", "Access denied", "Invalid group". Event "deletemesh". (meshuser.js, case
// 'deletemesh')
//
//	{"action":"deletemesh","responseid":"x","meshname":"lab"}
type DeleteMesh struct {
	GroupID   ID                         `json:"meshid"`
	GroupName string                     `json:"meshname"` // in place of GroupID; groups of type GroupAgent only
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "deletemesh".
func (*DeleteMesh) Action() string { return "deletemesh" }
func (*DeleteMesh) reply() *Result { return new(Result) }

// EditMesh changes a device group; nil members stay as they are. It takes [EditGroup]; refused in silence, asked or
// not. The result is "ok" or "Invalid group identifier"; an invitation code that is taken gives a [Notification] and
// no result. Event "meshchange" if something changed. (meshuser.js, case 'editmesh')
//
//	{"action":"editmesh","responseid":"x","meshidname":"lab","desc":"changed"}
type EditMesh struct {
	GroupID   ID                         `json:"meshid"`
	GroupName string                     `json:"meshidname"` // in place of GroupID
	Name      *string                    `json:"meshname"`   // the new name, 1 to 128 characters
	Desc      *string                    `json:"desc"`
	Flags     *GroupFlags                `json:"flags"`
	Consent   *Consent                   `json:"consent"`
	Expire    *int                       `json:"expireDevs"` // days after which absent devices go, up to 2,000; 0: never
	RelayID   *ID                        `json:"relayid"`
	Invite    *InviteChange              `json:"invite"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "editmesh".
func (*EditMesh) Action() string { return "editmesh" }
func (*EditMesh) reply() *Result { return new(Result) }

// InviteChange sets the invitation codes of a device group; without Codes, "*" on the wire, it removes them.
type InviteChange struct{ Codes *InviteCodes }

// AppendJSONRec writes the JSON value.
func (c InviteChange) AppendJSONRec(b []byte) ([]byte, error) {
	if c.Codes == nil {
		return append(b, `"*"`...), nil
	}
	return jsonrec.Append(b, c.Codes)
}

// UnmarshalJSONRec reads the JSON value.
func (c *InviteChange) UnmarshalJSONRec(raw []byte) error {
	c.Codes = nil
	if string(raw) == `"*"` {
		return nil
	}
	codes := new(InviteCodes)
	if err := jsonrec.Unmarshal(raw, codes); err != nil {
		return err
	}
	c.Codes = codes
	return nil
}

// MeshAMTPolicy sets what the server does with Intel AMT in a device group. It takes [EditGroup]. Silent; event
// "meshchange". (meshuser.js, case 'meshamtpolicy')
//
//	{"action":"meshamtpolicy","meshid":"mesh//...","amtpolicy":{"type":2,"password":"...","badpass":0,"cirasetup":0}}
type MeshAMTPolicy struct {
	GroupID ID                         `json:"meshid"` // with prefix and domain
	Policy  AMTPolicyChange            `json:"amtpolicy,keep"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "meshamtpolicy".
func (*MeshAMTPolicy) Action() string { return "meshamtpolicy" }
func (*MeshAMTPolicy) reply() *Result { return new(Result) }

// AMTPolicyChange is an [AMTPolicy] as it is set.
type AMTPolicyChange struct {
	Type      int                        `json:"type,keep"` // 0 none, 1 deactivate, 2 simple, 3 full, 4 automatic
	Password  Secret                     `json:"password"`  // for types 2 and 3; empty: keep it
	BadPass   *int                       `json:"badpass"`   // for types 2 and 3: 0 or 1
	CCM       *int                       `json:"ccm"`       // for type 3: 0 to 2
	CIRASetup *int                       `json:"cirasetup"` // for types 2 and 3, required: 0 to 2
	Extra     map[string]json.RawMessage `json:"-"`
}

// AddMeshUser links accounts and user groups to a device group, changes their rights, or removes them. It takes
// [ManageUsers]; nobody changes his own link, and only who has full rights gives or takes full rights. Errors: "Invalid
// groupid", "Invalid group rights", "Invalid usernames", "Unknown group", "Permission denied", "Invalid domain". Events
// "accountchange" or "usergroupchange", and "meshchange". (meshuser.js, serverCommandAddMeshUser)
//
//	{"action":"addmeshuser","usernames":["ann"],"meshadmin":4294967295,"responseid":"x","meshname":"lab"}
type AddMeshUser struct {
	GroupID   ID                         `json:"meshid"`
	GroupName string                     `json:"meshname"`  // in place of GroupID; groups of type GroupAgent only
	Usernames []string                   `json:"usernames"` // names; those that are unknown are passed over
	UserIDs   []ID                       `json:"userids"`   // accounts and user groups
	UserID    ID                         `json:"userid"`    // one of UserIDs
	Rights    Rights                     `json:"meshadmin,keep"`
	Remove    bool                       `json:"remove"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "addmeshuser".
func (*AddMeshUser) Action() string           { return "addmeshuser" }
func (*AddMeshUser) reply() *AddMeshUserReply { return new(AddMeshUserReply) }

// AddMeshUserReply answers [AddMeshUser]. Result is a text for each account, joined by commas: "Added user ann",
// "Removed user ann", "Unknown user ann", "Can't change self", ..., or "Nothing done". An error has no numbers.
//
//	{"action":"addmeshuser","responseid":"x","result":"Added user ann","success":1,"failed":0}
type AddMeshUserReply struct {
	Result  string                     `json:"result"`
	Success *int                       `json:"success"`
	Failed  *int                       `json:"failed"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "addmeshuser".
func (*AddMeshUserReply) Action() string { return "addmeshuser" }

// RemoveMeshUser removes the link of an account or user group to a device group. It takes [ManageUsers]. The result is
// "ok", "User not in group", "Invalid userid", "Invalid groupid", "Can't remove self", "Unknown device group",
// "Permission denied". Events as for [AddMeshUser]. (meshuser.js, case 'removemeshuser')
//
//	{"action":"removemeshuser","userid":"ann","responseid":"x","meshname":"lab"}
type RemoveMeshUser struct {
	GroupID   ID                         `json:"meshid"`
	GroupName string                     `json:"meshname"` // in place of GroupID; groups of type GroupAgent only
	UserID    ID                         `json:"userid"`   // or the bare name, in lower case
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "removemeshuser".
func (*RemoveMeshUser) Action() string { return "removemeshuser" }
func (*RemoveMeshUser) reply() *Result { return new(Result) }

// InviteAgent sends a mail with an invitation to install the agent. The group must be visible and of type GroupAgent,
// and the server must send mail. The result is "ok", "Unsupported feature", "Invalid email", "Unknown device group",
// "Invalid group type", "Not allowed". (meshuser.js, case 'inviteAgent')
//
//	{"action":"inviteAgent","email":"ann@example.com","name":"","os":"0","responseid":"x","meshname":"lab"}
type InviteAgent struct {
	GroupID   ID                         `json:"meshid"`
	GroupName string                     `json:"meshname"` // in place of GroupID; groups of type GroupAgent only
	Email     string                     `json:"email"`
	Name      string                     `json:"name,keep"`
	OS        string                     `json:"os"` // "0" all, "1" Windows, "2" macOS, "3" Linux, "4" a link to a page
	Msg       string                     `json:"msg"`
	Flags     InviteKind                 `json:"flags"`
	Expire    time.Duration              `json:"expire,hours"` // 0: never
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "inviteAgent".
func (*InviteAgent) Action() string { return "inviteAgent" }
func (*InviteAgent) reply() *Result { return new(Result) }

// CreateInviteLink asks for a link to a page that offers the agent of a device group. The group must be visible.
// Errors: "Invalid group id", "Invalid expire time", "Invalid flags". (meshuser.js, case 'createInviteLink')
//
//	{"action":"createInviteLink","expire":1,"flags":0,"responseid":"x","meshname":"lab"}
type CreateInviteLink struct {
	GroupID   ID                         `json:"meshid"`
	GroupName string                     `json:"meshname"`          // in place of GroupID; groups of type GroupAgent only
	Expire    time.Duration              `json:"expire,hours,keep"` // whole hours, up to 99,999; 0: never
	Flags     InviteKind                 `json:"flags,keep"`
	Agents    uint32                     `json:"agents"` // which agents are offered, bits; 0: all
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "createInviteLink".
func (*CreateInviteLink) Action() string                { return "createInviteLink" }
func (*CreateInviteLink) reply() *CreateInviteLinkReply { return new(CreateInviteLinkReply) }

// CreateInviteLinkReply answers [CreateInviteLink].
//
//	{"action":"createInviteLink","meshid":"mesh//...","url":"https://host/agentinvite?c=...","expire":1,
//	 "cookie":"...","responseid":"x"}
type CreateInviteLinkReply struct {
	GroupID ID                         `json:"meshid"`
	URL     SecretURL                  `json:"url"`
	Expire  time.Duration              `json:"expire,hours,keep"`
	Cookie  Secret                     `json:"cookie"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "createInviteLink".
func (*CreateInviteLinkReply) Action() string { return "createInviteLink" }

// ImportAMTDevices adds devices with Intel AMT to a device group of type GroupAMT. It takes [EditGroup]. Silent; an
// event "addnode" for each. In place of the list, "amtdevices" may be a file of MeshCommander or of Intel SCS, an
// object; set it in Extra, as reading does. (meshuser.js, case 'importamtdevices')
//
//	{"action":"importamtdevices","meshid":"mesh//...","amtdevices":[{"fqdn":"pc1.example.com","username":"admin",
//	 "password":"..."}]}
type ImportAMTDevices struct {
	GroupID ID                         `json:"meshid"` // with prefix and domain
	Devices []ImportAMTDevice          `json:"amtdevices"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "importamtdevices".
func (*ImportAMTDevices) Action() string { return "importamtdevices" }
func (*ImportAMTDevices) reply() *Result { return new(Result) }

// ImportAMTDevice is one device of an [ImportAMTDevices].
type ImportAMTDevice struct {
	FQDN        string                     `json:"fqdn"`
	Name        string                     `json:"name"`
	Username    string                     `json:"username"`
	Password    Secret                     `json:"password"`
	TLS         json.RawMessage            `json:"tls"`
	Version     string                     `json:"version"`
	DigestRealm string                     `json:"digestrealm"`
	UUID        string                     `json:"uuid"`
	State       json.RawMessage            `json:"pstate"`
	TLSCertHash string                     `json:"tlscerthash"`
	Icon        Icon                       `json:"icon"`
	Desc        string                     `json:"desc"`
	Extra       map[string]json.RawMessage `json:"-"`
}
