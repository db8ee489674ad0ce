package flows

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
)

// User is an account of a device besides that of the administrator.
type User struct {
	Handle  uint32 // what the device calls it; used again once an account is removed
	Name    string // "" for accounts of a domain
	SID     []byte // of accounts of a domain
	Access  amt.AccessPermission
	Realms  []amt.Realm
	Enabled bool
}

// BuiltIn reports whether the account is one of the firmware's own.
func (u *User) BuiltIn() bool { return strings.HasPrefix(u.Name, "$$") }

// maxName is how long names of accounts may be.
const maxName = 16

// Bounds of what a device may list.
const maxUsers = 200

// Users lists the accounts, those of the firmware too.
//
// Steps: EnumerateUserAclEntries from 1, until all are known; for each GetUserAclEntryEx and GetAclEnabledState.
func (d *Device) Users(ctx context.Context) ([]User, error) { return d.begin("users").users(ctx) }

func (f flow) users(ctx context.Context) ([]User, error) {
	var handles []uint32
	err := f.do("list the handles", func() error {
		for {
			in := &amt.AuthorizationServiceEnumerateUserAclEntries{StartIndex: uint32(len(handles)) + 1}
			out, err := in.Invoke(ctx, f.Client)
			if err != nil {
				return err
			}
			handles = append(handles, out.Handles...)
			if len(handles) > maxUsers {
				return fmt.Errorf("%w: more than %d users", wsman.ErrMalformed, maxUsers)
			}
			if len(out.Handles) == 0 || uint64(len(handles)) >= uint64(out.TotalCount) {
				return nil
			}
		}
	})
	if err != nil {
		return nil, err
	}
	users := make([]User, 0, len(handles))
	for _, h := range handles {
		err := f.do("read a user", func() error {
			e, err := (&amt.AuthorizationServiceGetUserAclEntryEx{Handle: h}).Invoke(ctx, f.Client)
			if err != nil {
				return err
			}
			s, err := (&amt.AuthorizationServiceGetAclEnabledState{Handle: h}).Invoke(ctx, f.Client)
			if err != nil {
				return err
			}
			users = append(users, User{h, e.DigestUsername, e.KerberosUserSID, e.AccessPermission, e.Realms, s.Enabled})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return users, nil
}

// SetUser makes an account of a name or, if there is one, gives it these rights and this password. Firmware asks that passwords
// have 8 to 32 characters, with upper and lower case, a digit and a symbol.
//
// Steps: Get AMT_GeneralSettings for the realm; those of [Device.Users]; AddUserAclEntryEx or UpdateUserAclEntryEx;
// SetAclEnabledState if it differs.
func (d *Device) SetUser(ctx context.Context, u User, password wsman.Secret) error {
	f := d.begin("users")
	if err := errors.Join(checkName(u.Name), CheckPassword(password)); err != nil {
		return &StepError{Step{f.name, "look at what is asked for"}, err}
	}
	hash, err := f.passwordHash(ctx, u.Name, password)
	if err != nil {
		return err
	}
	known, err := f.users(ctx)
	if err != nil {
		return err
	}
	handle, enabled := uint32(0), true
	if i := slices.IndexFunc(known, func(k User) bool { return k.Name == u.Name }); i >= 0 {
		handle, enabled = known[i].Handle, known[i].Enabled
		err = f.do("change the user", func() error {
			in := &amt.AuthorizationServiceUpdateUserAclEntryEx{
				Handle: handle, DigestUsername: u.Name, DigestPassword: hash, AccessPermission: u.Access, Realms: u.Realms,
			}
			_, err := in.Invoke(ctx, f.Client)
			return err
		})
	} else {
		err = f.do("add the user", func() error {
			in := &amt.AuthorizationServiceAddUserAclEntryEx{
				DigestUsername: u.Name, DigestPassword: hash, AccessPermission: u.Access, Realms: u.Realms,
			}
			out, err := in.Invoke(ctx, f.Client)
			if err == nil {
				handle = out.Handle
			}
			return err
		})
	}
	if err != nil || enabled == u.Enabled {
		return err
	}
	return f.do("switch the user", func() error {
		_, err := (&amt.AuthorizationServiceSetAclEnabledState{Handle: handle, Enabled: u.Enabled}).Invoke(ctx, f.Client)
		return err
	})
}

func checkName(name string) error {
	if name == "" || len(name) > maxName || strings.HasPrefix(name, "$$") {
		return fmt.Errorf("%w: names of users have 1 to %d characters and do not begin with $$: %.40q", ErrInput, maxName, name)
	}
	return nil
}

// RemoveUser removes an account by its name; one that is not there is no error.
//
// Steps: those of [Device.Users]; RemoveUserAclEntry.
func (d *Device) RemoveUser(ctx context.Context, name string) error {
	f := d.begin("users")
	known, err := f.users(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(known, func(k User) bool { return k.Name == name && !k.BuiltIn() })
	if i < 0 {
		return nil
	}
	return f.do("remove the user", func() error {
		_, err := (&amt.AuthorizationServiceRemoveUserAclEntry{Handle: known[i].Handle}).Invoke(ctx, f.Client)
		return err
	})
}

// SetAdmin changes the name and the password of the administrator, and makes the client use them from then on.
//
// Steps: Get AMT_GeneralSettings for the realm; SetAdminAclEntryEx. If no answer came (wsman.ErrNoAnswer) it is not known which
// password is in force; the client has the old one then.
func (d *Device) SetAdmin(ctx context.Context, name string, password wsman.Secret) error {
	f := d.begin("administrator")
	if err := errors.Join(checkName(name), CheckPassword(password)); err != nil {
		return &StepError{Step{f.name, "look at what is asked for"}, err}
	}
	hash, err := f.passwordHash(ctx, name, password)
	if err != nil {
		return err
	}
	err = f.do("set name and password", func() error {
		_, err := (&amt.AuthorizationServiceSetAdminAclEntryEx{Username: name, DigestPassword: hash}).Invoke(ctx, f.Client)
		return err
	})
	if err == nil {
		f.Client.SetCredentials(name, password)
	}
	return err
}

func (f flow) passwordHash(ctx context.Context, user string, password wsman.Secret) (hash wsman.Secret, err error) {
	realm, err := f.realm(ctx)
	if err != nil {
		return hash, err
	}
	return amt.PasswordHash(user, realm, password), nil
}

// realm reads the realm that hashes of passwords are made with.
func (f flow) realm(ctx context.Context) (realm string, err error) {
	err = f.do("read the realm", func() error {
		s, err := wsman.Get[amt.GeneralSettings](ctx, f.Client)
		if err != nil {
			return err
		}
		if shown := f.Client.Realm(); shown != "" && shown != s.DigestRealm {
			// Somebody in the middle who passes on another device's realm would get a hash for that device.
			return fmt.Errorf("%w: the device shows %.60q and says %.60q", wsman.ErrRealm, shown, s.DigestRealm)
		}
		realm = s.DigestRealm
		return nil
	})
	return realm, err
}

// CheckPassword says why firmware would refuse a password: it wants 8 to 32 printable ASCII characters with upper and lower
// case, a digit and a symbol. The underscore is no symbol, and none of : , " ' & < > may be in it.
func CheckPassword(password wsman.Secret) error {
	p := password.Reveal()
	var lower, upper, digit, symbol, bad bool
	for _, c := range p {
		switch {
		case 'a' <= c && c <= 'z':
			lower = true
		case 'A' <= c && c <= 'Z':
			upper = true
		case '0' <= c && c <= '9':
			digit = true
		case c == '_':
		case c <= ' ' || c > '~' || strings.ContainsRune(`:,"'&<>`, c):
			bad = true
		default:
			symbol = true
		}
	}
	if len(p) < 8 || len(p) > 32 || bad || !lower || !upper || !digit || !symbol {
		return fmt.Errorf("%w: a password has 8 to 32 characters, among them a small and a capital letter, a digit and a symbol, "+
			"and none of : , \" ' & < >", ErrInput)
	}
	return nil
}
