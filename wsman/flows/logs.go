package flows

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
)

// Bounds of what a log may have: firmware keeps some hundred events and some thousand audited ones.
const (
	eventPage   = 390 // what one answer can hold
	maxEvents   = 100_000
	maxLogPages = 10_000
)

// EventLog reads the hardware's events, in the order of the device: the newest first. Records that were never written are left out,
// one that is malformed ends the reading with its error.
//
// Steps: PositionToFirstRecord; GetRecords until there are no more.
func (d *Device) EventLog(ctx context.Context) iter.Seq2[amt.EventRecord, error] {
	return func(yield func(amt.EventRecord, error) bool) {
		f := d.begin("event log")
		var at string
		err := f.do("begin", func() error {
			out, err := (&amt.MessageLogPositionToFirstRecord{}).Invoke(ctx, f.Client)
			if err == nil {
				at = out.IterationIdentifier
			}
			return err
		})
		if returned(err, emptyLog) {
			return
		}
		for more, read := true, 0; more && err == nil; {
			var page *amt.MessageLogGetRecordsOutput
			err = f.do("read a page", func() (err error) {
				page, err = (&amt.MessageLogGetRecords{IterationIdentifier: at, MaxReadRecords: eventPage}).Invoke(ctx, f.Client)
				return err
			})
			if returned(err, noMoreRecords) {
				return
			}
			if err != nil {
				break
			}
			for _, b := range page.RecordArray {
				e, err := amt.ParseEventRecord(b)
				if err != nil {
					yield(e, &StepError{Step{f.name, "decode a record"}, err})
					return
				}
				if e.Written() && !yield(e, nil) {
					return
				}
			}
			read += len(page.RecordArray)
			more, at = !page.NoMoreRecords && len(page.RecordArray) > 0, page.IterationIdentifier
			if read > maxEvents {
				err = &StepError{Step{f.name, "read a page"}, fmt.Errorf("%w: more than %d records", wsman.ErrMalformed, maxEvents)}
			}
		}
		if err != nil {
			yield(amt.EventRecord{}, err)
		}
	}
}

// What methods of AMT_MessageLog return where there is no record: PositionToFirstRecord, GetRecords.
const (
	emptyLog      = 2
	noMoreRecords = 3
)

// returned reports whether a method was called and returned a value.
func returned(err error, value uint32) bool {
	var failed *wsman.ReturnValueError
	return errors.As(err, &failed) && failed.Value == value
}

// ClearEventLog removes all events.
func (d *Device) ClearEventLog(ctx context.Context) error {
	return d.begin("event log").do("clear it", func() error {
		_, err := (&amt.MessageLogClearLog{}).Invoke(ctx, d.Client)
		return err
	})
}

// AuditLog reads what was done with the device and by whom, the oldest first. The log may grow meanwhile; what is added is read too.
// Reading can begin at any record; the first has number 1.
//
// Steps: ReadRecords, from the number that follows those that were read, until there are no more.
func (d *Device) AuditLog(ctx context.Context, first uint32) iter.Seq2[amt.AuditRecord, error] {
	return func(yield func(amt.AuditRecord, error) bool) {
		f := d.begin("audit log")
		at := max(first, 1)
		for range maxLogPages {
			var page *amt.AuditLogReadRecordsOutput
			err := f.do("read a page", func() (err error) {
				page, err = (&amt.AuditLogReadRecords{StartIndex: at}).Invoke(ctx, f.Client)
				return err
			})
			if err != nil {
				yield(amt.AuditRecord{}, err)
				return
			}
			for _, b := range page.EventRecords {
				a, err := amt.ParseAuditRecord(b)
				if err != nil {
					yield(a, &StepError{Step{f.name, "decode a record"}, err})
					return
				}
				if !yield(a, nil) {
					return
				}
			}
			at += uint32(len(page.EventRecords))
			if len(page.EventRecords) == 0 || at > page.TotalRecordCount {
				return
			}
		}
		yield(amt.AuditRecord{}, &StepError{Step{f.name, "read a page"}, fmt.Errorf("%w: more than %d pages", wsman.ErrMalformed, maxLogPages)})
	}
}
