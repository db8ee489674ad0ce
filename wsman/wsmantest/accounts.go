package wsmantest

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"

	"github.com/meshcentral-go/sdk/wsman/digest"
)

// Realms are what a user may do.
const (
	RealmRedirection     = 2
	RealmAdministration  = 3
	RealmHardwareAsset   = 4
	RealmRemoteControl   = 5
	RealmEventManager    = 7
	RealmNetworkTime     = 12
	RealmGeneralInfo     = 13
	RealmEventLogReader  = 19
	RealmAuditLog        = 20
	RealmUserAccess      = 21
	realmFirst           = 2
	realmLast            = 24
	accountMost          = 15
	accountHandles       = 64
	accessLocal          = 0
	accessBoth           = 2
	encryptionHTTPDigest = 2 // NetAdminPassEncryptionType
)

var (
	remoteControl = []int{RealmRemoteControl}
	generalInfo   = []int{RealmGeneralInfo}
	hardwareAsset = []int{RealmHardwareAsset}
)

// account is a user.
type account struct {
	handle  int
	name    string
	ha1     []byte // MD5(name:realm:password)
	sid     string // a Kerberos user's, in base64
	access  int
	realms  []int
	enabled bool
}

type accounts struct {
	admin *account
	users []*account
}

// User is an account of the device.
type User struct {
	Handle  int // of AMT_AuthorizationService; 0 is the administrator
	Name    string
	Realms  []int
	Access  int // 0 local, 1 network, 2 both
	Enabled bool
}

var accountName = regexp.MustCompile(`^[!-~]{1,16}$`)

func (d *Device) buildAccounts() {
	d.state.accounts.admin = &account{
		name: d.cfg.User, ha1: digest.HA1(digest.MD5, d.cfg.User, d.realm, d.cfg.Password.Reveal()), access: accessBoth,
		realms: []int{RealmAdministration}, enabled: d.cfg.Mode != ModeNone,
	}
	d.state.accounts.users = []*account{
		{handle: 1, name: "$$uns", access: accessLocal, realms: []int{16, 24}, enabled: true},
	}
	o := service("AMT_AuthorizationService", "Intel(r) AMT Authorization Service", "AllowHttpQopAuthOnly", 1, "EnabledState", 5, "RequestedState", 12)
	d.define(&class{name: o.class, keys: serviceKeys, realms: []int{RealmUserAccess}, methods: map[string]method{
		"EnumerateUserAclEntries":   d.enumerateUsers,
		"GetUserAclEntryEx":         d.getUser,
		"AddUserAclEntryEx":         d.addUser,
		"UpdateUserAclEntryEx":      d.updateUser,
		"RemoveUserAclEntry":        d.removeUser,
		"SetAclEnabledState":        d.enableUser,
		"GetAclEnabledState":        d.userEnabled,
		"SetAdminAclEntryEx":        d.setAdmin,
		"GetAdminAclEntry":          d.getAdmin,
		"GetAdminAclEntryStatus":    func(c *call) (int, *fault) { c.set("IsDefault", false); return ok, nil },
		"GetAdminNetAclEntryStatus": func(c *call) (int, *fault) { c.set("IsDefault", false); return ok, nil },
	}}, o)
}

// account finds a user by name.
func (d *Device) account(name string) *account {
	a := &d.state.accounts
	if name == a.admin.name {
		return a.admin
	}
	if l := d.state.setup.local; l != nil && name == l.name {
		return l
	}
	for _, u := range a.users {
		if u.name == name && len(u.ha1) > 0 {
			return u
		}
	}
	return nil
}

// allowed says whether a user may use a class: the administrator all of them, others those of their realms.
func (d *Device) allowed(u *account, k *class, req *request) bool {
	if slices.Contains(u.realms, RealmAdministration) {
		return true
	}
	if k.name == "AMT_AuthorizationService" && req.op == "GetAdminAclEntryStatus" {
		return true
	}
	return slices.ContainsFunc(k.realms, func(r int) bool { return slices.Contains(u.realms, r) })
}

func (d *Device) userOf(c *call) *account {
	handle, given := c.num("Handle")
	if !given {
		return nil
	}
	for _, u := range d.state.accounts.users {
		if u.handle == handle {
			return u
		}
	}
	return nil
}

func (d *Device) enumerateUsers(c *call) (int, *fault) {
	start, given := c.num("StartIndex")
	users := d.state.accounts.users
	if !given || start < 1 {
		return statusInvalidParameter, nil
	}
	var handles []int
	for _, u := range users[min(start-1, len(users)):] {
		handles = append(handles, u.handle)
	}
	c.set("TotalCount", len(users))
	c.set("HandlesCount", len(handles))
	c.set("Handles", handles)
	return ok, nil
}

func (d *Device) getUser(c *call) (int, *fault) {
	u := d.userOf(c)
	if u == nil {
		return statusInvalidHandle, nil
	}
	if u.sid != "" {
		c.set("KerberosUserSid", u.sid)
	} else {
		c.set("DigestUsername", u.name)
	}
	c.set("AccessPermission", u.access)
	c.set("Realms", u.realms)
	return ok, nil
}

// userInput reads the parameters that AddUserAclEntryEx and UpdateUserAclEntryEx share.
func (d *Device) userInput(c *call, u *account) int {
	name, sid := c.text("DigestUsername"), c.text("KerberosUserSid")
	switch {
	case sid != "":
		if b, valid := c.bytes("KerberosUserSid"); !valid || len(b) > 28 {
			return statusInvalidParameter
		}
		u.name, u.sid, u.ha1 = "", sid, nil
	case !accountName.MatchString(name) || len(name) > 1 && name[:2] == "$$":
		return statusInvalidName
	default:
		ha1, _ := c.bytes("DigestPassword")
		if len(ha1) != 16 {
			return statusInvalidPassword
		}
		if other := d.account(name); other != nil && other.handle != u.handle {
			return statusDuplicate
		}
		u.name, u.sid, u.ha1 = name, "", ha1
	}
	access, given := c.num("AccessPermission")
	if !given || access < accessLocal || access > accessBoth {
		return statusInvalidParameter
	}
	realms, valid := c.nums("Realms")
	if !valid || slices.ContainsFunc(realms, func(r int) bool { return r < realmFirst || r > realmLast }) {
		return statusInvalidRealm
	}
	u.access, u.realms = access, realms
	return ok
}

func (d *Device) addUser(c *call) (int, *fault) {
	if len(d.state.accounts.users) >= accountMost {
		return statusMaxLimit, nil
	}
	u := &account{enabled: true}
	if status := d.userInput(c, u); status != ok {
		return status, nil
	}
	if !d.flashWrite() {
		return statusFlashLimit, nil
	}
	// Handles are used again: the lowest free one.
	for u.handle = 1; u.handle < accountHandles; u.handle++ {
		if !slices.ContainsFunc(d.state.accounts.users, func(x *account) bool { return x.handle == u.handle }) {
			break
		}
	}
	d.state.accounts.users = append(d.state.accounts.users, u)
	c.set("Handle", u.handle)
	d.audit(auditSecurityAdmin, 2, []byte(u.name), c.req)
	d.emit(EventAccounts, "user %q was added", u.name)
	return ok, nil
}

func (d *Device) updateUser(c *call) (int, *fault) {
	u := d.userOf(c)
	if u == nil {
		return statusInvalidHandle, nil
	}
	fresh := *u
	if status := d.userInput(c, &fresh); status != ok {
		return status, nil
	}
	if !d.flashWrite() {
		return statusFlashLimit, nil
	}
	*u = fresh
	d.audit(auditSecurityAdmin, 3, []byte(u.name), c.req)
	d.emit(EventAccounts, "user %q was changed", u.name)
	return ok, nil
}

func (d *Device) removeUser(c *call) (int, *fault) {
	u := d.userOf(c)
	if u == nil || u.name == "$$uns" {
		return statusInvalidHandle, nil
	}
	d.state.accounts.users = slices.DeleteFunc(d.state.accounts.users, func(x *account) bool { return x == u })
	d.audit(auditSecurityAdmin, 4, []byte(u.name), c.req)
	d.emit(EventAccounts, "user %q was removed", u.name)
	return ok, nil
}

func (d *Device) enableUser(c *call) (int, *fault) {
	u := d.userOf(c)
	if u == nil {
		return statusInvalidHandle, nil
	}
	u.enabled = c.flag("Enabled")
	d.emit(EventAccounts, "user %q enabled: %v", u.name, u.enabled)
	return ok, nil
}

func (d *Device) userEnabled(c *call) (int, *fault) {
	u := d.userOf(c)
	if u == nil {
		return statusInvalidHandle, nil
	}
	c.set("Enabled", u.enabled)
	return ok, nil
}

// setAdmin is SetAdminAclEntryEx: the password is the base64 of the 16 bytes of MD5(user:realm:password), not their digits.
func (d *Device) setAdmin(c *call) (int, *fault) {
	name := c.text("Username")
	ha1, _ := c.bytes("DigestPassword")
	switch {
	case !accountName.MatchString(name):
		return statusInvalidName, nil
	case len(ha1) != 16:
		return statusInvalidPassword, nil
	case !d.flashWrite():
		return statusFlashLimit, nil
	}
	d.setAdminAccount(name, ha1)
	d.audit(auditSecurityAdmin, 3, []byte(name), c.req)
	return ok, nil
}

// setAdminAccount changes the administrator. No nonce survives that.
func (d *Device) setAdminAccount(name string, ha1 []byte) {
	a := d.state.accounts.admin
	a.name, a.ha1, a.enabled = name, ha1, true
	d.forgetNonces()
	d.emit(EventAccounts, "the administrator %q was set", name)
}

func (d *Device) getAdmin(c *call) (int, *fault) {
	c.set("Username", d.state.accounts.admin.name)
	return ok, nil
}

// Users returns the accounts, the administrator first.
func (d *Device) Users() []User {
	d.mu.Lock()
	defer d.unlock()
	var out []User
	for _, u := range append([]*account{d.state.accounts.admin}, d.state.accounts.users...) {
		name := u.name
		if u.sid != "" {
			name = u.sid
		}
		out = append(out, User{Handle: u.handle, Name: name, Realms: slices.Clone(u.realms), Access: u.access, Enabled: u.enabled})
	}
	return out
}

// CheckPassword says whether a user has this password.
func (d *Device) CheckPassword(user, password string) bool {
	d.mu.Lock()
	defer d.unlock()
	u := d.account(user)
	return u != nil && u.enabled && NewSecret(string(u.ha1)).Equal(NewSecret(string(digest.HA1(digest.MD5, user, d.realm, password))))
}

// PasswordParameter is what AddUserAclEntryEx and SetAdminAclEntryEx take for a password.
func (d *Device) PasswordParameter(user, password string) string {
	return base64.StdEncoding.EncodeToString(digest.HA1(digest.MD5, user, d.Realm(), password))
}

// String names the user.
func (u User) String() string { return fmt.Sprintf("%d %q %v", u.Handle, u.Name, u.Realms) }
