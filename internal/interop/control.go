package interop

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// Message is one JSON message of the control channel.
type Message = map[string]any

// Control is a raw administrator's session on the control channel.
type Control struct {
	ws      *websocket.Conn
	stopped chan struct{} // closed when the reader has ended

	mu      sync.Mutex
	backlog []Message     // received, not yet returned by Wait
	arrived chan struct{} // closed and replaced by each message
	err     error         // why the reader ended
}

// Control opens a session as the administrator. It is closed when the test ends.
func (s *Server) Control(t testing.TB) *Control {
	t.Helper()
	return DialControl(t, s.ControlURL(), s.TLSConfig(t), User, Password)
}

// DialControl opens a session on any server's control channel, by its wss:// URL. It is closed when the test ends.
func DialControl(t testing.TB, url string, config *tls.Config, user, password string) *Control {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dialer := websocket.Dialer{TLSClientConfig: config}
	encode := base64.StdEncoding.EncodeToString
	ws, resp, err := dialer.DialContext(ctx, url, http.Header{
		"X-Meshauth": {encode([]byte(user)) + "," + encode([]byte(password))},
	})
	if err != nil {
		if resp != nil {
			err = fmt.Errorf("%w: %s", err, resp.Status)
		}
		t.Fatalf("interop: control channel: %v", err)
	}
	c := &Control{ws: ws, stopped: make(chan struct{}), arrived: make(chan struct{})}
	go c.read()
	t.Cleanup(c.Close)
	// A refused login opens too, and then says close instead of serverinfo.
	c.Wait(t, func(m Message) bool { return m["action"] == "serverinfo" })
	return c
}

func (c *Control) read() {
	defer close(c.stopped)
	for {
		_, b, err := c.ws.ReadMessage()
		var m Message
		if err == nil {
			err = json.Unmarshal(b, &m)
		}
		if err == nil && m["action"] == "close" {
			err = fmt.Errorf("the server closed the session: %.200s", b)
		}
		c.mu.Lock()
		if err != nil {
			c.err = err
		} else {
			c.backlog = append(c.backlog, m)
		}
		close(c.arrived)
		c.arrived = make(chan struct{})
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Close ends the session. It may be called more than once.
func (c *Control) Close() {
	_ = c.ws.Close()
	<-c.stopped
}

// Send sends one message.
func (c *Control) Send(t testing.TB, m Message) {
	t.Helper()
	if err := c.ws.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if err := c.ws.WriteJSON(m); err != nil {
		t.Fatalf("interop: control channel: %v", err)
	}
}

// Wait returns the oldest message, received before the call or after it, that
// match accepts and that was not returned before. After two minutes without
// one it fails the test.
func (c *Control) Wait(t testing.TB, match func(Message) bool) Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := c.WaitContext(ctx, match)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// WaitContext is Wait with a limit of the caller's and an error instead of a failure.
func (c *Control) WaitContext(ctx context.Context, match func(Message) bool) (Message, error) {
	for {
		m, arrived, err := c.take(match)
		if m != nil || err != nil {
			return m, err
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return nil, fmt.Errorf("interop: control channel: no message as expected: %w; not taken: %s", ctx.Err(), c.waiting())
		}
	}
}

func (c *Control) take(match func(Message) bool) (Message, <-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, m := range c.backlog {
		if match(m) {
			c.backlog = append(c.backlog[:i], c.backlog[i+1:]...)
			return m, nil, nil
		}
	}
	if c.err != nil {
		return nil, nil, fmt.Errorf("interop: control channel: %w", c.err)
	}
	return nil, c.arrived, nil
}

// drop forgets the received messages that match accepts.
func (c *Control) drop(match func(Message) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.backlog[:0]
	for _, m := range c.backlog {
		if !match(m) {
			kept = append(kept, m)
		}
	}
	c.backlog = kept
}

// waiting names the messages that nobody has taken.
func (c *Control) waiting() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for _, m := range c.backlog {
		name := fmt.Sprint(m["action"])
		if event, ok := m["event"].(map[string]any); ok {
			name += "/" + fmt.Sprint(event["action"])
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// Console types a line at a device's console, as an administrator does on the
// web page, and returns the first answer.
func (c *Control) Console(t testing.TB, nodeID, line string) string {
	t.Helper()
	answer := func(m Message) bool {
		return m["action"] == "msg" && m["type"] == "console" && m["nodeid"] == nodeID
	}
	c.drop(answer)
	c.Send(t, Message{"action": "msg", "type": "console", "nodeid": nodeID, "value": line})
	value, ok := c.Wait(t, answer)["value"].(string)
	if !ok {
		t.Fatalf("interop: console answer to %q holds no text", line)
	}
	return value
}

// errNoDevice is what WaitDevice reports.
var errNoDevice = errors.New("interop: no device as expected")

// listAgain is how soon the list of devices is asked for again when nothing
// has been heard of a change, about some of which the server tells nobody.
const listAgain = 2 * time.Second

// WaitDevice waits until the server lists a device that match accepts. After
// two minutes without one it fails the test with the list.
func (s *Server) WaitDevice(t testing.TB, match func(Device) bool) Device {
	t.Helper()
	c := s.Control(t)
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var devices []Device
	for {
		c.Send(t, Message{"action": "nodes"})
		m, err := c.WaitContext(ctx, func(m Message) bool { return m["action"] == "nodes" })
		if err != nil {
			t.Fatalf("%v in %+v: %v", errNoDevice, devices, err)
		}
		if devices, err = devicesOf(m); err != nil {
			t.Fatal(err)
		}
		for _, d := range devices {
			if match(d) {
				return d
			}
		}
		// The list is asked for again when the server says that something has changed.
		pause, cancel := context.WithTimeout(ctx, listAgain)
		_, err = c.WaitContext(pause, func(m Message) bool { return m["action"] == "event" })
		cancel()
		if err != nil && (ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
			t.Fatalf("%v in %+v: %v", errNoDevice, devices, err)
		}
	}
}
