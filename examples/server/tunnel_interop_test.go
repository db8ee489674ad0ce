package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/interop"
	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/relay"
	mcrec "github.com/meshcentral-go/sdk/relay/record"
	"github.com/meshcentral-go/sdk/relay/terminal"
)

// tunnelWorld is this server with a stock native agent.
type tunnelWorld struct {
	*running
	password string
	client   interop.MeshctrlClient
	device   string
	dir      string
}

func newTunnelWorld(t *testing.T, flags ...string) *tunnelWorld {
	t.Helper()
	interop.Require(t, interop.PeerMeshCentral, interop.PeerAgent)
	w := &tunnelWorld{dir: t.TempDir(), password: "Passw0rd!tunnels"}
	w.running = startServer(t, filepath.Join(t.TempDir(), "data"), interop.FreePort(t),
		append(flags, "-core", interop.AgentsDir(t), "-admin", "admin:"+w.password)...)
	w.client = interop.MeshctrlClient{URL: fmt.Sprintf("wss://127.0.0.1:%d", w.port), User: "admin", Password: w.password, Dir: w.dir}
	interop.StartAgent(t, w.msh(t), interop.AgentOptions{})
	w.waitOnline(t, false)
	t.Cleanup(func() {
		if t.Failed() { // listing devices fills the end of the log
			for line := range strings.Lines(w.Log()) {
				if strings.Contains(line, "tunnel") {
					t.Log(line)
				}
			}
		}
	})
	// What a core is sent that does not run yet is lost.
	var devices []interop.Device
	require.Eventually(t, func() bool {
		out, err := w.tryMeshctrl(t, "listdevices", "--json")
		return err == nil && json.Unmarshal([]byte(out), &devices) == nil && len(devices) == 1 && interop.CoreRuns(devices[0])
	}, patience, 100*time.Millisecond)
	w.device = devices[0].ID
	return w
}

// meshctrl runs the stock client, which has to succeed, and returns what it printed.
func (w *tunnelWorld) meshctrl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := w.tryMeshctrl(t, args...)
	require.NoError(t, err, out)
	return out
}

// tryMeshctrl is meshctrl for a call that may fail, and for other goroutines than the test's.
func (w *tunnelWorld) tryMeshctrl(t *testing.T, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience) // some copy a large file
	defer cancel()
	return w.client.Try(ctx, args...)
}

// randomFile makes a file and returns its hash.
func randomFile(t *testing.T, name string, size int64) (hash string) {
	t.Helper()
	f, err := os.Create(name)
	require.NoError(t, err)
	defer f.Close()
	h := sha256.New()
	_, err = io.CopyN(io.MultiWriter(f, h), rand.Reader, size)
	require.NoError(t, err)
	return fmt.Sprintf("%x", h.Sum(nil))
}

func hashOf(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return fmt.Sprintf("%x", h.Sum(nil)), err
}

func fileHash(t *testing.T, name string) string {
	t.Helper()
	hash, err := hashOf(name)
	require.NoError(t, err)
	return hash
}

// waitFile waits until a file has a hash: an agent writes the last of it when it closes it, after the client has gone.
func waitFile(t *testing.T, name, hash string) {
	t.Helper()
	require.Eventually(t, func() bool { got, err := hashOf(name); return err == nil && got == hash }, patience, 50*time.Millisecond, name)
}

// The stock client copies files to and from a stock agent through this server, and opens a shell on it.
func TestStockTunnels(t *testing.T) {
	w := newTunnelWorld(t)
	far := t.TempDir()                             // on the agent's side
	bare := strings.TrimPrefix(w.device, "node//") // the client puts that before it in any case
	for name, size := range map[string]int64{"large": 64 << 20, "empty": 0, "small": 70_001} {
		t.Run(name, func(t *testing.T) {
			sent := randomFile(t, filepath.Join(w.dir, name), size)
			begun := time.Now()
			out := w.meshctrl(t, "upload", "--id", bare, "--file", name, "--target", far)
			require.Contains(t, out, fmt.Sprintf("Upload done, %d bytes sent.", size))
			up := time.Since(begun)
			waitFile(t, filepath.Join(far, name), sent)
			begun = time.Now()
			out = w.meshctrl(t, "download", "--id", bare, "--file", filepath.Join(far, name), "--target", name+".back")
			require.Contains(t, out, fmt.Sprintf("Download completed, %d bytes written.", size))
			require.Equal(t, sent, fileHash(t, filepath.Join(w.dir, name+".back")))
			t.Logf("%d bytes: up in %v, down in %v", size, up.Round(time.Millisecond), time.Since(begun).Round(time.Millisecond))
		})
	}

	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	out, err := w.client.Shell(ctx, bare, "echo through$((6*7))", "through42")
	require.NoError(t, err, out)

	// The log has them all, with what went through.
	require.Eventually(t, func() bool {
		out, err := w.tryMeshctrl(t, "report", "--type", "sessions", "--showtraffic")
		return err == nil && strings.Count(out, w.device+",5,") == 6 && strings.Count(out, w.device+",1,") == 1
	}, patience, 300*time.Millisecond)
	out = w.meshctrl(t, "listevents")
	require.Equal(t, 6, strings.Count(out, "Started file management session"), out)
	require.Equal(t, 6, strings.Count(out, "Ended file management session"), out)
}

// Ports of a device: asked for on the control channel, in the URL of the relay, and with a cookie for one port.
func TestTunnelsToPorts(t *testing.T) {
	w := newTunnelWorld(t)
	address := fmt.Sprintf("wss://127.0.0.1:%d", w.port)
	login := controlproto.PasswordLogin{User: "admin", Password: controlproto.NewSecret(w.password)}
	client, err := controlproto.Dial(t.Context(), address+"/control.ashx", login, controlproto.ClientConfig{TLSConfig: insecure()})
	require.NoError(t, err)
	defer client.Close()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "path "+r.URL.Path) }))
	defer site.Close()
	at, err := url.Parse(site.URL)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()

	get := func(t *testing.T, dial func(ctx context.Context, network, address string) (net.Conn, error)) {
		t.Helper()
		transport := &http.Transport{DialContext: dial}
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, site.URL+"/page", nil)
		require.NoError(t, err)
		resp, err := (&http.Client{Transport: transport}).Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, "path /page", string(text))
	}
	// through opens the operator's end by itself.
	through := func(q relay.Query) func(context.Context, string, string) (net.Conn, error) {
		return func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := msgconn.Dial(ctx, address+"/meshrelay.ashx?"+q.Encode(), msgconn.DialOptions{TLSConfig: insecure(), ReadLimit: 1 << 20})
			if err != nil {
				return nil, err
			}
			_, b, err := conn.ReadMessage(ctx)
			if err != nil {
				return nil, err
			}
			if string(b) != relay.Connected {
				return nil, fmt.Errorf("the server said %q", b)
			}
			return relay.StreamConn(conn, relay.Addr{Node: w.device, Net: "tcp", Address: at.Host}), nil
		}
	}
	port := uint16(site.Listener.Addr().(*net.TCPAddr).Port)

	t.Run("control channel", func(t *testing.T) {
		get(t, (&relay.Dialer{Requester: client, Node: w.device, Options: relay.Options{Net: relay.NetOptions{TLS: insecure()}}}).DialContext)
	})
	cookies, err := controlproto.Do(ctx, client, &controlproto.AuthCookie{})
	require.NoError(t, err)
	t.Run("URL", func(t *testing.T) {
		get(t, through(relay.Query{Browser: true, Node: w.device, TCPPort: port, Auth: relay.NewSecret(cookies.Cookie.Reveal())}))
	})
	t.Run("URL with password", func(t *testing.T) {
		get(t, through(relay.Query{Node: w.device, TCPPort: port, User: "admin", Password: relay.NewSecret(w.password)}))
	})
	narrow, err := controlproto.Do(ctx, client, &controlproto.GetCookie{DeviceID: controlproto.ID(w.device), TCPPort: port})
	require.NoError(t, err)
	t.Run("cookie for a port", func(t *testing.T) {
		get(t, through(relay.Query{Auth: relay.NewSecret(narrow.Cookie.Reveal())}))
	})

	// What is not let in.
	for name, q := range map[string]relay.Query{
		"wrong password":             {Node: w.device, TCPPort: port, User: "admin", Password: relay.NewSecret("wrong")},
		"nothing":                    {Node: w.device, ID: "abcdef"},
		"cookie of a device":         {Node: w.device, TCPPort: port, Auth: relay.NewSecret(cookies.RelayCookie.Reveal())},
		"device without cause":       {Node: w.device, ID: "abcdef", RelayAuth: relay.NewSecret(cookies.RelayCookie.Reveal())},
		"device with another's":      {Node: w.device, ID: "abcdef", RelayAuth: relay.NewSecret(cookies.Cookie.Reveal())},
		"cookie of a port elsewhere": {Node: "node//" + strings.Repeat("a", 64), Auth: relay.NewSecret(narrow.Cookie.Reveal())},
		"device that there is not":   {Node: "node//" + strings.Repeat("a", 64), ID: "abcdef", Auth: relay.NewSecret(cookies.Cookie.Reveal())},
		"no device":                  {TCPPort: port, Auth: relay.NewSecret(cookies.Cookie.Reveal())},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := through(q)(ctx, "", "")
			require.Error(t, err)
		})
	}
	require.NotContains(t, w.Log(), cookies.Cookie.Reveal())
}

// TestRecordings has the server record what stock peers do, of the device group that says so.
func TestRecordings(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "recordings")
	w := newTunnelWorld(t, "-recordings", folder)
	bare, far := strings.TrimPrefix(w.device, "node//"), t.TempDir()
	sent := randomFile(t, filepath.Join(w.dir, "a.bin"), 70_001)
	upload := func() {
		w.meshctrl(t, "upload", "--id", bare, "--file", "a.bin", "--target", far)
		waitFile(t, filepath.Join(far, "a.bin"), sent)
		require.NoError(t, os.Remove(filepath.Join(far, "a.bin")))
	}
	list := func() []string {
		names, err := filepath.Glob(filepath.Join(folder, "*.mcrec"))
		require.NoError(t, err)
		return names
	}
	upload()
	require.Empty(t, list(), "nobody asked for a recording")

	require.Equal(t, "ok", strings.TrimSpace(w.meshctrl(t, "editdevicegroup", "--group", "default", "--flags", "4")))
	upload()
	c, err := controlproto.Dial(t.Context(), w.client.URL, controlproto.PasswordLogin{User: "admin", Password: controlproto.NewSecret(w.password)},
		controlproto.ClientConfig{DangerouslySkipVerify: true})
	require.NoError(t, err)
	defer c.Close()
	var reply *controlproto.RecordingsReply
	require.Eventually(t, func() bool {
		reply, err = controlproto.Do(t.Context(), c, &controlproto.Recordings{})
		return err == nil && len(reply.Recordings) == 1
	}, patience, 100*time.Millisecond)
	files := list()
	require.Len(t, files, 1)
	r := reply.Recordings[0]
	require.Equal(t, filepath.Base(files[0]), r.Filename)
	require.Equal(t, controlproto.ID(w.device), r.DeviceID)

	file, err := os.Open(files[0])
	require.NoError(t, err)
	defer file.Close()
	info, err := file.Stat()
	require.NoError(t, err)
	require.Equal(t, info.Size(), r.Size)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	rec, err := mcrec.NewReader(file, info.Size())
	require.NoError(t, err)
	require.True(t, rec.Complete())
	require.Equal(t, 5, rec.Metadata().Protocol)
	require.Greater(t, info.Size(), int64(70_001), "what was uploaded is in it")
}

// A guest with a link opens a shell of a stock agent, which takes nothing else from him.
func TestStockAgentAndGuests(t *testing.T) {
	w := newTunnelWorld(t)
	c, err := controlproto.Dial(t.Context(), w.client.URL, controlproto.PasswordLogin{User: "admin", Password: controlproto.NewSecret(w.password)},
		controlproto.ClientConfig{TLSConfig: insecure()})
	require.NoError(t, err)
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	link, err := c.ShareDevice(ctx, &controlproto.CreateDeviceShareLink{
		DeviceID: controlproto.ID(w.device), GuestName: "Eve", Kind: controlproto.ShareTerminal, Expire: new(time.Hour),
	})
	require.NoError(t, err)
	transport := &http.Transport{TLSClientConfig: insecure()}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Get(link.URL.Reveal())
	require.NoError(t, err)
	page, err := io.ReadAll(res.Body)
	require.NoError(t, errors.Join(err, res.Body.Close()))
	cookie := cookieInPage.FindStringSubmatch(string(page))
	require.NotNil(t, cookie, string(page))

	open := func() *msgconn.WebSocket {
		conn, err := msgconn.Dial(ctx, w.client.URL+"/meshrelay.ashx?browser=1&p=1&auth="+html.UnescapeString(cookie[1]),
			msgconn.DialOptions{TLSConfig: insecure(), ReadLimit: 1 << 20})
		require.NoError(t, err)
		_, b, err := conn.ReadMessage(ctx)
		require.NoError(t, err)
		require.Equal(t, relay.Connected, string(b))
		return conn
	}
	shell, err := terminal.Open(ctx, open(), terminal.System, nil, terminal.Config{})
	require.NoError(t, err)
	defer shell.Close()
	_, err = shell.Write([]byte("echo guest$((6*7)); exit\r"))
	require.NoError(t, err)
	out, err := io.ReadAll(shell)
	require.NoError(t, err)
	require.Contains(t, string(out), "guest42")

	// Another protocol in the tunnel than in its URL: the stock agent goes on waiting for one that it may start.
	conn := open()
	defer conn.Close(msgconn.CloseNormal, "")
	require.NoError(t, conn.WriteMessage(ctx, msgconn.Text, []byte("5")))
	require.NoError(t, conn.WriteMessage(ctx, msgconn.Text, []byte(`{"action":"ls","reqid":1,"path":"/"}`)))
	require.NoError(t, conn.WriteMessage(ctx, msgconn.Text, []byte(`{"ctrlChannel":"102938","type":"rtt","time":1}`)))
	_, b, err := conn.ReadMessage(ctx)
	require.NoError(t, err)
	require.Contains(t, string(b), `"rtt"`, "and not the files")
}
