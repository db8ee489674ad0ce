package controlproto

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMeshAuth(t *testing.T) {
	// The first was recorded from meshctrl.js.
	for header, want := range map[string]MeshAuth{
		"YWRtaW4=,cHc=,MTIzNDU2":      {User: "admin", Password: NewSecret("pw"), Token: NewSecret("123456")},
		"YWRtaW4=,cHc=":               {User: "admin", Password: NewSecret("pw")},
		"YWRtaW4=,":                   {User: "admin"},
		"SsO2cmc=,KiplbWFpbCoq":       {User: "Jörg", Password: NewSecret("**email**")},
		"*":                           {Inside: true},
		"Kg==,Kg==":                   {User: "*", Password: NewSecret("*")},
		"fnQ6QUJD,MDEyMzQ1Njc4OSosIg": {User: "~t:ABC", Password: NewSecret(`0123456789*,"`)},
	} {
		got, err := ParseMeshAuth(header)
		require.NoError(t, err, header)
		require.Equal(t, want.User, got.User)
		require.True(t, want.Password.Equal(got.Password))
		require.True(t, want.Token.Equal(got.Token))
		require.Equal(t, want.Inside, got.Inside)
		text, err := got.Header()
		require.NoError(t, err)
		require.Equal(t, strings.TrimRight(header, "="), strings.TrimRight(text.Reveal(), "="))
	}
	got, err := ParseMeshAuth("YWRtaW4, cHc ,")
	require.NoError(t, err)
	require.Equal(t, "pw", got.Password.Reveal())
	require.Empty(t, got.Token.Reveal())

	secretPart := base64.StdEncoding.EncodeToString([]byte("hunter2"))
	for _, bad := range []string{
		"", "YWRtaW4=", "a,b,c,d", "**", "?," + secretPart, "YWRtaW4=," + secretPart + "?", "/w==," + secretPart,
		secretPart + "," + secretPart + ",_", strings.Repeat("A", 8193), strings.Repeat(",", 8192),
	} {
		_, err := ParseMeshAuth(bad)
		require.ErrorIs(t, err, ErrMeshAuth, bad)
		require.NotContains(t, err.Error(), secretPart[:6])
	}
	for _, bad := range []MeshAuth{
		{User: "a", Inside: true}, {Password: NewSecret("a"), Inside: true}, {Token: NewSecret("a"), Inside: true},
		{User: "\xff"}, {Password: NewSecret(strings.Repeat("x", 8000))},
	} {
		_, err := bad.Header()
		require.ErrorIs(t, err, ErrMeshAuth)
	}
}
