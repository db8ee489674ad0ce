//go:build linux

package main

import (
	"context"
	"image"
	"image/color"
	"image/draw"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/examples/agent/x11/x11test"
	"github.com/meshcentral-go/sdk/internal/interop"
	"github.com/meshcentral-go/sdk/relay"
	"github.com/meshcentral-go/sdk/relay/desktop"
)

// An X display is seen and used through a stock server, and the tunnel ends with the display.
func TestStockServerX11(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral)
	x := x11test.StartX(t, "800x608x24")
	window := x11test.Open(t, 320, 192)
	server := interop.StartServer(t, interop.ServerOptions{})
	settings := server.URL() + "/meshsettings?id=" + url.QueryEscape(strings.TrimPrefix(server.CreateGroup(t, "lab"), "mesh//"))
	agent := startProgram(t, buildProgram(t), "-msh", settings, "-insecure-msh", "-data", filepath.Join(t.TempDir(), "data"), "-desktop", "auto")
	device := server.WaitDevice(t, interop.Online)

	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	login := controlproto.PasswordLogin{User: interop.User, Password: controlproto.NewSecret(interop.Password)}
	client, err := controlproto.Dial(ctx, "wss://"+server.Addr(), login, operatorConfig(server.TLSConfig(t)))
	require.NoError(t, err)
	defer client.Close()
	open := func() *relay.Tunnel {
		tunnel, err := relay.Open(ctx, client, device.ID, relay.Options{
			Protocol: relay.ProtocolDesktop, Wait: patience, Net: relay.NetOptions{TLS: server.TLSConfig(t)},
		})
		require.NoError(t, err)
		return tunnel
	}
	viewer := desktop.NewClient(open(), desktop.ClientConfig{ViewerConfig: desktop.ViewerConfig{
		Compression: desktop.Compression{Format: desktop.ImageJPEG, Quality: 90, Scaling: desktop.FullScale, Milliseconds: 50},
	}})
	ended := make(chan error, 1)
	go func() { ended <- viewer.Run(ctx) }()
	want := image.NewRGBA(image.Rect(0, 0, 800, 608))
	draw.Draw(want, want.Rect, image.Black, image.Point{}, draw.Src)
	draw.Draw(want, image.Rect(0, 0, 320, 192), image.NewUniform(color.RGBA{255, 0, 0, 255}), image.Point{}, draw.Src)
	for !alike(want, viewer.Snapshot()) {
		_, err := viewer.Wait(ctx)
		require.NoError(t, err, "the display was not seen")
	}

	require.NoError(t, viewer.Click(ctx, 100, 50))
	require.NoError(t, viewer.Press(ctx, 'Q'))
	require.NoError(t, viewer.Type(ctx, "ж"))
	for _, want := range []string{
		"button 1 at 100,50", "button 1 released at 100,50", "key 0x71", "release 0x71", "key 0x1000436", "release 0x1000436",
	} {
		select {
		case got := <-window.Events:
			require.Equal(t, want, got)
		case <-ctx.Done():
			require.FailNow(t, "nothing happened", "instead of %s", want)
		}
	}

	// A viewer who has paused would not notice by the picture.
	require.NoError(t, viewer.Send(ctx, desktop.Pause{Paused: true}))
	x.Stop()
	require.Error(t, <-ended)
	require.NoError(t, ctx.Err())
	agent.waitLog(t, "x11: the X server has gone")
	tunnel := open()
	defer tunnel.Close(1000, "")
	for err == nil {
		_, _, err = tunnel.ReadMessage(ctx)
	}
	require.ErrorIs(t, err, relay.ErrDenied)
	require.ErrorContains(t, err, "display of the device can not be opened")
	agent.waitLog(t, "x11: connect: ")
}
