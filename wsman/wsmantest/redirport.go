package wsmantest

import (
	"context"
	"net"
)

// serveRedirection serves SOL, IDE-R and KVM.
func (d *Device) serveRedirection(ctx context.Context, conn net.Conn) {
	_, _ = ctx, conn
}
