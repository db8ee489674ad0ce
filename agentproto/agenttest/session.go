package agenttest

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"

	"github.com/meshcentral-go/sdk/agentproto"
)

// Session is an agent that is logged in to a [Server]. It differs from the agentproto.Session within in that its events
// are kept, up to the last 1,000, so a test may look at them in any order and at any time.
type Session struct {
	*agentproto.Session
	inbox    inbox
	commands atomic.Uint64
}

// Wait takes the oldest event that matches, waiting for it as long as ctx allows, and leaves the others. When the session
// has ended and no event is left that matches it returns why. For one type of message there is [WaitMessage].
func (s *Session) Wait(ctx context.Context, match func(agentproto.Event) bool) (agentproto.Event, error) {
	return s.inbox.Wait(ctx, match)
}

// Receive takes the oldest event. Unlike that of agentproto.Session it does not end the session with ctx, and may be
// called by many.
func (s *Session) Receive(ctx context.Context) (agentproto.Event, error) {
	return s.inbox.Wait(ctx, func(agentproto.Event) bool { return true })
}

// Events calls Receive until the session ends. The last pair holds the error that ended it.
func (s *Session) Events(ctx context.Context) iter.Seq2[agentproto.Event, error] {
	return func(yield func(agentproto.Event, error) bool) {
		for {
			ev, err := s.Receive(ctx)
			if !yield(ev, err) || err != nil {
				return
			}
		}
	}
}

// allRights is what a site administrator has on a device.
const allRights = 1<<32 - 1

// Console lets an administrator type a command into the agent's console, and waits for the first answer.
func (s *Session) Console(ctx context.Context, command string) (string, error) {
	const user = "user//agenttest"
	id := fmt.Sprintf("%s/%d", user, s.commands.Add(1))
	err := s.Send(ctx, &agentproto.ConsoleCommand{Value: command, UserContext: agentproto.UserContext{
		SessionID: id, UserID: user, Username: "agenttest", Rights: allRights,
	}})
	if err != nil {
		return "", err
	}
	ev, err := s.Wait(ctx, func(ev agentproto.Event) bool {
		m, ok := messageOf[*agentproto.ConsoleOutput](ev)
		return ok && string(m.SessionID) == id
	})
	if err != nil {
		return "", fmt.Errorf("agenttest: console command %.64q: %w", command, err)
	}
	m, _ := messageOf[*agentproto.ConsoleOutput](ev)
	return string(m.Value), nil
}
