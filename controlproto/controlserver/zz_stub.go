package controlserver

import (
	"context"

	"github.com/meshcentral-go/sdk/controlproto"
)

type noRouter struct{}

func (noRouter) Send(context.Context, controlproto.ID, []byte) error    { return nil }
func (noRouter) Disconnect(context.Context, controlproto.ID, bool) error { return nil }
func (s *Server) serverInfo(c *controlproto.Session) controlproto.ServerInfo {
	return controlproto.ServerInfo{}
}
func setDetail(e *controlproto.Event, n string, v any) error { return nil }
