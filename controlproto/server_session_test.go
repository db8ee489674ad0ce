package controlproto

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// operator is a client's end of a connection to a server under test.
type operator struct {
	t    *testing.T
	conn *msgconn.PipeConn
	over chan error // what Accept returned
}

// connect begins a login.
func connect(t *testing.T, s *Server, r *LoginRequest) *operator {
	a, b := msgconn.Pipe()
	o := &operator{t: t, conn: a, over: make(chan error, 1)}
	go func() { o.over <- s.Accept(context.Background(), b, r) }()
	return o
}

func (o *operator) send(format string, args ...any) {
	o.t.Helper()
	require.NoError(o.t, o.conn.WriteMessage(o.t.Context(), msgconn.Text, fmt.Appendf(nil, format, args...)))
}

func (o *operator) read() string {
	o.t.Helper()
	_, b, err := o.conn.ReadMessage(o.t.Context())
	require.NoError(o.t, err)
	return string(b)
}

// closed reads until the connection ends and returns the close code.
func (o *operator) closed() int {
	o.t.Helper()
	for {
		_, _, err := o.conn.ReadMessage(o.t.Context())
		var ce *msgconn.CloseError
		if errors.As(err, &ce) {
			return ce.Code
		}
		require.NoError(o.t, err)
	}
}

// served runs f in a bubble with a server, which must then shut down and leave nothing behind.
func served(t *testing.T, change func(*ServerConfig), f func(t *testing.T, s *Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg := fakeServerConfig(fakeOperators())
		cfg.Now = nil
		if change != nil {
			change(&cfg)
		}
		s, err := NewServer(cfg)
		require.NoError(t, err)
		defer func() {
			require.NoError(t, s.Shutdown(context.Background()))
			synctest.Wait()
		}()
		f(t, s)
	})
}

var asBob = withHeader("bob", "pw-bob")

func TestSession(t *testing.T) {
	var opened, closed *Session
	served(t, func(c *ServerConfig) {
		c.Opened = func(ctx context.Context, s *Session) error {
			opened = s
			return errors.Join(s.Send(ctx, &ServerInfo{}), s.Send(ctx, &UserInfo{}))
		}
		c.Closed = func(s *Session) { closed = s }
		On(c.Mux, func(ctx context.Context, c *Call, req *Nodes) error {
			return c.Reply(ctx, &NodesReply{Devices: map[ID][]Device{req.GroupID: nil}})
		})
	}, func(t *testing.T, s *Server) {
		o := connect(t, s, fakeRequest(asBob))
		require.Contains(t, o.read(), `{"action":"serverinfo"`)
		require.Contains(t, o.read(), `{"action":"userinfo"`)
		require.Equal(t, 1, s.Len())
		require.Regexp(t, `^user//bob/[0-9a-f]{40}$`, opened.ID())
		require.Equal(t, map[ID]int{UserID("", "bob"): 1}, s.UserSessions())

		o.send(`{"action":"ping"}`)
		require.Equal(t, `{"action":"pong"}`, o.read())
		for _, silent := range []string{`{`, `[]`, `{"action":"xx"}`, `{"action":"unknownthing","responseid":1}`, `{"action":"pong"}`} {
			o.send("%s", silent)
		}
		o.send(`{"action":"nodes","meshid":"mesh//x","responseid":{"any":[1]},"tag":7}`)
		require.Equal(t, `{"action":"nodes","nodes":{"mesh//x":[]},"responseid":{"any":[1]},"tag":7}`, o.read())

		o.send(`{"action":"close"}`)
		require.Equal(t, msgconn.CloseNormal, o.closed())
		require.NoError(t, <-o.over)
		require.Same(t, opened, closed)
		require.Zero(t, s.Len())
		require.Empty(t, s.UserSessions())
		require.ErrorIs(t, context.Cause(opened.Context()), ErrSessionClosed)
		require.False(t, opened.Push([]byte(`{}`)))
		require.ErrorIs(t, opened.Send(t.Context(), &Pong{}), ErrSessionClosed)
	})
}

// A refused login is told, closed at once, and with wrong credentials late: as late for an unknown account.
func TestRefusedLogin(t *testing.T) {
	served(t, nil, func(t *testing.T, s *Server) {
		for _, name := range []string{"bob", "nobody", "~t:abcdefghijklmnop"} {
			begun := time.Now()
			o := connect(t, s, fakeRequest(withHeader(name, "wrong")))
			require.Equal(t, `{"action":"close","cause":"noauth","msg":"noauth-2d"}`, o.read())
			require.Equal(t, time.Second, time.Since(begun))
			require.Equal(t, msgconn.CloseNormal, o.closed())
			var refused *RefusedError
			require.ErrorAs(t, <-o.over, &refused)
			require.Equal(t, CloseMsgBadHeader, refused.Msg)
			require.Equal(t, time.Second, time.Since(begun), "and not half a minute later")
		}
		begun := time.Now()
		require.Contains(t, connect(t, s, fakeRequest(nil)).read(), CloseMsgNoAuth)
		require.Zero(t, time.Since(begun), "nothing was guessed")
	})
}

// slowAccounts take their time.
type slowAccounts struct{ *fakeAccounts }

func (a slowAccounts) CheckPassword(ctx context.Context, id ID, password Secret) (bool, error) {
	time.Sleep(100 * time.Millisecond) // the bubble's clock
	return a.fakeAccounts.CheckPassword(ctx, id, password)
}

// Many of one address that log in at once, as a script does, are not taken for one that guesses; many that guess are.
func TestLoginsAtOnce(t *testing.T) {
	served(t, func(c *ServerConfig) {
		c.Limits.PasswordChecks = 4
		c.FailedLogins.PerAddress = LoginRate{Events: 3, Window: time.Hour}
		c.Accounts = slowAccounts{c.Accounts.(*fakeAccounts)}
		c.Opened = func(ctx context.Context, s *Session) error { return s.Send(ctx, &ServerInfo{}) }
	}, func(t *testing.T, s *Server) {
		var all []*operator
		for range 30 {
			all = append(all, connect(t, s, fakeRequest(asBob)))
		}
		time.Sleep(50 * time.Millisecond)
		cookie := connect(t, s, fakeRequest(func(r *LoginRequest) {
			codec := CookieCodec{Key: fakeKey(1)}
			r.Cookie, _ = codec.Encode(LoginCookie(UserID("", "bob")))
		}))
		require.Contains(t, cookie.read(), `"serverinfo"`)
		for _, o := range all {
			require.Contains(t, o.read(), `"serverinfo"`)
		}
		require.Equal(t, 31, s.Len())
		require.Empty(t, s.auth.limiter.under)

		all = nil
		for range 10 {
			all = append(all, connect(t, s, fakeRequest(withHeader("bob", "wrong"))))
		}
		told := map[string]int{}
		for _, o := range all {
			told[o.read()]++
		}
		require.Equal(t, map[string]int{
			`{"action":"close","cause":"noauth","msg":"noauth-2d"}`: 3, `{"action":"close","cause":"banned","msg":"banned-1"}`: 7,
		}, told)
		require.Empty(t, s.auth.limiter.under)
	})
}

func TestLoginLimits(t *testing.T) {
	served(t, func(c *ServerConfig) { c.Limits.AddressLogins, c.Limits.LoginMessages = 2, 3 }, func(t *testing.T, s *Server) {
		silent := connect(t, s, fakeRequest(inBand))
		talker := connect(t, s, fakeRequest(inBand))
		synctest.Wait()
		require.ErrorIs(t, <-connect(t, s, fakeRequest(asBob)).over, ErrLoginLimit, "a third of the same address")
		for range 4 {
			talker.send(`{"action":"nodes"}`)
		}
		require.Equal(t, msgconn.ClosePolicy, talker.closed())
		require.ErrorIs(t, <-talker.over, ErrLoginLimit)

		large := connect(t, s, fakeRequest(inBand))
		large.send(`{"action":"userAuth","username":"%s"}`, strings.Repeat("A", 64<<10))
		require.Equal(t, msgconn.CloseTooLarge, large.closed())
		require.ErrorIs(t, <-large.over, msgconn.ErrTooLarge)

		begun := time.Now()
		require.ErrorIs(t, <-silent.over, ErrLoginLimit)
		require.Equal(t, 30*time.Second, time.Since(begun))
	})
}

func TestSessionLimits(t *testing.T) {
	served(t, func(c *ServerConfig) { c.Limits.UserSessions = 1 }, func(t *testing.T, s *Server) {
		first := connect(t, s, fakeRequest(asBob))
		synctest.Wait()
		o := connect(t, s, fakeRequest(asBob))
		require.Equal(t, `{"action":"stopped","msg":"Session count exceed"}`, o.read())
		require.ErrorIs(t, <-o.over, ErrTooManySessions)
		first.send(`{"action":"close"}`)
		require.NoError(t, <-first.over)
		connect(t, s, fakeRequest(asBob))
		synctest.Wait()
		require.Equal(t, 1, s.Len())
	})
}

// The rights that the catalogue names are checked before the handler is called, whatever the handler is.
func TestMuxRights(t *testing.T) {
	called := ""
	serve := func(spec Spec, rights SiteRights, l Login) bool {
		called = ""
		m := NewMux()
		m.Handle("thing", func(context.Context, *Call) error { called = "thing"; return nil })
		s := &Session{login: l, server: &Server{trace: (*ServerTrace)(nil).orEmpty()}}
		s.user.Store(&User{SiteRights: rights})
		m.serve(t.Context(), &Call{Session: s, Spec: spec, Envelope: Envelope{Action: "thing"}})
		return called == "thing"
	}
	for _, c := range []struct {
		name   string
		spec   Spec
		rights SiteRights
		login  Login
		want   bool
	}{
		{"nothing is needed", Spec{}, 0, Login{}, true},
		{"a site right is there", Spec{Site: SiteManageUsers}, SiteManageUsers | SiteLockSettings, Login{}, true},
		{"a site right is missing", Spec{Site: SiteManageUsers}, SiteBackup, Login{}, false},
		{"one of several is enough", Spec{Site: SiteBackup | SiteUpdate}, SiteUpdate, Login{}, true},
		{"full", Spec{Full: true}, SiteFull, Login{}, true},
		{"not full", Spec{Full: true}, SiteFull &^ SiteLocked, Login{}, false},
		{"a token's session", Spec{NoToken: true}, SiteFull, Login{Kind: LoginToken, TokenName: "x"}, false},
		{"an HTTP session of a token", Spec{NoToken: true}, SiteFull, Login{Kind: LoginSession, TokenName: "x"}, false},
		{"a session without token", Spec{NoToken: true}, 0, Login{Kind: LoginSession}, true},
		{"settings are locked", Spec{Settings: true}, SiteLockSettings, Login{}, false},
		{"settings are locked, but full", Spec{Settings: true}, SiteFull, Login{}, true},
		{"locked meanwhile", Spec{}, SiteLocked, Login{}, false},
	} {
		require.Equal(t, c.want, serve(c.spec, c.rights, c.login), c.name)
	}
}

// What a denied request is told, and how results and errors are echoed.
func TestCallReplies(t *testing.T) {
	served(t, func(c *ServerConfig) {
		c.Mux.Handle("users", func(context.Context, *Call) error { panic("not reached") })
		c.Mux.Handle("serverbackup", nil)
		c.Mux.Handle("editmesh", func(ctx context.Context, c *Call) error { return c.Result(ctx, "ok") })
		c.Mux.Handle("deletemesh", func(context.Context, *Call) error { return &ActionError{Result: "Invalid group id"} })
		c.Mux.Handle("addlocaldevice", func(context.Context, *Call) error {
			return fmt.Errorf("wrapped: %w", &ActionError{Result: "Invalid", As: "changeDeviceMesh"})
		})
		c.Mux.Handle("getcookie", func(ctx context.Context, c *Call) error {
			return c.Reply(ctx, &GetCookieReply{Cookie: NewSecret("abc")})
		})
		c.Mux.Handle("meshes", func(context.Context, *Call) error { return errors.New("a failure that is only logged") })
		c.Mux.Fallback(func(ctx context.Context, c *Call) error {
			return c.ReplyEcho(ctx, &Result{Result: "fallback"}, EchoBoth)
		})
	}, func(t *testing.T, s *Server) {
		o := connect(t, s, fakeRequest(asBob))
		for _, c := range []struct{ request, reply string }{
			{`{"action":"editmesh"}`, ""},
			{`{"action":"editmesh","responseid":"é1"}`, `{"action":"editmesh","result":"ok","responseid":"é1"}`},
			{`{"action":"deletemesh","responseid":5}`, `{"action":"deletemesh","result":"Invalid group id","responseid":5}`},
			{`{"action":"deletemesh","responseid":null}`, ""},
			{`{"action":"addlocaldevice","responseid":"a"}`, `{"action":"changeDeviceMesh","result":"Invalid","responseid":"a"}`},
			{`{"action":"addlocaldevice"}`, ""},
			{`{"action":"users","responseid":"u"}`, `{"action":"users","result":"Access denied","responseid":"u"}`},
			{`{"action":"meshes","responseid":"m"}`, ""},
			{`{"action":"somethingelse","responseid":1,"tag":2}`, `{"action":"somethingelse","result":"fallback","responseid":1,"tag":2}`},
			{`{"action":"getcookie","nodeid":"node//x","x":[1,2]}`, `{"action":"getcookie","cookie":"abc","nodeid":"node//x","trustedCert":false,"x":[1,2]}`},
		} {
			o.send("%s", c.request)
			o.send(`{"action":"somethingelse"}`) // in order, so that silence shows
			got := o.read()
			if c.reply != "" {
				require.JSONEq(t, c.reply, got)
				got = o.read()
			}
			require.Equal(t, `{"action":"somethingelse","result":"fallback"}`, got, c.request)
		}
	})
}

// One handler that panics ends its session and nothing else.
func TestHandlerPanic(t *testing.T) {
	served(t, func(c *ServerConfig) {
		c.Mux.Handle("nodes", func(context.Context, *Call) error { panic("a bug") })
	}, func(t *testing.T, s *Server) {
		o := connect(t, s, fakeRequest(asBob))
		o.send(`{"action":"nodes"}`)
		require.Equal(t, `{"action":"close","cause":"internal","msg":"internal-1"}`, o.read())
		require.Equal(t, msgconn.CloseNormal, o.closed())
		require.NoError(t, <-o.over)
	})
}

// Handlers of a session run one after the other; those of concurrent actions beside them, as many as there is room for.
func TestHandlerOrder(t *testing.T) {
	var mu sync.Mutex
	running, most := 0, 0
	gate := make(chan struct{})
	var order []string
	served(t, func(c *ServerConfig) {
		c.Limits.Concurrent = 2
		c.Mux.Concurrent("runcommands")
		c.Mux.Handle("runcommands", func(context.Context, *Call) error {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			<-gate
			mu.Lock()
			running--
			mu.Unlock()
			return nil
		})
		c.Mux.Handle("nodes", func(_ context.Context, c *Call) error {
			order = append(order, string(c.ResponseID))
			return nil
		})
	}, func(t *testing.T, s *Server) {
		gate = make(chan struct{})
		o := connect(t, s, fakeRequest(asBob))
		o.send(`{"action":"runcommands"}`)
		for i := range 5 {
			o.send(`{"action":"nodes","responseid":%d}`, i)
		}
		synctest.Wait()
		require.Equal(t, []string{"0", "1", "2", "3", "4"}, order, "not behind the one that waits")
		for range 3 {
			o.send(`{"action":"runcommands"}`)
		}
		o.send(`{"action":"nodes","responseid":9}`)
		synctest.Wait()
		require.Equal(t, 2, most)
		require.Len(t, order, 5, "and no more than fits")
		close(gate)
		synctest.Wait()
		require.Len(t, order, 6)
	})
}

// A pong says that the requests before the ping were handled: those whose success is silent are confirmed by it.
func TestPongInOrder(t *testing.T) {
	gate := make(chan struct{})
	served(t, func(c *ServerConfig) {
		c.Mux.Handle("sendmqttmsg", func(context.Context, *Call) error {
			<-gate
			return &ActionError{Result: "Invalid topic"}
		})
	}, func(t *testing.T, s *Server) {
		gate = make(chan struct{})
		o := connect(t, s, fakeRequest(asBob))
		o.send(`{"action":"ping"}`)
		require.Equal(t, `{"action":"pong"}`, o.read())
		o.send(`{"action":"sendmqttmsg","responseid":"x"}`)
		o.send(`{"action":"ping"}`)
		o.send(`{"action":"ping"}`)
		synctest.Wait()
		close(gate)
		require.Equal(t, `{"action":"sendmqttmsg","result":"Invalid topic","responseid":"x"}`, o.read())
		require.Equal(t, `{"action":"pong"}`, o.read())
		require.Equal(t, `{"action":"pong"}`, o.read())
	})
}

// While the requests of a session wait, nothing more is read of it.
func TestBackPressure(t *testing.T) {
	handled := 0
	gate := make(chan struct{})
	served(t, func(c *ServerConfig) {
		c.Limits.WorkMessages = 4
		c.Mux.Handle("nodes", func(ctx context.Context, _ *Call) error {
			select {
			case <-gate:
			case <-ctx.Done():
			}
			handled++
			return nil
		})
	}, func(t *testing.T, s *Server) {
		gate = make(chan struct{})
		o := connect(t, s, fakeRequest(asBob))
		sent := make(chan struct{})
		go func() {
			for range 100 {
				o.send(`{"action":"nodes"}`)
			}
			close(sent)
		}()
		synctest.Wait()
		select {
		case <-sent:
			t.Fatal("everything was read")
		default: // the pipe holds 16, the queue 4, the reader 1
		}
		close(gate)
		<-sent
		synctest.Wait()
		require.Equal(t, 100, handled)
	})
}

// What was read before the client left is still done.
func TestRequestAndGo(t *testing.T) {
	done := false
	served(t, func(c *ServerConfig) {
		c.Mux.Handle("poweraction", func(ctx context.Context, _ *Call) error {
			select {
			case <-time.After(time.Second):
				done = true
			case <-ctx.Done():
			}
			return nil
		})
	}, func(t *testing.T, s *Server) {
		o := connect(t, s, fakeRequest(asBob))
		o.send(`{"action":"poweraction"}`)
		o.conn.Close(msgconn.CloseNormal, "")
		require.NoError(t, <-o.over)
		require.True(t, done)
	})
}

// A session that does not read is closed as slow, by the number of events, by their size, and by time.
func TestSlowSession(t *testing.T) {
	event := []byte(`{"action":"event","event":{}}`)
	session := func(t *testing.T, s *Server) *Session {
		synctest.Wait()
		for sess := range s.Sessions() {
			return sess
		}
		t.Fatal("no session")
		return nil
	}
	for name, c := range map[string]struct {
		event []byte
		limit func(*ServerLimits)
	}{
		"messages": {event, func(l *ServerLimits) { l.PushMessages = 5 }},
		"bytes":    {bytes.Repeat([]byte(" "), 1000), func(l *ServerLimits) { l.PushBytes = 5500 }},
	} {
		t.Run(name, func(t *testing.T) {
			served(t, func(cfg *ServerConfig) { c.limit(&cfg.Limits) }, func(t *testing.T, s *Server) {
				o := connect(t, s, fakeRequest(asBob))
				sess := session(t, s)
				n := 0
				for sess.Push(c.event) {
					n++
					synctest.Wait()
				}
				require.Equal(t, 16+5, n, "what the pipe holds, and five more") // one of those is being written
				synctest.Wait()
				require.Zero(t, s.Len(), "it is gone at once")
				require.ErrorIs(t, <-o.over, ErrSlowSession)
				require.ErrorIs(t, context.Cause(sess.Context()), ErrSlowSession)
			})
		})
	}
	t.Run("time", func(t *testing.T) {
		served(t, nil, func(t *testing.T, s *Server) {
			o := connect(t, s, fakeRequest(asBob))
			sess := session(t, s)
			begun := time.Now()
			for range 17 {
				require.True(t, sess.Push(event))
			}
			require.ErrorIs(t, <-o.over, ErrSlowSession)
			require.Equal(t, 30*time.Second, time.Since(begun))
		})
	})
	t.Run("replies wait, and are no reason", func(t *testing.T) {
		served(t, func(c *ServerConfig) { c.Limits.QueueMessages = 2; c.Limits.PushMessages = 3 }, func(t *testing.T, s *Server) {
			o := connect(t, s, fakeRequest(asBob))
			sess := session(t, s)
			sent := 0
			go func() {
				for range 100 {
					if sess.Send(t.Context(), &Pong{}) != nil {
						return
					}
					sent++
				}
			}()
			synctest.Wait()
			require.Equal(t, 16+2, sent)
			require.True(t, sess.Push(event))
			for range 101 {
				o.read()
			}
			synctest.Wait()
			require.Equal(t, 100, sent)
			require.Equal(t, 1, s.Len())
		})
	})
	t.Run("told, if it reads then", func(t *testing.T) {
		served(t, func(c *ServerConfig) { c.Limits.PushMessages = 2 }, func(t *testing.T, s *Server) {
			o := connect(t, s, fakeRequest(asBob))
			sess := session(t, s)
			for sess.Push(event) {
				synctest.Wait()
			}
			synctest.Wait()
			last := ""
			for range 16 + 2 {
				last = o.read()
			}
			require.Equal(t, `{"action":"close","cause":"slow","msg":"slow-1"}`, last)
			require.Equal(t, msgconn.CloseTryAgain, o.closed())
		})
	})
}

// The bytes of an event are shared by all sessions and come out as they went in.
func TestPushShared(t *testing.T) {
	served(t, nil, func(t *testing.T, s *Server) {
		var all []*operator
		for range 5 {
			all = append(all, connect(t, s, fakeRequest(asBob)))
		}
		synctest.Wait()
		event := []byte(`{"action":"event","event":{"action":"x"}}`)
		for sess := range s.Sessions() {
			require.True(t, sess.Push(event))
		}
		for _, o := range all {
			require.Equal(t, string(event), o.read())
		}
	})
}

// A revoked login token ends the sessions that it opened, a lock those of the account.
func TestCloseWhere(t *testing.T) {
	served(t, nil, func(t *testing.T, s *Server) {
		token := connect(t, s, fakeRequest(withHeader("~t:abcdefghijklmnop", "token-secret")))
		bob := connect(t, s, fakeRequest(asBob))
		synctest.Wait()
		require.Equal(t, 1, s.CloseWhere(func(s *Session) bool { return s.Login().TokenUser == "~t:abcdefghijklmnop" },
			CloseNoAuth, CloseMsgNoAuth))
		require.Equal(t, `{"action":"close","cause":"noauth","msg":"noauth"}`, token.read())
		require.Equal(t, msgconn.CloseNormal, token.closed())
		synctest.Wait()
		require.Equal(t, 1, s.Len())
		for sess := range s.Sessions() {
			sess.SetUser(&User{ID: sess.UserID(), SiteRights: SiteLocked})
		}
		require.Equal(t, `{"action":"close","cause":"noauth","msg":"noauth"}`, bob.read())
		require.NoError(t, <-bob.over)
	})
}

func TestOpenedFails(t *testing.T) {
	closed := 0
	served(t, func(c *ServerConfig) {
		c.Opened = func(context.Context, *Session) error { return errors.New("no server information") }
		c.Closed = func(*Session) { closed++ }
	}, func(t *testing.T, s *Server) {
		o := connect(t, s, fakeRequest(asBob))
		require.Equal(t, `{"action":"close","cause":"internal","msg":"internal-1"}`, o.read())
		require.ErrorContains(t, <-o.over, "no server information")
		require.Equal(t, 1, closed)
	})
}

// A hook that panics leaves no login behind that counts, nor one that a shutdown would wait for.
func TestLoginPanics(t *testing.T) {
	served(t, func(c *ServerConfig) {
		c.Limits.AddressLogins = 1
		c.Trace = &ServerTrace{Refused: func(*LoginRequest, error) { panic("a bug") }}
	}, func(t *testing.T, s *Server) {
		for range 2 {
			_, b := msgconn.Pipe()
			require.PanicsWithValue(t, "a bug", func() { _ = s.Accept(t.Context(), b, fakeRequest(nil)) })
		}
	})
}

func TestShutdown(t *testing.T) {
	served(t, nil, func(t *testing.T, s *Server) {
		o, login := connect(t, s, fakeRequest(asBob)), connect(t, s, fakeRequest(inBand))
		synctest.Wait()
		require.NoError(t, s.Shutdown(t.Context()))
		require.Equal(t, msgconn.CloseGoingAway, o.closed())
		require.ErrorIs(t, <-o.over, ErrServerShutdown)
		require.Error(t, <-login.over)
		require.ErrorIs(t, <-connect(t, s, fakeRequest(asBob)).over, ErrServerShutdown)
	})
}

func TestSessionValues(t *testing.T) {
	type key struct{}
	var s Session
	require.Nil(t, s.Value(key{}))
	s.Set(key{}, 5)
	require.Equal(t, 5, s.Value(key{}))
	s.Set(key{}, nil)
	require.Nil(t, s.Value(key{}))
}

func TestNewServerRefuses(t *testing.T) {
	for name, change := range map[string]func(*ServerConfig){
		"no mux":           func(c *ServerConfig) { c.Mux = nil },
		"no accounts":      func(c *ServerConfig) { c.Accounts = nil },
		"empty cookie key": func(c *ServerConfig) { c.CookieKeys = []CookieKey{{}} },
		"any origin":       func(c *ServerConfig) { c.Origins = []string{"*"} },
		"negative limit":   func(c *ServerConfig) { c.Limits.PushBytes = -1 },
		"negative time":    func(c *ServerConfig) { c.Limits.WriteTime = -1 },
		"negative delay":   func(c *ServerConfig) { c.FailedLogins.Delay = -1 },
		"negative window":  func(c *ServerConfig) { c.FailedLogins.PerAccount.Window = -1 },
		"empty identity":   func(c *ServerConfig) { c.ServerIdentity = new(ServerIdentity) },
	} {
		cfg := fakeServerConfig(fakeOperators())
		change(&cfg)
		_, err := NewServer(cfg)
		require.Error(t, err, name)
	}
}

// A reply's secret is sent, and nothing prints it.
func TestReplySecretIsSent(t *testing.T) {
	b, err := AppendMessage(nil, &GetCookieReply{Cookie: NewSecret("abc")}, Correlation{})
	require.NoError(t, err)
	require.True(t, json.Valid(b))
	require.Contains(t, string(b), `"abc"`)
}
