package desktop

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// muxState is a [Multiplexor] without any I/O: the rules of who gets what.
type muxState struct {
	picture picture
	viewers []*muxViewer
	start   time.Time

	console   []byte             // the agent's line for the operators, until it clears it
	last      map[Command][]byte // the last of the commands that say how things are
	options   []byte             // of the first viewer
	started   bool               // a viewer has sent the protocol number
	agent     bool               // the agent has been told to start
	asked     Compression        // what the agent was asked for
	paused    bool               // what the agent was told
	haveAsked bool
}

// muxViewer is one of the viewers.
type muxViewer struct {
	user     string
	viewOnly bool

	position *muxFrame // the last of the picture it got; nil before the first
	urgent   []outgoing
	commands []Command // of urgent: 0 for what is not replaced by a later one
	paused   bool
	asked    Compression
	hasAsked bool
}

// protocolNumber is what starts a desktop.
const protocolNumber = "2"

// states are the commands of an agent that say how things are, so that only the last of each counts.
var states = [...]Command{
	CommandDisplays, CommandDisplayLayout, CommandDisplay, CommandKeyState, CommandInputLock, CommandCursor,
}

func isState(c Command) bool { return slices.Contains(states[:], c) }

// join adds a viewer. It gets how things are, then the picture as it is.
func (m *muxState) join(v *muxViewer) {
	m.viewers = append(m.viewers, v)
	if !v.viewOnly {
		for _, c := range states {
			if b := m.last[c]; b != nil {
				v.push(msgconn.Binary, b, c)
			}
		}
	}
	if m.console != nil {
		v.push(msgconn.Text, m.console, 0)
	}
	m.metadata()
}

// leave removes a viewer and returns what the agent is told: those that remain may want other pictures.
func (m *muxState) leave(v *muxViewer) []outgoing {
	m.viewers = slices.DeleteFunc(m.viewers, func(w *muxViewer) bool { return w == v })
	m.metadata()
	if len(m.viewers) == 0 {
		return nil
	}
	return m.wishes(nil)
}

// metadata tells all viewers who looks on.
//
//	{"ctrlChannel":"102938","type":"metadata","users":{"user//admin":1},"startTime":1770000000000}
func (m *muxState) metadata() {
	users := make(map[string]int)
	for _, v := range m.viewers {
		users[v.user]++
	}
	b, err := jsonrec.Append([]byte(`{"ctrlChannel":"102938","type":"metadata","users":`), users)
	if err != nil {
		return // users are strings and numbers
	}
	b = strconv.AppendInt(append(b, `,"startTime":`...), m.start.UnixMilli(), 10)
	b = append(b, '}')
	for _, v := range m.viewers {
		v.push(msgconn.Text, b, commandMetadata)
	}
}

// commandMetadata marks the metadata among what waits for a viewer; it is no command of the protocol.
const commandMetadata Command = 0xFFFF

// push queues something that overtakes the picture. A command that says how things are takes the place of an older one.
// The bytes are not changed any more.
func (v *muxViewer) push(typ msgconn.Type, b []byte, c Command) {
	if c != 0 {
		if i := slices.Index(v.commands, c); i >= 0 {
			v.urgent[i].data = b
			return
		}
	}
	if len(v.urgent) >= maxTexts+len(states) {
		v.urgent, v.commands = slices.Delete(v.urgent, 0, 1), slices.Delete(v.commands, 0, 1)
	}
	v.urgent, v.commands = append(v.urgent, outgoing{typ, b}), append(v.commands, c)
}

// next takes what a viewer gets next.
func (m *muxState) next(v *muxViewer) (outgoing, bool) {
	if len(v.urgent) > 0 {
		o := v.urgent[0]
		v.urgent, v.commands = slices.Delete(v.urgent, 0, 1), slices.Delete(v.commands, 0, 1)
		return o, true
	}
	f := m.ahead(v)
	if f == nil || v.paused {
		return outgoing{}, false
	}
	v.position = f
	return outgoing{msgconn.Binary, f.data}, true
}

// ahead is the part of the picture that a viewer has not got yet.
func (m *muxState) ahead(v *muxViewer) *muxFrame {
	if v.position == nil {
		return m.picture.first
	}
	return v.position.next
}

// allBehind says whether no viewer has got all there is, so that the agent may as well wait.
func (m *muxState) allBehind() bool {
	looking := 0
	for _, v := range m.viewers {
		if v.paused {
			continue
		}
		if looking++; m.ahead(v) == nil {
			return false
		}
	}
	return looking > 0
}

// fromAgent takes a message of the agent.
func (m *muxState) fromAgent(typ msgconn.Type, message []byte) error {
	if typ == msgconn.Text {
		m.agentText(message)
		return nil
	}
	return new(Splitter).Feed(message, m.agentCommand)
}

func (m *muxState) agentText(message []byte) {
	c, ok := parseControl(message)
	if !ok || c.Type != "console" {
		return // the viewers are not told of the agent's own metadata, or offered its WebRTC
	}
	b := bytes.Clone(message)
	if m.console = b; c.Message == "" {
		m.console = nil
	}
	for _, v := range m.viewers {
		v.push(msgconn.Text, b, 0)
	}
}

func (m *muxState) agentCommand(command []byte) error {
	c, p, err := Split(command)
	if err != nil {
		return err
	}
	switch {
	case c == CommandTile:
		t, err := ParseTile(p)
		if err != nil {
			return err
		}
		return m.picture.tile(t, command, func(f *muxFrame) {
			for _, v := range m.viewers {
				if v.position == f {
					v.position = f.prev
				}
			}
		})
	case c == CommandScreen:
		s, err := ParseScreen(p)
		if err != nil {
			return err
		}
		fresh, err := m.picture.resize(s, command)
		if fresh {
			for _, v := range m.viewers {
				v.position = nil
			}
		}
		return err
	case isState(c):
		if _, err := ParseFromAgent(command); err != nil {
			return err
		}
		b := bytes.Clone(command)
		m.last[c] = b
		for _, v := range m.viewers {
			if !v.viewOnly {
				v.push(msgconn.Binary, b, c)
			}
		}
	case c == CommandNotice, c == CommandAlert:
		b := bytes.Clone(command)
		for _, v := range m.viewers {
			v.push(msgconn.Binary, b, 0)
		}
	}
	return nil // COPY, which no late viewer could follow, and what is not for viewers
}

// begin is what an agent is told that has just come, or that somebody now wants to see.
func (m *muxState) begin() []outgoing {
	if !m.started || m.agent {
		return nil
	}
	m.agent = true
	var out []outgoing
	if m.options != nil {
		out = append(out, outgoing{msgconn.Text, m.options})
	}
	out = append(out, outgoing{msgconn.Text, []byte(protocolNumber)})
	return m.wishes(out)
}

// fromViewer takes a message of a viewer and returns what the agent gets.
func (m *muxState) fromViewer(v *muxViewer, connected bool, typ msgconn.Type, message []byte) ([]outgoing, error) {
	var out []outgoing
	if typ == msgconn.Text {
		out = m.viewerText(v, message)
	} else {
		// One command a message, as in the stock multiplexor.
		if len(message) < headerSize {
			return nil, nil
		}
		parsed, err := ParseFromViewer(message)
		if err != nil {
			return nil, fmt.Errorf("from viewer: %w", err)
		}
		out = m.viewerCommand(v, parsed, message)
	}
	if !connected {
		return nil, nil // what was asked for is known when the agent comes
	}
	if begin := m.begin(); begin != nil {
		return begin, nil
	}
	if !m.agent {
		return nil, nil
	}
	return out, nil
}

// viewerText takes a text message of a viewer. What keeps the tunnel alive is answered here.
func (m *muxState) viewerText(v *muxViewer, message []byte) []outgoing {
	if string(message) == protocolNumber {
		m.started = true
		return nil
	}
	c, ok := parseControl(message)
	if !ok {
		return nil
	}
	switch c.Type {
	case "options":
		if m.options == nil && !m.started {
			m.options = bytes.Clone(message)
		}
	case "ping":
		v.push(msgconn.Text, []byte(pong), 0)
	case "rtt":
		v.push(msgconn.Text, roundTrip(c), 0)
	case "lock", "autolock":
		if !v.viewOnly {
			return []outgoing{{msgconn.Text, message}}
		}
	}
	return nil
}

// viewerCommand takes a command of a viewer.
func (m *muxState) viewerCommand(v *muxViewer, parsed Message, message []byte) []outgoing {
	switch c := parsed.(type) {
	case Key, Mouse, CtrlAltDel, SelectDisplay, Unicode, InputLock:
		if !v.viewOnly {
			return []outgoing{{msgconn.Binary, message}}
		}
	case Compression:
		v.asked, v.hasAsked = c, true
		return m.wishes(nil)
	case Pause:
		v.paused = c.Paused
		return m.wishes(nil)
	case Refresh:
		v.position = nil
	case ListDisplays:
		m.repeat(v, CommandDisplays)
	case QueryLayout:
		m.repeat(v, CommandDisplayLayout)
	}
	return nil // touches among them: those of two viewers would be one hand
}

// repeat tells a viewer again how things are.
func (m *muxState) repeat(v *muxViewer, c Command) {
	if b := m.last[c]; b != nil && !v.viewOnly {
		v.push(msgconn.Binary, b, c)
	}
}

// wishes appends what the agent is to be asked for, if it is not what it was asked for before: pictures as the viewer wants
// them who wants the best, and none if nobody looks.
func (m *muxState) wishes(out []outgoing) []outgoing {
	var want Compression
	some, paused := false, len(m.viewers) > 0
	for _, v := range m.viewers {
		paused = paused && v.paused
		switch {
		case !v.hasAsked:
		case !some:
			want, some = v.asked, true
		default:
			if want.Format != v.asked.Format {
				want.Format = ImageJPEG
			}
			want.Quality = max(want.Quality, v.asked.Quality)
			want.Scaling = max(want.Scaling, v.asked.Scaling)
			want.Milliseconds = min(want.Milliseconds, v.asked.Milliseconds)
		}
	}
	if !m.agent {
		return out // it is told when it comes
	}
	if some && (!m.haveAsked || want != m.asked) {
		m.asked, m.haveAsked = want, true
		out = appendOutgoing(out, want)
	}
	if paused != m.paused {
		m.paused = paused
		out = appendOutgoing(out, Pause{Paused: paused})
	}
	return out
}

func appendOutgoing(out []outgoing, m Message) []outgoing {
	b, err := m.Append(nil)
	if err != nil {
		return out // neither of the two that are sent can fail
	}
	return append(out, outgoing{msgconn.Binary, b})
}
