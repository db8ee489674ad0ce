package cim

import "github.com/meshcentral-go/sdk/wsman"

// Filters of events, which are subscribed to: values of InstanceID of CIM_FilterCollection. A device may have more.
const (
	EventFilterAllEvents = "Intel(r) AMT:AllEvents"
	EventFilterAll       = "Intel(r) AMT:All"
)

// EventFilter returns a reference to a filter of events by its InstanceID.
func EventFilter(id string) wsman.Ref {
	return wsman.NewRef("CIM_FilterCollection", wsman.Key("InstanceID", id))
}
