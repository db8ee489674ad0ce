package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/examples/server/sqlstore"
	"github.com/meshcentral-go/sdk/examples/server/web"
	"github.com/meshcentral-go/sdk/nodeid"
)

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
	tunnels  *tunnels
	amt      *amt
	relays   *webRelay
	pages    *web.Handler
	http     *http.Server
	requests requests
	stop     context.CancelFunc // of what runs beside
	beside   sync.WaitGroup
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
	s.amt = &amt{site: s.site}
	if s.amt.listener, err = listenMPS(ctx, cfg); err != nil {
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
	if now := time.Now(); now.After(s.identity.expires) {
		log.Warn("the TLS certificate has expired: operators and browsers will not connect", "at", s.identity.expires)
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
	if a := cfg.Admin; a != nil && s.tenants[a.Domain] == nil {
		return nil, fmt.Errorf("administrator: %s has no domain %.64q", configName, a.Domain)
	}

	// Operators' actions.
	who := &online{}
	s.tunnels = &tunnels{site: s.site}
	if err := s.tunnels.openRecordings(); err != nil {
		return nil, err
	}
	if s.records, err = openRecords(ctx, s.site, who, s.tunnels); err != nil {
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
		amt:    func(key nodeid.NodeKey) controlserver.State { return amtState(s.amt.server.Registry(), key) },
		trim: func(now time.Time) error {
			_, err := s.store.TrimEvents(context.Background(), now.Add(-cfg.File.eventsFor()), maxEvents)
			return errors.Join(err, s.records.Prune(context.Background())) // what has expired
		},
	}
	s.rules = &agents{store: s.store, records: s.records, rec: s.recorder, online: who, cores: cores, log: log}
	if s.agents, err = openAgents(s); err != nil {
		return nil, err
	}
	if err := s.amt.open(s); err != nil {
		return nil, err
	}
	s.rules.amt = s.amt
	who.agents, who.amt = s.agents, s.amt.server.Registry()

	// Operators and browsers.
	if s.channel, err = openChannel(s.site, s.records, func() *web.Handler { return s.pages }); err != nil {
		return nil, err
	}
	s.pages = web.New(web.Config{
		Source: &view{store: s.store, records: s.records, agents: s.agents, tenants: s.tenants, settings: files}, Feed: feed,
		Logins: &logins{s.store, s.records, s.channel, cfg.File.urlKeys}, TrustedProxies: cfg.TrustedProxies, Logger: log,
	})
	if err := s.tunnels.open(s); err != nil {
		return nil, err
	}
	s.relays = &webRelay{site: s.site, records: s.records, channel: s.channel, rec: s.recorder, devices: s.amt.server.Registry()}
	s.http = s.newHTTP(s.handler(files))
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
	s.beside.Go(func() { s.identity.run(ctx) })
	s.beside.Go(func() { s.tick(ctx) })
	s.beside.Go(s.amt.serve)
	s.welcome = welcome(cfg, address, s.amt.address(), defaultFile, files.path(group.ID), s.identity.serverID, madeAdmin)
	return s, nil
}

// serve answers until close, with http.ErrServerClosed then.
func (s *server) serve() error {
	if s.cfg.File.TLSOffload {
		return s.http.Serve(s.listener)
	}
	return s.http.ServeTLS(s.listener, "", "")
}

// abandon closes what open has opened before it failed.
func (s *server) abandon() (err error) {
	if s.tunnels != nil && s.tunnels.relay != nil {
		err = s.tunnels.relay.Close()
		s.tunnels.suspects.close()
	}
	if s.records != nil {
		s.records.Close()
	}
	if s.tunnels != nil {
		err = errors.Join(err, s.tunnels.closeRecordings())
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	if s.listener != nil {
		err = errors.Join(err, s.listener.Close())
	}
	if s.amt != nil && s.amt.listener != nil {
		err = errors.Join(err, s.amt.listener.Close())
	}
	if s.store != nil {
		err = errors.Join(err, s.store.Close())
	}
	return err
}

// logServer logs something that the server itself did, for the pages: stock servers do not show it to operators either.
func (s *server) logServer(ctx context.Context, action, text string) error {
	return s.records.Dispatch(ctx, &controlproto.Event{Type: "server", Action: action, Msg: text}, toPages)
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

// closeTime is how long agents have to take notice that the server is going, requestTime how long requests have to end.
const (
	closeTime   = 30 * time.Second
	requestTime = 3 * time.Second
)

// close ends what runs, in the order in which one part uses the other, and stores what is still to be stored.
func (s *server) close() error {
	s.stop()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	var parts sync.WaitGroup
	var pages, operators, tunnels, agents, amt error
	parts.Go(func() { pages = s.closePages() })
	parts.Go(func() { operators = s.channel.Shutdown(ctx) })
	parts.Go(func() { tunnels = s.tunnels.close(ctx) })
	parts.Go(func() { agents = s.agents.Shutdown(ctx) }) // closes the WebSockets, and waits for what agents sent
	parts.Go(func() { amt = s.amt.server.Shutdown(ctx) })
	parts.Wait()
	if left := s.requests.wait(ctx); left > 0 {
		s.log.Warn("requests do not end, and are left", "requests", left)
	}
	s.beside.Wait() // nothing of it waits for others
	s.recorder.close()
	err := errors.Join(pages, operators, tunnels, agents, amt, s.logServer(context.Background(), "stopped", "Server stopped"))
	s.records.Close()
	return errors.Join(err, s.tunnels.closeRecordings(), s.store.Close(), s.lock.Close())
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
