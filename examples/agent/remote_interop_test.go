//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/interop"
	"github.com/meshcentral-go/sdk/relay"
	"github.com/meshcentral-go/sdk/relay/desktop"
	"github.com/meshcentral-go/sdk/relay/files"
	"github.com/meshcentral-go/sdk/relay/terminal"
)

// place is a server with this agent, which offers all that it can.
type place struct {
	meshctrl interop.MeshctrlClient
	address  string // wss://HOST:PORT
	tls      *tls.Config
	device   string
	root     string // the folder that it gives away
	dir      string // where the stock client runs
}

// A shell and files of this agent for the stock client and for ours, through a stock server.
func TestStockServerRemote(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral)
	server := interop.StartServer(t, interop.ServerOptions{})
	settings := server.URL() + "/meshsettings?id=" + url.QueryEscape(strings.TrimPrefix(server.CreateGroup(t, "lab"), "mesh//"))
	p := &place{meshctrl: server.MeshctrlClient(), address: "wss://" + server.Addr(), tls: server.TLSConfig(t)}
	p.start(t, "-msh", settings, "-insecure-msh")
	p.test(t)
}

// The same through the server of this module.
func TestOwnServerRemote(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral)
	program := filepath.Join(t.TempDir(), "server")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../server").CombinedOutput()
	require.NoError(t, err, string(out))
	data, at := filepath.Join(t.TempDir(), "data"), fmt.Sprintf("127.0.0.1:%d", interop.FreePort(t))
	server := interop.StartProgram(t, exec.Command(program, "-data", data, "-listen", at, "-admin", interop.User+":"+interop.Password))
	server.WaitLog(t, "Connect the agent of this module")
	p := &place{
		meshctrl: interop.MeshctrlClient{URL: "wss://" + at, User: interop.User, Password: interop.Password},
		address:  "wss://" + at, tls: &tls.Config{InsecureSkipVerify: true},
	}
	p.start(t, "-msh", filepath.Join(data, "default.msh"))
	p.test(t)
}

// start starts the agent and waits until the server lists it.
func (p *place) start(t *testing.T, args ...string) {
	t.Helper()
	p.root, p.dir = t.TempDir(), t.TempDir()
	p.meshctrl.Dir = p.dir
	args = append(args, "-data", filepath.Join(t.TempDir(), "data"), "-log-level", "debug", "-terminal", "-files", p.root, "-desktop", "pattern")
	agent := startProgram(t, buildProgram(t), args...)
	agent.waitLog(t, `msg="logged in"`)
	deadline := time.Now().Add(patience)
	for {
		var devices []interop.Device
		list := p.run(t, "listdevices", "--json")
		if json.Unmarshal([]byte(list), &devices) == nil && len(devices) == 1 && devices[0].Conn == 1 {
			p.device = devices[0].ID
			return
		}
		require.True(t, time.Now().Before(deadline), "the device is not online: %s", list)
	}
}

// run runs the stock client, which has to succeed, and returns what it printed.
func (p *place) run(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := p.meshctrl.Try(ctx, args...)
	require.NoError(t, err, out)
	return out
}

func (p *place) test(t *testing.T) {
	t.Run("meshctrl files", p.stockFiles)
	t.Run("meshctrl shell", p.stockShell)
	login := controlproto.PasswordLogin{User: interop.User, Password: controlproto.NewSecret(interop.Password)}
	client, err := controlproto.Dial(t.Context(), p.address+"/control.ashx", login, operatorConfig(p.tls))
	require.NoError(t, err)
	defer client.Close()
	open := func(t *testing.T, protocol relay.Protocol, options *relay.ControlOptions) *relay.Tunnel {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		tunnel, err := relay.Open(ctx, client, p.device, relay.Options{
			Protocol: protocol, Options: options, Wait: patience, Net: relay.NetOptions{TLS: p.tls},
		})
		require.NoError(t, err)
		return tunnel
	}
	t.Run("shell", func(t *testing.T) {
		shell := terminal.New(open(t, relay.ProtocolTerminal, &relay.ControlOptions{Cols: new(93), Rows: new(27)}), terminal.Config{})
		defer shell.Close()
		_, err := shell.Write([]byte("stty size; echo through$((6*7)); exit\r"))
		require.NoError(t, err)
		output, err := io.ReadAll(shell)
		require.NoError(t, err)
		require.Contains(t, string(output), "27 93")
		require.Contains(t, string(output), "through42")
	})
	t.Run("files", func(t *testing.T) { p.ourFiles(t, files.New(open(t, relay.ProtocolFiles, nil), files.Config{})) })
	t.Run("desktop", func(t *testing.T) { p.ourDesktop(t, open(t, relay.ProtocolDesktop, nil)) })
	t.Run("consent", func(t *testing.T) {
		tunnel := open(t, relay.ProtocolTerminal, &relay.ControlOptions{Consent: askTerminal})
		defer tunnel.Close(1000, "")
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, _, err := tunnel.ReadMessage(ctx)
		require.ErrorIs(t, err, relay.ErrDenied)
		require.ErrorContains(t, err, "the user is to be asked")
	})
}

// stockFiles copies files to this agent and back with the stock client.
func (p *place) stockFiles(t *testing.T) {
	bare := strings.TrimPrefix(p.device, "node//") // the client puts that before it in any case
	for name, size := range map[string]int{"large": 64 << 10, "empty": 0} {
		content := make([]byte, size)
		_, _ = rand.Read(content) // it never fails
		require.NoError(t, os.WriteFile(filepath.Join(p.dir, name), content, 0o600))
		out := p.run(t, "upload", "--id", bare, "--file", name, "--target", "/")
		require.Contains(t, out, fmt.Sprintf("Upload done, %d bytes sent.", size))
		require.Equal(t, sha256.Sum256(content), fileHash(t, filepath.Join(p.root, name)), name)
		out = p.run(t, "download", "--id", bare, "--file", "/"+name, "--target", name+".back")
		require.Contains(t, out, fmt.Sprintf("Download completed, %d bytes written.", size))
		require.Equal(t, sha256.Sum256(content), fileHash(t, filepath.Join(p.dir, name+".back")), name)
	}
}

func fileHash(t *testing.T, name string) [sha256.Size]byte {
	t.Helper()
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	return sha256.Sum256(content)
}

// stockShell types into a shell of this agent with the stock client.
func (p *place) stockShell(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := p.meshctrl.Shell(ctx, strings.TrimPrefix(p.device, "node//"), "echo through$((6*7))", "through42")
	require.NoError(t, err, out)
}

// ourDesktop looks at the test pattern and moves its mouse.
func (p *place) ourDesktop(t *testing.T, tunnel *relay.Tunnel) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	viewer := desktop.NewClient(tunnel, desktop.ClientConfig{ViewerConfig: desktop.ViewerConfig{
		Compression: desktop.Compression{Format: desktop.ImageJPEG, Quality: 90, Scaling: desktop.FullScale, Milliseconds: 50},
	}})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = viewer.Run(ctx) // it ends with the tunnel
	}()
	defer func() {
		require.NoError(t, tunnel.Close(1000, ""))
		<-ended
	}()
	same := func(want *pattern) bool {
		screen, err := want.Capture(ctx, 0)
		require.NoError(t, err)
		return alike(screen.(*image.RGBA), viewer.Snapshot())
	}
	see := func(want *pattern) {
		t.Helper()
		for !same(want) {
			_, err := viewer.Wait(ctx)
			require.NoError(t, err, "the pattern was not seen")
		}
	}
	want := newPattern()
	see(want)
	require.NoError(t, viewer.Move(ctx, 320, 160))
	want.pointer = image.Pt(320, 160)
	see(want)
	require.NoError(t, viewer.Mouse(ctx, desktop.MouseLeftDown, 480, 320))
	want.pointer, want.held = image.Pt(480, 320), true
	see(want)
}

// alike says whether two pictures are the same but for what JPEG loses.
func alike(a, b *image.RGBA) bool {
	if a.Rect != b.Rect {
		return false
	}
	for i := range a.Pix {
		if d := int(a.Pix[i]) - int(b.Pix[i]); d < -24 || d > 24 {
			return false
		}
	}
	return true
}

// ourFiles copies files with our client, which compares hashes too, and does not get out of the folder.
func (p *place) ourFiles(t *testing.T, c *files.Client) {
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, size := range []int{0, 64 << 10, 3_000_000} {
		content := make([]byte, size)
		_, _ = rand.Read(content) // it never fails
		_, err := c.Upload(ctx, bytes.NewReader(content), "/ours", files.UploadOptions{})
		require.NoError(t, err)
		require.Equal(t, sha256.Sum256(content), fileHash(t, filepath.Join(p.root, "ours")))
		var back bytes.Buffer
		result, err := c.Download(ctx, "/ours", &back, files.DownloadOptions{})
		require.NoError(t, err)
		require.NotEmpty(t, result.Hash)
		require.Equal(t, sha256.Sum256(content), sha256.Sum256(back.Bytes()))
	}
	outside := filepath.Join(p.dir, "large")
	require.FileExists(t, outside)
	_, err := c.Download(ctx, outside, io.Discard, files.DownloadOptions{})
	require.Error(t, err)
	_, err = c.Download(ctx, "/../"+filepath.Base(p.dir)+"/large", io.Discard, files.DownloadOptions{})
	require.Error(t, err)
}
