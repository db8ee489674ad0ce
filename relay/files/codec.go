package files

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// Action is a message in JSON that has an action: requests, and most answers. A [Listing] has none, and its action is empty.
type Action interface {
	Message
	Action() string
}

func (Ready) message()          {}
func (Start) message()          {}
func (Chunk) message()          {}
func (Block) message()          {}
func (*Control) message()       {}
func (*List) message()          {}
func (*Listing) message()       {}
func (*Mkdir) message()         {}
func (*Remove) message()        {}
func (*Rename) message()        {}
func (*Copy) message()          {}
func (*Move) message()          {}
func (*OpenOnDesktop) message() {}
func (*MarkCoreDump) message()  {}
func (*Find) message()          {}
func (*Found) message()         {}
func (*CancelFind) message()    {}
func (*Zip) message()           {}
func (*Unzip) message()         {}
func (*Cancel) message()        {}
func (*Dialog) message()        {}
func (*Refresh) message()       {}
func (*Upload) message()        {}
func (*UploadStart) message()   {}
func (*UploadAck) message()     {}
func (*UploadError) message()   {}
func (*UploadDone) message()    {}
func (*UploadCancel) message()  {}
func (*UploadHash) message()    {}
func (*Hash) message()          {}
func (*Download) message()      {}
func (*Unknown) message()       {}

// Action is "ls".
func (*List) Action() string { return "ls" }

// Action is empty: listings have none.
func (*Listing) Action() string { return "" }

// Action is "mkdir".
func (*Mkdir) Action() string { return "mkdir" }

// Action is "rm".
func (*Remove) Action() string { return "rm" }

// Action is "rename".
func (*Rename) Action() string { return "rename" }

// Action is "copy".
func (*Copy) Action() string { return "copy" }

// Action is "move".
func (*Move) Action() string { return "move" }

// Action is "open".
func (*OpenOnDesktop) Action() string { return "open" }

// Action is "markcoredump".
func (*MarkCoreDump) Action() string { return "markcoredump" }

// Action is "findfile".
func (*Find) Action() string { return "findfile" }

// Action is "findfile".
func (*Found) Action() string { return "findfile" }

// Action is "cancelfindfile".
func (*CancelFind) Action() string { return "cancelfindfile" }

// Action is "zip".
func (*Zip) Action() string { return "zip" }

// Action is "unzip".
func (*Unzip) Action() string { return "unzip" }

// Action is "cancel".
func (*Cancel) Action() string { return "cancel" }

// Action is "dialogmessage".
func (*Dialog) Action() string { return "dialogmessage" }

// Action is "refresh".
func (*Refresh) Action() string { return "refresh" }

// Action is "upload".
func (*Upload) Action() string { return "upload" }

// Action is "uploadstart".
func (*UploadStart) Action() string { return "uploadstart" }

// Action is "uploadack".
func (*UploadAck) Action() string { return "uploadack" }

// Action is "uploaderror".
func (*UploadError) Action() string { return "uploaderror" }

// Action is "uploaddone".
func (*UploadDone) Action() string { return "uploaddone" }

// Action is "uploadcancel".
func (*UploadCancel) Action() string { return "uploadcancel" }

// Action is "uploadhash".
func (*UploadHash) Action() string { return "uploadhash" }

// Action is "uploadhash".
func (*Hash) Action() string { return "uploadhash" }

// Action is "download".
func (*Download) Action() string { return "download" }

// Action is the message's own.
func (u *Unknown) Action() string { return u.Name }

// Bounds of JSON. A listing of 100,000 files is 7 MB.
const (
	maxRequest       = 1 << 20
	maxRequestValues = 64 << 10
	maxReply         = 32 << 20
	maxReplyValues   = 4 << 20
	maxDepth         = 16
)

// newRequest is an empty request of an action, and where the members go that it does not name.
func newRequest(action string) (Message, *map[string]json.RawMessage) {
	switch action {
	case "ls":
		m := new(List)
		return m, &m.Extra
	case "mkdir":
		m := new(Mkdir)
		return m, &m.Extra
	case "rm":
		m := new(Remove)
		return m, &m.Extra
	case "rename":
		m := new(Rename)
		return m, &m.Extra
	case "copy":
		m := new(Copy)
		return m, &m.Extra
	case "move":
		m := new(Move)
		return m, &m.Extra
	case "open":
		m := new(OpenOnDesktop)
		return m, &m.Extra
	case "markcoredump":
		m := new(MarkCoreDump)
		return m, &m.Extra
	case "findfile":
		m := new(Find)
		return m, &m.Extra
	case "cancelfindfile":
		m := new(CancelFind)
		return m, &m.Extra
	case "zip":
		m := new(Zip)
		return m, &m.Extra
	case "unzip":
		m := new(Unzip)
		return m, &m.Extra
	case "cancel":
		m := new(Cancel)
		return m, &m.Extra
	case "upload":
		m := new(Upload)
		return m, &m.Extra
	case "uploaddone":
		m := new(UploadDone)
		return m, &m.Extra
	case "uploadcancel":
		m := new(UploadCancel)
		return m, &m.Extra
	case "uploadhash":
		m := new(UploadHash)
		return m, &m.Extra
	case "download":
		m := new(Download)
		return m, &m.Extra
	}
	m := &Unknown{Name: action}
	return m, &m.Extra
}

// newReply is the same for what a device says.
func newReply(action string) (Message, *map[string]json.RawMessage) {
	switch action {
	case "findfile":
		m := new(Found)
		return m, &m.Extra
	case "dialogmessage":
		m := new(Dialog)
		return m, &m.Extra
	case "refresh":
		m := new(Refresh)
		return m, &m.Extra
	case "uploadstart":
		m := new(UploadStart)
		return m, &m.Extra
	case "uploadack":
		m := new(UploadAck)
		return m, &m.Extra
	case "uploaderror":
		m := new(UploadError)
		return m, &m.Extra
	case "uploaddone":
		m := new(UploadDone)
		return m, &m.Extra
	case "uploadcancel":
		m := new(UploadCancel)
		return m, &m.Extra
	case "uploadhash":
		m := new(Hash)
		return m, &m.Extra
	case "download":
		m := new(Download)
		return m, &m.Extra
	}
	m := &Unknown{Name: action}
	return m, &m.Extra
}

// ParseRequest reads a message that goes to the device. While an upload is open, binary messages are its content, except
// those that begin like JSON. A Chunk aliases b.
func ParseRequest(t Type, b []byte, uploading bool) (Message, error) {
	if t == Binary && uploading && (len(b) == 0 || b[0] != '{') {
		if len(b) > 0 && b[0] == 0 {
			b = b[1:]
		}
		return Chunk(b), nil
	}
	if m := parseWord(t, b); m != nil {
		return m, nil
	}
	return parseJSON(b, newRequest, false, jsonrec.Limits{Size: maxRequest, Depth: maxDepth, Values: maxRequestValues})
}

// ParseReply reads a message that comes from the device, or from the server. A Block aliases b.
func ParseReply(t Type, b []byte) (Message, error) {
	if t == Binary && (len(b) == 0 || b[0] != '{') {
		return parseBlock(b)
	}
	if m := parseWord(t, b); m != nil {
		return m, nil
	}
	return parseJSON(b, newReply, true, jsonrec.Limits{Size: maxReply, Depth: maxDepth, Values: maxReplyValues})
}

// parseWord reads what is not JSON.
func parseWord(t Type, b []byte) Message {
	switch {
	case t != Text || len(b) == 0 || len(b) > 3:
		return nil
	case string(b) == "c":
		return Ready{}
	case string(b) == "cr":
		return Ready{Recorded: true}
	}
	if n, err := strconv.ParseUint(string(b), 10, 16); err == nil && strconv.FormatUint(n, 10) == string(b) {
		return Start{int(n)}
	}
	return nil
}

func parseJSON(b []byte, empty func(string) (Message, *map[string]json.RawMessage), listings bool, l jsonrec.Limits) (Message, error) {
	if len(b) < 2 || b[0] != '{' {
		return nil, ErrMessage
	}
	if err := jsonrec.Check(b, l); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	parts, err := jsonrec.Peek(b, "action", "ctrlChannel", "dir", "type", "path")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if parts[1] != nil && parts[3] != nil {
		c := new(Control)
		if err := jsonrec.Unmarshal(b, c); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMessage, err)
		}
		if c.Channel == Marker {
			if len(c.Extra) == 0 {
				c.Extra = nil
			}
			return c, nil
		}
	}
	var action struct {
		Action *string `json:"action"`
	}
	if parts[0] != nil {
		if err := jsonrec.Unmarshal(b, &action); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMessage, err)
		}
	}
	if action.Action == nil {
		if !listings || parts[2] == nil && parts[4] == nil {
			return nil, fmt.Errorf("%w: it has no action", ErrMessage)
		}
		m := new(Listing)
		if err := jsonrec.Unmarshal(b, m); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMessage, err)
		}
		if len(m.Extra) == 0 {
			m.Extra = nil
		}
		return m, nil
	}
	m, extra := empty(*action.Action)
	if err := jsonrec.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	delete(*extra, "action")
	if len(*extra) == 0 {
		*extra = nil
	}
	return m, nil
}

// Append appends a message to b and says which type it is sent as.
func Append(b []byte, m Message) (Type, []byte, error) {
	switch m := m.(type) {
	case Ready:
		if m.Recorded {
			return Text, append(b, "cr"...), nil
		}
		return Text, append(b, 'c'), nil
	case Start:
		return Text, strconv.AppendInt(b, int64(m.Protocol), 10), nil
	case Chunk:
		if len(m) == 0 {
			return Binary, b, fmt.Errorf("%w: an empty piece of a file", ErrMessage)
		}
		if m[0] == 0 || m[0] == '{' {
			b = append(b, 0)
		}
		return Binary, append(b, m...), nil
	case Block:
		flags := uint32(blockFlags)
		if m.Last {
			flags |= blockLast
		}
		return Binary, append(binary.BigEndian.AppendUint32(b, flags), m.Data...), nil
	case *Control:
		out, err := jsonrec.Append(b, m)
		return Text, out, err
	case Action:
		out, err := appendAction(b, m)
		return messageType(m), out, err
	}
	return 0, b, fmt.Errorf("files: %T cannot be sent", m)
}

func appendAction(b []byte, m Action) ([]byte, error) {
	body, err := jsonrec.Append(nil, m)
	if err != nil {
		return b, fmt.Errorf("files: message %s: %w", quote(m.Action()), err)
	}
	if _, ok := m.(*Listing); ok {
		return append(b, body...), nil
	}
	b = jsonrec.AppendString(append(b, `{"action":`...), m.Action())
	if len(body) > 2 {
		b = append(b, ',')
	}
	return append(b, body[1:]...), nil
}

// messageType is how peers send a message: answers are binary, but those to downloads.
func messageType(m Message) Type {
	switch m.(type) {
	case *Listing, *Found, *Dialog, *Refresh, *UploadStart, *UploadAck, *UploadError, *Hash:
		return Binary
	}
	return Text
}
