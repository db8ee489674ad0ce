package controlproto

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// Actions that the client itself handles.
const (
	actionServerInfo = "serverinfo"
	actionUserInfo   = "userinfo"
	actionClose      = "close"
	actionStopped    = "stopped"
	actionPing       = "ping"
	actionPong       = "pong"
	actionEvent      = "event"
	actionMsg        = "msg"
)

// dialed is a connection that was opened, before the login.
type dialed struct {
	conn Conn
	// certificate is the server's, in DER; nil where it is not to be seen.
	certificate []byte
	// first is the first message where the URL says that one follows.
	first *URLArgs
}

// connect makes one attempt to connect and log in.
func (c *Client) connect(ctx context.Context) (*clientLink, error) {
	l, err := c.attempt(ctx)
	if err != nil && c.trace.Failed != nil {
		c.trace.Failed(err)
	}
	return l, err
}

func (c *Client) attempt(ctx context.Context) (*clientLink, error) {
	form, err := c.creds.login(ctx)
	if err != nil {
		return nil, &ClientError{Phase: PhaseAuth, Err: err}
	}
	dialCtx, cancel := within(ctx, c.cfg.DialTime, "not connected")
	d, err := c.open(dialCtx, &form)
	cancel()
	if err != nil {
		return nil, err
	}
	if l, ok := d.conn.(msgconn.Limiter); ok {
		l.SetReadLimit(c.cfg.LoginLimit)
	}
	loginCtx, cancel := within(ctx, c.cfg.LoginTime, "not logged in")
	defer cancel()
	l := newLink(c, d.conn)
	l.certificate, l.inBand = d.certificate, form.inBand != nil
	if err := c.logIn(loginCtx, l, d, &form); err != nil {
		// Servers that refused a login do not read any more, so there is nobody to say goodbye to.
		d.conn.Close(0, "")
		return nil, &ClientError{Phase: PhaseAuth, Err: err}
	}
	if c.trace.LoggedIn != nil {
		c.trace.LoggedIn(l.serverInfo, l.user)
	}
	c.log.Info("logged in", "server", c.addr.host())
	return l, nil
}

// within bounds a part of an attempt. what is said when it is over.
func within(ctx context.Context, d time.Duration, what string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, fmt.Errorf("%s after %v: %w", what, d, context.DeadlineExceeded))
}

// open opens the WebSocket.
func (c *Client) open(ctx context.Context, form *loginForm) (dialed, error) {
	target := c.addr.with(form.query())
	if c.trace.Connecting != nil {
		c.trace.Connecting(target)
	}
	if c.cfg.Connect == nil {
		return c.openNet(ctx, target, form)
	}
	header, err := c.header(form)
	if err != nil {
		return dialed{}, &ClientError{Phase: PhaseAuth, Err: err}
	}
	conn, err := c.cfg.Connect(ctx, target, header)
	if err != nil {
		return dialed{}, &ClientError{Phase: PhaseDial, Err: err}
	}
	return dialed{conn: conn}, nil
}

// header is what goes with the request for the WebSocket.
func (c *Client) header(form *loginForm) (http.Header, error) {
	h := c.cfg.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	auth, err := form.header()
	if err != nil {
		return nil, err
	}
	if v := auth.Reveal(); v != "" {
		h.Set(MeshAuthHeader, v)
	}
	if v := form.cookies.Reveal(); v != "" {
		h.Set("Cookie", v)
	}
	return h, nil
}

// logIn does what follows on the open connection, until the server has told who it is and who has logged in.
func (c *Client) logIn(ctx context.Context, l *clientLink, d dialed, form *loginForm) error {
	if d.first != nil {
		if err := l.write(ctx, d.first); err != nil {
			return err
		}
	}
	if form.inBand != nil {
		if err := form.inBand.exchange(ctx, l, l.certificate); err != nil {
			return err
		}
	}
	size := 0
	for {
		e, raw, err := l.readLogin(ctx)
		if err != nil {
			return err
		}
		switch e.Action {
		case actionServerInfo:
			l.serverInfo = new(ServerInfo)
			if err := e.Decode(l.serverInfo); err != nil {
				return err
			}
			// Only who has logged in gets this. An account with links to thousands of groups is larger than what is
			// taken from a stranger.
			if lim, ok := l.conn.(msgconn.Limiter); ok {
				lim.SetReadLimit(c.cfg.ReadLimit)
			}
		case actionUserInfo:
			if l.serverInfo == nil {
				return errors.New("the server told the account before itself")
			}
			var info UserInfo
			if err := e.Decode(&info); err != nil {
				return err
			}
			l.user = &info.User
			return nil
		default:
			l.early = append(l.early, raw)
			size += len(raw)
			if len(l.early) > maxEarly || size > maxEarlyBytes {
				return fmt.Errorf("%d messages of %d bytes and no login", len(l.early), size)
			}
		}
	}
}

// maxEarly and maxEarlyBytes are how many messages may come in between those of a login. They are handled after it.
const (
	maxEarly      = 16
	maxEarlyBytes = 1 << 20
)

// readLogin reads one message before the login is complete. raw is a copy.
func (l *clientLink) readLogin(ctx context.Context) (e Envelope, raw json.RawMessage, err error) {
	for {
		_, b, err := l.conn.ReadMessage(ctx)
		if err != nil {
			return e, nil, err
		}
		e, err = parseEnvelope(b)
		if err != nil {
			return e, nil, err
		}
		l.traceReceived(e.Action, len(b))
		switch e.Action {
		case actionClose, actionStopped:
			return e, nil, closeErrorOf(e)
		case actionPing, actionPong:
			continue
		}
		raw = append(raw, b...)
		e.Raw = raw
		return e, raw, nil
	}
}
