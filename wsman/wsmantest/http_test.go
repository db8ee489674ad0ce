package wsmantest_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// TestChallenge compares a 401 with one of real firmware (AMT 16.1).
func TestChallenge(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	require.Equal(t, 401, c.send("", "<x/>"))
	assert.Equal(t, "text/html", c.header.Get("Content-Type"))
	assert.Equal(t, "Intel(R) Active Management Technology 16.1.25.1917", c.header.Get("Server"))
	assert.Regexp(t, `^Digest realm="Digest:[0-9A-F]{32}", nonce="[A-Za-z0-9+/]{32}",stale="false",qop="auth-int, auth"$`, c.header.Get("Www-Authenticate"))
	assert.Contains(t, c.raw, "Log on failed. Incorrect user name or password, or user account temporarily locked.")
	assert.Nil(t, c.conn, "the socket is closed after a 401")
	assert.Empty(t, d.Calls())
}

// raw sends a request and returns all bytes that come until the device closes.
func raw(t testing.TB, d *wsmantest.Device, request string) string {
	t.Helper()
	ours, theirs := net.Pipe()
	go d.ServeConn(theirs, wsmantest.PortHTTP)
	go func() { _, _ = io.WriteString(ours, request) }()
	b, err := io.ReadAll(ours)
	require.NoError(t, err)
	return string(b)
}

// TestWireForm looks at the bytes of answers: MeshCentral's reader depends on them.
func TestWireForm(t *testing.T) {
	d := newDevice(t, wsmantest.Config{Quirks: wsmantest.Quirks{CloseAlways: true, ChunkSize: 0x425}})
	c := newClient(t, d)
	c.get("AMT_GeneralSettings") // learns the challenge
	body := c.request(wsman.ActionGet, wsman.ResourceURI("AMT_GeneralSettings"), "", "")
	c.nc++
	cred := credentials(c)
	a := c.challenge.Authorize(&cred, "POST", "/wsman", []byte(body), c.nc, c.cnonce)
	answer := raw(t, d, "POST /wsman HTTP/1.1\r\nAuthorization: "+string(a.Append(nil))+"\r\nHost: x\r\nContent-Length: "+
		strings.TrimSpace(itoa(len(body)))+"\r\n\r\n"+body)
	head, rest, found := strings.Cut(answer, "\r\n\r\n")
	require.True(t, found)
	assert.True(t, strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n"), head)
	assert.Contains(t, head, "\r\nServer: Intel(R) Active Management Technology 16.1.25.1917\r\n")
	assert.Contains(t, head, "\r\nTransfer-Encoding: chunked\r\n")
	assert.NotContains(t, head, "Content-Length")
	assert.True(t, strings.HasPrefix(rest, "0425\r\n<?xml version=\"1.0\" encoding=\"UTF-8\"?><a:Envelope "), rest)
	assert.True(t, strings.HasSuffix(rest, "\r\n0\r\n\r\n"))
}

// TestFragileReader checks what MeshCentral's parser of XML needs: no short forms, no attributes on data, all namespaces on
// the envelope, nothing between elements, ResourceURI in every header.
func TestFragileReader(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	check := func(what string) {
		t.Helper()
		assert.NotContains(t, c.raw, "/>", what)
		assert.NotContains(t, c.raw, "<!", what)
		_, body, _ := strings.Cut(c.raw, ":Body>")
		assert.NotContains(t, body, "xmlns", what)
		assert.NotRegexp(t, `<(g|h):[A-Za-z0-9]+ `, body, what)
		assert.NotRegexp(t, `>\s+<`, c.raw, what)
		assert.NotContains(t, c.raw, "\n", what)
		assert.Contains(t, c.raw, "<c:ResourceURI>http://", what)
	}
	for _, class := range []string{"AMT_GeneralSettings", "IPS_HostBasedSetupService", "CIM_ComputerSystemPackage", "CIM_Card", "CIM_BIOSElement", "CIM_Chassis"} {
		c.get(class)
		check(class)
	}
	for _, class := range []string{
		"AMT_PublicKeyCertificate", "AMT_EthernetPortSettings", "CIM_SystemPackaging", "CIM_Chip", "CIM_Processor", "CIM_PhysicalMemory",
		"CIM_MediaAccessDevice", "CIM_PhysicalPackage", "CIM_ServiceAvailableToElement",
	} {
		c.ask(wsman.ActionEnumerate, class, "", `<Enumerate xmlns="`+wsman.NamespaceEnumeration+`" />`)
		check(class)
		c.list(class)
		check(class)
	}
	assert.Equal(t, 2, c.dials, "the first 401 ends a connection, all else goes over another one")
}

// TestGetSample compares an answer with that of the documents, byte by byte.
func TestGetSample(t *testing.T) {
	d := newDevice(t, wsmantest.Config{Version: "12"})
	c := newClient(t, d)
	c.id = 6
	c.get("AMT_TLSSettingData", "InstanceID", "Intel(r) AMT 802.3 TLS Settings")
	want := `<?xml version="1.0" encoding="UTF-8"?><a:Envelope xmlns:a="http://www.w3.org/2003/05/soap-envelope" xmlns:b="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:c="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:g="http://intel.com/wbem/wscim/1/amt-schema/1/AMT_TLSSettingData" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><a:Header><b:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</b:To><b:RelatesTo>7</b:RelatesTo><b:Action a:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/09/transfer/GetResponse</b:Action><b:MessageID>uuid:00000000-8086-8086-8086-000000000001</b:MessageID><c:ResourceURI>http://intel.com/wbem/wscim/1/amt-schema/1/AMT_TLSSettingData</c:ResourceURI></a:Header><a:Body><g:AMT_TLSSettingData><g:AcceptNonSecureConnections>false</g:AcceptNonSecureConnections><g:ElementName>Intel(r) AMT 802.3 TLS Settings</g:ElementName><g:Enabled>false</g:Enabled><g:InstanceID>Intel(r) AMT 802.3 TLS Settings</g:InstanceID><g:MutualAuthentication>false</g:MutualAuthentication></g:AMT_TLSSettingData></a:Body></a:Envelope>`
	assert.Equal(t, want, c.raw)
}

// TestFaultSample does so for a fault.
func TestFaultSample(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	assert.Equal(t, "DestinationUnreachable", c.refused(wsman.ActionGet, "AMT_NoSuchClass", "", ""))
	_, body, _ := strings.Cut(c.raw, "<a:Body>")
	assert.Equal(t, `<a:Fault><a:Code><a:Value>a:Sender</a:Value><a:Subcode><a:Value>b:DestinationUnreachable</a:Value></a:Subcode></a:Code><a:Reason><a:Text xml:lang="en-US">No route can be determined to reach the destination role defined by the WSAddressing To.</a:Text></a:Reason><a:Detail></a:Detail></a:Fault></a:Body></a:Envelope>`, body)
	assert.ErrorIs(t, c.envelope().Fault(), wsman.ErrUnsupported)
}

func TestHTTPOddities(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	for name, test := range map[string]struct{ request, want string }{
		"garbage":       {"\x16\x03\x01\x00\xa5\r\n\r\n", "HTTP/1.1 400 "},
		"other path":    {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 404 "},
		"a GET":         {"GET /wsman HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 401 "},
		"endless head":  {"POST /wsman HTTP/1.1\r\nX: " + strings.Repeat("a", 20<<10) + "\r\n\r\n", ""},
		"huge body":     {"POST /wsman HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n" + strings.Repeat("a", 70000), "HTTP/1.1 413 "},
		"not a digest":  {"POST /wsman HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YTpi\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 401 "},
		"nothing":       {"POST /wsman HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 401 "},
		"chunked":       {"POST /wsman HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "HTTP/1.1 401 "},
		"chunks at end": {"POST /wsman HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", "HTTP/1.1 413 "},
	} {
		t.Run(name, func(t *testing.T) {
			answer := raw(t, d, test.request)
			assert.True(t, strings.HasPrefix(answer, test.want), answer)
			if test.want == "" {
				assert.Empty(t, answer)
			}
		})
	}
}

// TestSplitRequest sends a request byte by byte, and two at once.
func TestSplitRequest(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	one := "GET /no HTTP/1.1\r\nHost: x\r\n\r\n"
	ours, theirs := net.Pipe()
	go d.ServeConn(theirs, wsmantest.PortHTTP)
	done := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(ours)
		done <- b
	}()
	for i := range one {
		_, err := io.WriteString(ours, one[i:i+1])
		require.NoError(t, err)
	}
	_, err := io.WriteString(ours, one+"GET /no HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	assert.Equal(t, 3, bytes.Count(<-done, []byte("HTTP/1.1 404 ")))
}

func TestContentLength(t *testing.T) {
	d := newDevice(t, wsmantest.Config{Quirks: wsmantest.Quirks{ContentLength: true}})
	c := newClient(t, d)
	c.get("AMT_GeneralSettings")
	assert.Equal(t, itoa(len(c.raw)), c.header.Get("Content-Length"))
	assert.NotNil(t, c.conn, "with Connection: close MeshCentral takes the body for empty")
}

func TestServerHeader(t *testing.T) {
	d := newDevice(t, wsmantest.Config{Server: "AMT"})
	c := newClient(t, d)
	c.get("AMT_GeneralSettings")
	assert.Equal(t, "AMT", c.header.Get("Server"))
}

func TestChunkedRequest(t *testing.T) {
	for refuse, want := range map[bool]int{false: 401, true: 400} {
		d := newDevice(t, wsmantest.Config{Quirks: wsmantest.Quirks{RefuseChunked: refuse}})
		c := newClient(t, d)
		assert.Equal(t, want, c.exchange("POST /wsman HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
	}
}

func TestIdentify(t *testing.T) {
	d := newDevice(t, wsmantest.Config{})
	c := newClient(t, d)
	status := c.post(`<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><s:Header></s:Header><s:Body><wsmid:Identify></wsmid:Identify></s:Body></s:Envelope>`)
	require.Equal(t, http.StatusOK, status)
	e := c.envelope().First()
	assert.Equal(t, "Intel(r) AMT", e.ChildText("ProductVendor"))
	assert.Equal(t, "16.1.25", e.ChildText("ProductVersion"))
}
