//go:build !js

package agentproto_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/internal/interop"
)

// TestStockAgentUnderstands asks a stock agent with MeshCentral's core what it can answer on a machine without a screen,
// and wants the answers in the structs made for them, without a field left over.
func TestStockAgentUnderstands(t *testing.T) {
	cores, err := agentproto.LoadCoreSet(interop.AgentsDir(t))
	require.NoError(t, err)
	e := serveNative(t, func(c *agentproto.ServerConfig) { c.Core = cores.ForAgent })
	interop.StartAgent(t, e.msh, interop.AgentOptions{Env: []string{"PATH=" + psOfParent(t) + ":" + os.Getenv("PATH")}})
	user := agentproto.UserContext{SessionID: "user//admin/1", UserID: "user//admin", Username: "admin", Rights: 0xFFFFFFFF}
	route := agentproto.MsgRoute{SessionID: "user//admin/1"}
	tag := json.RawMessage(`{"my":["tag"]}`)
	questions := []agentproto.JSONMessage{
		&agentproto.ServerInfo{AgentSelfGuestSharing: true},
		&agentproto.SetCoreDump{Value: false},
		&agentproto.GetCoreDump{},
		&agentproto.GetErrorLog{},
		&agentproto.ConsoleCommand{Value: "info", UserContext: user},
		&agentproto.GetProcesses{UserContext: user},
		&agentproto.GetProcessInfo{PID: json.RawMessage(`1`), UserContext: user},
		&agentproto.GetCPUInfo{Tag: tag, UserContext: user},
		&agentproto.MsgOpenURL{URL: "about:blank", UserContext: user},
		&agentproto.OpenURL{URL: "about:blank", UserContext: user},
		&agentproto.Toast{Title: "t", Msg: "m", UserContext: user},
		&agentproto.UnknownMessage{Name: "nobody knows this"},
		&agentproto.RunCommands{Type: agentproto.ShellUnix, Cmds: "printf 'Gr\\303\\274\\303\\237e\\n\\033[31m€\\n'", Reply: true, ResponseID: "r1", UserContext: user},
	}

	answers := map[string]agentproto.JSONMessage{
		"CoreDumpStatus": nil, "ErrorLog": nil, "ConsoleOutput": nil, "ProcessList": nil, "ProcessInfo": nil, "CPUInfo": nil,
		"MsgOpenURLResult": nil, "OpenURLResult": nil, "LogEvent": nil, "RunCommandsResult": nil, "NetInfo": nil,
	}
	limit := time.After(agentPatience)
	for missing := len(answers); missing > 0; {
		select {
		case ev := <-e.events:
			require.NoError(t, ev.err)
			// What the agent tells unasked it may tell before.
			if core, ok := ev.event.(agentproto.CoreEvent); ok && core.Phase == agentproto.CoreStable {
				for _, m := range questions {
					require.NoError(t, ev.session.Send(t.Context(), m))
				}
				questions = nil
			}
			if bad, ok := ev.event.(agentproto.BadMessageEvent); ok {
				require.NoError(t, bad.Err)
			}
			msg, ok := ev.event.(agentproto.MessageEvent)
			if !ok {
				continue
			}
			v := reflect.ValueOf(msg.Message).Elem()
			require.Zero(t, v.FieldByName("Extra").Len(), "%s has fields that it does not name: %+v", v.Type().Name(), msg.Message)
			if before, wanted := answers[v.Type().Name()]; wanted && before == nil {
				answers[v.Type().Name()] = msg.Message
				missing--
			}
		case <-limit:
			t.Fatalf("not all answered: %v", answers)
		}
	}

	result := answers["RunCommandsResult"].(*agentproto.RunCommandsResult)
	require.Equal(t, agentproto.AgentText("Grüße\n[31m€\n"), result.Result, "UTF-8, without the escape character")
	require.Equal(t, agentproto.AgentString("r1"), result.ResponseID)
	require.Equal(t, route, result.MsgRoute)

	processes, err := answers["ProcessList"].(*agentproto.ProcessList).Processes()
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(processes), "meshagent")

	load := answers["CPUInfo"].(*agentproto.CPUInfo)
	require.Equal(t, route, load.MsgRoute)
	require.JSONEq(t, string(tag), string(load.Tag))
	require.NotNil(t, load.Memory)
	require.Greater(t, *load.Memory.PercentConsumed, 0.0)

	require.JSONEq(t, `1`, string(answers["ProcessInfo"].(*agentproto.ProcessInfo).PID))
	require.Equal(t, agentproto.AgentString("about:blank"), answers["OpenURLResult"].(*agentproto.OpenURLResult).URL)
	require.NotEmpty(t, answers["NetInfo"].(*agentproto.NetInfo).Interfaces["lo"])
	require.NotEmpty(t, answers["LogEvent"].(*agentproto.LogEvent).Msg)
}

// psOfParent makes a directory with a ps that lists what runs the shell that runs it, and nothing else. The stock agent makes
// JSON of the output of ps with awk; of some command lines, which anything on the machine may have, that is no JSON.
func psOfParent(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("ps")
	require.NoError(t, err)
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\n[ \"$1\" = -e ] && shift\nexec %s \"$@\" -p \"$(%s -o ppid= -p $PPID | tr -d ' ')\"\n", program, program)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ps"), []byte(script), 0o755))
	return dir
}
