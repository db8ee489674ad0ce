package controlproto

import (
	"encoding/json"
	"time"
)

var tokenActions = []Spec{
	{Action: "loginTokens", Request: blank[GetLoginTokens], Reply: blank[GetLoginTokensReply], NoToken: true},
	{
		Action: "createLoginToken", Request: blank[CreateLoginToken], Reply: blank[CreateLoginTokenReply],
		NoToken: true, Denied: "Access denied",
	},
}

// GetLoginTokens, action "loginTokens", lists the login tokens of the own account, after removing some. Not with a
// login token, nor where they are switched off: silence. Event "loginTokenChanged" if any went. (meshuser.js, case
// 'loginTokens')
//
//	{"action":"loginTokens","remove":["~t:zuegEQaENq0HtnOk"],"responseid":"x"}
type GetLoginTokens struct {
	Remove []string                   `json:"remove"` // by TokenUser
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is "loginTokens".
func (*GetLoginTokens) Action() string              { return "loginTokens" }
func (*GetLoginTokens) reply() *GetLoginTokensReply { return new(GetLoginTokensReply) }

// GetLoginTokensReply answers [GetLoginTokens]. It repeats neither "responseid" nor "tag".
//
//	{"action":"loginTokens","loginTokens":[{"name":"t1","tokenUser":"~t:...","created":1795333114758,"expire":0}]}
type GetLoginTokensReply struct {
	Tokens []LoginTokenRecord         `json:"loginTokens,keep"`
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is "loginTokens".
func (*GetLoginTokensReply) Action() string { return "loginTokens" }

// CreateLoginToken makes a login token for the own account. Not with a login token. Errors: "Access denied", "Not
// supported", "Invalid name", "Invalid expire value". Event "loginTokenAdded". (meshuser.js, case 'createLoginToken')
//
//	{"action":"createLoginToken","name":"t1","expire":10,"responseid":"x"}
type CreateLoginToken struct {
	Name   string                     `json:"name"`             // 1 to 100 characters
	Expire time.Duration              `json:"expire,mins,keep"` // 0: never
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is "createLoginToken".
func (*CreateLoginToken) Action() string                { return "createLoginToken" }
func (*CreateLoginToken) reply() *CreateLoginTokenReply { return new(CreateLoginTokenReply) }

// CreateLoginTokenReply answers [CreateLoginToken]. It repeats neither "responseid" nor "tag"; errors are a [Result]
// with "responseid".
//
//	{"action":"createLoginToken","name":"t1","tokenUser":"~t:zuegEQaENq0HtnOk","tokenPass":"...",
//	 "created":1795333114758,"expire":1795333714758}
type CreateLoginTokenReply struct {
	Name      string                     `json:"name"`
	TokenUser string                     `json:"tokenUser"` // the login name
	TokenPass Secret                     `json:"tokenPass"` // never told again
	Created   time.Time                  `json:"created,ms"`
	Expires   time.Time                  `json:"expire,ms,keep"` // zero: never
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "createLoginToken".
func (*CreateLoginTokenReply) Action() string { return "createLoginToken" }
