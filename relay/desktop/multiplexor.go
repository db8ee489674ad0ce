package desktop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// Errors of a [Multiplexor].
var (
	// ErrAgentConnected is a second agent: every viewer's request makes one come. Its connection is to be closed.
	ErrAgentConnected = errors.New("desktop: an agent is connected already")
	// ErrAgentLeft is a desktop whose agent has gone.
	ErrAgentLeft = errors.New("desktop: the agent has left")
	// ErrNoViewers is a desktop whose last viewer has gone.
	ErrNoViewers = errors.New("desktop: the last viewer has left")
	// ErrTooManyViewers is one viewer more than there can be.
	ErrTooManyViewers = errors.New("desktop: too many viewers")
)

// MultiplexorConfig is the configuration of a [Multiplexor]. The zero value is usable.
type MultiplexorConfig struct {
	MaxViewers int // 0 is 64
	// MaxCache bounds the picture, in bytes as it came from the agent; 0 is 64 MiB. An agent that exceeds it is ended.
	MaxCache int
	// Record gets each message of the agent, before any viewer, and nothing of the viewers. An error ends the desktop.
	Record func(typ msgconn.Type, message []byte) error
	Logger *slog.Logger // nil: discard
	Now    func() time.Time
}

// MultiplexedViewer says who a viewer is. That he may see the desktop was checked.
type MultiplexedViewer struct {
	UserID   string
	ViewOnly bool // gets the picture and texts, and his input is dropped
}

// Multiplexor lets several viewers share the desktop of one agent. A viewer that comes late gets the whole picture, and one
// that is slow skips what was painted over. Connections are handed over when their tunnels are open; what viewers send
// before the desktop (options, the protocol number) is part of it.
//
// Of several options the first are used. The pictures are in the quality that the viewer wants who wants most; they are paused
// when all have paused them. A refresh is answered from what is known.
//
// Confirmed in meshdesktopmultiplex.js, except that texts that keep a tunnel alive are answered here and not dropped.
type Multiplexor struct {
	cfg MultiplexorConfig
	log *slog.Logger

	mu        sync.Mutex
	state     muxState
	wakes     map[*muxViewer]chan struct{}
	agent     Conn
	caughtUp  chan struct{} // tells the agent's reader to look again
	end       context.CancelCauseFunc
	ended     context.Context
	agentSend sync.Mutex // held from deciding what the agent gets until it has got it
}

// NewMultiplexor returns a multiplexor without viewers and agent.
func NewMultiplexor(cfg MultiplexorConfig) *Multiplexor {
	if cfg.MaxViewers <= 0 {
		cfg.MaxViewers = 64
	}
	if cfg.MaxCache <= 0 {
		cfg.MaxCache = 64 << 20
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	m := &Multiplexor{cfg: cfg, log: cfg.Logger, wakes: make(map[*muxViewer]chan struct{}), caughtUp: make(chan struct{}, 1)}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	m.state = muxState{picture: picture{max: cfg.MaxCache}, last: make(map[Command][]byte), start: cfg.Now()}
	m.ended, m.end = context.WithCancelCause(context.Background())
	return m
}

// Done is closed when the desktop has ended: the agent or the last viewer has gone. Who comes then needs a new multiplexor.
func (m *Multiplexor) Done() <-chan struct{} { return m.ended.Done() }

// Err is why the desktop has ended.
func (m *Multiplexor) Err() error { return context.Cause(m.ended) }

// ServeAgent serves the agent until the desktop ends, and returns why. The connection is closed then, but not if there is an
// agent already.
func (m *Multiplexor) ServeAgent(ctx context.Context, conn Conn) error {
	m.agentSend.Lock()
	m.mu.Lock()
	if err := context.Cause(m.ended); err != nil {
		m.mu.Unlock()
		m.agentSend.Unlock()
		_ = conn.Close(msgconn.CloseGoingAway, "")
		return err
	}
	if m.agent != nil {
		m.mu.Unlock()
		m.agentSend.Unlock()
		return ErrAgentConnected
	}
	m.agent = conn
	out := m.state.begin()
	m.mu.Unlock()
	ctx, cancel := m.context(ctx, conn)
	defer cancel()
	err := m.writeAgent(conn, out)
	m.agentSend.Unlock()

	if err == nil {
		err = m.readAgent(ctx, conn)
	}
	// The desktop may have ended for another reason, which is the one to give.
	m.end(fmt.Errorf("%w: %w", ErrAgentLeft, err))
	_ = conn.Close(msgconn.CloseNormal, "")
	return context.Cause(m.ended)
}

// context makes a context that ends with the desktop, and has the connection closed when it does.
func (m *Multiplexor) context(ctx context.Context, conn Conn) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(m.ended, func() {
		cancel(context.Cause(m.ended))
		_ = conn.Close(msgconn.CloseGoingAway, "")
	})
	return ctx, func() { stop(); cancel(nil) }
}

func (m *Multiplexor) readAgent(ctx context.Context, conn Conn) error {
	for {
		typ, b, err := conn.ReadMessage(ctx)
		if err != nil {
			return fmt.Errorf("desktop: read: %w", err)
		}
		if m.cfg.Record != nil {
			if err := m.cfg.Record(typ, b); err != nil {
				return err
			}
		}
		m.mu.Lock()
		err = m.state.fromAgent(typ, b)
		m.wakeAll()
		behind := m.state.allBehind()
		m.mu.Unlock()
		if err != nil {
			return fmt.Errorf("from agent: %w", err)
		}
		// The agent is not read while no viewer keeps up, so that it takes fewer pictures.
		for behind {
			select {
			case <-m.caughtUp:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			m.mu.Lock()
			behind = m.state.allBehind()
			m.mu.Unlock()
		}
	}
}

// wakeAll has all writers look again.
func (m *Multiplexor) wakeAll() {
	for _, wake := range m.wakes {
		signal(wake)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// ServeViewer serves a viewer until he or the desktop ends, and returns why. The connection is closed.
func (m *Multiplexor) ServeViewer(ctx context.Context, conn Conn, who MultiplexedViewer) error {
	v := &muxViewer{user: who.UserID, viewOnly: who.ViewOnly}
	wake := make(chan struct{}, 1)
	if err := m.join(v, wake); err != nil {
		_ = conn.Close(msgconn.CloseTryAgain, "")
		return err
	}
	ctx, cancel := m.context(ctx, conn)
	defer cancel()
	writing := make(chan error, 1)
	go func() {
		err := m.writeViewer(ctx, conn, v, wake)
		_ = conn.Close(msgconn.CloseNormal, "")
		writing <- err
	}()
	err := m.readViewer(ctx, conn, v)
	if cause := context.Cause(m.ended); cause != nil {
		err = cause
	}
	_ = conn.Close(msgconn.CloseNormal, "")
	cancel()
	<-writing
	m.leave(v)
	return err
}

func (m *Multiplexor) join(v *muxViewer, wake chan struct{}) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := context.Cause(m.ended); err != nil {
		return err
	}
	if len(m.wakes) >= m.cfg.MaxViewers {
		return ErrTooManyViewers
	}
	m.wakes[v] = wake
	m.state.join(v)
	m.wakeAll()
	signal(m.caughtUp)
	return nil
}

// leave removes a viewer. With the last one the desktop ends.
func (m *Multiplexor) leave(v *muxViewer) {
	m.agentSend.Lock()
	defer m.agentSend.Unlock()
	m.mu.Lock()
	delete(m.wakes, v)
	out := m.state.leave(v)
	m.wakeAll()
	signal(m.caughtUp)
	last, agent := len(m.wakes) == 0, m.agent
	if last {
		m.end(ErrNoViewers)
	}
	m.mu.Unlock()
	if !last && agent != nil {
		if err := m.writeAgent(agent, out); err != nil {
			m.log.Debug("desktop: tell the agent of a viewer that left", "error", err)
		}
	}
}

func (m *Multiplexor) readViewer(ctx context.Context, conn Conn, v *muxViewer) error {
	for {
		typ, b, err := conn.ReadMessage(ctx)
		if err != nil {
			return fmt.Errorf("desktop: read: %w", err)
		}
		if err := m.fromViewer(v, typ, b); err != nil {
			return err
		}
	}
}

// fromViewer handles a message of a viewer. A viewer waits while the agent does not take what another sends it.
func (m *Multiplexor) fromViewer(v *muxViewer, typ msgconn.Type, b []byte) error {
	m.agentSend.Lock()
	defer m.agentSend.Unlock()
	m.mu.Lock()
	agent := m.agent
	out, err := m.state.fromViewer(v, agent != nil, typ, b)
	signal(m.wakes[v])
	signal(m.caughtUp) // who pauses is no longer waited for
	m.mu.Unlock()
	if err != nil || agent == nil {
		return err
	}
	return m.writeAgent(agent, out)
}

// agentPatience is how long an agent may take nothing of what viewers send it.
const agentPatience = 30 * time.Second

// writeAgent sends to the agent. It does not end with the viewer for whom it is done, as half a message would spoil the
// connection for all; an agent that takes nothing ends the desktop.
func (m *Multiplexor) writeAgent(agent Conn, out []outgoing) error {
	if len(out) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(m.ended, agentPatience)
	defer cancel()
	for _, o := range out {
		if err := agent.WriteMessage(ctx, o.typ, o.data); err != nil {
			err = fmt.Errorf("%w: write: %w", ErrAgentLeft, err)
			m.end(err)
			return err
		}
	}
	return nil
}

func (m *Multiplexor) writeViewer(ctx context.Context, conn Conn, v *muxViewer, wake <-chan struct{}) error {
	for {
		m.mu.Lock()
		o, ok := m.state.next(v)
		m.mu.Unlock()
		if ok {
			if err := conn.WriteMessage(ctx, o.typ, o.data); err != nil {
				return fmt.Errorf("desktop: write: %w", err)
			}
			continue
		}
		signal(m.caughtUp)
		select {
		case <-wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
