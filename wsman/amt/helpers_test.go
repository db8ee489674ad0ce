package amt_test

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
	"github.com/meshcentral-go/sdk/wsman/cim"
	"github.com/meshcentral-go/sdk/wsman/ips"
)

// The two forms of the hash, for the credentials of the digest vector of the protocol notes.
func TestPasswordHash(t *testing.T) {
	password := wsman.NewSecret("P@ssw0rd1")
	require.Equal(t, "+f36NyzB+kCYoBaNd6jCQQ==", amt.PasswordHash("admin", testRealm, password).Reveal())
	require.Equal(t, "f9fdfa372cc1fa4098a0168d77a8c241", ips.PasswordHash("admin", testRealm, password).Reveal())
}

func TestPeriods(t *testing.T) {
	text := base64.StdEncoding.EncodeToString
	require.Equal(t, "AAAAAAAAAAo=", text(amt.Every(10*time.Second)))
	require.Equal(t, "AAAAAQAAAA4AAAAe", text(amt.Daily(14, 30)))
	require.Equal(t, []byte{0, 0, 0, 0, 0, 0, 0, 1}, amt.Every(-time.Hour))
	require.Equal(t, []byte{0, 0, 0, 0, 0x80, 0, 0, 0}, amt.Every(1<<63-1))
}

func TestUUID(t *testing.T) {
	const text = "03020100-0504-0706-0809-0a0b0c0d0e0f"
	got, err := cim.PlatformUUID("000102030405060708090A0B0C0D0E0F")
	require.NoError(t, err)
	require.Equal(t, text, got)
	require.Equal(t, text, cim.UUIDText([16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}))
	for _, bad := range []string{"", "00", "zz0102030405060708090A0B0C0D0E0F", "000102030405060708090A0B0C0D0E0F00"} {
		_, err := cim.PlatformUUID(bad)
		require.Error(t, err, bad)
	}
}

func TestFixedInstances(t *testing.T) {
	require.Equal(t, "Intel(r) AMT: Force OCR UEFI Boot Option 2", cim.BootSourceOption(2))
	for ref, want := range map[*wsman.Ref]string{
		new(cim.BootSource(cim.BootSourceCD)):          `CIM_BootSourceSetting{InstanceID="Intel(r) AMT: Force CD/DVD Boot"}`,
		new(cim.BootConfig()):                          `CIM_BootConfigSetting{InstanceID="Intel(r) AMT: Boot Configuration 0"}`,
		new(cim.WiFiEndpointRef()):                     `CIM_WiFiEndpoint{Name="WiFi Endpoint 0"}`,
		new(cim.EventFilter(cim.EventFilterAllEvents)): `CIM_FilterCollection{InstanceID="Intel(r) AMT:AllEvents"}`,
		new(amt.TLSEndpoints()):                        `AMT_TLSProtocolEndpointCollection{ElementName="TLSProtocolEndpointInstances Collection"}`,
		new(amt.KeyPair("k")):                          `AMT_PublicPrivateKeyPair{InstanceID="k"}`,
		new(amt.MPS("m")):                              `AMT_ManagementPresenceRemoteSAP{Name="m"}`,
	} {
		require.Equal(t, want, ref.String())
	}
}
