package wsman

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/secret"
	"github.com/meshcentral-go/sdk/wsman/digest"
)

const (
	peerRealm    = "Digest:0123456789ABCDEF0123456789ABCDEF"
	peerServer   = "Intel(R) Active Management Technology 16.1.25.1917"
	peerPassword = "P@ssw0rd<1>"
)

// peer is a device by script: digest login, the connection closed after each 401, answers in chunks. The handler answers
// what got in; it returns the whole answer of HTTP, or "" to close the connection without one.
type peer struct {
	t      testing.TB
	digest *digest.Server
	handle func(r *peerRequest) string

	mu       sync.Mutex
	dials    int
	refuse   int // dials to refuse
	requests []*peerRequest
	conns    map[net.Conn]bool
	wg       sync.WaitGroup

	inFlight, most int
	seen           map[string][]uint64 // counts by nonce, as they came
}

type peerRequest struct {
	*Envelope
	conn   int
	header http.Header
	raw    string
	auth   digest.Authorization
	close  bool // to be set: close the connection after the answer
}

func newPeer(t testing.TB, handle func(r *peerRequest) string) *peer {
	p := &peer{
		t: t, handle: handle, conns: make(map[net.Conn]bool), seen: make(map[string][]uint64),
		digest: &digest.Server{
			Realm: peerRealm, Auth: true, AuthInt: true, Nonces: digest.NewNonces(0, 0),
			Lookup: func(user string) (digest.Credentials, bool) {
				return digest.Credentials{Username: "admin", Password: secret.New(peerPassword)}, user == "admin"
			},
		},
	}
	t.Cleanup(func() {
		p.mu.Lock()
		for c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

// config is patient: the load of the machine has no power over what a test counts.
func (p *peer) config() Config {
	return Config{
		Address: "device:16992", Dial: p.dial, Username: "admin", Password: NewSecret(peerPassword),
		Timeout: 10 * time.Minute, IdleTimeout: 10 * time.Minute,
	}
}

func (p *peer) client(change func(*Config)) *Client {
	cfg := p.config()
	if change != nil {
		change(&cfg)
	}
	c, err := NewClient(cfg)
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = c.Close() })
	return c
}

var errRefused = &net.OpError{Op: "dial", Err: errors.New("connection refused")}

func (p *peer) dial(context.Context, string, string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dials++
	if p.refuse > 0 {
		p.refuse--
		return nil, errRefused
	}
	ours, theirs := net.Pipe()
	p.conns[theirs] = true
	p.wg.Add(1)
	go p.serve(theirs, p.dials)
	return ours, nil
}

func (p *peer) serve(c net.Conn, number int) {
	defer p.wg.Done()
	defer func() {
		_ = c.Close()
		p.mu.Lock()
		delete(p.conns, c)
		p.mu.Unlock()
	}()
	br := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if len(r.TransferEncoding) > 0 || r.URL.Path != "/wsman" || r.Method != "POST" {
			p.t.Errorf("not a request of WS-Management: %v %v %v", r.Method, r.URL, r.TransferEncoding)
			return
		}
		e, err := ParseEnvelope(body, Limits{})
		if err != nil {
			p.t.Errorf("the request is no envelope: %v", err)
			return
		}
		answer, last := p.answer(&peerRequest{Envelope: e, conn: number, header: r.Header, raw: string(body)})
		if answer != "" {
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
		if answer == "" || last {
			return
		}
	}
}

func (p *peer) answer(r *peerRequest) (answer string, last bool) {
	header := r.header.Get("Authorization")
	if p.digest != nil {
		_, err := p.digest.Check(header, "POST", "/wsman", []byte(r.raw))
		if err != nil {
			return unauthorized(p.digest.Challenge(errors.Is(err, digest.ErrStale)).String()), true
		}
		r.auth, _ = digest.ParseAuthorization(header)
	}
	p.mu.Lock()
	p.requests = append(p.requests, r)
	if count, err := r.auth.Count(); err == nil {
		p.seen[r.auth.Nonce] = append(p.seen[r.auth.Nonce], count)
	}
	p.inFlight++
	p.most = max(p.most, p.inFlight)
	p.mu.Unlock()
	answer = p.handle(r)
	p.mu.Lock()
	p.inFlight--
	p.mu.Unlock()
	return answer, r.close
}

func (p *peer) count() (dials, requests int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dials, len(p.requests)
}

func unauthorized(challenge string) string {
	const page = "<html><body>Log on failed.</body></html>"
	return "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: " + challenge + "\r\nContent-Type: text/html\r\nServer: " + peerServer +
		"\r\nContent-Length: " + fmt.Sprint(len(page)) + "\r\nConnection: close\r\n\r\n" + page
}

// chunked is an answer of HTTP as firmware sends it.
func chunked(status int, body string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nDate: Mon, 20 Mar 2023 22:48:10 GMT\r\nServer: %s\r\nX-Frame-Options: DENY\r\n"+
		"Content-Type: application/soap+xml; charset=UTF-8\r\nTransfer-Encoding: chunked\r\n\r\n", status, http.StatusText(status), peerServer)
	for body != "" {
		n := min(len(body), 0x425)
		fmt.Fprintf(&b, "%04X\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	b.WriteString("0000\r\n\r\n")
	return b.String()
}

// soap is an envelope in the form of firmware around a body.
func soap(relatesTo, action, class, body string) string {
	uri := ResourceURI(class)
	return `<?xml version="1.0" encoding="UTF-8"?><a:Envelope xmlns:a="http://www.w3.org/2003/05/soap-envelope" ` +
		`xmlns:b="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:c="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" ` +
		`xmlns:g="` + uri + `" xmlns:h="http://schemas.xmlsoap.org/ws/2004/09/enumeration" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` +
		`<a:Header><b:To>` + Anonymous + `</b:To><b:RelatesTo>` + relatesTo + `</b:RelatesTo>` +
		`<b:Action a:mustUnderstand="true">` + action + `Response</b:Action><b:MessageID>uuid:00000000-8086-8086-8086-000000000101</b:MessageID>` +
		`<c:ResourceURI>` + uri + `</c:ResourceURI></a:Header><a:Body>` + body + `</a:Body></a:Envelope>`
}

// reply answers a request with a body.
func (r *peerRequest) reply(body string) string {
	return chunked(200, soap(r.MessageID, r.Action, ClassName(r.ResourceURI), body))
}

func (r *peerRequest) fault(subcode string) string {
	return chunked(400, `<?xml version="1.0" encoding="UTF-8"?><a:Envelope xmlns:a="http://www.w3.org/2003/05/soap-envelope" `+
		`xmlns:b="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:e="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><a:Header>`+
		`<b:RelatesTo>`+r.MessageID+`</b:RelatesTo><b:Action a:mustUnderstand="true">`+ActionFault+`</b:Action></a:Header><a:Body><a:Fault>`+
		`<a:Code><a:Value>a:Sender</a:Value><a:Subcode><a:Value>`+subcode+`</a:Value></a:Subcode></a:Code>`+
		`<a:Reason><a:Text xml:lang="en-US">No route can be determined.</a:Text></a:Reason><a:Detail></a:Detail></a:Fault></a:Body></a:Envelope>`)
}

type generalSettings struct {
	DigestRealm string `wsman:"DigestRealm"`
	HostName    string `wsman:"HostName"`
	InstanceID  string `wsman:"InstanceID"`
	Enabled     uint8  `wsman:"AMTNetworkEnabled"`
	Present     Present
	Extra       []Element
}

func (*generalSettings) Class() string { return "AMT_GeneralSettings" }

const generalBody = `<g:AMT_GeneralSettings><g:AMTNetworkEnabled>1</g:AMTNetworkEnabled><g:DigestRealm>Digest:0123456789ABCDEF0123456789ABCDEF</g:DigestRealm>` +
	`<g:DomainName></g:DomainName><g:HostName>pc1</g:HostName><g:IdleWakeTimeout>65535</g:IdleWakeTimeout>` +
	`<g:InstanceID>Intel(r) AMT: General Settings</g:InstanceID><g:PowerSource>0</g:PowerSource><g:SharedFQDN>true</g:SharedFQDN></g:AMT_GeneralSettings>`

func general(r *peerRequest) string { return r.reply(generalBody) }

func powerState(r *peerRequest) string {
	return r.reply(`<g:RequestPowerStateChange_OUTPUT><g:ReturnValue>0</g:ReturnValue></g:RequestPowerStateChange_OUTPUT>`)
}

var powerService = NewRef("CIM_PowerManagementService")

type powerInput struct {
	PowerState uint16 `wsman:"PowerState"`
	Element    Ref    `wsman:"ManagedElement"`
}

type output struct {
	ReturnValue uint32 `wsman:"ReturnValue"`
}

func invokePower(ctx context.Context, c *Client) (*output, error) {
	in := &powerInput{10, NewRef("CIM_ComputerSystem", Key("CreationClassName", "CIM_ComputerSystem"), Key("Name", "ManagedSystem"))}
	return Invoke[output](ctx, c, powerService, "RequestPowerStateChange", in, PTStatus)
}
