package agentproto

// Event is something that a peer did after its login: a [MessageEvent], a [TagEvent], a [CoreEvent] or a [BadMessageEvent].
type Event interface{ isEvent() }

// MessageEvent is a JSON message of the peer. Pings are answered and pongs taken before they get here.
type MessageEvent struct {
	Message JSONMessage
}

// TagEvent is the tag that an agent was installed with, once after each login. Its text may be empty.
type TagEvent struct {
	Tag TagInfo
}

// CoreEvent tells that the exchange of an agent's core or executable has come to another phase, or, while an update
// is under way, further.
type CoreEvent struct {
	Phase   CorePhase
	Hash    Hash // of the agent's core, if HasCore
	HasCore bool
	Sent    int // bytes of the update, of
	Total   int // so many
}

// BadMessageEvent is a message that could not be read, or has no place after the login. It was dropped; the session
// goes on, as with the stock server.
type BadMessageEvent struct {
	Err error
}

func (MessageEvent) isEvent()    {}
func (TagEvent) isEvent()        {}
func (CoreEvent) isEvent()       {}
func (BadMessageEvent) isEvent() {}
