//go:build !js

package agentproto

import (
	"context"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// ServerDiscoverySockets opens the sockets of a server on port 16989: for IPv4 and IPv6 one on each interface that can
// multicast. It announces to the groups, and to agents on the same machine. Multicasts have a hop limit of 1 and so stay in
// the local network (the stock server lets multicast routers pass them on).
func ServerDiscoverySockets() ([]DiscoverySocket, error) {
	return discoverySockets(DiscoveryServerPort, DiscoveryAgentPort)
}

// AgentDiscoverySockets opens the sockets of an agent: per interface one for questions, on a random port, and, as far as
// other agents on the machine allow it, one on port 16990 that hears announcements.
func AgentDiscoverySockets() ([]DiscoverySocket, error) {
	sockets, err := discoverySockets(0, DiscoveryServerPort)
	if err != nil {
		return nil, err
	}
	if more, err := discoverySockets(DiscoveryAgentPort, 0); err == nil {
		sockets = append(sockets, more...)
	}
	return sockets, nil
}

// discoverySockets binds to port; with a target port the sockets have targets.
func discoverySockets(port, target int) ([]DiscoverySocket, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("%w: network interfaces: %w", ErrDiscovery, err)
	}
	var sockets []DiscoverySocket
	var failures []error
	open := func(ifi *net.Interface, network string, group netip.Addr, local string) {
		s := DiscoverySocket{IPv6: group.Is6()}
		ip := net.IP(group.AsSlice())
		var conn *net.UDPConn
		var err error
		if ifi != nil {
			conn, err = net.ListenMulticastUDP(network, ifi, &net.UDPAddr{IP: ip, Port: port})
		} else {
			conn, err = net.ListenUDP(network, &net.UDPAddr{Port: port})
		}
		if err != nil {
			failures = append(failures, err)
			return
		}
		s.Conn = conn
		if target != 0 {
			if ifi != nil {
				to := &net.UDPAddr{IP: ip, Port: target}
				if s.IPv6 {
					to.Zone = ifi.Name
				}
				s.Targets = append(s.Targets, to)
			}
			// Once is enough for the programs on this machine.
			first := true
			for _, other := range sockets {
				first = first && other.IPv6 != s.IPv6
			}
			if first {
				s.Targets = append(s.Targets, &net.UDPAddr{IP: net.ParseIP(local), Port: target})
			}
		}
		sockets = append(sockets, s)
	}
	both := func(ifi *net.Interface) {
		open(ifi, "udp4", discoveryGroup4, "127.0.0.1")
		open(ifi, "udp6", discoveryGroup6, "::1")
	}
	const usable = net.FlagUp | net.FlagMulticast
	for i := range interfaces {
		if interfaces[i].Flags&usable == usable && interfaces[i].Flags&net.FlagLoopback == 0 {
			both(&interfaces[i])
		}
	}
	if len(sockets) == 0 {
		both(nil) // without a network there still is this machine
	}
	if len(sockets) == 0 {
		return nil, fmt.Errorf("%w: no socket on UDP port %d: %w", ErrDiscovery, port, errors.Join(failures...))
	}
	return sockets, nil
}

// Run serves until ctx is done, and then returns nil. It opens its sockets again at each announcement, so that it
// follows interfaces that come and go. It fails only if the sockets cannot be opened the first time.
func (r *Responder) Run(ctx context.Context) error {
	open := r.cfg.Sockets
	if open == nil {
		open = ServerDiscoverySockets
	}
	for first := true; ctx.Err() == nil; first = false {
		sockets, err := open()
		if err != nil {
			if first {
				return err
			}
			r.log.Warn("discovery sockets not opened, trying again in a minute", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Minute):
			}
			continue
		}
		round, cancel := context.WithTimeout(ctx, r.cfg.Interval)
		r.serve(round, sockets, nil)
		cancel()
	}
	return nil
}

// Serve announces the server on the sockets, at once and after each interval, and answers what comes in, until ctx is done.
// It closes the sockets.
func (r *Responder) Serve(ctx context.Context, sockets ...DiscoverySocket) {
	ticker := time.NewTicker(r.cfg.Interval)
	defer ticker.Stop()
	r.serve(ctx, sockets, ticker.C)
}

// serve announces at once and then at each tick.
func (r *Responder) serve(ctx context.Context, sockets []DiscoverySocket, tick <-chan time.Time) {
	var readers sync.WaitGroup
	for _, s := range sockets {
		readers.Go(func() {
			readDiscovery(s.Conn, r.log, func(packet []byte, from net.Addr, addr netip.Addr) {
				if answer := r.Answer(packet, addr, time.Now()); answer != nil {
					writeDiscovery(s.Conn, r.log, answer, from)
				}
			})
		})
	}
	for {
		for _, s := range sockets {
			if advert := r.Advert(s.IPv6); advert != nil {
				for _, to := range s.Targets {
					writeDiscovery(s.Conn, r.log, advert, to)
				}
			}
		}
		select {
		case <-ctx.Done():
			closeDiscovery(sockets, r.log)
			readers.Wait()
			return
		case <-tick:
		}
	}
}

// readDiscovery reads until the connection is closed, or fails too often in a row.
func readDiscovery(conn net.PacketConn, log *slog.Logger, got func(packet []byte, from net.Addr, addr netip.Addr)) {
	buf := make([]byte, 2048) // longer packets are cut, and then refused for their length
	for failures := 0; failures < 32; {
		n, from, err := conn.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Windows reports here that an earlier packet found no listener.
			failures++
			log.Debug("discovery socket", "error", err)
			continue
		}
		failures = 0
		var addr netip.Addr
		if u, ok := from.(*net.UDPAddr); ok {
			addr = u.AddrPort().Addr()
		} else if ap, err := netip.ParseAddrPort(from.String()); err == nil {
			addr = ap.Addr()
		}
		if addr.IsValid() {
			got(buf[:n], from, addr)
		}
	}
	log.Warn("discovery socket given up", "address", conn.LocalAddr().String())
}

func writeDiscovery(conn net.PacketConn, log *slog.Logger, packet []byte, to net.Addr) {
	if _, err := conn.WriteTo(packet, to); err != nil && !errors.Is(err, net.ErrClosed) {
		log.Debug("discovery packet not sent", "to", to.String(), "error", err)
	}
}

func closeDiscovery(sockets []DiscoverySocket, log *slog.Logger) {
	for _, s := range sockets {
		if err := s.Conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			log.Debug("discovery socket", "error", err)
		}
	}
}

// DiscoverConfig says which server an agent looks for.
type DiscoverConfig struct {
	// ServerID is the server's, from the settings file (.msh).
	ServerID [sha512.Size384]byte
	// Key encrypts all packets; nil for none.
	Key *DiscoveryKey
	// Retry is the time before the second question; it doubles each time, up to a minute. One second if zero.
	Retry time.Duration
	// Sockets opens the sockets; nil for [AgentDiscoverySockets].
	Sockets func() ([]DiscoverySocket, error)
	// Rand gives the random bytes for Key; nil for crypto/rand.
	Rand io.Reader
	// Logger may be nil.
	Logger *slog.Logger
}

// Discover asks the local network for a server, and listens for its announcements, until one with its id answers or ctx
// is done. It returns the URL to connect to. That the id was right proves nothing: the login does.
func Discover(ctx context.Context, cfg DiscoverConfig) (string, error) {
	if cfg.ServerID == [sha512.Size384]byte{} {
		return "", fmt.Errorf("%w: no server id to look for", ErrDiscovery)
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	open := cfg.Sockets
	if open == nil {
		open = AgentDiscoverySockets
	}
	wait := cfg.Retry
	if wait <= 0 {
		wait = time.Second
	}
	sockets, err := open()
	if err != nil {
		return "", err
	}
	var readers sync.WaitGroup
	defer readers.Wait()
	defer closeDiscovery(sockets, log)
	found := make(chan string, 1)
	for _, s := range sockets {
		readers.Go(func() {
			readDiscovery(s.Conn, log, func(packet []byte, _ net.Addr, addr netip.Addr) {
				url, err := AcceptDiscovery(packet, cfg.ServerID, cfg.Key, addr)
				if err != nil {
					log.Debug("discovery packet refused", "from", addr.String(), "error", err)
					return
				}
				select {
				case found <- url:
				default: // there is one already
				}
			})
		})
	}
	query := AppendDiscoveryQuery(nil, cfg.ServerID)
	for {
		packet, err := cfg.Key.Seal(nil, cfg.Rand, query)
		if err != nil {
			return "", err
		}
		for _, s := range sockets {
			for _, to := range s.Targets {
				writeDiscovery(s.Conn, log, packet, to)
			}
		}
		timer := time.NewTimer(wait)
		select {
		case url := <-found:
			timer.Stop()
			return url, nil
		case <-ctx.Done():
			timer.Stop()
			return "", fmt.Errorf("%w: no answer: %w", ErrDiscovery, ctx.Err())
		case <-timer.C:
		}
		wait = min(2*wait, time.Minute)
	}
}
