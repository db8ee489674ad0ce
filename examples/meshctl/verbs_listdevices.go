package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/examples/internal/console"
)

// listDeviceCommands is the verb that lists devices.
func (a *app) listDeviceCommands() []*cobra.Command {
	var group groupFlags
	var count, details bool
	var filter, ids string
	c := a.remote("listdevices", "List devices", func(ctx context.Context, s *session) error {
		want, err := parseDeviceFilter(filter)
		if err != nil {
			return err
		}
		var query controlproto.DeviceFilter
		if group.id+group.group != "" {
			if query.Group, err = group.find(ctx, s); err != nil {
				return err
			}
		}
		if _, err := s.names.allGroups(ctx); err != nil { // for their names
			return err
		}
		all, err := s.client.Devices(ctx, query)
		if err != nil {
			return err
		}
		devices := all[:0]
		for _, d := range all {
			if withID(&d, ids) && want(&d, s.names.groupName(d.Group)) {
				devices = append(devices, d)
			}
		}
		slices.SortFunc(devices, func(a, b controlproto.Device) int {
			return cmp.Or(cmp.Compare(s.names.groupName(a.Group), s.names.groupName(b.Group)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
		})
		switch {
		case count:
			return s.println(strconv.Itoa(len(devices)))
		case details:
			return s.listDetails(ctx, devices)
		}
		return s.listDevices(devices)
	})
	c.Long = c.Short + ".\n\nFilters: x for names with x, and user:, ip:, group:, tag:, atag:, os:, amt:, desc: and wsc: (ok, noav, noupdate,\n" +
		"nofirewall, any), joined by \" and \" and \" or \": \"lab and os:debian or tag:kiosk\"."
	group.add(a, c)
	f := c.Flags()
	f.BoolVar(&count, "count", false, "print how many there are")
	f.StringVar(&filter, "filter", "", "only devices that the `FILTER` fits")
	f.StringVar(&ids, "filterid", "", "only devices with one of these `IDS`, or parts of them, separated by commas")
	f.BoolVar(&details, "details", false, "all that the server knows of the devices")
	return []*cobra.Command{c}
}

// withID is --filterid.
func withID(d *controlproto.Device, ids string) bool {
	var any bool
	for part := range strings.SplitSeq(ids, ",") {
		part = part[strings.LastIndexByte(part, '/')+1:]
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if any = true; strings.Contains(string(d.ID), part) {
			return true
		}
	}
	return !any
}

// listDevices prints devices: for people in words, as CSV with the columns that meshctrl has, as JSON with the two members
// that meshctrl adds to the records.
func (s *session) listDevices(devices []controlproto.Device) error {
	t := table{columns: []string{"name", "group", "conn", "power", "os", "ip", "id"}, none: "None"}
	if s.flags.csv {
		t.columns = []string{"meshid", "groupname", "nodeid", "name", "icon", "conn", "pwr"}
	}
	for i := range devices {
		d := &devices[i]
		group := s.names.groupName(d.Group)
		if s.flags.csv {
			t.add(d.Group.Name(), group, d.ID.Name(), d.Name, number(d.Icon), number(d.Conn), number(d.Power))
		} else {
			t.add(d.Name, group, d.Conn.String(), powerText(d), d.OSDesc, d.IP, d.ID.Name())
		}
		d.Extra = withMember(d.Extra, "groupname", group)
	}
	t.json = devices
	return s.list(&t)
}

// powerText is the power state of a device that can be asked for it.
func powerText(d *controlproto.Device) string {
	if d.Conn == 0 && d.Power == controlproto.PowerUnknown {
		return ""
	}
	return d.Power.String()
}

func number[T ~uint8 | ~uint32](n T) string { return strconv.FormatUint(uint64(n), 10) }

// listDetails prints all that the server knows, in the server's own forms.
func (s *session) listDetails(ctx context.Context, devices []controlproto.Device) error {
	var ids []controlproto.ID
	for i := range devices {
		ids = append(ids, devices[i].ID)
	}
	if len(ids) == 0 {
		return s.list(&table{none: "None", json: []controlproto.DeviceDetail{}})
	}
	if s.flags.csv && !s.flags.json {
		text, err := s.client.DeviceDetailsCSV(ctx, ids...)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(s.out, console.CleanLines(text))
		return err
	}
	list, err := s.client.DeviceDetails(ctx, ids...)
	if err != nil {
		return err
	}
	if s.flags.json {
		return s.list(&table{json: list})
	}
	for i := range list {
		d := &list[i]
		info := &controlproto.DeviceInfo{Device: d.Device.Device, System: d.System, Network: d.Network}
		if d.LastConnect != nil {
			info.LastConnect = &controlproto.LastConnectReply{Time: d.LastConnect.Time, Addr: d.LastConnect.Addr}
		}
		if i > 0 {
			if err := s.println(""); err != nil {
				return err
			}
		}
		if err := s.printSections(deviceSections(info)); err != nil {
			return err
		}
	}
	return nil
}

// deviceFilter tells whether a device fits; group is the name of its group.
type deviceFilter func(d *controlproto.Device, group string) bool

// parseDeviceFilter reads meshctrl's language of filters: conditions joined by " and ", which binds closer, and " or ".
func parseDeviceFilter(text string) (deviceFilter, error) {
	var any []deviceFilter
	for alternative := range strings.SplitSeq(strings.ToLower(text), " or ") {
		var all []deviceFilter
		for condition := range strings.SplitSeq(alternative, " and ") {
			f, err := parseCondition(strings.TrimSpace(condition))
			if err != nil {
				return nil, err
			}
			all = append(all, f)
		}
		any = append(any, func(d *controlproto.Device, group string) bool {
			for _, f := range all {
				if !f(d, group) {
					return false
				}
			}
			return true
		})
	}
	return func(d *controlproto.Device, group string) bool {
		for _, f := range any {
			if f(d, group) {
				return true
			}
		}
		return false
	}, nil
}

// parseCondition reads one condition, which is in lower case.
func parseCondition(text string) (deviceFilter, error) {
	kind, want, ok := strings.Cut(text, ":")
	if !ok {
		kind, want = "", text
	}
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), want) }
	switch kind {
	case "user", "u":
		return func(d *controlproto.Device, _ string) bool { return anyOf(d.Users, has) }, nil
	case "ip":
		return func(d *controlproto.Device, _ string) bool { return d.IP != "" && has(d.IP) }, nil
	case "group", "g":
		return func(_ *controlproto.Device, group string) bool { return has(group) }, nil
	case "tag", "t":
		return func(d *controlproto.Device, _ string) bool {
			if want == "" {
				return len(d.Tags) == 0
			}
			return anyOf(d.Tags, func(tag string) bool { return strings.ToLower(tag) == want })
		}, nil
	case "atag", "a":
		return func(d *controlproto.Device, _ string) bool {
			return d.Agent != nil && (d.Agent.Tag == "") == (want == "") && has(d.Agent.Tag)
		}, nil
	case "os":
		return func(d *controlproto.Device, _ string) bool { return d.OSDesc != "" && has(d.OSDesc) }, nil
	case "desc":
		return func(d *controlproto.Device, _ string) bool { return d.Desc != "" && has(d.Desc) }, nil
	case "amt":
		return func(d *controlproto.Device, _ string) bool {
			return d.AMT != nil && (want == "" || d.AMT.State != nil && strconv.Itoa(*d.AMT.State) == want)
		}, nil
	case "wsc":
		return securityFilter(want)
	}
	words := strings.Fields(text)
	return func(d *controlproto.Device, _ string) bool {
		name := strings.ToLower(d.Name)
		return len(words) == 0 || anyOf(words, func(word string) bool { return strings.Contains(name, word) })
	}, nil
}

func anyOf(list []string, is func(string) bool) bool {
	for _, s := range list {
		if is(s) {
			return true
		}
	}
	return false
}

// securityFilter is wsc:, about Windows Security Center.
func securityFilter(want string) (deviceFilter, error) {
	const good = "OK"
	bad := map[string]func(*controlproto.WindowsSecurity) bool{
		"noav":       func(w *controlproto.WindowsSecurity) bool { return w.AntiVirus != good },
		"noupdate":   func(w *controlproto.WindowsSecurity) bool { return w.AutoUpdate != good },
		"nofirewall": func(w *controlproto.WindowsSecurity) bool { return w.Firewall != good },
	}
	bad["any"] = func(w *controlproto.WindowsSecurity) bool {
		return bad["noav"](w) || bad["noupdate"](w) || bad["nofirewall"](w)
	}
	bad["ok"] = func(w *controlproto.WindowsSecurity) bool { return !bad["any"](w) }
	is := bad[want]
	if is == nil {
		return nil, usageError("--filter wsc:%.40s: want ok, noav, noupdate, nofirewall or any", want)
	}
	return func(d *controlproto.Device, _ string) bool { return d.Windows != nil && is(d.Windows) }, nil
}

// textOf is a JSON value for people, empty if there is none.
func textOf(raw json.RawMessage) string {
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	return plain(raw)
}
