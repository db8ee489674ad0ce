package main

import (
	"time"

	"github.com/meshcentral-go/sdk/relay"
)

// tunnelOptions are those of tunnels of package relay: over what the control channel's connection goes over, too.
func (s *session) tunnelOptions(p relay.Protocol) relay.Options {
	return relay.Options{
		Protocol: p, Wait: s.flags.wait, OnEvent: s.tunnelEvent,
		Net: relay.NetOptions{TLS: s.tls, Proxy: s.proxy},
	}
}

// tunnelEvent tells what the user of this program shall see of a tunnel.
func (s *session) tunnelEvent(e relay.Event) {
	switch e.Kind {
	case relay.EventConnected:
		if e.Recorded {
			s.noteLine("this session is recorded by the server")
		}
	case relay.EventConsent:
		s.noteLine("the device asks its user")
	case relay.EventGranted:
		s.noteLine("the device's user has agreed")
	case relay.EventConsole:
		s.noteLine("the device says: %s", e.Text)
	case relay.EventRequested, relay.EventDenied: // the latter is the error of what was asked for
	}
}

// lingerTime is how long the far end may be silent after the near one has ended: a tunnel has no half of it closed.
const lingerTime = time.Minute
