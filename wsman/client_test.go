package wsman

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman/digest"
)

func TestGet(t *testing.T) {
	p := newPeer(t, general)
	c := p.client(nil)
	for range 3 {
		gs, err := Get[generalSettings](t.Context(), c)
		require.NoError(t, err)
		require.Equal(t, "pc1", gs.HostName)
		require.EqualValues(t, 1, gs.Enabled)
		require.Len(t, gs.Extra, 4)
	}
	require.Equal(t, peerServer, c.Server())
	require.Equal(t, "16.1.25.1917", ServerVersion(c.Server()))
	require.Equal(t, peerRealm, c.Realm())
	dials, requests := p.count()
	require.Equal(t, 2, dials, "one closed after the 401, one kept")
	require.Equal(t, 3, requests)
	r := p.requests[2]
	require.Equal(t, ActionGet, r.Action)
	require.Equal(t, "/wsman", r.To)
	require.Equal(t, Anonymous, r.ReplyTo)
	require.Equal(t, "3", r.MessageID)
	require.Equal(t, time.Minute, r.Timeout)
	require.Equal(t, "00000003", r.auth.NC)
	require.Equal(t, digest.AuthInt, r.auth.QOP)
	require.Empty(t, r.Body)
	require.Equal(t, `<?xml version="1.0" encoding="utf-8"?><Envelope xmlns="http://www.w3.org/2003/05/soap-envelope" `+
		`xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd">`+
		`<Header><a:Action>http://schemas.xmlsoap.org/ws/2004/09/transfer/Get</a:Action><a:To>/wsman</a:To>`+
		`<w:ResourceURI>http://intel.com/wbem/wscim/1/amt-schema/1/AMT_GeneralSettings</w:ResourceURI><a:MessageID>3</a:MessageID>`+
		`<a:ReplyTo><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>`+
		`<w:OperationTimeout>PT60S</w:OperationTimeout></Header><Body></Body></Envelope>`, r.raw)
}

func TestInvoke(t *testing.T) {
	p := newPeer(t, powerState)
	out, err := invokePower(t.Context(), p.client(nil))
	require.NoError(t, err)
	require.Zero(t, out.ReturnValue)
	r := p.requests[0]
	require.Equal(t, "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_PowerManagementService/RequestPowerStateChange", r.Action)
	require.Contains(t, r.raw, `<Body><r:RequestPowerStateChange_INPUT xmlns:r="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_PowerManagementService">`+
		`<r:PowerState>10</r:PowerState><r:ManagedElement><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address>`+
		`<a:ReferenceParameters><w:ResourceURI>http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ComputerSystem</w:ResourceURI>`+
		`<w:SelectorSet><w:Selector Name="CreationClassName">CIM_ComputerSystem</w:Selector><w:Selector Name="Name">ManagedSystem</w:Selector></w:SelectorSet>`+
		`</a:ReferenceParameters></r:ManagedElement></r:RequestPowerStateChange_INPUT></Body>`)
}

func TestReturnValue(t *testing.T) {
	value := "2053"
	p := newPeer(t, func(r *peerRequest) string {
		return r.reply("<g:M_OUTPUT><g:ReturnValue>" + value + "</g:ReturnValue></g:M_OUTPUT>")
	})
	c := p.client(nil)
	out, err := Invoke[output](t.Context(), c, NewRef("AMT_X"), "M", nil, PTStatus)
	var rv *ReturnValueError
	require.ErrorAs(t, err, &rv)
	require.Equal(t, ReturnValueError{Class: "AMT_X", Method: "M", Value: 2053, Name: "INVALID_HANDLE"}, *rv)
	require.EqualError(t, err, "wsman: AMT_X.M: return value 2053 (INVALID_HANDLE)")
	require.EqualValues(t, 2053, out.ReturnValue, "the output comes with the error")
	value = "77777"
	_, err = Invoke[struct{}](t.Context(), c, NewRef("AMT_X"), "M", nil, nil)
	require.EqualError(t, err, "wsman: AMT_X.M: return value 77777")
	value = "x"
	_, err = Invoke[struct{}](t.Context(), c, NewRef("AMT_X"), "M", nil, nil)
	require.ErrorIs(t, err, ErrMalformed)
	value = "-1"
	_, err = Invoke[struct{}](t.Context(), c, NewRef("AMT_X"), "M", nil, nil)
	require.ErrorAs(t, err, &rv)
	require.EqualValues(t, uint32(1<<32-1), rv.Value)
}

func TestFaults(t *testing.T) {
	subcode := "b:DestinationUnreachable"
	p := newPeer(t, func(r *peerRequest) string { return r.fault(subcode) })
	c := p.client(nil)
	_, err := Get[generalSettings](t.Context(), c)
	require.ErrorIs(t, err, ErrUnsupported)
	var f *Fault
	require.ErrorAs(t, err, &f)
	require.Equal(t, QName{NamespaceAddressing, "DestinationUnreachable"}, f.Subcode)
	require.Equal(t, QName{NamespaceSOAP, "Sender"}, f.Code)
	require.Equal(t, 400, f.HTTPStatus)
	require.EqualError(t, err, `wsman: Get AMT_GeneralSettings fault DestinationUnreachable (status 400): "No route can be determined."`)
	subcode = "e:InvalidSelectors"
	_, err = Get[generalSettings](t.Context(), c)
	require.NotErrorIs(t, err, ErrUnsupported)
	require.ErrorAs(t, err, &f)
	require.Equal(t, QName{NamespaceWSMan, "InvalidSelectors"}, f.Subcode)
}

func TestHTTPErrors(t *testing.T) {
	answer := "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
	p := newPeer(t, func(r *peerRequest) string { return strings.ReplaceAll(answer, "ID", r.MessageID) })
	c := p.client(nil)
	_, err := Get[generalSettings](t.Context(), c)
	var h *HTTPError
	require.ErrorAs(t, err, &h)
	require.Equal(t, 503, h.Status)
	require.EqualError(t, err, "wsman: Get AMT_GeneralSettings: HTTP status 503")
	for _, c2 := range []struct {
		answer string
		want   error
	}{
		{"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbusy", ErrMalformed},
		{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ErrMalformed},
		{"FTP/1.1 200 OK\r\n\r\n", ErrMalformed},
		{"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n", ErrTooLarge},
		{chunked(200, soap("77", "x", "AMT_X", generalBody)), ErrMalformed},
		{chunked(200, soap("ID", "x", "AMT_X", "")), ErrMalformed},
	} {
		answer = c2.answer
		_, err := Get[generalSettings](t.Context(), c)
		require.ErrorIs(t, err, c2.want, "%s", answer)
	}
	// Errors of the web server that look like XML, and a refusal that is no fault.
	for _, answer = range []string{
		"HTTP/1.1 500 Error\r\nContent-Length: 14\r\n\r\n<?xml nonsense", "HTTP/1.1 404 None\r\nContent-Length: 6\r\n\r\n<html>",
		chunked(400, soap("ID", "x", "AMT_X", generalBody)),
	} {
		_, err = Get[generalSettings](t.Context(), c)
		require.ErrorAs(t, err, &h)
	}
	answer = chunked(200, soap("77", "x", "AMT_X", generalBody))
	_, err = invokePower(t.Context(), c)
	require.ErrorIs(t, err, ErrNoAnswer, "something else was answered")
	answer = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + soap("ID", "x", "AMT_GeneralSettings", generalBody)
	p.mu.Lock()
	handle := p.handle
	p.handle = func(r *peerRequest) string { r.close = true; return handle(r) }
	p.mu.Unlock()
	gs, err := Get[generalSettings](t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, "pc1", gs.HostName)
}

func TestWrongPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, general)
		refusals := 0
		c := p.client(func(cfg *Config) {
			cfg.Password = NewSecret("wrong")
			cfg.Trace = &Trace{Challenge: func(digest.Challenge) { refusals++ }}
		})
		_, err := Get[generalSettings](t.Context(), c)
		require.ErrorIs(t, err, ErrCredentials)
		require.EqualError(t, err, "wsman: Get AMT_GeneralSettings: the device refused the credentials")
		require.Equal(t, 2, refusals, "one without and one with credentials")
		// Others that wait, or come soon, do not lock the account.
		_, err = Get[generalSettings](t.Context(), c)
		require.ErrorIs(t, err, ErrCredentials)
		require.Equal(t, 2, refusals)
		time.Sleep(20 * time.Second)
		_, err = Get[generalSettings](t.Context(), c)
		require.ErrorIs(t, err, ErrCredentials)
		require.Equal(t, 4, refusals)
		// Other credentials are tried at once.
		c.SetCredentials("admin", NewSecret(peerPassword))
		_, err = Get[generalSettings](t.Context(), c)
		require.NoError(t, err)
		c.SetCredentials("", NewSecret(""))
		_, err = Get[generalSettings](t.Context(), c)
		require.ErrorIs(t, err, ErrCredentials)
	})
}

// A device that answers 401 for ever is asked three times at most.
func TestEndless401(t *testing.T) {
	for _, stale := range []bool{false, true} {
		p := newPeer(t, general)
		n := 0
		p.digest.Lookup = func(string) (digest.Credentials, bool) { return digest.Credentials{}, false }
		p.digest.Realm = peerRealm
		p.digest.AuthInt = true
		if stale {
			p.digest = nil
			p.handle = func(r *peerRequest) string {
				n++
				r.close = true
				return unauthorized(fmt.Sprintf(`Digest realm="%s", nonce="n%d",stale="true",qop="auth"`, peerRealm, n))
			}
		}
		challenges := 0
		c := p.client(func(cfg *Config) { cfg.Trace = &Trace{Challenge: func(digest.Challenge) { challenges++ }} })
		_, err := Get[generalSettings](t.Context(), c)
		require.ErrorIs(t, err, ErrCredentials)
		require.Equal(t, map[bool]int{false: 2, true: 3}[stale], challenges)
	}
}

func TestNonceExpires(t *testing.T) {
	p := newPeer(t, general)
	c := p.client(nil)
	for i := range 3 {
		_, err := Get[generalSettings](t.Context(), c)
		require.NoError(t, err)
		p.digest.Nonces.Forget()
		p.mu.Lock()
		require.Len(t, p.seen, i+1)
		for _, counts := range p.seen {
			require.Equal(t, []uint64{1}, counts)
		}
		p.mu.Unlock()
	}
}

// A mutation whose nonce expired is sent again, as the device has not carried it out.
func TestNonceExpiresInvoke(t *testing.T) {
	p := newPeer(t, powerState)
	c := p.client(nil)
	for range 2 {
		_, err := invokePower(t.Context(), c)
		require.NoError(t, err)
		p.digest.Nonces.Forget()
	}
	_, requests := p.count()
	require.Equal(t, 2, requests)
}

func TestRealmPin(t *testing.T) {
	p := newPeer(t, general)
	c := p.client(func(cfg *Config) { cfg.Realm = "Digest:FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF" })
	sent := 0
	c.cfg.Trace = &Trace{Request: func(r RequestInfo) {
		assert.False(t, r.Authorized, "no hash leaves before the realm is known")
		sent++
	}}
	_, err := Get[generalSettings](t.Context(), c)
	require.ErrorIs(t, err, ErrRealm)
	require.Equal(t, 1, sent)
	c = p.client(func(cfg *Config) { cfg.Realm = peerRealm })
	_, err = Get[generalSettings](t.Context(), c)
	require.NoError(t, err)
}

// What changes the device, and may hold passwords, is not sent before the device has shown its realm.
func TestNothingIsSentToStrangers(t *testing.T) {
	p := newPeer(t, powerState)
	var sent []RequestInfo
	trace := &Trace{Request: func(r RequestInfo) { sent = append(sent, r) }}
	c := p.client(func(cfg *Config) { cfg.Realm, cfg.Trace = "Digest:other", trace })
	_, err := invokePower(t.Context(), c)
	require.ErrorIs(t, err, ErrRealm)
	require.NotErrorIs(t, err, ErrNoAnswer)
	require.Len(t, sent, 1)
	require.Equal(t, ActionGet, sent[0].Action)
	require.False(t, sent[0].Authorized)

	sent = nil
	c = p.client(func(cfg *Config) { cfg.Trace = trace })
	for range 2 {
		_, err = invokePower(t.Context(), c)
		require.NoError(t, err)
	}
	require.Len(t, sent, 3)
	require.True(t, sent[1].Authorized)
	// A device that asks for no login is asked once.
	p.digest, sent = nil, nil
	c = p.client(func(cfg *Config) { cfg.Trace = trace })
	for range 2 {
		_, err = invokePower(t.Context(), c)
		require.NoError(t, err)
	}
	require.Len(t, sent, 3)
	require.Equal(t, ActionGet, sent[0].Action)
}

// A device that shall show a realm and lets everybody in is another one: it gets nothing.
func TestRealmPinWithoutLogin(t *testing.T) {
	p := newPeer(t, powerState)
	p.digest = nil
	c := p.client(func(cfg *Config) { cfg.Realm = peerRealm })
	_, err := invokePower(t.Context(), c)
	require.ErrorIs(t, err, ErrRealm)
	require.NotErrorIs(t, err, ErrNoAnswer)
	_, err = Get[generalSettings](t.Context(), c)
	require.ErrorIs(t, err, ErrRealm)
	for _, r := range p.requests {
		require.Equal(t, ActionGet, r.Action)
	}
}

// Neither an error of its web server nor an answer to Identify, which needs no login, says that a device asks for none.
func TestGreetingIsAsked(t *testing.T) {
	p := newPeer(t, powerState)
	login := p.digest
	p.digest = nil
	handle := p.handle
	p.handle = func(*peerRequest) string { return "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy" }
	var sent []RequestInfo
	c := p.client(func(cfg *Config) { cfg.Trace = &Trace{Request: func(r RequestInfo) { sent = append(sent, r) }} })
	_, err := invokePower(t.Context(), c)
	var failed *HTTPError
	require.ErrorAs(t, err, &failed)
	require.Len(t, sent, 1)
	require.Equal(t, ActionGet, sent[0].Action)

	sent, p.handle = nil, func(r *peerRequest) string {
		return chunked(200, soap("", "x", "x", "<i:IdentifyResponse xmlns:i='urn:i'></i:IdentifyResponse>"))
	}
	_, err = c.Identify(t.Context())
	require.NoError(t, err)
	p.digest, p.handle = login, handle
	_, err = invokePower(t.Context(), c)
	require.NoError(t, err)
	require.Len(t, sent, 3)
	require.Equal(t, ActionGet, sent[1].Action)
	require.False(t, sent[1].Authorized)
	require.True(t, sent[2].Authorized)
}

// A wrong password is tried once for a mutation too: the challenge is fresh.
func TestWrongPasswordOnce(t *testing.T) {
	p := newPeer(t, powerState)
	authorized := 0
	c := p.client(func(cfg *Config) {
		cfg.Password = NewSecret("wrong")
		cfg.Trace = &Trace{Request: func(r RequestInfo) {
			if r.Authorized {
				authorized++
			}
		}}
	})
	_, err := invokePower(t.Context(), c)
	require.ErrorIs(t, err, ErrCredentials)
	require.Equal(t, 1, authorized)
}

// What comes after an answer, without being asked for, is not taken for the next answer.
func TestAnswerTooMuch(t *testing.T) {
	p := newPeer(t, func(r *peerRequest) string { return powerState(r) + powerState(r) })
	p.digest = nil
	c := p.client(nil)
	for range 50 {
		_, err := invokePower(t.Context(), c)
		require.NoError(t, err)
	}
}

func TestProbe(t *testing.T) {
	p := newPeer(t, general)
	c := p.client(nil)
	probe, err := c.Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, &Probe{Server: peerServer, Realm: peerRealm}, probe)
	p.digest = nil
	probe, err = c.Probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, peerServer, probe.Server)
}

func TestDigestAlgorithms(t *testing.T) {
	for _, a := range []digest.Algorithm{digest.MD5, digest.SHA256} {
		for _, integrity := range []bool{false, true} {
			p := newPeer(t, general)
			p.digest.Algorithm, p.digest.Auth, p.digest.AuthInt = a, !integrity, integrity
			_, err := Get[generalSettings](t.Context(), p.client(nil))
			require.NoError(t, err, "%v %v", a, integrity)
		}
	}
}

// Requests beyond what the device bears wait; counts of each nonce come in order.
func TestConcurrency(t *testing.T) {
	for _, limit := range []int{0, 3} {
		p := newPeer(t, general)
		c := p.client(func(cfg *Config) { cfg.MaxInFlight = limit })
		var wg sync.WaitGroup
		for range 60 {
			wg.Go(func() {
				if _, err := Get[generalSettings](t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		_, requests := p.count()
		require.Equal(t, 60, requests)
		require.LessOrEqual(t, p.most, max(limit, 1))
		require.LessOrEqual(t, len(p.seen), max(limit, 1))
		for _, counts := range p.seen {
			for i, count := range counts {
				require.EqualValues(t, i+1, count)
			}
		}
	}
}

// Who waits longest is next; who gives up leaves the queue.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		p := newPeer(t, func(r *peerRequest) string { <-hold; return general(r) })
		c := p.client(nil)
		var wg sync.WaitGroup
		errs := make([]error, 5)
		cancelled, cancel := context.WithCancel(t.Context())
		for i := range 5 {
			ctx := t.Context()
			if i == 2 {
				ctx = cancelled
			}
			wg.Go(func() { _, errs[i] = Get[generalSettings](ctx, c, Key("InstanceID", fmt.Sprint(i))) })
			synctest.Wait()
		}
		cancel()
		synctest.Wait()
		require.ErrorIs(t, errs[2], context.Canceled)
		close(hold)
		wg.Wait()
		// As they came to the device: who has an answer may be overtaken by the next one before he can say so.
		var order []string
		for _, r := range p.requests {
			order = append(order, r.Selectors[0].Value)
		}
		require.Equal(t, []string{"0", "1", "3", "4"}, order)
		for i, err := range errs {
			require.Equal(t, i == 2, err != nil, "%d: %v", i, err)
		}
	})
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		defer close(never)
		stuck := false
		p := newPeer(t, func(r *peerRequest) string {
			if stuck {
				<-never
			}
			return general(r)
		})
		p.digest = nil
		c := p.client(func(cfg *Config) { cfg.Timeout = 0 })
		_, err := Get[generalSettings](t.Context(), c)
		require.NoError(t, err)
		stuck = true
		begin := time.Now()
		_, err = Get[generalSettings](t.Context(), c)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, ErrNoAnswer)
		require.Equal(t, 30*time.Second, time.Since(begin))
		begin = time.Now()
		_, err = invokePower(WithCallTimeout(t.Context(), time.Minute), c)
		require.ErrorIs(t, err, ErrNoAnswer)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(begin))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = invokePower(ctx, c)
		require.ErrorIs(t, err, ErrNoAnswer)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// halfDeaf is a connection whose other end refuses after some bytes, and reads no more.
type halfDeaf struct {
	net.Conn
	answer io.Reader
}

func (c *halfDeaf) Write(b []byte) (int, error)     { return min(len(b), 100), io.ErrClosedPipe }
func (c *halfDeaf) Read(b []byte) (int, error)      { return c.answer.Read(b) }
func (c *halfDeaf) SetReadDeadline(time.Time) error { return nil }

// A device refuses by the header alone. That is seen, and what it refused is not said to have been carried out.
func TestRefusedBeforeItWasWritten(t *testing.T) {
	p := newPeer(t, powerState)
	dials := 0
	answer := unauthorized(p.digest.Challenge(true).String())
	c := p.client(func(cfg *Config) {
		cfg.IdleTimeout = -1
		cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := p.dial(ctx, network, addr)
			if dials++; dials == 2 {
				return &halfDeaf{conn, strings.NewReader(answer)}, nil
			}
			return conn, err
		}
	})
	_, err := invokePower(t.Context(), c) // greets, logs in
	require.NoError(t, err)
	require.Equal(t, 3, dials)
	dials, answer = 1, "HTTP/1.1 200 OK\r\n\r\n"
	_, err = invokePower(t.Context(), c)
	require.ErrorIs(t, err, ErrNoAnswer)
}

func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lose := 0
		part := ""
		p := newPeer(t, func(r *peerRequest) string {
			if lose > 0 {
				lose--
				r.close = true
				return part
			}
			if strings.HasSuffix(r.Action, "/Get") {
				return general(r)
			}
			return powerState(r)
		})
		retries := 0
		c := p.client(func(cfg *Config) { cfg.Trace = &Trace{Retry: func(RetryInfo) { retries++ }} })
		_, err := Get[generalSettings](t.Context(), c)
		require.NoError(t, err)

		// The connection ends before the answer: reading is repeated, up to a limit.
		lose = 2
		_, err = Get[generalSettings](t.Context(), c)
		require.NoError(t, err)
		require.Equal(t, 2, retries)
		lose = 3
		_, err = Get[generalSettings](t.Context(), c)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.NotErrorIs(t, err, ErrNoAnswer)
		require.Zero(t, lose)

		// A mutation is not.
		_, before := p.count()
		lose, retries = 1, 0
		_, err = invokePower(t.Context(), c)
		require.ErrorIs(t, err, ErrNoAnswer)
		require.Zero(t, retries)
		_, after := p.count()
		require.Equal(t, before+1, after)

		// Nor is anything once its answer has begun.
		for _, part = range []string{"H", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0425\r\n<?xml"} {
			lose = 1
			_, err = Get[generalSettings](t.Context(), c)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%q", part)
			lose = 1
			_, err = invokePower(t.Context(), c)
			require.ErrorIs(t, err, ErrNoAnswer)
		}
		require.Zero(t, retries)

		// Without a connection the device has seen nothing: that is repeated.
		c.Reset()
		p.mu.Lock()
		p.refuse = 2
		p.mu.Unlock()
		_, err = invokePower(t.Context(), c)
		require.NoError(t, err)
		c.Reset()
		p.mu.Lock()
		p.refuse = 3
		p.mu.Unlock()
		begin := time.Now()
		_, err = invokePower(t.Context(), c)
		require.ErrorIs(t, err, errRefused)
		require.NotErrorIs(t, err, ErrNoAnswer)
		require.Equal(t, time.Second, time.Since(begin))
	})
}

// The end of an idle connection is seen when it comes; the next request takes a new one and is not in danger.
func TestIdleConnectionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, powerState)
		c := p.client(func(cfg *Config) { cfg.IdleTimeout = 0 })
		_, err := invokePower(t.Context(), c)
		require.NoError(t, err)
		p.mu.Lock()
		for conn := range p.conns {
			_ = conn.Close()
		}
		p.mu.Unlock()
		synctest.Wait()
		_, err = invokePower(t.Context(), c)
		require.NoError(t, err)
		dials, requests := p.count()
		require.Equal(t, 3, dials)
		require.Equal(t, 2, requests)

		// One that was idle for a while is not trusted with a mutation, but with a Get.
		time.Sleep(3 * time.Second)
		_, err = invokePower(t.Context(), c)
		require.NoError(t, err)
		dials, _ = p.count()
		require.Equal(t, 4, dials)
		time.Sleep(3 * time.Second)
		_, err = c.Get(t.Context(), ResourceURI("CIM_PowerManagementService"))
		require.NoError(t, err)
		dials, _ = p.count()
		require.Equal(t, 4, dials)

		// And it is closed after its time.
		time.Sleep(21 * time.Second)
		p.mu.Lock()
		require.Empty(t, p.conns)
		p.mu.Unlock()
	})
}

func TestNoKeepAlive(t *testing.T) {
	p := newPeer(t, general)
	c := p.client(func(cfg *Config) { cfg.IdleTimeout = -1 })
	for range 2 {
		_, err := Get[generalSettings](t.Context(), c)
		require.NoError(t, err)
	}
	dials, _ := p.count()
	require.Equal(t, 3, dials)
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		p := newPeer(t, func(*peerRequest) string { <-never; return "" })
		c := p.client(nil)
		errs := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := Get[generalSettings](t.Context(), c)
				errs <- err
			}()
		}
		synctest.Wait()
		require.NoError(t, c.Close())
		for range 3 {
			require.ErrorIs(t, <-errs, ErrClosed)
		}
		close(never)
		_, err := Get[generalSettings](t.Context(), c)
		require.ErrorIs(t, err, ErrClosed)
		require.NoError(t, c.Close())
	})
}

func TestNewClient(t *testing.T) {
	for _, cfg := range []Config{
		{}, {Address: "x", Host: "a\r\nb"}, {Address: "x", MaxInFlight: -1}, {Address: "x", Attempts: -1}, {Address: "x", TLS: &TLSConfig{}},
	} {
		_, err := NewClient(cfg)
		require.Error(t, err, "%+v", cfg)
	}
}

// No form of printing shows the password.
func TestNothingPrintsThePassword(t *testing.T) {
	p := newPeer(t, general)
	var traced []any
	var log strings.Builder
	c := p.client(func(cfg *Config) {
		cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		cfg.Trace = &Trace{
			Dial: func(i DialInfo) { traced = append(traced, i) }, Request: func(i RequestInfo) { traced = append(traced, i) },
			Response: func(i ResponseInfo) { traced = append(traced, i) },
		}
	})
	_, err := Put(t.Context(), c, &secretive{Pass: NewSecret(peerPassword), Plain: "pass phrase"})
	require.NoError(t, err)
	// Nor does what is logged of a failure.
	p.mu.Lock()
	p.handle = func(r *peerRequest) string { return r.fault("b:InternalError") }
	p.mu.Unlock()
	_, err = Put(t.Context(), c, &secretive{Plain: "pass phrase"})
	require.Error(t, err)
	require.Contains(t, log.String(), "Put")
	cfg := p.config()
	s := c.slots.all[0]
	for _, v := range append(traced, log.String(), err, cfg, &cfg, s.auth.cred, Config{}, p.requests[0].auth) {
		for _, format := range []string{"%v", "%+v", "%#v"} {
			text := fmt.Sprintf(format, v)
			require.NotContains(t, text, "P@ssw0rd")
			require.NotContains(t, text, "pass phrase")
			require.NotContains(t, text, p.requests[0].auth.Response)
		}
	}
	require.Contains(t, p.requests[0].raw, "pass phrase")
	require.Contains(t, p.requests[0].raw, "P@ssw0rd&lt;1&gt;")
	require.Contains(t, fmt.Sprint(traced), "[redacted]")
}

type secretive struct {
	Pass  Secret `wsman:"RFBPassword"`
	Plain string `wsman:"PSKPassPhrase"`
}

func (*secretive) Class() string { return "IPS_KVMRedirectionSettingData" }
