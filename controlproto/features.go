package controlproto

// Features is what a server can do or forbids, the first of two words ("features" in [ServerDetails]).
type Features uint32

// Bits of [Features] (webserver.js, getDomainUserFeatures).
const (
	FeatureWANOnly         Features = 1 << 0
	FeatureLANOnly         Features = 1 << 1
	FeatureSingleUser      Features = 1 << 2
	FeatureNoServerFiles   Features = 1 << 3
	FeatureNoMutualCIRA    Features = 1 << 4
	FeatureFraming         Features = 1 << 5 // pages may stand in a frame
	FeatureEmailInvites    Features = 1 << 6
	FeatureWebRTC          Features = 1 << 7
	FeatureDesktopQuality  Features = 1 << 9
	FeatureNoCIRA          Features = 1 << 10
	FeatureSelfUpdate      Features = 1 << 11
	FeatureTwoFactor       Features = 1 << 12
	FeatureNoAgentProxy    Features = 1 << 13 // agents do not use a proxy
	FeatureYubiKey         Features = 1 << 14
	FeatureGeolocation     Features = 1 << 15
	FeaturePasswordHints   Features = 1 << 16
	FeatureWebAuthn        Features = 1 << 17
	FeatureForceTwoFactor  Features = 1 << 18
	FeatureDomainLogin     Features = 1 << 19 // SSPI or LDAP
	FeatureAMTACM          Features = 1 << 20
	FeatureUsernameIsEmail Features = 1 << 21
	FeatureMQTT            Features = 1 << 22
	FeatureEmailTwoFactor  Features = 1 << 23
	FeatureInviteCodes     Features = 1 << 24
	FeatureSMS             Features = 1 << 25
	FeatureSMSTwoFactor    Features = 1 << 26
	FeatureRecording       Features = 1 << 27
	FeatureNoURLSwitching  Features = 1 << 28
	FeatureNoNoVNC         Features = 1 << 29
	FeatureNoWebRDP        Features = 1 << 30
	FeatureUntrustedCert   Features = 1 << 31
)

// Has tells whether all bits of want are set.
func (f Features) Has(want Features) bool { return f&want == want }

// String names the bits.
func (f Features) String() string {
	return bitNames(uint32(f), "none", "WAN only", "LAN only", "single user", "no server files", "no mutual CIRA", "framing",
		"e-mail invites", "WebRTC", "0x100", "desktop quality", "no CIRA", "self-update", "two factors", "no agent proxy",
		"YubiKey", "geolocation", "password hints", "WebAuthn", "two factors forced", "domain login", "AMT ACM",
		"user name is e-mail", "MQTT", "e-mail codes", "invite codes", "SMS", "SMS codes", "recording", "no URL switching",
		"no noVNC", "no web RDP", "untrusted certificate")
}

// Features2 is the second word ("features2"). Servers send it negative when the last bit is set; it is read as
// unsigned.
type Features2 uint32

// Bits of [Features2] (webserver.js, getDomainUserFeatures).
const (
	Feature2AMTManager        Features2 = 1 << 0
	Feature2Firebase          Features2 = 1 << 1
	Feature2TwoWayPush        Features2 = 1 << 2
	Feature2WebPush           Features2 = 1 << 3
	Feature2NoAgentUpdate     Features2 = 1 << 4
	Feature2AMTProvisioning   Features2 = 1 << 5
	Feature2PushTwoFactor     Features2 = 1 << 6
	Feature2LoginTokens       Features2 = 1 << 7
	Feature2TokenSession      Features2 = 1 << 8 // this session logged in with a login token
	Feature2SSH               Features2 = 1 << 9
	Feature2NoLocalRecording  Features2 = 1 << 10
	Feature2NoClipboardGet    Features2 = 1 << 11
	Feature2NoClipboardSet    Features2 = 1 << 12
	Feature2DesktopViewOnly   Features2 = 1 << 13
	Feature2MailServer        Features2 = 1 << 14
	Feature2SearchBothNames   Features2 = 1 << 15
	Feature2IPKVM             Features2 = 1 << 16
	Feature2NoTOTP            Features2 = 1 << 17
	Feature2NoBackupCodes     Features2 = 1 << 18
	Feature2NoSingleWarning   Features2 = 1 << 19 // does not warn of a single second factor
	Feature2Night             Features2 = 1 << 20
	Feature2Day               Features2 = 1 << 21
	Feature2NoCredentialStore Features2 = 1 << 22 // does not keep credentials of devices
	Feature2NoSFTPButton      Features2 = 1 << 23
	Feature2NoSSHButton       Features2 = 1 << 24
	Feature2Messaging         Features2 = 1 << 25
	Feature2MessageTwoFactor  Features2 = 1 << 26
	Feature2ScrollToTop       Features2 = 1 << 27
	Feature2SearchByGroup     Features2 = 1 << 28
	Feature2Duo               Features2 = 1 << 29
	Feature2UIToggle          Features2 = 1 << 30
	Feature2ModernUI          Features2 = 1 << 31
)

// Has tells whether all bits of want are set.
func (f Features2) Has(want Features2) bool { return f&want == want }

// String names the bits.
func (f Features2) String() string {
	return bitNames(uint32(f), "none", "AMT manager", "Firebase", "two-way push", "web push", "no agent update", "AMT provisioning",
		"push confirmation", "login tokens", "token session", "SSH", "no local recording", "no clipboard get", "no clipboard set",
		"desktop view only", "mail server", "search both names", "IP-KVM", "no TOTP", "no backup codes", "no single factor warning",
		"night", "day", "no stored credentials", "no SFTP button", "no SSH button", "messaging", "message codes", "scroll to top",
		"search by group", "Duo", "UI toggle", "modern UI")
}
