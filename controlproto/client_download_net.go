//go:build !js

package controlproto

import (
	"bytes"
	"crypto/tls"
	"net/http"
)

// transport makes HTTPS requests with the same verification as that of the session's connection.
func (c *Client) transport() (t http.RoundTripper, closeIdle func(), err error) {
	if c.cfg.Connect != nil {
		return nil, nil, errNoNetwork
	}
	config, err := c.tlsConfig(&loginForm{})
	if err != nil {
		return nil, nil, err
	}
	c.mu.Lock()
	proved, inBand := c.last.certificate, c.last.inBand
	c.mu.Unlock()
	if inBand && c.cfg.TLSConfig == nil && c.cfg.PinnedCertificate == "" && !c.cfg.DangerouslySkipVerify {
		config.InsecureSkipVerify = true // replaced: only the certificate over which the server has proved itself
		config.VerifyConnection = func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 || !bytes.Equal(state.PeerCertificates[0].Raw, proved) {
				return ErrPinnedCertificate
			}
			return nil
		}
	}
	h := &http.Transport{TLSClientConfig: config, Proxy: c.cfg.Proxy, DialContext: c.cfg.NetDialContext, DisableKeepAlives: true}
	return h, h.CloseIdleConnections, nil
}
