package agentproto

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// Conn is the message connection that both sides run over. A WebSocket is one; so is anything else with its methods.
type Conn = msgconn.Conn

// MessageType tells text messages from binary ones; implementations of [Conn] need its name.
type MessageType = msgconn.Type

// The types of messages.
const (
	TextMessage   = msgconn.Text
	BinaryMessage = msgconn.Binary
)

// slowest is the rate, in bytes a second, below which a peer counts as stuck: it is added to the time limit of a write
// so that a core of 600 KB is not cut off on a slow line.
const slowest = 8 << 10

// link is the sending half of a connection: a bounded queue that is drained by a goroutine which exists only while
// there is something to send, so that an idle connection costs none.
type link struct {
	conn     Conn
	jsonType msgconn.Type // servers send JSON as binary messages, agents as text
	maxMsgs  int
	maxBytes int
	timeout  time.Duration                              // of one write
	onFail   func(code int, reason string, cause error) // ends the session when a write failed

	mu      sync.Mutex
	queue   []outMessage
	bytes   int
	writing bool
	room    chan struct{} // closed when the queue shrinks; nil when nobody waits
	failed  bool          // a write failed, and the link is about to be closed
	err     error         // why the link is closed

	closed chan struct{}
	gone   chan struct{} // closed after the connection is
}

type outMessage struct {
	typ  msgconn.Type
	data []byte
}

func (l *link) init(conn Conn, jsonType msgconn.Type, lim Limits) {
	l.conn, l.jsonType = conn, jsonType
	l.onFail = l.close
	l.maxMsgs, l.maxBytes, l.timeout = lim.QueueMessages, lim.QueueBytes, lim.WriteTimeout
	l.closed = make(chan struct{})
	l.gone = make(chan struct{})
}

// Send queues a JSON message, waiting for room in the queue as long as ctx allows.
func (l *link) Send(ctx context.Context, m JSONMessage) error {
	b, err := AppendJSON(nil, m)
	if err != nil {
		return err
	}
	return l.enqueue(ctx, l.jsonType, b)
}

// SendRaw queues a message that is already encoded, JSON or binary. It must not be changed afterwards. It leaves in one
// frame, whatever its size.
func (l *link) SendRaw(ctx context.Context, msg []byte) error {
	if IsJSON(msg) {
		return l.enqueue(ctx, l.jsonType, msg)
	}
	return l.enqueue(ctx, msgconn.Binary, msg)
}

// sendAll queues messages in their order.
func (l *link) sendAll(ctx context.Context, msgs [][]byte) error {
	for _, m := range msgs {
		if err := l.SendRaw(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// enqueue queues a message, waiting for room as long as ctx allows. The message must not be changed afterwards. One larger
// than the whole queue is taken when the queue is empty.
func (l *link) enqueue(ctx context.Context, typ msgconn.Type, data []byte) error {
	for {
		l.mu.Lock()
		if l.err != nil {
			l.mu.Unlock()
			return l.err
		}
		if !l.failed && (len(l.queue) == 0 || len(l.queue) < l.maxMsgs && l.bytes+len(data) <= l.maxBytes) {
			l.queue = append(l.queue, outMessage{typ, data})
			l.bytes += len(data)
			if !l.writing {
				l.writing = true
				go l.drain()
			}
			l.mu.Unlock()
			return nil
		}
		if err := l.waitUnlock(ctx); err != nil {
			return err
		}
	}
}

// waitUnlock unlocks, and waits until the queue has shrunk or the link is closed.
func (l *link) waitUnlock(ctx context.Context) error {
	if l.room == nil {
		l.room = make(chan struct{})
	}
	room := l.room
	l.mu.Unlock()
	select {
	case <-room:
	case <-l.closed:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// drain writes the queue and ends when it is empty.
func (l *link) drain() {
	for {
		l.mu.Lock()
		if len(l.queue) == 0 || l.err != nil {
			l.writing = false
			l.queue, l.bytes = nil, 0
			l.mu.Unlock()
			return
		}
		m := l.queue[0]
		l.mu.Unlock()

		ctx, cancel := context.WithTimeout(context.Background(), l.timeout+time.Duration(len(m.data)/slowest)*time.Second)
		err := l.conn.WriteMessage(ctx, m.typ, m.data)
		cancel()

		l.mu.Lock()
		if l.failed = err != nil; !l.failed {
			l.queue[0] = outMessage{}
			l.queue = l.queue[1:]
			l.bytes -= len(m.data)
			if l.room != nil {
				close(l.room)
				l.room = nil
			}
		}
		l.mu.Unlock()
		if err != nil {
			l.writeFailed(err)
			return
		}
	}
}

// readerGrace is how long the receiving side has to tell why a connection on which a write failed has ended. One that
// receives needs a moment only, unless its machine is busy; for one that does not there is no hurry.
const readerGrace = 10 * time.Second

// writeFailed ends the link. A write on a connection that the peer has closed fails without telling why; the receiving
// side is about to read the reason, and closes the link with that.
func (l *link) writeFailed(err error) {
	if errors.Is(err, context.DeadlineExceeded) {
		err = ErrQueueFull
	} else {
		timer := time.NewTimer(readerGrace)
		defer timer.Stop()
		select {
		case <-l.closed:
			return
		case <-timer.C:
		}
	}
	l.onFail(0, "", &Error{Phase: PhaseSession, Err: err})
}

// Flush waits until everything that was queued has been written.
func (l *link) Flush(ctx context.Context) error {
	for {
		l.mu.Lock()
		if l.err != nil || len(l.queue) == 0 && !l.failed {
			err := l.err
			l.mu.Unlock()
			return err
		}
		if err := l.waitUnlock(ctx); err != nil {
			return err
		}
	}
}

// close ends the link for a reason; the first one stays. It returns when the connection is closed, also for callers
// that came second.
func (l *link) close(code int, reason string, cause error) {
	l.mu.Lock()
	if l.err != nil {
		l.mu.Unlock()
		<-l.gone
		return
	}
	l.err = cause
	close(l.closed)
	l.mu.Unlock()
	l.conn.Close(code, reason)
	close(l.gone)
}

// busy reports whether something is being written, which has a time limit of its own.
func (l *link) busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writing
}

// Done is closed when the connection has ended; Err then tells why.
func (l *link) Done() <-chan struct{} { return l.closed }

// Err returns why the connection ended, or nil while it has not: [ErrReplaced], [ErrIdle], [ErrShutdown],
// [net.ErrClosed] or an error of the connection, found with errors.Is.
func (l *link) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}
