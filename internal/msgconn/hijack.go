//go:build !js

package msgconn

import (
	"fmt"
	"net"
	"net/http"

	"github.com/gorilla/websocket"
)

// Hijack turns an HTTP request into a WebSocket and hands the connection over bare, with nothing read after the request:
// the caller speaks in frames. On failure it has already answered the request.
func Hijack(w http.ResponseWriter, r *http.Request, o UpgradeOptions) (net.Conn, error) {
	u := websocket.Upgrader{
		ReadBufferSize: readBufferSize, WriteBufferSize: writeBufferSize, WriteBufferPool: &buffers.write,
		CheckOrigin: o.CheckOrigin,
	}
	// What a client sends before the handshake is over makes this fail, so nothing is left in its buffers.
	ws, err := u.Upgrade(w, r, nil)
	if err != nil {
		return nil, fmt.Errorf("msgconn: upgrade: %w", err)
	}
	return ws.NetConn(), nil
}
