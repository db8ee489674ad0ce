package controlserver

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// deliver takes a notice of the bus.
func (s *Server) deliver(n Notice) {
	if n.from != s {
		s.foreign.add(s, n)
		return
	}
	s.pass(n)
}

// pass gives a notice to the sessions that may hear of it.
func (s *Server) pass(n Notice) {
	if len(n.Message) == 0 {
		return
	}
	if n.Event == nil && bytes.HasPrefix(n.Message, []byte(`{"action":"event"`)) {
		// From another server: who may see it is decided here, and takes what it says.
		var push controlproto.EventPush
		if err := jsonrec.Unmarshal(n.Message, &push); err != nil {
			s.log.Warn("an event from the bus cannot be read", "reason", err)
			return
		}
		n.Event = &push.Event
	}
	s.sess.mu.RLock()
	defer s.sess.mu.RUnlock()
	for c, targets := range s.sess.all {
		if c.Domain() != n.Domain || !hears(targets, n.Targets) {
			continue
		}
		message := []byte(n.Message)
		if n.Event != nil {
			if message = s.eventFor(c, targets, n); message == nil {
				continue
			}
		}
		c.Push(message)
	}
}

// eventFor is the message of an event as one session may see it, or nil (meshuser.js, HandleEvent).
func (s *Server) eventFor(c *controlproto.Session, heard map[string]struct{}, n Notice) []byte {
	if page, _ := c.Value(pageKey{}).(pageOfDevices); !page.hears(n.Targets) {
		return nil
	}
	if s.keptFrom(c.UserID(), heard, n.Targets) {
		return nil
	}
	var message []byte
	var err error
	switch e := n.Event; {
	case e.Action == "deviceShareUpdate" && e.Extra["deviceShares"] != nil:
		message, err = ownShareUpdate(e, c.UserID())
	case e.Extra["ugrpid"] != nil && !c.User().SiteRights.Has(controlproto.SiteUserGroups):
		message, err = reducedGroupEvent(e, c.UserID())
	default:
		return n.Message
	}
	if err != nil {
		s.log.Warn("an event cannot be shown", "action", n.Event.Action, "reason", err)
		return nil
	}
	return message
}

// keptFrom tells whether an account that hears of a group only what concerns itself, or nobody, is kept from an event.
func (s *Server) keptFrom(user controlproto.ID, heard map[string]struct{}, targets []string) bool {
	others, limited := false, false
	for _, t := range targets {
		if t == string(user) {
			return false
		}
		if strings.HasPrefix(t, controlproto.KindUser+"/") {
			others = true
			continue
		}
		if _, ok := heard[t]; !ok {
			continue
		}
		if t == toAdmins {
			return false
		}
		if strings.HasPrefix(t, controlproto.KindDeviceGroup+"/") {
			r, _ := s.rights(user, controlproto.ID(t), "")
			limited = limited || r.Denies(controlproto.LimitedEvents)
		}
	}
	return others && limited
}

// ownShareUpdate is a list of a device's guest links without the links that others have made.
func ownShareUpdate(e *controlproto.Event, user controlproto.ID) ([]byte, error) {
	list, err := ownLinks(e.Extra["deviceShares"], user)
	if err != nil {
		return nil, err
	}
	own := *e
	own.Extra = map[string]json.RawMessage{"deviceShares": list}
	return controlproto.AppendMessage(nil, &controlproto.EventPush{Event: own}, controlproto.Correlation{})
}

// groupEvent is what everyone in a user group may know of an event of the group.
type groupEvent struct {
	GroupID  json.RawMessage    `json:"ugrpid"`
	Domain   string             `json:"domain,keep"`
	Time     time.Time          `json:"time,iso"`
	Name     json.RawMessage    `json:"name"`
	Action   string             `json:"action"`
	Username string             `json:"username"`
	Links    controlproto.Links `json:"links,keep"`
	H        json.RawMessage    `json:"h"`
}

// reducedGroupEvent is an event of a user group without its other members.
func reducedGroupEvent(e *controlproto.Event, user controlproto.ID) ([]byte, error) {
	var all struct {
		Links controlproto.Links `json:"links"`
	}
	if l := e.Extra["links"]; l != nil {
		if err := jsonrec.Unmarshal(append(append([]byte(`{"links":`), l...), '}'), &all); err != nil {
			return nil, err
		}
	}
	links := controlproto.Links{}
	for id, l := range all.Links {
		if id == user || id.Kind() == controlproto.KindDeviceGroup || id.Kind() == controlproto.KindDevice {
			links[id] = l
		}
	}
	b := []byte(`{"action":"event","event":`)
	b, err := jsonrec.Append(b, &groupEvent{e.Extra["ugrpid"], e.Domain, e.Time, e.Extra["name"], e.Action, e.Username, links, e.Extra["h"]})
	return append(b, '}'), err
}
