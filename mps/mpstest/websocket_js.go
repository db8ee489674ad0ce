package mpstest

import (
	"context"
	"crypto/tls"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// dialWebSocket opens a connection to a ws or wss URL. Certificates are the browser's business.
func (d *Device) dialWebSocket(ctx context.Context, _ *tls.Config) (msgconn.Conn, error) {
	return msgconn.DialBrowser(ctx, d.cfg.Server)
}
