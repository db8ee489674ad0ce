package relay

import (
	"context"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// dial connects to the relay. The browser checks its certificate in its own way.
func (d *Dispatcher) dial(ctx context.Context, u URL, _ *Request) (Conn, error) {
	c, err := msgconn.DialBrowser(ctx, u.Reveal())
	if err != nil {
		return nil, err
	}
	limit := d.ReadLimit
	if limit == 0 {
		limit = 1 << 20
	}
	c.SetReadLimit(limit)
	return c, nil
}
