package wsmantest

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/meshcentral-go/sdk/wsman"
)

// Operations, as [Call] names them. A method has its own name.
const (
	OpGet         = "Get"
	OpPut         = "Put"
	OpCreate      = "Create"
	OpDelete      = "Delete"
	OpEnumerate   = "Enumerate"
	OpPull        = "Pull"
	OpRelease     = "Release"
	OpSubscribe   = "Subscribe"
	OpUnsubscribe = "Unsubscribe"
	OpIdentify    = "Identify"
)

var actions = map[string]string{
	wsman.ActionGet: OpGet, wsman.ActionPut: OpPut, wsman.ActionCreate: OpCreate, wsman.ActionDelete: OpDelete,
	wsman.ActionEnumerate: OpEnumerate, wsman.ActionPull: OpPull, wsman.ActionRelease: OpRelease,
	wsman.ActionSubscribe: OpSubscribe, wsman.ActionUnsubscribe: OpUnsubscribe,
}

// limits of a request's XML.
var limits = wsman.Limits{Size: maxBody, Depth: 16, Elements: 4096, Attributes: 32}

// request is a WS-Management request.
type request struct {
	*wsman.Envelope
	op    string // an operation, or the name of a method
	class string
	user  *account
	conn  *connection
}

// parseRequest tells what an envelope asks for.
func parseRequest(env *wsman.Envelope) (*request, *fault) {
	r := &request{Envelope: env, class: wsman.ClassName(env.ResourceURI)}
	first := env.First()
	if first != nil && first.Space == wsman.NamespaceIdentity && first.Name == "Identify" {
		r.op = OpIdentify
		return r, nil
	}
	if r.class == "" || wsman.ResourceURI(r.class) != env.ResourceURI {
		return r, unreachable()
	}
	if op, ok := actions[env.Action]; ok {
		r.op = op
		return r, nil
	}
	method, ok := strings.CutPrefix(env.Action, env.ResourceURI+"/")
	if !ok || method == "" {
		return r, actionNotSupported()
	}
	r.op = method
	if first == nil || first.Name != method+"_INPUT" {
		return r, schemaError()
	}
	return r, nil
}

// isMethod says whether the request calls a method.
func (r *request) isMethod() bool {
	return strings.HasPrefix(r.Action, r.ResourceURI+"/")
}

// handle answers the body of an authenticated request. The mutex is held.
func (d *Device) handle(ctx context.Context, c *connection, user *account, body []byte) *reply {
	env, err := wsman.ParseEnvelope(body, limits)
	if err != nil {
		d.log.Info("wsmantest: request", "err", err)
		return d.faultReply("", schemaError())
	}
	req, f := parseRequest(env)
	req.user, req.conn = user, c
	call := Call{Op: req.op, Class: req.class, User: user.name, Port: c.port, Selectors: env.Selectors}
	if f == nil {
		if inj := d.injection(call); inj != nil {
			if r, done := d.inject(ctx, inj, req, &call); done {
				d.record(call)
				return r
			}
		}
	}
	r := d.perform(req, f, &call)
	d.record(call)
	return r
}

// perform does what a request asks for and writes the answer.
func (d *Device) perform(req *request, f *fault, call *Call) *reply {
	var out *result
	if f == nil {
		out, f = d.dispatch(req)
	}
	if f != nil {
		call.Status, call.Fault = f.status, f.subcode
		return d.faultReply(req.MessageID, f)
	}
	call.Status, call.ReturnValue = http.StatusOK, out.value
	if out.silent {
		return &reply{silent: true}
	}
	return &reply{status: http.StatusOK, body: d.envelope(req, out)}
}

// result is what a request comes to.
type result struct {
	action string // "" for that of the request and "Response"
	body   []wsman.Element
	value  int  // ReturnValue, of methods
	silent bool // no answer is sent
}

func (d *Device) dispatch(req *request) (*result, *fault) {
	if req.op == OpIdentify {
		return d.identify(), nil
	}
	if req.op == OpRelease {
		return d.release(req)
	}
	if req.op == OpPull {
		return d.pull(req)
	}
	k := d.class(req.class)
	if k == nil {
		return nil, unreachable()
	}
	if !d.allowed(req.user, k, req) {
		return nil, accessDenied()
	}
	if req.isMethod() {
		return d.invoke(req, k)
	}
	switch req.op {
	case OpGet:
		o, f := d.find(k, req.Selectors)
		if f != nil {
			return nil, f
		}
		return &result{body: []wsman.Element{o.element()}}, nil
	case OpPut:
		return d.put(req, k)
	case OpCreate:
		return d.create(req, k)
	case OpDelete:
		return d.delete(req, k)
	case OpEnumerate:
		return d.enumerate(k)
	case OpSubscribe:
		return d.subscribe(req, k)
	case OpUnsubscribe:
		return d.unsubscribe(req, k)
	}
	return nil, actionNotSupported()
}

func (d *Device) style() xmlStyle {
	q := &d.cfg.Quirks
	return xmlStyle{short: q.ShortTags, pretty: q.Pretty, comments: q.Comments, local: q.LocalNamespaces}
}

// envelope writes an answer: To, RelatesTo, Action, MessageID, ResourceURI.
func (d *Device) envelope(req *request, out *result) []byte {
	action := out.action
	if action == "" {
		action = req.Action
		if !d.cfg.Quirks.BareAction {
			action += wsman.ResponseSuffix
		}
	}
	header := d.header(req.MessageID, action)
	if req.ResourceURI != "" && !d.cfg.Quirks.NoResourceURI {
		header = append(header, textEl(wsman.NamespaceWSMan, "ResourceURI", req.ResourceURI))
	}
	return writeEnvelope(d.style(), replyPrefixes, header, out.body)
}

func (d *Device) header(relatesTo, action string) []wsman.Element {
	d.messages++
	const wsa = wsman.NamespaceAddressing
	return []wsman.Element{
		textEl(wsa, "To", wsman.Anonymous),
		textEl(wsa, "RelatesTo", relatesTo),
		{Space: wsa, Name: "Action", Text: action, Attrs: []wsman.Attr{{Space: wsman.NamespaceSOAP, Name: "mustUnderstand", Value: "true"}}},
		textEl(wsa, "MessageID", fmt.Sprintf("uuid:00000000-8086-8086-8086-%012X", d.messages)),
	}
}

func (d *Device) faultReply(relatesTo string, f *fault) *reply {
	action := wsman.ActionFault
	if f.space == wsman.NamespaceWSMan {
		action = wsman.ActionWSManFault
	}
	return &reply{status: f.status, body: writeEnvelope(d.style(), faultPrefixes, d.header(relatesTo, action), f.body())}
}

// identify says who the device is.
func (d *Device) identify() *result {
	const ns = wsman.NamespaceIdentity
	return &result{action: wsman.NamespaceIdentity + "/IdentifyResponse", body: []wsman.Element{el(ns, "IdentifyResponse",
		textEl(ns, "ProtocolVersion", wsman.NamespaceWSMan),
		textEl(ns, "ProductVendor", "Intel(r) AMT"),
		textEl(ns, "ProductVersion", d.prof.short()),
	)}}
}
