package controlproto

// SiteRights is what an account may do on the server itself (User.SiteRights, "siteadmin").
type SiteRights uint32

// Bits of [SiteRights] (control channel: webserver.js, SITERIGHT_*). The ones that restrict do not bind a full administrator.
const (
	SiteBackup       SiteRights = 1 << 0
	SiteManageUsers  SiteRights = 1 << 1
	SiteRestore      SiteRights = 1 << 2
	SiteFileAccess   SiteRights = 1 << 3 // files on the server
	SiteUpdate       SiteRights = 1 << 4
	SiteLocked       SiteRights = 1 << 5  // restricts: the account cannot log in
	SiteNoNewGroups  SiteRights = 1 << 6  // restricts: no new device groups
	SiteNoTools      SiteRights = 1 << 7  // restricts: no command line tools
	SiteUserGroups   SiteRights = 1 << 8  // manage user groups
	SiteRecordings   SiteRights = 1 << 9  // manage recordings
	SiteLockSettings SiteRights = 1 << 10 // restricts: own account cannot be changed
	SiteAllEvents    SiteRights = 1 << 11
	SiteNoNewDevices SiteRights = 1 << 12 // restricts
	SiteFull         SiteRights = 0xFFFFFFFF
)

var siteRightNames = []rightName{
	{uint32(SiteBackup), "backup"}, {uint32(SiteManageUsers), "manageusers"}, {uint32(SiteRestore), "restore"},
	{uint32(SiteFileAccess), "fileaccess"}, {uint32(SiteUpdate), "update"}, {uint32(SiteLocked), "locked"},
	{uint32(SiteNoNewGroups), "nonewgroups"}, {uint32(SiteNoTools), "notools"}, {uint32(SiteUserGroups), "usergroups"},
	{uint32(SiteRecordings), "recordings"}, {uint32(SiteLockSettings), "locksettings"}, {uint32(SiteAllEvents), "allevents"},
	{uint32(SiteNoNewDevices), "nonewdevices"},
}

// Full tells whether the account is a full administrator.
func (r SiteRights) Full() bool { return r == SiteFull }

// Has tells whether all bits of want are set.
func (r SiteRights) Has(want SiteRights) bool { return r&want == want }

// Restricted tells whether a restricting bit binds this account.
func (r SiteRights) Restricted(bit SiteRights) bool { return !r.Full() && r&bit != 0 }

// String names the bits with the words of meshctrl's --rights, joined by commas: "manageusers,locked", "full", "none".
func (r SiteRights) String() string { return formatRights(uint32(r), siteRightNames) }

// ParseSiteRights reads what String writes, and numbers. "serverbackup", "serverrestore" and "serverupdate" are known too.
func ParseSiteRights(s string) (SiteRights, error) {
	v, err := parseRights(s, siteRightNames, map[string]uint32{
		"serverbackup": uint32(SiteBackup), "serverrestore": uint32(SiteRestore), "serverupdate": uint32(SiteUpdate),
	})
	return SiteRights(v), err
}
