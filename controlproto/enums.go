package controlproto

import (
	"strconv"
	"strings"
)

// Connectivity says by which ways a device can be reached now ("conn").
type Connectivity uint32

// Bits of [Connectivity].
const (
	ConnAgent    Connectivity = 1 << 0 // ports of an IP-KVM use it too
	ConnCIRA     Connectivity = 1 << 1 // Intel AMT that called in
	ConnAMTLocal Connectivity = 1 << 2 // Intel AMT in the server's network
	ConnAMTRelay Connectivity = 1 << 3 // Intel AMT behind another device
	ConnMQTT     Connectivity = 1 << 4
)

// String names the bits: "agent,cira", or "offline".
func (c Connectivity) String() string {
	return bitNames(uint32(c), "offline", "agent", "cira", "amt", "amtrelay", "mqtt")
}

// PowerState is the power state of a device ("pwr").
type PowerState uint8

// Power states.
const (
	PowerUnknown   PowerState = 0
	PowerOn        PowerState = 1 // S0
	PowerSleep1    PowerState = 2 // S1
	PowerSleep2    PowerState = 3 // S2
	PowerDeepSleep PowerState = 4 // S3
	PowerHibernate PowerState = 5 // S4
	PowerSoftOff   PowerState = 6 // S5
	PowerPresent   PowerState = 7 // there, state unknown
	PowerOff       PowerState = 8 // no power
)

var powerNames = [...]string{"unknown", "on", "sleep", "sleep (S2)", "deep sleep", "hibernating", "soft-off", "present", "off"}

// String names the state.
func (p PowerState) String() string {
	if int(p) < len(powerNames) {
		return powerNames[p]
	}
	return "PowerState(" + strconv.Itoa(int(p)) + ")"
}

// Icon is the kind of machine that a device is shown as.
type Icon uint8

// Icons.
const (
	IconDesktop  Icon = 1
	IconLaptop   Icon = 2
	IconPhone    Icon = 3
	IconServer   Icon = 4
	IconHTPC     Icon = 5
	IconRouter   Icon = 6
	IconEmbedded Icon = 7
	IconVirtual  Icon = 8
)

var iconNames = [...]string{"none", "desktop", "laptop", "phone", "server", "htpc", "router", "embedded", "virtual"}

// String names the icon.
func (i Icon) String() string {
	if int(i) < len(iconNames) {
		return iconNames[i]
	}
	return "Icon(" + strconv.Itoa(int(i)) + ")"
}

// GroupType is what a device group holds ("mtype", "meshtype").
type GroupType uint8

// Types of device groups.
const (
	GroupAMT   GroupType = 1 // Intel AMT without agent
	GroupAgent GroupType = 2
	GroupLocal GroupType = 3 // devices without agent
	GroupIPKVM GroupType = 4
)

// String names the type.
func (t GroupType) String() string {
	switch t {
	case GroupAMT:
		return "Intel AMT"
	case GroupAgent:
		return "agent"
	case GroupLocal:
		return "local"
	case GroupIPKVM:
		return "IP-KVM"
	}
	return "GroupType(" + strconv.Itoa(int(t)) + ")"
}

// Consent says what the user of a device is told or asked. Those of domain, group, device, account and user group add up.
type Consent uint32

// Bits of [Consent].
const (
	ConsentDesktopNotify  Consent = 1 << 0
	ConsentTerminalNotify Consent = 1 << 1
	ConsentFilesNotify    Consent = 1 << 2
	ConsentDesktopPrompt  Consent = 1 << 3
	ConsentTerminalPrompt Consent = 1 << 4
	ConsentFilesPrompt    Consent = 1 << 5
	ConsentPrivacyBar     Consent = 1 << 6
)

// String names the bits.
func (c Consent) String() string {
	return bitNames(uint32(c), "none", "desktop notify", "terminal notify", "files notify", "desktop prompt", "terminal prompt",
		"files prompt", "privacy bar")
}

// GroupFlags are options of a device group.
type GroupFlags uint32

// Bits of [GroupFlags].
const (
	GroupAutoRemove         GroupFlags = 1 << 0 // devices go when they disconnect
	GroupHostnameSync       GroupFlags = 1 << 1 // the device's name follows its host name
	GroupRecordSessions     GroupFlags = 1 << 2
	GroupPreferAgentName    GroupFlags = 1 << 3
	GroupAllowNameOverrides GroupFlags = 1 << 4
)

// String names the bits.
func (f GroupFlags) String() string {
	return bitNames(uint32(f), "none", "auto remove", "hostname sync", "record sessions", "prefer agent name", "name overrides")
}

// UserFlags are options of an account or a user group.
type UserFlags uint32

// Bits of [UserFlags].
const (
	UserHasImage       UserFlags = 1 << 0
	UserRecordSessions UserFlags = 1 << 1
)

// String names the bits.
func (f UserFlags) String() string { return bitNames(uint32(f), "none", "image", "record sessions") }

// InviteKind says which installation an invitation offers.
type InviteKind uint8

// Kinds of invitations.
const (
	InviteBoth            InviteKind = 0
	InviteInteractiveOnly InviteKind = 1
	InviteBackgroundOnly  InviteKind = 2
)

// Notify says of what an account is notified, per device group or device.
type Notify uint32

// Bits of [Notify].
const (
	NotifyWebConnect          Notify = 1 << 1
	NotifyWebDisconnect       Notify = 1 << 2
	NotifyWebSessions         Notify = 1 << 3
	NotifyEmailConnect        Notify = 1 << 4
	NotifyEmailDisconnect     Notify = 1 << 5
	NotifyEmailHelp           Notify = 1 << 6
	NotifyMessagingConnect    Notify = 1 << 7
	NotifyMessagingDisconnect Notify = 1 << 8
	NotifyMessagingHelp       Notify = 1 << 9
)

// ShareKind says what a guest link gives access to ("p" of shares).
type ShareKind uint8

// Bits of [ShareKind].
const (
	ShareTerminal ShareKind = 1 << 0
	ShareDesktop  ShareKind = 1 << 1
	ShareFiles    ShareKind = 1 << 2
	ShareHTTP     ShareKind = 1 << 3
	ShareHTTPS    ShareKind = 1 << 4
)

// String names the bits.
func (k ShareKind) String() string {
	return bitNames(uint32(k), "none", "terminal", "desktop", "files", "http", "https")
}

// AgentCaps is what an agent can do ("caps").
type AgentCaps uint32

// Bits of [AgentCaps].
const (
	CapDesktop     AgentCaps = 1 << 0
	CapTerminal    AgentCaps = 1 << 1
	CapFiles       AgentCaps = 1 << 2
	CapConsole     AgentCaps = 1 << 3
	CapJavaScript  AgentCaps = 1 << 4
	CapTemporary   AgentCaps = 1 << 5
	CapRecovery    AgentCaps = 1 << 6
	CapCompression AgentCaps = 1 << 8
)

// String names the bits.
func (c AgentCaps) String() string {
	return bitNames(uint32(c), "none", "desktop", "terminal", "files", "console", "javascript", "temporary", "recovery", "reserved",
		"compression")
}

// bitNames joins the names of the bits that are set, lowest first.
func bitNames(v uint32, none string, names ...string) string {
	if v == 0 {
		return none
	}
	var parts []string
	for i, n := range names {
		if v&(1<<i) != 0 {
			parts = append(parts, n)
			v &^= 1 << i
		}
	}
	if v != 0 {
		parts = append(parts, "0x"+strconv.FormatUint(uint64(v), 16))
	}
	return strings.Join(parts, ",")
}
