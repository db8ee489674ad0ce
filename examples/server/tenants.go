package main

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
	"github.com/meshcentral-go/sdk/examples/server/web"
)

// tenant is a domain of the server, and where it is: at a DNS name of its own, or below a path, or, the default one, at
// the root of every other name.
type tenant struct {
	controlserver.Domain
	DNS string // lower case; "" is by path
}

// ownPaths are the first parts of paths that belong to the server itself, besides those that end in .ashx.
var ownPaths = []string{"login", "logout", "events", "live", "static", "meshsettings", "meshagents", "agentinvite", "sharing"}

// base is the path of the tenant's pages, with a slash at the end.
func (t *tenant) base() string {
	if t.ID == "" || t.DNS != "" {
		return "/"
	}
	return "/" + t.ID + "/"
}

// tenants are all domains, by id.
type tenants map[string]*tenant

// domains are the tenants as package controlserver takes them.
func (ts tenants) domains() []controlserver.Domain {
	var list []controlserver.Domain
	for _, id := range slices.Sorted(maps.Keys(ts)) {
		list = append(list, ts[id].Domain)
	}
	return list
}

// find returns the tenant that a request is for (webserver.js, getDomain).
func (ts tenants) find(r *http.Request) *tenant {
	if host := hostName(r.Host); host != "" {
		for _, t := range ts {
			if t.DNS == host {
				return t
			}
		}
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if t := ts[strings.ToLower(first)]; t != nil && t.DNS == "" {
		return t
	}
	return ts[""]
}

// hostName is the name in a Host header.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

type tenantKey struct{}

// handler finds the tenant of each request, for tenantOf, and takes its path away: what is behind sees every tenant at
// the root.
func (ts tenants) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := ts.find(r)
		base := t.base()
		r = r.WithContext(context.WithValue(r.Context(), tenantKey{}, t))
		if base == "/" {
			next.ServeHTTP(w, r)
			return
		}
		prefix := r.URL.Path[:min(len(r.URL.Path), len(base)-1)] // as it is written
		if rest := r.URL.Path[len(prefix):]; rest == "" || strings.HasPrefix(rest, "//") {
			// To the right path of the same domain, with the key that the domain may ask for.
			to := url.URL{Path: base + strings.TrimLeft(rest, "/"), RawQuery: r.URL.RawQuery}
			web.Protect(http.RedirectHandler(to.String(), http.StatusPermanentRedirect), nil).ServeHTTP(w, r)
			return
		}
		http.StripPrefix(prefix, next).ServeHTTP(w, r)
	})
}

// errNoDomain says that a request is for a domain that there is not.
var errNoDomain = errors.New("no such domain")

// tenantOf returns the tenant that handler found. A path with a domain that there is not leaves it in front of an endpoint
// that every domain has.
func tenantOf(r *http.Request) (*tenant, bool) {
	t, ok := r.Context().Value(tenantKey{}).(*tenant)
	if !ok || r.PathValue("domain") != "" {
		return nil, false
	}
	return t, true
}

// findTenants returns the domains of the configuration, the default one, and those that groups and accounts are in: those
// of a MeshCentral that was taken over.
func findTenants(ctx context.Context, store controlserver.Store, file *fileConfig) (tenants, error) {
	ts := tenants{"": {}}
	for id, d := range file.Domains {
		ts[id] = &d.tenant
	}
	err := store.View(ctx, func(tx controlserver.StoreTx) error {
		for _, kind := range []controlserver.Kind{controlserver.KindDeviceGroup, controlserver.KindAccount} {
			records, err := tx.List(kind, controlserver.Query{})
			if err != nil {
				return err
			}
			for _, r := range records {
				if id := controlproto.ID(r.ID).Domain(); ts[id] == nil {
					ts[id] = &tenant{Domain: controlserver.Domain{ID: id}}
				}
			}
		}
		return nil
	})
	return ts, err
}
