package wsman

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/secret"
	"github.com/meshcentral-go/sdk/wsman/digest"
)

func TestSubscribe(t *testing.T) {
	p := newPeer(t, func(r *peerRequest) string {
		return r.reply(`<g:SubscribeResponse><g:SubscriptionManager><b:Address>x</b:Address><b:ReferenceParameters><c:ResourceURI>u/CIM_X</c:ResourceURI></b:ReferenceParameters></g:SubscriptionManager></g:SubscribeResponse>`)
	})
	c := p.client(nil)
	manager, err := c.Subscribe(t.Context(), Subscription{
		NotifyTo: "http://127.0.0.1:8080/events?a=1&b=2", Ack: true, Username: "node", Password: NewSecret("s<cret"),
		Args: []Element{{Space: "http://x.com", Name: "arg", Text: "opaque"}},
	})
	require.NoError(t, err)
	require.Equal(t, "CIM_X", manager.ClassName())
	r := p.requests[0]
	require.Equal(t, ActionSubscribe, r.Action)
	require.Equal(t, "Intel(r) AMT:AllEvents", r.Selectors[0].Value)
	require.Zero(t, r.Timeout)
	require.Contains(t, r.raw, `<r:Subscribe xmlns:r="http://schemas.xmlsoap.org/ws/2004/08/eventing"><r:Delivery Mode="http://schemas.dmtf.org/wbem/wsman/1/wsman/PushWithAck"><r:NotifyTo><a:Address>http://127.0.0.1:8080/events?a=1&amp;b=2</a:Address><a:ReferenceParameters><s:arg xmlns:s="http://x.com">opaque</s:arg></a:ReferenceParameters></r:NotifyTo><w:Auth Profile="http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/http/digest"></w:Auth></r:Delivery></r:Subscribe>`)
	require.Len(t, r.Header, 1)
	token := r.Header[0].Path("RequestSecurityTokenResponse", "RequestedSecurityToken", "UsernameToken")
	require.Equal(t, "s<cret", token.ChildText("Password"))
	require.NotContains(t, RedactXML([]byte(r.raw)), "cret")

	require.NoError(t, c.Unsubscribe(t.Context(), NewRef("CIM_FilterCollection", Key("InstanceID", "x")), NewRef("CIM_ListenerDestinationWSManagement", Key("Name", "y"))))
	r = p.requests[1]
	require.Equal(t, "CIM_FilterCollectionSubscription", ClassName(r.ResourceURI))
	require.Equal(t, "y", r.Selectors[1].Ref.Selector("Name"))

	_, err = c.Subscribe(t.Context(), Subscription{})
	require.Error(t, err)
	_, err = c.Subscribe(t.Context(), Subscription{NotifyTo: strings.Repeat("x", 254)})
	require.Error(t, err)
}

const testEvent = `<?xml version="1.0" encoding="UTF-8"?><a:Envelope xmlns:a="http://www.w3.org/2003/05/soap-envelope" xmlns:b="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:c="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:e="http://schemas.dmtf.org/wbem/wscim/1/common"><a:Header><b:To>http://127.0.0.1:8080/events</b:To><b:Action a:mustUnderstand="true">http://schemas.dmtf.org/wbem/wsman/1/wsman/Event</b:Action><b:MessageID>uuid:00000000-8086-8086-8086-000000128538</b:MessageID><m:arg xmlns:m="http://x.com">opaque</m:arg><c:AckRequested></c:AckRequested></a:Header><a:Body><g:CIM_AlertIndication xmlns:g="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_AlertIndication"><g:AlertType>8</g:AlertType><g:IndicationTime><e:Datetime>2026-01-31T15:40:09.000Z</e:Datetime></g:IndicationTime><g:MessageArguments>0</g:MessageArguments><g:MessageArguments>Ab</g:MessageArguments><g:MessageID>iAMT0005</g:MessageID><g:PerceivedSeverity>2</g:PerceivedSeverity><g:OtherSeverity></g:OtherSeverity></g:CIM_AlertIndication></a:Body></a:Envelope>`

func TestEventHandler(t *testing.T) {
	var got *Event
	var fail error
	h := &EventHandler{Receive: func(_ context.Context, e *Event) error { got = e; return fail }}
	post := func(body, authorization string) *httptest.ResponseRecorder {
		got = nil
		r := httptest.NewRequest("POST", "/events", strings.NewReader(body))
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	w := post(testEvent, "")
	require.Equal(t, 200, w.Code)
	require.Equal(t, "uuid:00000000-8086-8086-8086-000000128538", got.ID)
	require.Equal(t, "opaque", got.Arg("arg"))
	require.Empty(t, got.Arg("other"))
	require.Equal(t, "iAMT0005", got.Alert.MessageID)
	require.Equal(t, []string{"0", "Ab"}, got.Alert.MessageArguments)
	require.Equal(t, time.Date(2026, 1, 31, 15, 40, 9, 0, time.UTC), got.Alert.IndicationTime)
	ack, err := ParseEnvelope(w.Body.Bytes(), Limits{})
	require.NoError(t, err)
	require.Equal(t, ActionAck, ack.Action)
	require.Equal(t, got.ID, ack.RelatesTo)
	require.Empty(t, ack.Body)

	w = post(strings.Replace(testEvent, "<c:AckRequested></c:AckRequested>", "", 1), "")
	require.Equal(t, 200, w.Code)
	require.Zero(t, w.Body.Len())

	fail = errors.New("no room")
	w = post(testEvent, "")
	require.Equal(t, 500, w.Code)
	answer, err := ParseEnvelope(w.Body.Bytes(), Limits{})
	require.NoError(t, err)
	require.Equal(t, QName{NamespaceWSMan, "InternalError"}, answer.Fault().Subcode)
	require.NotContains(t, w.Body.String(), "no room")
	fail = nil

	require.Equal(t, 400, post("<x/>", "").Code)
	require.Equal(t, 413, post(strings.Repeat("x", 70<<10), "").Code)
	require.Nil(t, got)
	r := httptest.NewRequest(http.MethodGet, "/events", nil)
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	require.Equal(t, 405, recorder.Code)

	cred := digest.Credentials{Username: "node", Password: secret.New("secret")}
	h.Login = &digest.Server{Realm: "events", Nonces: digest.NewNonces(0, 0), Lookup: func(user string) (digest.Credentials, bool) {
		return cred, user == "node"
	}}
	w = post(testEvent, "")
	require.Equal(t, 401, w.Code)
	require.Nil(t, got)
	ch, err := digest.ParseChallenge(w.Header().Get("WWW-Authenticate"))
	require.NoError(t, err)
	authorization := string(ch.Authorize(&cred, "POST", "/events", []byte(testEvent), 1, "c").Append(nil))
	w = post(testEvent, authorization)
	require.Equal(t, 200, w.Code)
	require.Equal(t, "node", got.Username)
	require.Equal(t, 401, post(testEvent, authorization).Code, "a replay")
	require.Nil(t, got)
}
