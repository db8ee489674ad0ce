package controlproto

import (
	"encoding/json"
	"time"
)

var eventActions = []Spec{
	{
		Action: "events", Request: func() Message { return new(Events) },
		Reply: func() Message { return new(EventsReply) }, Echo: EchoTag,
	},
	{
		Action: "recordings", Request: func() Message { return new(Recordings) },
		Reply: func() Message { return new(RecordingsReply) }, Echo: EchoTag, Site: SiteRecordings,
	},
}

// Events asks for what is in the log: of an account ([SiteManageUsers]), of a device that is seen, or of all that
// concerns the account that asks. Client to server. Without Limit the answer may be very large. (meshuser.js, case
// 'events')
//
//	{"action":"events","nodeid":"node//...","limit":100,"tag":"x"}
type Events struct {
	UserID   ID                         `json:"userid"` // whole id
	User     string                     `json:"user"`   // what meshctrl sends for --userid; repeated in the answer, and nothing else
	DeviceID ID                         `json:"nodeid"`
	Limit    int                        `json:"limit"`
	Filter   string                     `json:"filter"` // one action: agentlog, batchupload, changenode, manual, relaylog, removenode, runcommands
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "events".
func (*Events) Action() string { return "events" }

func (*Events) reply() *EventsReply { return new(EventsReply) }

// EventsReply lists events, newest first. Server to client.
//
//	{"action":"events","events":[{"etype":"node","action":"agentlog","time":"2026-11-23T02:00:00.000Z", ...}],"nodeid":"node//...","tag":"x"}
//
// MeshCentral's come without "domain", those of a device also without "etype" and "nodeid". An empty Domain is not
// written.
type EventsReply struct {
	Events   []Event                    `json:"events,keep"`
	UserID   ID                         `json:"userid"` // these repeat the request
	User     string                     `json:"user"`
	DeviceID ID                         `json:"nodeid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Action is "events".
func (*EventsReply) Action() string { return "events" }

// loggedEvent is an event as it stands in the log: an empty domain is left out.
type loggedEvent struct {
	Event
	Domain string `json:"domain"`
}

// wire leaves out empty domains.
func (r *EventsReply) wire() Message {
	w := &eventsWire{UserID: r.UserID, User: r.User, DeviceID: r.DeviceID, Extra: r.Extra}
	if r.Events != nil { // there may be something else in Extra
		w.Events = make([]loggedEvent, len(r.Events))
	}
	for i := range r.Events {
		w.Events[i] = loggedEvent{r.Events[i], r.Events[i].Domain}
	}
	return w
}

type eventsWire struct {
	Events   []loggedEvent              `json:"events,keep"`
	UserID   ID                         `json:"userid"`
	User     string                     `json:"user"`
	DeviceID ID                         `json:"nodeid"`
	Extra    map[string]json.RawMessage `json:"-"`
}

func (*eventsWire) Action() string { return "events" }

// EventPush is one event, sent when it happens to every session that may know of it. Server to client.
// (meshuser.js, HandleEvent)
//
//	{"action":"event","event":{"etype":"node","action":"changenode","nodeid":"node//...", ...}}
type EventPush struct {
	Event Event                      `json:"event,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "event".
func (*EventPush) Action() string { return "event" }

// Recordings asks for the recorded sessions. Client to server. Needs [SiteRecordings]; silent if denied.
// (meshuser.js, case 'recordings')
//
//	{"action":"recordings","limit":100,"tag":"x"}
type Recordings struct {
	Limit int                        `json:"limit"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "recordings".
func (*Recordings) Action() string { return "recordings" }

func (*Recordings) reply() *RecordingsReply { return new(RecordingsReply) }

// RecordingsReply lists them. They are downloaded from recordings.ashx?file=FILENAME. Server to client.
//
//	{"action":"recordings","events":[{"time":"2026-11-23T02:00:00.000Z","filename":"...","size":1000,"present":1}],"tag":"x"}
//	{"action":"recordings","error":1,"tag":"x"}
type RecordingsReply struct {
	Recordings []Recording                `json:"events"`
	Error      int                        `json:"error"` // 1 the folder, 2 the database cannot be read
	Extra      map[string]json.RawMessage `json:"-"`
}

// Action is "recordings".
func (*RecordingsReply) Action() string { return "recordings" }

// Recording is a recorded session.
type Recording struct {
	Time      time.Time                  `json:"time,iso"`
	UserID    ID                         `json:"userid"`
	Username  string                     `json:"username"`
	UserIDs   []ID                       `json:"userids"`
	DeviceID  ID                         `json:"nodeid"`
	GroupID   ID                         `json:"meshid"`
	GroupName string                     `json:"meshname"`
	Name      string                     `json:"name"` // of the device
	Icon      Icon                       `json:"icon"`
	Filename  string                     `json:"filename"`
	Size      int64                      `json:"size"`
	Protocol  int                        `json:"protocol"` // 1 terminal, 2 desktop, 5 files, ...
	Start     time.Time                  `json:"startTime,ms"`
	Length    time.Duration              `json:"lengthTime,secs"`
	Multiplex bool                       `json:"multiplex"`
	Present   int                        `json:"present"` // 1: the file is still there
	Extra     map[string]json.RawMessage `json:"-"`
}
