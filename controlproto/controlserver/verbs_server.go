package controlserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
)

// serverVerbs tell of the server itself.
//
// What MeshCentral offers here and this package does not, is not answered, as by a stock server that has it switched off:
// serverupdate, serverBackup, serverconfig, serverclearerrorlog, servertimelinestats, traceinfo, meshToolInfo and satellite.
func (s *Server) serverVerbs(m *controlproto.Mux) {
	controlproto.On(m, s.serverVersion)
	controlproto.On(m, s.serverErrors)
	controlproto.On(m, s.serverConsole)
	controlproto.On(m, s.serverStats)
	controlproto.On(m, s.trafficStats)
	controlproto.On(m, s.trafficDelta)
	controlproto.On(m, s.userWebState)
	controlproto.On(m, s.uiCustomEvent)
	controlproto.On(m, s.previousLogins)
}

// Version is the version of this module that the program was built with, "devel" in a checkout.
func Version() string {
	const module = "github.com/meshcentral-go/sdk"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module && m.Version != "" {
			return strings.Trim(m.Version, "()")
		}
	}
	return "devel"
}

func (s *Server) serverVersion(ctx context.Context, c *controlproto.Call, _ *controlproto.ServerVersion) error {
	return c.Reply(ctx, &controlproto.ServerVersionReply{Tags: map[string]string{"current": Version()}})
}

// serverErrors shows the log of crashes. There is none: a server of this package that crashes is not there to tell.
func (s *Server) serverErrors(ctx context.Context, c *controlproto.Call, _ *controlproto.ServerErrors) error {
	return c.Reply(ctx, &controlproto.ServerErrorsReply{})
}

// consoleCommands are the commands of the server's console that are offered, by name.
var consoleCommands = map[string]func(s *Server, ctx context.Context, c *controlproto.Call) (string, error){
	"info":         (*Server).consoleInfo,
	"versions":     (*Server).consoleVersions,
	"usersessions": (*Server).consoleSessions,
	"dbstats":      (*Server).consoleRecords,
}

// serverConsole runs a command of the server's console.
func (s *Server) serverConsole(ctx context.Context, c *controlproto.Call, req *controlproto.ServerConsole) error {
	name, _, _ := strings.Cut(strings.TrimSpace(req.Value), " ")
	name = strings.ToLower(name)
	var text string
	var err error
	switch run, known := consoleCommands[name]; {
	case name == "help":
		names := []string{"help"}
		for n := range consoleCommands {
			names = append(names, n)
		}
		slices.Sort(names)
		text = "Available commands: " + strings.Join(names, ", ") + "."
	case known:
		text, err = run(s, ctx, c)
	default:
		text = fmt.Sprintf("Unknown command \"%s\", type \"help\" for list of available commands.", cut(name, 64))
	}
	if err != nil || text == "" {
		return err
	}
	return c.Reply(ctx, &controlproto.ServerConsoleReply{Value: text})
}

func (s *Server) consoleInfo(_ context.Context, c *controlproto.Call) (string, error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return fmt.Sprintf("meshcentral-go: %s\nplatform: %s/%s, %s\nmemory: %d MB\nsessions: %d\ndevices online: %d",
		Version(), runtime.GOOS, runtime.GOARCH, runtime.Version(), m.Sys>>20, len(s.sessionsWhere(anySession)), s.cfg.Presence.Connected()), nil
}

func anySession(*controlproto.Session) bool { return true }

func (s *Server) consoleVersions(context.Context, *controlproto.Call) (string, error) {
	return "meshcentral-go " + Version() + "\n" + runtime.Version(), nil
}

func (s *Server) consoleSessions(_ context.Context, c *controlproto.Call) (string, error) {
	counts := map[controlproto.ID]int{}
	for _, o := range s.sessionsWhere(func(o *controlproto.Session) bool { return o.Domain() == c.Session.Domain() }) {
		counts[o.UserID()]++
	}
	var lines []string
	for id, n := range counts {
		lines = append(lines, fmt.Sprintf("%s, %d session%s.", id, n, map[bool]string{true: "s"}[n != 1]))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), nil
}

func (s *Server) consoleRecords(ctx context.Context, _ *controlproto.Call) (string, error) {
	var lines []string
	err := s.cfg.Store.View(ctx, func(tx StoreTx) error {
		for _, kind := range []Kind{KindAccount, KindUserGroup, KindDeviceGroup, KindDevice, KindLoginToken, KindShare} {
			records, err := tx.List(kind, Query{})
			if err != nil {
				return err
			}
			lines = append(lines, fmt.Sprintf("%s: %d", kind, len(records)))
		}
		return nil
	})
	return strings.Join(lines, "\n"), err
}

// Bounds of how often statistics are sent.
const (
	minStats = time.Second
	maxStats = 1000 * time.Second
)

// statsKey is where a session keeps what ends its statistics.
type statsKey struct{}

// serverStats sends numbers now and every so often, until it is asked again or the session ends.
func (s *Server) serverStats(ctx context.Context, c *controlproto.Call, req *controlproto.ServerStats) error {
	if !req.MayRead(c.Session.User().SiteRights) {
		return nil
	}
	if stop, ok := c.Session.Value(statsKey{}).(context.CancelFunc); ok {
		stop()
	}
	if req.Interval < minStats || req.Interval > maxStats {
		return nil // this is how they are stopped
	}
	live, stop := context.WithCancel(c.Session.Context())
	c.Session.Set(statsKey{}, stop)
	if err := c.Reply(ctx, s.stats()); err != nil {
		stop()
		return err
	}
	go func() {
		defer stop()
		t := time.NewTicker(req.Interval)
		defer t.Stop()
		for {
			select {
			case <-live.Done():
				return
			case <-t.C:
			}
			if c.Session.Send(live, s.stats()) != nil {
				return
			}
		}
	}()
	return nil
}

func (s *Server) stats() *controlproto.ServerStatsReply {
	var r controlproto.ServerStatsReply
	if s.cfg.HostMemory != nil {
		r.TotalMemory, r.FreeMemory = s.cfg.HostMemory()
	}
	users := map[controlproto.ID]bool{}
	for _, o := range s.sessionsWhere(anySession) {
		users[o.UserID()] = true
		r.Values.State.UserSessions++
	}
	s.dir.mu.RLock()
	r.Values.State.UserAccounts, r.Values.State.DeviceGroups = len(s.dir.accounts), len(s.dir.groups)
	s.dir.mu.RUnlock()
	r.Values.State.Users, r.Values.State.AgentSessions = len(users), s.cfg.Presence.Connected()
	return &r
}

// trafficStats would count bytes, which is the business of who owns the sockets.
func (s *Server) trafficStats(ctx context.Context, c *controlproto.Call, _ *controlproto.TrafficStats) error {
	return c.Reply(ctx, &controlproto.TrafficStatsReply{Stats: map[string]json.RawMessage{}})
}

func (s *Server) trafficDelta(ctx context.Context, c *controlproto.Call, _ *controlproto.TrafficDelta) error {
	return c.Reply(ctx, &controlproto.TrafficDeltaReply{Delta: map[string]json.RawMessage{}})
}

// maxWebState bounds what pages keep of their state.
const maxWebState = 30000

// userWebState keeps how an account's pages look, and tells its other sessions.
func (s *Server) userWebState(ctx context.Context, c *controlproto.Call, req *controlproto.UserWebState) error {
	if badLength(req.State, 1, maxWebState) || !json.Valid([]byte(req.State)) {
		return nil
	}
	id := c.Session.UserID()
	return s.Update(ctx, func(tx *Tx) error {
		if err := tx.exists(id); err != nil {
			return ignoreMissing(err)
		}
		rev, err := tx.Document(KindWebState, string(id), &WebState{})
		if err != nil {
			return err
		}
		if err := tx.PutDocument(KindWebState, string(id), string(id), rev, &WebState{State: req.State}); err != nil {
			return err
		}
		return tx.tell([]string{string(id)}, nil, controlproto.Event{
			Action: "userWebState", Domain: c.Session.Domain(), NoLog: 1,
		}, detail{"state", req.State})
	})
}

// maxCustomEvent bounds the event of a page, in bytes: it may go into the log.
const maxCustomEvent = 64 << 10

// uiCustomEvent passes an event of a page on to the account's sessions and to administrators. Of the devices that it names
// only those that the account sees count.
func (s *Server) uiCustomEvent(ctx context.Context, c *controlproto.Call, req *controlproto.SendUICustomEvent) error {
	if len(c.Raw) > maxCustomEvent {
		return nil
	}
	e := controlproto.Event{Type: "user", Action: "uicustomevent", Domain: c.Session.Domain(), Msg: req.LogMsg}
	if req.LogMsg == "" {
		e.NoLog = 1
	}
	details := []detail{{"uisection", req.Section}}
	if req.Source != nil && req.Source.SelectedDevices != nil {
		seen, err := s.seenDevices(ctx, c.Session, req.Source.SelectedDevices)
		if err != nil || len(seen) == 0 {
			return err
		}
		if len(seen) == 1 {
			e.DeviceID = seen[0]
		}
		details = append(details, detail{"src", &controlproto.UICustomSource{SelectedDevices: seen}})
	}
	for name, raw := range map[string]json.RawMessage{
		"element": req.Element, "values": req.Values, "selectedDevices": req.SelectedDevices,
	} {
		if raw != nil {
			details = append(details, detail{name, raw})
		}
	}
	made, err := event(c.Session.User(), e, details...)
	if err != nil {
		return err
	}
	return s.Dispatch(ctx, made, toAdmins, string(c.Session.UserID()))
}

// seenDevices are those devices of a list that the session's account sees.
func (s *Server) seenDevices(ctx context.Context, c *controlproto.Session, ids []controlproto.ID) ([]controlproto.ID, error) {
	seen := []controlproto.ID{}
	for _, id := range ids {
		d, _, err := s.deviceFor(ctx, c, id)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		seen = append(seen, d.ID)
	}
	return seen, nil
}

// previousLogins lists the logins of an account: one's own, or another one's to who manages accounts.
func (s *Server) previousLogins(ctx context.Context, c *controlproto.Call, req *controlproto.PreviousLogins) error {
	id := c.Session.UserID()
	if req.UserID != "" && req.UserID != id {
		if !c.Session.User().SiteRights.Has(controlproto.SiteManageUsers) || !s.manages(c.Session, req.UserID) {
			return nil
		}
		id = req.UserID
	}
	const most = 100
	list := []controlproto.PreviousLogin{}
	err := s.cfg.Store.View(ctx, func(tx StoreTx) error {
		for _, action := range []string{"login", "authfail"} {
			events, err := tx.Events(EventQuery{Domain: c.Session.Domain(), User: string(id), Action: action, Limit: most})
			if err != nil {
				return err
			}
			for _, l := range events {
				e, err := decode[controlproto.Event](Record{Doc: l.Doc})
				if err != nil {
					return err
				}
				list = append(list, controlproto.PreviousLogin{Time: l.Time, MsgID: e.MsgID, Args: e.MsgArgs})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b controlproto.PreviousLogin) int { return b.Time.Compare(a.Time) })
	return c.Reply(ctx, &controlproto.PreviousLoginsReply{UserID: req.UserID, Logins: list})
}
