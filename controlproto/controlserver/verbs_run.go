package controlserver

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/meshcentral-go/sdk/controlproto"
)

// runVerbs are commands that run on devices.
func (s *Server) runVerbs(m *controlproto.Mux) {
	controlproto.On(m, s.runCommands)
}

// maxCommands bounds the text of commands.
const maxCommands = 65535

// agentCommands is what an agent is told to run.
type agentCommands struct {
	Action     string                   `json:"action"`
	Type       controlproto.CommandType `json:"type,keep"`
	Commands   string                   `json:"cmds,keep"`
	RunAs      controlproto.RunAs       `json:"runAsUser,keep"`
	Reply      bool                     `json:"reply,keep"`
	SessionID  string                   `json:"sessionid"`
	ResponseID string                   `json:"responseid,null"`
}

// runCommands runs text in a shell, or in the agent's console, of each device.
//
// The agent is told the session, so that the output comes back to it alone; what an agent says to its console meanwhile
// names no session and is heard by everyone with rights on the console.
func (s *Server) runCommands(ctx context.Context, c *controlproto.Call, req *controlproto.RunCommands) error {
	if len(req.DeviceIDs) == 0 || req.Preset == nil && !isNumber(c, "type") {
		return nil
	}
	if req.Type != controlproto.ShellAgent && shapeOf(c, "responseid") != '"' {
		c.ResponseID = nil // agents can only repeat a text
	}
	if req.Preset != nil && !s.usePreset(c.Session.Domain(), req) {
		return nil
	}
	if req.Path != "" || req.Commands == "" || len(req.Commands) > maxCommands {
		return nil // files of the server are not run
	}
	for _, id := range req.DeviceIDs {
		result, err := s.runOn(ctx, c, id, req)
		if err != nil {
			return err
		}
		if result != "" {
			if err := c.Result(ctx, result); err != nil {
				return err
			}
		}
	}
	return nil
}

// usePreset puts a script of the domain's settings in place of the request's.
func (s *Server) usePreset(domain string, req *controlproto.RunCommands) bool {
	scripts := s.domains[domain].Scripts
	if *req.Preset < 0 || *req.Preset >= len(scripts) {
		return false
	}
	script := scripts[*req.Preset]
	req.Type, req.RunAs, req.Commands, req.Path = script.Type, script.RunAs, script.Commands, ""
	return true
}

// runOn runs commands on one device, and returns what to answer at once.
func (s *Server) runOn(ctx context.Context, c *controlproto.Call, id controlproto.ID, req *controlproto.RunCommands) (result string, err error) {
	if id == "" || len(id) > 1024 {
		return "Invalid nodeid", nil
	}
	if id = id.In(controlproto.KindDevice, c.Session.Domain()); !id.Valid() || id.Domain() != c.Session.Domain() {
		return "Invalid domain", nil
	}
	d, rights, err := s.deviceFor(ctx, c.Session, id)
	if errors.Is(err, ErrNotFound) {
		return "Invalid nodeid", nil
	}
	if err != nil {
		return "", err
	}
	if req.Type == controlproto.ShellAgent {
		return s.runInConsole(ctx, c, d, rights, req.Commands)
	}
	if !rights.Has(controlproto.RemoteCommand) {
		return "Access denied", nil
	}
	typ, ok := shellOf(d, req.Type)
	if !ok {
		return "Invalid command type", nil
	}
	command := agentCommands{
		Action: "runcommands", Type: typ, Commands: req.Commands, RunAs: req.RunAs, Reply: req.Reply, SessionID: c.Session.ID(),
	}
	var asked string
	if json.Unmarshal(c.ResponseID, &asked) == nil {
		command.ResponseID = asked
	}
	if sent, err := s.sendTo(ctx, d.ID, &command); !sent {
		return "Agent not connected", err
	}
	msgID := 24
	switch req.Type {
	case controlproto.ShellCmd:
		msgID = 99
	case controlproto.ShellPowerShell:
		msgID = 100
	default: // 24 says no more
	}
	e, err := event(c.Session.User(), controlproto.Event{
		Type: "node", Action: "runcommands", DeviceID: d.ID, Domain: d.Domain, Msg: "Running commands", MsgID: msgID,
	}, detail{"cmds", req.Commands}, detail{"cmdType", typ}, detail{"runAsUser", req.RunAs})
	if err == nil {
		err = s.Dispatch(ctx, e, append(deviceTargets(d), toManagers, string(c.Session.UserID()))...)
	}
	if err != nil || req.Reply {
		return "", err
	}
	return "OK", nil
}

// shellOf finds the shell for a device. As on the stock server, the agents with ids 1 to 4 are those of Windows.
func shellOf(d *controlproto.Device, want controlproto.CommandType) (controlproto.CommandType, bool) {
	if d.Agent == nil {
		return 0, false // a device without agent
	}
	if d.Agent.ID > 0 && d.Agent.ID < 5 {
		if want == controlproto.ShellDefault {
			want = controlproto.ShellCmd
		}
		return want, want == controlproto.ShellCmd || want == controlproto.ShellPowerShell
	}
	if want == controlproto.ShellDefault {
		want = controlproto.ShellUnix
	}
	return want, want == controlproto.ShellUnix
}

// agentConsole is a line for an agent's console.
type agentConsole struct {
	Action    string              `json:"action"`
	Type      string              `json:"type"`
	Value     string              `json:"value,keep"`
	Rights    controlproto.Rights `json:"rights,keep"`
	SessionID string              `json:"sessionid"`
}

func (s *Server) runInConsole(ctx context.Context, c *controlproto.Call, d *controlproto.Device, rights controlproto.Rights, line string) (string, error) {
	if !rights.Has(controlproto.RemoteControl | controlproto.AgentConsole) {
		return "Access denied", nil
	}
	command := agentConsole{Action: "msg", Type: "console", Value: line, Rights: rights, SessionID: c.Session.ID()}
	if sent, err := s.sendTo(ctx, d.ID, &command); !sent {
		return "Agent not connected", err
	}
	return "OK", nil
}

// sendTo sends a message to the agent of a device, and tells whether there is one.
func (s *Server) sendTo(ctx context.Context, id controlproto.ID, message any) (sent bool, err error) {
	b, err := encode(message)
	if err != nil {
		return false, err
	}
	err = s.cfg.Router.Send(ctx, id, b)
	if errors.Is(err, ErrNotConnected) {
		return false, nil
	}
	return err == nil, err
}

// noRouter reaches nobody.
type noRouter struct{}

func (noRouter) Send(context.Context, controlproto.ID, []byte) error { return ErrNotConnected }

func (noRouter) Disconnect(context.Context, controlproto.ID, bool) error { return ErrNotConnected }
