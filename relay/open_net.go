//go:build !js

package relay

import (
	"context"
	"crypto/tls"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// TLSConfig is a TLS configuration; in a browser there is none.
type TLSConfig = *tls.Config

const defaultReadLimit = 16 << 20

// dial connects to the relay.
func (o *Options) dial(ctx context.Context, u URL) (Conn, error) {
	if o.Dial != nil {
		return o.Dial(ctx, u)
	}
	limit := o.ReadLimit
	if limit == 0 {
		limit = defaultReadLimit
	}
	c, err := msgconn.Dial(ctx, u.Reveal(), msgconn.DialOptions{
		TLSConfig: o.Net.TLS, Proxy: o.Net.Proxy, NetDialContext: o.Net.NetDialContext, Header: o.Net.Header,
		ReadLimit: limit, Bulk: true,
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}
