//go:build !js

package mpstest

import (
	"context"
	"crypto/tls"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// dialWebSocket opens a connection to a ws or wss URL.
func (d *Device) dialWebSocket(ctx context.Context, config *tls.Config) (msgconn.Conn, error) {
	return msgconn.Dial(ctx, d.cfg.Server, msgconn.DialOptions{
		TLSConfig: config, NetDialContext: d.cfg.NetDialContext, ReadLimit: webSocketMessage,
	})
}
