package main

import (
	"context"
	"log/slog"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/nodeid"
)

func importStock(ctx context.Context, store controlserver.Store, folder string, log *slog.Logger) error { return nil }
func cleanName(s string) string                                                                        { return agentproto.CleanAgentString(s, 255).String() }
func nameless(key nodeid.NodeKey) string                                                               { return "device " + key.ID.String()[:8] }
