package wsman

import "strings"

// Namespaces of WS-Management messages.
const (
	NamespaceSOAP        = "http://www.w3.org/2003/05/soap-envelope"
	NamespaceAddressing  = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
	NamespaceWSMan       = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
	NamespaceEnumeration = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
	NamespaceTransfer    = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
	NamespaceEventing    = "http://schemas.xmlsoap.org/ws/2004/08/eventing"
	NamespaceIdentity    = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
	NamespaceCIMBinding  = "http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd"
	NamespaceCommon      = "http://schemas.dmtf.org/wbem/wscim/1/common"
	NamespaceTrust       = "http://schemas.xmlsoap.org/ws/2005/02/trust"
	NamespaceSecurity    = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	NamespaceInstance    = "http://www.w3.org/2001/XMLSchema-instance"

	namespaceXML   = "http://www.w3.org/XML/1998/namespace"
	namespaceXMLNS = "http://www.w3.org/2000/xmlns/"
)

// Anonymous is the address that stands for the sender of a request.
const Anonymous = NamespaceAddressing + "/role/anonymous"

// Actions of requests. The answer's action is the same with [ResponseSuffix]; the action of a method is the URI of its
// class, a slash and its name.
const (
	ActionGet         = NamespaceTransfer + "/Get"
	ActionPut         = NamespaceTransfer + "/Put"
	ActionCreate      = NamespaceTransfer + "/Create"
	ActionDelete      = NamespaceTransfer + "/Delete"
	ActionEnumerate   = NamespaceEnumeration + "/Enumerate"
	ActionPull        = NamespaceEnumeration + "/Pull"
	ActionRelease     = NamespaceEnumeration + "/Release"
	ActionSubscribe   = NamespaceEventing + "/Subscribe"
	ActionUnsubscribe = NamespaceEventing + "/Unsubscribe"
	ActionRenew       = NamespaceEventing + "/Renew"
	ActionEvent       = "http://schemas.dmtf.org/wbem/wsman/1/wsman/Event"
	ActionAck         = "http://schemas.dmtf.org/wbem/wsman/1/wsman/Ack"
	ActionFault       = NamespaceAddressing + "/fault"
	ActionWSManFault  = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"

	// ResponseSuffix is what an answer's action has after that of the request. Some firmware leaves it out.
	ResponseSuffix = "Response"
)

// Path is the only path that AMT serves WS-Management at.
const Path = "/wsman"

// What resource URIs of classes start with.
const (
	baseAMT = "http://intel.com/wbem/wscim/1/amt-schema/1/"
	baseCIM = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/"
	baseIPS = "http://intel.com/wbem/wscim/1/ips-schema/1/"
)

// ResourceURI returns the URI of a class, which is also the namespace of its properties: "AMT_GeneralSettings" becomes
// "http://intel.com/wbem/wscim/1/amt-schema/1/AMT_GeneralSettings". A name that starts neither with AMT_, CIM_ nor IPS_ is
// returned as it is, so that a full URI may be given.
func ResourceURI(class string) string {
	switch {
	case strings.HasPrefix(class, "AMT_"):
		return baseAMT + class
	case strings.HasPrefix(class, "CIM_"):
		return baseCIM + class
	case strings.HasPrefix(class, "IPS_"):
		return baseIPS + class
	}
	return class
}

// ClassName returns the last part of a resource URI, the inverse of [ResourceURI].
func ClassName(uri string) string { return uri[strings.LastIndexByte(uri, '/')+1:] }
