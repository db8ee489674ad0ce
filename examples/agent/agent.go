package main

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/examples/agent/hostinfo"
)

// agent is what this program does in a session.
type agent struct {
	tag     string
	proxy   func(*http.Request) (*url.URL, error) // nil: from the environment
	log     *slog.Logger
	console *console

	// What operators may use of this machine.
	terminal bool
	files    *os.Root // nil: no files
	desktop  string   // "", desktopPattern or desktopX11
	ports    ports
}

func newAgent(tag string, log *slog.Logger) *agent {
	return &agent{tag: tag, log: log, console: &console{started: time.Now()}}
}

// Serve receives from a session.
func (a *agent) Serve(ctx context.Context, s *agentproto.ClientSession) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tunnels := a.openTunnels(ctx, s)
	defer tunnels.Close()
	mux := &agentproto.Mux{LoggedIn: a.loggedIn, Other: a.other}
	agentproto.Handle(mux, a.sysInfo)
	agentproto.Handle(mux, a.command)
	agentproto.Handle(mux, func(ctx context.Context, s *agentproto.ClientSession, m *agentproto.TunnelRequest) {
		a.tunnel(ctx, s, tunnels, m)
	})
	agentproto.Handle(mux, func(_ context.Context, _ *agentproto.ClientSession, m *agentproto.EndTunnel) {
		a.endTunnel(tunnels, m)
	})
	mux.Serve(ctx, s)
}

// loggedIn reports what the server does not ask for.
func (a *agent) loggedIn(ctx context.Context, s *agentproto.ClientSession) {
	tag, _ := agentproto.AgentTag{Text: []byte(a.tag)}.AppendBinary(nil) // without an error, it says
	a.report(s.SendRaw(ctx, tag))
	a.report(s.Send(ctx, coreInfo(a.capabilities())))
	info, err := netInfo()
	if err != nil {
		a.log.Warn("network interfaces could not be read", "reason", err)
		return
	}
	a.report(s.Send(ctx, info))
}

// report logs what could not be sent. The session has ended then, and the next one reports again.
func (a *agent) report(err error) {
	if err != nil {
		a.log.Debug("not sent", "reason", err)
	}
}

// capabilities are announced in the login, and reported together with the description. Pages of operators show what they name.
func (a *agent) capabilities() agentproto.Capabilities {
	caps := agentproto.CapConsole | agentproto.CapCore
	if a.terminal {
		caps |= agentproto.CapTerminal
	}
	if a.files != nil {
		caps |= agentproto.CapFiles
	}
	if a.desktop != "" {
		caps |= agentproto.CapDesktop
	}
	return caps
}

func coreInfo(caps agentproto.Capabilities) *agentproto.CoreInfo {
	system := hostinfo.ReadSystem()
	info := &agentproto.CoreInfo{
		Value:  agentproto.AgentString("meshcentral-go example, " + runtime.GOOS + "/" + runtime.GOARCH + ", " + runtime.Version()),
		Caps:   &caps,
		OSDesc: agentproto.AgentString(system.OS),
		Root:   &system.Root,
	}
	for _, user := range system.Users {
		info.Users = append(info.Users, agentproto.AgentString(user))
	}
	if !system.Booted.IsZero() {
		booted := system.Booted.UnixMilli()
		info.LastBootUpTime = &booted
	}
	return info
}

func netInfo() (*agentproto.NetInfo, error) {
	list, err := hostinfo.ReadNetwork()
	if err != nil {
		return nil, err
	}
	info := &agentproto.NetInfo{Interfaces: make(map[agentproto.AgentString][]agentproto.NetAddress)}
	for _, i := range list {
		index := int64(i.Index)
		common := agentproto.NetAddress{MAC: agentproto.AgentString(i.MAC), Status: "down", Type: "ethernet", Index: &index}
		if i.Up {
			common.Status = "up"
		}
		var entries []agentproto.NetAddress
		for _, addr := range i.Addresses {
			entry := common
			entry.Address, entry.Family = agentproto.AgentString(addr.IP), "IPv4"
			if addr.V6 {
				entry.Family = "IPv6"
			}
			entry.Netmask, entry.Gateway = agentproto.AgentString(addr.Netmask), agentproto.AgentString(addr.Gateway)
			entries = append(entries, entry)
		}
		if entries == nil {
			entries = append(entries, common)
		}
		info.Interfaces[agentproto.AgentString(i.Name)] = entries
	}
	return info, nil
}

// sysInfo sends the inventory, unless the server has it. The server knows it by a hash that is the agent's choice.
func (a *agent) sysInfo(ctx context.Context, s *agentproto.ClientSession, m *agentproto.GetSysInfo) {
	info, err := systemInfo()
	if err != nil {
		a.log.Warn("system information can not be sent", "reason", err)
		return
	}
	known := m.Hash != "" && m.Hash == string(info.Hash())
	a.log.Debug("asked for system information", "known", known)
	if known {
		return
	}
	a.report(s.Send(ctx, info))
}

func systemInfo() (*agentproto.SysInfo, error) {
	hardware, err := json.Marshal(hostinfo.ReadHardware())
	if err != nil {
		return nil, err
	}
	sum := sha512.Sum384(hardware)
	data, err := json.Marshal(map[string]any{"hash": hex.EncodeToString(sum[:]), "hardware": json.RawMessage(hardware)})
	if err != nil {
		return nil, err
	}
	info := &agentproto.SysInfo{Data: agentproto.NewSystemData(data)}
	return info, info.Validate() // a stock server drops what it does not like without a word
}

// consoleRights are the rights on the device that a stock agent demands, too, before it obeys: 8 is remote control, 16 the
// agent's console.
const consoleRights = 8 | 16

// command answers an operator's console.
func (a *agent) command(ctx context.Context, s *agentproto.ClientSession, m *agentproto.ConsoleCommand) {
	a.log.Info("console command", "user", m.Username, "from", m.RemoteAddr, "command", m.Value)
	text := "This needs the rights of remote control and of the agent's console."
	if m.Rights&consoleRights == consoleRights {
		text = a.console.run(m.Value)
	}
	answer := &agentproto.ConsoleOutput{Value: agentproto.AgentText(text)}
	answer.SessionID = agentproto.AgentString(m.SessionID) // to whom it goes
	a.report(s.Send(ctx, answer))
}

// other drops everything else that a server may ask, as agents shall.
func (a *agent) other(_ context.Context, _ *agentproto.ClientSession, ev agentproto.Event) {
	switch ev := ev.(type) {
	case agentproto.MessageEvent:
		a.log.Debug("message dropped", "action", ev.Message.Action())
	case agentproto.BadMessageEvent:
		a.log.Debug("message dropped", "reason", ev.Err)
	}
}
