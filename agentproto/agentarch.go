package agentproto

import (
	"fmt"
	"iter"
	"strings"
)

// Capabilities is the bit mask of command 3 and of [CoreInfo].
type Capabilities uint32

// The capabilities. The native agent starts with CapConsole, CapCore and CapCompression; its core adds the first three.
const (
	CapDesktop     Capabilities = 0x001
	CapTerminal    Capabilities = 0x002
	CapFiles       Capabilities = 0x004
	CapConsole     Capabilities = 0x008 // taken from command 3 only
	CapCore        Capabilities = 0x010 // runs a JavaScript core; without it no command 11 is sent. Taken from command 3 only
	CapTemporary   Capabilities = 0x020 // the device and all its records are deleted when it disconnects
	CapRecovery    Capabilities = 0x040 // a recovery (diagnostic) agent: not in the list of devices
	CapReserved    Capabilities = 0x080
	CapCompression Capabilities = 0x100 // takes compressed updates and command 20
)

// Has tells whether all bits of x are set.
func (c Capabilities) Has(x Capabilities) bool { return c&x == x }

// String names the bits, "console|core|compression" for 0x118, and prints unknown ones in hexadecimal.
func (c Capabilities) String() string {
	var names []string
	for i, name := range [...]string{"desktop", "terminal", "files", "console", "core", "temporary", "recovery", "reserved", "compression"} {
		if bit := Capabilities(1) << i; c.Has(bit) {
			names = append(names, name)
			c &^= bit
		}
	}
	if c != 0 || len(names) == 0 {
		names = append(names, fmt.Sprintf("%#x", uint32(c)))
	}
	return strings.Join(names, "|")
}

// PlatformType is the kind of machine in command 3; the server makes it the icon of a new device, and 1 of every value it
// does not know.
type PlatformType uint32

// The platform types. The native agent sends PlatformVirtual, PlatformLaptop or PlatformDesktop.
const (
	PlatformDesktop PlatformType = 1
	PlatformLaptop  PlatformType = 2
	PlatformMobile  PlatformType = 3
	PlatformServer  PlatformType = 4
	PlatformDisk    PlatformType = 5
	PlatformRouter  PlatformType = 6
	PlatformPi      PlatformType = 7
	PlatformVirtual PlatformType = 8
)

// String names the type.
func (p PlatformType) String() string {
	names := [...]string{"", "desktop", "laptop", "mobile", "server", "disk", "router", "pi", "virtual"}
	if p == 0 || int64(p) >= int64(len(names)) {
		return fmt.Sprintf("PlatformType(%d)", uint32(p))
	}
	return names[p]
}

// AgentID is the number of a build of the agent ("architecture id"), sent in command 3.
type AgentID uint32

// Ids that programs name. [LookupAgent] knows all of them.
const (
	AgentUnknown           AgentID = 0
	AgentWindowsConsole32  AgentID = 1
	AgentWindowsConsole64  AgentID = 2
	AgentWindowsService32  AgentID = 3
	AgentWindowsService64  AgentID = 4
	AgentLinux32           AgentID = 5
	AgentLinux64           AgentID = 6
	AgentMacOS64           AgentID = 16
	AgentNodeJS            AgentID = 23 // no program and no core on the server: what an agent without JavaScript calls itself
	AgentLinuxARM          AgentID = 25
	AgentMacOSARM64        AgentID = 29
	AgentFreeBSD64         AgentID = 30
	AgentLinuxARM64        AgentID = 32
	AgentOpenBSD64         AgentID = 37
	AgentWindowsConsoleARM AgentID = 42
	AgentWindowsServiceARM AgentID = 43
	AgentLinuxRISCV64      AgentID = 45
	AgentMacOSUniversal    AgentID = 10005
	firstDownloadOnlyAgent AgentID = 10003
	agentLinuxMIPS         AgentID = 7
	agentLinuxMIPSLittle   AgentID = 40
	agentAndroid           AgentID = 14
)

// CoreKind says which of its cores an agent shall run.
type CoreKind uint8

// The kinds of cores.
const (
	CoreDefault       CoreKind = iota
	CoreRecovery               // asked for by an administrator, or for an update by core
	CoreTiny                   // a console and no more
	CoreAgentRecovery          // for agents with CapRecovery
)

// String names the kind.
func (k CoreKind) String() string {
	switch k {
	case CoreDefault:
		return "default"
	case CoreRecovery:
		return "recovery"
	case CoreTiny:
		return "tiny"
	case CoreAgentRecovery:
		return "agentrecovery"
	}
	return fmt.Sprintf("CoreKind(%d)", uint8(k))
}

// CoreName is a core that a server can have, named as in MeshCentral.
type CoreName string

// The cores. The core "nodejs" exists in MeshCentral's table only: there is no such file.
const (
	CoreWindowsAMT           CoreName = "windows-amt"
	CoreLinuxAMT             CoreName = "linux-amt"
	CoreLinuxNoAMT           CoreName = "linux-noamt"
	CoreWindowsRecovery      CoreName = "windows-recovery"
	CoreLinuxRecovery        CoreName = "linux-recovery"
	CoreWindowsAgentRecovery CoreName = "windows-agentrecovery"
	CoreLinuxAgentRecovery   CoreName = "linux-agentrecovery"
	CoreWindowsTiny          CoreName = "windows-tiny"
	CoreLinuxTiny            CoreName = "linux-tiny"
	CoreNodeJS               CoreName = "nodejs"
)

// AgentArch is one row of MeshCentral's table of agents (meshcentral.js, meshAgentsArchitectureNumbers).
type AgentArch struct {
	ID           AgentID
	Binary       string // name of the program in the agents folder
	Description  string
	Platform     string // win32, linux, osx, freebsd, android, chromeos, node, assistant, unknown
	NativeUpdate bool   // command 12 may be asked, if the server has the program
	AMT          bool   // may run on machines with Intel AMT
	Core         CoreName
}

// DownloadOnly tells ids that no agent sends: names of downloads.
func (a AgentArch) DownloadOnly() bool { return a.ID >= firstDownloadOnlyAgent }

// CoreFor is the name of the agent's core of a kind, "" if it has none.
func (a AgentArch) CoreFor(kind CoreKind) CoreName {
	if a.Core == "" || a.Core == CoreNodeJS {
		return a.Core
	}
	system := "linux-"
	if a.Core == CoreWindowsAMT {
		system = "windows-"
	}
	switch kind {
	case CoreDefault:
		return a.Core
	case CoreRecovery, CoreTiny, CoreAgentRecovery:
		return CoreName(system + kind.String())
	}
	return ""
}

// LookupAgent finds an id. An agent with an id that is not in the table may log in, but has no core.
func LookupAgent(id AgentID) (AgentArch, bool) {
	for _, a := range agentRows {
		if a.ID == id {
			return a, true
		}
	}
	return AgentArch{}, false
}

// AgentArchs gives all rows in the order of their ids.
func AgentArchs() iter.Seq[AgentArch] {
	return func(yield func(AgentArch) bool) {
		for _, a := range agentRows {
			if !yield(a) {
				return
			}
		}
	}
}

// AgentIDFor gives the id of the native agent for a GOOS and GOARCH, on Windows the service's. Where there is none it is
// [AgentNodeJS] and false.
//
// An agent that says it is a native build is asked for the hash of its program (command 12) by servers that have the native
// one; it should answer with zeros to be left alone.
func AgentIDFor(goos, goarch string) (AgentID, bool) {
	switch goos + "/" + goarch {
	case "windows/386":
		return AgentWindowsService32, true
	case "windows/amd64":
		return AgentWindowsService64, true
	case "windows/arm64":
		return AgentWindowsServiceARM, true
	case "linux/386":
		return AgentLinux32, true
	case "linux/amd64":
		return AgentLinux64, true
	case "linux/arm":
		return AgentLinuxARM, true
	case "linux/arm64":
		return AgentLinuxARM64, true
	case "linux/mips":
		return agentLinuxMIPS, true
	case "linux/mipsle":
		return agentLinuxMIPSLittle, true
	case "linux/riscv64":
		return AgentLinuxRISCV64, true
	case "darwin/amd64":
		return AgentMacOS64, true
	case "darwin/arm64":
		return AgentMacOSARM64, true
	case "freebsd/amd64":
		return AgentFreeBSD64, true
	case "openbsd/amd64":
		return AgentOpenBSD64, true
	}
	if goos == "android" {
		return agentAndroid, true
	}
	return AgentNodeJS, false
}
