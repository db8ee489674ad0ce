package amt_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
)

// An address, that AMT's roots are taken, and a timeout: as another console writes them.
const bootParameterSample = "hoABAA8AAABodHRwczovL3MvYS5lZmmGgBQAAQAAAAGGgB4AAgAAAAAA"

func TestBootParameters(t *testing.T) {
	var s amt.BootSettingData
	require.NoError(t, s.SetBootParameters(
		amt.NewBootText(amt.BootParameterURL, "https://s/a.efi"),
		amt.NewBootParameter(amt.BootParameterSyncRootCA, []byte{1}),
		amt.NewBootNumber(amt.BootParameterTimeout, 0),
	))
	require.Equal(t, bootParameterSample, s.UEFIBootParametersArray.Reveal())
	require.Equal(t, uint16(3), s.UEFIBootNumberOfParams)
	params, err := s.BootParameters()
	require.NoError(t, err)
	require.Len(t, params, 3)
	require.Equal(t, amt.BootParameterURL, params[0].Type)
	require.Equal(t, "https://s/a.efi", string(params[0].Value()))
	require.Equal(t, []byte{0, 0}, params[2].Value())

	require.NoError(t, s.SetBootParameters())
	require.Zero(t, s.UEFIBootNumberOfParams)
	require.Empty(t, s.UEFIBootParametersArray.Reveal())
	params, err = s.BootParameters()
	require.NoError(t, err)
	require.Empty(t, params)
}

func TestBootParameterLimits(t *testing.T) {
	for typ, longest := range map[amt.BootParameterType]int{
		amt.BootParameterURL: 300, amt.BootParameterFilePath: 300, amt.BootParameterFilePathLength: 2,
		amt.BootParameterImageSHA256: 32, amt.BootParameterImageSHA384: 48, amt.BootParameterImageSHA512: 64,
		amt.BootParameterOptionalData: 50, amt.BootParameterSyncRootCA: 1, amt.BootParameterServerName: 256,
		amt.BootParameterNameVerification: 2, amt.BootParameterServerSHA256: 32, amt.BootParameterServerSHA384: 48,
		amt.BootParameterServerSHA512: 64, amt.BootParameterTimeout: 2, amt.BootParameterUser: 16, amt.BootParameterPassword: 16,
	} {
		var s amt.BootSettingData
		require.NoError(t, s.SetBootParameters(amt.NewBootParameter(typ, make([]byte, longest))), typ)
		require.Error(t, s.SetBootParameters(amt.NewBootParameter(typ, make([]byte, longest+1))), typ)
		require.Error(t, s.SetBootParameters(amt.NewBootParameter(typ, nil)), typ)
	}
	var s amt.BootSettingData
	many := make([]amt.BootParameter, 14)
	for i := range many {
		many[i] = amt.NewBootParameter(amt.BootParameterURL, make([]byte, 300))
	}
	require.ErrorContains(t, s.SetBootParameters(many...), "permitted are 1024")
}

func TestBootParametersMalformed(t *testing.T) {
	for _, text := range []string{
		"*", "hoABAA8A", // no base64, and less than a head
		"hoABAA8AAABodHRwczovL3MvYS5lZg==", // a value that ends early
		"hoABAP////8A",                     // a length that is not there
		"AAABAAEAAAAB",                     // another vendor
	} {
		_, err := (&amt.BootSettingData{UEFIBootParametersArray: wsman.NewSecret(text)}).BootParameters()
		require.Error(t, err, text)
	}
	_, err := (&amt.BootSettingData{UEFIBootParametersArray: wsman.NewSecret(string(make([]byte, 1<<20)))}).BootParameters()
	require.ErrorContains(t, err, "more than 1024")
}

// reparse says that what can be read can be read again after it was written.
func reparse(t *testing.T, text string) {
	t.Helper()
	params, err := (&amt.BootSettingData{UEFIBootParametersArray: wsman.NewSecret(text)}).BootParameters()
	if err != nil {
		return
	}
	var s amt.BootSettingData
	if s.SetBootParameters(params...) != nil {
		return
	}
	again, err := s.BootParameters()
	require.NoError(t, err)
	require.Len(t, again, len(params))
	for i := range params {
		require.Equal(t, params[i].Type, again[i].Type)
		require.Equal(t, params[i].Value(), again[i].Value())
	}
}

func TestBootParameterIsNotPrinted(t *testing.T) {
	p := amt.NewBootText(amt.BootParameterPassword, "very-secret")
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", p, p, p), "very")
}

// What firmware reports for reading only must not be in a Put.
func TestBootSettingDataForPut(t *testing.T) {
	const answer = `<g:AMT_BootSettingData xmlns:g="g"><g:BIOSLastStatus>0</g:BIOSLastStatus><g:BIOSLastStatus>0</g:BIOSLastStatus><g:BIOSPause>false</g:BIOSPause><g:BootMediaIndex>0</g:BootMediaIndex><g:BootguardStatus>127</g:BootguardStatus><g:EnforceSecureBoot>false</g:EnforceSecureBoot><g:InstanceID>Intel(r) AMT:BootSettingData 0</g:InstanceID><g:OptionsCleared>true</g:OptionsCleared><g:RPEEnabled>false</g:RPEEnabled><g:RSEPassword></g:RSEPassword><g:SecureBootControlEnabled>false</g:SecureBootControlEnabled><g:UEFIHTTPSBootEnabled>true</g:UEFIHTTPSBootEnabled><g:UEFILocalPBABootEnabled>true</g:UEFILocalPBABootEnabled><g:UefiBootNumberOfParams>0</g:UefiBootNumberOfParams><g:UefiBootParametersArray></g:UefiBootParametersArray><g:UseSOL>false</g:UseSOL><g:WinREBootEnabled>true</g:WinREBootEnabled></g:AMT_BootSettingData>`
	el, err := wsman.ParseElement([]byte(answer), wsman.Limits{})
	require.NoError(t, err)
	var s amt.BootSettingData
	require.NoError(t, wsman.Decode(el, &s))
	require.True(t, s.OptionsCleared)
	put := s.ForPut()
	put.UseSOL = true
	require.False(t, s.UseSOL)
	_, written := encode(t, message{"AMT_BootSettingData", "AMT_BootSettingData", put}, put)
	var names []string
	for _, c := range written.Children {
		names = append(names, c.Name)
	}
	require.Equal(t, []string{"BIOSPause", "BootMediaIndex", "EnforceSecureBoot", "InstanceID", "UefiBootNumberOfParams", "UseSOL"}, names)
	require.Equal(t, "true", written.ChildText("UseSOL"))
}

func TestTLSSettingDataForPut(t *testing.T) {
	s := amt.TLSSettingData{Enabled: true, NonSecureConnectionsSupported: new(true)}
	require.Nil(t, s.ForPut().NonSecureConnectionsSupported)
	require.True(t, s.ForPut().Enabled)
	require.NotNil(t, s.NonSecureConnectionsSupported)
}
