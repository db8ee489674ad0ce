package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// agent is the other end of a tunnel.
type agent struct {
	t    *testing.T
	conn msgconn.Conn
}

// newTunnel makes a tunnel whose other end is served by a function.
func newTunnel(t *testing.T, serve func(a *agent)) *tunnel {
	t.Helper()
	near, far := msgconn.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		serve(&agent{t, far})
	}()
	tun := &tunnel{conn: near}
	t.Cleanup(func() {
		tun.close()
		<-done
	})
	return tun
}

func (a *agent) read() (msgconn.Type, []byte) {
	typ, b, err := a.conn.ReadMessage(context.Background())
	if err != nil {
		return 0, nil
	}
	return typ, bytes.Clone(b)
}

func (a *agent) say(text string) {
	_ = a.conn.WriteMessage(context.Background(), msgconn.Text, []byte(text))
}

func (a *agent) message() (m fileMessage) {
	_, b := a.read()
	_ = json.Unmarshal(b, &m)
	return m
}

func testSession(t *testing.T) *session {
	return &session{app: &app{system: newWorld(t).system}}
}

// noise is content whose blocks begin with every byte, also those that are escaped.
func noise(size int) []byte {
	b := make([]byte, size)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(b)
	for i := 0; i < len(b); i += uploadBlock {
		b[i] = []byte{0, '{', 'x'}[i/uploadBlock%3]
	}
	return b
}

func TestUpload(t *testing.T) {
	for _, size := range []int{0, 1, uploadBlock, 3 * uploadBlock, 40*uploadBlock + 7} {
		content := noise(size)
		var got bytes.Buffer
		most := 0
		tun := newTunnel(t, func(a *agent) {
			m := a.message()
			if m.Action != "upload" || m.Path != "/tmp" || m.Name != "f" || m.Size == nil || *m.Size != int64(size) {
				a.say(`{"action":"uploaderror","reqid":"up"}`)
				return
			}
			a.say(`{"ctrlChannel":"102938","type":"ping"}`)
			a.say(`{"action":"uploadstart","reqid":"up"}`)
			if _, b := a.read(); !strings.Contains(string(b), `"pong"`) {
				return
			}
			waiting := 0
			for got.Len() < size {
				typ, b := a.read()
				if typ != msgconn.Binary {
					return
				}
				if b[0] == 0 {
					b = b[1:]
				} else if b[0] == '{' {
					return
				}
				got.Write(b)
				waiting++
				most = max(most, waiting)
				if waiting == uploadWindow || got.Len() == size {
					for ; waiting > 0; waiting-- {
						a.say(`{"action":"uploadack","reqid":"up"}`)
					}
				}
			}
		})
		require.NoError(t, testSession(t).sendFile(t.Context(), tun, bytes.NewReader(content), "f", "/tmp", int64(size)), size)
		tun.close()
		require.True(t, bytes.Equal(content, got.Bytes()), size)
		require.LessOrEqual(t, most, uploadWindow)
	}
}

func TestUploadRefused(t *testing.T) {
	tun := newTunnel(t, func(a *agent) {
		a.message()
		a.say(`{"action":"uploaderror","reqid":"up"}`)
	})
	err := testSession(t).sendFile(t.Context(), tun, strings.NewReader("x"), "f", "/root", 1)
	require.Equal(t, exitRefused, exitCode(err))
}

func TestDownload(t *testing.T) {
	content := noise(5 * 4096)
	tun := newTunnel(t, func(a *agent) {
		if m := a.message(); m.Sub != "start" || m.Path != "/etc/x" {
			return
		}
		a.say(`{"action":"download","sub":"start","id":"/etc/x"}`)
		if m := a.message(); m.Sub != "startack" || m.ID != "/etc/x" {
			return
		}
		for i := 0; i < len(content); i += 4096 {
			block := append([]byte{1, 0, 0, 0}, content[i:i+4096]...)
			if i+4096 == len(content) {
				block[3] = 1
			}
			_ = a.conn.WriteMessage(context.Background(), msgconn.Binary, block)
			if block[3] == 0 && a.message().Sub != "ack" {
				return
			}
		}
	})
	var got bytes.Buffer
	n, err := testSession(t).receiveFile(t.Context(), tun, &got, "/etc/x")
	require.NoError(t, err)
	require.EqualValues(t, len(content), n)
	require.True(t, bytes.Equal(content, got.Bytes()))

	for answer, code := range map[string]int{`{"action":"download","sub":"cancel"}`: exitRefused, "no": exitRefused} {
		tun := newTunnel(t, func(a *agent) {
			a.message()
			a.say(answer)
		})
		_, err := testSession(t).receiveFile(t.Context(), tun, &got, "/etc/x")
		require.Equal(t, code, exitCode(err), answer)
	}
}

// A tunnel begins when the server says that the agent is there.
func TestTunnelBegins(t *testing.T) {
	tun := newTunnel(t, func(a *agent) {
		a.say("something")
		a.say("cr")
		_, options := a.read()
		_, kind := a.read()
		a.say(string(options) + string(kind))
	})
	require.NoError(t, tun.begin(t.Context(), 1, &controlFrame{Channel: controlChannel, Type: "options", Columns: 80, Rows: 25}))
	require.True(t, tun.recorded)
	b, err := tun.next(t.Context())
	require.NoError(t, err)
	require.Equal(t, `{"ctrlChannel":"102938","type":"options","cols":80,"rows":25}1`, string(b))

	silent := newTunnel(t, func(a *agent) { a.read() })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.Equal(t, exitConnection, exitCode(silent.begin(ctx, 1, nil)))
}

// Names of files come from the command line or the server, and are no paths.
func TestLocalName(t *testing.T) {
	for in, want := range map[string]string{
		"/etc/passwd": "passwd", `C:\dir\a b.txt`: "a b.txt", "plain": "plain", "/dir/": "", "..": "", "../..": "", "a/..": "",
		"x\x1b": "", "C:": "", "": "",
	} {
		require.Equal(t, want, localName(in), in)
	}
	dir := t.TempDir()
	for _, test := range []struct{ file, target, want string }{
		{"/a/b.txt", dir, dir + "/b.txt"},
		{"/a/b.txt", dir + "/new/", dir + "/new/b.txt"},
		{"/a/b.txt", dir + "/c.txt", dir + "/c.txt"},
		{"/a/b.txt", "", "b.txt"},
	} {
		got, err := downloadTarget(test.file, test.target)
		require.NoError(t, err)
		require.Equal(t, test.want, got)
	}
	_, err := downloadTarget("/a/", dir)
	require.ErrorIs(t, err, errUsage)
}
