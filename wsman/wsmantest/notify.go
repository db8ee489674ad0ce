package wsmantest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/digest"
)

const (
	// notifyTime is how long the firmware keeps an event that nobody acknowledges.
	notifyTime = 30 * time.Second
	// notifyPause is between two attempts to deliver it.
	notifyPause = 5 * time.Second
	// notifyQueue is how many events wait for one subscriber. The oldest make room.
	notifyQueue = 64
	// maxAck is how much of an answer is read.
	maxAck = 64 << 10
)

// event is a message for a subscriber.
type event struct {
	id    string
	since time.Time
	body  []byte
}

// notifier delivers the events of one subscription in their order.
type notifier struct {
	s      Subscription
	url    *url.URL
	ctx    context.Context //nolint:containedctx // ends with the subscription
	cancel context.CancelFunc

	queue   []event // guarded by Device.mu
	running bool    // and so is this

	challenge *digest.Challenge // of the goroutine that delivers
	count     uint32
	cnonce    string
}

// subscribed begins to deliver events to a subscriber, if there is a way to do so.
func (d *Device) subscribed(o *object, s Subscription, to *url.URL) {
	if d.cfg.Notify == nil {
		return
	}
	n := &notifier{s: s, url: to, cnonce: fmt.Sprintf("%x", d.random(16))}
	n.ctx, n.cancel = context.WithCancel(d.ctx)
	d.notifiers[o] = n
}

// unsubscribed ends it, also for an event that is on its way.
func (d *Device) unsubscribed(o *object) {
	if n := d.notifiers[o]; n != nil {
		n.cancel()
		delete(d.notifiers, o)
	}
}

func (d *Device) enqueue(n *notifier, e event) {
	if len(n.queue) == notifyQueue {
		d.log.Info("wsmantest: event lost", "url", n.s.URL, "id", n.queue[0].id)
		n.queue = n.queue[1:]
	}
	n.queue = append(n.queue, e)
	if !n.running && !d.closed {
		n.running = true
		d.wg.Add(1)
		go d.deliver(n)
	}
}

// deliver works off a queue. It keeps its connection meanwhile.
func (d *Device) deliver(n *notifier) {
	defer d.wg.Done()
	transport := &http.Transport{DialContext: d.cfg.Notify, DialTLSContext: d.notifyTLS, DisableCompression: true}
	defer transport.CloseIdleConnections()
	for {
		d.mu.Lock()
		if n.running = len(n.queue) > 0 && n.ctx.Err() == nil; !n.running {
			d.unlock()
			return
		}
		e := n.queue[0]
		n.queue = n.queue[1:]
		d.unlock()
		if time.Since(e.since) >= notifyTime {
			d.log.Info("wsmantest: event not delivered", "url", n.s.URL, "id", e.id, "err", "too old")
			continue
		}
		d.send(n, transport, e)
	}
}

// notifyTLS connects to a listener with TLS, which is believed by the roots that are installed now.
func (d *Device) notifyTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	roots := x509.NewCertPool()
	for _, o := range d.classes["AMT_PublicKeyCertificate"].objects {
		if o.flag("TrustedRootCertficate") {
			roots.AddCert(d.state.keys.parsed[o])
		}
	}
	d.unlock()
	conn, err := d.cfg.Notify(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	t := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12})
	if err := t.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return t, nil
}

// send delivers an event, or gives it up.
func (d *Device) send(n *notifier, transport http.RoundTripper, e event) {
	for attempt := 1; ; attempt++ {
		err := n.post(transport, e)
		d.log.Debug("wsmantest: event", "url", n.s.URL, "id", e.id, "attempt", attempt, "err", err)
		if err == nil || !n.s.WithAck || time.Since(e.since)+notifyPause > notifyTime {
			if err != nil {
				d.log.Info("wsmantest: event not delivered", "url", n.s.URL, "id", e.id, "err", err)
			}
			return
		}
		pause := time.NewTimer(notifyPause)
		select {
		case <-pause.C:
		case <-n.ctx.Done():
			pause.Stop()
			return
		}
	}
}

var (
	errListenerLogin = errors.New("the listener refused the login")
	errNotAcked      = errors.New("the event was not acknowledged")
)

// post sends an event once, which are two requests if the listener asks for a login.
func (n *notifier) post(transport http.RoundTripper, e event) error {
	ctx, cancel := context.WithTimeout(n.ctx, notifyTime)
	defer cancel()
	for range 2 {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url.String(), bytes.NewReader(e.body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/soap+xml; charset=UTF-8")
		req.Header.Set("User-Agent", "") // none
		if n.challenge != nil {
			n.count++
			cred := &digest.Credentials{Username: n.s.User, Password: n.s.Password}
			a := n.challenge.Authorize(cred, http.MethodPost, n.url.RequestURI(), e.body, n.count, n.cnonce)
			req.Header.Set("Authorization", string(a.Append(nil)))
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return err
		}
		answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAck))
		_ = resp.Body.Close()
		if err != nil {
			return err
		}
		if resp.StatusCode == http.StatusUnauthorized {
			ch, err := digest.Select(resp.Header.Values("WWW-Authenticate"))
			if err != nil || n.s.User == "" {
				return errListenerLogin
			}
			n.challenge, n.count = &ch, 0
			continue
		}
		if resp.StatusCode < 200 || resp.StatusCode > 299 {
			return fmt.Errorf("status %d of the listener", resp.StatusCode)
		}
		if !n.s.WithAck {
			return nil
		}
		env, err := wsman.ParseEnvelope(answer, limits)
		if err != nil || env.Action != wsman.ActionAck || env.RelatesTo != e.id {
			return errNotAcked
		}
		return nil
	}
	return errListenerLogin
}
