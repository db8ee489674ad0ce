// Package realip finds the address of an HTTP client behind trusted proxies.
package realip

import (
	"net/http"
	"net/netip"
	"strings"
)

// From returns the address of the client that sent r. Headers count only if the TCP peer is one of the trusted proxies:
// X-Forwarded-For, which every proxy appends to, and where there is none X-Real-Ip. X-Forwarded-For is read from its end,
// past trusted proxies: what stands before the first untrusted address was written by the client and proves nothing. Nor
// does Cf-Connecting-Ip, which the stock server takes first: most proxies pass on what a client put there. The result is
// invalid if the peer's address can not be read.
func From(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer := parse(r.RemoteAddr)
	if !contains(trusted, peer) {
		return peer
	}
	if hops := r.Header.Values("X-Forwarded-For"); len(hops) > 0 {
		list := strings.Split(strings.Join(hops, ","), ",")
		client := peer
		for i := len(list) - 1; i >= 0; i-- {
			a := parse(list[i])
			if !a.IsValid() {
				break
			}
			client = a
			if !contains(trusted, a) {
				break
			}
		}
		return client
	}
	if a := parse(r.Header.Get("X-Real-Ip")); a.IsValid() {
		return a
	}
	return peer
}

// parse reads an address with or without a port.
func parse(s string) netip.Addr {
	s = strings.TrimSpace(s)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap()
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap()
}

func contains(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
