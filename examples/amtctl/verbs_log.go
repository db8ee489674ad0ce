package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/wsman/amt"
)

// logEntry is an event as JSON has it.
type logEntry struct {
	Time     string `json:"time"`
	Severity string `json:"severity"`
	Sensor   string `json:"sensor"`
	Entity   uint8  `json:"entity"`
	Text     string `json:"text,omitempty"`
	Data     string `json:"data"` // hexadecimal
}

// auditEntry is a record of the audit log as JSON has it.
type auditEntry struct {
	Time  string `json:"time"`
	App   string `json:"app"`
	Event uint16 `json:"event"`
	Text  string `json:"text,omitempty"`
	By    string `json:"by"`
	From  string `json:"from,omitempty"`
	Data  string `json:"data,omitempty"` // hexadecimal
}

// sensorText says what a sensor watches.
func sensorText(t amt.SensorType) string {
	switch t {
	case amt.SensorIntrusion:
		return "case"
	case amt.SensorAuthentication:
		return "logins"
	case amt.SensorFirmware:
		return "BIOS"
	case amt.SensorWatchdog:
		return "watchdog"
	case amt.SensorNoBootMedia, amt.SensorBootFailure:
		return "boot"
	case amt.SensorOSLockup:
		return "operating system"
	case amt.SensorFilter:
		return "network filter"
	case amt.SensorStarted:
		return "management firmware"
	case amt.SensorSession:
		return "remote sessions"
	case amt.SensorUserRequest:
		return "user"
	default:
		return "sensor " + strconv.Itoa(int(t))
	}
}

// logCommands are the commands that read logs.
func (a *app) logCommands() []*cobra.Command {
	var audit, clearLog bool
	var limit int
	var first uint32
	c := a.on("log", "Show the event log, or the audit log", cobra.NoArgs, func(ctx context.Context, s *session, _ []string) error {
		switch {
		case limit < 0:
			return usageError("--limit cannot be below zero")
		case clearLog && (audit || limit > 0):
			return usageError("--clear clears the event log, and goes with nothing else")
		case first > 1 && !audit:
			return usageError("--first goes with --audit")
		case clearLog:
			if err := s.dev.ClearEventLog(ctx); err != nil {
				return err
			}
			return s.done("the event log is empty")
		case audit:
			return s.auditLog(ctx, first, limit)
		}
		return s.eventLog(ctx, limit)
	})
	c.Long = c.Short + ".\n\nThe event log is what the hardware and the BIOS reported, the newest first. The audit log is what was done with AMT\nand by whom, the oldest first."
	c.Flags().BoolVar(&audit, "audit", false, "show the audit log")
	c.Flags().Uint32Var(&first, "first", 1, "`NUMBER` of the first record of the audit log to show")
	c.Flags().IntVar(&limit, "limit", 0, "at most so `MANY` records")
	c.Flags().BoolVar(&clearLog, "clear", false, "remove all events")
	return []*cobra.Command{c}
}

func (s *session) eventLog(ctx context.Context, limit int) error {
	t := &table{columns: []string{"time", "severity", "sensor", "what"}, none: "No events"}
	entries := []logEntry{}
	for e, err := range s.dev.EventLog(ctx) {
		if err != nil {
			return err
		}
		text := e.Text()
		entries = append(entries, logEntry{
			rfc3339(e.Time), e.Severity.String(), sensorText(e.SensorType), e.Entity, text, fmt.Sprintf("%x", e.Data),
		})
		if text == "" {
			text = fmt.Sprintf("event %#02x/%d, data %x", e.EventType, e.EventOffset, e.Data)
		}
		t.add(when(e.Time), e.Severity.String(), sensorText(e.SensorType), text)
		if len(entries) == limit {
			break
		}
	}
	return s.list(t, entries)
}

func (s *session) auditLog(ctx context.Context, first uint32, limit int) error {
	t := &table{columns: []string{"time", "what", "by", "from"}, none: "No records"}
	entries := []auditEntry{}
	for r, err := range s.dev.AuditLog(ctx, first) {
		if err != nil {
			return err
		}
		entries = append(entries, newAuditEntry(&r))
		t.add(when(r.Time), r.Text(), r.By(), r.NetAddress)
		if len(entries) == limit {
			break
		}
	}
	return s.list(t, entries)
}

func newAuditEntry(r *amt.AuditRecord) auditEntry {
	return auditEntry{rfc3339(r.Time), r.App.String(), r.Event, r.Text(), r.By(), r.NetAddress, fmt.Sprintf("%x", r.ExtendedRaw)}
}
