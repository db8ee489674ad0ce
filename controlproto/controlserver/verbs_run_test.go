package controlserver

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

func TestRunCommands(t *testing.T) {
	inWorld(t, func(w *world) {
		bob, eve := w.account("bob", 0), w.account("eve", 0)
		g := w.group("lab", map[controlproto.ID]controlproto.Rights{bob: controlproto.RemoteCommand | 8 | 16, eve: 8})
		linux, off, bare := w.device("linux", g), w.device("off", g), w.device("bare", g, func(d *controlproto.Device) { d.Agent = nil })
		win := w.device("win", g, func(d *controlproto.Device) { d.Agent.ID = 4 })
		w.connect(linux)
		w.connect(win)
		s := w.script(map[string]controlproto.ID{"linux": linux, "win": win, "off": off, "bare": bare}, "bob", "eve")
		ran := func(n int) map[string][]string {
			text := []string{map[int]string{24: "runcommands 24: Running commands (bob)", 99: "runcommands 99: Running commands (bob)", 100: "runcommands 100: Running commands (bob)"}[n]}
			return map[string][]string{"bob": text}
		}
		r := func(texts ...string) (list []string) {
			for _, x := range texts {
				list = append(list, refusal("runcommands", x)...)
			}
			return list
		}
		run := func(device, rest string) string {
			return `{"action":"runcommands","nodeids":["` + device + `"],"responseid":"r",` + rest + `}`
		}
		w.update(func(tx *Tx) error { return tx.Link(eve, "eve", g, 8|controlproto.LimitedEvents) })
		s.ops["eve"].all()
		s.run(
			step{say: run("{linux}", `"type":0,"cmds":"ls"`), replies: r("OK"), hears: ran(24)},
			step{say: run("{win}", `"type":1,"cmds":"dir","runAsUser":2`), replies: r("OK"), hears: ran(99)},
			step{say: run("{win}", `"type":2,"cmds":"dir","reply":true`), hears: ran(100)},
			step{say: run("{win}", `"type":0,"cmds":"dir"`), replies: r("OK"), hears: ran(24)},
			step{say: run("{linux}", `"type":4,"cmds":"help"`), replies: r("OK")},
			step{say: run("{linux}", `"type":2,"cmds":"ls"`), replies: r("Invalid command type")},
			step{say: run("{bare}", `"type":3,"cmds":"ls"`), replies: r("Invalid command type")},
			step{say: run("{off}", `"type":3,"cmds":"ls"`), replies: r("Agent not connected")},
			step{say: run("{off}", `"type":4,"cmds":"ls"`), replies: r("Agent not connected")},
			step{say: run("", `"type":3,"cmds":"ls"`), replies: r("Invalid nodeid")},
			step{say: run("node/x/y", `"type":3,"cmds":"ls"`), replies: r("Invalid domain")},
			step{say: run("nothing", `"type":3,"cmds":"ls"`), replies: r("Invalid nodeid")},
			step{name: "no number", say: run("{linux}", `"type":"3","cmds":"ls"`)},
			step{name: "no type", say: run("{linux}", `"cmds":"ls"`)},
			step{name: "too long", say: run("{linux}", `"type":3,"cmds":"`+strings.Repeat("x", maxCommands+1)+`"`)},
			step{name: "a file of the server", say: run("{linux}", `"type":3,"cmdpath":"/etc/passwd"`)},
			step{name: "nothing", say: `{"action":"runcommands","nodeids":[],"type":3,"cmds":"ls","responseid":"r"}`},
			step{name: "no text", say: `{"action":"runcommands","nodeids":["{linux}"],"type":3,"cmds":"ls","responseid":7}`, hears: ran(24)},
			step{name: "preset", say: run("{linux}", `"presetcmd":0`), replies: r("OK"), hears: ran(24)},
			step{name: "no preset", say: run("{linux}", `"presetcmd":7`)},
		)
		got := w.agents.take()
		require.Len(t, got, 7)
		require.Contains(t, got[0].message, `"type":3,"cmds":"ls","runAsUser":0,"reply":false`)
		require.Contains(t, got[1].message, `"type":1,"cmds":"dir","runAsUser":2`)
		require.Contains(t, got[2].message, `"responseid":"r"`)
		require.Contains(t, got[4].message, `"action":"msg","type":"console","value":"help"`)
		require.Contains(t, got[5].message, `"responseid":null`)
		require.Contains(t, got[6].message, `"cmds":"uptime"`)
		s.asker = "eve"
		s.run(
			step{say: run("{linux}", `"type":3,"cmds":"ls"`), replies: r("Access denied")},
			step{say: run("{linux}", `"type":4,"cmds":"ls"`), replies: r("Access denied")},
		)
	}, func(c *Config) {
		c.Domains = []Domain{{Scripts: []Script{{Name: "up", Type: controlproto.ShellUnix, Commands: "uptime"}}}}
	})
}
