package agentproto

import (
	"context"
	"errors"
	"iter"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// receiveAll calls receive until it fails.
func receiveAll(ctx context.Context, receive func(context.Context) (Event, error)) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			ev, err := receive(ctx)
			if !yield(ev, err) || err != nil {
				return
			}
		}
	}
}

// sessionFailure turns an error of a connection into what ends the session.
func sessionFailure(err error) (code int, reason string, cause error) {
	if errors.Is(err, msgconn.ErrTooLarge) {
		code = msgconn.CloseTooLarge
	}
	var e *Error
	if !errors.As(err, &e) {
		err = &Error{Phase: PhaseSession, Err: err}
	}
	return code, "", err
}

// answerPing answers JSON pings and takes pongs; all else is an event.
func answerPing(ctx context.Context, l *link, m JSONMessage) (Event, error) {
	switch m.(type) {
	case *Ping:
		return nil, l.Send(ctx, &Pong{})
	case *Pong:
		return nil, nil
	}
	return MessageEvent{m}, nil
}
