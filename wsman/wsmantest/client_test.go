package wsmantest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/leakcheck"
	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/digest"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// newDevice makes a device that is closed when the test ends, and that bears a test which is slow.
func newDevice(t testing.TB, cfg wsmantest.Config) *wsmantest.Device {
	if cfg.IdleTime == 0 {
		cfg.IdleTime = 10 * time.Minute
	}
	d := wsmantest.New(cfg)
	t.Cleanup(d.Close)
	return d
}

// client is a client that shows everything: it keeps its connection as long as the device does, and answers challenges.
type client struct {
	t          testing.TB
	d          *wsmantest.Device
	port       uint16
	user, pass string

	conn      net.Conn
	in        *bufio.Reader
	challenge digest.Challenge
	nc        uint32
	cnonce    string
	id        int
	dials     int
	header    http.Header // of the last answer
	raw       string      // the body of the last answer
}

func newClient(t testing.TB, d *wsmantest.Device) *client {
	c := &client{t: t, d: d, port: wsmantest.PortHTTP, user: "admin", pass: wsmantest.DefaultPassword, cnonce: "0a4f113b5b6a2f1d0a4f113b5b6a2f1d"}
	t.Cleanup(c.close)
	return c
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

func (c *client) dial() {
	if c.conn != nil {
		return
	}
	ours, theirs := net.Pipe()
	go c.d.ServeConn(theirs, c.port)
	c.conn, c.in = ours, bufio.NewReader(ours)
	c.dials++
}

// send sends one request and returns the answer's status, or 0 if there was none. The Host is MeshCentral's over CIRA.
func (c *client) send(authorization, body string) int {
	c.dial()
	head := "POST /wsman HTTP/1.1\r\n"
	if authorization != "" {
		head += "Authorization: " + authorization + "\r\n"
	}
	return c.exchange(head + "Host: node//abc@def$:16992\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

// exchange sends bytes and reads an answer.
func (c *client) exchange(request string) int {
	c.dial()
	conn, done := c.conn, make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.WriteString(conn, request)
	}()
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.close()
		<-done
		return 0
	}
	b, err := io.ReadAll(resp.Body)
	c.header, c.raw = resp.Header, string(b)
	if err != nil || resp.Close {
		c.close()
	}
	<-done
	if err != nil {
		return -resp.StatusCode
	}
	return resp.StatusCode
}

// post sends a request with credentials, as firmware's clients do: at once if there is a challenge, else after one, and
// again after a 401, once.
func (c *client) post(body string) int {
	for attempt := 0; ; attempt++ {
		authorization := ""
		if c.challenge.Nonce != "" {
			c.nc++
			cred := &digest.Credentials{Username: c.user, Password: wsman.NewSecret(c.pass)}
			a := c.challenge.Authorize(cred, "POST", "/wsman", []byte(body), c.nc, c.cnonce)
			authorization = string(a.Append(nil))
		}
		status := c.send(authorization, body)
		if status != http.StatusUnauthorized || attempt == 2 {
			return status
		}
		c.learn()
	}
}

// learn takes the challenge of the last answer.
func (c *client) learn() {
	c.t.Helper()
	challenge, err := digest.ParseChallenge(c.header.Get("Www-Authenticate"))
	require.NoError(c.t, err)
	c.challenge = challenge
}

// request writes an envelope as MeshCentral does: SOAP as the default namespace, empty elements in the short form.
func (c *client) request(action, uri, selectors, body string) string {
	c.id++
	return `<?xml version="1.0" encoding="utf-8"?><Envelope xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"` +
		` xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"` +
		` xmlns="http://www.w3.org/2003/05/soap-envelope" ><Header><a:Action>` + action + `</a:Action><a:To>/wsman</a:To><w:ResourceURI>` + uri +
		`</w:ResourceURI><a:MessageID>` + strconv.Itoa(c.id) + `</a:MessageID><a:ReplyTo><a:Address>` + wsman.Anonymous +
		`</a:Address></a:ReplyTo><w:OperationTimeout>PT60S</w:OperationTimeout>` + selectors + `</Header><Body>` + body + `</Body></Envelope>`
}

// selector writes selectors, names and values in turn.
func selector(pairs ...string) string {
	s := "<w:SelectorSet>"
	for i := 0; i+1 < len(pairs); i += 2 {
		s += fmt.Sprintf(`<w:Selector Name="%s">%s</w:Selector>`, pairs[i], pairs[i+1])
	}
	return s + "</w:SelectorSet>"
}

// epr writes a reference as MeshCentral does in method calls.
func epr(class string, pairs ...string) string {
	s := `<Address xmlns="` + wsman.NamespaceAddressing + `">` + wsman.NamespaceAddressing + `</Address><ReferenceParameters xmlns="` +
		wsman.NamespaceAddressing + `"><ResourceURI xmlns="` + wsman.NamespaceWSMan + `">` + wsman.ResourceURI(class) + `</ResourceURI><SelectorSet xmlns="` +
		wsman.NamespaceWSMan + `">`
	for i := 0; i+1 < len(pairs); i += 2 {
		s += fmt.Sprintf(`<Selector Name="%s">%s</Selector>`, pairs[i], pairs[i+1])
	}
	return s + "</SelectorSet></ReferenceParameters>"
}

// envelope parses the last answer.
func (c *client) envelope() *wsman.Envelope {
	c.t.Helper()
	env, err := wsman.ParseEnvelope([]byte(c.raw), wsman.Limits{})
	require.NoError(c.t, err, c.raw)
	return env
}

// ask sends a request that shall succeed and returns the first element of the body, nil if it is empty.
func (c *client) ask(action, class, selectors, body string) *wsman.Element {
	c.t.Helper()
	require.Equal(c.t, 200, c.post(c.request(action, wsman.ResourceURI(class), selectors, body)), c.raw)
	return c.envelope().First()
}

// refused sends a request that shall end in a fault and returns its subcode.
func (c *client) refused(action, class, selectors, body string) string {
	c.t.Helper()
	status := c.post(c.request(action, wsman.ResourceURI(class), selectors, body))
	require.Equal(c.t, 400, status, c.raw)
	f := c.envelope().Fault()
	require.NotNil(c.t, f, c.raw)
	require.NotEmpty(c.t, f.Reason)
	return f.Subcode.Local
}

func (c *client) get(class string, pairs ...string) *wsman.Element {
	c.t.Helper()
	selectors := ""
	if len(pairs) > 0 {
		selectors = selector(pairs...)
	}
	e := c.ask(wsman.ActionGet, class, selectors, "")
	require.Equal(c.t, class, e.Name)
	require.Equal(c.t, wsman.ResourceURI(class), e.Space)
	return e
}

// list enumerates a class, over all pages.
func (c *client) list(class string) []wsman.Element {
	c.t.Helper()
	e := c.ask(wsman.ActionEnumerate, class, "", `<Enumerate xmlns="`+wsman.NamespaceEnumeration+`" />`)
	var out []wsman.Element
	for context := e.ChildText("EnumerationContext"); context != ""; context = e.ChildText("EnumerationContext") {
		e = c.ask(wsman.ActionPull, class, "", `<Pull xmlns="`+wsman.NamespaceEnumeration+`"><EnumerationContext>`+context+
			`</EnumerationContext><MaxElements>999</MaxElements><MaxCharacters>99999</MaxCharacters></Pull>`)
		if items := e.Child("Items"); items != nil {
			out = append(out, items.Children...)
		}
	}
	require.NotNil(c.t, e.Child("EndOfSequence"))
	return out
}

// invoke calls a method with XML inside its input, and returns the output and ReturnValue.
func (c *client) invoke(class, method, in string, pairs ...string) (*wsman.Element, int) {
	c.t.Helper()
	selectors := ""
	if len(pairs) > 0 {
		selectors = selector(pairs...)
	}
	uri := wsman.ResourceURI(class)
	e := c.ask(uri+"/"+method, class, selectors, `<r:`+method+`_INPUT xmlns:r="`+uri+`">`+in+`</r:`+method+`_INPUT>`)
	require.Equal(c.t, method+"_OUTPUT", e.Name)
	value, err := strconv.Atoi(e.ChildText("ReturnValue"))
	require.NoError(c.t, err)
	return e, value
}

// call calls a method that shall return a value.
func (c *client) call(want int, class, method string, pairs ...string) *wsman.Element {
	c.t.Helper()
	e, value := c.invoke(class, method, params(pairs...))
	require.Equal(c.t, want, value, "%s.%s", class, method)
	return e
}

// params writes parameters, names and XML in turn.
func params(pairs ...string) string {
	var s strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(&s, "<r:%s>%s</r:%s>", pairs[i], pairs[i+1], pairs[i])
	}
	return s.String()
}

// put writes an instance back: what was read, with some properties changed, names and values in turn. A nil element begins
// with nothing.
func putBody(class string, from *wsman.Element, pairs ...string) string {
	var s strings.Builder
	fmt.Fprintf(&s, `<r:%s xmlns:r="%s">`, class, wsman.ResourceURI(class))
	changed := map[string]bool{}
	for i := 0; i+1 < len(pairs); i += 2 {
		changed[pairs[i]] = true
	}
	if from != nil {
		for _, p := range from.Children {
			if !changed[p.Name] && len(p.Children) == 0 && p.Text != "" {
				fmt.Fprintf(&s, "<r:%s>%s</r:%s>", p.Name, p.Text, p.Name)
			}
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(&s, "<r:%s>%s</r:%s>", pairs[i], pairs[i+1], pairs[i])
	}
	return s.String() + "</r:" + class + ">"
}

// ref reads the reference in an output parameter: its class and one selector.
func ref(e *wsman.Element, name, key string) string {
	for _, s := range e.Path(name, "ReferenceParameters", "SelectorSet").Children {
		if s.Attr("Name") == key {
			return s.Text
		}
	}
	return ""
}
