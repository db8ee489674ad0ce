package controlproto

import "encoding/json"

var userGroupActions = []Spec{
	{Action: "usergroups", Request: blank[UserGroups], Reply: blank[UserGroupsReply], Echo: EchoTag},
	{
		Action: "createusergroup", Request: blank[CreateUserGroup], Reply: blank[CreateUserGroupReply],
		Echo: EchoResponseID, Site: SiteUserGroups, Denied: "Permission denied",
	},
	{
		Action: "deleteusergroup", Request: blank[DeleteUserGroup], Reply: blank[DeleteUserGroupReply],
		Replies: RepliesIfAsked, Echo: EchoResponseID, Site: SiteUserGroups, Denied: "Permission denied",
	},
	{Action: "editusergroup", Request: blank[EditUserGroup], Replies: RepliesNever, Site: SiteUserGroups},
	{
		Action: "addusertousergroup", Request: blank[AddUserToUserGroup], Reply: blank[AddUserToUserGroupReply],
		Replies: RepliesIfAsked, Echo: EchoResponseID, Site: SiteUserGroups, Denied: "Permission denied",
	},
	{
		Action: "removeuserfromusergroup", Request: blank[RemoveUserFromUserGroup],
		Replies: RepliesIfAsked, Echo: EchoResponseID, Site: SiteUserGroups, Denied: "Permission denied",
	},
}

// UserGroups asks for the user groups; without [SiteUserGroups], only for their names. (meshuser.js, case 'usergroups')
//
//	{"action":"usergroups","responseid":"x"}
type UserGroups struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "usergroups".
func (*UserGroups) Action() string          { return "usergroups" }
func (*UserGroups) reply() *UserGroupsReply { return new(UserGroupsReply) }

// UserGroupsReply answers [UserGroups]. It repeats the tag alone. Without groups the member is null.
//
//	{"action":"usergroups","ugroups":{"ugrp//...":{"type":"ugrp","_id":"ugrp//...","name":"crew","domain":"","links":{}}}}
type UserGroupsReply struct {
	Groups map[ID]UserGroup           `json:"ugroups,null"`
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is "usergroups".
func (*UserGroupsReply) Action() string { return "usergroups" }

// CreateUserGroup makes a user group. It takes [SiteUserGroups], and a verified address where the domain sends mail.
// Errors: "Permission denied", "Invalid group name", "Invalid group description", "Invalid clone groupid", "Invalid
// domain", "Email verification required". Event "createusergroup". (meshuser.js, case 'createusergroup')
//
//	{"action":"createusergroup","name":"crew","responseid":"x"}
type CreateUserGroup struct {
	Name   string                     `json:"name"` // 1 to 64 characters
	Desc   string                     `json:"desc"` // up to 1,024 characters
	Clone  ID                         `json:"clone"`
	Domain *string                    `json:"domain"` // of another domain, for administrators of all domains
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is "createusergroup".
func (*CreateUserGroup) Action() string               { return "createusergroup" }
func (*CreateUserGroup) reply() *CreateUserGroupReply { return new(CreateUserGroupReply) }

// CreateUserGroupReply answers [CreateUserGroup], asked or not.
//
//	{"action":"createusergroup","responseid":"x","result":"ok","ugrpid":"ugrp//...","links":{}}
type CreateUserGroupReply struct {
	Result      string                     `json:"result"`
	UserGroupID ID                         `json:"ugrpid"`
	Links       Links                      `json:"links"`
	Extra       map[string]json.RawMessage `json:"-"`
}

// Action is "createusergroup".
func (*CreateUserGroupReply) Action() string { return "createusergroup" }

// DeleteUserGroup removes a user group. It takes [SiteUserGroups]. The result is "ok", "Permission denied", "Invalid
// group id", "Invalid domain id", "Unknown device group"; silence for one with members that is managed elsewhere.
// Event "deleteusergroup". (meshuser.js, case 'deleteusergroup')
//
//	{"action":"deleteusergroup","ugrpid":"ugrp//...","responseid":"x"}
type DeleteUserGroup struct {
	UserGroupID ID                         `json:"ugrpid"` // with prefix and domain
	Extra       map[string]json.RawMessage `json:"-"`
}

// Action is "deleteusergroup".
func (*DeleteUserGroup) Action() string               { return "deleteusergroup" }
func (*DeleteUserGroup) reply() *DeleteUserGroupReply { return new(DeleteUserGroupReply) }

// DeleteUserGroupReply answers [DeleteUserGroup].
//
//	{"action":"deleteusergroup","responseid":"x","result":"ok","ugrpid":"ugrp//..."}
type DeleteUserGroupReply struct {
	Result      string                     `json:"result"`
	UserGroupID ID                         `json:"ugrpid"`
	Extra       map[string]json.RawMessage `json:"-"`
}

// Action is "deleteusergroup".
func (*DeleteUserGroupReply) Action() string { return "deleteusergroup" }

// EditUserGroup changes a user group; nil members stay as they are. It takes [SiteUserGroups]. Silent; event
// "usergroupchange" if something changed. (meshuser.js, case 'editusergroup')
//
//	{"action":"editusergroup","ugrpid":"ugrp//...","name":"team"}
type EditUserGroup struct {
	UserGroupID ID                         `json:"ugrpid"` // with prefix and domain
	Name        *string                    `json:"name"`
	Desc        *string                    `json:"desc"`
	Consent     *Consent                   `json:"consent"`
	Flags       *UserFlags                 `json:"flags"`
	Extra       map[string]json.RawMessage `json:"-"`
}

// Action is "editusergroup".
func (*EditUserGroup) Action() string { return "editusergroup" }
func (*EditUserGroup) reply() *Result { return new(Result) }

// AddUserToUserGroup adds accounts to a user group. It takes [SiteUserGroups]. The result is "ok", even for accounts
// and groups that do not exist, or "Permission denied", "Invalid groupid", "Invalid usernames", "Invalid domain".
// Names that are unknown come as [Notification]. Events "accountchange" and "usergroupchange". (meshuser.js,
// serverCommandAddUserToUserGroup)
//
//	{"action":"addusertousergroup","ugrpid":"ugrp//...","usernames":["ann"],"responseid":"x"}
type AddUserToUserGroup struct {
	UserGroupID ID                         `json:"ugrpid"`         // with prefix and domain
	Usernames   []string                   `json:"usernames,keep"` // names, not ids
	Extra       map[string]json.RawMessage `json:"-"`
}

// Action is "addusertousergroup".
func (*AddUserToUserGroup) Action() string                  { return "addusertousergroup" }
func (*AddUserToUserGroup) reply() *AddUserToUserGroupReply { return new(AddUserToUserGroupReply) }

// AddUserToUserGroupReply answers [AddUserToUserGroup].
//
//	{"action":"addusertousergroup","responseid":"x","result":"ok","added":1,"failed":0}
type AddUserToUserGroupReply struct {
	Result string                     `json:"result"`
	Added  *int                       `json:"added"`  // nil: there is no such group
	Failed *int                       `json:"failed"` // nil: there is no such group
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is "addusertousergroup".
func (*AddUserToUserGroupReply) Action() string { return "addusertousergroup" }

// RemoveUserFromUserGroup removes an account from a user group. It takes [SiteUserGroups]. The result is "ok", even
// for an account that does not exist, "Permission denied", "Invalid groupid", "Invalid userid". Events "accountchange"
// and "usergroupchange". (meshuser.js, serverCommandRemoveUserFromUserGroup)
//
//	{"action":"removeuserfromusergroup","ugrpid":"ugrp//...","userid":"user//ann","responseid":"x"}
type RemoveUserFromUserGroup struct {
	UserGroupID ID                         `json:"ugrpid"`
	UserID      ID                         `json:"userid"` // or the bare name
	Extra       map[string]json.RawMessage `json:"-"`
}

// Action is "removeuserfromusergroup".
func (*RemoveUserFromUserGroup) Action() string { return "removeuserfromusergroup" }
func (*RemoveUserFromUserGroup) reply() *Result { return new(Result) }
