package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// tunnel is a connection through the server to an agent.
type tunnel struct {
	conn     msgconn.Conn
	recorded bool
}

// maxFrame bounds what a device sends at once.
const maxFrame = 1 << 20

// openTunnel opens both ends of a tunnel and says what is to go through it, after options if there are any.
func (s *session) openTunnel(ctx context.Context, device controlproto.ID, kind controlproto.TunnelKind, options *controlFrame) (*tunnel, error) {
	url, err := s.client.OpenTunnel(ctx, device, kind)
	if err != nil {
		return nil, err
	}
	wait, cancel := context.WithTimeout(ctx, s.flags.wait)
	defer cancel()
	conn, err := msgconn.Dial(wait, url.Reveal(), msgconn.DialOptions{TLSConfig: s.tls, Proxy: s.proxy, ReadLimit: maxFrame})
	if err != nil {
		return nil, fmt.Errorf("tunnel: %w", err)
	}
	t := &tunnel{conn: conn}
	if err := t.begin(wait, kind, options); err != nil {
		t.close()
		return nil, err
	}
	if t.recorded {
		s.note("this session is recorded by the server")
	}
	return t, nil
}

// begin waits until the agent is there: the server says "c", or "cr" if it records.
func (t *tunnel) begin(ctx context.Context, kind controlproto.TunnelKind, options *controlFrame) error {
	for {
		typ, b, err := t.conn.ReadMessage(ctx)
		if err != nil {
			return fmt.Errorf("tunnel: the device did not come: %w", errors.Join(controlproto.ErrNoReply, err))
		}
		if text := string(b); typ == msgconn.Text && (text == "c" || text == "cr") {
			t.recorded = text == "cr"
			break
		}
	}
	if options != nil {
		if err := t.sendJSON(ctx, options); err != nil {
			return err
		}
	}
	return t.conn.WriteMessage(ctx, msgconn.Text, []byte(strconv.Itoa(int(kind))))
}

func (t *tunnel) sendJSON(ctx context.Context, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return t.conn.WriteMessage(ctx, msgconn.Text, b)
}

// controlFrame is a message of the tunnel itself, between those of what goes through it.
type controlFrame struct {
	Channel string `json:"ctrlChannel"`
	Type    string `json:"type"`
	Columns int    `json:"cols,omitempty"`
	Rows    int    `json:"rows,omitempty"`
}

// controlChannel marks control frames.
const controlChannel = "102938"

// next reads the next message that is not one of the tunnel itself. It is valid until the next call.
func (t *tunnel) next(ctx context.Context) ([]byte, error) {
	for {
		typ, b, err := t.conn.ReadMessage(ctx)
		if err != nil {
			return nil, err
		}
		var frame controlFrame
		if typ != msgconn.Text || len(b) == 0 || b[0] != '{' || json.Unmarshal(b, &frame) != nil || frame.Channel != controlChannel {
			return b, nil
		}
		if frame.Type == "ping" {
			if err := t.sendJSON(ctx, controlFrame{Channel: controlChannel, Type: "pong"}); err != nil {
				return nil, err
			}
		}
	}
}

func (t *tunnel) close() { _ = t.conn.Close(msgconn.CloseNormal, "") }
