package apf

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// What devices send.
var (
	version    = &ProtocolVersion{Major: 1, Trigger: TriggerPeriodic, UUID: testUUID}
	wantAuth   = &ServiceRequest{b(ServiceAuth)}
	wantPfwd   = &ServiceRequest{b(ServiceForward)}
	login      = &UserAuthRequest{b("user"), b(ServiceForward), b("password"), b("P@ssw0rd")}
	loginNone  = &UserAuthRequest{User: b("user"), Service: b(ServiceForward), Method: b("none")}
	isLMS      = &JSONControl{b(`{"action":"connType","value":2}`)}
	state      = &JSONControl{b(`{"action":"meiState","value":{}}`)}
	forward    = &TCPForward{true, b("h"), 16992}
	acceptAuth = &ServiceAccept{b(ServiceAuth)}
	acceptPfwd = &ServiceAccept{b(ServiceForward)}
)

// play gives messages to a session and accepts the login. It returns the answers and the end.
func play(s *ServerSession, messages ...Message) (answers []string, err error) {
	r := reader{p: NewParser(SideDevice, Limits{})}
	for _, m := range messages {
		if q, ok := m.(*TCPForward); ok {
			r.p.Expect(q.Port > 0 && q.Port < 1<<16)
		} else if m.Type() == TypeGlobalRequest {
			r.p.Expect(false)
		}
		var out []byte
		var ev Event
		if out, ev, err = s.Handle(nil, m, time.Unix(0, 0)); err == nil && ev == EventLogin {
			out, _ = s.Accept(out)
		}
		r.read(out)
		if err != nil {
			break
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	return r.shown, err
}

func TestServerSessionOrder(t *testing.T) {
	full := []Message{version, wantAuth, login, wantPfwd, forward}
	s := NewServerSession(ServerSessionConfig{})
	answers, err := play(s, full...)
	require.NoError(t, err)
	require.Equal(t, []string{show(acceptAuth), show(&UserAuthSuccess{}), show(acceptPfwd), show(&RequestSuccess{true, 16992})}, answers)
	require.Equal(t, PhaseSession, s.Phase())
	l := s.Login()
	require.Equal(t, testUUID, l.UUID)
	require.Equal(t, "user", l.User)
	require.Empty(t, l.Password.Reveal(), "it is not kept")
	require.Equal(t, []uint16{16992}, s.Ports())

	everything := []Message{
		version, wantAuth, login, wantPfwd, forward, &CancelTCPForward{true, nil, 16992}, &UDPSendTo{}, &KeepAliveRequest{1},
		&KeepAliveReply{1}, &KeepAliveOptionsReply{30, 0}, &ChannelOpen{}, &ChannelData{}, &ChannelClose{}, &WindowAdjust{},
		&ChannelOpenConfirmation{}, &ChannelOpenFailure{}, isLMS, state, &UnknownRequest{}, acceptAuth, &UserAuthFailure{},
		&UserAuthSuccess{}, &RequestSuccess{}, &RequestFailure{}, &KeepAliveOptionsRequest{},
	}
	// What may come after each step. All other messages end the connection.
	allowed := []map[Message]bool{
		{version: true, isLMS: true},
		{wantAuth: true},
		{login: true},
		{wantPfwd: true},
		{forward: true},
	}
	after := map[Message]bool{}
	for _, m := range everything[4:16] {
		after[m] = true
	}
	for step := range full {
		for _, m := range everything {
			s := NewServerSession(ServerSessionConfig{})
			_, err := play(s, full[:step]...)
			require.NoError(t, err)
			_, err = play(s, m)
			ok := allowed[step][m] || step == 4 && after[m] ||
				step == 3 && (m == everything[7] || m == everything[8] || m == everything[9])
			require.Equal(t, ok, err == nil, "step %d, %s: %v", step, show(m), err)
			if err != nil && m.Type() != TypeJSONControl {
				require.ErrorIs(t, err, ErrProtocol)
			}
			if !ok && step < 3 {
				require.Equal(t, PhaseLogin, s.Phase())
			}
		}
	}
}

// TestServerSessionOnce: after the login nothing of it can be repeated.
func TestServerSessionOnce(t *testing.T) {
	for _, m := range []Message{version, wantAuth, login, wantPfwd, isLMS} {
		s := NewServerSession(ServerSessionConfig{})
		_, err := play(s, version, wantAuth, login, wantPfwd)
		require.NoError(t, err)
		_, err = play(s, m)
		require.ErrorIs(t, err, ErrProtocol, show(m))
		require.Equal(t, testUUID, s.Login().UUID)
	}
}

// TestServerSessionPortFlood: ports come and go, but not without end: whoever watches devices is told of each change.
func TestServerSessionPortFlood(t *testing.T) {
	s := NewServerSession(ServerSessionConfig{Limits: Limits{Ports: 8}})
	_, err := play(s, version, wantAuth, login, wantPfwd)
	require.NoError(t, err)
	now := time.Unix(1000, 0)
	change := func() error {
		for _, m := range []Message{forward, &CancelTCPForward{true, nil, 16992}} {
			if _, ev, err := s.Handle(nil, m, now); err != nil {
				return err
			} else {
				require.Equal(t, EventPorts, ev)
			}
		}
		return nil
	}
	for range 16 { // each of the ports may go and come back twice
		require.NoError(t, change())
	}
	for range 100 {
		now = now.Add(2 * time.Second)
		require.NoError(t, change())
	}
	require.ErrorIs(t, change(), ErrLimit)
}

func TestServerSessionLogin(t *testing.T) {
	s := NewServerSession(ServerSessionConfig{})
	answers, err := play(s, version, wantAuth, loginNone, wantPfwd)
	require.NoError(t, err)
	require.Len(t, answers, 3)
	require.Equal(t, MethodNone, s.Login().Method)

	// The refusal is 14 bytes, and the last thing that is said.
	s = NewServerSession(ServerSessionConfig{})
	_, err = play(s, version, wantAuth)
	require.NoError(t, err)
	_, ev, err := s.Handle(nil, login, time.Time{})
	require.NoError(t, err)
	require.Equal(t, EventLogin, ev)
	held := s.Login()
	require.Equal(t, "P@ssw0rd", held.Password.Reveal())
	require.Equal(t, vectors(t)["userauth-failure"], s.Refuse(nil))
	for _, m := range []Message{login, wantPfwd, &KeepAliveRequest{}, version} {
		_, err = play(s, m)
		require.ErrorIs(t, err, ErrProtocol)
	}
	_, ev = s.Accept(nil)
	require.Equal(t, EventNone, ev)
	require.Equal(t, PhaseLogin, s.Phase(), "a refusal is for ever")

	for _, wrong := range []*UserAuthRequest{
		{b("user"), b("ssh-connection"), b("password"), b("x")},
		{User: b("user"), Service: b(ServiceForward), Method: b("publickey")},
	} {
		s := NewServerSession(ServerSessionConfig{})
		_, err := play(s, version, wantAuth, wrong)
		require.Error(t, err)
		require.Equal(t, PhaseLogin, s.Phase())
	}
}

// TestServerSessionSkipped: the login can be left out only where that is allowed, and is decided on all the same.
func TestServerSessionSkipped(t *testing.T) {
	_, err := play(NewServerSession(ServerSessionConfig{}), version, wantPfwd)
	require.ErrorIs(t, err, ErrProtocol)
	s := NewServerSession(ServerSessionConfig{AllowSkippedAuth: true})
	_, err = play(s, version)
	require.NoError(t, err)
	out, ev, err := s.Handle(nil, wantPfwd, time.Time{})
	require.NoError(t, err)
	require.Equal(t, EventLogin, ev)
	require.Empty(t, out, "nothing is granted yet")
	require.Equal(t, PhaseLogin, s.Phase())
	require.Empty(t, s.Login().Method)
	out, ev = s.Accept(nil)
	require.Equal(t, EventForwarding, ev)
	require.Equal(t, acceptPfwd.Append(nil), out)
	_, err = play(s, forward)
	require.NoError(t, err)
	// Refused, it gets no answer: there is none for that.
	s = NewServerSession(ServerSessionConfig{AllowSkippedAuth: true})
	_, err = play(s, version)
	require.NoError(t, err)
	_, _, err = s.Handle(nil, wantPfwd, time.Time{})
	require.NoError(t, err)
	require.Empty(t, s.Refuse(nil))
}

func TestServerSessionReasons(t *testing.T) {
	for reason, messages := range map[DisconnectReason][]Message{
		DisconnectVersion:   {&ProtocolVersion{Major: 2}},
		DisconnectNoService: {version, &ServiceRequest{b("shell@amt.intel.com")}},
		0:                   {version, version},
	} {
		_, err := play(NewServerSession(ServerSessionConfig{}), messages...)
		var m *messageError
		require.True(t, errors.As(err, &m))
		require.Equal(t, reason, m.reason)
	}
	_, err := play(NewServerSession(ServerSessionConfig{}), &Disconnect{DisconnectByApplication})
	var gone *DisconnectError
	require.True(t, errors.As(err, &gone))
	require.Equal(t, DisconnectByApplication, gone.Reason)
}

func TestServerSessionControl(t *testing.T) {
	s := NewServerSession(ServerSessionConfig{})
	_, err := play(s, isLMS, state, version, wantAuth, login)
	require.NoError(t, err)
	require.Equal(t, ConnLMS, s.Login().ConnType)
	held := s.Held()
	require.Len(t, held, 1)
	require.Equal(t, ActionMEIState, held[0].Action())
	require.Empty(t, s.Held())
	_, ev, err := s.Handle(nil, state, time.Time{})
	require.NoError(t, err)
	require.Equal(t, EventControl, ev)

	control := func(text string) Message { return &JSONControl{b(text)} }
	for name, messages := range map[string][]Message{
		"from firmware":       {state},
		"twice":               {isLMS, isLMS},
		"after the version":   {version, isLMS},
		"not a number":        {control(`{"action":"connType","value":"2"}`)},
		"no number":           {control(`{"action":"connType"}`)},
		"no such type":        {control(`{"action":"connType","value":3}`)},
		"negative":            {control(`{"action":"connType","value":-1}`)},
		"a fraction":          {control(`{"action":"connType","value":1.5}`)},
		"no JSON":             {control(`{`)},
		"too much of it":      {isLMS, control(`{"action":"` + strings.Repeat("x", 9<<10) + `"}`), control(`{"action":"` + strings.Repeat("x", 9<<10) + `"}`)},
		"too many messages":   {isLMS, state, state, state, state, state, state, state, state, state, state, state, state, state, state, state, state},
		"firmware, logged in": {version, wantAuth, login, wantPfwd, state},
	} {
		_, err := play(NewServerSession(ServerSessionConfig{}), messages...)
		require.Error(t, err, name)
	}
}

func TestServerSessionPorts(t *testing.T) {
	s := NewServerSession(ServerSessionConfig{AllowPort: func(p uint16) bool { return p != 22 }})
	_, err := play(s, version, wantAuth, login, wantPfwd)
	require.NoError(t, err)
	answers, err := play(s, forward, forward, &TCPForward{Port: 0}, &TCPForward{Port: 1 << 16}, &TCPForward{Port: 1<<16 + 16992},
		&TCPForward{Port: 5900}, &CancelTCPForward{Port: 16992}, &CancelTCPForward{Port: 1<<16 + 5900}, &CancelTCPForward{Port: 1}, forward)
	require.NoError(t, err)
	yes, no, bare := show(&RequestSuccess{true, 16992}), show(&RequestFailure{}), show(&RequestSuccess{})
	require.Equal(t, []string{yes, yes, no, no, no, show(&RequestSuccess{true, 5900}), bare, bare, bare, yes}, answers)
	require.Equal(t, []uint16{5900, 16992}, s.Ports())
	out, ev, err := s.Handle(nil, &TCPForward{Port: 22}, time.Time{})
	require.NoError(t, err)
	require.Equal(t, EventNone, ev)
	require.Equal(t, RequestFailure{}.Append(nil), out)

	for port := range uint32(30) {
		_, err = play(s, &TCPForward{Port: 1000 + port})
		require.NoError(t, err)
	}
	_, err = play(s, &TCPForward{Port: 2000})
	require.ErrorIs(t, err, ErrLimit)

	// Towards peers that do not bear failures.
	s = NewServerSession(ServerSessionConfig{NoFailure: true})
	_, err = play(s, version, wantAuth, login, wantPfwd)
	require.NoError(t, err)
	for _, m := range []Message{&TCPForward{Port: 0}, &UnknownRequest{true, b("x")}} {
		out, _, _ := s.Handle(nil, m, time.Time{})
		require.Empty(t, out)
	}
}

func TestServerSessionUnknownRequest(t *testing.T) {
	for want, answer := range map[bool][]byte{true: {82}, false: nil} {
		s := NewServerSession(ServerSessionConfig{})
		_, err := play(s, version, wantAuth, login, wantPfwd)
		require.NoError(t, err)
		out, _, err := s.Handle(nil, &UnknownRequest{want, b("tcpip-backward")}, time.Time{})
		require.ErrorIs(t, err, ErrProtocol)
		require.Equal(t, answer, out)
	}
}

// TestKeepAliveRate: ten at once, then one a second.
func TestKeepAliveRate(t *testing.T) {
	s := NewServerSession(ServerSessionConfig{})
	_, err := play(s, version, wantAuth, login, wantPfwd)
	require.NoError(t, err)
	now := time.Unix(1000, 0)
	m := &KeepAliveRequest{7}
	for range 10 {
		out, _, err := s.Handle(nil, m, now)
		require.NoError(t, err)
		require.Equal(t, KeepAliveReply{7}.Append(nil), out)
	}
	for range 100 {
		now = now.Add(time.Second)
		_, _, err = s.Handle(nil, m, now)
		require.NoError(t, err)
	}
	_, _, err = s.Handle(nil, m, now)
	require.ErrorIs(t, err, ErrLimit)
}

// device plays the server's part to a device's session.
type device struct {
	*DeviceSession
	p    *Parser
	sent []string
}

func newDevice(cfg DeviceSessionConfig) *device {
	d := &device{p: NewParser(SideDevice, Limits{})}
	cfg.UUID, cfg.User, cfg.Password = testUUID, "user", secret.New("P@ssw0rd")
	d.DeviceSession = NewDeviceSession(cfg, d.p)
	return d
}

func (d *device) add(m Message) { d.sent = append(d.sent, fmt.Sprintf("%T", m)) }

func (d *device) took() []string {
	sent := d.sent
	d.sent = nil
	return sent
}

// hear gives messages to the session as they come from the wire.
func (d *device) hear(messages ...Message) (evs []Event, err error) {
	for _, m := range messages {
		got, _, err := d.p.Next(m.Append(nil))
		if err != nil {
			return evs, err
		}
		ev, err := d.Handle(got, time.Unix(0, 0), d.add)
		if err != nil {
			return evs, err
		}
		evs = append(evs, ev)
	}
	return evs, nil
}

func TestDeviceSession(t *testing.T) {
	d := newDevice(DeviceSessionConfig{Ports: []uint16{16993, 5900}})
	require.NoError(t, d.Start(d.add))
	require.Equal(t, []string{"apf.ProtocolVersion", "apf.ServiceRequest"}, d.took())
	_, err := d.hear(acceptAuth)
	require.NoError(t, err)
	require.Equal(t, []string{"apf.UserAuthRequest"}, d.took())
	_, err = d.hear(&UserAuthSuccess{})
	require.NoError(t, err)
	require.Equal(t, []string{"apf.ServiceRequest"}, d.took())
	require.Equal(t, PhaseForward, d.Phase())
	_, err = d.hear(acceptPfwd)
	require.NoError(t, err)
	require.Equal(t, []string{"apf.TCPForward"}, d.took(), "one at a time")
	require.Error(t, d.Forward(1, false, d.add), "too early")
	_, err = d.hear(&RequestSuccess{true, 16993})
	require.NoError(t, err)
	require.Equal(t, []string{"apf.TCPForward"}, d.took())
	evs, err := d.hear(&RequestFailure{})
	require.NoError(t, err)
	require.Equal(t, []Event{EventReady}, evs)
	require.Equal(t, []uint16{16993}, d.Ports())
	evs, err = d.hear(&KeepAliveOptionsRequest{20, 0}, &KeepAliveRequest{5}, &ProtocolVersion{Major: 1}, &KeepAliveReply{})
	require.NoError(t, err)
	require.Equal(t, []Event{EventOptions, EventNone, EventNone, EventReply}, evs)
	require.Equal(t, []string{"apf.KeepAliveOptionsReply", "apf.KeepAliveReply"}, d.took())

	// Later requests, whose answers have different sizes.
	require.NoError(t, d.Forward(16992, false, d.add))
	require.NoError(t, d.Forward(16993, true, d.add))
	require.NoError(t, d.Forward(623, false, d.add))
	_, err = d.hear(&RequestSuccess{true, 16992}, &RequestSuccess{}, &RequestSuccess{true, 623})
	require.NoError(t, err)
	require.Equal(t, []uint16{16992, 623}, d.Ports())
	_, err = d.hear(&RequestSuccess{})
	require.ErrorIs(t, err, ErrProtocol)
}

func TestDeviceSessionCoalesce(t *testing.T) {
	d := newDevice(DeviceSessionConfig{Ports: []uint16{16993, 5900}, Coalesce: true})
	require.NoError(t, d.Start(d.add))
	require.Equal(t, []string{"apf.ProtocolVersion", "apf.ServiceRequest", "apf.UserAuthRequest", "apf.ServiceRequest",
		"apf.TCPForward", "apf.TCPForward"}, d.took())
	// Stock servers answer the rest while they look the user up.
	evs, err := d.hear(acceptAuth, acceptPfwd, &RequestSuccess{true, 16993}, &RequestSuccess{true, 5900},
		&KeepAliveOptionsRequest{30, 0}, &UserAuthSuccess{})
	require.NoError(t, err)
	require.Equal(t, EventOptions, evs[4])
	require.Equal(t, EventReady, evs[5])
	require.Equal(t, []string{"apf.KeepAliveOptionsReply"}, d.took())
}

func TestDeviceSessionVariants(t *testing.T) {
	d := newDevice(DeviceSessionConfig{SkipAuth: true})
	require.NoError(t, d.Start(d.add))
	require.Equal(t, []string{"apf.ProtocolVersion", "apf.ServiceRequest"}, d.took())
	evs, err := d.hear(acceptPfwd)
	require.NoError(t, err)
	require.Equal(t, []Event{EventReady}, evs)

	d = newDevice(DeviceSessionConfig{ConnType: ConnLMS, MEIState: NewSecret(`{"OsHostname":"pc1"}`)})
	var first []byte
	require.NoError(t, d.Start(func(m Message) { first = m.Append(first) }))
	all := vectors(t)
	want := append(append(append(append([]byte(nil), all["json-conntype"]...), all["json-meistate"]...), all["version-agent"]...), all["service-request-auth"]...)
	require.Equal(t, want, first)
	_, err = d.hear(Control(ActionClose))
	require.NoError(t, err)
	evs, err = d.hear(acceptAuth, &UserAuthSuccess{}, &KeepAliveOptionsRequest{})
	require.NoError(t, err, "stock servers send it to everybody who forwards port 5900")
	require.Equal(t, EventOptions, evs[2])

	require.Error(t, newDevice(DeviceSessionConfig{ConnType: ConnLMS, MEIState: NewSecret(`{`)}).Start(d.add))
}

func TestDeviceSessionRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		messages []Message
		err      error
	}{
		"refused":              {[]Message{acceptAuth, &UserAuthFailure{b("password"), false}}, ErrRefused},
		"refused unasked":      {[]Message{&UserAuthFailure{b("password"), false}}, ErrProtocol},
		"success unasked":      {[]Message{&UserAuthSuccess{}}, ErrProtocol},
		"success twice":        {[]Message{acceptAuth, &UserAuthSuccess{}, &UserAuthSuccess{}}, ErrProtocol},
		"accepted twice":       {[]Message{acceptAuth, acceptAuth}, ErrProtocol},
		"forwarding unasked":   {[]Message{acceptPfwd}, ErrProtocol},
		"another service":      {[]Message{&ServiceAccept{b("x")}}, ErrProtocol},
		"another port":         {[]Message{acceptAuth, &UserAuthSuccess{}, acceptPfwd, &RequestSuccess{true, 1}}, ErrProtocol},
		"keep-alive":           {[]Message{&KeepAliveRequest{}}, ErrProtocol},
		"a channel too early":  {[]Message{acceptAuth, &UserAuthSuccess{}, &ChannelOpen{}}, ErrProtocol},
		"a request":            {[]Message{acceptAuth, &UserAuthSuccess{}, acceptPfwd, &TCPForward{}}, ErrProtocol},
		"control for firmware": {[]Message{Control(ActionMEState)}, ErrProtocol},
		"a flood":              {[]Message{acceptAuth, &UserAuthSuccess{}, &KeepAliveRequest{}, &KeepAliveRequest{}, &KeepAliveRequest{}, &KeepAliveRequest{}, &KeepAliveRequest{}, &KeepAliveRequest{}, &KeepAliveRequest{}, &KeepAliveRequest{}, &KeepAliveRequest{}, &KeepAliveRequest{}, &KeepAliveRequest{}}, ErrLimit},
	} {
		d := newDevice(DeviceSessionConfig{Ports: []uint16{16992}})
		require.NoError(t, d.Start(d.add))
		_, err := d.hear(c.messages...)
		require.ErrorIs(t, err, c.err, name)
	}
}
