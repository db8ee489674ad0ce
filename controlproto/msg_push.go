package controlproto

import (
	"encoding/json"
	"time"
)

// ServerInfo is the first message after a login. The members of the details are its own too: m.Features.
//
//	{"action":"serverinfo","serverinfo":{"domain":"","name":"example.com","port":443,...}}
type ServerInfo struct {
	ServerDetails `json:"serverinfo,keep"`
	Extra         map[string]json.RawMessage `json:"-"`
}

// Action is "serverinfo".
func (*ServerInfo) Action() string { return "serverinfo" }

// ServerDetails says what a server is and can do, for this session. The server's version is not in it. (meshuser.js,
// where serverinfo is sent)
type ServerDetails struct {
	Domain        string        `json:"domain,keep"`
	Name          string        `json:"name"` // DNS name of the domain or of the certificate
	MPSName       string        `json:"mpsname"`
	MPSPort       int           `json:"mpsport"`
	MPSPass       Secret        `json:"mpspass"`
	Port          int           `json:"port"`            // of HTTPS, as seen from outside
	EmailCheck    bool          `json:"emailcheck,keep"` // addresses are verified by mail
	DomainAuth    bool          `json:"domainauth,keep"` // logins by SSPI
	Time          time.Time     `json:"serverTime,ms"`
	Features      Features      `json:"features,keep"`
	Features2     Features2     `json:"features2,keep"`
	Languages     []string      `json:"languages"`
	TLSHash       string        `json:"tlshash"`       // SHA-384 of the TLS certificate, upper-case hexadecimal
	AgentCertHash string        `json:"agentCertHash"` // ServerID, in the alphabet of ids
	HTTPS         bool          `json:"https,keep"`
	RedirectPort  int           `json:"redirport"`
	AgentURL      string        `json:"magenturl"` // mc://host[:port][/domain]
	DomainSuffix  string        `json:"domainsuffix,keep"`
	IdleLogout    bool          `json:"logoutonidlesessiontimeout,keep"` // idle sessions are logged out, not only locked
	IdleTimeout   time.Duration `json:"timeout,msecs"`

	UserRecording       int                        `json:"usersSessionRecording"` // 1: chosen per account; so the next two
	UserGroupRecording  int                        `json:"userGroupsSessionRecording"`
	GroupRecording      int                        `json:"devGroupSessionRecording"`
	AMTACMDomains       []string                   `json:"amtAcmFqdn"`
	RouterLinks         json.RawMessage            `json:"devicemeshrouterlinks"`
	Messengers          []AltMessenger             `json:"altmessenging"`
	VAPIDPublicKey      string                     `json:"vapidpublickey"`
	AMTProvisionGroup   ID                         `json:"amtProvServerMeshId"`
	RemoveInactiveDays  int                        `json:"autoremoveinactivedevices"`
	LockTwoFactor       bool                       `json:"lock2factor"` // second factors cannot be changed
	MaxSecurityKeys     *int                       `json:"maxfidokeys"`
	MessagingServices   MessagingService           `json:"userMsgProviders"`
	DiscordURL          string                     `json:"discordUrl"`
	NtfyURL             string                     `json:"userMsgNftyUrl"`
	GuestSharing        *bool                      `json:"guestdevicesharing"` // false: none
	GuestSharingMaxTime time.Duration              `json:"guestdevicesharingmaxtime,mins"`
	Consent             Consent                    `json:"consent"`
	ManageAllGroups     bool                       `json:"manageAllDeviceGroups"` // this account sees all device groups
	CrossDomain         []string                   `json:"crossDomain"`           // the domains that this account may manage
	CertExpires         time.Time                  `json:"certExpire,ms"`         // for full administrators
	LinuxShell          string                     `json:"linuxshell"`
	RemoteInputs        []RemoteInput              `json:"preConfiguredRemoteInput"`
	Scripts             []ConfiguredScript         `json:"preConfiguredScripts"`
	MaxDeviceView       int                        `json:"maxdeviceview"` // devices per page; 0: no pages
	Extra               map[string]json.RawMessage `json:"-"`
}

// AltMessenger is a service to meet in, offered in place of the server's own.
type AltMessenger struct {
	Name     string                     `json:"name"`
	URL      string                     `json:"url"`
	LocalURL string                     `json:"localurl"`
	Type     json.RawMessage            `json:"type"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// RemoteInput is a text that can be typed on a device by one click.
type RemoteInput struct {
	Name  string                     `json:"name"`
	Value string                     `json:"value"`
	Extra map[string]json.RawMessage `json:"-"`
}

// ConfiguredScript is a script on the server that can be run on devices.
type ConfiguredScript struct {
	Name  string                     `json:"name"`
	Type  int                        `json:"type"` // 1 Windows command, 2 PowerShell, 3 shell, 4 agent console
	Extra map[string]json.RawMessage `json:"-"`
}

// UserInfo is the second message after a login: the own account. (meshuser.js, where userinfo is sent)
//
//	{"action":"userinfo","userinfo":{"_id":"user//admin","name":"admin","creation":1795333091,"siteadmin":4294967295}}
type UserInfo struct {
	User  User                       `json:"userinfo,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "userinfo".
func (*UserInfo) Action() string { return "userinfo" }

// Close is the last message of a server that refuses a login or ends a session. As a request, without members, it ends
// the own session. (webserver.js, PerformWSSessionAuth; meshuser.js, serverCommandClose)
//
//	{"action":"close","cause":"noauth","msg":"tokenrequired","email2fa":true,"twoFactorCookieDays":30}
type Close struct {
	Cause      string                     `json:"cause"`    // one of the Close constants
	Msg        string                     `json:"msg"`      // one of the CloseMsg constants, or a text
	Email2FA   bool                       `json:"email2fa"` // a code can be sent by e-mail
	SMS2FA     bool                       `json:"sms2fa"`
	Msg2FA     bool                       `json:"msg2fa"`
	EmailSent  bool                       `json:"email2fasent"` // a code was sent by e-mail
	SMSSent    bool                       `json:"sms2fasent"`
	MsgSent    bool                       `json:"msg2fasent"`
	CookieDays int                        `json:"twoFactorCookieDays"` // for how long a second factor can be remembered
	Extra      map[string]json.RawMessage `json:"-"`
}

// Action is "close".
func (*Close) Action() string { return "close" }
func (*Close) reply() *Result { return new(Result) }

// Causes of a [Close].
const (
	CloseNoAuth          = "noauth"
	CloseNoTools         = "notools" // the account has SiteNoTools
	CloseEmailValidation = "emailvalidation"
	CloseExpired         = "expired"
	CloseBanned          = "banned" // too many failed logins from this address
	CloseInvalidOrigin   = "invalidorigin"
)

// Messages of a [Close].
const (
	CloseMsgNoAuth         = "noauth"        // no credentials
	CloseMsgNoDomain       = "noauth-1"      // no such domain
	CloseMsgBadQuery       = "noauth-2a"     // wrong "user" and "pass" in the query
	CloseMsgBadInBand      = "noauth-2c"     // malformed header, or wrong name and password in band
	CloseMsgBadHeader      = "noauth-2d"     // wrong name and password in the header; locked accounts too
	CloseMsgNoAuthOther    = "noauth-4"      // no credentials, on other sockets
	CloseMsgNoKey          = "nokey"         // the URL's key is missing or wrong
	CloseMsgTokenRequired  = "tokenrequired" // a second factor is needed, or was wrong
	CloseMsgBadArgs        = "badargs"       // in band
	CloseMsgBadCertificate = "badtlscert"    // in band: not this server's TLS certificate
	CloseMsgNoTools        = "notools"
	CloseMsgEmail          = "emailvalidationrequired"
	CloseMsgExpired        = "expired-1"
	CloseMsgBanned         = "banned-1"
	CloseMsgInvalidOrigin  = "invalidorigin"
)

// Stopped says that the server ends the session: too many of them, or an administrator wants so. (meshuser.js, where
// stopped is sent)
//
//	{"action":"stopped","msg":"Session count exceed"}
type Stopped struct {
	Msg   string                     `json:"msg"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "stopped".
func (*Stopped) Action() string { return "stopped" }

// Notification is a text for the operator: a "msg" of type "notify". (meshuser.js, displayNotificationMessage)
//
//	{"action":"msg","type":"notify","domain":"","value":"hello all","title":"admin","icon":0,"tag":"broadcast","id":0.33}
type Notification struct {
	Type     notifyType                 `json:"type,keep"`
	Domain   *string                    `json:"domain"`
	Value    string                     `json:"value"`
	Title    string                     `json:"title"`
	Icon     *int                       `json:"icon"`
	Tag      string                     `json:"tag"` // "ServerNotify", "broadcast", "meshmessenger/TARGET/SENDER"
	ID       float64                    `json:"id"`  // random
	URL      string                     `json:"url"`
	MaxTime  time.Duration              `json:"maxtime,secs"` // for how long it is shown
	UserID   ID                         `json:"userid"`       // whose account it is about, or who sent it
	Username string                     `json:"username"`
	DeviceID ID                         `json:"nodeid"`
	TitleID  int                        `json:"titleid"` // number of the title, for translation
	MsgID    int                        `json:"msgid"`   // number of the text, for translation
	Args     []json.RawMessage          `json:"args"`    // what is put into the text
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "msg".
func (*Notification) Action() string { return "msg" }

// notifyType is always "notify".
type notifyType struct{}

// AppendJSONRec writes the JSON value.
func (notifyType) AppendJSONRec(b []byte) ([]byte, error) { return append(b, `"notify"`...), nil }

// UnmarshalJSONRec takes any value: who decodes a Notification has looked at the type.
func (*notifyType) UnmarshalJSONRec([]byte) error { return nil }

// Titles of a [Notification].
const (
	TitleNewAccount      = 1
	TitleServerLimit     = 2
	TitleSecurityWarning = 3
	TitleAccountSettings = 4
	TitleDeviceGroup     = 5
	TitleInviteCodes     = 6
)

// ServerWarnings tells full administrators after the login what is wrong with the server. (meshuser.js, where
// serverwarnings is sent)
//
//	{"action":"serverwarnings","warnings":[{"msg":"Failed to sign ...","id":22,"args":["MeshService.exe","..."]}]}
type ServerWarnings struct {
	Warnings []ServerWarning            `json:"warnings,keep"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "serverwarnings".
func (*ServerWarnings) Action() string { return "serverwarnings" }

// ServerWarning is one of [ServerWarnings].
type ServerWarning struct {
	Msg   string                     `json:"msg"`
	ID    int                        `json:"id"` // number of the text, for translation
	Args  []json.RawMessage          `json:"args"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Trace is a line of the server's trace, while [TraceInfo] asks for it. (meshcentral.js, debug)
//
//	{"action":"trace","source":"web","args":["..."],"time":1795333098219}
type Trace struct {
	Source string                     `json:"source"`
	Args   []json.RawMessage          `json:"args,keep"`
	Time   time.Time                  `json:"time,ms"`
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is "trace".
func (*Trace) Action() string { return "trace" }
