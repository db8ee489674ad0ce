package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	stdlog "log"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/examples/server/web"
)

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
	// What waits for its connections itself is not counted.
	counted := s.requests.counted
	mux := http.NewServeMux()
	for _, prefix := range []string{"", "/{domain}"} { // the second: a domain that there is not
		mux.Handle("GET "+prefix+"/agent.ashx", s.agents)
		mux.Handle("GET "+prefix+"/apf.ashx", s.amt.server.Handler())
	}
	mux.Handle("GET /meshsettings", counted(files))
	agents := &programs{settings: files, folder: s.cfg.Core}
	mux.Handle("GET /meshagents", counted(agents))
	links := &guests{settings: files, records: s.records, programs: agents, pages: s.pages}
	mux.Handle("GET /agentinvite", counted(http.HandlerFunc(links.invite)))
	mux.Handle("GET /sharing", counted(http.HandlerFunc(links.share)))
	mux.Handle("GET /recordings.ashx", counted(recordingFiles{s}))
	mux.HandleFunc("GET /health.ashx", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	mux.Handle("/", counted(s.pages))

	// Pages of other sites are refused by all of these in the same way, but for the control channel and the tunnels, which
	// say so in their own words.
	all := http.NewServeMux()
	for _, prefix := range []string{"", "/{domain}"} {
		all.Handle("GET "+prefix+"/control.ashx", s.channel)
		all.Handle("GET "+prefix+"/meshrelay.ashx", s.tunnels.relay)
		all.Handle("GET "+prefix+"/webrelay.ashx", counted(s.relays))
	}
	origins := s.channel.Origins()
	all.Handle("/", web.Protect(mux, func(r *http.Request) error { return origins.Check(r, true) }))
	return s.tenants.handler(all)
}

// newHTTP is the HTTP server around it.
func (s *server) newHTTP(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		TLSConfig:         s.identity.tls,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){}, // no HTTP/2, see loadIdentity
		ErrorLog:          stdlog.New(httpErrors{s.log}, "", 0),
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
