package controlserver

import (
	"strings"

	"github.com/meshcentral-go/sdk/controlproto"
)

// pageKey is where a session keeps the page of devices that it looks at, if the domain has pages.
type pageKey struct{}

// pageOfDevices are the devices on a page; nil is all of them.
type pageOfDevices map[controlproto.ID]struct{}

func (p pageOfDevices) shows(id controlproto.ID) bool {
	if p == nil {
		return true
	}
	_, ok := p[id]
	return ok
}

// hears tells whether an event for these targets is about a device on the page, or about none.
func (p pageOfDevices) hears(targets []string) bool {
	if p == nil {
		return true
	}
	about := false
	for _, t := range targets {
		if strings.HasPrefix(t, controlproto.KindDevice+"/") {
			if p.shows(controlproto.ID(t)) {
				return true
			}
			about = true
		}
	}
	return !about
}

// pageOf is the page of a list.
func pageOf(list deviceList) pageOfDevices {
	p := pageOfDevices{}
	for _, devices := range list.devices {
		for _, d := range devices {
			p[d.id] = struct{}{}
		}
	}
	return p
}
