package wsmantest

import (
	"net/http"

	"github.com/meshcentral-go/sdk/wsman"
)

// fault is a refused request, in the form that the firmware gives it.
type fault struct {
	status   int
	receiver bool
	space    string // of the subcode
	subcode  string
	reason   string
}

func sender(space, subcode, reason string) *fault {
	return &fault{status: http.StatusBadRequest, space: space, subcode: subcode, reason: reason}
}

// Faults, with the texts of the specifications.
func unreachable() *fault {
	return sender(wsman.NamespaceAddressing, "DestinationUnreachable",
		"No route can be determined to reach the destination role defined by the WSAddressing To.")
}

func actionNotSupported() *fault {
	return sender(wsman.NamespaceAddressing, "ActionNotSupported", "The action is not supported by the service.")
}

func invalidSelectors() *fault {
	return sender(wsman.NamespaceWSMan, "InvalidSelectors", "The Selectors for the resource were not valid.")
}

func schemaError() *fault {
	return sender(wsman.NamespaceWSMan, "SchemaValidationError", "The supplied SOAP violates the corresponding XML Schema definition.")
}

func invalidParameter() *fault {
	return sender(wsman.NamespaceWSMan, "InvalidParameter", "An operation parameter was not valid.")
}

func invalidRepresentation() *fault {
	return sender(wsman.NamespaceTransfer, "InvalidRepresentation", "The supplied representation is invalid.")
}

func accessDenied() *fault {
	return sender(wsman.NamespaceWSMan, "AccessDenied", "The sender was not authorized to access the resource.")
}

// inUse is how an instance refuses its removal.
func inUse() *fault {
	return sender(wsman.NamespaceWSMan, "Concurrency", "The action could not be completed due to concurrency or locking problems.")
}

func quotaLimit() *fault {
	return sender(wsman.NamespaceWSMan, "QuotaLimit", "The service is busy servicing other requests.")
}

func invalidContext() *fault {
	return sender(wsman.NamespaceEnumeration, "InvalidEnumerationContext", "The supplied enumeration context is invalid.")
}

func deliveryMode() *fault {
	return sender(wsman.NamespaceEventing, "DeliveryModeRequestedUnavailable", "The requested delivery mode is not supported.")
}

func alreadyExists() *fault {
	return sender(wsman.NamespaceWSMan, "AlreadyExists", "The sender attempted to create a resource which already exists.")
}

// body is the Fault element.
func (f *fault) body() []wsman.Element {
	const soap = wsman.NamespaceSOAP
	code := "a:Sender"
	if f.receiver {
		code = "a:Receiver"
	}
	prefix := ""
	for i := 0; i+1 < len(faultPrefixes); i += 2 {
		if faultPrefixes[i] == f.space {
			prefix = faultPrefixes[i+1] + ":"
		}
	}
	return []wsman.Element{el(soap, "Fault",
		el(soap, "Code", textEl(soap, "Value", code), el(soap, "Subcode", textEl(soap, "Value", prefix+f.subcode))),
		el(soap, "Reason", wsman.Element{
			Space: soap, Name: "Text", Text: f.reason, Attrs: []wsman.Attr{{Space: xmlNamespace, Name: "lang", Value: "en-US"}},
		}),
		el(soap, "Detail"),
	)}
}
