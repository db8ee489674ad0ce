package controlproto

import "encoding/json"

// AccountCreateEvent: a new account.
type AccountCreateEvent struct {
	Account *User                      `json:"account"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// EventAction is "accountcreate".
func (*AccountCreateEvent) EventAction() string { return "accountcreate" }

// AccountChangeEvent: an account has changed; the record takes the place of the one before.
type AccountChangeEvent struct {
	Account           *User                      `json:"account"`
	ImageChanged      json.RawMessage            `json:"accountImageChange"` // set when the picture has changed
	DeviceListChanged json.RawMessage            `json:"nodeListChange"`     // set when the account sees other devices now
	Extra             map[string]json.RawMessage `json:"-"`
}

// EventAction is "accountchange".
func (*AccountChangeEvent) EventAction() string { return "accountchange" }

// AccountRemoveEvent: an account is gone; Event.UserID says which.
type AccountRemoveEvent struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "accountremove".
func (*AccountRemoveEvent) EventAction() string { return "accountremove" }

// LoginEvent: somebody logged in with the form. Logins to the control channel make none.
type LoginEvent struct {
	Account    *User                      `json:"account"`
	IP         string                     `json:"ip"`
	UserAgent  string                     `json:"userAgent"`
	RemotePort int                        `json:"rport"`
	TwoFactor  string                     `json:"twoFactorType"` // how the second factor was given
	TokenName  string                     `json:"tokenName"`     // of a login token
	TokenUser  string                     `json:"tokenUser"`
	Extra      map[string]json.RawMessage `json:"-"`
}

// EventAction is "login".
func (*LoginEvent) EventAction() string { return "login" }

// LogoutEvent: somebody logged out.
type LogoutEvent struct {
	IP        string                     `json:"ip"`
	UserAgent string                     `json:"userAgent"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// EventAction is "logout".
func (*LogoutEvent) EventAction() string { return "logout" }

// AuthFailEvent: a login failed.
type AuthFailEvent struct {
	IP        string                     `json:"ip"`
	UserAgent string                     `json:"userAgent"`
	TwoFactor string                     `json:"twoFactorType"`
	TokenName string                     `json:"tokenName"`
	TokenUser string                     `json:"tokenUser"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// EventAction is "authfail".
func (*AuthFailEvent) EventAction() string { return "authfail" }

// PassChangeEvent: a password was reset with the form.
type PassChangeEvent struct {
	Account *User                      `json:"account"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// EventAction is "passchange".
func (*PassChangeEvent) EventAction() string { return "passchange" }

// SessionCountEvent: how many sessions Event.UserID has now.
type SessionCountEvent struct {
	Count int                        `json:"count,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "wssessioncount".
func (*SessionCountEvent) EventAction() string { return "wssessioncount" }

// CreateUserGroupEvent: a new user group.
type CreateUserGroupEvent struct {
	UserGroupID     ID                         `json:"ugrpid"`
	Name            string                     `json:"name"`
	Desc            string                     `json:"desc"`
	Links           Links                      `json:"links"`
	MsgArgs         []json.RawMessage          `json:"msgArgv"` // what other events have in Event.MsgArgs
	UserGroupDomain *string                    `json:"ugrpdomain"`
	Extra           map[string]json.RawMessage `json:"-"`
}

// EventAction is "createusergroup".
func (*CreateUserGroupEvent) EventAction() string { return "createusergroup" }

// UserGroupChangeEvent: a user group has changed.
type UserGroupChangeEvent struct {
	UserGroupID ID                         `json:"ugrpid"`
	Name        string                     `json:"name"`
	Desc        string                     `json:"desc"`
	Links       Links                      `json:"links"`
	Consent     Consent                    `json:"consent"`
	Flags       UserFlags                  `json:"flags"`
	Extra       map[string]json.RawMessage `json:"-"`
}

// EventAction is "usergroupchange".
func (*UserGroupChangeEvent) EventAction() string { return "usergroupchange" }

// DeleteUserGroupEvent: a user group is gone.
type DeleteUserGroupEvent struct {
	UserGroupID ID                         `json:"ugrpid"`
	Extra       map[string]json.RawMessage `json:"-"`
}

// EventAction is "deleteusergroup".
func (*DeleteUserGroupEvent) EventAction() string { return "deleteusergroup" }

// CreateGroupEvent: a new device group, Event.GroupID. One that came back with its agent has Name, Desc and Links in place of Group.
type CreateGroupEvent struct {
	GroupType GroupType                  `json:"mtype"`
	Group     *DeviceGroup               `json:"mesh"`
	Name      string                     `json:"name"`
	Desc      string                     `json:"desc"`
	Links     Links                      `json:"links"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// EventAction is "createmesh".
func (*CreateGroupEvent) EventAction() string { return "createmesh" }

// GroupChangeEvent: a device group, Event.GroupID, has changed. Only what has changed is there, and Event.UserID may be who was added or removed.
type GroupChangeEvent struct {
	Name       string                     `json:"name"`
	GroupType  GroupType                  `json:"mtype"`
	Desc       *string                    `json:"desc"`
	Flags      *GroupFlags                `json:"flags"`
	Consent    *Consent                   `json:"consent"`
	Links      Links                      `json:"links"`
	Invite     *InviteCodes               `json:"invite"`
	ExpireDays *int                       `json:"expireDevs"`
	RelayID    *ID                        `json:"relayid"`
	AMT        *AMTPolicy                 `json:"amt"`
	Extra      map[string]json.RawMessage `json:"-"`
}

// EventAction is "meshchange".
func (*GroupChangeEvent) EventAction() string { return "meshchange" }

// DeleteGroupEvent: a device group, Event.GroupID, is gone.
type DeleteGroupEvent struct {
	GroupType GroupType                  `json:"mtype"`
	Name      string                     `json:"name"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// EventAction is "deletemesh".
func (*DeleteGroupEvent) EventAction() string { return "deletemesh" }

// LoginTokenAddedEvent: the account has a new login token.
type LoginTokenAddedEvent struct {
	Token *LoginTokenRecord          `json:"newToken"`
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "loginTokenAdded".
func (*LoginTokenAddedEvent) EventAction() string { return "loginTokenAdded" }

// LoginTokenChangedEvent: the login tokens that the account has now.
type LoginTokenChangedEvent struct {
	Tokens  []LoginTokenRecord         `json:"loginTokens,keep"`
	Removed []string                   `json:"removed"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// EventAction is "loginTokenChanged".
func (*LoginTokenChangedEvent) EventAction() string { return "loginTokenChanged" }

// UserWebStateEvent: what the web page keeps for the account.
type UserWebStateEvent struct {
	State string                     `json:"state"` // JSON in a text
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "userWebState".
func (*UserWebStateEvent) EventAction() string { return "userWebState" }

// UICustomEvent: an extension of the web page tells something.
type UICustomEvent struct {
	Section         string                     `json:"uisection"`
	Element         string                     `json:"element"`
	Source          json.RawMessage            `json:"src"`
	Values          json.RawMessage            `json:"values"`
	SelectedDevices json.RawMessage            `json:"selectedDevices"`
	Extra           map[string]json.RawMessage `json:"-"`
}

// EventAction is "uicustomevent".
func (*UICustomEvent) EventAction() string { return "uicustomevent" }

// NotifyEvent: a text for the user.
type NotifyEvent struct {
	Value string                     `json:"value"`
	Title string                     `json:"title"`
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "notify".
func (*NotifyEvent) EventAction() string { return "notify" }
