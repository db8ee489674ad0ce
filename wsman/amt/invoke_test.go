package amt_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/amt"
	"github.com/meshcentral-go/sdk/wsman/cim"
)

// device answers each request with what its function returns for the envelope. It asks for no credentials.
func device(t *testing.T, answer func(*wsman.Envelope) string) *wsman.Client {
	t.Helper()
	c, err := wsman.NewClient(wsman.Config{
		Address: "192.0.2.1:16992",
		Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				r := bufio.NewReader(theirs)
				for {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					b, err := io.ReadAll(req.Body)
					if err != nil {
						return
					}
					e, err := wsman.ParseEnvelope(b, wsman.Limits{})
					if err != nil {
						return
					}
					body := `<a:Envelope xmlns:a="` + wsman.NamespaceSOAP + `"><a:Header></a:Header><a:Body>` + answer(e) + `</a:Body></a:Envelope>`
					if _, err := fmt.Fprintf(theirs, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
						return
					}
				}
			}()
			return ours, nil
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Each method goes to its class by its name, and names what it returns by the table of its own.
func TestInvoke(t *testing.T) {
	var request *wsman.Envelope
	value := 0
	c := device(t, func(e *wsman.Envelope) string {
		request = e
		return fmt.Sprintf(`<r:Whatever_OUTPUT xmlns:r="urn:r"><r:ReturnValue>%d</r:ReturnValue></r:Whatever_OUTPUT>`, value)
	})
	nameless := map[string]bool{
		"IPS_KVMRedirectionSettingData.TerminateSession": true, "IPS_KVMRedirectionSettingData.DataChannelRead": true,
		"IPS_KVMRedirectionSettingData.DataChannelWrite": true, "IPS_ScreenConfigurationService.SetSessionState": true,
		"IPS_ScreenSettingData.ResetToDefault": true, "AMT_MessageLog.PositionToFirstRecord": false,
	}
	count := 0
	for _, f := range families {
		for _, class := range f.classes() {
			for _, method := range f.methods(class) {
				count++
				name := class + "." + method
				call := func() (any, error) {
					in := f.newInput(class, method)
					out := reflect.ValueOf(in).MethodByName("Invoke").Call([]reflect.Value{
						reflect.ValueOf(t.Context()), reflect.ValueOf(c), reflect.ValueOf(wsman.Key("InstanceID", "it")),
					})
					err, _ := out[1].Interface().(error)
					return out[0].Interface(), err
				}
				value = 0
				out, err := call()
				require.NoError(t, err, name)
				require.IsType(t, f.newOutput(class, method), out, name)
				uri := wsman.ResourceURI(class)
				require.Equal(t, uri+"/"+method, request.Action, name)
				require.Equal(t, uri, request.ResourceURI, name)
				require.Equal(t, []wsman.Selector{wsman.Key("InstanceID", "it")}, request.Selectors, name)
				require.Equal(t, method+"_INPUT", request.First().Name, name)
				require.Equal(t, uri, request.First().Space, name)

				value = 2
				out, err = call()
				var failed *wsman.ReturnValueError
				require.ErrorAs(t, err, &failed, name)
				require.Equal(t, class, failed.Class)
				require.Equal(t, method, failed.Method)
				require.Equal(t, uint32(2), failed.Value)
				require.Equal(t, nameless[name], failed.Name == "", "%s: %q", name, failed.Name)
				require.NotNil(t, out)
			}
		}
	}
	require.Greater(t, count, 170)
}

// The same number means different things.
func TestReturnValueNames(t *testing.T) {
	c := device(t, func(*wsman.Envelope) string { return `<x><ReturnValue>2</ReturnValue></x>` })
	var failed *wsman.ReturnValueError
	_, err := (&amt.MessageLogGetRecords{}).Invoke(t.Context(), c)
	require.ErrorAs(t, err, &failed)
	require.Equal(t, "INVALID_RECORD", failed.Name)
	_, err = (&amt.MessageLogPositionToFirstRecord{}).Invoke(t.Context(), c)
	require.ErrorAs(t, err, &failed)
	require.Equal(t, "NO_RECORD", failed.Name)
	_, err = (&cim.BootServiceRequestStateChange{}).Invoke(t.Context(), c)
	require.ErrorAs(t, err, &failed)
	require.Equal(t, "UNKNOWN_ERROR", failed.Name)
	_, err = (&amt.SetupAndConfigurationServiceCommitChanges{}).Invoke(t.Context(), c)
	require.ErrorAs(t, err, &failed)
	require.Equal(t, "NOT_READY", failed.Name)
}

// The forms that most programs use.
func TestGenerics(t *testing.T) {
	var requests []*wsman.Envelope
	c := device(t, func(e *wsman.Envelope) string {
		requests = append(requests, e)
		if e.Action == wsman.ActionPut {
			return ""
		}
		return `<g:AMT_GeneralSettings xmlns:g="urn:g"><g:HostName>pc1</g:HostName><g:PingResponseEnabled>true</g:PingResponseEnabled><g:New>1</g:New></g:AMT_GeneralSettings>`
	})
	gs, err := wsman.Get[amt.GeneralSettings](t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, "pc1", gs.HostName)
	gs.HostName = "pc2"
	_, err = wsman.Put(t.Context(), c, gs)
	require.NoError(t, err)
	put := requests[1].First()
	require.Equal(t, "AMT_GeneralSettings", put.Name)
	require.Equal(t, "pc2", put.ChildText("HostName"))
	require.Equal(t, "true", put.ChildText("PingResponseEnabled"))
	require.Equal(t, "1", put.ChildText("New"))
	require.Len(t, put.Children, 3)
	require.NoError(t, wsman.Delete[amt.RemoteAccessPolicyRule](t.Context(), c, wsman.Key("PolicyRuleName", amt.PolicyPeriodic)))
	require.Equal(t, wsman.ResourceURI("AMT_RemoteAccessPolicyRule"), requests[2].ResourceURI)
}
