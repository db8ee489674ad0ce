package controlproto

import (
	"strings"

	"github.com/meshcentral-go/sdk/nodeid"
)

// ID names a record: "user/DOMAIN/NAME", "ugrp/DOMAIN/ID", "mesh/DOMAIN/ID" or "node/DOMAIN/ID". The domain is empty for the
// default one. Records of all kinds link to each other, so one type serves all; [ID.Kind] tells them apart.
//
// Requests take ids with their prefix and domain, and most of them the bare last part too.
type ID string

// Kinds of records, as they stand at the start of an [ID].
const (
	KindUser        = "user"
	KindUserGroup   = "ugrp"
	KindDeviceGroup = "mesh"
	KindDevice      = "node"
)

// UserID makes the id of an account. Accounts are told apart without regard to case.
func UserID(domain, name string) ID { return ID(KindUser + "/" + domain + "/" + strings.ToLower(name)) }

// DeviceID makes the id of a device.
func DeviceID(key nodeid.NodeKey) ID { return ID(key.String()) }

// DeviceGroupID makes the id of a device group.
func DeviceGroupID(key nodeid.MeshKey) ID { return ID(key.String()) }

// MakeID puts an id together.
func MakeID(kind, domain, name string) ID { return ID(kind + "/" + domain + "/" + name) }

// split cuts an id into its three parts; without them, all is name.
func (id ID) split() (kind, domain, name string) {
	kind, rest, ok := strings.Cut(string(id), "/")
	if !ok {
		return "", "", string(id)
	}
	if domain, name, ok = strings.Cut(rest, "/"); !ok {
		return "", "", string(id)
	}
	return kind, domain, name
}

// Kind returns "user", "ugrp", "mesh", "node", or what else stands there; "" for a bare id.
func (id ID) Kind() string { kind, _, _ := id.split(); return kind }

// Domain returns the second part.
func (id ID) Domain() string { _, domain, _ := id.split(); return domain }

// Name returns the last part: the login name in lower case, or 64 characters of an id.
func (id ID) Name() string { _, _, name := id.split(); return name }

// Valid tells whether the id has the form KIND/DOMAIN/NAME with a name.
func (id ID) Valid() bool {
	kind, _, name := id.split()
	return kind != "" && name != "" && !strings.Contains(name, "/")
}

// In completes a bare id with a kind and a domain; a whole id stays as it is.
func (id ID) In(kind, domain string) ID {
	if strings.Contains(string(id), "/") {
		return id
	}
	return MakeID(kind, domain, string(id))
}

// DeviceKey parses the id of a device.
func (id ID) DeviceKey() (nodeid.NodeKey, error) { return nodeid.ParseNodeKey(string(id)) }

// DeviceGroupKey parses the id of a device group.
func (id ID) DeviceGroupKey() (nodeid.MeshKey, error) { return nodeid.ParseMeshKey(string(id)) }

// String returns the id.
func (id ID) String() string { return string(id) }
