package controlproto

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// Command is what [Client.RunCommands] runs on devices.
type Command struct {
	// Text is what the shell gets on its standard input, followed by "exit".
	Text string
	// Type is the shell. Those of the agent's console ([ShellAgent]) have no end that could be told; see
	// [Client.Console].
	Type  CommandType
	RunAs RunAs
	// Timeout is how long each device may take. Default 10 min. What runs on the device is not ended by it: there is no
	// message for that.
	Timeout time.Duration
	// MaxOutput is how much of each device's output is kept, in bytes. Default 1 MiB.
	MaxOutput int
	// Parallel is how many devices run it at a time. Default 64.
	Parallel int
}

// RunResult is what a device had to say.
type RunResult struct {
	Device    ID
	Output    string // standard output and error, mixed, with what the shell says of itself
	Truncated bool   // there was more than MaxOutput
}

const (
	defaultRunTime   = 10 * time.Minute
	defaultRunOutput = 1 << 20
	defaultRunners   = 64
	// busyText is what an agent says, to everyone, in place of an answer.
	busyText = "Run commands can't execute, already busy."
	// busyTime is how long an answer may still come after it: the agent may have refused somebody else's command.
	busyTime = 5 * time.Second
)

// RunCommands runs a command on devices and returns the result of each as soon as it comes, with the device's error if
// it has one: a [ResultError] if the server refused it ("Agent not connected", "Access denied"), [ErrAgentBusy], or
// [ErrNoReply] after the timeout. There is no exit status. The loop ends after the last device, or early by break,
// which ends the waiting for the others. When ctx ends, its error comes once, for no device, and is the last.
//
// Each device gets a request of its own with an id that nobody can guess. The server passes the answer of an agent on
// to all sessions that see the device, and by the id this client knows its own. An agent runs one command at a time, so
// those of this client wait for each other. Busy with somebody else's, an agent does not answer, but says so in a line
// that names no request: this is taken for the answer if the device has said nothing else since it was asked, and no
// answer follows within five seconds. An agent that finds no user to run as says nothing at all.
func (c *Client) RunCommands(ctx context.Context, devices []ID, cmd Command) iter.Seq2[RunResult, error] {
	if cmd.Timeout <= 0 {
		cmd.Timeout = defaultRunTime
	}
	if cmd.MaxOutput <= 0 {
		cmd.MaxOutput = defaultRunOutput
	}
	if cmd.Parallel <= 0 {
		cmd.Parallel = defaultRunners
	}
	return func(yield func(RunResult, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		type outcome struct {
			result RunResult
			err    error
		}
		todo, outcomes := make(chan ID), make(chan outcome)
		for range min(cmd.Parallel, len(devices)) {
			wg.Go(func() {
				for id := range todo {
					r, err := c.runOn(ctx, id, &cmd)
					if err != nil && ctx.Err() != nil {
						return // it is the end of ctx that failed, not the device
					}
					select {
					case outcomes <- outcome{r, err}:
					case <-ctx.Done():
						return
					}
				}
			})
		}
		wg.Go(func() {
			defer close(todo)
			for _, id := range devices {
				select {
				case todo <- id:
				case <-ctx.Done():
					return
				}
			}
		})
		for range devices {
			select {
			case o := <-outcomes:
				if !yield(o.result, o.err) {
					return
				}
			case <-ctx.Done():
				yield(RunResult{}, requestError("runcommands", waitError(ctx)))
				return
			}
		}
	}
}

// runOn runs a command on one device.
func (c *Client) runOn(ctx context.Context, id ID, cmd *Command) (RunResult, error) {
	res := RunResult{Device: id}
	if cmd.Type == ShellAgent {
		return res, requestError("runcommands", errors.New("commands for the agent's console have no end"))
	}
	ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	free, err := c.lockDevice(ctx, id)
	if err != nil {
		return res, requestError("runcommands", err)
	}
	defer free()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	// What comes before the answer to a ping in front of the request was said before it.
	asked := make(chan struct{})
	quiet := c.watchBusy(ctx, id, asked, func() { stop(ErrAgentBusy) })
	defer quiet()
	l, err := c.current(ctx)
	if err == nil {
		err = l.queue(ctx, &outgoing{action: actionPing, pong: asked})
	}
	if err != nil {
		return res, requestError("runcommands", err)
	}
	req := &RunCommands{DeviceIDs: []ID{id}, Type: cmd.Type, Commands: cmd.Text, RunAs: cmd.RunAs, Reply: true}
	v, err := c.do(ctx, req, func(e Envelope) (any, error) {
		var m MsgRunCommands
		err := e.Decode(&m)
		return m.Result, err
	})
	if errors.Is(context.Cause(ctx), ErrAgentBusy) && err != nil {
		err = ErrAgentBusy
	}
	if err != nil {
		return res, requestError("runcommands", err)
	}
	res.Output, _ = v.(string)
	if len(res.Output) > cmd.MaxOutput {
		n := cmd.MaxOutput
		for n > 0 && !utf8.RuneStart(res.Output[n]) {
			n--
		}
		// A copy, as a part would keep the whole.
		res.Output, res.Truncated = strings.Clone(res.Output[:n]), true
	}
	return res, nil
}

// lockDevice waits until no other command of this client runs on a device.
func (c *Client) lockDevice(ctx context.Context, id ID) (free func(), err error) {
	for {
		c.mu.Lock()
		busy := c.running[id.Name()]
		if busy == nil {
			mine := make(chan struct{})
			c.running[id.Name()] = mine
			c.mu.Unlock()
			return func() {
				c.mu.Lock()
				delete(c.running, id.Name())
				c.mu.Unlock()
				close(mine)
			}, nil
		}
		c.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, &notSentError{why: "an earlier command runs on the device", err: context.Cause(ctx)}
		}
	}
}

// watchBusy calls f some time after the agent of a device has said that it is busy, if it has said nothing before since
// it was asked. The function that it returns ends the watch.
func (c *Client) watchBusy(ctx context.Context, id ID, asked <-chan struct{}, f func()) (stop func()) {
	var mu sync.Mutex
	var timer *time.Timer
	var over bool
	ids := []ID{id, c.device(id)}
	s := c.subscribe(ctx, 1, 1, false, func(r *received) []byte {
		if r.Action != actionMsg || !textIn(r.kind, []string{"console"}) {
			return nil
		}
		select {
		case <-asked: // closed by the reader, which also calls this
		default:
			return nil
		}
		m, err := jsonrec.Peek(r.Raw, "nodeid", "value")
		if err != nil || !textIn(m[0], ids) {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if !over && textIn(m[1], []string{busyText}) {
			timer = time.AfterFunc(busyTime, f)
		}
		over = true
		return nil // nothing is queued
	})
	return func() {
		s.stop()
		s.cancel(errSubscriptionOver)
		mu.Lock()
		defer mu.Unlock()
		over = true
		if timer != nil {
			timer.Stop()
		}
	}
}
