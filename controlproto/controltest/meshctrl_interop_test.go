//go:build !js

package controltest_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controltest"
	"github.com/meshcentral-go/sdk/internal/interop"
)

// The stock command-line client logs in with everything that it knows, and reads the answers as those of its own server.
func TestStockMeshctrl(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral)
	s := controltest.NewServer(t)
	bob := s.AddUser("Bob", "pw", 0)
	otp := s.AddUser("otp", "pw", 0)
	s.AddUser("toolless", "pw", controlproto.SiteNoTools)
	s.RequireCode(otp, "123456", controlproto.Factors{Email: true})
	s.AddToken("~t:0123456789abcdef", "secret", bob)
	s.AddDevice("mesh//lab", controlproto.Device{ID: "node//pc1", Name: "pc1"})
	s.AddGroup(controlproto.DeviceGroup{Type: "mesh", ID: "mesh//lab", Name: "lab", GroupType: controlproto.GroupAgent})
	codec := controlproto.CookieCodec{Key: s.CookieKey()}
	cookie, err := codec.Encode(controlproto.LoginTokenCookie(bob))
	require.NoError(t, err)
	expired, err := codec.Encode(controlproto.Cookie{
		User: bob, Action: controlproto.CookieLoginToken, Time: time.Now().Add(-2 * time.Hour),
	})
	require.NoError(t, err)
	elsewhere, err := controlproto.NewCookieKey(nil)
	require.NoError(t, err)

	for name, c := range map[string]struct {
		client interop.MeshctrlClient
		args   []string
		want   string
	}{
		"password, server":   {interop.MeshctrlClient{User: "bob", Password: "pw"}, []string{"serverinfo"}, `name: controltest`},
		"password":           {interop.MeshctrlClient{User: "BOB", Password: "pw"}, []string{"userinfo"}, `_id: user//bob`},
		"wrong password":     {interop.MeshctrlClient{User: "bob", Password: "x"}, []string{"userinfo"}, "Invalid login."},
		"unknown user":       {interop.MeshctrlClient{User: "nobody", Password: "x"}, []string{"userinfo"}, "Invalid login."},
		"code":               {interop.MeshctrlClient{User: "otp", Password: "pw", Token: "123456"}, []string{"userinfo"}, `_id: user//otp`},
		"no code":            {interop.MeshctrlClient{User: "otp", Password: "pw"}, []string{"userinfo"}, "Authentication token required"},
		"wrong code":         {interop.MeshctrlClient{User: "otp", Password: "pw", Token: "654321"}, []string{"userinfo"}, "Authentication token required"},
		"code by e-mail":     {interop.MeshctrlClient{User: "otp", Password: "pw", Token: "**email**"}, []string{"userinfo"}, "Authentication token required"},
		"login token":        {interop.MeshctrlClient{User: "~t:0123456789abcdef", Password: "secret"}, []string{"userinfo"}, `_id: user//bob`},
		"key":                {interop.MeshctrlClient{User: "bob", LoginKey: s.CookieKey().Hex()}, []string{"userinfo"}, `_id: user//bob`},
		"key, second factor": {interop.MeshctrlClient{User: "otp", LoginKey: s.CookieKey().Hex()}, []string{"userinfo"}, `_id: user//otp`},
		"another key":        {interop.MeshctrlClient{User: "bob", LoginKey: elsewhere.Hex()}, []string{"userinfo"}, "Invalid login"},
		"cookie":             {interop.MeshctrlClient{LoginKey: cookie.Reveal()}, []string{"userinfo"}, `_id: user//bob`},
		"expired cookie":     {interop.MeshctrlClient{LoginKey: expired.Reveal()}, []string{"userinfo"}, "Invalid login"},
		"devices":            {interop.MeshctrlClient{User: "bob", Password: "pw"}, []string{"listdevices"}, `"pc1"`},
		"groups":             {interop.MeshctrlClient{User: "bob", Password: "pw"}, []string{"listdevicegroups"}, `"lab"`},
		"a confirmation":     {interop.MeshctrlClient{User: "bob", Password: "pw"}, []string{"removedevicegroup", "--id", "mesh//lab"}, "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			c.client.URL = s.URL
			result, err := c.client.Run(ctx, c.args...)
			require.NoError(t, err)
			require.Contains(t, result.Output, c.want)
		})
	}
	require.Equal(t, []controlproto.FactorKind{controlproto.FactorEmail}, s.SentCodes(otp))
}
