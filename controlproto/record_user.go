package controlproto

import (
	"encoding/json"
	"time"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// Links says what an account or a user group may do with what it is linked to, or whom a group or device is linked to. Links
// stand on both sides.
type Links map[ID]Link

// Link is one of [Links].
type Link struct {
	Rights Rights                     `json:"rights,keep"`
	Name   string                     `json:"name"`   // on groups and devices: of the account
	UserID ID                         `json:"userid"` // on user groups: the account again
	Notify Notify                     `json:"notify"` // on accounts
	Extra  map[string]json.RawMessage `json:"-"`
}

// User is an account, as the server shows it: secrets are only told to be there (meshuser.js, CloneSafeUser).
//
//	{"_id":"user//bob","name":"Bob","creation":1795333098,"links":{"mesh//...":{"rights":4294967295}}}
type User struct {
	ID            ID                         `json:"_id"`
	Name          string                     `json:"name"` // login name as it was written at first
	RealName      string                     `json:"realname"`
	Email         string                     `json:"email"`
	EmailVerified bool                       `json:"emailVerified"`
	Phone         string                     `json:"phone"`
	MessageHandle string                     `json:"msghandle"`
	Language      string                     `json:"lang"`
	Created       time.Time                  `json:"creation,sec"`
	LastLogin     time.Time                  `json:"login,sec"`     // by the form
	LastAccess    time.Time                  `json:"access,sec"`    // by the form
	PastLogin     time.Time                  `json:"pastlogin,sec"` // the login before
	PassChange    int64                      `json:"passchange"`    // seconds since 1970; -1: must be changed at the next login by form
	SiteRights    SiteRights                 `json:"siteadmin"`
	RemoveRights  *RemovedRights             `json:"removeRights"`
	Realms        []string                   `json:"groups"` // limits whom the account may manage
	Links         Links                      `json:"links"`
	Notify        map[ID]Notify              `json:"notify"` // for ids without link
	Quota         int64                      `json:"quota"`  // bytes of server files
	Consent       Consent                    `json:"consent"`
	Flags         UserFlags                  `json:"flags"`
	OTPSecret     int                        `json:"otpsecret"` // 1: an authenticator application is set up
	OTPKeys       *int                       `json:"otpkeys"`   // 1: unused backup codes are left, 0: all are used
	HardwareKeys  int                        `json:"otphkeys"`  // count
	OTPEmail      int                        `json:"otpekey"`   // 1: codes by e-mail
	OTPDuo        int                        `json:"otpduo"`    // 1
	OTPDevice     int                        `json:"otpdev"`    // 1: confirmation on a phone
	WebPush       int                        `json:"webpush"`   // count
	Extra         map[string]json.RawMessage `json:"-"`
}

// TwoFactor tells whether a second factor is set up.
func (u *User) TwoFactor() bool {
	return u.OTPSecret != 0 || u.HardwareKeys > 0 || u.OTPEmail != 0 || u.OTPDuo != 0 || u.OTPDevice != 0
}

// UserGroup is a group of accounts (meshuser.js, case 'usergroups').
//
//	{"type":"ugrp","_id":"ugrp//...","name":"helpdesk","links":{"user//bob":{"userid":"user//bob","name":"bob","rights":1}}}
type UserGroup struct {
	Type           string                     `json:"type"` // "ugrp"
	ID             ID                         `json:"_id"`
	Name           string                     `json:"name"`
	Desc           string                     `json:"desc"`
	Domain         string                     `json:"domain,keep"`
	Links          Links                      `json:"links"` // members, device groups and devices
	Consent        Consent                    `json:"consent"`
	Flags          UserFlags                  `json:"flags"`
	MembershipType string                     `json:"membershipType"` // managed elsewhere
	Extra          map[string]json.RawMessage `json:"-"`
}

// userGroupName is a [UserGroup] of which only the name is told; it does not even have the empty domain.
type (
	userGroupName struct {
		Type           string                     `json:"type"`
		ID             ID                         `json:"_id"`
		Name           string                     `json:"name"`
		Desc           string                     `json:"desc"`
		Domain         string                     `json:"domain"`
		Links          Links                      `json:"links"`
		Consent        Consent                    `json:"consent"`
		Flags          UserFlags                  `json:"flags"`
		MembershipType string                     `json:"membershipType"`
		Extra          map[string]json.RawMessage `json:"-"`
	}
	userGroupAny UserGroup
)

// AppendJSONRec writes the JSON value.
func (g UserGroup) AppendJSONRec(b []byte) ([]byte, error) {
	if g.Type == "" {
		return jsonrec.Append(b, userGroupName(g))
	}
	return jsonrec.Append(b, userGroupAny(g))
}

// UnmarshalJSONRec reads the JSON value.
func (g *UserGroup) UnmarshalJSONRec(raw []byte) error {
	return jsonrec.Unmarshal(raw, (*userGroupAny)(g))
}
