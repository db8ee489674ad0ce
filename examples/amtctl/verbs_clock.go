package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// clockReply is what clock prints as JSON.
type clockReply struct {
	Time  string  `json:"time,omitempty"`
	Ahead float64 `json:"aheadSeconds"`
	Set   bool    `json:"set"`
}

// clockCommands is the command about the device's clock.
func (a *app) clockCommands() []*cobra.Command {
	var set bool
	var tolerance time.Duration
	c := a.on("clock", "Show the device's clock, or set it by that of this machine", cobra.NoArgs, func(ctx context.Context, s *session, _ []string) error {
		if !set {
			at, ahead, err := s.dev.Clock(ctx)
			if err != nil {
				return err
			}
			if s.flags.json {
				return s.printJSON(clockReply{rfc3339(at), ahead.Seconds(), false})
			}
			return s.println(when(at) + ", " + offBy(ahead))
		}
		ahead, err := s.dev.SetClock(ctx, tolerance)
		if err != nil {
			return err
		}
		changed := ahead.Abs() > tolerance
		if s.flags.json {
			return s.printJSON(clockReply{"", ahead.Seconds(), changed})
		}
		text := "left as it is, "
		if changed {
			text = "set, was "
		}
		return s.println(text + offBy(ahead))
	})
	c.Flags().BoolVar(&set, "set", false, "set it, if it is off by more than --tolerance")
	c.Flags().DurationVar(&tolerance, "tolerance", 10*time.Second, "`TIME` that it may be off")
	return []*cobra.Command{c}
}

func offBy(ahead time.Duration) string {
	ahead = ahead.Round(time.Second)
	switch {
	case ahead > 0:
		return ahead.String() + " ahead"
	case ahead < 0:
		return (-ahead).String() + " behind"
	}
	return "exact"
}

// shortly writes days, hours and minutes without those that are zero.
func shortly(d time.Duration) string {
	const day = 24 * time.Hour
	text := ""
	if days := d / day; days > 0 {
		text, d = strconv.FormatInt(int64(days), 10)+"d", d%day
	}
	if d > 0 || text == "" {
		rest := d.String()
		if strings.HasSuffix(rest, "m0s") {
			rest = strings.TrimSuffix(rest, "0s")
		}
		if strings.HasSuffix(rest, "h0m") {
			rest = strings.TrimSuffix(rest, "0m")
		}
		text += rest
	}
	return text
}

// alarm is an alarm as JSON has it.
type alarm struct {
	Name  string `json:"name"`
	At    string `json:"at"`
	Every string `json:"every,omitempty"`
}

// alarmCommands are the commands about times at which the host is switched on.
func (a *app) alarmCommands() []*cobra.Command {
	list := a.on("list", "List the times at which the device switches the host on", cobra.NoArgs, func(ctx context.Context, s *session, _ []string) error {
		alarms, err := s.dev.Alarms(ctx)
		if err != nil {
			return err
		}
		t := &table{columns: []string{"name", "at", "every"}, none: "No alarms"}
		all := []alarm{}
		for _, o := range alarms {
			al := alarm{Name: o.ElementName, At: rfc3339(o.StartTime)}
			orElse(&al.Name, o.InstanceID)
			if o.Interval > 0 {
				al.Every = shortly(o.Interval)
			}
			all = append(all, al)
			t.add(al.Name, when(o.StartTime), al.Every)
		}
		return s.list(t, all)
	})
	var at string
	var every time.Duration
	add := a.on("add NAME", "Switch the host on at a time, once or again and again", cobra.ExactArgs(1), func(ctx context.Context, s *session, args []string) error {
		start, err := a.parseTime(at)
		if err != nil {
			return err
		}
		if err := s.dev.AddAlarm(ctx, args[0], start, every); err != nil {
			return err
		}
		return s.done("ok: "+when(start), field{"name", args[0]}, field{"at", rfc3339(start)})
	})
	add.Flags().StringVar(&at, "at", "", "`TIME`, 2006-01-02T15:04:05Z, 2006-01-02T15:04 of this machine's zone, or +2h from now")
	add.Flags().DurationVar(&every, "every", 0, "`TIME` after which it goes off again: days, hours and minutes")
	remove := a.on("remove NAME", "Remove an alarm", cobra.ExactArgs(1), func(ctx context.Context, s *session, args []string) error {
		if err := s.dev.RemoveAlarm(ctx, args[0]); err != nil {
			return err
		}
		return s.done("ok", field{"name", args[0]})
	})
	return []*cobra.Command{group("alarm", "Times at which the device switches the host on", list, need(add, "at"), remove)}
}

func (s *system) parseTime(text string) (time.Time, error) {
	if len(text) > 1 && text[0] == '+' {
		if d, err := time.ParseDuration(text[1:]); err == nil {
			return s.now().Add(d).Truncate(time.Second), nil
		}
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usageError("--at: %s is no time", strconv.Quote(text))
}
