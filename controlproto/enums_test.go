package controlproto

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEnumStrings(t *testing.T) {
	for _, c := range []struct {
		v    fmt.Stringer
		want string
	}{
		{Connectivity(0), "offline"},
		{ConnAgent | ConnCIRA, "agent,cira"},
		{ConnAMTLocal | ConnAMTRelay | ConnMQTT, "amt,amtrelay,mqtt"},
		{ConnAgent | 1<<9, "agent,0x200"},
		{PowerUnknown, "unknown"},
		{PowerOn, "on"},
		{PowerOff, "off"},
		{PowerState(9), "PowerState(9)"},
		{IconDesktop, "desktop"},
		{IconVirtual, "virtual"},
		{Icon(200), "Icon(200)"},
		{GroupAMT, "Intel AMT"},
		{GroupAgent, "agent"},
		{GroupLocal, "local"},
		{GroupIPKVM, "IP-KVM"},
		{GroupType(0), "GroupType(0)"},
		{Consent(0), "none"},
		{ConsentDesktopNotify | ConsentPrivacyBar, "desktop notify,privacy bar"},
		{GroupAutoRemove | GroupAllowNameOverrides, "auto remove,name overrides"},
		{UserHasImage | UserRecordSessions, "image,record sessions"},
		{ShareTerminal | ShareHTTPS, "terminal,https"},
		{CapDesktop | CapCompression, "desktop,compression"},
		{AgentCaps(1 << 7), "reserved"},
		{MessagingTelegram | MessagingSlack, "telegram,slack"},
		{MessagingXMPP | MessagingNtfy, "xmpp,ntfy"},
		{HardwareKeyU2F, "U2F"},
		{HardwareKeyYubiKey, "YubiKey OTP"},
		{HardwareKeyWebAuthn, "WebAuthn"},
		{HardwareKeyType(9), "HardwareKeyType(9)"},
		{OTPAuthError(0), "none"},
		{OTPAuthTokenSession, "not with a login token"},
		{OTPAuthError(2), "OTPAuthError(2)"},
		{Features(0), "none"},
		{FeatureWANOnly | FeatureUntrustedCert, "WAN only,untrusted certificate"},
		{Features(1 << 8), "0x100"},
		{FeatureDesktopQuality | FeatureNoWebRDP, "desktop quality,no web RDP"},
		{Feature2AMTManager | Feature2ModernUI, "AMT manager,modern UI"},
		{Feature2LoginTokens | Feature2Duo, "login tokens,Duo"},
	} {
		require.Equal(t, c.want, c.v.String(), "%T", c.v)
	}
}

// The names of the features stand at their bits; these are two that a server of MeshCentral sent.
func TestFeaturesOfAServer(t *testing.T) {
	require.Equal(t, "WAN only,self-update,two factors,WebAuthn,untrusted certificate",
		(FeatureWANOnly | FeatureSelfUpdate | FeatureTwoFactor | FeatureWebAuthn | FeatureUntrustedCert).String())
	f := Features(2148669953)
	require.True(t, f.Has(FeatureWANOnly))
	require.False(t, f.Has(FeatureLANOnly))
	require.Equal(t, "AMT manager,login tokens", Features2(129).String())
}
