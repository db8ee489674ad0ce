package controlproto

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// All of these are about the own account, and silent where the domain locks second factors. Those without Settings or
// NoToken answer even then, with an error or with less.
var twoFactorActions = []Spec{
	{Action: "otpauth-request", Request: blank[OTPAuthRequest], Reply: blank[OTPAuthRequestReply]},
	{
		Action: "otpauth-setup", Request: blank[OTPAuthSetup], Reply: blank[OTPAuthSetupReply],
		NoToken: true, Settings: true,
	},
	{
		Action: "otpauth-clear", Request: blank[OTPAuthClear], Reply: blank[OTPAuthClearReply],
		NoToken: true, Settings: true,
	},
	{
		Action: "otpauth-getpasswords", Request: blank[OTPAuthGetPasswords], Reply: blank[OTPAuthGetPasswordsReply],
		NoToken: true,
	},
	{Action: "otpemail", Request: blank[OTPEmail], Reply: blank[OTPEmailReply], NoToken: true, Settings: true},
	{Action: "otpduo", Request: blank[OTPDuo], Reply: blank[OTPDuoReply], NoToken: true, Settings: true},
	{Action: "otp-hkey-get", Request: blank[OTPHKeyGet], Reply: blank[OTPHKeyGetReply], NoToken: true},
	{Action: "otp-hkey-remove", Request: blank[OTPHKeyRemove], Replies: RepliesNever, NoToken: true, Settings: true},
	{
		Action: "otp-hkey-yubikey-add", Request: blank[OTPHKeyYubikeyAdd], Reply: blank[OTPHKeyYubikeyAddReply],
		NoToken: true, Settings: true,
	},
	{Action: "otpdev-set", Request: blank[OTPDevSet], Replies: RepliesNever, NoToken: true},
	{Action: "otpdev-clear", Request: blank[OTPDevClear], Replies: RepliesNever, NoToken: true},
	{
		Action: "webauthn-startregister", Request: blank[WebAuthnStartRegister], Reply: blank[WebAuthnStartRegisterReply],
		NoToken: true, Settings: true,
	},
	{
		Action: "webauthn-endregister", Request: blank[WebAuthnEndRegister], Reply: blank[WebAuthnEndRegisterReply],
		NoToken: true, Settings: true,
	},
}

// OTPAuthRequest asks for a new secret for an authenticator application. (meshuser.js, case 'otpauth-request')
//
//	{"action":"otpauth-request"}
type OTPAuthRequest struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "otpauth-request".
func (*OTPAuthRequest) Action() string              { return "otpauth-request" }
func (*OTPAuthRequest) reply() *OTPAuthRequestReply { return new(OTPAuthRequestReply) }

// OTPAuthRequestReply answers [OTPAuthRequest].
//
//	{"action":"otpauth-request","secret":"JBSWY3DPEHPK3PXP","url":"otpauth://totp/..."}
//	{"action":"otpauth-request","err":4}
type OTPAuthRequestReply struct {
	Secret Secret                     `json:"secret"` // base32
	URL    SecretURL                  `json:"url"`
	Err    OTPAuthError               `json:"err"`
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is "otpauth-request".
func (*OTPAuthRequestReply) Action() string { return "otpauth-request" }

// OTPAuthError says why there is no secret.
type OTPAuthError int

// Reasons.
const (
	OTPAuthLocked       OTPAuthError = 1 // the domain locks second factors
	OTPAuthTokenSession OTPAuthError = 3 // logged in with a login token
	OTPAuthDisabled     OTPAuthError = 4
	OTPAuthSettings     OTPAuthError = 5 // the account has SiteLockSettings
	OTPAuthUnsupported  OTPAuthError = 6
)

// String names the reason.
func (e OTPAuthError) String() string {
	switch e {
	case 0:
		return "none"
	case OTPAuthLocked:
		return "second factors are locked"
	case OTPAuthTokenSession:
		return "not with a login token"
	case OTPAuthDisabled:
		return "switched off"
	case OTPAuthSettings:
		return "settings are locked"
	case OTPAuthUnsupported:
		return "not supported"
	}
	return "OTPAuthError(" + strconv.Itoa(int(e)) + ")"
}

// OTPAuthSetup proves that the application knows the secret, and makes it a second factor. Not with a login token, nor
// with [SiteLockSettings]. Event "accountchange". (meshuser.js, case 'otpauth-setup')
//
//	{"action":"otpauth-setup","secret":"JBSWY3DPEHPK3PXP","token":"123456"}
type OTPAuthSetup struct {
	Secret Secret                     `json:"secret"`
	Token  Secret                     `json:"token"`
	Extra  map[string]json.RawMessage `json:"-"`
}

// Action is "otpauth-setup".
func (*OTPAuthSetup) Action() string            { return "otpauth-setup" }
func (*OTPAuthSetup) reply() *OTPAuthSetupReply { return new(OTPAuthSetupReply) }

// OTPAuthSetupReply answers [OTPAuthSetup].
//
//	{"action":"otpauth-setup","success":true}
type OTPAuthSetupReply struct {
	Success bool                       `json:"success,keep"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "otpauth-setup".
func (*OTPAuthSetupReply) Action() string { return "otpauth-setup" }

// OTPAuthClear removes the authenticator application. Not with a login token, nor with [SiteLockSettings]. Event
// "accountchange". (meshuser.js, case 'otpauth-clear')
//
//	{"action":"otpauth-clear"}
type OTPAuthClear struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "otpauth-clear".
func (*OTPAuthClear) Action() string            { return "otpauth-clear" }
func (*OTPAuthClear) reply() *OTPAuthClearReply { return new(OTPAuthClearReply) }

// OTPAuthClearReply answers [OTPAuthClear].
//
//	{"action":"otpauth-clear","success":true}
type OTPAuthClearReply struct {
	Success bool                       `json:"success,keep"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "otpauth-clear".
func (*OTPAuthClearReply) Action() string { return "otpauth-clear" }

// What [OTPAuthGetPasswords] does.
const (
	BackupCodesList     = 0
	BackupCodesGenerate = 1
	BackupCodesClear    = 2
)

// OTPAuthGetPasswords lists the backup codes, or makes new ones, or removes them. Only for accounts that have another
// second factor. Not with a login token; with [SiteLockSettings] it only lists. (meshuser.js, case
// 'otpauth-getpasswords')
//
//	{"action":"otpauth-getpasswords","subaction":1}
type OTPAuthGetPasswords struct {
	SubAction int                        `json:"subaction"` // BackupCodesList, ...
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "otpauth-getpasswords".
func (*OTPAuthGetPasswords) Action() string                   { return "otpauth-getpasswords" }
func (*OTPAuthGetPasswords) reply() *OTPAuthGetPasswordsReply { return new(OTPAuthGetPasswordsReply) }

// OTPAuthGetPasswordsReply answers [OTPAuthGetPasswords].
//
//	{"action":"otpauth-getpasswords","passwords":[{"p":12345678,"u":true}]}
type OTPAuthGetPasswordsReply struct {
	Passwords []BackupCode               `json:"passwords,null"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "otpauth-getpasswords".
func (*OTPAuthGetPasswordsReply) Action() string { return "otpauth-getpasswords" }

// BackupCode is a code for one login.
type BackupCode struct {
	Code   BackupCodeDigits           `json:"p,keep"`
	Unused bool                       `json:"u,keep"`
	Extra  map[string]json.RawMessage `json:"-"`
}

// BackupCodeDigits are the eight digits of a [BackupCode]; on the wire a number, without the zeros in front.
type BackupCodeDigits struct{ Secret }

// AppendJSONRec writes the JSON value.
func (d BackupCodeDigits) AppendJSONRec(b []byte) ([]byte, error) {
	s := d.Reveal()
	if s == "" {
		s = "0"
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n > 99999999 {
		return b, fmt.Errorf("controlproto: a backup code of %d characters is not of 8 digits", len(s))
	}
	return strconv.AppendUint(b, n, 10), nil
}

// UnmarshalJSONRec reads the JSON value.
func (d *BackupCodeDigits) UnmarshalJSONRec(raw []byte) error {
	n, err := strconv.ParseUint(string(raw), 10, 32)
	if err != nil || n > 99999999 {
		return fmt.Errorf("controlproto: a backup code of %d characters is not a number of 8 digits", len(raw))
	}
	d.Secret = NewSecret(fmt.Sprintf("%08d", n))
	return nil
}

// OTPEmail switches codes by e-mail on or off. Not with a login token, nor with [SiteLockSettings]. Silence when
// nothing changes. Event "accountchange". (meshuser.js, case 'otpemail')
//
//	{"action":"otpemail","enabled":true}
type OTPEmail struct {
	Enabled bool                       `json:"enabled,keep"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "otpemail".
func (*OTPEmail) Action() string        { return "otpemail" }
func (*OTPEmail) reply() *OTPEmailReply { return new(OTPEmailReply) }

// OTPEmailReply answers [OTPEmail].
//
//	{"action":"otpemail","success":true,"enabled":true}
type OTPEmailReply struct {
	Success bool                       `json:"success,keep"`
	Enabled bool                       `json:"enabled,keep"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "otpemail".
func (*OTPEmailReply) Action() string { return "otpemail" }

// OTPDuo switches Duo off; it is switched on in a page. Not with a login token, nor with [SiteLockSettings]. Silence
// when nothing changes. Event "accountchange". (meshuser.js, case 'otpduo')
//
//	{"action":"otpduo","enabled":false}
type OTPDuo struct {
	Enabled bool                       `json:"enabled,keep"` // false
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "otpduo".
func (*OTPDuo) Action() string      { return "otpduo" }
func (*OTPDuo) reply() *OTPDuoReply { return new(OTPDuoReply) }

// OTPDuoReply answers [OTPDuo].
//
//	{"action":"otpduo","success":true,"enabled":false}
type OTPDuoReply struct {
	Success bool                       `json:"success,keep"`
	Enabled bool                       `json:"enabled,keep"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "otpduo".
func (*OTPDuoReply) Action() string { return "otpduo" }

// OTPHKeyGet asks for the own security keys. Not with a login token. (meshuser.js, case 'otp-hkey-get')
//
//	{"action":"otp-hkey-get"}
type OTPHKeyGet struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "otp-hkey-get".
func (*OTPHKeyGet) Action() string          { return "otp-hkey-get" }
func (*OTPHKeyGet) reply() *OTPHKeyGetReply { return new(OTPHKeyGetReply) }

// OTPHKeyGetReply answers [OTPHKeyGet].
//
//	{"action":"otp-hkey-get","keys":[{"i":2712847316,"name":"blue key","type":3}]}
type OTPHKeyGetReply struct {
	Keys  []HardwareKey              `json:"keys,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "otp-hkey-get".
func (*OTPHKeyGetReply) Action() string { return "otp-hkey-get" }

// HardwareKeyType is a kind of security key.
type HardwareKeyType uint8

// Kinds of security keys.
const (
	HardwareKeyU2F      HardwareKeyType = 1
	HardwareKeyYubiKey  HardwareKeyType = 2
	HardwareKeyWebAuthn HardwareKeyType = 3
)

// String names the kind.
func (t HardwareKeyType) String() string {
	switch t {
	case HardwareKeyU2F:
		return "U2F"
	case HardwareKeyYubiKey:
		return "YubiKey OTP"
	case HardwareKeyWebAuthn:
		return "WebAuthn"
	}
	return "HardwareKeyType(" + strconv.Itoa(int(t)) + ")"
}

// HardwareKey is a security key.
type HardwareKey struct {
	Index uint32                     `json:"i,keep"`
	Name  string                     `json:"name"`
	Type  HardwareKeyType            `json:"type"`
	Extra map[string]json.RawMessage `json:"-"`
}

// OTPHKeyRemove removes a security key. Not with a login token, nor with [SiteLockSettings]. Silent; event
// "accountchange". (meshuser.js, case 'otp-hkey-remove')
//
//	{"action":"otp-hkey-remove","index":2712847316}
type OTPHKeyRemove struct {
	Index uint32                     `json:"index,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "otp-hkey-remove".
func (*OTPHKeyRemove) Action() string { return "otp-hkey-remove" }
func (*OTPHKeyRemove) reply() *Result { return new(Result) }

// OTPHKeyYubikeyAdd adds a YubiKey by one of its passwords. Not with a login token, nor with [SiteLockSettings]. Event
// "accountchange". (meshuser.js, case 'otp-hkey-yubikey-add')
//
//	{"action":"otp-hkey-yubikey-add","name":"blue key","otp":"cccccc..."}
type OTPHKeyYubikeyAdd struct {
	Name  string                     `json:"name"`
	OTP   Secret                     `json:"otp"` // 44 characters
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "otp-hkey-yubikey-add".
func (*OTPHKeyYubikeyAdd) Action() string                 { return "otp-hkey-yubikey-add" }
func (*OTPHKeyYubikeyAdd) reply() *OTPHKeyYubikeyAddReply { return new(OTPHKeyYubikeyAddReply) }

// OTPHKeyYubikeyAddReply answers [OTPHKeyYubikeyAdd].
//
//	{"action":"otp-hkey-yubikey-add","result":true,"name":"blue key","index":2712847316}
type OTPHKeyYubikeyAddReply struct {
	OK    bool                       `json:"result,keep"`
	Name  string                     `json:"name"`
	Index *uint32                    `json:"index"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "otp-hkey-yubikey-add".
func (*OTPHKeyYubikeyAddReply) Action() string { return "otp-hkey-yubikey-add" }

// OTPDevSet makes a phone with the Android agent, to which the account has full rights, a second factor: the phone
// asks. Not with a login token. Silent. (meshuser.js, case 'otpdev-set')
//
//	{"action":"otpdev-set","nodeid":"node//..."}
type OTPDevSet struct {
	DeviceID ID                         `json:"nodeid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "otpdev-set".
func (*OTPDevSet) Action() string { return "otpdev-set" }
func (*OTPDevSet) reply() *Result { return new(Result) }

// OTPDevClear removes the phone of [OTPDevSet]. Not with a login token. Silent; event "accountchange". (meshuser.js,
// case 'otpdev-clear')
//
//	{"action":"otpdev-clear"}
type OTPDevClear struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "otpdev-clear".
func (*OTPDevClear) Action() string { return "otpdev-clear" }
func (*OTPDevClear) reply() *Result { return new(Result) }

// WebAuthnStartRegister begins to add a WebAuthn key. Not with a login token, nor with [SiteLockSettings].
// (meshuser.js, case 'webauthn-startregister')
//
//	{"action":"webauthn-startregister","name":"blue key"}
type WebAuthnStartRegister struct {
	Name  string                     `json:"name,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "webauthn-startregister".
func (*WebAuthnStartRegister) Action() string { return "webauthn-startregister" }
func (*WebAuthnStartRegister) reply() *WebAuthnStartRegisterReply {
	return new(WebAuthnStartRegisterReply)
}

// WebAuthnStartRegisterReply answers [WebAuthnStartRegister].
//
//	{"action":"webauthn-startregister","keyname":"blue key","request":{"rp":{...},"challenge":"...",...}}
type WebAuthnStartRegisterReply struct {
	KeyName string                     `json:"keyname"`
	Request json.RawMessage            `json:"request"` // for navigator.credentials.create
	Extra   map[string]json.RawMessage `json:"-"`
}

// Action is "webauthn-startregister".
func (*WebAuthnStartRegisterReply) Action() string { return "webauthn-startregister" }

// WebAuthnEndRegister gives what the browser answered to the request of a [WebAuthnStartRegisterReply]. Not with a
// login token, nor with [SiteLockSettings]. Event "accountchange". (meshuser.js, case 'webauthn-endregister')
//
//	{"action":"webauthn-endregister","response":{"id":"...","response":{...}}}
type WebAuthnEndRegister struct {
	Response json.RawMessage            `json:"response"`
	Name     string                     `json:"name"` // repeated by the reply
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "webauthn-endregister".
func (*WebAuthnEndRegister) Action() string                   { return "webauthn-endregister" }
func (*WebAuthnEndRegister) reply() *WebAuthnEndRegisterReply { return new(WebAuthnEndRegisterReply) }

// WebAuthnEndRegisterReply answers [WebAuthnEndRegister], under another action.
//
//	{"action":"otp-hkey-setup-response","result":true,"index":2712847316}
type WebAuthnEndRegisterReply struct {
	OK    bool                       `json:"result,keep"`
	Error json.RawMessage            `json:"error"`
	Name  string                     `json:"name"`
	Index *uint32                    `json:"index"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "otp-hkey-setup-response".
func (*WebAuthnEndRegisterReply) Action() string { return "otp-hkey-setup-response" }
