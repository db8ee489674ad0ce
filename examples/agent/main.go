// Command agent is a small agent for MeshCentral, in a few hundred lines: it logs in to a stock server or to examples/server,
// stays connected, reports what the device is, and answers an operator's console.
//
//	go run ./examples/agent -msh meshagent.msh
//
// The .msh file says which server and which device group are the agent's own. A server hands it out at
// https://SERVER/meshsettings?id=GROUP, which -msh takes too. It is kept in the data folder together with the agent's
// identity, so later starts need no -msh:
//
//	agent.pem      certificate and private key: the device, to the server
//	agent.msh      the settings
//	servers.json   the certificates over which servers have proved themselves, for the short form of the login
//
// It runs no JavaScript and says so: a server pushes no core to it.
//
// Operators get a shell, files or ports of the machine only if it is started for that:
//
//	-terminal        a shell of the account that the agent runs as
//	-files FOLDER    the files in a folder, which is "/" to operators; nothing leads out of it
//	-ports LIST      TCP and UDP ports, of this machine and of others that it reaches
//	-desktop x11     the X display of $DISPLAY; -desktop auto if there is one; -desktop pattern shows a test pattern

// Some stock servers have a certificate with a negative serial number, because of the way they make them, and crypto/tls
// refuses those. Nothing is lost by taking them: what proves the server is its ServerID, inside the connection.
//
//go:debug x509negativeserial=1
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/examples/agent/hostinfo"
)

func main() {
	// The first signal ends the agent, the second at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(2)
	}
}

// run is the agent, until ctx ends. An error means that it could not begin.
func run(ctx context.Context, args []string, stderr io.Writer) error {
	flags, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: flags.level}))

	if err := os.MkdirAll(flags.data, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if flags.files != "" {
		if err := keepsApart(flags.files, flags.data); err != nil {
			return fmt.Errorf("-files: %w", err)
		}
	}
	cache := filepath.Join(flags.data, "agent.msh")
	settings, err := openSettings(ctx, flags.msh, flags.insecure, cache)
	if err != nil && ctx.Err() != nil { // while they were fetched
		log.Info("agent stops", "reason", context.Cause(ctx))
		return nil
	}
	if err != nil && flags.msh != "" && !errors.Is(err, certs.ErrMSH) {
		// An installed agent that is started while its server is down, or its file gone, has what it kept.
		if kept, keptErr := openSettings(ctx, "", false, cache); keptErr == nil {
			log.Warn("settings not read anew, those of the last start are used", "source", flags.msh, "reason", err)
			settings, err = kept, nil
		}
	}
	if err != nil {
		return err
	}
	// The key is the device: with another one the server lists another device.
	identity, err := certs.OpenAgentIdentity(filepath.Join(flags.data, "agent.pem"), nil)
	if err != nil {
		return err
	}

	system := hostinfo.ReadSystem()
	device := newAgent(settings.tag, log)
	device.proxy = settings.proxy
	device.terminal, device.desktop, device.ports = flags.terminal, flags.desktop, flags.ports
	if flags.files != "" {
		if device.files, err = os.OpenRoot(flags.files); err != nil {
			return fmt.Errorf("-files: %w", err)
		}
		defer device.files.Close()
	}
	cfg := agentproto.ClientConfig{
		Certificate:  identity.Certificate,
		Signer:       identity.Signer,
		Name:         system.Name,
		HostInfo:     system.OS + " - " + system.Arch,
		Handler:      device.Serve,
		Capabilities: device.capabilities(),
		Trust:        openTrustFile(filepath.Join(flags.data, "servers.json"), log),
		Logger:       log,
		Trace:        &agentproto.ClientTrace{Command: logCommand(log)},
	}
	settings.apply(&cfg)
	if flags.name != "" {
		cfg.Name, cfg.PreferredName = flags.name, ""
	}
	client, err := agentproto.NewClient(cfg)
	if err != nil {
		return err
	}
	log.Info("agent starts", "node", client.NodeID(), "name", cfg.Name, "settings", settings.msh, "data", flags.data,
		"go", runtime.Version())
	err = client.Run(ctx) // connects, and connects again, until ctx ends
	log.Info("agent stops", "reason", err)
	return nil
}

// logCommand tells of the cores and updates that a server sends to an agent that has asked for none.
func logCommand(log *slog.Logger) func(*agentproto.ClientSession, agentproto.Command, int) {
	return func(_ *agentproto.ClientSession, cmd agentproto.Command, size int) {
		const clearCore = 4 // the size of a command 10 that takes a core away
		switch {
		case cmd == agentproto.CmdCoreModule && size > clearCore, cmd == agentproto.CmdCompressedCoreModule,
			cmd == agentproto.CmdUpdateBlock:
			log.Warn("server pushed what this agent does not run", "command", cmd, "bytes", size)
		default:
			log.Debug("server sent", "command", cmd, "bytes", size)
		}
	}
}
