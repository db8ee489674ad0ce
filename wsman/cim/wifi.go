package cim

import "github.com/meshcentral-go/sdk/wsman"

// WiFiEndpointName is the Name of the one CIM_WiFiEndpoint.
const WiFiEndpointName = "WiFi Endpoint 0"

// WiFiEndpointRef returns a reference to the one CIM_WiFiEndpoint, which WiFi profiles are for.
func WiFiEndpointRef() wsman.Ref {
	return wsman.NewRef("CIM_WiFiEndpoint", wsman.Key("Name", WiFiEndpointName))
}

const wifiProfile = "Intel(r) AMT:WiFi Endpoint Settings "

// WiFiProfileID returns the InstanceID of the WiFi profile with a name.
func WiFiProfileID(name string) string { return wifiProfile + name }
