package apf

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// DeviceSession is the order of messages at the device's end. It neither reads nor writes.
type DeviceSession struct {
	cfg DeviceSessionConfig
	p   *Parser

	accepted struct{ auth, login, forward bool }
	asked    struct{ auth, login, forward bool }
	next     int       // of cfg.Ports
	pending  []request // that were not answered, oldest first
	ready    bool
	ports    []uint16
	alive    allowance
}

// request is a global request that waits for its answer.
type request struct {
	port   uint16
	cancel bool
}

// DeviceSessionConfig configures a [DeviceSession]; see DeviceConfig.
type DeviceSessionConfig struct {
	UUID     UUID
	User     string
	Password Secret
	Method   string
	SkipAuth bool
	Ports    []uint16
	Host     string
	ConnType ConnType
	MEIState Secret
	Trigger  Trigger
	// Coalesce asks for everything without waiting for answers.
	Coalesce bool
	// IgnoreOptions leaves the interval of keep-alives as it is.
	IgnoreOptions bool
}

// NewDeviceSession returns a session, whose peer's messages are read with p.
func NewDeviceSession(cfg DeviceSessionConfig, p *Parser) *DeviceSession {
	s := new(DeviceSession)
	s.init(cfg, p)
	return s
}

func (s *DeviceSession) init(cfg DeviceSessionConfig, p *Parser) {
	if cfg.Method == "" {
		cfg.Method = MethodPassword
	}
	if cfg.Trigger == 0 && cfg.ConnType == ConnCIRA {
		cfg.Trigger = TriggerPeriodic
	}
	s.cfg, s.p = cfg, p
}

// Start gives the first messages to send, each to add.
func (s *DeviceSession) Start(add func(Message)) error {
	if s.cfg.ConnType != ConnCIRA {
		add(controlConnType(s.cfg.ConnType))
		if text := s.cfg.MEIState.Reveal(); text != "" {
			state, err := ControlValue(ActionMEIState, json.RawMessage(text))
			if err != nil {
				return err
			}
			add(state)
		}
	}
	add(ProtocolVersion{Major: 1, Trigger: s.cfg.Trigger, UUID: s.cfg.UUID})
	if s.cfg.SkipAuth {
		s.accepted.login, s.accepted.auth, s.asked.auth, s.asked.login = true, true, true, true
	} else {
		add(ServiceRequest{[]byte(ServiceAuth)})
		s.asked.auth = true
	}
	s.proceed(add)
	return nil
}

// proceed asks for all that can be asked for now.
func (s *DeviceSession) proceed(add func(Message)) {
	all := s.cfg.Coalesce
	if (s.accepted.auth || all) && !s.asked.login {
		s.asked.login = true
		add(UserAuthRequest{[]byte(s.cfg.User), []byte(ServiceForward), []byte(s.cfg.Method), []byte(s.cfg.Password.Reveal())})
	}
	if (s.accepted.login || all) && !s.asked.forward {
		s.asked.forward = true
		add(ServiceRequest{[]byte(ServiceForward)})
	}
	for (s.accepted.forward && len(s.pending) == 0 || all) && s.next < len(s.cfg.Ports) {
		port := s.cfg.Ports[s.next]
		if !s.request(request{port: port}, add) {
			break
		}
		s.next++
	}
}

// request sends a global request, if not too many wait.
func (s *DeviceSession) request(r request, add func(Message)) bool {
	if !s.p.Expect(!r.cancel) {
		return false
	}
	s.pending = append(s.pending, r)
	// Stock agents do not ask for the reply, and firmware does.
	want := s.cfg.ConnType == ConnCIRA
	if r.cancel {
		add(CancelTCPForward{want, []byte(s.cfg.Host), uint32(r.port)})
	} else {
		add(TCPForward{want, []byte(s.cfg.Host), uint32(r.port)})
	}
	return true
}

// Forward asks for a port to be forwarded, or no longer.
func (s *DeviceSession) Forward(port uint16, cancel bool, add func(Message)) error {
	if !s.ready {
		return fmt.Errorf("apf: forward: %w: the ports of the login come first", ErrProtocol)
	}
	if !s.request(request{port, cancel}, add) {
		return fmt.Errorf("apf: forward: %w: %d requests wait for an answer", ErrLimit, maxDue)
	}
	return nil
}

// Phase tells how far the connection is.
func (s *DeviceSession) Phase() Phase {
	switch {
	case s.ready:
		return PhaseSession
	case s.accepted.login:
		return PhaseForward
	}
	return PhaseLogin
}

// Ports returns the ports that the server has taken.
func (s *DeviceSession) Ports() []uint16 { return slices.Clone(s.ports) }

// Handle takes a message. It gives the messages to send to add, and says what else is to be done. An error ends the
// connection.
func (s *DeviceSession) Handle(m Message, now time.Time, add func(Message)) (Event, error) {
	t := m.Type()
	switch m := m.(type) {
	case *Disconnect:
		return EventNone, &DisconnectError{m.Reason}
	case *UserAuthFailure:
		if !s.asked.login || s.accepted.login {
			return EventNone, unexpected(t, "nothing was asked")
		}
		return EventNone, ErrRefused
	case *ServiceAccept:
		if err := s.serviceAccepted(m, add); err != nil || !s.complete() {
			return EventNone, err
		}
		return EventReady, nil
	case *UserAuthSuccess:
		if !s.asked.login || s.accepted.login {
			return EventNone, unexpected(t, "nothing was asked")
		}
		s.accepted.login = true
		s.proceed(add)
		if s.complete() {
			return EventReady, nil
		}
		return EventLoggedIn, nil
	case *JSONControl:
		if s.cfg.ConnType == ConnCIRA {
			return EventNone, unexpected(t, "to firmware")
		}
		if err := m.check(); err != nil {
			return EventNone, err
		}
		return EventControl, nil
	case *RequestSuccess:
		return s.answered(true, m.Port, add)
	case *RequestFailure:
		return s.answered(false, 0, add)
	case *ProtocolVersion:
		return EventNone, nil // some servers return it
	}
	// What was sent in one write with the login may be answered before it: MeshCentral looks the device up meanwhile.
	if !s.accepted.login && !(s.cfg.Coalesce && t == TypeKeepAliveOptionsRequest) {
		return EventNone, unexpected(t, "before the login")
	}
	switch m := m.(type) {
	case *KeepAliveRequest:
		if !s.alive.take(now, keepAliveRate) {
			return EventNone, tooMuch(t, "too many keep-alives")
		}
		add(KeepAliveReply(*m))
		return EventNone, nil
	case *KeepAliveReply:
		return EventReply, nil
	case *KeepAliveOptionsRequest:
		// MeshCentral asks whoever forwards port 5900, firmware or not.
		if s.cfg.IgnoreOptions {
			return EventNone, nil
		}
		add(KeepAliveOptionsReply(*m))
		return EventOptions, nil
	}
	if forChannel(t) && s.accepted.forward {
		return EventChannel, nil
	}
	return EventNone, unexpected(t, "no server sends it here")
}

func (s *DeviceSession) serviceAccepted(m *ServiceAccept, add func(Message)) error {
	switch {
	case string(m.Name) == ServiceAuth && s.asked.auth && !s.accepted.auth:
		s.accepted.auth = true
	case string(m.Name) == ServiceForward && s.asked.forward && !s.accepted.forward:
		s.accepted.forward = true
	default:
		return unexpected(m.Type(), "nothing was asked of %.32q", m.Name)
	}
	s.proceed(add)
	return nil
}

// answered handles the answer to the oldest request.
func (s *DeviceSession) answered(granted bool, port uint32, add func(Message)) (Event, error) {
	r := s.pending[0] // the parser knows that there is one
	s.pending = slices.Delete(s.pending, 0, 1)
	switch {
	case granted && r.cancel:
		s.ports = slices.DeleteFunc(s.ports, func(p uint16) bool { return p == r.port })
	case granted && port != uint32(r.port):
		return EventNone, unexpected(TypeRequestSuccess, "port %d instead of %d", port, r.port)
	case granted && !slices.Contains(s.ports, r.port):
		s.ports = append(s.ports, r.port)
	}
	s.proceed(add)
	if s.complete() {
		return EventReady, nil
	}
	return EventPorts, nil
}

// complete says, once, that the login is over and all its ports are answered.
func (s *DeviceSession) complete() bool {
	if s.ready || !s.accepted.login || !s.accepted.forward || s.next < len(s.cfg.Ports) || len(s.pending) > 0 {
		return false
	}
	s.ready = true
	return true
}
