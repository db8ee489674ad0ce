package controlserver

import (
	"context"
	"errors"
	"time"
)

// Kind is a kind of records.
type Kind string

// Kinds of records. A record's document is JSON that this package makes and reads; the type is named with each.
const (
	KindAccount     Kind = "user"        // Account
	KindUserGroup   Kind = "ugrp"        // controlproto.UserGroup
	KindDeviceGroup Kind = "mesh"        // controlproto.DeviceGroup
	KindDevice      Kind = "node"        // controlproto.Device; the owner is its device group
	KindLoginToken  Kind = "logintoken"  // LoginToken; the owner is the account
	KindShare       Kind = "share"       // controlproto.Share, with the time that it was "made"; the owner is the device
	KindNotes       Kind = "notes"       // Notes; the id is that of what they are about
	KindSystem      Kind = "sysinfo"     // the report of a device; the owner is the device
	KindNetwork     Kind = "ifinfo"      // the report of a device; the owner is the device
	KindLastConnect Kind = "lastconnect" // controlproto.LastConnect; the owner is the device
	KindPower       Kind = "power"       // PowerLog of a device; the owner is the device
	KindWebState    Kind = "webstate"    // WebState of an account
	KindSetting     Kind = "setting"     // one of the server's own
)

// Record is what a [Store] keeps.
type Record struct {
	Kind  Kind
	ID    string // unique within its kind
	Owner string // the record it belongs to; "" if none
	Rev   uint64 // counts the changes of this record from 1
	Doc   []byte // JSON; not to be changed by anyone
}

// Store keeps records and the log of events. Its transactions see a consistent state; those of Update come one after the
// other, are whole or not at all, and are durable when Update returns.
type Store interface {
	// View runs f, which does not write: that is an error.
	View(ctx context.Context, f func(StoreTx) error) error
	// Update runs f, possibly more than once. When f fails nothing is changed and its error is returned.
	Update(ctx context.Context, f func(StoreTx) error) error
}

// StoreTx is a transaction. It is used by one goroutine, and not after f has returned.
type StoreTx interface {
	// Get returns a record, or ErrNotFound.
	Get(kind Kind, id string) (Record, error)
	// Put writes a record. Rev is the one that was read, and 0 for a new one: another in the store is ErrConflict. The
	// stored one is higher by 1.
	Put(r Record) error
	// Delete removes a record, or returns ErrNotFound.
	Delete(kind Kind, id string) error
	// List returns records of a kind by id.
	List(kind Kind, q Query) ([]Record, error)
	// AppendEvent adds to the log.
	AppendEvent(e LoggedEvent) error
	// Events returns events of the log, newest first.
	Events(q EventQuery) ([]LoggedEvent, error)
	// RemoveEvents removes what the query finds.
	RemoveEvents(q EventQuery) error
}

// Query selects records of a kind.
type Query struct {
	Owner string // only those of this owner, if set
	After string // only ids behind this one
	Limit int    // at most so many, if above 0
}

// LoggedEvent is an event in the log. What is searched for stands beside the document.
type LoggedEvent struct {
	Time    time.Time
	Domain  string
	Action  string
	User    string   // id of who caused it
	Device  string   // id of the device that it is about
	Targets []string // who may see it: ids, "*", "server-users" and so on
	Doc     []byte   // controlproto.Event
}

// EventQuery selects events; empty fields select nothing away.
type EventQuery struct {
	Domain       string // always compared
	Targets      []string
	User         string
	Device       string
	Action       string
	Since, Until time.Time // from Since, before Until
	Limit        int
}

// Errors of a [StoreTx].
var (
	ErrNotFound = errors.New("controlserver: no such record")
	ErrConflict = errors.New("controlserver: the record was changed by somebody else")
)
