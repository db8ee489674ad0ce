package controlserver

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// world is a server with an empty store, in a bubble: nothing in it is slow, and after synctest.Wait all that is to happen
// has happened, so that silence can be seen.
type world struct {
	t      *testing.T
	s      *Server
	store  *MemoryStore
	agents *fakeRouter
	server *controlproto.Server
}

// inWorld runs a test with a server of its own.
func inWorld(t *testing.T, f func(w *world), configure ...func(*Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, store: new(MemoryStore), agents: &fakeRouter{online: map[controlproto.ID]bool{}}}
		log := slog.New(slog.NewTextHandler(leakWriter{t}, nil))
		cfg := Config{Store: w.store, Router: w.agents, Logger: log}
		for _, c := range configure {
			c(&cfg)
		}
		var err error
		w.s, err = New(cfg)
		require.NoError(t, err)
		w.server, err = controlproto.NewServer(controlproto.ServerConfig{
			Mux: w.s.Mux(), Accounts: w.s, Tokens: w.s, Factors: w.s, Opened: w.s.Opened, Closed: w.s.Closed,
			Logger: log, CookieKeys: []controlproto.CookieKey{*w.s.cfg.LoginKey},
		})
		require.NoError(t, err)
		defer w.s.Close()
		defer func() { // also when f fails, or the bubble would not end
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := w.server.Shutdown(ctx); err != nil {
				t.Error(err)
			}
		}()
		f(w)
	})
}

func (w *world) update(f func(tx *Tx) error) {
	w.t.Helper()
	require.NoError(w.t, w.s.Update(context.Background(), f))
}

// account makes an account of the default domain, without a password.
func (w *world) account(name string, rights controlproto.SiteRights) controlproto.ID {
	w.t.Helper()
	id := controlproto.UserID("", name)
	w.update(func(tx *Tx) error {
		return tx.AddAccount(&Account{Type: controlproto.KindUser, User: controlproto.User{ID: id, Name: name, SiteRights: rights}})
	})
	return id
}

// id makes an id of the right length that is easy to read: "node//lab1......".
func id(kind, name string) controlproto.ID {
	return controlproto.MakeID(kind, "", name+strings.Repeat(".", max(0, 64-len(name))))
}

// group makes a device group of agents.
func (w *world) group(name string, links map[controlproto.ID]controlproto.Rights) controlproto.ID {
	w.t.Helper()
	return w.groupOf(name, controlproto.GroupAgent, links)
}

func (w *world) groupOf(name string, typ controlproto.GroupType, links map[controlproto.ID]controlproto.Rights) controlproto.ID {
	w.t.Helper()
	g := id(controlproto.KindDeviceGroup, name)
	w.update(func(tx *Tx) error {
		if err := tx.AddGroup(&controlproto.DeviceGroup{Type: controlproto.KindDeviceGroup, ID: g, Name: name, GroupType: typ}); err != nil {
			return err
		}
		for who, r := range links {
			if err := tx.Link(who, who.Name(), g, r); err != nil {
				return err
			}
		}
		return nil
	})
	return g
}

// device makes a device with an agent that is not connected.
func (w *world) device(name string, group controlproto.ID, change ...func(*controlproto.Device)) controlproto.ID {
	w.t.Helper()
	d := &controlproto.Device{
		Type: controlproto.KindDevice, ID: id(controlproto.KindDevice, name), Group: group, Name: name, MeshType: controlproto.GroupAgent,
		Icon: controlproto.IconDesktop, Agent: &controlproto.DeviceAgent{ID: 6, Caps: 31},
	}
	for _, f := range change {
		f(d)
	}
	w.update(func(tx *Tx) error { return tx.AddDevice(d) })
	return d.ID
}

// connect brings the agent of a device online.
func (w *world) connect(device controlproto.ID) {
	w.t.Helper()
	w.agents.connect(device)
	require.NoError(w.t, w.s.SetState(context.Background(), device, State{Conn: controlproto.ConnAgent, Power: controlproto.PowerOn}))
}

// operator is a session, seen from its client.
type operator struct {
	w    *world
	conn *msgconn.PipeConn

	mu     sync.Mutex
	got    []string
	closed bool // the server has ended the session
}

// login opens a session of an account, and drops what comes first.
func (w *world) login(name string) *operator {
	w.t.Helper()
	return w.loginWith(&controlproto.LoginRequest{
		Origin: "https://example.com", HasOrigin: true, SessionUser: controlproto.UserID("", name),
	})
}

// loginWith opens a session in any way, and drops what comes first.
func (w *world) loginWith(req *controlproto.LoginRequest) *operator {
	w.t.Helper()
	o := w.dial(req)
	first := o.all()
	require.NotEmpty(w.t, first, "no login")
	require.Contains(w.t, first[0], `"action":"serverinfo"`)
	return o
}

// dial is loginWith that may be refused.
func (w *world) dial(req *controlproto.LoginRequest) *operator {
	req.Host, req.Scheme, req.RemoteAddr = "example.com", "https", netip.MustParseAddr("127.0.0.1")
	client, server := msgconn.Pipe()
	o := &operator{w: w, conn: client}
	go func() {
		_ = w.server.Accept(context.Background(), server, req) // how it ends is seen by the reader
	}()
	go func() {
		for {
			_, b, err := client.ReadMessage(context.Background())
			if err != nil {
				return
			}
			noSecret(w.t, b)
			o.mu.Lock()
			o.got = append(o.got, string(b))
			if strings.HasPrefix(string(b), `{"action":"close"`) {
				o.closed = true
			}
			o.mu.Unlock()
		}
	}()
	return o
}

// secretMark is in every secret of these tests, and in nothing that a client may see or a log may hold.
const secretMark = "s3cr3t"

// noSecret fails the test if a secret, or a hash of one, stands in what the server says.
func noSecret(t *testing.T, b []byte) {
	for _, mark := range []string{secretMark, "$argon2id$", "sha256$", `"totpsecret"`, `"backupcodes"`} {
		if strings.Contains(string(b), mark) {
			t.Errorf("a secret is shown: %s", b)
		}
	}
}

// leakWriter is the log of a test, in which there must be no secrets.
type leakWriter struct{ t *testing.T }

func (w leakWriter) Write(b []byte) (int, error) {
	noSecret(w.t, b)
	return w.t.Output().Write(b)
}

// send sends a request.
func (o *operator) send(format string, args ...any) {
	o.w.t.Helper()
	require.NoError(o.w.t, o.conn.WriteMessage(context.Background(), msgconn.Text, fmt.Appendf(nil, format, args...)))
}

// all returns what has come since the last call, in order, when nothing more comes.
func (o *operator) all() []string {
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	got := o.got
	o.got = nil
	return got
}

// ask sends a request and returns what comes upon it, without events.
func (o *operator) ask(format string, args ...any) []string {
	o.w.t.Helper()
	o.all()
	o.send(format, args...)
	replies, _ := split(o.all())
	return replies
}

// events returns the events that have come since the last call.
func (o *operator) events() []string {
	_, events := split(o.all())
	return events
}

// split parts events from other messages, and of events keeps what is inside.
func split(messages []string) (others, events []string) {
	for _, m := range messages {
		if inside, ok := strings.CutPrefix(m, `{"action":"event","event":`); ok {
			events = append(events, strings.TrimSuffix(inside, "}"))
		} else {
			others = append(others, m)
		}
	}
	return others, events
}

// asked is ask of a request with exactly one answer, decoded.
func (o *operator) asked(format string, args ...any) map[string]any {
	o.w.t.Helper()
	replies := o.ask(format, args...)
	require.Len(o.w.t, replies, 1)
	var v map[string]any
	require.NoError(o.w.t, json.Unmarshal([]byte(replies[0]), &v))
	return v
}

// wants asks and compares the answers with JSON texts; none is silence.
func (o *operator) wants(request string, replies ...string) {
	o.w.t.Helper()
	got := o.ask("%s", request)
	require.Len(o.w.t, got, len(replies), "%s: %q", request, got)
	for i, want := range replies {
		require.JSONEq(o.w.t, want, got[i], request)
	}
}

// fakeRouter keeps what is sent to agents.
type fakeRouter struct {
	mu     sync.Mutex
	online map[controlproto.ID]bool
	sent   []agentGot
	ended  []agentGot // message: "soft" or "hard"
}

type agentGot struct {
	device  controlproto.ID
	message string
}

func (r *fakeRouter) connect(id controlproto.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.online[id] = true
}

func (r *fakeRouter) Send(_ context.Context, id controlproto.ID, message []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.online[id] {
		return ErrNotConnected
	}
	r.sent = append(r.sent, agentGot{id, string(message)})
	return nil
}

func (r *fakeRouter) Disconnect(_ context.Context, id controlproto.ID, hard bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.online[id] {
		return ErrNotConnected
	}
	how := "soft"
	if hard {
		how = "hard"
	}
	r.ended = append(r.ended, agentGot{id, how})
	return nil
}

// take returns what agents got since the last call.
func (r *fakeRouter) take() []agentGot {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.sent
	r.sent = nil
	return got
}
