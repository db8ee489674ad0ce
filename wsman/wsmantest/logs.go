package wsmantest

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/meshcentral-go/sdk/wsman"
)

// Record is an entry of the event log (AMT_MessageLog), 21 bytes with a little-endian time.
type Record struct {
	Time           time.Time // zero: now
	DeviceAddress  byte
	SensorType     byte // 6 authentication failures, 15 BIOS, 30 no bootable media, 192 redirection sessions, ...
	EventType      byte
	Offset         byte
	SourceType     byte
	Severity       byte // 1 monitor, 2 information, 4 OK, 8 non-critical, 16 critical, 32 non-recoverable
	SensorNumber   byte
	Entity         byte
	EntityInstance byte
	Data           [8]byte
}

// bytes is the binary form.
func (r Record) bytes() []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(r.Time.Unix()))
	b = append(b, r.DeviceAddress, r.SensorType, r.EventType, r.Offset, r.SourceType, r.Severity, r.SensorNumber, r.Entity, r.EntityInstance)
	return append(b, r.Data[:]...)
}

// eventLog holds the newest records, newest first, as the firmware lists them.
type eventLog struct {
	records []Record
	frozen  bool
}

const (
	eventMost = 390
	auditMost = 1000
	auditPage = 10
)

// AddRecord writes an entry to the event log.
func (d *Device) AddRecord(r Record) {
	d.mu.Lock()
	defer d.unlock()
	d.logEvent(r)
}

func (d *Device) logEvent(r Record) {
	if a, known := alertOfRecord(r); known {
		d.alert(a)
	}
	l := &d.state.events
	if l.frozen {
		return
	}
	if r.Time.IsZero() {
		r.Time = d.clock()
	}
	l.records = slices.Insert(l.records, 0, r)
	l.records = l.records[:min(len(l.records), eventMost)]
	d.only("AMT_MessageLog").set("CurrentNumberOfRecords", len(l.records))
	d.emit(EventLog, "event: sensor type %d, offset %d", r.SensorType, r.Offset)
}

// Records returns the event log, newest first.
func (d *Device) Records() []Record {
	d.mu.Lock()
	defer d.unlock()
	return slices.Clone(d.state.events.records)
}

// AuditRecord is an entry of the audit log (AMT_AuditLog), in big-endian form.
type AuditRecord struct {
	App, Event int
	User       string // the digest user; "" is a local one
	Time       time.Time
	Address    string // where the user was, "" if that is not known
	Data       []byte
}

// Applications of audit records.
const (
	auditSecurityAdmin = 16
	auditRemoteControl = 17
	auditRedirection   = 18
	auditNetworkTime   = 21
	auditKVM           = 29
	auditOptIn         = 30
)

func (r AuditRecord) bytes() []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(r.App))
	b = binary.BigEndian.AppendUint16(b, uint16(r.Event))
	if r.User == "" {
		b = append(b, 2)
	} else {
		b = appendShort(append(b, 0), []byte(r.User))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(r.Time.Unix()))
	location := byte(2)
	if a, err := netip.ParseAddr(r.Address); err == nil {
		location = 0
		if a.Is6() {
			location = 1
		}
	}
	b = appendShort(append(b, location), []byte(r.Address))
	return appendShort(b, r.Data)
}

// appendShort appends bytes with their number before them, 255 at most.
func appendShort(b, text []byte) []byte {
	text = text[:min(len(text), 255)]
	return append(append(b, byte(len(text))), text...)
}

// auditLog holds records oldest first.
type auditLog struct{ records []AuditRecord }

// AddAudit writes an entry to the audit log.
func (d *Device) AddAudit(r AuditRecord) {
	d.mu.Lock()
	defer d.unlock()
	d.addAudit(r)
}

func (d *Device) addAudit(r AuditRecord) {
	if r.Time.IsZero() {
		r.Time = d.clock()
	}
	l := &d.state.audit
	l.records = append(l.records, r)
	if len(l.records) > auditMost {
		l.records = slices.Delete(l.records, 0, len(l.records)-auditMost)
	}
	d.only("AMT_AuditLog").set("CurrentNumberOfRecords", len(l.records))
}

// audit notes that a user did something.
func (d *Device) audit(app, event int, data []byte, req *request) {
	r := AuditRecord{App: app, Event: event, Data: data}
	if req != nil && req.user != nil {
		r.User = req.user.name
		if req.conn != nil && req.conn.conn != nil {
			if a, err := netip.ParseAddrPort(req.conn.conn.RemoteAddr().String()); err == nil {
				r.Address = a.Addr().String()
			}
		}
	}
	d.addAudit(r)
}

// AuditRecords returns the audit log, oldest first.
func (d *Device) AuditRecords() []AuditRecord {
	d.mu.Lock()
	defer d.unlock()
	return slices.Clone(d.state.audit.records)
}

func (d *Device) buildLogs() {
	log := newObject("AMT_MessageLog",
		"Capabilities", []int{4, 5, 7, 8}, "CharacterSet", 10, "CreationClassName", "AMT_MessageLog", "CurrentNumberOfRecords", 0,
		"ElementName", "Intel(r) AMT:MessageLog 1", "EnabledDefault", 2, "EnabledState", 2, "HealthState", 5, "IsFrozen", false,
		"LogState", 4, "MaxLogSize", 0, "MaxNumberOfRecords", eventMost, "MaxRecordSize", 21, "Name", "Intel(r) AMT:MessageLog 1",
		"OperationalStatus", 2, "OverwritePolicy", 2, "PercentageNearFull", 100, "RequestedState", 12, "SizeOfHeader", 0,
		"SizeOfRecordHeader", 0, "Status", "OK")
	d.define(&class{name: log.class, keys: []string{"CreationClassName", "Name"}, realms: []int{RealmEventManager, RealmEventLogReader}, methods: map[string]method{
		"PositionToFirstRecord": func(c *call) (int, *fault) {
			c.set("IterationIdentifier", 1)
			return d.emptyLog(), nil
		},
		"GetRecords":         d.getRecords,
		"GetRecord":          d.getRecord,
		"PositionAtRecord":   d.positionAtRecord,
		"CancelIteration":    func(*call) (int, *fault) { return ok, nil },
		"RequestStateChange": d.requestStateChange(EventLog, 2, 3),
		"ClearLog": func(*call) (int, *fault) {
			d.state.events.records = nil
			log.set("CurrentNumberOfRecords", 0)
			d.alert(wsman.Alert{MessageID: alertLogCleared})
			d.emit(EventLog, "the event log was cleared")
			return ok, nil
		},
		"FreezeLog": func(c *call) (int, *fault) {
			d.state.events.frozen = c.flag("Freeze")
			log.set("IsFrozen", d.state.events.frozen)
			return ok, nil
		},
	}}, log)
	audit := newObject("AMT_AuditLog",
		"AuditState", 1, "CurrentNumberOfRecords", 0, "ElementName", "Intel(r) AMT:Audit Log",
		"EnabledDefault", 2, "EnabledState", 2, "MaxAllowedAuditors", 0,
		"MaxNumberOfRecords", auditMost, "MinDaysToKeep", 0, "Name", "Intel(r) AMT:Audit Log", "OverwritePolicy", 2,
		"PercentageFree", 100, "RequestedState", 12, "StoragePolicy", 0, "TimeOfLastRecord", d.clock())
	d.define(&class{name: audit.class, keys: []string{"Name"}, realms: []int{RealmAuditLog}, methods: map[string]method{
		"ReadRecords":        d.readAudit,
		"RequestStateChange": d.requestStateChange(EventLog, 2, 3),
		"ClearLog": func(c *call) (int, *fault) {
			d.state.audit.records = nil
			audit.set("CurrentNumberOfRecords", 0)
			d.audit(20, 0, nil, c.req)
			d.emit(EventLog, "the audit log was cleared")
			return ok, nil
		},
		"SetAuditLock": func(c *call) (int, *fault) {
			c.set("Handle", 1)
			return ok, nil
		},
	}}, audit)
	d.define(&class{name: "CIM_RecordLog", of: []string{"AMT_MessageLog"}})
	entry := func() (out []*object) {
		for i, r := range d.state.events.records {
			out = append(out, newObject("AMT_EventLogEntry", "CreationTimeStamp", r.Time, "ElementName", "Intel(r) AMT Event Log Entry",
				"InstanceID", "Intel(r) AMT:EventLogEntry "+strconv.Itoa(i+1), "LogInstanceID", "Intel(r) AMT:MessageLog 1",
				"LogName", "Intel(r) AMT:MessageLog 1", "RecordData", r.bytes(), "RecordID", strconv.Itoa(i+1)))
		}
		return out
	}
	d.define(&class{name: "AMT_EventLogEntry", keys: []string{"InstanceID"}, list: entry, realms: []int{RealmEventManager, RealmEventLogReader}})
}

// emptyLog is the ReturnValue of calls that look for a first record: 2 means that there is none.
func (d *Device) emptyLog() int {
	if len(d.state.events.records) == 0 {
		return 2
	}
	return ok
}

// getRecords is AMT_MessageLog.GetRecords: records from the iteration identifier on, which counts from 1.
func (d *Device) getRecords(c *call) (int, *fault) {
	records := d.state.events.records
	at, okAt := c.num("IterationIdentifier")
	most, okMost := c.num("MaxReadRecords")
	if !okAt || !okMost || at < 1 || most < 1 {
		return cimInvalidParameter, nil
	}
	if at > len(records) {
		c.set("IterationIdentifier", at)
		c.set("NoMoreRecords", true)
		return ok, nil
	}
	end := min(at-1+min(most, eventMost), len(records))
	c.set("IterationIdentifier", end+1)
	c.set("NoMoreRecords", end == len(records))
	for _, r := range records[at-1 : end] {
		c.set("RecordArray", r.bytes())
	}
	return ok, nil
}

func (d *Device) getRecord(c *call) (int, *fault) {
	at, given := c.num("IterationIdentifier")
	if !given || at < 1 || at > len(d.state.events.records) {
		return cimInvalidParameter, nil
	}
	next := at
	if c.flag("PositionToNext") {
		next++
	}
	c.set("IterationIdentifier", next)
	c.set("NoMoreRecords", next > len(d.state.events.records))
	c.set("RecordData", d.state.events.records[at-1].bytes())
	return ok, nil
}

func (d *Device) positionAtRecord(c *call) (int, *fault) {
	at, _ := c.num("IterationIdentifier")
	n, given := c.num("RecordNumber")
	if !c.flag("MoveAbsolute") {
		n += at
	}
	if !given || n < 1 || n > len(d.state.events.records) {
		return cimInvalidParameter, nil
	}
	c.set("IterationIdentifier", n)
	c.set("RecordNumber", n)
	return ok, nil
}

// readAudit is AMT_AuditLog.ReadRecords: up to ten records from an index, which counts from 1.
func (d *Device) readAudit(c *call) (int, *fault) {
	records := d.state.audit.records
	start, given := c.num("StartIndex")
	if !given || start < 1 || start > len(records) && len(records) > 0 {
		return statusInvalidParameter, nil
	}
	c.set("TotalRecordCount", len(records))
	page := records[min(start-1, len(records)):]
	page = page[:min(auditPage, len(page))]
	c.set("RecordsReturned", len(page))
	for _, r := range page {
		c.set("EventRecords", r.bytes())
	}
	return ok, nil
}
