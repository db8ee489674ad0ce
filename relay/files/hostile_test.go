package files

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// device is a hand-made device: f answers each message that comes.
func device(t *testing.T, cfg Config, f func(m Message, say func(Message))) (*Client, *msgconn.PipeConn) {
	t.Helper()
	a, b := msgconn.Pipe()
	c := New(a, cfg)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			typ, p, err := b.ReadMessage(context.Background())
			if err != nil {
				return
			}
			m, err := ParseRequest(typ, p, true)
			if err != nil {
				continue
			}
			f(m, func(m Message) {
				typ, p, err := Append(nil, m)
				if err == nil {
					_ = b.WriteMessage(context.Background(), typ, p)
				}
			})
		}
	}()
	t.Cleanup(func() {
		c.Close()
		<-ended
	})
	return c, b
}

func TestSilentDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := device(t, Config{}, func(Message, func(Message)) {})
		start := time.Now()
		_, err := c.List(t.Context(), "/")
		require.ErrorIs(t, err, ErrTimeout)
		var ne net.Error
		require.ErrorAs(t, err, &ne)
		require.True(t, ne.Timeout())
		require.Equal(t, defaultTimeout, time.Since(start))
		_, err = c.Upload(t.Context(), strings.NewReader("x"), "/a", UploadOptions{})
		require.ErrorIs(t, err, ErrTimeout)
		_, err = c.Download(t.Context(), "/a", io.Discard, DownloadOptions{})
		require.ErrorIs(t, err, ErrTimeout)
		for _, err := range c.Find(t.Context(), "/", "*") {
			require.ErrorIs(t, err, ErrTimeout)
		}
		require.ErrorIs(t, c.Zip(t.Context(), "/", []string{"a"}, "b", nil), ErrTimeout)
		require.Less(t, time.Since(start), 6*defaultTimeout)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = c.List(ctx, "/")
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// A transfer goes on as long as something comes, and stops when nothing does any more.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blocks := 0
		c, _ := device(t, Config{Timeout: time.Minute}, func(m Message, say func(Message)) {
			d, ok := m.(*Download)
			switch {
			case !ok || blocks == 5:
			case d.Step == DownloadStart:
				say(d)
			case d.Step == DownloadStartAck || d.Step == DownloadAck:
				time.Sleep(50 * time.Second)
				blocks++
				say(Block{Data: make([]byte, MaxBlock)})
			}
		})
		start := time.Now()
		_, err := c.Download(t.Context(), "/a", io.Discard, DownloadOptions{Window: 1})
		require.ErrorIs(t, err, ErrTimeout)
		require.GreaterOrEqual(t, time.Since(start), 5*50*time.Second+time.Minute)
	})
}

// What is said on behalf of a call that has ended gets through, however long the device takes nothing, and after all that the
// call has said before.
func TestLastWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		told := make(chan struct{})
		c, _ := device(t, Config{}, func(m Message, say func(Message)) {
			got = append(got, fmt.Sprintf("%T", m))
			switch m := m.(type) {
			case *Upload:
				say(&UploadStart{RequestID: m.RequestID})
			case Chunk:
				if len(got) == 2 {
					time.Sleep(time.Hour)
				}
			case *UploadCancel:
				close(told)
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		_, err := c.Upload(ctx, strings.NewReader(strings.Repeat("x", 1000)), "/a", UploadOptions{BlockSize: 1, Window: 100})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(start))
		<-told
		require.Equal(t, time.Hour, time.Since(start))
		// Under way were what the pipe holds, what waits behind it, and one that the device and one that the writer has.
		require.Len(t, got, 1+16+maxQueued+2+1)
	})
}

// A device is not told to stop what it was never asked for, however often that is tried, and is told to stop what it has not
// answered yet.
func TestLastWordsFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		c, _ := device(t, Config{}, func(m Message, _ func(Message)) { got = append(got, fmt.Sprintf("%T", m)) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for range maxQueued { // as if the tunnel was slow
			c.out.room <- struct{}{}
		}
		for _, err := range c.Find(ctx, "/", "*") {
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		for range maxQueued {
			<-c.out.room
		}
		synctest.Wait()
		require.Empty(t, got)

		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, c.Zip(ctx, "/", []string{"a"}, "b", nil), context.DeadlineExceeded)
		synctest.Wait()
		require.Equal(t, []string{"*files.Zip", "*files.List", "*files.Cancel"}, got)
	})
}

func TestLyingDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, test := range map[string]struct {
			answer func(m Message, say func(Message))
			do     func(*Client) error
			want   error
		}{
			"another hash": {
				func(m Message, say func(Message)) {
					switch m := m.(type) {
					case *Download:
						if m.Step == DownloadStart {
							say(m)
						} else if m.Step == DownloadStartAck {
							say(Block{Last: true, Data: []byte("x")})
						}
					case *UploadHash:
						h := "00"
						say(&Hash{RequestID: m.RequestID, Path: m.Path, Hash: &h})
					}
				},
				func(c *Client) error {
					_, err := c.Download(t.Context(), "/a", io.Discard, DownloadOptions{})
					return err
				}, ErrHash,
			},
			"more blocks than asked for": {
				func(m Message, say func(Message)) {
					if m, ok := m.(*Download); ok && m.Step == DownloadStart {
						say(m)
						for range 100 {
							say(Block{Data: []byte("x")})
						}
					}
				},
				func(c *Client) error {
					_, err := c.Download(t.Context(), "/a", io.Discard, DownloadOptions{Window: 1})
					return err
				}, ErrProtocol,
			},
			"acknowledgements for nothing": {
				func(m Message, say func(Message)) {
					if m, ok := m.(*Upload); ok {
						say(&UploadStart{RequestID: m.RequestID})
						for range 200 { // more than there are blocks, however they are paced
							say(&UploadAck{RequestID: m.RequestID})
						}
					}
				},
				func(c *Client) error {
					_, err := c.Upload(t.Context(), strings.NewReader(strings.Repeat("x", 1000)), "/a", UploadOptions{BlockSize: 10, Window: 4})
					return err
				}, ErrProtocol,
			},
			"another's answers": {
				func(m Message, say func(Message)) {
					say(&Listing{Path: "/", Dir: []Entry{{Name: "x"}}, RequestID: TextID("else")})
					say(&UploadError{})
					say(&Found{RequestID: TextID("else")})
					say(&Dialog{})
					say(&Unknown{Name: "new"})
					say(Block{Data: []byte("x")})
				},
				func(c *Client) error {
					_, err := c.List(t.Context(), "/")
					return err
				}, ErrTimeout,
			},
			"no folder": {
				func(m Message, say func(Message)) {
					if m, ok := m.(*List); ok {
						say(&Listing{Path: "/", RequestID: m.RequestID})
					}
				},
				func(c *Client) error {
					_, err := c.List(t.Context(), "/")
					return err
				}, fs.ErrNotExist,
			},
		} {
			c, _ := device(t, Config{}, test.answer)
			require.ErrorIs(t, test.do(c), test.want, name)
		}
	})
}

// The end of the tunnel ends every call, with the device's words if there were some.
func TestTunnelEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		c, b := device(t, Config{OnConsole: func(s string) { lines = append(lines, s) }}, func(Message, func(Message)) {})
		errs := make(chan error)
		go func() { _, err := c.List(t.Context(), "/"); errs <- err }()
		go func() {
			_, err := c.Download(t.Context(), "/", io.Discard, DownloadOptions{})
			errs <- err
		}()
		go func() {
			_, err := c.Upload(t.Context(), strings.NewReader("x"), "/", UploadOptions{})
			errs <- err
		}()
		go func() { errs <- c.Unzip(t.Context(), "/a", "/") }()
		synctest.Wait()
		for _, line := range []string{
			`{"ctrlChannel":"102938","type":"ping"}`,
			`{"ctrlChannel":"102938","type":"console","msg":"Waiting","msgid":1}`,
			`{"ctrlChannel":"102938","type":"console","msg":"Denied","msgid":2}`,
		} {
			require.NoError(t, b.WriteMessage(t.Context(), Text, []byte(line)))
		}
		synctest.Wait() // the words are read before a call can notice the end by itself
		b.Close(msgconn.CloseNormal, "")
		for range 4 {
			err := <-errs
			require.ErrorIs(t, err, ErrRefused)
			require.ErrorIs(t, err, net.ErrClosed)
			require.ErrorContains(t, err, "Denied")
		}
		require.Equal(t, []string{"Waiting", "Denied"}, lines)
		_, err := c.List(t.Context(), "/")
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

// FuzzServe says all kinds of things to a device: it must neither fail, nor touch what is outside.
func FuzzServe(f *testing.F) {
	f.Add([]byte("t{\"action\":\"upload\",\"reqid\":1,\"path\":\"/f\"}\nb\x00{\nt{\"action\":\"uploaddone\"}"))
	f.Add([]byte("t{\"action\":\"download\",\"sub\":\"start\",\"id\":1,\"path\":\"/f\"}\nt{\"action\":\"download\",\"sub\":\"startack\",\"id\":1,\"ack\":99}"))
	f.Add([]byte("t{\"action\":\"rm\",\"path\":\"/..\",\"delfiles\":[\"..\"],\"rec\":true}\nt{\"action\":\"zip\",\"path\":\"/\",\"files\":[\"f\"],\"output\":\"z\"}\nt{\"action\":\"cancel\"}"))
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > maxMessage/4 {
			return // a message that is too large is an error; and it would take long
		}
		outer := t.TempDir()
		require.NoError(t, os.WriteFile(outer+"/secret", []byte("secret"), 0o600))
		require.NoError(t, os.Mkdir(outer+"/served", 0o700))
		require.NoError(t, os.WriteFile(outer+"/served/f", []byte("file"), 0o600))
		root, err := os.OpenRoot(outer + "/served")
		require.NoError(t, err)
		defer root.Close()
		a, b := msgconn.Pipe()
		done := make(chan error, 1)
		go func() { done <- Serve(context.Background(), b, ServeConfig{Root: root, MaxUnzip: 1 << 20}) }()
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			for {
				typ, p, err := a.ReadMessage(context.Background())
				if err != nil {
					return
				}
				if _, err := ParseReply(typ, p); err != nil {
					t.Errorf("the device says %q: %v", p, err)
				}
			}
		}()
		for line := range strings.SplitSeq(string(script), "\n") {
			if line == "" {
				continue
			}
			typ := Binary
			if line[0] == 't' {
				typ = Text
			}
			if a.WriteMessage(context.Background(), typ, []byte(line[1:])) != nil {
				break // it was told to close
			}
		}
		a.Close(msgconn.CloseNormal, "")
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		<-drained
		entries, err := os.ReadDir(outer)
		if err != nil || len(entries) != 2 {
			t.Errorf("outside are %v: %v", entries, err)
		}
	})
}
