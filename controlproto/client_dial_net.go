//go:build !js

package controlproto

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// openNet opens a WebSocket over the network.
func (c *Client) openNet(ctx context.Context, url SecretURL, form *loginForm) (dialed, error) {
	config, err := c.tlsConfig(form)
	if err != nil {
		return dialed{}, &ClientError{Phase: PhaseTLS, Err: err}
	}
	header, err := c.header(form)
	if err != nil {
		return dialed{}, &ClientError{Phase: PhaseAuth, Err: err}
	}
	var phase atomic.Value
	phase.Store(PhaseDial)
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		TLSHandshakeStart: func() { phase.Store(PhaseTLS) },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if err == nil {
				phase.Store(PhaseUpgrade)
			}
		},
		WroteHeaders: func() { phase.Store(PhaseUpgrade) },
	})
	conn, err := msgconn.Dial(traced, url.Reveal(), msgconn.DialOptions{
		TLSConfig: config, Proxy: c.cfg.Proxy, NetDialContext: c.cfg.NetDialContext, Header: header,
		ReadLimit: c.cfg.LoginLimit,
	})
	if err != nil {
		at, _ := phase.Load().(ClientPhase)
		var refused *msgconn.HandshakeError
		if errors.As(err, &refused) {
			at = PhaseUpgrade
		}
		return dialed{}, &ClientError{Phase: at, Err: err}
	}
	d := dialed{conn: conn}
	if state, ok := conn.ConnectionState(); ok && len(state.PeerCertificates) > 0 {
		d.certificate = state.PeerCertificates[0].Raw
	}
	return d, nil
}

// tlsConfig is the configuration for one connection.
func (c *Client) tlsConfig(form *loginForm) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.cfg.TLSConfig != nil {
		config = c.cfg.TLSConfig.Clone()
	}
	switch {
	case c.cfg.PinnedCertificate != "":
		pin, err := parsePin(c.cfg.PinnedCertificate)
		if err != nil {
			return nil, err
		}
		config.InsecureSkipVerify = true // replaced by the comparison below
		next := config.VerifyConnection
		config.VerifyConnection = func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 || !isPinned(state.PeerCertificates[0], pin) {
				return ErrPinnedCertificate
			}
			if next != nil {
				return next(state)
			}
			return nil
		}
	case c.cfg.DangerouslySkipVerify:
		config.InsecureSkipVerify = true
	case form.inBand != nil && c.cfg.TLSConfig == nil:
		// The server proves itself by a signature over the hash of the certificate that was seen, before it is told
		// anything. A resumed session would show the certificate of an earlier one, but there are none: no cache is
		// set.
		config.InsecureSkipVerify = true
	}
	return config, nil
}

func isPinned(cert *x509.Certificate, pin []byte) bool {
	long, short := sha512.Sum384(cert.Raw), sha256.Sum256(cert.Raw)
	return bytes.Equal(pin, long[:]) || bytes.Equal(pin, short[:])
}
