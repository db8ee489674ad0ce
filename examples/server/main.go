// Server is the reference server of this module: native agents of MeshCentral and those made with package agentproto log
// in to it, run a core, and show up on its page. It takes over the data folder of a MeshCentral server.
//
//	go run ./examples/server
//
// What it does not choose itself is in the packages: agentproto speaks with agents, certs keeps the certificates. This
// file puts the parts together; agents.go decides what agents may do, record.go stores what they tell.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
	"github.com/meshcentral-go/sdk/examples/server/web"
	"github.com/meshcentral-go/sdk/nodeid"
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	s, err := open(ctx, cfg, log)
	if err != nil {
		return failed(stderr, 2, err)
	}
	go s.identity.run(ctx)
	fmt.Fprint(stdout, s.welcome)
	served := make(chan error, 1)
	go func() { served <- s.http.ServeTLS(s.listener, "", "") }()
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

// server is the parts, put together.
type server struct {
	lock     *flock.Flock // of the data folder
	log      *slog.Logger
	listener net.Listener
	identity *identity
	store    *sqlstore.Store
	recorder *recorder
	rules    *agents
	agents   *agentproto.Server
	pages    *web.Handler
	http     *http.Server
	welcome  string
}

// open makes everything ready to serve. It listens first, and reads before it writes: with a taken port or a wrong flag
// nothing is touched.
func open(ctx context.Context, cfg config, log *slog.Logger) (_ *server, err error) {
	s := &server{log: log}
	defer func() {
		if err != nil && s.lock != nil {
			err = errors.Join(err, s.lock.Close())
		}
		if err != nil && s.listener != nil {
			err = errors.Join(err, s.listener.Close())
		}
		if err != nil && s.store != nil {
			err = errors.Join(err, s.store.Close())
		}
	}()
	listen := net.ListenConfig{KeepAlive: -1} // agentproto and http.Server look after idle connections themselves
	if s.listener, err = listen.Listen(ctx, "tcp", cfg.Listen); err != nil {
		return nil, err
	}
	address, fixed := publicAddress(cfg, s.listener.Addr())
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}

	var cores *agentproto.CoreSet
	if cfg.Core != "" {
		if cores, err = agentproto.LoadCoreSet(cfg.Core); err != nil {
			return nil, err
		}
	}

	// The data folder: certificates, then records.
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, err
	}
	s.lock = flock.New(filepath.Join(cfg.Data, "meshcentral-go.lock"))
	if alone, err := s.lock.TryLock(); err != nil {
		return nil, err
	} else if !alone {
		return nil, fmt.Errorf("another server works on %s", cfg.Data)
	}
	id, err := loadIdentity(cfg, host, log)
	if err != nil {
		return nil, err
	}
	s.identity = id
	if !fixed {
		address = net.JoinHostPort(id.host(host), port)
	}
	if s.store, err = sqlstore.Open(ctx, filepath.Join(cfg.Data, "meshcentral-go.sqlite")); err != nil {
		return nil, err
	}
	if err := importStock(ctx, s.store, cfg.Data, log); err != nil {
		return nil, err
	}
	if err := removeTemporary(ctx, s.store); err != nil {
		return nil, err
	}
	group, err := setGroup(ctx, s.store)
	if err != nil {
		return nil, err
	}
	files := &settings{store: s.store, serverID: id.serverID, address: address, fixed: fixed, log: log}
	defaultFile := filepath.Join(cfg.Data, "default.msh")
	if err := files.save(group, defaultFile); err != nil {
		return nil, err
	}

	// Agents.
	feed := &web.Feed{}
	online := func(key nodeid.NodeKey) (*agentproto.Session, bool) { return s.agents.Session(key) }
	s.recorder = newRecorder(s.store, feed, online, log)
	s.rules = &agents{store: s.store, rec: s.recorder, cores: cores, log: log}
	s.agents, err = agentproto.NewServer(agentproto.ServerConfig{
		Identities:     id.agents,
		WebHashes:      id.webHashes,
		Domain:         s.rules.domain,
		Login:          s.rules.login,
		Core:           s.rules.core,
		Handler:        s.rules.serve,
		CompressCores:  true,
		Limits:         agentproto.Limits{Message: maxMessage},
		TrustedProxies: cfg.TrustedProxies,
		Logger:         log,
		Trace:          &agentproto.Trace{BadWebHash: id.badWebHash},
	})
	if err != nil {
		return nil, err
	}

	// Browsers.
	s.pages = web.New(web.Config{
		Source: &view{store: s.store, agents: s.agents, settings: files}, Feed: feed,
		Password: s.password, TrustedProxies: cfg.TrustedProxies, Logger: log,
	})
	mux := http.NewServeMux()
	mux.Handle("GET /agent.ashx", s.agents)
	mux.Handle("GET /{domain}/agent.ashx", s.agents)
	mux.Handle("GET /meshsettings", files)
	mux.HandleFunc("GET /health.ashx", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	mux.Handle("/", s.pages)
	s.http = &http.Server{
		Handler:           web.Protect(mux),
		TLSConfig:         id.tls,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){}, // no HTTP/2, see loadIdentity
		ErrorLog:          stdlog.New(httpErrors{log}, "", 0),
	}
	s.http.RegisterOnShutdown(s.pages.Close)
	err = s.store.Update(ctx, func(tx *sqlstore.Tx) error {
		return tx.AppendEvent(sqlstore.Event{Time: time.Now(), Kind: sqlstore.ServerStarted, Addr: s.listener.Addr().String()})
	})
	if err != nil {
		return nil, err
	}
	// Last, as nothing may fail between a new password and its being printed.
	madeAdmin, err := setAdmin(ctx, s.store, cfg.Admin)
	if err != nil {
		return nil, err
	}
	s.welcome = welcome(cfg, address, defaultFile, files.path(group.Key), madeAdmin)
	return s, nil
}

// password finds the hash of a user's password for the pages.
func (s *server) password(ctx context.Context, name string) (hash string, err error) {
	err = s.store.View(ctx, func(tx *sqlstore.Tx) error {
		u, err := tx.User(name)
		if errors.Is(err, sqlstore.ErrNotFound) || err == nil && !u.Admin {
			return nil
		}
		hash = string(u.Password)
		return err
	})
	return hash, err
}

// httpErrors logs what http.Server complains about. Connections that are no TLS come from scanners, all day.
type httpErrors struct{ log *slog.Logger }

func (h httpErrors) Write(line []byte) (int, error) {
	level := slog.LevelWarn
	if bytes.HasPrefix(line, []byte("http: TLS handshake error")) {
		level = slog.LevelDebug
	}
	h.log.Log(context.Background(), level, strings.TrimSpace(string(line)))
	return len(line), nil
}

// closeTime is how long agents have to take notice that the server is going, requestTime how long requests have to end.
const (
	closeTime   = 15 * time.Second
	requestTime = 3 * time.Second
)

// close ends what runs, in the order in which one part uses the other, and stores what is still to be stored.
func (s *server) close() error {
	var parts sync.WaitGroup
	var pages, agents error
	parts.Go(func() { pages = s.closePages() })
	parts.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		agents = s.agents.Shutdown(ctx) // closes the WebSockets, and waits for what agents sent
	})
	parts.Wait()
	s.recorder.close()
	return errors.Join(pages, agents,
		s.store.Update(context.Background(), func(tx *sqlstore.Tx) error {
			return tx.AppendEvent(sqlstore.Event{Time: time.Now(), Kind: sqlstore.ServerStopped})
		}),
		s.store.Close(),
		s.lock.Close())
}

// closePages takes no new connections and waits for requests, but not for one that does not end.
func (s *server) closePages() error {
	ctx, cancel := context.WithTimeout(context.Background(), requestTime)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("requests that did not end are cut off")
		err = s.http.Close()
	}
	return err
}
