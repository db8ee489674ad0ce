package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/cim"
	"github.com/meshcentral-go/sdk/wsman/flows"
)

// report is what info prints.
type report struct {
	HostName    string            `json:"hostName"`
	Domain      string            `json:"domain,omitempty"`
	UUID        string            `json:"uuid,omitempty"`
	AMT         string            `json:"amt"`
	ControlMode string            `json:"controlMode,omitempty"`
	Power       string            `json:"power,omitempty"`
	Realm       string            `json:"digestRealm"`
	Maker       string            `json:"manufacturer,omitempty"`
	Model       string            `json:"model,omitempty"`
	Serial      string            `json:"serialNumber,omitempty"`
	Board       string            `json:"board,omitempty"`
	BIOS        string            `json:"bios,omitempty"`
	CPU         string            `json:"cpu,omitempty"`
	Processors  []processor       `json:"processors"`
	Memory      []memory          `json:"memory"`
	Drives      []drive           `json:"drives"`
	Ports       []port            `json:"ports"`
	Firmware    map[string]string `json:"firmware"`
	Absent      []string          `json:"absent,omitempty"`
	// Failed are those that it has and does not tell, with the reason.
	Failed map[string]string `json:"failed,omitempty"`
}

type processor struct {
	Device string `json:"device"`
	MHz    uint32 `json:"mhz"`
	MaxMHz uint32 `json:"maxMHz"`
	Cores  uint16 `json:"cores,omitempty"`
}

type memory struct {
	Slot   string `json:"slot"`
	Bytes  uint64 `json:"bytes"`
	Kind   string `json:"kind"`
	MHz    uint32 `json:"mhz,omitempty"`
	Maker  string `json:"manufacturer"`
	Part   string `json:"partNumber"`
	Serial string `json:"serialNumber"`
}

type drive struct {
	Device string `json:"device"`
	Bytes  uint64 `json:"bytes"`
}

type port struct {
	Kind    string `json:"kind"`
	MAC     string `json:"mac"`
	Link    bool   `json:"linkIsUp"`
	DHCP    bool   `json:"dhcp"`
	Address string `json:"address,omitempty"`
	Mask    string `json:"mask,omitempty"`
	Gateway string `json:"gateway,omitempty"`
	DNS     string `json:"dns,omitempty"`
}

// infoCommands are the commands that show what a device is.
func (a *app) infoCommands() []*cobra.Command {
	return []*cobra.Command{a.on("info", "Show what the device is made of, its versions and its control mode", cobra.NoArgs,
		func(ctx context.Context, s *session, _ []string) error {
			inventory, err := s.dev.Inventory(ctx)
			if err != nil {
				return err
			}
			r := newReport(inventory)
			power, err := s.dev.Power(ctx)
			switch {
			case err == nil:
				r.Power = powerText(power)
			case !errors.Is(err, wsman.ErrUnsupported):
				return err
			}
			if s.flags.json {
				return s.printJSON(r)
			}
			return s.printReport(r)
		})}
}

func newReport(inv *flows.Inventory) *report {
	r := &report{
		HostName: inv.General.HostName, Domain: inv.General.DomainName, Realm: inv.General.DigestRealm, UUID: inv.UUID, AMT: inv.AMT,
		CPU: inv.CPU, Firmware: inv.Firmware,
		Processors: []processor{}, Memory: []memory{}, Drives: []drive{}, Ports: []port{},
	}
	for _, class := range inv.Absent {
		err, failed := inv.Failed[class]
		if !failed {
			r.Absent = append(r.Absent, class)
			continue
		}
		if r.Failed == nil {
			r.Failed = map[string]string{}
		}
		r.Failed[class] = err.Error()
	}
	if inv.Setup != nil {
		r.ControlMode = strings.ToLower(inv.Setup.CurrentControlMode.String())
	}
	if c := inv.Chassis; c != nil {
		r.Maker, r.Model, r.Serial = c.Manufacturer, c.Model, c.SerialNumber
	}
	if b := inv.Board; b != nil {
		r.Board = joined(b.Manufacturer, b.Model, b.Version)
	}
	if b := inv.BIOS; b != nil {
		r.BIOS = joined(b.Manufacturer, b.Version)
		if !b.ReleaseDate.IsZero() {
			r.BIOS += " of " + b.ReleaseDate.UTC().Format("2006-01-02")
		}
	}
	for _, p := range inv.Processors {
		r.Processors = append(r.Processors, processor{p.DeviceID, p.CurrentClockSpeed, p.MaxClockSpeed, p.NumberOfEnabledCores})
	}
	for _, m := range inv.Memory {
		r.Memory = append(r.Memory, memory{
			m.BankLabel, m.Capacity, m.MemoryType.String(), cmp.Or(m.ConfiguredMemoryClockSpeed, m.MaxMemorySpeed),
			strings.TrimSpace(m.Manufacturer), strings.TrimSpace(m.PartNumber), strings.TrimSpace(m.SerialNumber),
		})
	}
	for _, m := range inv.Media {
		r.Drives = append(r.Drives, drive{m.DeviceID, flows.Bytes(m)})
	}
	for _, p := range inv.Ports {
		if p.MACAddress == "" {
			continue // stands for no interface
		}
		kind := "wired"
		if flows.WiFi(p) {
			kind = "wireless"
		}
		r.Ports = append(r.Ports, port{
			kind, p.MACAddress, p.LinkIsUp, p.DHCPEnabled, p.IPAddress, p.SubnetMask, p.DefaultGateway, joined(p.PrimaryDNS, p.SecondaryDNS),
		})
	}
	return r
}

func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}

// modeText is a control mode with the name that its documents use.
func modeText(mode string) string {
	switch mode {
	case "client":
		return "client (CCM)"
	case "admin":
		return "admin (ACM)"
	}
	return mode
}

func (a *app) printReport(r *report) error {
	t := &table{}
	for _, row := range [][2]string{
		{"Host", strings.TrimSuffix(r.HostName+"."+r.Domain, ".")}, {"UUID", r.UUID}, {"AMT", joined(r.AMT, build(r.Firmware))}, {"Control mode", modeText(r.ControlMode)},
		{"Power", r.Power}, {"Digest realm", r.Realm}, {"Machine", joined(r.Maker, r.Model)}, {"Serial number", r.Serial}, {"Board", r.Board},
		{"BIOS", r.BIOS}, {"Processor", r.CPU},
	} {
		if row[1] != "" {
			t.add(row[0]+":", row[1])
		}
	}
	tables := []*table{t}
	section := func(columns ...string) *table {
		t := &table{columns: columns}
		tables = append(tables, t)
		return t
	}
	t = section("processor", "clock", "highest")
	for _, p := range r.Processors {
		t.add(p.Device, mhz(p.MHz), mhz(p.MaxMHz))
	}
	t = section("memory", "size", "kind", "clock", "maker", "part", "serial number")
	for _, m := range r.Memory {
		t.add(m.Slot, size(m.Bytes, 1024), m.Kind, mhz(m.MHz), m.Maker, m.Part, m.Serial)
	}
	t = section("drive", "size")
	for _, d := range r.Drives {
		t.add(d.Device, size(d.Bytes, 1000))
	}
	t = section("network", "mac", "link", "address", "mask", "gateway", "dns")
	for _, p := range r.Ports {
		address := p.Address
		if p.DHCP {
			address = joined(address, "(DHCP)")
		}
		t.add(p.Kind, p.MAC, upDown(p.Link), address, p.Mask, p.Gateway, p.DNS)
	}
	t = section("firmware", "version")
	for _, name := range slices.Sorted(maps.Keys(r.Firmware)) {
		t.add(name, r.Firmware[name])
	}
	t = section("the device does not have")
	for _, name := range r.Absent {
		t.add(name)
	}
	t = section("the device does not tell", "reason")
	for _, name := range slices.Sorted(maps.Keys(r.Failed)) {
		t.add(name, r.Failed[name])
	}
	printed := false
	for _, t := range tables {
		if len(t.rows) == 0 {
			continue
		}
		if printed {
			if err := a.println(""); err != nil {
				return err
			}
		}
		printed = true
		if err := a.printTable(t); err != nil {
			return err
		}
	}
	return nil
}

func build(firmware map[string]string) string {
	if n := firmware[cim.SoftwareBuildNumber]; n != "" {
		return fmt.Sprintf("(build %s)", n)
	}
	return ""
}

func mhz(n uint32) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(n), 10) + " MHz"
}

func upDown(up bool) string {
	if up {
		return "up"
	}
	return "down"
}
