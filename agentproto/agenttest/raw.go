package agenttest

import (
	"context"
	"fmt"
	"slices"

	"github.com/meshcentral-go/sdk/agentproto"
)

// Raw is a connection to a server on which nothing has been said, to say anything on.
type Raw struct {
	// Conn is the connection.
	Conn agentproto.Conn
	// WebHash is the hash of the certificate at its other end.
	WebHash agentproto.Hash

	agent *Agent
}

// Raw connects without a login. The caller closes the connection.
func (a *Agent) Raw(ctx context.Context) (*Raw, error) {
	conn, web, err := a.client.Connect(ctx, a.cfg.Servers[0].URL)
	if err != nil {
		return nil, fmt.Errorf("agenttest: %w", err)
	}
	return &Raw{Conn: conn, WebHash: web, agent: a}, nil
}

// Send sends messages as they are: what begins with a brace as text, as agents send JSON, anything else as binary.
func (r *Raw) Send(ctx context.Context, msgs ...[]byte) error {
	for _, m := range msgs {
		typ := agentproto.BinaryMessage
		if agentproto.IsJSON(m) {
			typ = agentproto.TextMessage
		}
		if err := r.Conn.WriteMessage(ctx, typ, m); err != nil {
			return err
		}
	}
	return nil
}

// Receive returns the next message. A ctx that ends, ends the connection.
func (r *Raw) Receive(ctx context.Context) ([]byte, error) {
	_, msg, err := r.Conn.ReadMessage(ctx)
	return slices.Clone(msg), err
}

// Close drops the connection.
func (r *Raw) Close() { _ = r.Conn.Close(0, "") }

// Login logs in as the agent would, but for what change does: every message that is about to be sent goes through it, in
// the login and after, and what it returns is sent instead: the message, another one, several, none. The caller receives
// from the session.
func (r *Raw) Login(ctx context.Context, change func(msg []byte) [][]byte) (*agentproto.ClientSession, error) {
	return r.agent.client.Handshake(ctx, &changedConn{r.Conn, r, change}, r.agent.cfg.Servers[0], r.WebHash)
}

// changedConn sends what change makes of messages.
type changedConn struct {
	agentproto.Conn
	raw    *Raw
	change func(msg []byte) [][]byte
}

// WriteMessage implements [agentproto.Conn].
func (c *changedConn) WriteMessage(ctx context.Context, _ agentproto.MessageType, p []byte) error {
	return c.raw.Send(ctx, c.change(p)...)
}
