package controlproto

// Rights is what an account may do with a device or with the devices of a group (Link.Rights, "meshadmin").
type Rights uint32

// Bits of [Rights] (webserver.js, MESHRIGHT_*). Links to single devices hold none of the first three.
const (
	EditGroup         Rights = 1 << 0
	ManageUsers       Rights = 1 << 1
	ManageDevices     Rights = 1 << 2
	RemoteControl     Rights = 1 << 3
	AgentConsole      Rights = 1 << 4
	ServerFiles       Rights = 1 << 5
	WakeDevice        Rights = 1 << 6
	SetNotes          Rights = 1 << 7
	RemoteViewOnly    Rights = 1 << 8  // restricts
	NoTerminal        Rights = 1 << 9  // restricts
	NoFiles           Rights = 1 << 10 // restricts
	NoAMT             Rights = 1 << 11 // restricts
	LimitedInput      Rights = 1 << 12 // restricts
	LimitedEvents     Rights = 1 << 13 // restricts: own events only
	ChatNotify        Rights = 1 << 14
	UninstallAgent    Rights = 1 << 15
	NoDesktop         Rights = 1 << 16 // restricts
	RemoteCommand     Rights = 1 << 17
	ResetOff          Rights = 1 << 18
	GuestSharing      Rights = 1 << 19
	DeviceDetails     Rights = 1 << 20
	RelayRight        Rights = 1 << 21
	FullRights        Rights = 0xFFFFFFFF
	groupOnly                = EditGroup | ManageUsers | ManageDevices
	unusedRight       Rights = 1 << 31
	reducedFullRights Rights = 2015471 // what takes the place of full rights for an account with RemoveRights
)

// The names are those of meshctrl's options for addusertodevicegroup, where there are some.
var rightNames = []rightName{
	{uint32(EditGroup), "editgroup"}, {uint32(ManageUsers), "manageusers"}, {uint32(ManageDevices), "managedevices"},
	{uint32(RemoteControl), "remotecontrol"}, {uint32(AgentConsole), "agentconsole"}, {uint32(ServerFiles), "serverfiles"},
	{uint32(WakeDevice), "wakedevices"}, {uint32(SetNotes), "notes"}, {uint32(RemoteViewOnly), "desktopviewonly"},
	{uint32(NoTerminal), "noterminal"}, {uint32(NoFiles), "nofiles"}, {uint32(NoAMT), "noamt"},
	{uint32(LimitedInput), "limiteddesktop"}, {uint32(LimitedEvents), "limitedevents"}, {uint32(ChatNotify), "chatnotify"},
	{uint32(UninstallAgent), "uninstall"}, {uint32(NoDesktop), "nodesktop"}, {uint32(RemoteCommand), "remotecommand"},
	{uint32(ResetOff), "resetoff"}, {uint32(GuestSharing), "guestsharing"}, {uint32(DeviceDetails), "devicedetails"},
	{uint32(RelayRight), "relay"},
}

// Full tells whether these are all rights.
func (r Rights) Full() bool { return r == FullRights }

// Has tells whether all bits of want are set. Restricting bits are also set in full rights: ask [Rights.Denies] for those.
func (r Rights) Has(want Rights) bool { return r&want == want }

// Denies tells whether a restricting bit is in force: it does not bind who has full rights.
func (r Rights) Denies(bit Rights) bool { return !r.Full() && r&bit != 0 }

// DeviceLink tells whether a link to a single device may hold these rights.
func (r Rights) DeviceLink() bool { return r&groupOnly == 0 }

// String names the bits with the words of meshctrl's options, joined by commas: "remotecontrol,notes", "full", "none".
func (r Rights) String() string { return formatRights(uint32(r), rightNames) }

// ParseRights reads what String writes, and numbers.
func ParseRights(s string) (Rights, error) {
	v, err := parseRights(s, rightNames, map[string]uint32{"fullrights": fullRights})
	return Rights(v), err
}

// Apply takes what an account's RemoveRights removes from rights that it has otherwise (webserver.js,
// removeUserRights). Nil is an account without that
// member. With one, of full rights all but agent console and relay remain at first, even if nothing is to be removed.
func (remove *RemovedRights) Apply(rights Rights) Rights {
	if remove == nil {
		return rights
	}
	if rights.Full() {
		rights = reducedFullRights
	}
	const taken = RemoteControl | AgentConsole | WakeDevice | UninstallAgent | RemoteCommand | ResetOff
	const added = RemoteViewOnly | NoTerminal | NoFiles | NoDesktop
	bits := Rights(*remove)
	return (rights&^(bits&taken) | bits&added).partial()
}

// partial returns rights that were put together, as by themselves they are not full: that all bits are set makes no full rights
// of them, which restrictions do not bind.
func (r Rights) partial() Rights {
	if r.Full() {
		return r &^ unusedRight
	}
	return r
}

// RemovedRights are the bits of User.RemoveRights: rights that are taken (remote control, agent console, wake, uninstall,
// remote command, reset and off) and restrictions that are added (view only, no terminal, no files, no desktop) on every
// device.
type RemovedRights uint32

// String names the bits.
func (r RemovedRights) String() string { return Rights(r).String() }

// EffectiveRights computes what an account may do with a device: all of its links to the device and to the device's group,
// own ones and those of its user groups, count together; one with full rights gives full rights. What the account's
// RemoveRights takes is taken last. Visible tells whether there is a link at all: with one, the device is seen even
// without any right. (webserver.js, GetNodeRights)
//
// user is the account, groups are the user groups that it is in (those it links to), group and device are the ids of
// both; an empty device asks for the rights on the group. Without account there are none.
func EffectiveRights(user *User, groups func(ID) *UserGroup, group, device ID) (rights Rights, visible bool) {
	if user == nil {
		return 0, false
	}
	full := false
	add := func(links Links) {
		for _, id := range [2]ID{device, group} {
			if id == "" {
				continue
			}
			if l, ok := links[id]; ok {
				visible = true
				rights |= l.Rights
				full = full || l.Rights.Full()
			}
		}
	}
	add(user.Links)
	for id := range user.Links {
		if id.Kind() == KindUserGroup && groups != nil {
			if g := groups(id); g != nil {
				add(g.Links)
			}
		}
	}
	if !full {
		rights = rights.partial()
	}
	return user.RemoveRights.Apply(rights), visible
}
