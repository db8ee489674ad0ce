//go:build !js

package relay

import (
	"net"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// waiter is an end that came first. It is read, so that its end is noticed at once, but no further than its buffer: what it
// sends before the other end is there waits in the network.
type waiter struct {
	nc   net.Conn
	end  End
	done chan struct{} // closed when nothing is read any more
	buf  [smallRead]byte
	n    int
}

// watch reads until the end has left, which it reports, or the buffer is full, or it is stopped.
func (w *waiter) watch() (left bool) {
	defer close(w.done)
	for w.n < len(w.buf) {
		n, err := w.nc.Read(w.buf[w.n:])
		w.n += n
		if hasClose(w.buf[:w.n]) {
			return true
		}
		if err != nil {
			return true // or was stopped, and then nobody asks
		}
	}
	return false
}

// stop ends the watching, and returns what was read.
func (w *waiter) stop() []byte {
	w.nc.SetReadDeadline(time.Unix(1, 0))
	<-w.done
	w.nc.SetReadDeadline(time.Time{})
	return w.buf[:w.n]
}

// hasClose says whether a close frame, or something that is none at all, is among the frames in b, of which the last may be cut.
func hasClose(b []byte) bool {
	for {
		h, n, err := msgconn.ParseFrameHeader(b)
		if err != nil || n > 0 && h.Opcode == msgconn.OpClose {
			return true
		}
		if n == 0 || uint64(len(b)-n) < h.Length {
			return false
		}
		b = b[n+int(h.Length):]
	}
}

// left is an end that has left while it waited, unless the other one has come just then.
func (r *Relay) left(k Key, w *waiter) {
	r.mu.Lock()
	waits := r.waiting[k] == w
	if waits {
		delete(r.waiting, k)
		r.rv.Leave(k)
	}
	r.mu.Unlock()
	if waits {
		r.unmet(w, ErrPeerGone)
	}
}
