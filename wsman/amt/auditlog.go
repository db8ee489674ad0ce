package amt

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// AuditInitiator is the kind of who did what the audit log holds.
type AuditInitiator uint8

// The kinds of initiators.
const (
	InitiatorDigest   AuditInitiator = 0 // a user with a password
	InitiatorKerberos AuditInitiator = 1 // a user of a domain
	InitiatorLocal    AuditInitiator = 2 // the machine itself
	InitiatorKVM      AuditInitiator = 3 // whoever knows the password of the standard VNC port
)

// String returns the name of a kind of initiator.
func (i AuditInitiator) String() string {
	switch i {
	case InitiatorDigest:
		return "digest"
	case InitiatorKerberos:
		return "kerberos"
	case InitiatorLocal:
		return "local"
	case InitiatorKVM:
		return "kvm"
	}
	return fmt.Sprintf("AuditInitiator(%d)", uint8(i))
}

// AuditLocation is the form of the address from which it was done.
type AuditLocation uint8

// The forms of addresses.
const (
	LocationIPv4 AuditLocation = 0
	LocationIPv6 AuditLocation = 1
	LocationNone AuditLocation = 2
)

// AuditRecord is one entry of the audit log, as AMT_AuditLog.ReadRecords returns them in EventRecords. Integers are
// big-endian:
//
//	uint16 application | uint16 event | uint8 kind of initiator |
//	  of a user with a password: uint8 length, name | of a user of a domain: uint32 number within the domain, uint8 length, SID |
//	uint32 seconds since 1970 | uint8 form of address | uint8 length, address | uint8 length, further data
//
// Confirmed in amt.js of MeshCentral (AMT_AuditLog), and with records of firmware.
type AuditRecord struct {
	App         AuditApp
	Event       uint16
	Initiator   AuditInitiator
	User        string // of InitiatorDigest
	UserRID     uint32 // of InitiatorKerberos: the user's number within the domain
	UserSID     []byte // of InitiatorKerberos: the domain's binary SID
	Time        time.Time
	Location    AuditLocation
	NetAddress  string
	ExtendedRaw []byte // depends on the event, see Text
}

// ParseAuditRecord reads one record. What follows the further data is refused.
func ParseAuditRecord(b []byte) (AuditRecord, error) {
	r := auditReader{b: b}
	rec := AuditRecord{App: AuditApp(r.uint16()), Event: r.uint16(), Initiator: AuditInitiator(r.uint8())}
	switch rec.Initiator {
	case InitiatorDigest:
		rec.User = string(r.counted())
	case InitiatorKerberos:
		rec.UserRID = r.uint32()
		rec.UserSID = append([]byte(nil), r.counted()...)
	case InitiatorLocal, InitiatorKVM:
	default:
		return AuditRecord{}, fmt.Errorf("%w: an audit record by %v", ErrRecord, rec.Initiator)
	}
	if at := r.uint32(); at != 0 {
		rec.Time = time.Unix(int64(at), 0).UTC()
	}
	rec.Location = AuditLocation(r.uint8())
	rec.NetAddress = string(r.counted())
	rec.ExtendedRaw = append([]byte(nil), r.counted()...)
	if r.short || len(r.b) > 0 {
		return AuditRecord{}, fmt.Errorf("%w: an audit record of %d bytes, of which %d are too many", ErrRecord, len(b), len(r.b))
	}
	return rec, nil
}

// auditReader reads a record's parts; once one is missing all are.
type auditReader struct {
	b     []byte
	short bool
}

func (r *auditReader) take(n int) []byte {
	if r.short || len(r.b) < n {
		r.short, r.b = true, nil
		return make([]byte, min(n, 4))
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *auditReader) uint8() uint8   { return r.take(1)[0] }
func (r *auditReader) uint16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *auditReader) uint32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }

func (r *auditReader) counted() []byte {
	n := int(r.uint8())
	if r.short || len(r.b) < n {
		r.short, r.b = true, nil
		return nil
	}
	return r.take(n)
}

// Append appends the record's bytes, or reports what does not fit. On an error b is returned as it was.
func (a *AuditRecord) Append(b []byte) ([]byte, error) {
	if len(a.User) > 255 || len(a.UserSID) > 255 || len(a.NetAddress) > 255 || len(a.ExtendedRaw) > 255 {
		return b, fmt.Errorf("%w: a part of the audit record is longer than 255 bytes", ErrRecord)
	}
	whole := b
	b = binary.BigEndian.AppendUint16(b, uint16(a.App))
	b = binary.BigEndian.AppendUint16(b, a.Event)
	b = append(b, byte(a.Initiator))
	switch a.Initiator {
	case InitiatorDigest:
		b = append(append(b, byte(len(a.User))), a.User...)
	case InitiatorKerberos:
		b = binary.BigEndian.AppendUint32(b, a.UserRID)
		b = append(append(b, byte(len(a.UserSID))), a.UserSID...)
	case InitiatorLocal, InitiatorKVM:
	default:
		return whole, fmt.Errorf("%w: an audit record by %v", ErrRecord, a.Initiator)
	}
	b = binary.BigEndian.AppendUint32(b, logTime(a.Time))
	b = append(append(b, byte(a.Location), byte(len(a.NetAddress))), a.NetAddress...)
	return append(append(b, byte(len(a.ExtendedRaw))), a.ExtendedRaw...), nil
}

// AuditApp is the part of the firmware that an audited event belongs to.
type AuditApp uint16

// The parts of the firmware.
const (
	AuditSecurityAdmin  AuditApp = 16
	AuditRemoteControl  AuditApp = 17
	AuditRedirection    AuditApp = 18
	AuditFirmwareUpdate AuditApp = 19
	AuditLogItself      AuditApp = 20
	AuditNetworkTime    AuditApp = 21
	AuditNetworkAdmin   AuditApp = 22
	AuditStorage        AuditApp = 23
	AuditEventManager   AuditApp = 24
	AuditSystemDefense  AuditApp = 25
	AuditAgentPresence  AuditApp = 26
	AuditWireless       AuditApp = 27
	AuditEndpointAccess AuditApp = 28
	AuditKVM            AuditApp = 29
	AuditOptIn          AuditApp = 30
	AuditScreenBlanking AuditApp = 32
	AuditWatchdog       AuditApp = 33
)

// auditApps has the names of the parts and what their events are, by number.
var auditApps = map[AuditApp]struct {
	name   string
	events []string
}{
	AuditSecurityAdmin: {"security administration", []string{
		"provisioning started", "provisioning completed", "user added", "user modified", "user removed",
		"login with invalid credentials", "user enabled or disabled", "TLS state changed", "TLS server certificate set",
		"TLS server certificate removed", "trusted root certificate added", "trusted root certificate removed",
		"TLS pre-shared key set", "Kerberos settings modified", "Kerberos key or passphrase modified",
		"flash wear-out counters reset", "power package modified", "realm authentication mode set",
		"client control mode upgraded to admin", "unprovisioning started"}},
	AuditRemoteControl: {"remote control", []string{
		"powered up", "powered down", "power cycled", "reset", "boot options set", "powered down gracefully", "reset gracefully",
		"put into standby", "put into hibernation", "interrupted (NMI)"}},
	AuditRedirection: {"redirection", []string{
		"IDE redirection session opened", "IDE redirection session closed", "IDE redirection enabled", "IDE redirection disabled",
		"serial-over-LAN session opened", "serial-over-LAN session closed", "serial-over-LAN enabled", "serial-over-LAN disabled",
		"KVM session started", "KVM session ended", "KVM enabled", "KVM disabled", "VNC password failed three times"}},
	AuditFirmwareUpdate: {"firmware update", []string{"firmware updated", "firmware update failed"}},
	AuditLogItself: {"audit log", []string{
		"log cleared", "policy modified", "auditing disabled", "auditing enabled", "log exported", "log recovered"}},
	AuditNetworkTime: {"network time", []string{"time set"}},
	AuditNetworkAdmin: {"network administration", []string{
		"TCP/IP parameters set", "host name set", "domain name set", "VLAN parameters set", "link policy set", "IPv6 parameters set"}},
	AuditStorage: {"storage", []string{
		"global attributes set", "allocation list modified", "partner allocation list modified", "storage written"}},
	AuditEventManager: {"event manager", []string{"alert subscribed", "alert unsubscribed", "event log cleared", "event log frozen"}},
	AuditSystemDefense: {"system defense", []string{
		"filter added", "filter removed", "policy added", "policy removed", "default policy set", "heuristics options set",
		"heuristics state cleared"}},
	AuditAgentPresence: {"agent presence", []string{"watchdog added", "watchdog removed", "watchdog action set"}},
	AuditWireless:      {"wireless", []string{"profile added", "profile removed", "profile updated"}},
	AuditEndpointAccess: {"endpoint access control", []string{
		"posture signer set", "enabled", "disabled", "posture state updated", "options set"}},
	AuditKVM: {"KVM", []string{
		"consent policy enabled", "consent policy disabled", "password changed", "consent given", "consent failed"}},
	AuditOptIn:          {"user consent", []string{"policy changed", "consent code sent", "request for consent blocked"}},
	AuditScreenBlanking: {"screen blanking", nil},
	AuditWatchdog:       {"watchdog", []string{"reset options changed", "action pairing changed"}},
}

// String returns the name of a part of the firmware.
func (a AuditApp) String() string {
	if app, ok := auditApps[a]; ok {
		return app.name
	}
	return fmt.Sprintf("AuditApp(%d)", uint16(a))
}

// Text says in a few words what happened.
func (a *AuditRecord) Text() string {
	var b strings.Builder
	b.WriteString(a.App.String())
	b.WriteString(": ")
	if events := auditApps[a.App].events; int(a.Event) < len(events) {
		b.WriteString(events[a.Event])
	} else {
		fmt.Fprintf(&b, "event %d", a.Event)
	}
	if a.App == AuditFirmwareUpdate && a.Event == 0 && len(a.ExtendedRaw) == 16 {
		v := a.ExtendedRaw
		fmt.Fprintf(&b, " from %s to %s", dotted(v[:8]), dotted(v[8:]))
	}
	return b.String()
}

// dotted is a firmware version: four numbers.
func dotted(b []byte) string {
	n := func(i int) uint16 { return binary.BigEndian.Uint16(b[2*i:]) }
	return fmt.Sprintf("%d.%d.%d.%d", n(0), n(1), n(2), n(3))
}

// By says who did it.
func (a *AuditRecord) By() string {
	switch a.Initiator {
	case InitiatorDigest:
		return a.User
	case InitiatorKerberos:
		return sid(a.UserSID, a.UserRID)
	case InitiatorLocal, InitiatorKVM:
	}
	return a.Initiator.String()
}

// sid is the text of a security identifier with the number of a user of its domain; of one that is none, the bytes.
func sid(b []byte, rid uint32) string {
	if len(b) < 8 || len(b) != 8+4*int(b[1]) {
		return fmt.Sprintf("%x-%d", b, rid)
	}
	var authority uint64
	for _, c := range b[2:8] {
		authority = authority<<8 | uint64(c)
	}
	s := fmt.Sprintf("S-%d-%d", b[0], authority)
	for p := b[8:]; len(p) > 0; p = p[4:] {
		s += fmt.Sprintf("-%d", binary.LittleEndian.Uint32(p))
	}
	return fmt.Sprintf("%s-%d", s, rid)
}
