package apf

import (
	"fmt"
	"slices"
	"time"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// ServerSession is the order of messages at the server's end: version, login, the service of forwarding, and then everything
// else. Nothing is served before the login, and what the login said can not be changed after it. It neither reads nor writes.
type ServerSession struct {
	limits    Limits
	skipAuth  bool
	noFailure bool
	allowPort func(uint16) bool

	step     serverStep
	login    Login
	messages int
	held     []*JSONControl // before the login; pointers, as package fmt prints no secrets behind them
	heldSize int
	ports    []uint16
	alive    allowance
	changes  allowance // of ports
}

type serverStep uint8

// The steps. Each is left by one message only.
const (
	stepVersion   serverStep = iota // waits for the version
	stepAuth                        // waits for the service of the login
	stepLogin                       // waits for the login
	stepDecide                      // waits for Accept or Refuse
	stepService                     // logged in, waits for the service of forwarding
	stepOpen                        // everything else
	stepRefused                     // nothing any more
	stepDecidePfw                   // as stepDecide, of a device that skipped the login
)

// ServerSessionConfig configures a [ServerSession].
type ServerSessionConfig struct {
	Limits           Limits
	AllowSkippedAuth bool              // see ServerConfig
	AllowPort        func(uint16) bool // see ServerConfig
	NoFailure        bool              // see Quirks
}

// NewServerSession returns a session that waits for its first message.
func NewServerSession(cfg ServerSessionConfig) *ServerSession {
	s := new(ServerSession)
	s.init(cfg)
	return s
}

func (s *ServerSession) init(cfg ServerSessionConfig) {
	s.limits, s.skipAuth, s.noFailure, s.allowPort = cfg.Limits.withDefaults(), cfg.AllowSkippedAuth, cfg.NoFailure, cfg.AllowPort
}

// Phase tells how far the connection is.
func (s *ServerSession) Phase() Phase {
	switch s.step {
	case stepService:
		return PhaseForward
	case stepOpen:
		return PhaseSession
	default:
		return PhaseLogin
	}
}

// Login returns what the device said of itself; the password only until Accept or Refuse.
func (s *ServerSession) Login() Login { return s.login }

// Ports returns the ports in force, in the order in which they came.
func (s *ServerSession) Ports() []uint16 { return slices.Clone(s.ports) }

// Handle takes a message. It appends the answer to b, if there is one, and says what else is to be done. An error ends the
// connection.
func (s *ServerSession) Handle(b []byte, m Message, now time.Time) (out []byte, ev Event, err error) {
	t := m.Type()
	if d, ok := m.(*Disconnect); ok {
		return b, EventNone, &DisconnectError{d.Reason}
	}
	if forChannel(t) {
		if s.step != stepOpen {
			return b, EventNone, unexpected(t, "before forwarding")
		}
		return b, EventChannel, nil
	}
	if s.step < stepService {
		if s.messages++; s.messages > s.limits.LoginMessages {
			return b, EventNone, tooMuch(t, "login of more than %d messages", s.limits.LoginMessages)
		}
	}
	switch m := m.(type) {
	case *ProtocolVersion:
		return b, EventNone, s.version(m)
	case *ServiceRequest:
		return s.service(b, m)
	case *UserAuthRequest:
		return s.userAuth(b, m)
	case *JSONControl:
		return s.control(b, m)
	}
	if s.step < stepService || s.step > stepOpen {
		return b, EventNone, unexpected(t, "before the login")
	}
	switch m := m.(type) {
	case *KeepAliveRequest:
		if !s.alive.take(now, keepAliveRate) {
			return b, EventNone, tooMuch(t, "too many keep-alives")
		}
		return KeepAliveReply(*m).Append(b), EventNone, nil
	case *KeepAliveReply:
		return b, EventReply, nil
	case *KeepAliveOptionsReply:
		return b, EventOptions, nil
	}
	if s.step != stepOpen {
		return b, EventNone, unexpected(t, "before forwarding")
	}
	switch m := m.(type) {
	case *TCPForward:
		if out, ev, err = s.forward(b, m); ev == EventPorts {
			err = s.mayChange(t, now)
		}
		return out, ev, err
	case *CancelTCPForward:
		if out, ev = s.cancel(b, m); ev == EventPorts {
			err = s.mayChange(t, now)
		}
		return out, ev, err
	case *UDPSendTo:
		if m.WantReply {
			b = RequestSuccess{}.Append(b)
		}
		return b, EventUDP, nil
	case *UnknownRequest:
		if m.WantReply && !s.noFailure {
			b = RequestFailure{}.Append(b)
		}
		return b, EventNone, unexpected(t, "unknown request %.32q", m.Name)
	}
	return b, EventNone, unexpected(t, "no device sends it")
}

func (s *ServerSession) version(m *ProtocolVersion) error {
	if s.step != stepVersion {
		return unexpected(m.Type(), "it was sent before")
	}
	if m.Major != 1 {
		return reasoned(DisconnectVersion, m.Type(), "version %d.%d", m.Major, m.Minor)
	}
	s.login.UUID, s.login.Major, s.login.Minor, s.login.Trigger = m.UUID, m.Major, m.Minor, m.Trigger
	s.step = stepAuth
	return nil
}

func (s *ServerSession) service(b []byte, m *ServiceRequest) ([]byte, Event, error) {
	switch name := string(m.Name); {
	case name != ServiceAuth && name != ServiceForward:
		return b, EventNone, reasoned(DisconnectNoService, m.Type(), "unknown service %.32q", name)
	case name == ServiceAuth && s.step == stepAuth:
		s.step = stepLogin
		return ServiceAccept(*m).Append(b), EventNone, nil
	case name == ServiceForward && s.step == stepService:
		s.step = stepOpen
		return ServiceAccept(*m).Append(b), EventForwarding, nil
	case name == ServiceForward && s.step == stepAuth && s.skipAuth:
		s.step = stepDecidePfw
		return b, EventLogin, nil
	default:
		return b, EventNone, unexpected(m.Type(), "%s out of order", name)
	}
}

func (s *ServerSession) userAuth(b []byte, m *UserAuthRequest) ([]byte, Event, error) {
	if s.step != stepLogin {
		return b, EventNone, unexpected(m.Type(), "out of order")
	}
	if string(m.Service) != ServiceForward {
		return b, EventNone, reasoned(DisconnectNoService, m.Type(), "login for service %.32q", m.Service)
	}
	s.login.User, s.login.Method = string(m.User), string(m.Method)
	s.login.Password = secret.New(string(m.Password))
	s.step = stepDecide
	if s.login.Method != MethodPassword && s.login.Method != MethodNone {
		return s.Refuse(b), EventNone, fmt.Errorf("%w: unknown method %.16q", ErrRefused, s.login.Method)
	}
	return b, EventLogin, nil
}

// Accept takes the login.
func (s *ServerSession) Accept(b []byte) (out []byte, ev Event) {
	s.login.Password = secret.Text{}
	switch s.step {
	case stepDecide:
		s.step = stepService
		return UserAuthSuccess{}.Append(b), EventNone
	case stepDecidePfw:
		s.step = stepOpen
		return appendString(append(b, byte(TypeServiceAccept)), ServiceForward), EventForwarding
	default:
		return b, EventNone
	}
}

// Refuse refuses the login. The connection ends then: a device that has another password connects again.
func (s *ServerSession) Refuse(b []byte) []byte {
	s.login.Password = secret.Text{}
	if s.step == stepDecide {
		b = appendString(append(b, byte(TypeUserAuthFailure)), MethodPassword)
		b = append(b, 0)
	}
	s.step = stepRefused
	return b
}

// Held returns the JSON messages that came before the login, for after it, and forgets them.
func (s *ServerSession) Held() []JSONControl {
	var held []JSONControl
	for _, j := range s.held {
		held = append(held, *j)
	}
	s.held, s.heldSize = nil, 0
	return held
}

func (s *ServerSession) control(b []byte, m *JSONControl) ([]byte, Event, error) {
	if err := m.check(); err != nil {
		return b, EventNone, err
	}
	if m.Action() == ActionConnType {
		if s.step != stepVersion || s.login.ConnType != 0 {
			return b, EventNone, unexpected(m.Type(), "connection type out of order")
		}
		t, err := m.connType()
		s.login.ConnType = t
		return b, EventNone, err
	}
	switch {
	case s.login.ConnType == ConnCIRA:
		return b, EventNone, unexpected(m.Type(), "firmware does not send it")
	case s.step > stepOpen:
		return b, EventNone, unexpected(m.Type(), "before the login")
	case s.step >= stepService:
		return b, EventControl, nil
	}
	if s.heldSize += len(m.text); s.heldSize > s.limits.LoginBytes {
		return b, EventNone, tooMuch(m.Type(), "over %d bytes before the login", s.limits.LoginBytes)
	}
	held := m.clone()
	s.held = append(s.held, &held)
	return b, EventNone, nil
}

func (s *ServerSession) forward(b []byte, m *TCPForward) ([]byte, Event, error) {
	port := uint16(m.Port)
	known := slices.Contains(s.ports, port)
	switch {
	case m.Port == 0 || m.Port > 0xFFFF || s.allowPort != nil && !s.allowPort(port):
		if s.noFailure {
			return b, EventNone, nil
		}
		return RequestFailure{}.Append(b), EventNone, nil
	case !known && len(s.ports) >= s.limits.Ports:
		return b, EventNone, tooMuch(m.Type(), "more than %d ports", s.limits.Ports)
	}
	// Some devices do not ask for the reply, and wait for it all the same.
	b = RequestSuccess{HasPort: true, Port: m.Port}.Append(b)
	if known {
		return b, EventNone, nil
	}
	s.ports = append(s.ports, port)
	return b, EventPorts, nil
}

func (s *ServerSession) cancel(b []byte, m *CancelTCPForward) ([]byte, Event) {
	ev := EventNone
	if i := slices.Index(s.ports, uint16(m.Port)); i >= 0 && m.Port <= 0xFFFF {
		s.ports, ev = slices.Delete(s.ports, i, i+1), EventPorts
	}
	return RequestSuccess{}.Append(b), ev
}

// mayChange says whether the ports did not change too often: whoever watches devices is told of each change.
func (s *ServerSession) mayChange(t Type, now time.Time) error {
	if !s.changes.take(now, portRate*s.limits.Ports) {
		return tooMuch(t, "the ports change too often")
	}
	return nil
}

// complete says whether the last port that firmware forwards has come.
func (s *ServerSession) complete() bool { return slices.Contains(s.ports, lastPort) }

// lastPort is the port that firmware forwards last, if it has it: VNC.
const lastPort = 5900
