package wsmantest

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/meshcentral-go/sdk/wsman"
)

const (
	modePush        = "http://schemas.xmlsoap.org/ws/2004/08/eventing/DeliveryModes/Push"
	modePushWithAck = "http://schemas.dmtf.org/wbem/wsman/1/wsman/PushWithAck"
	subscriberMost  = 9
	subscriberURL   = 253 // characters

	filterClass       = "CIM_FilterCollection"
	destinationClass  = "CIM_ListenerDestinationWSManagement"
	subscriptionClass = "CIM_FilterCollectionSubscription"
)

// Subscription is who wants to be told of events.
type Subscription struct {
	Filter  string // "Intel(r) AMT:AllEvents"
	URL     string
	WithAck bool
	User    string // for digest at the URL, "" for none
	// Password goes with User.
	Password Secret
	// Reference is the ReferenceParameters of the subscriber, which come back in the header of each event.
	Reference []wsman.Element
}

func (d *Device) buildEventing() {
	d.state.subscriptions = map[*object]Subscription{}
	for o := range d.notifiers { // of a setup that is over
		d.unsubscribed(o)
	}
	d.notifiers = map[*object]*notifier{}
	k := d.define(&class{name: filterClass, keys: []string{"InstanceID"}})
	for _, f := range []string{"AllEvents", "All", "Features", "Platform"} {
		k.objects = append(k.objects, newObject(k.name, "CollectionName", "Intel(r) AMT:"+f, "ElementName", "Intel(r) AMT Filter Collection",
			"InstanceID", "Intel(r) AMT:"+f))
	}
	d.define(&class{name: destinationClass, keys: []string{"CreationClassName", "Name", "SystemCreationClassName", "SystemName"}})
	d.define(&class{name: subscriptionClass, keys: []string{"Filter", "Handler"}})
}

// subscribe answers with a reference to the subscription, whose selectors are two references.
func (d *Device) subscribe(req *request, k *class) (*result, *fault) {
	const ns = wsman.NamespaceEventing
	if k.name != filterClass {
		return nil, actionNotSupported()
	}
	filter, f := d.find(k, req.Selectors)
	if f != nil {
		return nil, f
	}
	delivery := req.First().Child("Delivery")
	to := delivery.Child("NotifyTo")
	if to == nil {
		return nil, schemaError()
	}
	s := Subscription{Filter: filter.get("InstanceID"), URL: strings.TrimSpace(to.ChildText("Address"))}
	switch delivery.Attr("Mode") {
	case modePushWithAck:
		s.WithAck = true
	case modePush, "":
	default:
		return nil, deliveryMode()
	}
	u, err := url.Parse(s.URL)
	if err != nil || len(s.URL) > subscriberURL || u.Host == "" || u.Scheme != "http" && (u.Scheme != "https" || d.prof.major < 11) {
		return nil, invalidParameter()
	}
	if len(d.classes[subscriptionClass].objects) >= subscriberMost {
		return nil, quotaLimit()
	}
	if p := to.Child("ReferenceParameters"); p != nil {
		s.Reference = p.Children
	}
	for i := range req.Header {
		if h := &req.Header[i]; h.Name == "IssuedTokens" {
			token := h.Path("RequestSecurityTokenResponse", "RequestedSecurityToken", "UsernameToken")
			s.User, s.Password = token.ChildText("Username"), NewSecret(token.ChildText("Password"))
		}
	}
	d.state.subscribers++
	destination := newObject(destinationClass, "CreationClassName", destinationClass, "DeliveryMode", map[bool]int{false: 2, true: 3}[s.WithAck],
		"Destination", s.URL, "ElementName", "Intel(r) AMT Listener Destination", "Name", fmt.Sprintf("Intel(r) AMT:Listener %d", d.state.subscribers),
		"PersistenceType", 2, "Protocol", 2, "SystemCreationClassName", computer, "SystemName", amtSystem)
	d.store(destination)
	o := newObject(subscriptionClass, "Filter", d.ref(filter), "Handler", d.ref(destination), "OnFatalErrorPolicy", 2)
	d.store(o)
	d.state.subscriptions[o] = s
	d.subscribed(o, s, u)
	d.emit(EventSettings, "subscription to %s for %.100q", s.Filter, s.URL)
	return &result{body: []wsman.Element{el(ns, "SubscribeResponse", refElement(ns, "SubscriptionManager", d.ref(o)))}}, nil
}

func (d *Device) unsubscribe(req *request, k *class) (*result, *fault) {
	if k.name != subscriptionClass || len(req.Selectors) == 0 {
		return nil, actionNotSupported()
	}
	o, f := d.find(k, req.Selectors)
	if f != nil {
		return nil, f
	}
	if handler, valid := o.ref("Handler"); valid && d.resolve(handler) != nil {
		d.discard(d.resolve(handler))
	}
	d.discard(o)
	d.emit(EventSettings, "unsubscribed %.100q", d.state.subscriptions[o].URL)
	delete(d.state.subscriptions, o)
	d.unsubscribed(o)
	return &result{}, nil
}

// Subscriptions returns who wants to be told of events. They are if there is a Config.Notify.
func (d *Device) Subscriptions() []Subscription {
	d.mu.Lock()
	defer d.unlock()
	var out []Subscription
	for _, o := range d.classes[subscriptionClass].objects {
		out = append(out, d.state.subscriptions[o])
	}
	return out
}
