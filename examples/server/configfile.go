package main

import (
	"cmp"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
)

// fileConfig is what MeshCentral's config.json says, as far as this server honours it.
type fileConfig struct {
	LoginCookieKey, InviteCookieKey *controlproto.CookieKey
	ManageAll, InterUser            []controlproto.ID
	CookieIP                        controlproto.CookieIPPolicy
	CookieEncoding                  controlproto.CookieEncoding
	Origins                         []string
	MaxSessions, MaxUserSessions    int
	EventsFor                       time.Duration // 0: eventLifetime
	FailedLogins                    controlproto.FailedLogins
	AgentPing                       time.Duration
	Domains                         map[string]domainConfig
}

// domainConfig is what it says of one domain.
type domainConfig struct {
	tenant
	URLKeys []controlproto.Secret
}

func (f *fileConfig) domain(id string) domainConfig { return f.Domains[id] }

func (f *fileConfig) eventsFor() time.Duration { return cmp.Or(f.EventsFor, eventLifetime) }
