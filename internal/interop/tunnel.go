//go:build !js

package interop

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"testing"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// maxTunnelMessage bounds what a device sends at once.
const maxTunnelMessage = 32 << 20

// tunnelTries is how often the agent of a device is asked to come: one whose core has only just been started does not hear
// of it, and the stock server waits 15 seconds.
const tunnelTries = 8

// OpenTunnel has the agent of a device open its end of a tunnel, opens the operator's, and returns it when the two have met:
// options and number are still to be said. It is closed when the test ends.
func (s *Server) OpenTunnel(t testing.TB, control *Control, device string, protocol int) *msgconn.WebSocket {
	t.Helper()
	var err error
	for range tunnelTries {
		var conn *msgconn.WebSocket
		if conn, err = s.tryTunnel(t, control, device, protocol); err == nil {
			t.Cleanup(func() { conn.Close(msgconn.CloseNormal, "") })
			return conn
		}
	}
	t.Fatalf("interop: tunnel: the device did not come: %v", err)
	return nil
}

func (s *Server) tryTunnel(t testing.TB, control *Control, device string, protocol int) (*msgconn.WebSocket, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	control.Send(t, Message{"action": "authcookie"})
	cookies := control.Wait(t, func(m Message) bool { return m["action"] == "authcookie" })
	random := make([]byte, 12)
	_, _ = rand.Read(random)
	id := hex.EncodeToString(random)
	control.Send(t, Message{
		"action": "msg", "type": "tunnel", "nodeid": device, "usage": protocol, "responseid": id,
		"value": fmt.Sprintf("*/meshrelay.ashx?p=%d&nodeid=%s&id=%s&rauth=%v", protocol, device, id, cookies["rcookie"]),
	})
	reply := control.Wait(t, func(m Message) bool { return m["responseid"] == id })
	if reply["result"] != "OK" {
		return nil, fmt.Errorf("the server says %v", reply["result"])
	}
	q := url.Values{
		"browser": {"1"}, "p": {fmt.Sprint(protocol)}, "nodeid": {device}, "id": {id}, "auth": {fmt.Sprint(cookies["cookie"])},
	}
	conn, err := msgconn.Dial(ctx, "wss://"+s.Addr()+"/meshrelay.ashx?"+q.Encode(),
		msgconn.DialOptions{TLSConfig: s.TLSConfig(t), ReadLimit: maxTunnelMessage})
	if err != nil {
		return nil, err
	}
	for {
		typ, b, err := conn.ReadMessage(ctx)
		if err != nil {
			conn.Close(0, "")
			return nil, err
		}
		if typ == msgconn.Text && (string(b) == "c" || string(b) == "cr") {
			return conn, nil
		}
	}
}
