package main

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/examples/internal/console"
)

// names finds the ids of what is named on the command line. Lists are asked for when a name is to be looked up, and once.
type names struct {
	client     *controlproto.Client
	devices    []controlproto.Device
	groups     []controlproto.DeviceGroup
	userGroups map[controlproto.ID]controlproto.UserGroup
}

// idAlphabet is base64 with the two characters of ids.
var idAlphabet = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@$") //nolint:gochecknoglobals // constant

// idLength is the length of the last part of an id, which stands for idBytes bytes.
const idLength, idBytes = 64, 48

// asID reads the forms of an id: whole, bare, or the bytes in hexadecimal digits, as meshctrl --hex prints them.
func asID(text, kind, domain string) (controlproto.ID, bool, error) {
	id := controlproto.ID(text)
	if id.Valid() {
		switch id.Kind() {
		case kind:
			return id, true, nil
		case controlproto.KindDevice, controlproto.KindDeviceGroup, controlproto.KindUser, controlproto.KindUserGroup:
			return "", false, usageError("%.80q is the id of something else: one that begins with %s/ is wanted", text, kind)
		}
	}
	if len(text) == idLength {
		if _, err := idAlphabet.DecodeString(text); err == nil {
			return id.In(kind, domain), true, nil
		}
	}
	digits := strings.TrimPrefix(strings.TrimPrefix(text, "0x"), "0X")
	if b, err := hex.DecodeString(digits); err == nil && len(b) == idBytes {
		return controlproto.MakeID(kind, domain, idAlphabet.EncodeToString(b)), true, nil
	}
	return "", false, nil
}

// hexID is the last part of an id in hexadecimal digits.
func hexID(id controlproto.ID) string {
	b, err := idAlphabet.DecodeString(id.Name())
	if err != nil {
		return id.Name()
	}
	return "0x" + strings.ToUpper(hex.EncodeToString(b))
}

// only picks the one id that a name has.
func only(what, name string, found []controlproto.ID) (controlproto.ID, error) {
	switch len(found) {
	case 0:
		return "", errRefused("there is no " + what + " " + quoted(name) + " that this account can see")
	case 1:
		return found[0], nil
	}
	return "", usageError("%d of the %ss are named %s: give the id", len(found), what, quoted(name))
}

func quoted(name string) string { return `"` + console.Clean(name) + `"` }

func (n *names) domain() string { return n.client.ServerInfo().Domain }

// mayManage refuses a domain that this account does not manage. Servers pass over it, and would make what was asked for in the
// account's own domain.
func (n *names) mayManage(domain string) error {
	if domain == n.domain() || slices.Contains(n.client.ServerInfo().CrossDomain, domain) {
		return nil
	}
	return errRefused(fmt.Sprintf("this account manages no other domain %.80q", domain))
}

func (n *names) allDevices(ctx context.Context) ([]controlproto.Device, error) {
	var err error
	if n.devices == nil {
		n.devices, err = n.client.Devices(ctx, controlproto.DeviceFilter{})
	}
	return n.devices, err
}

func (n *names) allGroups(ctx context.Context) ([]controlproto.DeviceGroup, error) {
	var err error
	if n.groups == nil {
		n.groups, err = n.client.DeviceGroups(ctx)
	}
	return n.groups, err
}

// device finds a device.
func (n *names) device(ctx context.Context, text string) (controlproto.ID, error) {
	if id, ok, err := asID(text, controlproto.KindDevice, n.domain()); ok || err != nil {
		return id, err
	}
	all, err := n.allDevices(ctx)
	if err != nil {
		return "", err
	}
	var found []controlproto.ID
	for i := range all {
		if all[i].Name == text {
			found = append(found, all[i].ID)
		}
	}
	return only("device", text, found)
}

// deviceList finds devices that are separated by commas.
func (n *names) deviceList(ctx context.Context, text string) ([]controlproto.ID, error) {
	var list []controlproto.ID
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			return nil, usageError("no device is named between two commas")
		}
		id, err := n.device(ctx, part)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	return list, nil
}

// group finds a device group.
func (n *names) group(ctx context.Context, text string) (controlproto.ID, error) {
	if id, ok, err := asID(text, controlproto.KindDeviceGroup, n.domain()); ok || err != nil {
		return id, err
	}
	all, err := n.allGroups(ctx)
	if err != nil {
		return "", err
	}
	var found []controlproto.ID
	for i := range all {
		if all[i].Name == text {
			found = append(found, all[i].ID)
		}
	}
	return only("device group", text, found)
}

// userGroup finds a user group.
func (n *names) userGroup(ctx context.Context, text string) (controlproto.ID, error) {
	if id, ok, err := asID(text, controlproto.KindUserGroup, n.domain()); ok || err != nil {
		return id, err
	}
	if n.userGroups == nil {
		var err error
		if n.userGroups, err = n.client.UserGroups(ctx); err != nil {
			return "", err
		}
	}
	var found []controlproto.ID
	for id, g := range n.userGroups {
		if g.Name == text {
			found = append(found, id)
		}
	}
	return only("user group", text, found)
}

// member finds what can be in a user group: what is no whole id is the name of an account.
func (n *names) member(text string) controlproto.ID {
	if id := controlproto.ID(text); id.Valid() {
		return id
	}
	return controlproto.UserID(n.domain(), text)
}

// groupName is the name of a group of which the id is known.
func (n *names) groupName(id controlproto.ID) string {
	for i := range n.groups {
		if n.groups[i].ID == id {
			return n.groups[i].Name
		}
	}
	return ""
}

// deviceName is the name of a device if it was looked up, or else its id.
func (n *names) deviceName(id controlproto.ID) string {
	for i := range n.devices {
		if n.devices[i].ID == id {
			return n.devices[i].Name
		}
	}
	return string(id)
}
