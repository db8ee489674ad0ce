// Server is the reference server of this module: native agents of MeshCentral and those made with package agentproto log
// in to it, run a core, and show up on its page; operators work with them over the control channel and through tunnels, with
// MeshCentral's own meshctrl too. It takes over the data folder of a MeshCentral server.
//
//	go run ./examples/server
//
// What it does not choose itself is in the packages: agentproto speaks with agents, controlproto with operators,
// controlserver does what they ask, relay joins them with devices, certs keeps the certificates. server.go puts the parts
// together, endpoints.go says what is answered where; agents.go decides what agents may do, record.go stores what they tell,
// tunnels.go says who may open tunnels.
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
	"runtime/debug"
	"strings"
	"syscall"
)

func main() {
	// Nearly all memory belongs to agents that are online and silent, and stays. At the default the collector lets as
	// much again pile up beside it.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(75)
	}
	os.Exit(run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is the program. What keeps it from starting is one line and status 2.
func run(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	cfg, err := parseConfig(args, getenv, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return failed(stderr, 2, err)
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: cfg.LogLevel}))
	for _, w := range cfg.File.Warnings {
		log.Warn("config.json: " + w)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	s, err := open(ctx, cfg, log)
	if err != nil {
		return failed(stderr, 2, err)
	}
	fmt.Fprint(stdout, s.welcome)
	served := make(chan error, 1)
	go func() { served <- s.serve() }()
	debug.FreeOSMemory() // hashing a password takes as much as a thousand agents
	select {
	case err = <-served: // not asked for
	case <-ctx.Done():
		log.Info("shutting down; a second signal does not wait")
		err = nil
	}
	stop() // a second signal now ends the process at once
	if err = errors.Join(err, s.close()); err != nil {
		return failed(stderr, 1, err)
	}
	log.Info("stopped")
	return 0
}

// failed prints an error as one line.
func failed(stderr io.Writer, status int, err error) int {
	fmt.Fprintln(stderr, "server:", strings.ReplaceAll(err.Error(), "\n", "; "))
	return status
}
