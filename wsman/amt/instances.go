package amt

import "github.com/meshcentral-go/sdk/wsman"

// The two instances of AMT_TLSSettingData, by their InstanceID. Their order in an enumeration is not fixed.
const (
	TLSRemote = "Intel(r) AMT 802.3 TLS Settings" // for the network
	TLSLocal  = "Intel(r) AMT LMS TLS Settings"   // for the host
)

// TLSEndpointsName is the ElementName of the one AMT_TLSProtocolEndpointCollection, as clients write it. Firmware answers
// with a further blank, [TLSEndpointsAnswered], and takes both.
const (
	TLSEndpointsName     = "TLSProtocolEndpointInstances Collection"
	TLSEndpointsAnswered = "TLSProtocolEndpoint Instances Collection"
)

// TLSEndpoints returns a reference to the one AMT_TLSProtocolEndpointCollection, for [TLSCredentialContext].
func TLSEndpoints() wsman.Ref {
	return wsman.NewRef("AMT_TLSProtocolEndpointCollection", wsman.Key("ElementName", TLSEndpointsName))
}

// Certificate returns a reference to a certificate by its InstanceID: "Intel(r) AMT Certificate: Handle: 1".
func Certificate(id string) wsman.Ref {
	return wsman.NewRef("AMT_PublicKeyCertificate", wsman.Key("InstanceID", id))
}

// KeyPair returns a reference to a key pair by its InstanceID: "Intel(r) AMT Key: Handle: 0".
func KeyPair(id string) wsman.Ref {
	return wsman.NewRef("AMT_PublicPrivateKeyPair", wsman.Key("InstanceID", id))
}

// MPS returns a reference to a CIRA server by its Name: "Intel(r) AMT:Management Presence Server 0".
func MPS(name string) wsman.Ref {
	return wsman.NewRef("AMT_ManagementPresenceRemoteSAP", wsman.Key("Name", name))
}

// The rules of CIRA, by their PolicyRuleName.
const (
	PolicyUserInitiated = "User Initiated"
	PolicyAlert         = "Alert"
	PolicyPeriodic      = "Periodic"
)

// The network interfaces, by InstanceID of AMT_EthernetPortSettings.
const (
	EthernetPortWired = "Intel(r) AMT Ethernet Port Settings 0"
	EthernetPortWiFi  = "Intel(r) AMT Ethernet Port Settings 1"
)
