package controlproto

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// expectCommand reads a request for a command, and answers the pings in front of it.
func (p *peer) expectCommand() request {
	p.t.Helper()
	for {
		r := p.read()
		if r.Action != actionPing {
			require.Equal(p.t, "runcommands", r.Action, r.Raw)
			return r
		}
		p.send(`{"action":"pong"}`)
	}
}

func TestRunCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{})
		devices := []ID{"node//a", "node//b", "node//c", "node//d", "node//e"}
		p.script(func(p *peer) {
			ids := map[string]string{}
			for range devices {
				r := p.expectCommand()
				require.Regexp(p.t, `"nodeids":\["node//."\],"type":0,"cmds":"hostname","runAsUser":0,"reply":true`, r.Raw)
				ids[r.Raw[len(`{"action":"runcommands","nodeids":["`):][:7]] = r.ResponseID
			}
			// The output of another session's command on the same device is not ours.
			p.send(`{"action":"msg","type":"runcommands","nodeid":"node//a","result":"theirs","responseid":"meshctrl"}`)
			p.send(`{"action":"msg","type":"console","nodeid":"node//a","value":"streamed"}`)
			p.send(`{"action":"msg","type":"runcommands","nodeid":"node//c","result":"c\n","responseid":%q}`, ids["node//c"])
			time.Sleep(time.Second)
			p.send(`{"action":"runcommands","responseid":%q,"result":"Agent not connected"}`, ids["node//b"])
			p.send(`{"action":"msg","type":"console","nodeid":"node//d","value":"Run commands can't execute, already busy."}`)
			time.Sleep(time.Second)
			p.send(`{"action":"msg","type":"runcommands","nodeid":"node//a","result":"0123456\u00e9\u00e9","responseid":%q}`, ids["node//a"])
		})
		begun := time.Now()
		type got struct {
			id   ID
			out  string
			cut  bool
			err  string
			when time.Duration
		}
		var all []got
		for r, err := range c.RunCommands(t.Context(), devices, Command{Text: "hostname", MaxOutput: 8, Timeout: time.Minute}) {
			g := got{id: r.Device, out: r.Output, cut: r.Truncated, when: time.Since(begun)}
			if err != nil {
				g.err = err.Error()
			}
			all = append(all, g)
		}
		require.Equal(t, []got{
			{id: "node//c", out: "c\n"},
			{id: "node//b", err: `controlproto: request "runcommands": refused: "Agent not connected"`, when: time.Second},
			{id: "node//a", out: "0123456", cut: true, when: 2 * time.Second},
			{id: "node//d", err: `controlproto: request "runcommands": the agent is busy with another command`, when: 6 * time.Second},
			{id: "node//e", err: `controlproto: request "runcommands": no reply: context deadline exceeded`, when: time.Minute},
		}, all)
		synctest.Wait()
		require.Empty(t, c.subs)
	})
}

// So many at a time; breaking off ends the rest.
func TestRunCommandsParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{})
		p.script(func(p *peer) {
			r := p.expectCommand()
			p.expectCommand()
			synctest.Wait()
			p.send(`{"action":"msg","type":"runcommands","result":"","responseid":%q}`, r.ResponseID)
			p.expectCommand()
		})
		n := 0
		for _, err := range c.RunCommands(t.Context(), []ID{"1", "2", "3", "4"}, Command{Parallel: 2}) {
			require.NoError(t, err)
			n++
			synctest.Wait()
			break
		}
		require.Equal(t, 1, n)
	})
}

// What an agent has said before it was asked does not hide that it is busy.
func TestRunCommandsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{})
		p.script(func(p *peer) {
			p.expect("ping")
			p.send(`{"action":"msg","type":"console","nodeid":"node//a","value":"of somebody else's command"}`)
			p.send(`{"action":"msg","type":"console","nodeid":"node//a","value":"Run commands can't execute, already busy."}`)
			p.send(`{"action":"pong"}`)
			p.expect("runcommands")
			time.Sleep(time.Minute) // the bubble's clock
			p.send(`{"action":"msg","type":"console","nodeid":"node//a","value":"Run commands can't execute, already busy."}`)
		})
		begun := time.Now()
		for _, err := range c.RunCommands(t.Context(), []ID{"node//a"}, Command{}) {
			require.ErrorIs(t, err, ErrAgentBusy)
		}
		require.Equal(t, time.Minute+busyTime, time.Since(begun))
	})
}

// What can not be meant is the default, and no hang or panic.
func TestRunCommandsNegative(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{})
		p.script(func(p *peer) {
			r := p.expectCommand()
			p.send(`{"action":"msg","type":"runcommands","result":"out","responseid":%q}`, r.ResponseID)
		})
		n := 0
		for r, err := range c.RunCommands(t.Context(), []ID{"1"}, Command{Timeout: -1, MaxOutput: -1, Parallel: -1}) {
			require.NoError(t, err)
			require.Equal(t, "out", r.Output)
			n++
		}
		require.Equal(t, 1, n)
	})
}

func TestRunCommandsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialPeer(t, ClientConfig{})
		ctx, cancel := context.WithCancel(t.Context())
		p.script(func(p *peer) { p.expectCommand(); cancel() })
		n := 0
		for r, err := range c.RunCommands(ctx, []ID{"1", "2", "3"}, Command{}) {
			require.ErrorIs(t, err, context.Canceled)
			require.Empty(t, r.Device, "what ended is not the device")
			n++
		}
		require.Equal(t, 1, n)
	})
}
