package controlproto

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// writeQueue is how many messages wait to be sent before requests do.
const writeQueue = 64

// clientLink is one connection after its login: one goroutine reads, one writes.
type clientLink struct {
	client *Client
	conn   Conn

	certificate []byte // of the server, in DER; nil where it is not to be seen
	inBand      bool   // the server has proved itself over it
	serverInfo  *ServerInfo
	user        *User
	early       []json.RawMessage // what came in between

	out   chan *outgoing
	ended chan struct{} // closed by end
	wg    sync.WaitGroup

	mu    sync.Mutex
	err   error // why it ended
	calls map[string]*call
	slots map[slotKey]*slot
	pings []chan struct{} // closed by the pongs, in their order
	heard time.Time
}

// outgoing is a message to be sent, a ping, or a message and then a ping.
type outgoing struct {
	action string
	data   []byte
	call   *call         // whose request it is, or nil
	pong   chan struct{} // not nil for a ping; closed by its pong
}

// pingMessage is the same on every connection.
const pingMessage = `{"action":"ping"}`

func newLink(c *Client, conn Conn) *clientLink {
	return &clientLink{
		client: c, conn: conn, heard: time.Now(),
		out: make(chan *outgoing, writeQueue), ended: make(chan struct{}),
		calls: make(map[string]*call), slots: make(map[slotKey]*slot),
	}
}

// serve reads and writes until the connection ends, and returns why.
func (l *clientLink) serve() error {
	l.wg.Go(l.writer)
	l.wg.Go(l.reader)
	<-l.ended
	l.mu.Lock()
	err := l.err
	l.mu.Unlock()
	if errors.Is(err, ErrClientClosed) {
		l.conn.Close(msgconn.CloseNormal, "")
	} else {
		l.conn.Close(0, "")
	}
	l.wg.Wait()
	return err
}

// end ends the connection. Requests under way fail with the reason.
func (l *clientLink) end(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.err = why
	for _, c := range l.calls {
		if c.stray != nil {
			c.stray.Stop()
		}
	}
	close(l.ended)
}

// over tells whether the connection has ended.
func (l *clientLink) over() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// failure is what requests fail with after the connection ended.
func (l *clientLink) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(l.err, ErrClientClosed) {
		return l.err
	}
	return &joined{ErrDisconnected, l.err}
}

// reader hands every message to who waits for it.
func (l *clientLink) reader() {
	for _, raw := range l.early {
		if err := l.receive(raw); err != nil {
			l.end(err)
			return
		}
	}
	l.early = nil
	for {
		_, b, err := l.conn.ReadMessage(context.Background())
		if err != nil {
			l.end(err)
			return
		}
		l.mu.Lock()
		l.heard = time.Now()
		l.mu.Unlock()
		if err := l.receive(b); err != nil {
			l.end(err)
			return
		}
	}
}

// writer sends what is queued, and asks a silent server for a sign of life.
func (l *clientLink) writer() {
	keep := l.client.cfg.KeepAlive
	interval := keep.Interval
	if interval < 0 {
		interval = 1<<63 - 1
	}
	timer := time.NewTimer(interval)
	defer timer.Stop()
	var asked time.Time // the last question
	for {
		select {
		case o := <-l.out:
			if err := l.send(o); err != nil {
				l.end(err)
				return
			}
		case <-timer.C:
			l.mu.Lock()
			heard := l.heard
			l.mu.Unlock()
			silence, waited := time.Since(heard), time.Since(asked)
			switch {
			case silence < interval:
				timer.Reset(interval - silence)
			case !heard.Before(asked): // what was asked is answered
				asked = time.Now()
				if err := l.send(&outgoing{pong: make(chan struct{})}); err != nil {
					l.end(err)
					return
				}
				timer.Reset(min(interval, keep.Timeout))
			case waited < keep.Timeout:
				timer.Reset(min(interval, keep.Timeout-waited))
			default:
				l.end(fmt.Errorf("%w for %v", ErrSilentPeer, silence.Round(time.Second)))
				return
			}
		case <-l.ended:
			return
		}
	}
}

// send writes one queued message, unless its request was given up.
func (l *clientLink) send(o *outgoing) error {
	if o.call != nil && !o.call.startSending(l) {
		return nil
	}
	if o.data != nil {
		if err := l.sendText(o.action, o.data); err != nil {
			return err
		}
	}
	if o.pong == nil {
		return nil
	}
	l.mu.Lock()
	l.pings = append(l.pings, o.pong)
	l.mu.Unlock()
	return l.sendText(actionPing, []byte(pingMessage))
}

func (l *clientLink) sendText(action string, b []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), l.client.cfg.WriteTime)
	defer cancel()
	if err := l.conn.WriteMessage(ctx, msgconn.Text, b); err != nil {
		return fmt.Errorf("sending %.64q: %w", action, err)
	}
	if l.client.trace.Sent != nil {
		l.client.trace.Sent(action, len(b))
	}
	return nil
}

// ponged notes a pong. The server handles the messages of a session in their order, and answers pings at once.
func (l *clientLink) ponged() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pings) > 0 { // some servers send pongs unasked
		close(l.pings[0])
		l.pings = l.pings[1:]
	}
}

// write sends a message of the login.
func (l *clientLink) write(ctx context.Context, m Message) error {
	b, err := AppendMessage(nil, m, Correlation{})
	if err != nil {
		return err
	}
	if l.client.trace.Sent != nil {
		l.client.trace.Sent(m.Action(), len(b))
	}
	return l.conn.WriteMessage(ctx, msgconn.Text, b)
}

// queue hands a message to the writer.
func (l *clientLink) queue(ctx context.Context, o *outgoing) error {
	select {
	case l.out <- o:
		return nil
	case <-l.ended:
		return l.failure()
	case <-ctx.Done():
		return &notSentError{why: "too many requests wait to be sent", err: context.Cause(ctx)}
	}
}

func (l *clientLink) traceReceived(action string, size int) {
	if l.client.trace.Received != nil {
		l.client.trace.Received(action, size)
	}
}
