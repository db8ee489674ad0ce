package amt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// EventRecordSize is the size of a record of the event log.
const EventRecordSize = 21

// ErrRecord is a record of a log that is not one.
var ErrRecord = errors.New("amt: malformed log record")

// EventSeverity says how bad an event is.
type EventSeverity uint8

// The severities of the platform event traps that the event log keeps.
const (
	SeverityUnspecified    EventSeverity = 0
	SeverityMonitor        EventSeverity = 1
	SeverityInformation    EventSeverity = 2
	SeverityOK             EventSeverity = 4
	SeverityNonCritical    EventSeverity = 8
	SeverityCritical       EventSeverity = 16
	SeverityNonRecoverable EventSeverity = 32
)

// String returns the name of a severity.
func (s EventSeverity) String() string {
	switch s {
	case SeverityUnspecified:
		return "unspecified"
	case SeverityMonitor:
		return "monitor"
	case SeverityInformation:
		return "information"
	case SeverityOK:
		return "ok"
	case SeverityNonCritical:
		return "non-critical"
	case SeverityCritical:
		return "critical"
	case SeverityNonRecoverable:
		return "non-recoverable"
	}
	return fmt.Sprintf("EventSeverity(%d)", uint8(s))
}

// EventRecord is one entry of the event log, as AMT_MessageLog.GetRecords returns them in RecordArray:
//
//	0 uint32, little-endian, seconds since 1970 | 4 device address | 5 sensor type | 6 event type | 7 event offset |
//	8 source type | 9 severity | 10 sensor number | 11 entity | 12 entity instance | 13 eight bytes of data
//
// A record whose time is 0 or 0xFFFFFFFF was never written. Confirmed in amt.js of MeshCentral (AMT_MessageLog).
type EventRecord struct {
	Time           time.Time // in UTC; zero if never written
	DeviceAddress  uint8
	SensorType     SensorType
	EventType      uint8 // 0x6F: specific to the sensor, and with it the offset
	EventOffset    uint8
	SourceType     uint8 // 0x68: the firmware of the chipset
	Severity       EventSeverity
	SensorNumber   uint8
	Entity         uint8
	EntityInstance uint8
	Data           [8]byte
}

// ParseEventRecord reads one record.
func ParseEventRecord(b []byte) (EventRecord, error) {
	if len(b) != EventRecordSize {
		return EventRecord{}, fmt.Errorf("%w: an event of %d bytes, want %d", ErrRecord, len(b), EventRecordSize)
	}
	e := EventRecord{
		DeviceAddress: b[4], SensorType: SensorType(b[5]), EventType: b[6], EventOffset: b[7], SourceType: b[8],
		Severity: EventSeverity(b[9]), SensorNumber: b[10], Entity: b[11], EntityInstance: b[12], Data: [8]byte(b[13:21]),
	}
	if at := binary.LittleEndian.Uint32(b); at != 0 && at != 0xFFFFFFFF {
		e.Time = time.Unix(int64(at), 0).UTC()
	}
	return e, nil
}

// Append appends the record's bytes. The time has whole seconds; one that does not fit is written as never written.
func (e *EventRecord) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, logTime(e.Time))
	b = append(b, e.DeviceAddress, byte(e.SensorType), e.EventType, e.EventOffset, e.SourceType, byte(e.Severity),
		e.SensorNumber, e.Entity, e.EntityInstance)
	return append(b, e.Data[:]...)
}

// logTime is a time in a log: seconds since 1970, 0 for none.
func logTime(t time.Time) uint32 {
	if s := t.Unix(); !t.IsZero() && s > 0 && s < 0xFFFFFFFF {
		return uint32(s)
	}
	return 0
}

// Written reports whether the record holds an event.
func (e *EventRecord) Written() bool { return !e.Time.IsZero() }

// SensorType is what an event is about.
type SensorType uint8

// The sensor types whose events [EventRecord.Text] puts into words.
const (
	SensorIntrusion      SensorType = 5   // of the case
	SensorAuthentication SensorType = 6   // failed logins
	SensorFirmware       SensorType = 15  // the BIOS's errors and progress
	SensorWatchdog       SensorType = 18  // of an agent
	SensorNoBootMedia    SensorType = 30  // nothing to boot from
	SensorOSLockup       SensorType = 32  // the system does not answer
	SensorBootFailure    SensorType = 35  // the system did not boot
	SensorFilter         SensorType = 36  // a filter matched
	SensorStarted        SensorType = 37  // the management firmware has started
	SensorSession        SensorType = 192 // redirection sessions, security policy
	SensorUserRequest    SensorType = 193 // the user asks for help
)

var firmwareErrors = map[uint8]string{
	0: "unspecified", 1: "no memory is installed", 2: "no usable memory is installed", 3: "unrecoverable hard disk failure",
	4: "unrecoverable system board failure", 5: "unrecoverable diskette failure", 6: "unrecoverable hard disk controller failure",
	7: "unrecoverable keyboard failure", 8: "removable boot media not found", 9: "unrecoverable video controller failure",
	10: "no video device detected", 11: "firmware corruption detected", 12: "processor voltage mismatch",
	13: "processor speed matching failure",
}

var firmwareProgress = map[uint8]string{
	0: "unspecified", 1: "memory initialisation", 2: "hard disk initialisation and test", 3: "secondary processors' initialisation",
	4: "user authentication", 5: "setup entered by the user", 6: "USB resources' configuration", 7: "PCI resources' configuration",
	8: "option ROM initialisation", 9: "video initialisation", 10: "cache initialisation", 11: "system management bus initialisation",
	12: "keyboard controller initialisation", 13: "management controller initialisation", 14: "docking station attached",
	15: "docking station enabled", 16: "docking station ejected", 17: "docking station disabled", 18: "operating system wakes up",
	19: "operating system starts", 20: "board initialisation", 22: "floppy disk initialisation", 23: "keyboard test",
	24: "pointing device test", 25: "primary processor initialisation",
}

// How the data of an event that the firmware of the chipset made begins.
const (
	dataOEM     = 0xAA
	dataSession = 0x30
	dataErase   = 0x40
	dataInvalid = 0xEB
)

// Text says in a few words what happened, and is empty for what is not known here.
func (e *EventRecord) Text() string {
	d := e.Data
	switch e.SensorType {
	case SensorIntrusion:
		if e.EventOffset == 0 {
			return "the case was opened"
		}
	case SensorAuthentication:
		return fmt.Sprintf("authentication failed %d times", uint16(d[1])|uint16(d[2])<<8)
	case SensorFirmware:
		return e.firmwareText()
	case SensorWatchdog:
		return "a watchdog of an agent changed its state"
	case SensorNoBootMedia:
		return "there is no medium to boot from"
	case SensorOSLockup:
		return "the operating system does not answer, or was interrupted"
	case SensorBootFailure:
		if d[0] == 64 {
			return "the watchdog of the power-on self test expired"
		}
		return "the operating system could not be started"
	case SensorFilter:
		return "a filter of the network matched"
	case SensorStarted:
		return "the management firmware started"
	case SensorSession:
		return e.sessionText()
	case SensorUserRequest:
		if d[0] == dataOEM && d[1] == dataSession {
			return "the user asked for a remote connection"
		}
	}
	return ""
}

func (e *EventRecord) firmwareText() string {
	d := e.Data
	switch {
	case d[0] == dataInvalid:
		return "invalid data"
	case d[0] == dataOEM && d[1] == dataSession:
		return "one-click recovery"
	case d[0] == dataOEM && d[1] == dataErase:
		return "remote platform erase"
	case e.EventOffset == 0:
		if text := firmwareErrors[d[1]]; text != "" {
			return "BIOS error: " + text
		}
		return fmt.Sprintf("BIOS error %d", d[1])
	case e.EventOffset == 3:
		return fmt.Sprintf("BIOS error of the maker's own: %d", d[1])
	case e.EventOffset == 5:
		return fmt.Sprintf("BIOS progress of the maker's own: %d", d[1])
	}
	if text := firmwareProgress[d[1]]; text != "" {
		return "BIOS progress: " + text
	}
	return fmt.Sprintf("BIOS progress %d", d[1])
}

func (e *EventRecord) sessionText() string {
	d := e.Data
	if d[0] != dataOEM || d[1] != dataSession {
		return "the security policy was invoked"
	}
	if d[2] == 0 {
		if text, ok := [...]string{"a serial-over-LAN session was opened", "a serial-over-LAN session was closed",
			"an IDE redirection session was opened", "an IDE redirection session was closed"}, int(d[3]) < 4; ok {
			return text[d[3]]
		}
	}
	return fmt.Sprintf("a redirection session changed (%d, %d)", d[2], d[3])
}
