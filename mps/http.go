package mps

import (
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// isHTTP says whether a connection that starts with these bytes is a browser's: no APF message begins with a G or an H.
func isHTTP(first []byte) bool { return len(first) > 0 && (first[0] == 'G' || first[0] == 'H') }

// page is what the port says to browsers.
const page = `<!DOCTYPE html><html><head><meta charset="UTF-8"></head><body>MeshCentral MPS server.<br />` +
	`Intel&reg; AMT computers should connect here.</body></html>`

// defaultPage answers as a stock server does, the bodies of HEAD requests and the reason phrase of 404 aside.
//
// Confirmed in mpsserver.js, onConnection.
func defaultPage(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Content-Type", "text/html")
	text := page
	if r.URL.Path != "/" {
		w.WriteHeader(http.StatusNotFound)
		text = "Invalid request"
	}
	io.WriteString(w, text)
}

// maxHeader bounds the head of a request; net/http adds 4 KiB of its own.
const maxHeader = 4 << 10

// browse answers an HTTP request, and closes.
func (s *Server) browse(l *session, conn *rawConn) {
	c := &browserConn{rawConn: conn, closed: sync.OnceFunc(func() {
		l.refused(ErrHTTP)
		s.end(l)
	})}
	s.mu.Lock()
	if s.web == nil && !s.closed {
		handler := s.cfg.HTTP
		if handler == nil {
			handler = http.HandlerFunc(defaultPage)
		}
		s.browsers = newHandedOver()
		s.web = &http.Server{
			Handler: handler, ReadHeaderTimeout: s.cfg.Limits.HTTPTime, ReadTimeout: s.cfg.Limits.HTTPTime, WriteTimeout: time.Minute,
			MaxHeaderBytes: maxHeader, ErrorLog: log.New(io.Discard, "", 0),
		}
		s.web.SetKeepAlivesEnabled(false)
		go s.web.Serve(s.browsers)
	}
	browsers := s.browsers
	s.mu.Unlock()
	if browsers == nil || !browsers.put(c) {
		c.Close()
	}
}

// browserConn tells when it is closed.
type browserConn struct {
	*rawConn
	closed func()
}

// Close implements net.Conn.
func (c *browserConn) Close() error {
	err := c.rawConn.Close()
	c.closed()
	return err
}

// handedOver is a listener of connections that are there already.
type handedOver struct {
	conns chan net.Conn
	done  chan struct{}
	close func()
}

func newHandedOver() *handedOver {
	h := &handedOver{conns: make(chan net.Conn), done: make(chan struct{})}
	h.close = sync.OnceFunc(func() { close(h.done) })
	return h
}

func (h *handedOver) put(c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.done:
		return false
	}
}

// Accept implements net.Listener.
func (h *handedOver) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handedOver) Close() error {
	h.close()
	return nil
}

// Addr implements net.Listener.
func (h *handedOver) Addr() net.Addr { return nil }
