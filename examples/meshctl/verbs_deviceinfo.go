package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/examples/internal/console"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// deviceInfoCommands is the verb that tells all about a device.
func (a *app) deviceInfoCommands() []*cobra.Command {
	var raw bool
	c := a.onDevice("deviceinfo", "Show what is known of a device", func(ctx context.Context, s *session, device controlproto.ID) error {
		info, err := s.client.DeviceInfo(ctx, device)
		if err != nil {
			return err
		}
		if raw {
			if info.System == nil {
				return errRefused("the server has or gives no system information of this device")
			}
			return s.printJSON(info.System)
		}
		sections := deviceSections(info)
		if s.flags.json {
			return s.printRaw(sectionsJSON(sections))
		}
		return s.printSections(sections)
	})
	c.Flags().BoolVar(&raw, "raw", false, "print what the agent said of hardware and system, in JSON")
	return []*cobra.Command{c}
}

// section is a titled list of fields and of further sections, under the names that meshctrl gives them.
type section struct {
	title  string
	fields []field
	parts  []section
}

// add adds a field that is known.
func (s *section) add(name, value string) {
	if value = strings.TrimSpace(value); value != "" {
		s.fields = append(s.fields, field{name, value})
	}
}

func (s *section) empty() bool { return len(s.fields)+len(s.parts) == 0 }

// deviceSections puts what is known of a device into sections; those of which nothing is known are left out.
func deviceSections(info *controlproto.DeviceInfo) []section {
	var known []section
	for _, s := range []section{
		generalSection(&info.Device), systemSection(info), agentSection(info), networkSection(info.Network),
		amtSection(info.Device.AMT), biosSection(info), boardSection(info), memorySection(info), storageSection(info),
	} {
		if !s.empty() {
			known = append(known, s)
		}
	}
	return known
}

func generalSection(d *controlproto.Device) section {
	s := section{title: "General"}
	s.add("Identifier", string(d.ID))
	s.add("Server Name", d.Name)
	s.add("Computer Name", d.RName)
	s.add("Hostname", d.Host)
	s.add("IP Address", d.IP)
	s.add("Description", d.Desc)
	if d.Icon != 0 {
		s.add("Icon", number(d.Icon))
	}
	s.add("Tags", strings.Join(d.Tags, ", "))
	s.add("Connectivity", d.Conn.String())
	s.add("Power", powerText(d))
	s.add("Users", strings.Join(d.Users, ", "))
	for _, v := range d.AntiVirus {
		s.add("AntiVirus "+v.Product, fmt.Sprintf("enabled: %t, updated: %t", v.Enabled, v.Updated))
	}
	if w := d.Windows; w != nil {
		s.add("WindowsSecurityCenter", fmt.Sprintf("AntiVirus: %s, AutoUpdate: %s, Firewall: %s", w.AntiVirus, w.AutoUpdate, w.Firewall))
	}
	return s
}

func systemSection(info *controlproto.DeviceInfo) section {
	s := section{title: "Operating System"}
	s.add("Name", info.Device.RName)
	s.add("Version", info.Device.OSDesc)
	if h := hardware(info); h.Windows != nil && h.Windows.OS != nil {
		s.add("Architecture", h.Windows.OS.Architecture)
	}
	s.add("Last boot", when(info.Device.LastBoot))
	return s
}

func agentSection(info *controlproto.DeviceInfo) section {
	s := section{title: "Mesh Agent"}
	agent := info.Device.Agent
	if agent == nil {
		return s
	}
	text := "architecture " + strconv.Itoa(agent.ID)
	if agent.Version != nil && *agent.Version != 0 {
		text += " v" + strconv.Itoa(*agent.Version)
	}
	s.add("Mesh Agent", text)
	s.add("Capabilities", agent.Caps.String())
	s.add("Core", agent.Core)
	if info.Device.Conn&controlproto.ConnAgent != 0 {
		s.add("Last agent connection", "Connected now")
	} else if info.LastConnect != nil {
		s.add("Last agent connection", when(info.LastConnect.Time))
	}
	if info.LastConnect != nil {
		s.add("Last agent address", info.LastConnect.Addr)
	}
	s.add("Tag", agent.Tag)
	return s
}

func networkSection(n *controlproto.NetworkInfo) section {
	s := section{title: "Networking"}
	if n == nil {
		return s
	}
	for _, name := range sortedKeys(n.Interfaces) {
		part := section{title: name}
		for i, addr := range n.Interfaces[name] {
			if i == 0 {
				part.add("MAC Layer", join("MAC: ", addr.MAC, ", Gateway: ", addr.GatewayMAC))
			}
			part.add(addr.Family+" Layer", join("IP: ", addr.Address, ", Mask: ", addr.Netmask, ", Gateway: ", addr.Gateway))
		}
		if !part.empty() {
			s.parts = append(s.parts, part)
		}
	}
	for _, old := range n.Old {
		part := section{title: old.Name}
		part.add("Description", old.Desc)
		part.add("MAC Layer", join("MAC: ", old.MAC, ", Gateway: ", old.GatewayMAC))
		part.add("IPv4 Layer", join("IP: ", old.IPv4, ", Mask: ", old.Netmask, ", Gateway: ", old.Gateway))
		if !part.empty() {
			s.parts = append(s.parts, part)
		}
	}
	return s
}

// join joins labels and values, without those that have no value; without the first there is nothing.
func join(pairs ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			if i == 0 {
				return ""
			}
			continue
		}
		b.WriteString(pairs[i] + pairs[i+1])
	}
	return b.String()
}

func amtSection(amt *controlproto.DeviceAMT) section {
	s := section{title: "Intel Active Management Technology (Intel AMT)"}
	if amt == nil {
		return s
	}
	s.add("Version", amt.Version)
	states := map[int]string{0: "Not Activated (Pre)", 1: "Not Activated (In)", 2: "Activated"}
	if amt.State != nil {
		s.add("Provisioning State", states[*amt.State])
	}
	switch {
	case amt.Flags&2 != 0:
		s.add("Mode", "Client Control Mode (CCM)")
	case amt.Flags&4 != 0:
		s.add("Mode", "Admin Control Mode (ACM)")
	}
	s.add("Security", map[bool]string{true: "Secured using TLS", false: "TLS is not setup"}[amt.TLS != nil && *amt.TLS == 1])
	s.add("Admin Credentials", map[bool]string{true: "Not Known", false: "Known"}[amt.User == ""])
	return s
}

// hardware is what is known of it, which may be nothing.
func hardware(info *controlproto.DeviceInfo) *controlproto.Hardware {
	if info.System == nil || info.System.Hardware == nil {
		return &controlproto.Hardware{}
	}
	return info.System.Hardware
}

func identifiers(info *controlproto.DeviceInfo) *controlproto.Identifiers {
	if id := hardware(info).Identifiers; id != nil {
		return id
	}
	return &controlproto.Identifiers{}
}

func biosSection(info *controlproto.DeviceInfo) section {
	s, id := section{title: "BIOS"}, identifiers(info)
	s.add("Vendor", id.BIOSVendor)
	s.add("Version", id.BIOSVersion)
	return s
}

func boardSection(info *controlproto.DeviceInfo) section {
	s, id := section{title: "Motherboard"}, identifiers(info)
	s.add("Vendor", id.BoardVendor)
	s.add("Name", id.BoardName)
	s.add("Serial", id.BoardSerial)
	s.add("Version", id.BoardVersion)
	s.add("Identifier", id.ProductUUID)
	s.add("CPU", id.CPU)
	for i, gpu := range id.GPUs {
		s.add("GPU"+strconv.Itoa(i+1), gpu)
	}
	return s
}

func memorySection(info *controlproto.DeviceInfo) section {
	s := section{title: "Memory"}
	if hardware(info).Windows == nil {
		return s
	}
	for _, m := range hardware(info).Windows.Memory {
		part := section{title: m.BankLabel}
		part.add("Capacity/Speed", join("", megabytes(textOf(m.Capacity)), ", ", textOf(m.Speed)))
		part.add("Part Number", strings.TrimLeft(join(m.Manufacturer+" ", m.PartNumber), " "))
		if !part.empty() {
			s.parts = append(s.parts, part)
		}
	}
	return s
}

// megabytes is a number of bytes for people.
func megabytes(bytes string) string {
	n, err := strconv.ParseFloat(bytes, 64)
	if err != nil || n <= 0 {
		return ""
	}
	return strconv.FormatFloat(n/(1<<20), 'f', 0, 64) + " Mb"
}

func storageSection(info *controlproto.DeviceInfo) section {
	s := section{title: "Storage"}
	for _, d := range identifiers(info).Storage {
		part := section{title: d.Caption}
		if d.Model != d.Caption {
			part.add("Model", d.Model)
		}
		part.add("Capacity", megabytes(strconv.FormatInt(d.Size, 10)))
		if !part.empty() {
			s.parts = append(s.parts, part)
		}
	}
	return s
}

// printSections prints sections for people.
func (a *app) printSections(list []section) error {
	for i := range list {
		if err := a.printSection(&list[i], ""); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printSection(s *section, indent string) error {
	if err := a.println(indent + console.Clean(s.title)); err != nil {
		return err
	}
	for _, f := range s.fields {
		if err := a.println(indent + "  " + console.Clean(f.name+": "+f.value)); err != nil {
			return err
		}
	}
	for i := range s.parts {
		if err := a.printSection(&s.parts[i], indent+"  "); err != nil {
			return err
		}
	}
	return nil
}

// sectionsJSON is the nested object that meshctrl prints. Names that are there twice are numbered, as an object has each once.
func sectionsJSON(list []section) json.RawMessage {
	b, used := []byte{'{'}, map[string]int{}
	add := func(name string, value func([]byte) []byte) {
		if used[name]++; used[name] > 1 {
			name += " " + strconv.Itoa(used[name])
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = value(append(jsonrec.AppendString(b, name), ':'))
	}
	for i := range list {
		add(list[i].title, func(b []byte) []byte { return append(b, sectionJSON(&list[i])...) })
	}
	return append(b, '}')
}

func sectionJSON(s *section) json.RawMessage {
	b, used := []byte{'{'}, map[string]int{}
	for _, f := range s.fields {
		if used[f.name]++; used[f.name] > 1 {
			f.name += " " + strconv.Itoa(used[f.name])
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = jsonrec.AppendString(append(jsonrec.AppendString(b, f.name), ':'), f.value)
	}
	if parts := sectionsJSON(s.parts); len(s.parts) > 0 {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, parts[1:len(parts)-1]...)
	}
	return append(b, '}')
}
