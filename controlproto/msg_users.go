package controlproto

import (
	"encoding/json"
	"time"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

var userActions = []Spec{
	{
		Action: "users", Request: blank[Users], Reply: blank[UsersReply],
		Echo: EchoTag, Site: SiteManageUsers, Denied: "Access denied",
	},
	{Action: "wssessioncount", Request: blank[WSSessionCount], Reply: blank[WSSessionCountReply], Echo: EchoTag},
	{
		Action: "adduser", Request: blank[AddUser],
		Replies: RepliesIfAsked, Echo: EchoResponseID, Site: SiteManageUsers, Denied: "Permission denied",
	},
	{
		Action: "adduserbatch", Request: blank[AddUserBatch],
		Replies: RepliesOnError, Echo: EchoResponseID, Site: SiteManageUsers, Denied: "Access denied",
	},
	{
		Action: "edituser", Request: blank[EditUser],
		Replies: RepliesIfAsked, Echo: EchoResponseID, Site: SiteManageUsers,
	},
	{
		Action: "deleteuser", Request: blank[DeleteUser],
		Replies: RepliesIfAsked, Echo: EchoResponseID, Site: SiteManageUsers, Denied: "Permission denied",
	},
	{Action: "changeuserpass", Request: blank[ChangeUserPass], Replies: RepliesNever, Site: SiteManageUsers},
	{Action: "notifyuser", Request: blank[NotifyUser], Replies: RepliesNever, Site: SiteManageUsers},
	{
		Action: "userbroadcast", Request: blank[UserBroadcast],
		Replies: RepliesIfAsked, Echo: EchoResponseID, Site: SiteManageUsers, Denied: "Permission denied",
	},
	{Action: "emailuser", Request: blank[EmailUser], Replies: RepliesNever, Site: SiteManageUsers},
	{Action: "smsuser", Request: blank[SMSUser], Replies: RepliesNever, Site: SiteManageUsers},
	{Action: "msguser", Request: blank[MsgUser], Replies: RepliesNever, Site: SiteManageUsers},
	{Action: "meshmessenger", Request: blank[MeshMessenger], Replies: RepliesNever},
	{Action: "updateUserImage", Request: blank[UpdateUserImage], Replies: RepliesNever, NoToken: true},
	{Action: "previousLogins", Request: blank[PreviousLogins], Reply: blank[PreviousLoginsReply], Key: "userid"},
}

// Users asks for all accounts; with realms, for those that share one. It takes [SiteManageUsers]; without it the
// result is "Access denied". (meshuser.js, serverCommandUsers)
//
//	{"action":"users","responseid":"x"}
type Users struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "users".
func (*Users) Action() string     { return "users" }
func (*Users) reply() *UsersReply { return new(UsersReply) }

// UsersReply answers [Users]. It repeats the tag alone.
//
//	{"action":"users","users":[{"_id":"user//admin","name":"admin","creation":1795333091,"siteadmin":4294967295}]}
type UsersReply struct {
	Users []User                     `json:"users,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "users".
func (*UsersReply) Action() string { return "users" }

// WSSessionCount asks who has how many sessions. Without [SiteManageUsers] the answer is empty. (meshuser.js, case
// 'wssessioncount')
//
//	{"action":"wssessioncount","responseid":"x"}
type WSSessionCount struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "wssessioncount".
func (*WSSessionCount) Action() string              { return "wssessioncount" }
func (*WSSessionCount) reply() *WSSessionCountReply { return new(WSSessionCountReply) }

// WSSessionCountReply answers [WSSessionCount]. It repeats the tag alone.
//
//	{"action":"wssessioncount","wssessions":{"user//admin":1}}
type WSSessionCountReply struct {
	Sessions map[ID]int                 `json:"wssessions,keep"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "wssessioncount".
func (*WSSessionCountReply) Action() string { return "wssessioncount" }

// AddUser makes an account. It takes [SiteManageUsers]; who is no full administrator can only give [SiteLocked],
// [SiteNoNewGroups] and [SiteNoTools]. The result is "ok", "Permission denied", "Invalid username", "Invalid
// password", "Invalid email", "Invalid domain", "Invalid site permissions", "User already exists", ..., with a number
// of the text in "msgid"; a request without "responseid" gets errors as [Notification]. Everybody concerned gets the
// event "accountcreate". (meshuser.js, serverCommandAddUser)
//
//	{"action":"adduser","username":"ann","pass":"...","email":"ann@example.com","responseid":"x"}
type AddUser struct {
	Username        string                     `json:"username"` // 1 to 256 characters, without space, comma, quote and slash
	Password        Secret                     `json:"pass"`
	RandomPassword  bool                       `json:"randomPassword"` // the server makes one that nobody learns
	Email           string                     `json:"email"`
	EmailVerified   bool                       `json:"emailVerified"`
	EmailInvitation bool                       `json:"emailInvitation"` // send a mail with the password
	ResetNextLogin  bool                       `json:"resetNextLogin"`  // the password must be changed at the first login
	SiteRights      *SiteRights                `json:"siteadmin"`
	RealName        string                     `json:"realname"`
	Consent         Consent                    `json:"consent"`
	Phone           string                     `json:"phone"`
	Domain          *string                    `json:"domain"`       // of another domain, for administrators of all domains
	RemoveEvents    bool                       `json:"removeEvents"` // of an account of this name that was there before
	Extra           map[string]json.RawMessage `json:"-"`
}

// Action is "adduser".
func (*AddUser) Action() string { return "adduser" }
func (*AddUser) reply() *Result { return new(Result) }

// AddUserBatch makes many accounts, all or none. It takes [SiteManageUsers]. Success is silent but for the events;
// errors as with [AddUser]. (meshuser.js, serverCommandAddUserBatch)
//
//	{"action":"adduserbatch","users":[{"user":"ann","pass":"...","email":"ann@example.com"}]}
type AddUserBatch struct {
	Users []BatchUser                `json:"users,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// BatchUser is one account of an [AddUserBatch].
type BatchUser struct {
	Username       string                     `json:"user"`
	Password       Secret                     `json:"pass"`
	Email          string                     `json:"email"`
	EmailVerified  bool                       `json:"emailVerified"`
	RealName       string                     `json:"realname"`
	ResetNextLogin bool                       `json:"resetNextLogin"`
	Extra          map[string]json.RawMessage `json:"-"`
}

// Action is "adduserbatch".
func (*AddUserBatch) Action() string { return "adduserbatch" }
func (*AddUserBatch) reply() *Result { return new(Result) }

// EditUser changes an account. Nil members stay as they are, except Quota: without it the quota is removed. It takes
// [SiteManageUsers]; without it there is silence, or "Permission denied" when ID is the own account. Nobody changes
// his own site rights; managers of accounts change few bits of them. The result is "ok", "Invalid userid", "User does
// not exists", "Invalid domain", "Permission denied", "Invalid user group". A bare name must be in lower case. Event
// "accountchange". (meshuser.js, case 'edituser')
//
//	{"action":"edituser","userid":"ann","responseid":"x","realname":"Ann Example"}
type EditUser struct {
	UserID         ID                         `json:"userid"`   // or the bare name
	Username       string                     `json:"username"` // in place of UserID
	ID             ID                         `json:"id"`       // in place of UserID
	Email          *string                    `json:"email"`
	EmailVerified  *bool                      `json:"emailVerified"`
	RealName       *string                    `json:"realname"`
	Quota          *int64                     `json:"quota"` // bytes of server files
	ResetNextLogin *bool                      `json:"resetNextLogin"`
	Consent        *Consent                   `json:"consent"`
	Phone          *string                    `json:"phone"`
	MessageHandle  *string                    `json:"msghandle"`
	Flags          *UserFlags                 `json:"flags"`
	RemoveRights   *RemovedRights             `json:"removeRights"`
	SiteRights     *SiteRights                `json:"siteadmin"`
	Realms         []string                   `json:"groups"` // empty but not nil: none
	Extra          map[string]json.RawMessage `json:"-"`
}

// Action is "edituser".
func (*EditUser) Action() string { return "edituser" }
func (*EditUser) reply() *Result { return new(Result) }

// Target is the id or name of the account that is meant, by whichever member.
func (m *EditUser) Target() ID {
	switch {
	case m.UserID != "":
		return m.UserID
	case m.Username != "":
		return ID(m.Username)
	}
	return m.ID
}

// DeleteUser removes an account with its links, login tokens and files, and ends its sessions. It takes
// [SiteManageUsers]. The result is "ok", "Permission denied", "Invalid userid", "User does not exists", "Invalid
// domain". Events "accountremove" and changes of all that it was linked to. (meshuser.js, case 'deleteuser')
//
//	{"action":"deleteuser","userid":"ann","responseid":"x"}
type DeleteUser struct {
	UserID ID                         `json:"userid"` // or the bare name, in lower case
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is "deleteuser".
func (*DeleteUser) Action() string { return "deleteuser" }
func (*DeleteUser) reply() *Result { return new(Result) }

// ChangeUserPass sets the password of another account, removes its second factors, or both. It takes [SiteManageUsers].
// Silent; event "accountchange". (meshuser.js, case 'changeuserpass')
//
//	{"action":"changeuserpass","userid":"user//ann","pass":"...","hint":"","removeMultiFactor":false,
//	 "resetNextLogin":true}
type ChangeUserPass struct {
	UserID            ID                         `json:"userid"`    // with prefix and domain
	Password          Secret                     `json:"pass,keep"` // empty: keep it
	Hint              string                     `json:"hint,keep"`
	RemoveMultiFactor bool                       `json:"removeMultiFactor,keep"`
	ResetNextLogin    bool                       `json:"resetNextLogin"`
	Extra             map[string]json.RawMessage `json:"-"`
}

// Action is "changeuserpass".
func (*ChangeUserPass) Action() string { return "changeuserpass" }
func (*ChangeUserPass) reply() *Result { return new(Result) }

// NotifyUser shows a text in the sessions of an account as [Notification]; without sessions, by web push. It takes
// [SiteManageUsers]. Silent. (meshuser.js, case 'notifyuser')
//
//	{"action":"notifyuser","userid":"user//ann","msg":"hello"}
type NotifyUser struct {
	UserID  ID                         `json:"userid"` // with prefix and domain
	Msg     string                     `json:"msg"`    // 1 to 4,096 characters
	URL     string                     `json:"url"`
	MaxTime time.Duration              `json:"maxtime,secs"` // for how long it is shown
	MsgID   int                        `json:"msgid"`        // 11: a request to chat
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "notifyuser".
func (*NotifyUser) Action() string { return "notifyuser" }
func (*NotifyUser) reply() *Result { return new(Result) }

// UserBroadcast shows a text in all sessions of the domain as [Notification], the sender's too. It takes
// [SiteManageUsers]. The result is "ok", "Permission denied", "Message is too long". (meshuser.js, case
// 'userbroadcast')
//
//	{"action":"userbroadcast","msg":"hello all","responseid":"x"}
type UserBroadcast struct {
	Msg     string                     `json:"msg"` // 1 to 512 characters
	MaxTime time.Duration              `json:"maxtime,secs"`
	UserID  ID                         `json:"userid"` // only to this account; or the bare name
	Target  ID                         `json:"target"` // only to accounts linked to this
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "userbroadcast".
func (*UserBroadcast) Action() string { return "userbroadcast" }
func (*UserBroadcast) reply() *Result { return new(Result) }

// EmailUser sends a mail to an account. It takes [SiteManageUsers] and a server with mail. The outcome comes as
// [Notification]. (meshuser.js, serverCommandEmailUser)
//
//	{"action":"emailuser","userid":"user//ann","subject":"hello","msg":"..."}
type EmailUser struct {
	UserID  ID                         `json:"userid"`
	Subject string                     `json:"subject"` // 1 to 1,000 characters
	Msg     string                     `json:"msg"`     // 1 to 10,000 characters
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "emailuser".
func (*EmailUser) Action() string { return "emailuser" }
func (*EmailUser) reply() *Result { return new(Result) }

// SMSUser sends a short message to the phone of an account. It takes [SiteManageUsers] and a server with a gateway. The
// outcome comes as [Notification]. (meshuser.js, serverCommandSmsUser)
//
//	{"action":"smsuser","userid":"user//ann","msg":"hello"}
type SMSUser struct {
	UserID ID                         `json:"userid"`
	Msg    string                     `json:"msg"` // 1 to 160 characters
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is "smsuser".
func (*SMSUser) Action() string { return "smsuser" }
func (*SMSUser) reply() *Result { return new(Result) }

// MsgUser is [SMSUser] by the messaging service of the account. (meshuser.js, serverCommandMsgUser)
//
//	{"action":"msguser","userid":"user//ann","msg":"hello"}
type MsgUser struct {
	UserID ID                         `json:"userid"`
	Msg    string                     `json:"msg"` // 1 to 160 characters
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is "msguser".
func (*MsgUser) Action() string { return "msguser" }
func (*MsgUser) reply() *Result { return new(Result) }

// MeshMessenger asks somebody to chat: an account (it takes [SiteManageUsers]), which gets a [Notification], or the
// user of a device ([ChatNotify]), where a page opens. Silent. (meshuser.js, case 'meshmessenger')
//
//	{"action":"meshmessenger","nodeid":"node//..."}
type MeshMessenger struct {
	UserID   ID                         `json:"userid"`
	DeviceID ID                         `json:"nodeid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "meshmessenger".
func (*MeshMessenger) Action() string { return "meshmessenger" }
func (*MeshMessenger) reply() *Result { return new(Result) }

// UpdateUserImage sets the picture of an account: the own one, or with [SiteManageUsers] another one. Not with a login
// token. Silent; event "accountchange". (meshuser.js, serverCommandUpdateUserImage)
//
//	{"action":"updateUserImage","image":"data:image/png;base64,...","userid":"user//ann"}
type UpdateUserImage struct {
	Image  UserImage                  `json:"image,keep"`
	UserID ID                         `json:"userid"` // "": the own account
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is "updateUserImage".
func (*UpdateUserImage) Action() string { return "updateUserImage" }
func (*UpdateUserImage) reply() *Result { return new(Result) }

// UserImage is a data URL of a PNG or JPEG image, less than 600,000 characters; empty, 0 on the wire, is none.
type UserImage string

// AppendJSONRec writes the JSON value.
func (i UserImage) AppendJSONRec(b []byte) ([]byte, error) {
	if i == "" {
		return append(b, '0'), nil
	}
	return jsonrec.AppendString(b, string(i)), nil
}

// UnmarshalJSONRec reads the JSON value; what is no text is no image.
func (i *UserImage) UnmarshalJSONRec(raw []byte) error {
	var s string
	if len(raw) > 0 && raw[0] == '"' {
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
	}
	*i = UserImage(s)
	return nil
}

// PreviousLogins asks for the log of logins of the own account, or with [SiteManageUsers] of another one.
// (meshuser.js, case 'previousLogins')
//
//	{"action":"previousLogins","userid":"user//ann"}
type PreviousLogins struct {
	UserID ID                         `json:"userid"` // "": the own account
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is "previousLogins".
func (*PreviousLogins) Action() string              { return "previousLogins" }
func (*PreviousLogins) reply() *PreviousLoginsReply { return new(PreviousLoginsReply) }

// PreviousLoginsReply answers [PreviousLogins].
//
//	{"action":"previousLogins","userid":"user//ann","events":[{"t":"2026-11-23T02:00:00.000Z","m":107,
//	 "a":["127.0.0.1","Chrome","Linux"]}]}
type PreviousLoginsReply struct {
	UserID ID                         `json:"userid"`
	Logins []PreviousLogin            `json:"events,keep"`
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is "previousLogins".
func (*PreviousLoginsReply) Action() string { return "previousLogins" }

// PreviousLogin is one attempt to log in.
type PreviousLogin struct {
	Time  time.Time                  `json:"t,iso"`
	MsgID int                        `json:"m"` // 107 logged in, 108, 109, 110 refused
	Args  []json.RawMessage          `json:"a"` // address, browser, operating system
	Token string                     `json:"tn"`
	Extra map[string]json.RawMessage `json:"-"`
}
