package desktop

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// Source is where an agent has pictures from.
type Source interface {
	// Capture returns the picture of a display. The agent does not change it, and is done with it at the next call.
	Capture(ctx context.Context, display uint16) (image.Image, error)
}

// Input takes what a viewer does: [Key], [Mouse], [Unicode], [Touches], [CtrlAltDel] and [InputLock]. Places are in pixels
// of the display, whatever the scaling. An error is logged.
type Input interface {
	Input(ctx context.Context, display uint16, m Message) error
}

// AgentConfig is the configuration of an [Agent].
type AgentConfig struct {
	Source Source // required
	Input  Input  // nil: the viewer can only look
	// Displays is told to the viewer; the first picture is of the selected one. Others than those listed cannot be chosen.
	Displays Displays
	Layout   DisplayLayout // told if there is one
	// Interval is the time between pictures until the viewer asks for another; 0 is 100 ms. MinInterval is the shortest it
	// can ask for; 0 is 20 ms.
	Interval, MinInterval time.Duration
	// BytesPerSecond is what pictures may cost; 0 is no limit. What does not fit is sent later, as it is then.
	BytesPerSecond int
	MaxPixels      int          // of a picture; 0 is 33,554,432
	Logger         *slog.Logger // nil: discard
	// Text gets the text messages that are not answered here: "lock", "autolock", WebRTC. It is valid during the call.
	Text func(kind string, message []byte)
}

// ErrEnded is a viewer that said that it closes the tunnel.
var ErrEnded = errors.New("desktop: ended by the viewer")

// Agent is the device's end of a desktop tunnel over a connection.
type Agent struct {
	conn Conn
	cfg  AgentConfig
	log  *slog.Logger

	mu      sync.Mutex
	asked   agentState
	changed bool
	wake    chan struct{}
}

// agentState is what the viewer has asked for.
type agentState struct {
	compression Compression
	interval    time.Duration
	display     uint16
	paused      bool
	refresh     bool
	displays    bool // the list is to be sent
	scaling     int  // that of the picture the viewer sees; set by the sender
}

// NewAgent returns an agent for a tunnel whose viewer has sent the number of the desktop protocol.
func NewAgent(conn Conn, cfg AgentConfig) *Agent {
	if cfg.Interval <= 0 {
		cfg.Interval = 100 * time.Millisecond
	}
	if cfg.MinInterval <= 0 {
		cfg.MinInterval = 20 * time.Millisecond
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Agent{
		conn: conn, cfg: cfg, log: log, wake: make(chan struct{}, 1),
		asked: agentState{interval: cfg.Interval, display: cfg.Displays.Selected, scaling: FullScale, displays: true},
	}
}

// Run serves the viewer until the connection or the context ends, and returns why. The connection is closed.
func (a *Agent) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	sending := make(chan struct{})
	go func() {
		defer close(sending)
		if err := a.send(ctx); err != nil {
			cancel(err)
			_ = a.conn.Close(msgconn.CloseGoingAway, "")
		}
	}()
	err := a.receive(ctx)
	if cause := context.Cause(ctx); cause != nil {
		err = cause // the reader failed because of it
	}
	cancel(err)
	_ = a.conn.Close(msgconn.CloseNormal, "")
	<-sending
	return err
}

// Send sends a command of the agent to the viewer, such as a [CursorShape], a [KeyState] or an [Alert].
func (a *Agent) Send(ctx context.Context, m Message) error {
	b, err := m.Append(nil)
	if err != nil {
		return err
	}
	if err := a.conn.WriteMessage(ctx, msgconn.Binary, b); err != nil {
		return fmt.Errorf("desktop: write: %w", err)
	}
	return nil
}

// receive handles what the viewer sends.
func (a *Agent) receive(ctx context.Context) error {
	var split Splitter
	for {
		typ, b, err := a.conn.ReadMessage(ctx)
		if err != nil {
			return fmt.Errorf("desktop: read: %w", err)
		}
		if typ == msgconn.Text {
			err = a.text(ctx, b)
		} else {
			err = split.Feed(b, func(command []byte) error { return a.command(ctx, command) })
		}
		if err != nil {
			return err
		}
	}
}

// text answers a text message. A reader that writes cannot hang: a viewer that does not read ends the agent's sender too.
func (a *Agent) text(ctx context.Context, b []byte) error {
	c, ok := parseControl(b)
	if !ok {
		return nil
	}
	switch c.Type {
	case "ping":
		return a.conn.WriteMessage(ctx, msgconn.Text, []byte(pong))
	case "rtt":
		return a.conn.WriteMessage(ctx, msgconn.Text, roundTrip(c))
	case "close":
		return ErrEnded
	}
	if a.cfg.Text != nil {
		a.cfg.Text(c.Type, b)
	}
	return nil
}

func (a *Agent) command(ctx context.Context, command []byte) error {
	m, err := ParseFromViewer(command)
	if err != nil {
		return fmt.Errorf("from viewer: %w", err)
	}
	switch m.(type) {
	case Key, Mouse, Unicode, Touches, CtrlAltDel, InputLock:
		a.input(ctx, m)
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch m := m.(type) {
	case Compression:
		a.asked.compression = m
		a.interval(m.Interval())
	case FrameInterval:
		a.interval(time.Duration(m.Milliseconds) * time.Millisecond)
	case Refresh:
		a.asked.refresh = true
	case Pause:
		a.asked.paused = m.Paused
	case ListDisplays:
		a.asked.displays = true
	case SelectDisplay:
		if !slices.Contains(a.cfg.Displays.IDs, m.ID) {
			return nil
		}
		a.asked.display, a.asked.displays, a.asked.refresh = m.ID, true, true
	default:
		return nil
	}
	a.changed = true
	select {
	case a.wake <- struct{}{}:
	default:
	}
	return nil
}

// interval takes a time between pictures if it is one that agents take.
func (a *Agent) interval(d time.Duration) {
	if d >= 20*time.Millisecond && d <= 5*time.Second {
		a.asked.interval = max(d, a.cfg.MinInterval)
	}
}

func (a *Agent) input(ctx context.Context, m Message) {
	if a.cfg.Input == nil {
		return
	}
	a.mu.Lock()
	display, scaling := a.asked.display, a.asked.scaling
	a.mu.Unlock()
	unscale := func(v uint16) uint16 { return uint16(min(int(v)*FullScale/scaling, 0xFFFF)) }
	switch t := m.(type) {
	case Mouse:
		t.X, t.Y = unscale(t.X), unscale(t.Y)
		m = t
	case Touches:
		for i := range t.Touches {
			t.Touches[i].X, t.Touches[i].Y = unscale(t.Touches[i].X), unscale(t.Touches[i].Y)
		}
	}
	if err := a.cfg.Input.Input(ctx, display, m); err != nil {
		a.log.Warn("desktop: input", "error", err)
	}
}

// send looks at the screen and sends what has changed.
func (a *Agent) send(ctx context.Context) error {
	s := agentSender{a: a, enc: NewEncoder(a.cfg.MaxPixels)}
	s.pace = pacer{interval: a.cfg.Interval, rate: float64(a.cfg.BytesPerSecond), since: time.Now()}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if err := s.round(ctx); err != nil {
			return err
		}
		timer.Reset(s.pace.wait(time.Now(), s.enc.Pending() > 0 && !s.paused))
		select {
		case <-timer.C:
		case <-a.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// agentSender is what the sending goroutine has for itself.
type agentSender struct {
	a       *Agent
	enc     *Encoder
	pace    pacer
	paused  bool
	refresh bool // with the next picture: a viewer that asks often gets no more of them
	buf     []byte
}

// round does what is due now.
func (s *agentSender) round(ctx context.Context) error {
	a := s.a
	a.mu.Lock()
	asked := a.asked
	s.refresh = s.refresh || asked.refresh
	a.asked.refresh, a.asked.displays = false, false
	if a.changed {
		a.changed = false
		s.enc.SetCompression(asked.compression)
		a.asked.scaling = s.enc.Scaling()
		s.pace.interval = asked.interval
	}
	a.mu.Unlock()

	s.paused = asked.paused
	if !s.paused && s.pace.frameDue(time.Now()) {
		img, err := a.cfg.Source.Capture(ctx, asked.display)
		if err != nil {
			return fmt.Errorf("desktop: capture: %w", err)
		}
		resized, err := s.enc.Update(img)
		if err != nil {
			return err
		}
		if s.refresh {
			s.enc.Refresh()
		}
		if resized || s.refresh {
			s.refresh = false
			if err := s.a.Send(ctx, s.enc.Screen()); err != nil {
				return err
			}
		}
	}
	if asked.displays {
		if err := s.displays(ctx, asked.display); err != nil {
			return err
		}
	}
	return s.tiles(ctx)
}

// displays tells the viewer which displays there are.
func (s *agentSender) displays(ctx context.Context, selected uint16) error {
	list := s.a.cfg.Displays
	list.Selected = selected
	messages := []Message{Display{ID: selected}, list}
	if len(s.a.cfg.Layout.Areas) > 0 {
		messages = append(messages, s.a.cfg.Layout)
	}
	for _, m := range messages {
		if err := s.a.Send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// tiles sends what has changed, until it is time for a new picture or the budget is used up; at least one, or a screen that
// is slow to capture would never be sent.
func (s *agentSender) tiles(ctx context.Context) error {
	for first := true; !s.paused; first = false {
		now := time.Now()
		if !s.pace.maySend(now) || !first && !now.Before(s.pace.frame) {
			return nil
		}
		b, ok, err := s.enc.Append(s.buf[:0])
		if err != nil || !ok {
			return err
		}
		s.buf = b
		if err := s.a.conn.WriteMessage(ctx, msgconn.Binary, b); err != nil {
			return fmt.Errorf("desktop: write: %w", err)
		}
		s.pace.sent(len(b))
	}
	return nil
}
