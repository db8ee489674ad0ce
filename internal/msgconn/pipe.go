package msgconn

import (
	"context"
	"net"
	"sync"
)

// pipeDepth is how many messages wait in each direction of a [Pipe] before a writer does.
const pipeDepth = 16

// Pipe returns the two ends of an in-memory connection. It needs no network and no clock, so it also works inside a
// testing/synctest bubble and under js/wasm. Both ends answer pings by themselves, as a WebSocket does.
func Pipe() (*PipeConn, *PipeConn) {
	a := &PipeConn{in: make(chan pipeMessage, pipeDepth), closed: make(chan struct{})}
	b := &PipeConn{in: make(chan pipeMessage, pipeDepth), closed: make(chan struct{})}
	a.peer, b.peer = b, a
	return a, b
}

type pipeMessage struct {
	typ  Type
	ping bool
	pong bool
	data []byte
}

// PipeConn is one end of a [Pipe].
type PipeConn struct {
	peer *PipeConn
	in   chan pipeMessage

	limit     int64
	onControl func()

	once   sync.Once
	closed chan struct{} // closed when this end was closed
	code   int           // what Close was given; read by the peer after closed
	reason string
}

var (
	_ Conn       = (*PipeConn)(nil)
	_ Controller = (*PipeConn)(nil)
	_ Limiter    = (*PipeConn)(nil)
)

// SetReadLimit implements [Limiter].
func (p *PipeConn) SetReadLimit(n int64) { p.limit = n }

// OnControl implements [Controller].
func (p *PipeConn) OnControl(f func()) { p.onControl = f }

// ReadMessage implements [Conn]. Messages that were sent before the peer closed are still delivered.
func (p *PipeConn) ReadMessage(ctx context.Context) (Type, []byte, error) {
	for {
		select {
		case <-p.closed:
			return 0, nil, net.ErrClosed
		default:
		}
		var m pipeMessage
		select {
		case m = <-p.in:
		default:
			select {
			case m = <-p.in:
			case <-p.closed:
				return 0, nil, net.ErrClosed
			case <-p.peer.closed:
				select {
				case m = <-p.in:
				default:
					code := p.peer.code
					if code == 0 {
						code = CloseAbnormal
					}
					return 0, nil, &CloseError{Code: code, Reason: p.peer.reason}
				}
			case <-ctx.Done():
				return 0, nil, context.Cause(ctx)
			}
		}
		if m.ping || m.pong {
			if p.onControl != nil {
				p.onControl()
			}
			if m.ping {
				select {
				case p.peer.in <- pipeMessage{pong: true}:
				default: // a peer that does not read gets no pong, as on a full socket
				}
			}
			continue
		}
		if p.limit > 0 && int64(len(m.data)) > p.limit {
			p.Close(CloseTooLarge, "")
			return 0, nil, ErrTooLarge
		}
		return m.typ, m.data, nil
	}
}

// WriteMessage implements [Conn].
func (p *PipeConn) WriteMessage(ctx context.Context, t Type, b []byte) error {
	return p.send(ctx, pipeMessage{typ: t, data: append([]byte(nil), b...)})
}

// Ping implements [Controller].
func (p *PipeConn) Ping(ctx context.Context) error { return p.send(ctx, pipeMessage{ping: true}) }

func (p *PipeConn) send(ctx context.Context, m pipeMessage) error {
	select {
	case <-p.closed:
		return net.ErrClosed
	case <-p.peer.closed:
		return net.ErrClosed
	default:
	}
	select {
	case p.peer.in <- m:
		return nil
	case <-p.closed:
		return net.ErrClosed
	case <-p.peer.closed:
		return net.ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close implements [Conn].
func (p *PipeConn) Close(code int, reason string) error {
	p.once.Do(func() {
		p.code, p.reason = code, closeReason(reason)
		close(p.closed)
	})
	return nil
}
