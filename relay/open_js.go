package relay

import (
	"context"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// TLSConfig is nothing in a browser, which sees to TLS itself.
type TLSConfig = struct{}

const defaultReadLimit = 16 << 20

// dial connects to the relay.
func (o *Options) dial(ctx context.Context, u URL) (Conn, error) {
	if o.Dial != nil {
		return o.Dial(ctx, u)
	}
	c, err := msgconn.DialBrowser(ctx, u.Reveal())
	if err != nil {
		return nil, err
	}
	limit := o.ReadLimit
	if limit == 0 {
		limit = defaultReadLimit
	}
	c.SetReadLimit(limit)
	return c, nil
}
