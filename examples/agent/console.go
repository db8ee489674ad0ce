package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/examples/agent/hostinfo"
)

// console answers what operators type into the device's console.
type console struct {
	started time.Time
	pings   int
}

// commands are what run knows, in the order of help.
var commands = []struct {
	name, help string
	run        func(*console) string
}{
	{"info", "what this device and this agent are", (*console).info},
	{"netinfo", "network interfaces and their addresses", (*console).netinfo},
	{"ping", "whether the agent is there", (*console).ping},
}

// run returns the answer to a line.
func (c *console) run(line string) string {
	name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	if strings.EqualFold(name, "help") {
		return help()
	}
	for _, cmd := range commands {
		if strings.EqualFold(name, cmd.name) {
			return cmd.run(c)
		}
	}
	return fmt.Sprintf("Unknown command %.40q, type \"help\" for a list of commands.", name)
}

func help() string {
	var b strings.Builder
	b.WriteString("Available commands:\n")
	fmt.Fprintf(&b, "  %-9s%s\n", "help", "this list")
	for _, cmd := range commands {
		fmt.Fprintf(&b, "  %-9s%s\n", cmd.name, cmd.help)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (c *console) info() string {
	system, hardware := hostinfo.ReadSystem(), hostinfo.ReadHardware()
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-18s%s\n", name+":", value)
		}
	}
	line("Name", system.Name)
	line("System", system.OS+", "+system.Arch)
	line("Vendor", hardware.Identifiers.BoardVendor)
	line("Product", hardware.Identifiers.ProductName)
	line("Processor", fmt.Sprintf("%s (%d)", hardware.Identifiers.CPUName, runtime.NumCPU()))
	for _, disk := range hardware.Identifiers.Storage {
		line("Disk", fmt.Sprintf("%s %s %d MB", disk.Caption, disk.Model, disk.Size>>20))
	}
	if !system.Booted.IsZero() {
		line("Started", system.Booted.Format(time.RFC3339))
	}
	line("Agent", "meshcentral-go example, "+runtime.Version())
	line("Agent started", c.started.Format(time.RFC3339))
	line("Full rights", fmt.Sprint(system.Root))
	return strings.TrimSuffix(b.String(), "\n")
}

func (c *console) netinfo() string {
	list, err := hostinfo.ReadNetwork()
	if err != nil {
		return "The network interfaces could not be read: " + err.Error()
	}
	var b strings.Builder
	for _, i := range list {
		state := "down"
		if i.Up {
			state = "up"
		}
		fmt.Fprintf(&b, "%s: %s, %s\n", i.Name, state, i.MAC)
		for _, a := range i.Addresses {
			fmt.Fprintf(&b, "  %s, netmask %s", a.IP, a.Netmask)
			if a.Gateway != "" {
				fmt.Fprintf(&b, ", gateway %s", a.Gateway)
			}
			b.WriteByte('\n')
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// ping says something else every time: a stock server closes the connection of an agent that repeats itself 32 times.
func (c *console) ping() string {
	c.pings++
	return fmt.Sprintf("pong %d, up %v", c.pings, time.Since(c.started).Round(time.Second))
}
