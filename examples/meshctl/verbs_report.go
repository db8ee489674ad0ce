package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/examples/internal/console"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

var (
	reportTypes = map[string]controlproto.ReportType{ //nolint:gochecknoglobals // constant
		"sessions": controlproto.ReportSessions, "traffic": controlproto.ReportTraffic,
		"logins": controlproto.ReportLogins, "db": controlproto.ReportDatabase,
	}
	reportGroupings = map[string]controlproto.ReportGrouping{ //nolint:gochecknoglobals // constant
		"user": controlproto.ReportByUser, "device": controlproto.ReportByDevice, "day": controlproto.ReportByDay,
	}
)

// reportCommands is the verb that makes reports.
func (a *app) reportCommands() []*cobra.Command {
	var kind, by, group, from, to string
	var traffic bool
	c := a.remote("report", "Make a report of sessions, traffic, logins or the database", func(ctx context.Context, s *session) error {
		query := &controlproto.Report{ShowTraffic: traffic, Language: "en"}
		var ok bool
		if query.Type, ok = reportTypes[kind]; !ok {
			return usageError("--type must be sessions, traffic, logins or db")
		}
		if query.GroupBy, ok = reportGroupings[by]; !ok {
			return usageError("--groupby must be user, device or day")
		}
		var err error
		if query.Start, query.End, err = reportSpan(s.now(), from, to, by); err != nil {
			return err
		}
		if group != "" {
			if query.GroupID, err = s.names.group(ctx, group); err != nil {
				return err
			}
		}
		query.TimeZone, query.TimeOffset = timeZone(s.now(), s.getenv("TZ"))
		data, err := s.client.Report(ctx, query)
		if err != nil {
			return err
		}
		t, err := reportTable(data)
		if err != nil {
			return err
		}
		return s.list(t)
	})
	f := c.Flags()
	f.StringVar(&kind, "type", "", "`KIND` of report: sessions, traffic, logins or db")
	f.StringVar(&by, "groupby", "user", "`WHAT` belongs together: user, device or day")
	f.StringVar(&group, "devicegroup", "", "only this device `GROUP` (sessions)")
	f.StringVar(&from, "start", "", "from this `TIME`, yyyy-mm-ddThh:mm:ss; a day ago, or a week with --groupby day")
	f.StringVar(&to, "end", "", "to this `TIME`; now")
	f.BoolVar(&traffic, "showtraffic", false, "with the traffic of each session")
	complete(c, "type", words("sessions", "traffic", "logins", "db"))
	complete(c, "groupby", words("user", "device", "day"))
	complete(c, "devicegroup", a.completeGroups)
	need(c, "type")
	return []*cobra.Command{c}
}

// timeZone is the zone of this machine as servers take it: a name of the zone data base, and the minutes that it is behind. Go
// does not tell the name of the local zone. If TZ does not either, a zone with the same difference does.
func timeZone(now time.Time, env string) (name string, behind int) {
	_, offset := now.Zone()
	name = now.Location().String()
	if name == "Local" {
		name = strings.TrimPrefix(env, ":")
		if _, err := time.LoadLocation(name); name == "" || name == "Local" || err != nil {
			name = "UTC"
			if hours := offset / 3600; hours != 0 {
				name = fmt.Sprintf("Etc/GMT%+d", -hours) // named by what is to be added to get UTC
			}
		}
	}
	return name, -offset / 60
}

// reportSpan is the time that a report is about.
func reportSpan(now time.Time, from, to, by string) (start, end time.Time, err error) {
	start, end = now.Add(-24*time.Hour), now
	if by == "day" {
		start = now.Add(-7 * 24 * time.Hour)
	}
	if from != "" {
		if start, err = parseTime("start", from); err != nil {
			return start, end, err
		}
	}
	if to != "" {
		if end, err = parseTime("end", to); err != nil {
			return start, end, err
		}
	}
	if !end.After(start) {
		return start, end, usageError("end time must be after start time")
	}
	return start, end, nil
}

// parseTime reads a time of the command line, which without a zone is one of this machine's.
func parseTime(flag, text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usageError("--%s %.40q: want yyyy-mm-ddThh:mm:ss", flag, text)
}

// reportTable puts a report into rows; each begins with the key of its group.
func reportTable(data *controlproto.ReportData) (*table, error) {
	t := &table{columns: []string{"group"}, json: data, none: "Nothing to report"}
	var ids []string
	for _, c := range data.Columns {
		ids = append(ids, c.ID)
		t.columns = append(t.columns, console.Clean(c.ID))
	}
	for _, key := range sortedKeys(data.Groups) {
		for i := range data.Groups[key].Entries {
			raw, err := jsonrec.Append(nil, &data.Groups[key].Entries[i])
			if err != nil {
				return nil, err
			}
			values, err := jsonrec.Peek(raw, ids...)
			if err != nil {
				return nil, err
			}
			row := []string{key}
			for n, c := range data.Columns {
				row = append(row, reportCell(c, values[n]))
			}
			t.add(row...)
		}
	}
	return t, nil
}

func reportCell(c controlproto.ReportColumn, value json.RawMessage) string {
	var ms float64
	if c.Format == "datetime" && json.Unmarshal(value, &ms) == nil {
		return when(time.UnixMilli(int64(ms)))
	}
	if string(value) == "null" {
		return ""
	}
	return plain(value)
}
