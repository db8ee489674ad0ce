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
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
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
	go func() {
		if cfg.File.TLSOffload {
			served <- s.http.Serve(s.listener)
		} else {
			served <- s.http.ServeTLS(s.listener, "", "")
		}
	}()
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
	*site
	lock     *flock.Flock // of the data folder
	listener net.Listener
	recorder *recorder
	rules    *agents
	agents   *agentproto.Server
	records  *controlserver.Server // what operators' actions do
	channel  *controlproto.Server  // operators' sessions
	pages    *web.Handler
	http     *http.Server
	stop     context.CancelFunc // of what runs beside
	welcome  string
}

// open makes everything ready to serve. It listens first, and reads before it writes: with a taken port or a wrong flag
// nothing is touched.
func open(ctx context.Context, cfg config, log *slog.Logger) (_ *server, err error) {
	s := &server{site: &site{cfg: cfg, log: log}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.abandon())
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
	if s.identity, err = loadIdentity(cfg, host, log); err != nil {
		return nil, err
	}
	if !fixed {
		address = net.JoinHostPort(s.identity.host(host), port)
	}
	s.address, s.fixed = address, fixed
	if s.store, err = sqlstore.Open(ctx, filepath.Join(cfg.Data, "meshcentral-go.sqlite")); err != nil {
		return nil, err
	}
	if err := importStock(ctx, s.store, cfg.Data, log); err != nil {
		return nil, err
	}
	if s.tenants, err = findTenants(ctx, s.store, &cfg.File); err != nil {
		return nil, err
	}

	// Operators' actions.
	who := &online{}
	if s.records, err = openRecords(ctx, s.site, who); err != nil {
		return nil, err
	}
	if err := removeTemporary(ctx, s.store, s.records); err != nil {
		return nil, err
	}
	group, err := setGroup(ctx, s.store, s.records)
	if err != nil {
		return nil, err
	}
	files := &settings{s.site}
	defaultFile := filepath.Join(cfg.Data, "default.msh")
	if err := files.save(group, defaultFile); err != nil {
		return nil, err
	}

	// Agents.
	feed := &web.Feed{}
	s.recorder = &recorder{
		records: s.records, feed: feed, wanOnly: cfg.File.WANOnly, log: log,
		online: func(key nodeid.NodeKey) (*agentproto.Session, bool) { return s.agents.Session(key) },
		trim: func(now time.Time) error {
			_, err := s.store.TrimEvents(context.Background(), now.Add(-cfg.File.eventsFor()), maxEvents)
			return err
		},
	}
	s.rules = &agents{store: s.store, records: s.records, rec: s.recorder, cores: cores, log: log}
	if s.agents, err = openAgents(s); err != nil {
		return nil, err
	}
	who.agents = s.agents

	// Operators and browsers.
	if s.channel, err = openChannel(s.site, s.records, func() *web.Handler { return s.pages }); err != nil {
		return nil, err
	}
	s.pages = web.New(web.Config{
		Source: &view{store: s.store, records: s.records, agents: s.agents, tenants: s.tenants, settings: files}, Feed: feed,
		Logins: &logins{s.records, s.channel, cfg.File.urlKeys}, TrustedProxies: cfg.TrustedProxies, Logger: log,
	})
	s.http = &http.Server{
		Handler:           s.handler(files),
		TLSConfig:         s.identity.tls,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){}, // no HTTP/2, see loadIdentity
		ErrorLog:          stdlog.New(httpErrors{log}, "", 0),
	}
	s.http.RegisterOnShutdown(s.pages.Close)
	if err := s.logServer(ctx, "started", "Server started"); err != nil {
		return nil, err
	}
	// Last, as nothing may fail between a new password and its being printed.
	madeAdmin, err := setAdmin(ctx, s.records, cfg.Admin, group.ID)
	if err != nil {
		return nil, err
	}
	s.recorder.begin()
	ctx, s.stop = context.WithCancel(context.Background())
	go s.identity.run(ctx)
	go s.tick(ctx)
	s.welcome = welcome(cfg, address, defaultFile, files.path(group.ID), madeAdmin)
	return s, nil
}

// abandon closes what open has opened before it failed.
func (s *server) abandon() (err error) {
	if s.records != nil {
		s.records.Close()
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	if s.listener != nil {
		err = errors.Join(err, s.listener.Close())
	}
	if s.store != nil {
		err = errors.Join(err, s.store.Close())
	}
	return err
}

// openAgents makes the agents' part.
func openAgents(s *server) (*agentproto.Server, error) {
	return agentproto.NewServer(agentproto.ServerConfig{
		Identities:     s.identity.agents,
		WebHashes:      s.identity.webHashes,
		Domain:         s.rules.domain,
		Login:          s.rules.login,
		Core:           s.rules.core,
		Handler:        s.rules.serve,
		CompressCores:  true,
		Limits:         agentproto.Limits{Message: maxMessage},
		KeepAlive:      s.cfg.File.KeepAlive,
		TrustedProxies: s.cfg.TrustedProxies,
		Logger:         s.log,
		Trace:          &agentproto.Trace{BadWebHash: s.identity.badWebHash},
	})
}

// handler is everything that the server answers. Each tenant has all of it.
func (s *server) handler(files *settings) http.Handler {
	mux := http.NewServeMux()
	for _, prefix := range []string{"", "/{domain}"} { // the second: a domain that there is not
		mux.Handle("GET "+prefix+"/agent.ashx", s.agents)
	}
	mux.Handle("GET /meshsettings", files)
	agents := &programs{settings: files, folder: s.cfg.Core}
	mux.Handle("GET /meshagents", agents)
	links := &guests{settings: files, records: s.records, programs: agents, pages: s.pages}
	mux.HandleFunc("GET /agentinvite", links.invite)
	mux.HandleFunc("GET /sharing", links.share)
	mux.HandleFunc("GET /health.ashx", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	mux.Handle("/", s.pages)

	// Pages of other sites are refused by all of these in the same way, but for the control channel, which says so in its
	// own words.
	all := http.NewServeMux()
	for _, prefix := range []string{"", "/{domain}"} {
		all.Handle("GET "+prefix+"/control.ashx", s.channel)
	}
	origins := s.channel.Origins()
	all.Handle("/", web.Protect(mux, func(r *http.Request) error { return origins.Check(r, true) }))
	return s.tenants.handler(all)
}

// logServer logs something that the server itself did.
func (s *server) logServer(ctx context.Context, action, text string) error {
	return s.records.Dispatch(ctx, &controlproto.Event{Type: "server", Action: action, Msg: text}, "*")
}

// tick does what is due from time to time.
func (s *server) tick(ctx context.Context) {
	t := time.NewTicker(time.Minute)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			s.records.Tick()
		case <-ctx.Done():
			return
		}
	}
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
	s.stop()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	var parts sync.WaitGroup
	var pages, operators, agents error
	parts.Go(func() { pages = s.closePages() })
	parts.Go(func() { operators = s.channel.Shutdown(ctx) })
	parts.Go(func() { agents = s.agents.Shutdown(ctx) }) // closes the WebSockets, and waits for what agents sent
	parts.Wait()
	s.recorder.close()
	err := errors.Join(pages, operators, agents, s.logServer(context.Background(), "stopped", "Server stopped"))
	s.records.Close()
	return errors.Join(err, s.store.Close(), s.lock.Close())
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
