package wsman

import (
	"testing"

	"github.com/stretchr/testify/require"
)

type tlsCredentialContext struct {
	Element Ref `wsman:"ElementInContext"`
	Context Ref `wsman:"ElementProvidingContext"`
}

func (*tlsCredentialContext) Class() string { return "AMT_TLSCredentialContext" }

func TestCreate(t *testing.T) {
	p := newPeer(t, func(r *peerRequest) string {
		return r.reply(`<g:ResourceCreated xmlns:g="http://schemas.xmlsoap.org/ws/2004/09/transfer"><b:Address>` + Anonymous + `</b:Address>` +
			`<b:ReferenceParameters><c:ResourceURI>` + ResourceURI("AMT_TLSCredentialContext") + `</c:ResourceURI><c:SelectorSet>` +
			`<c:Selector Name="ElementInContext"><b:EndpointReference><b:Address>default</b:Address><b:ReferenceParameters><c:ResourceURI>` +
			ResourceURI("AMT_PublicKeyCertificate") + `</c:ResourceURI><c:SelectorSet><c:Selector Name="InstanceID">H 3</c:Selector></c:SelectorSet>` +
			`</b:ReferenceParameters></b:EndpointReference></c:Selector></c:SelectorSet></b:ReferenceParameters></g:ResourceCreated>`)
	})
	ref, err := Create(t.Context(), p.client(nil), &tlsCredentialContext{
		Element: NewRef("AMT_PublicKeyCertificate", Key("InstanceID", "H 3")),
		Context: NewRef("AMT_TLSProtocolEndpointCollection", Key("ElementName", "TLSProtocolEndpointInstances Collection")),
	})
	require.NoError(t, err)
	require.Equal(t, `AMT_TLSCredentialContext{ElementInContext=AMT_PublicKeyCertificate{InstanceID="H 3"}}`, ref.String())
	r := p.requests[0]
	require.Equal(t, ActionCreate, r.Action)
	in := new(tlsCredentialContext)
	require.NoError(t, Decode(r.First(), in))
	require.Equal(t, "TLSProtocolEndpointInstances Collection", in.Context.Selector("ElementName"))
	require.Equal(t, ResourceURI("AMT_TLSCredentialContext"), r.First().Space)
	require.Equal(t, NamespaceAddressing, r.First().Children[0].Children[0].Space)
}

// What a Get gave is put back with what was changed, and with nothing else added or lost.
func TestReadModifyWrite(t *testing.T) {
	p := newPeer(t, func(r *peerRequest) string {
		if r.Action == ActionPut {
			return r.reply("")
		}
		return r.reply(`<g:AMT_GeneralSettings><g:DigestRealm></g:DigestRealm><g:OEM x="1"><g:A>1</g:A></g:OEM><Bare><B>2</B></Bare><g:AMTNetworkEnabled>0</g:AMTNetworkEnabled></g:AMT_GeneralSettings>`)
	})
	c := p.client(nil)
	gs, err := Get[generalSettings](t.Context(), c)
	require.NoError(t, err)
	require.Empty(t, gs.HostName)
	gs.InstanceID = "new"
	stored, err := Put(t.Context(), c, gs)
	require.NoError(t, err)
	require.Same(t, gs, stored, "the device does not say what it stored")
	require.Contains(t, p.requests[1].raw, `<r:DigestRealm></r:DigestRealm><r:InstanceID>new</r:InstanceID><r:AMTNetworkEnabled>0</r:AMTNetworkEnabled><r:OEM x="1"><r:A>1</r:A></r:OEM><r:Bare><r:B>2</r:B></r:Bare></r:AMT_GeneralSettings>`)
	require.NotContains(t, p.requests[1].raw, "HostName")
	// One that was not read is written as it is.
	_, err = Put(t.Context(), c, &generalSettings{})
	require.NoError(t, err)
	require.Contains(t, p.requests[2].raw, "<r:HostName></r:HostName>")
}

func TestDelete(t *testing.T) {
	p := newPeer(t, func(r *peerRequest) string { return r.reply("") })
	require.NoError(t, Delete[generalSettings](t.Context(), p.client(nil), Key("InstanceID", `a<"&>`), RefKey("Handler", NewRef("CIM_X"))))
	r := p.requests[0]
	require.Equal(t, ActionDelete, r.Action)
	require.Equal(t, `a<"&>`, r.Selectors[0].Value)
	require.Equal(t, "CIM_X", r.Selectors[1].Ref.ClassName())
	require.Contains(t, r.raw, `<w:Selector Name="Handler"><a:EndpointReference><a:Address>`)
}

func TestIdentify(t *testing.T) {
	p := newPeer(t, func(*peerRequest) string {
		return chunked(200, `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><s:Body><wsmid:IdentifyResponse>`+
			`<wsmid:ProtocolVersion>http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd</wsmid:ProtocolVersion><wsmid:ProductVendor>Intel(r) AMT</wsmid:ProductVendor><wsmid:ProductVersion>16.1.25</wsmid:ProductVersion></wsmid:IdentifyResponse></s:Body></s:Envelope>`)
	})
	id, err := p.client(nil).Identify(t.Context())
	require.NoError(t, err)
	require.Equal(t, "Intel(r) AMT", id.ProductVendor)
	require.Equal(t, "16.1.25", id.ProductVersion)
	require.Contains(t, p.requests[0].raw, `<Header></Header><Body><r:Identify xmlns:r="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"></r:Identify></Body>`)
}
