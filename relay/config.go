//go:build !js

package relay

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// Config is what a [Relay] needs.
type Config struct {
	// Authenticate says who an end is, from its cookies, its session and its rights to the device. It is required. The ID
	// of the End is filled in if it is empty, from the query. An error that is a *[Refusal] is told to the end as the stock
	// server does it; others only close the connection.
	Authenticate func(r *http.Request, q *Query) (End, error)
	// Record decides whether a tunnel is recorded, and by whom; nil is not. It may take its time, such as to open a file:
	// nothing moves in the tunnel before it returns. An error ends the tunnel.
	Record func(ctx context.Context, p *Pair) (Recorder, error)
	// Limits bound what waits, and for how long.
	Limits Limits
	// MaxFragmented bounds messages that come in several frames, which are collected so that they leave as one: 256 KiB.
	// A message in one frame may have any size up to MaxMessage: 100 MiB, as the stock server has it.
	MaxFragmented int
	MaxMessage    uint64
	// FlushTime is how long an end may take to read what was sent to it before the other end left: 5 s.
	FlushTime time.Duration
	// PingInterval is how often both ends of each tunnel get a ping in a text message, or with Pong a pong. Zero is never.
	// Their answers go to the other end, as with the stock server. Confirmed in meshrelay.js ("agentping").
	PingInterval time.Duration
	Pong         bool
	// CheckOrigin is that of the WebSocket upgrade. Nil takes requests without an Origin and those of the same host.
	CheckOrigin func(*http.Request) bool
	Trace       *Trace
	Logger      *slog.Logger // nil discards
}

// Stats is the account of a tunnel.
type Stats struct {
	Pair     Pair
	Recorded bool
	// What the first and the second end sent: payload and messages.
	FirstBytes, SecondBytes       int64
	FirstMessages, SecondMessages int64
	Duration                      time.Duration
}

// Sent returns what ends of a role sent. With two operators it is the first one's.
func (s *Stats) Sent(role Role) (bytes, messages int64) {
	if s.Pair.FirstEnd.Role == role {
		return s.FirstBytes, s.FirstMessages
	}
	return s.SecondBytes, s.SecondMessages
}

// Trace is a set of hooks. Any may be nil. They must not block.
type Trace struct {
	// Refused is called for an end that was not let in. The End is as far as it was known.
	Refused func(e End, err error)
	// Waiting is called for a first end.
	Waiting func(e End)
	// Started is called when two ends have met, before anything moves.
	Started func(p *Pair, recorded bool)
	// Ended is called once for each tunnel that started, with what moved and why it ended.
	Ended func(s Stats, reason error)
	// Unmet is called for an end that waited in vain.
	Unmet func(e End, reason error)
}

func (t *Trace) orEmpty() *Trace {
	var full Trace
	if t != nil {
		full = *t
	}
	if full.Refused == nil {
		full.Refused = func(End, error) {}
	}
	if full.Waiting == nil {
		full.Waiting = func(End) {}
	}
	if full.Started == nil {
		full.Started = func(*Pair, bool) {}
	}
	if full.Ended == nil {
		full.Ended = func(Stats, error) {}
	}
	if full.Unmet == nil {
		full.Unmet = func(End, error) {}
	}
	return &full
}

// publicReason is what an end is told about why it is closed. It names no other account and no id.
func publicReason(err error) (code int, reason string) {
	var refusal *Refusal
	switch {
	case errors.Is(err, ErrPeerGone):
		return msgconn.CloseNormal, "the other end has left"
	case errors.Is(err, ErrBusy):
		return msgconn.CloseTryAgain, "too many tunnels are waiting"
	case errors.Is(err, ErrNobodyCame):
		return msgconn.CloseNormal, "the other end did not come"
	case errors.Is(err, ErrIdle):
		return msgconn.CloseNormal, "idle"
	case errors.Is(err, ErrExpired):
		return msgconn.ClosePolicy, "expired"
	case errors.Is(err, ErrShutdown):
		return msgconn.CloseGoingAway, "server is shutting down"
	case errors.Is(err, ErrTooLarge):
		return msgconn.CloseTooLarge, ""
	case errors.Is(err, msgconn.ErrFrame):
		return msgconn.CloseProtocolError, ""
	case errors.Is(err, ErrHook):
		return msgconn.CloseInternal, "internal error"
	case errors.Is(err, ErrRecording):
		return msgconn.ClosePolicy, "recording failed"
	case errors.As(err, &refusal):
		return msgconn.ClosePolicy, refusal.Msg
	}
	return msgconn.ClosePolicy, "refused"
}
