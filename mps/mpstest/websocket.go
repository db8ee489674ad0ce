package mpstest

import (
	"context"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// channelData is the type byte of the one message that MeshCentral's agent sends as a binary WebSocket message.
const channelData = 94

// webSocketMessage bounds what a server may send in one WebSocket message.
const webSocketMessage = 2 << 20

// textConn writes as MeshCentral's agent does: every message but data as text, each byte one character.
type textConn struct{ msgconn.Conn }

// WriteMessage implements [msgconn.Conn].
func (c textConn) WriteMessage(ctx context.Context, t msgconn.Type, p []byte) error {
	if t != msgconn.Binary || len(p) == 0 || p[0] == channelData {
		return c.Conn.WriteMessage(ctx, t, p)
	}
	text := make([]rune, len(p))
	for i, b := range p {
		text[i] = rune(b)
	}
	return c.Conn.WriteMessage(ctx, msgconn.Text, []byte(string(text)))
}
