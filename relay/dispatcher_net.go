//go:build !js

package relay

import (
	"context"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// ErrCertificate is a relay whose certificate is not the one that was announced.
var ErrCertificate = errors.New("relay: the relay's certificate is not the announced one")

// VerifyRelay returns a check of a relay's certificate for [tls.Config.VerifyConnection]: it is taken if it is that of the
// control channel (DER) or has its key, or has the announced SHA-384 (hexadecimal, in any case).
//
// Confirmed in meshcore.js, tunnel_checkServerIdentity. The stock agent takes any certificate if no hash was announced.
func VerifyRelay(control []byte, announced string) func(tls.ConnectionState) error {
	return func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return ErrCertificate
		}
		leaf := s.PeerCertificates[0]
		if len(control) > 0 {
			if subtle.ConstantTimeCompare(leaf.Raw, control) == 1 {
				return nil
			}
			if c, err := x509.ParseCertificate(control); err == nil &&
				subtle.ConstantTimeCompare(c.RawSubjectPublicKeyInfo, leaf.RawSubjectPublicKeyInfo) == 1 {
				return nil
			}
		}
		want, err := hex.DecodeString(announced)
		got := sha512.Sum384(leaf.Raw)
		if err == nil && subtle.ConstantTimeCompare(want, got[:]) == 1 {
			return nil
		}
		return fmt.Errorf("%w: it has %x", ErrCertificate, got[:8])
	}
}

// dial connects to the relay with the check of its certificate.
func (d *Dispatcher) dial(ctx context.Context, u URL, r *Request) (Conn, error) {
	config := d.Net.TLS
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	config = config.Clone()
	if config.RootCAs == nil { // with roots of the embedder's the ordinary check is made, and no other
		var control []byte
		if d.ControlCertificate != nil {
			control = d.ControlCertificate()
		}
		config.InsecureSkipVerify = true // replaced by the announced certificate
		config.VerifyConnection = VerifyRelay(control, r.ServerTLSHash)
	}
	limit := d.ReadLimit
	if limit == 0 {
		limit = 1 << 20
	}
	c, err := msgconn.Dial(ctx, u.Reveal(), msgconn.DialOptions{
		TLSConfig: config, Proxy: d.Net.Proxy, NetDialContext: d.Net.NetDialContext, Header: d.Net.Header, ReadLimit: limit, Bulk: true,
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}
