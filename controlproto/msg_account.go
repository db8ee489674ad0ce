package controlproto

import "encoding/json"

var accountActions = []Spec{
	{Action: "changepassword", Request: blank[ChangePassword], Replies: RepliesNever, NoToken: true, Settings: true},
	{Action: "changeemail", Request: blank[ChangeEmail], Replies: RepliesNever, NoToken: true, Settings: true},
	{Action: "verifyemail", Request: blank[VerifyEmail], Replies: RepliesNever, NoToken: true, Settings: true},
	{Action: "changelang", Request: blank[ChangeLang], Replies: RepliesNever, NoToken: true, Settings: true},
	{Action: "verifyPhone", Request: blank[VerifyPhone], Reply: blank[VerifyPhoneReply], NoToken: true, Settings: true},
	{Action: "confirmPhone", Request: blank[ConfirmPhone], Replies: RepliesNever, NoToken: true, Settings: true},
	{Action: "removePhone", Request: blank[RemovePhone], Replies: RepliesNever, NoToken: true, Settings: true},
	{
		Action: "verifyMessaging", Request: blank[VerifyMessaging], Reply: blank[VerifyMessagingReply],
		NoToken: true, Settings: true,
	},
	{
		Action: "confirmMessaging", Request: blank[ConfirmMessaging],
		Replies: RepliesNever, NoToken: true, Settings: true,
	},
	{Action: "removeMessaging", Request: blank[RemoveMessaging], Replies: RepliesNever, NoToken: true, Settings: true},
	{
		Action: "changemeshnotify", Request: blank[ChangeMeshNotify],
		Replies: RepliesOnError, Echo: EchoResponseID, Settings: true,
	},
	{
		Action: "changeusernotify", Request: blank[ChangeUserNotify],
		Replies: RepliesOnError, Echo: EchoResponseID, Settings: true,
	},
	{Action: "webpush", Request: blank[WebPush], Replies: RepliesNever},
	{
		Action: "twoFactorCookie", Request: blank[GetTwoFactorCookie], Reply: blank[GetTwoFactorCookieReply],
		NoToken: true,
	},
}

// ChangePassword changes the own password. Not with a login token, nor with [SiteLockSettings]. The outcome comes as
// [Notification] with title 4: message 20 done, 21 wrong password, 17 used before, 18 too common, 19 failed; a
// password that does not meet the domain's rules gives silence. (meshuser.js, case 'changepassword')
//
//	{"action":"changepassword","oldpass":"...","newpass":"...","hint":""}
type ChangePassword struct {
	OldPassword Secret                     `json:"oldpass"`
	NewPassword Secret                     `json:"newpass"` // 1 to 256 characters
	Hint        string                     `json:"hint,keep"`
	Extra       map[string]json.RawMessage `json:"-"`
}

// Action is "changepassword".
func (*ChangePassword) Action() string { return "changepassword" }
func (*ChangePassword) reply() *Result { return new(Result) }

// ChangeEmail changes the own e-mail address. Not with a login token, nor with [SiteLockSettings]. Silent; event
// "accountchange", or a [Notification] with message 13 if another account has the address. (meshuser.js,
// serverCommandChangeEmail)
//
//	{"action":"changeemail","email":"ann@example.com"}
type ChangeEmail struct {
	Email string                     `json:"email"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "changeemail".
func (*ChangeEmail) Action() string { return "changeemail" }
func (*ChangeEmail) reply() *Result { return new(Result) }

// VerifyEmail has the server send the mail that proves the own address. Not with a login token, nor with
// [SiteLockSettings]. Silent. (meshuser.js, serverCommandVerifyEmail)
//
//	{"action":"verifyemail","email":"ann@example.com"}
type VerifyEmail struct {
	Email string                     `json:"email"` // the account's own
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "verifyemail".
func (*VerifyEmail) Action() string { return "verifyemail" }
func (*VerifyEmail) reply() *Result { return new(Result) }

// ChangeLang changes the language of the own account. Not with a login token, nor with [SiteLockSettings]. Silent;
// event "accountchange". (meshuser.js, serverCommandChangeLang)
//
//	{"action":"changelang","lang":"de"}
type ChangeLang struct {
	Language string                     `json:"lang"` // 1 to 6 characters; "*": that of the browser
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "changelang".
func (*ChangeLang) Action() string { return "changelang" }
func (*ChangeLang) reply() *Result { return new(Result) }

// VerifyPhone has the server send a code to a telephone, to be given with [ConfirmPhone] within two minutes. Not with a
// login token, nor with [SiteLockSettings]; takes a server that can send short messages. (meshuser.js,
// serverCommandVerifyPhone)
//
//	{"action":"verifyPhone","phone":"+1 555 0100"}
type VerifyPhone struct {
	Phone string                     `json:"phone"` // 1 to 18 characters
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "verifyPhone".
func (*VerifyPhone) Action() string           { return "verifyPhone" }
func (*VerifyPhone) reply() *VerifyPhoneReply { return new(VerifyPhoneReply) }

// VerifyPhoneReply answers [VerifyPhone]. It also comes, some seconds later and with Success, after a [ConfirmPhone]
// with a wrong code.
//
//	{"action":"verifyPhone","cookie":"...","success":true}
type VerifyPhoneReply struct {
	Cookie  Secret                     `json:"cookie"`
	Success bool                       `json:"success,keep"` // the code was sent
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "verifyPhone".
func (*VerifyPhoneReply) Action() string { return "verifyPhone" }

// ConfirmPhone gives the code that [VerifyPhone] had sent. Silent when the code is right, and there is the event
// "accountchange"; else a [VerifyPhoneReply]. (meshuser.js, serverCommandConfirmPhone)
//
//	{"action":"confirmPhone","cookie":"...","code":"123456"}
type ConfirmPhone struct {
	Cookie Secret                     `json:"cookie"`
	Code   Secret                     `json:"code"`
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is "confirmPhone".
func (*ConfirmPhone) Action() string { return "confirmPhone" }
func (*ConfirmPhone) reply() *Result { return new(Result) }

// RemovePhone removes the own telephone number. Not with a login token, nor with [SiteLockSettings]. Silent; event
// "accountchange". (meshuser.js, serverCommandRemovePhone)
//
//	{"action":"removePhone"}
type RemovePhone struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "removePhone".
func (*RemovePhone) Action() string { return "removePhone" }
func (*RemovePhone) reply() *Result { return new(Result) }

// MessagingService is a service by which a server reaches people ("service", "userMsgProviders").
type MessagingService uint32

// Bits of [MessagingService].
const (
	MessagingTelegram  MessagingService = 1 << 0
	MessagingDiscord   MessagingService = 1 << 2
	MessagingXMPP      MessagingService = 1 << 3
	MessagingCallMeBot MessagingService = 1 << 4
	MessagingPushover  MessagingService = 1 << 5
	MessagingNtfy      MessagingService = 1 << 6
	MessagingZulip     MessagingService = 1 << 7
	MessagingSlack     MessagingService = 1 << 8
)

// String names the bits.
func (s MessagingService) String() string {
	return bitNames(uint32(s), "none", "telegram", "signal", "discord", "xmpp", "callmebot", "pushover", "ntfy", "zulip", "slack")
}

// VerifyMessaging is [VerifyPhone] for a messaging service. (meshuser.js, serverCommandVerifyMessaging)
//
//	{"action":"verifyMessaging","handle":"ann","service":1}
type VerifyMessaging struct {
	Handle  string                     `json:"handle"` // 1 to 1,024 characters
	Service MessagingService           `json:"service"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "verifyMessaging".
func (*VerifyMessaging) Action() string               { return "verifyMessaging" }
func (*VerifyMessaging) reply() *VerifyMessagingReply { return new(VerifyMessagingReply) }

// VerifyMessagingReply answers [VerifyMessaging], and a [ConfirmMessaging] with a wrong code.
//
//	{"action":"verifyMessaging","cookie":"...","success":true}
type VerifyMessagingReply struct {
	Cookie  Secret                     `json:"cookie"`
	Success bool                       `json:"success,keep"` // the code was sent
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "verifyMessaging".
func (*VerifyMessagingReply) Action() string { return "verifyMessaging" }

// ConfirmMessaging is [ConfirmPhone] for a messaging service. (meshuser.js, serverCommandConfirmMessaging)
//
//	{"action":"confirmMessaging","cookie":"...","code":"123456"}
type ConfirmMessaging struct {
	Cookie Secret                     `json:"cookie"`
	Code   Secret                     `json:"code"`
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is "confirmMessaging".
func (*ConfirmMessaging) Action() string { return "confirmMessaging" }
func (*ConfirmMessaging) reply() *Result { return new(Result) }

// RemoveMessaging is [RemovePhone] for a messaging service. (meshuser.js, serverCommandRemoveMessaging)
//
//	{"action":"removeMessaging"}
type RemoveMessaging struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "removeMessaging".
func (*RemoveMessaging) Action() string { return "removeMessaging" }
func (*RemoveMessaging) reply() *Result { return new(Result) }

// ChangeMeshNotify sets of what the own account is notified for a device group. Not with [SiteLockSettings]. Success is
// silent, event "accountchange"; errors are "Invalid group identifier", "Invalid notification flags", "Access denied".
// (meshuser.js, case 'changemeshnotify')
//
//	{"action":"changemeshnotify","meshid":"mesh//...","notify":2}
type ChangeMeshNotify struct {
	GroupID ID                         `json:"meshid"`
	Notify  Notify                     `json:"notify,keep"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "changemeshnotify".
func (*ChangeMeshNotify) Action() string { return "changemeshnotify" }
func (*ChangeMeshNotify) reply() *Result { return new(Result) }

// ChangeUserNotify is [ChangeMeshNotify] for one device. (meshuser.js, case 'changeusernotify')
//
//	{"action":"changeusernotify","nodeid":"node//...","notify":2}
type ChangeUserNotify struct {
	DeviceID ID                         `json:"nodeid"`
	Notify   Notify                     `json:"notify,keep"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "changeusernotify".
func (*ChangeUserNotify) Action() string { return "changeusernotify" }
func (*ChangeUserNotify) reply() *Result { return new(Result) }

// WebPush registers a browser for notifications; an account has five at most. Silent; event "accountchange".
// (meshuser.js, case 'webpush')
//
//	{"action":"webpush","sub":{"endpoint":"https://...","keys":{"auth":"...","p256dh":"..."}}}
type WebPush struct {
	Subscription WebPushSubscription        `json:"sub,keep"`
	Extra        map[string]json.RawMessage `json:"-"`
}

// Action is "webpush".
func (*WebPush) Action() string { return "webpush" }
func (*WebPush) reply() *Result { return new(Result) }

// WebPushSubscription is what a browser gives for web push.
type WebPushSubscription struct {
	Endpoint Secret                     `json:"endpoint"` // a URL: who has it can send
	Keys     WebPushKeys                `json:"keys,keep"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// WebPushKeys are the keys of a [WebPushSubscription].
type WebPushKeys struct {
	Auth   Secret                     `json:"auth"`
	P256DH string                     `json:"p256dh"`
	Extra  map[string]json.RawMessage `json:"-"`
}

// GetTwoFactorCookie, action "twoFactorCookie", asks for a cookie that replaces the second factor in later logins. Not
// with a login token; silence where such cookies are switched off. (meshuser.js, case 'twoFactorCookie')
//
//	{"action":"twoFactorCookie"}
type GetTwoFactorCookie struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "twoFactorCookie".
func (*GetTwoFactorCookie) Action() string                  { return "twoFactorCookie" }
func (*GetTwoFactorCookie) reply() *GetTwoFactorCookieReply { return new(GetTwoFactorCookieReply) }

// GetTwoFactorCookieReply answers [GetTwoFactorCookie].
//
//	{"action":"twoFactorCookie","cookie":"..."}
type GetTwoFactorCookieReply struct {
	Cookie Secret                     `json:"cookie"`
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is "twoFactorCookie".
func (*GetTwoFactorCookieReply) Action() string { return "twoFactorCookie" }
