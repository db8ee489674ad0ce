package controlproto

import (
	"fmt"
	"net/netip"
)

// CookieIPPolicy says how a cookie is bound to the address that it was given to (setting cookieIpCheck). A cookie without
// an address is bound to none, whatever the policy. Confirmed in webserver.js, checkCookieIp.
type CookieIPPolicy uint8

const (
	// CookieIPLax wants an address of the same network of 256 (IPv4) or of the same /64 (IPv6), or two that are both
	// private or loopback. Stock servers compare the first 24 bits of IPv6 addresses, which makes one network of all
	// customers of a provider, and count more networks as private.
	CookieIPLax CookieIPPolicy = iota
	// CookieIPStrict wants the same address.
	CookieIPStrict
	// CookieIPNone takes any.
	CookieIPNone
)

// ParseCookieIPPolicy reads the value of the setting; the empty text is the default, "lax".
func ParseCookieIPPolicy(text string) (CookieIPPolicy, error) {
	switch text {
	case "", "lax":
		return CookieIPLax, nil
	case "strict":
		return CookieIPStrict, nil
	case "none":
		return CookieIPNone, nil
	}
	return CookieIPStrict, fmt.Errorf("controlproto: cookie address policy %.64q is none of lax, strict, none", text)
}

// String returns the value of the setting.
func (p CookieIPPolicy) String() string {
	switch p {
	case CookieIPLax:
		return "lax"
	case CookieIPStrict:
		return "strict"
	case CookieIPNone:
		return "none"
	}
	return fmt.Sprintf("CookieIPPolicy(%d)", uint8(p))
}

// Check says whether somebody at the address may use the cookie: nil or an [ErrCookieAddress]. IPv4 addresses written as
// IPv6 are the same as those written as IPv4.
func (p CookieIPPolicy) Check(c *Cookie, client netip.Addr) error {
	if !c.Address.IsValid() || p == CookieIPNone {
		return nil
	}
	made, client := c.Address.Unmap(), client.Unmap()
	if made == client {
		return nil
	}
	if p == CookieIPLax && (sameNetwork(made, client) || isPrivate(made) && isPrivate(client)) {
		return nil
	}
	return fmt.Errorf("%w: %v, not %v (policy %v)", ErrCookieAddress, made, client, p)
}

func sameNetwork(a, b netip.Addr) bool {
	if a.BitLen() != b.BitLen() {
		return false
	}
	bits := 24
	if a.Is6() {
		bits = 64
	}
	network, err := a.Prefix(bits)
	return err == nil && network.Contains(b.WithZone(""))
}

// sharedAddresses are those of providers' own networks (RFC 6598).
var sharedAddresses = netip.MustParsePrefix("100.64.0.0/10")

func isPrivate(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || sharedAddresses.Contains(a)
}
