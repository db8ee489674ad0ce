package amt_test

import (
	"context"
	"fmt"
	"time"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
)

// A device is told to connect to a server by itself every ten minutes.
func ExampleRemoteAccessServiceAddMpServer() {
	setUp := func(ctx context.Context, c *wsman.Client) error {
		server, err := (&amt.RemoteAccessServiceAddMpServer{
			AccessInfo: "mps.example.org", InfoFormat: amt.InfoFormatFQDN, Port: 4433, CN: "mps.example.org",
			AuthMethod: amt.MPSAuthPassword, Username: "user", Password: wsman.NewSecret("P@ssw0rd"),
		}).Invoke(ctx, c)
		if err != nil {
			return err
		}
		_, err = (&amt.RemoteAccessServiceAddRemoteAccessPolicyRule{
			Trigger: amt.TriggerPeriodic, ExtendedData: amt.Every(10 * time.Minute), MpServer: []wsman.Ref{server.MpServer},
		}).Invoke(ctx, c)
		return err
	}
	_ = setUp
}

// Values have names, and secrets are not printed.
func Example() {
	in := amt.AuthorizationServiceSetAdminAclEntryEx{
		Username:       "admin",
		DigestPassword: amt.PasswordHash("admin", "Digest:0123456789ABCDEF0123456789ABCDEF", wsman.NewSecret("P@ssw0rd1")),
	}
	fmt.Printf("%+v\n", in)
	fmt.Println(amt.RedirectionStateBoth, amt.TriggerPeriodic, amt.Realm(23))
	// Output:
	// {Username:admin DigestPassword:[redacted]}
	// Both Periodic Realm(23)
}

// Programs that handle classes by their names make them by these.
func ExampleNew() {
	v := amt.New("AMT_TLSSettingData")
	el, err := wsman.ParseElement([]byte(`<AMT_TLSSettingData><Enabled>true</Enabled></AMT_TLSSettingData>`), wsman.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := wsman.Decode(el, v); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(v.Class(), v.(*amt.TLSSettingData).Enabled, amt.New("AMT_Nothing"), amt.Methods("AMT_AssetTableService"))
	// Output: AMT_TLSSettingData true <nil> [GetAssetTableData GetAssetTableSize RequestMediaDeviceTableUpdate]
}
