package main

import (
	"context"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controltest"
)

// The exit code tells what happened.
func TestExitCodes(t *testing.T) {
	s := furnished(t)
	s.RequireCode(s.AddUser("otp", "pw", 0), "123456", controlproto.Factors{Email: true})
	s.Refuse("deletemesh", "Access denied")
	s.Silent("editmesh")
	pin := pinOf(s.Certificate().Raw)
	for _, test := range []struct {
		args string
		code int
		text string
	}{
		{"userinfo", exitDone, ""},
		{"userinfo --loginuser otp --loginpass pw --token 123456", exitDone, ""},
		{"listdevices --group lab --count", exitDone, ""},

		{"removedevicegroup --group lab", exitRefused, "Access denied"},
		{"removedevicegroup --group nowhere", exitRefused, `no device group "nowhere"`},
		{"userinfo --loginpass wrong", exitRefused, "noauth"},
		{"userinfo --loginuser otp --loginpass pw", exitRefused, "second factor"},
		{"userinfo --loginuser otp --loginpass pw --token email", exitRefused, "sent by e-mail"},
		{"userinfo --loginpass wrong", exitRefused, "or the account is locked"},
		{"adduser --user x --pass Passw0rd!x --rights full --domain other", exitRefused, `no other domain "other"`},
		{"addusergroup --name x --domain other", exitRefused, `no other domain "other"`},
		{"devicesharing --id pc1 --remove nothing", exitRefused, "no sharing link"},

		{"", exitDone, ""},
		{"nothing", exitUsage, "unknown command"},
		{"userinfo more", exitUsage, "unknown command"},
		{"userinfo --nothing", exitUsage, "unknown flag"},
		{"userinfo --csv", exitUsage, "--csv is for listings"},
		{"runcommand --id pc1 --run ls --csv", exitUsage, "--csv is for listings"},
		{"listdevices --csv --json", exitUsage, "exclude each other"},
		{"listdevices --csv --json --url wss://127.0.0.1:1", exitUsage, "exclude each other"},
		{"help nothing", exitUsage, `no help about "nothing"`},
		{"help profile", exitDone, ""},
		{"help profile list", exitDone, ""},
		{"listdevices --filter wsc:what", exitUsage, "wsc"},
		{"editdevice --id pc1", exitUsage, "at least one of the flags"},
		{"editdevice --name x", exitUsage, `"id" not set`},
		{"editdevice --id pc1 --icon 9", exitUsage, "1 to 8"},
		{"devicepower --id pc1", exitUsage, "at least one"},
		{"devicepower --id pc1 --off --reset", exitUsage, "none of the others can be"},
		{"report --type nothing", exitUsage, "--type must be"},
		{"report --type db --start 2026-11-24", exitUsage, "after start"},
		{"shell --id pc1", exitUsage, "needs a terminal"},
		{"upload --id pc1 --file missing --target /tmp", exitUsage, "missing"},
		{"userinfo --pin 00", exitUsage, "hexadecimal"},
		{"userinfo --loginkey " + strings.Repeat("x", 160), exitUsage, "login key"},
		{"userinfo --loginkeyfile missing", exitUsage, "login key file"},
		{"userinfo --loginuser user//admin", exitUsage, "not the id"},
		{"userinfo --proxy nothing", exitUsage, "--proxy"},
		{"userinfo --profile nothing", exitUsage, "no profile"},
		{"userinfo --wait 0s", exitUsage, "--wait"},
		{"config --show --file missing", exitUsage, "missing"},

		{"userinfo --url wss://127.0.0.1:1", exitConnection, "refused"},
		{"userinfo --pin " + strings.Repeat("00", 48), exitConnection, "somebody is between"},
		{"editdevicegroup --group lab --name x --wait 100ms", exitConnection, "no reply"},
		{"userinfo --url ws://192.0.2.1", exitConnection, "ws URL"},
	} {
		w := on(t, s)
		code, _, stderr := w.run(t.Context(), strings.Fields(test.args)...)
		require.Equal(t, test.code, code, "%s: %s", test.args, stderr)
		if test.text == "" {
			require.Empty(t, stderr, test.args)
		} else {
			require.Contains(t, stderr, "meshctl: ", test.args)
			require.Contains(t, stderr, test.text, test.args)
		}
	}

	// A certificate that is not trusted is told with its hash.
	w := on(t, s)
	w.env["MESHCTL_PIN"] = ""
	code, _, stderr := w.run(t.Context(), "userinfo")
	require.Equal(t, exitConnection, code)
	require.Contains(t, stderr, pin)
	code, _, stderr = w.run(t.Context(), "userinfo", "--insecure-skip-verify")
	require.Equal(t, exitDone, code, stderr)
}

// fullDisk is an output that takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) {
	return 0, &fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}
}

// That the output cannot be written is no matter of the connection.
func TestOutputThatFails(t *testing.T) {
	s := furnished(t)
	for _, flag := range []string{"--json", "--csv", "--json=false"} {
		w := on(t, s)
		w.out = fullDisk{}
		code, _, stderr := w.run(t.Context(), "listdevices", flag)
		require.Equal(t, exitRefused, code)
		require.Contains(t, stderr, "/dev/stdout")
	}
}

// A server tells in its own words why it ends a connection; a person is told what to do.
func TestHints(t *testing.T) {
	for text, closed := range map[string]controlproto.CloseError{
		"?key=":          {Cause: controlproto.CloseNoAuth, Msg: controlproto.CloseMsgNoKey},
		"no such domain": {Cause: controlproto.CloseNoAuth, Msg: controlproto.CloseMsgNoDomain},
		"Try again":      {Cause: controlproto.CloseBanned, Msg: controlproto.CloseMsgBanned},
		"locked":         {Cause: controlproto.CloseNoAuth, Msg: controlproto.CloseMsgBadHeader},
	} {
		err := &controlproto.ClientError{Phase: controlproto.PhaseAuth, Err: &closed}
		require.Contains(t, explain(err), text)
		require.Equal(t, exitRefused, exitCode(err))
	}
}

// A connection that ends, and a user who does.
func TestInterrupted(t *testing.T) {
	s := furnished(t)
	s.Silent("editmesh")
	for name, test := range map[string]struct {
		end  func(cancel func())
		code int
	}{
		"signal": {func(cancel func()) { cancel() }, exitInterrupted},
		"cut":    {func(func()) { s.CutConnections() }, exitConnection},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		before := len(s.Requests("editmesh"))
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if _, err := s.WaitRequests(ctx, "editmesh", before+1); err == nil {
				test.end(cancel)
			}
		}()
		code, _, stderr := on(t, s).run(ctx, "editdevicegroup", "--group", "lab", "--name", "x")
		cancel()
		<-ended // or it would cut the next connection
		require.Equal(t, test.code, code, "%s: %s", name, stderr)
	}
}

// The end of a wait for devices is no error of one of them.
func TestInterruptedCommand(t *testing.T) {
	s := furnished(t)
	s.Silent("runcommands")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		if _, err := s.WaitRequests(ctx, "runcommands", 1); err == nil {
			cancel()
		}
	}()
	code, _, stderr := on(t, s).run(ctx, "runcommand", "--id", "pc1,pc2", "--run", "sleep 9", "--reply")
	require.Equal(t, exitInterrupted, code)
	require.NotContains(t, stderr, `""`)
	require.Contains(t, stderr, "meshctl: request")
}

// Events are shown until the signal, which is no failure.
func TestShowEvents(t *testing.T) {
	s := furnished(t)
	for want, flag := range map[string]string{"\n  \"action\": \"event\",": "--json=false", `{"action":"event","event":{`: "--json"} {
		text := showEvents(t, s, "--filter", "changenode,nodeconnect", flag)
		require.Contains(t, text, want)
		require.NotContains(t, text, "other")
	}
}

// showEvents runs the verb until it has shown an event about pc1, and returns what it printed.
func showEvents(t *testing.T, s *controltest.Server, args ...string) string {
	t.Helper()
	w := on(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), busyTime)
	defer cancel()
	seen := &watched{want: `"pc1"`, found: cancel}
	w.out = seen
	w.err = &watched{want: "Connected", found: func() {
		_ = s.PushEvent(controlproto.Event{Type: "node", Action: "other"})
		_ = s.PushEvent(controlproto.Event{Type: "node", Action: "changenode", Msg: "pc1"})
	}}
	require.Equal(t, exitDone, run(ctx, append([]string{"showevents"}, args...), w.system))
	require.ErrorIs(t, ctx.Err(), context.Canceled)
	return seen.text
}

// watched calls a function when a text was written.
type watched struct {
	text, want string
	found      func()
}

func (w *watched) Write(b []byte) (int, error) {
	had := strings.Contains(w.text, w.want)
	w.text += string(b)
	if !had && strings.Contains(w.text, w.want) {
		w.found()
	}
	return len(b), nil
}

// Neither output nor errors show what is secret, whatever goes wrong.
func TestSecretsAreNotPrinted(t *testing.T) {
	s := controltest.NewServer(t)
	const secret = "Sesame0pen"
	for _, args := range [][]string{
		{"userinfo"},
		{"userinfo", "--loginpass", secret},
		{"userinfo", "--token", secret},
		{"userinfo", "--loginkey", secret},
		{"userinfo", "--loginkey", strings.Repeat(secret, 16)},
		{"userinfo", "--loginkeyfile", write(t, "key", secret, 0o600)},
		{"userinfo", "--url", s.URL + "?key=" + secret},
		{"userinfo", "--url", "wss://127.0.0.1:1?key=" + secret},
		{"userinfo", "--url", "wss://admin:" + secret + "@127.0.0.1:1"},
		{"userinfo", "--url", "wss://127.0.0.1:1/%zz?key=" + secret},
		{"userinfo", "--proxy", "http://x:" + secret + "@"},
		{"serverinfo"},
		{"adduser", "--user", "bob", "--pass", secret},
		{"profile", "set", "x", "--url", "wss://h?key=" + secret, "--loginuser", "~t:a", "--loginpass", secret},
		{"profile", "list", "--json"},
		{"userinfo", "--profile", "x"},
	} {
		for _, extra := range [][]string{nil, {"--nothing"}, {"--wait", "2s"}} {
			w := on(t, s)
			w.env["MESHCTL_PASSWORD"] = secret
			_, stdout, stderr := w.run(t.Context(), append(args[:len(args):len(args)], extra...)...)
			require.NotContains(t, stdout+stderr, secret, "%v", args)
		}
	}
}

// A password is asked for when it is empty, and only then.
func TestAskPassword(t *testing.T) {
	s := controltest.NewServer(t)
	w := on(t, s)
	w.env["MESHCTL_PASSWORD"] = ""
	code, _, stderr := w.run(t.Context(), "userinfo")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "no password")

	w.inTerminal, w.answer = true, controltest.Password
	w.ok(t, "userinfo")
	w.ok(t, "userinfo", "--loginpass")
	require.Equal(t, []string{"Password of admin: ", "Password of admin: "}, w.asked)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.answer = ""
	code, _, _ = w.run(ctx, "userinfo")
	require.Equal(t, exitInterrupted, code)

	w = on(t, s)
	w.reads(strings.NewReader(controltest.Password + "\r\nnext"))
	w.ok(t, "userinfo", "--loginpass")
	rest, _ := w.in.ReadString(0)
	require.Equal(t, "next", rest)
}
