package controlproto

import "encoding/json"

// AccountCreateEvent is the event "accountcreate": a new account. (meshuser.js, webserver.js)
//
//	{"etype":"user","userid":"user//ann","username":"ann","account":{...},"action":"accountcreate","msgid":65,
//	 "msgArgs":["ann@example.com"],"msg":"Account created, email is ann@example.com","domain":"",
//	 "time":"2026-11-22T07:38:20.918Z"}
type AccountCreateEvent struct {
	Account *User                      `json:"account"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// EventAction is "accountcreate".
func (*AccountCreateEvent) EventAction() string { return "accountcreate" }

// AccountChangeEvent is the event "accountchange": an account has changed; the record takes the place of the one
// before. (meshuser.js, webserver.js, meshagent.js)
//
//	{"etype":"user","userid":"user//admin","username":"admin","account":{...},"action":"accountchange","domain":"",
//	 "nolog":1}
type AccountChangeEvent struct {
	Account           *User                      `json:"account"`
	ImageChanged      json.RawMessage            `json:"accountImageChange"` // set when the picture has changed
	DeviceListChanged json.RawMessage            `json:"nodeListChange"`     // set when the account sees other devices now
	Extra             map[string]json.RawMessage `json:"-"`
}

// EventAction is "accountchange".
func (*AccountChangeEvent) EventAction() string { return "accountchange" }

// AccountRemoveEvent is the event "accountremove": an account is gone; Event.UserID says which. (meshuser.js,
// webserver.js)
//
//	{"etype":"user","userid":"user//ann","username":"ann","action":"accountremove","msgid":63,
//	 "msg":"Account removed","domain":"","time":"2026-11-22T07:38:41.681Z"}
type AccountRemoveEvent struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "accountremove".
func (*AccountRemoveEvent) EventAction() string { return "accountremove" }

// LoginEvent is the event "login": somebody logged in with the form. Logins to the control channel make none.
// (webserver.js)
//
//	{"etype":"user","userid":"user//a","username":"a","account":{...},"action":"login","msgid":107,"msgArgs":["::1",
//	 "Chrome","Linux"],"msg":"m","domain":"","ip":"::1","userAgent":"ua","rport":12,"twoFactorType":"sso",
//	 "tokenName":"t","tokenUser":"~t:x"}
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

// LogoutEvent is the event "logout": somebody logged out. (webserver.js)
//
//	{"etype":"user","action":"logout","userid":"user//a","username":"a","msgid":2,"msg":"m","domain":"","ip":"::1",
//	 "userAgent":"u"}
type LogoutEvent struct {
	IP        string                     `json:"ip"`
	UserAgent string                     `json:"userAgent"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// EventAction is "logout".
func (*LogoutEvent) EventAction() string { return "logout" }

// AuthFailEvent is the event "authfail": a login failed. (webserver.js)
//
//	{"action":"authfail","domain":"","userid":"user//a","username":"a","msg":"m","msgid":108,"ip":"::1",
//	 "userAgent":"u","twoFactorType":"otp","tokenName":"n","tokenUser":"u"}
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

// PassChangeEvent is the event "passchange": a password was reset with the form. (webserver.js)
//
//	{"etype":"user","action":"passchange","domain":"","account":{"_id":"user//a","name":"a"}}
type PassChangeEvent struct {
	Account *User                      `json:"account"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// EventAction is "passchange".
func (*PassChangeEvent) EventAction() string { return "passchange" }

// SessionCountEvent is the event "wssessioncount": how many sessions Event.UserID has now. (meshuser.js,
// webserver.js)
//
//	{"action":"wssessioncount","userid":"user//a","username":"a","count":0,"domain":"","nolog":1}
type SessionCountEvent struct {
	Count int                        `json:"count,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "wssessioncount".
func (*SessionCountEvent) EventAction() string { return "wssessioncount" }

// CreateUserGroupEvent is the event "createusergroup": a new user group. (meshuser.js, webserver.js)
//
//	{"etype":"ugrp","userid":"user//admin","username":"admin","ugrpid":"ugrp//...","name":"crew",
//	 "action":"createusergroup","links":{},"msgid":69,"msgArgv":["crew"],"msg":"User group created: crew",
//	 "ugrpdomain":"","time":"2026-11-22T07:38:26.727Z"}
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

// UserGroupChangeEvent is the event "usergroupchange": a user group has changed. (meshuser.js, webserver.js)
//
//	{"etype":"ugrp","ugrpid":"ugrp//x","name":"n","desc":"d","action":"usergroupchange","links":{...},"consent":1,
//	 "flags":2,"domain":"","nopeers":1,"noact":1}
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

// DeleteUserGroupEvent is the event "deleteusergroup": a user group is gone. (meshuser.js)
//
//	{"etype":"ugrp","action":"deleteusergroup","ugrpid":"ugrp//x","domain":""}
type DeleteUserGroupEvent struct {
	UserGroupID ID                         `json:"ugrpid"`
	Extra       map[string]json.RawMessage `json:"-"`
}

// EventAction is "deleteusergroup".
func (*DeleteUserGroupEvent) EventAction() string { return "deleteusergroup" }

// CreateGroupEvent is the event "createmesh": a new device group, Event.GroupID. One that came back with its agent
// has Name, Desc and Links in place of Group. (meshuser.js, meshagent.js)
//
//	{"etype":"mesh","userid":"user//admin","username":"admin","meshid":"mesh//...","mtype":1,"mesh":{...},
//	 "action":"createmesh","msgid":76,"msgArgs":["amt1"],"msg":"Device group created: amt1","domain":"",
//	 "time":"2026-11-22T07:38:36.938Z"}
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

// GroupChangeEvent is the event "meshchange": a device group, Event.GroupID, has changed. Only what has changed is
// there, and Event.UserID may be who was added or removed. (meshuser.js, webserver.js)
//
//	{"etype":"mesh","username":"ann","userid":"user//admin","meshid":"mesh//...","name":"v1","mtype":2,
//	 "desc":"second","action":"meshchange","links":{...},"msg":"Added user ann to device group v1","domain":"",
//	 "time":"2026-11-22T07:38:23.602Z"}
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

// DeleteGroupEvent is the event "deletemesh": a device group, Event.GroupID, is gone. (meshuser.js)
//
//	{"etype":"mesh","userid":"user//admin","username":"admin","mtype":2,"meshid":"mesh//...","name":"v1",
//	 "action":"deletemesh","msgid":77,"msgArgs":["v1"],"msg":"Device group deleted: v1","domain":"",
//	 "time":"2026-11-22T07:38:41.108Z"}
type DeleteGroupEvent struct {
	GroupType GroupType                  `json:"mtype"`
	Name      string                     `json:"name"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// EventAction is "deletemesh".
func (*DeleteGroupEvent) EventAction() string { return "deletemesh" }

// LoginTokenAddedEvent is the event "loginTokenAdded": the account has a new login token. (meshuser.js)
//
//	{"etype":"user","userid":"user//admin","username":"admin","action":"loginTokenAdded","msgid":115,
//	 "msg":"Added login token","domain":"","newToken":{"name":"t1","tokenUser":"~t:zuegEQaENq0HtnOk",
//	 "created":1795333114758,"expire":1795333714758},"time":"2026-11-22T07:38:34.759Z"}
type LoginTokenAddedEvent struct {
	Token *LoginTokenRecord          `json:"newToken"`
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "loginTokenAdded".
func (*LoginTokenAddedEvent) EventAction() string { return "loginTokenAdded" }

// LoginTokenChangedEvent is the event "loginTokenChanged": the login tokens that the account has now. (meshuser.js)
//
//	{"etype":"user","userid":"user//a","username":"a","action":"loginTokenChanged","domain":"",
//	 "loginTokens":[{"name":"t","tokenUser":"~t:x","created":1795333114758,"expire":0}],"removed":["~t:y"],"nolog":1}
type LoginTokenChangedEvent struct {
	Tokens  []LoginTokenRecord         `json:"loginTokens,keep"`
	Removed []string                   `json:"removed"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// EventAction is "loginTokenChanged".
func (*LoginTokenChangedEvent) EventAction() string { return "loginTokenChanged" }

// UserWebStateEvent is the event "userWebState": what the web page keeps for the account. (meshuser.js)
//
//	{"etype":"user","action":"userWebState","state":"{}","domain":"","nolog":1}
type UserWebStateEvent struct {
	State string                     `json:"state"` // JSON in a text
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "userWebState".
func (*UserWebStateEvent) EventAction() string { return "userWebState" }

// UICustomEvent is the event "uicustomevent": an extension of the web page tells something. (meshuser.js)
//
//	{"etype":"user","action":"uicustomevent","domain":"","uisection":"s","element":"e",
//	 "src":{"selectedDevices":["node//..."]},"values":{"a":1},"selectedDevices":["node//..."],"nolog":1}
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

// NotifyEvent is the event "notify": a text for the user. (webserver.js)
//
//	{"action":"notify","value":"v","title":"t","domain":""}
type NotifyEvent struct {
	Value string                     `json:"value"`
	Title string                     `json:"title"`
	Extra map[string]json.RawMessage `json:"-"`
}

// EventAction is "notify".
func (*NotifyEvent) EventAction() string { return "notify" }
