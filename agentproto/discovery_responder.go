package agentproto

import (
	"crypto/sha512"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/internal/ratelimit"
)

// DiscoverySocket is a UDP socket that discovery uses. The zero value of all but Conn is useful.
type DiscoverySocket struct {
	// Conn is read, and closed by whoever it is given to.
	Conn net.PacketConn
	// Targets get the announcements (of a [Responder]) or the questions (of [Discover]); none if it only listens.
	Targets []net.Addr
	// IPv6 says which form the announcements have.
	IPv6 bool
}

// ResponderConfig is what a server says of itself in its network.
type ResponderConfig struct {
	// ServerID is the key hash of the agent server's certificate.
	ServerID [sha512.Size384]byte
	// Port is that of the web server, as agents reach it.
	Port uint16
	// Host is put into answers to tools in place of the address, if it has a dot in it. Agents always get the address.
	Host string
	// Name and Info are shown by tools; "MeshCentral" and Host if empty.
	Name, Info string
	// Key encrypts all packets; nil for none.
	Key *DiscoveryKey
	// Interval between announcements; 20 minutes if zero.
	Interval time.Duration
	// AllowSource may refuse to answer an address; nil allows all.
	AllowSource func(netip.Addr) bool
	// Sockets opens the sockets to serve, for [Responder.Run]; nil for one per interface on port 16989.
	Sockets func() ([]DiscoverySocket, error)
	// Rand gives the random bytes for Key; nil for crypto/rand.
	Rand io.Reader
	// Logger may be nil.
	Logger *slog.Logger
}

// Responder is the server's side of discovery: it answers the questions that name its id, and announces itself.
//
// UDP sources can be forged, so it must not be of use to flood others: an agent is answered only if it knows the id, with
// little more bytes than it sent; a tool's scan (14 bytes) gets more, and both are answered at most 8 times at once and once a
// second for an address (a /64 for IPv6), 64 times a second for all.
type Responder struct {
	cfg    ResponderConfig
	agent4 []byte // answers before encryption
	agent6 []byte
	tool4  []byte
	tool6  []byte
	query  []byte
	log    *slog.Logger
	limit  *answerLimiter
}

// NewResponder checks cfg. A name or info too long for a packet is cut.
func NewResponder(cfg ResponderConfig) (*Responder, error) {
	if cfg.ServerID == [sha512.Size384]byte{} {
		return nil, errors.New("agentproto: discovery responder without a server id")
	}
	if cfg.Port == 0 {
		return nil, errors.New("agentproto: discovery responder without a port")
	}
	for _, c := range []byte(cfg.Host) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("/|%?#@\\", c) >= 0 {
			return nil, errors.New("agentproto: discovery responder: " + strconv.Quote(cutText(cfg.Host, 64)) + " is no host name")
		}
	}
	if cfg.Interval == 0 {
		cfg.Interval = 20 * time.Minute
	}
	if cfg.Interval < time.Second {
		return nil, errors.New("agentproto: discovery responder: announcements more than once a second")
	}
	if cfg.Name == "" {
		cfg.Name = "MeshCentral"
	}
	if cfg.Info == "" {
		cfg.Info = cfg.Host
	}
	r := &Responder{cfg: cfg, log: cfg.Logger, query: AppendDiscoveryQuery(nil, cfg.ServerID), limit: newAnswerLimiter()}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	tail := ":" + strconv.Itoa(int(cfg.Port)) + "/agent.ashx"
	tool := DiscoveryAnswer{
		Name: strings.ReplaceAll(cleanText(cfg.Name, 128, false), "|", " "),
		Info: strings.ReplaceAll(cleanText(cfg.Info, 128, false), "|", " "),
	}
	for _, x := range []struct {
		host        string
		agent, tool *[]byte
	}{{"%s", &r.agent4, &r.tool4}, {"[%s]", &r.agent6, &r.tool6}} {
		a := DiscoveryAnswer{ServerID: cfg.ServerID, URL: "wss://" + x.host + tail}
		*x.agent = a.AppendTo(nil)
		if strings.Contains(cfg.Host, ".") {
			a.URL = "wss://" + cutText(cfg.Host, 253) + tail
		}
		a.Name, a.Info = tool.Name, tool.Info
		*x.tool = a.AppendTo(nil)
	}
	return r, nil
}

// Answer gives the packet to send back to the source of packet, or nil for none. It is all that a server does with what it
// receives.
func (r *Responder) Answer(packet []byte, from netip.Addr, now time.Time) []byte {
	from = from.Unmap()
	plain, ok := r.cfg.Key.Open(packet)
	if !ok {
		return nil
	}
	agent, tool := r.agent4, r.tool4
	if from.Is6() {
		agent, tool = r.agent6, r.tool6
	}
	var answer []byte
	switch {
	case len(plain) == discoveryQueryLen && string(plain) == string(r.query):
		answer = agent
	case string(plain) == discoveryScan:
		answer = tool
	default:
		return nil
	}
	if r.cfg.AllowSource != nil && !r.cfg.AllowSource(from) {
		return nil
	}
	if !r.limit.allow(from, now) {
		return nil
	}
	return r.seal(answer)
}

// Advert gives the packet that announces the server to the group.
func (r *Responder) Advert(ipv6 bool) []byte {
	if ipv6 {
		return r.seal(r.agent6)
	}
	return r.seal(r.agent4)
}

func (r *Responder) seal(plain []byte) []byte {
	b, err := r.cfg.Key.Seal(nil, r.cfg.Rand, plain)
	if err != nil {
		r.log.Warn("discovery packet not encrypted, so not sent", "error", err)
		return nil
	}
	return b
}

// answerLimiter bounds answers to each source and to all.
type answerLimiter struct {
	source ratelimit.Limiter[netip.Prefix]
	total  ratelimit.Limiter[struct{}]
}

func newAnswerLimiter() *answerLimiter {
	l := &answerLimiter{}
	l.source.Rate = Rate{Events: 8, Window: 8 * time.Second}
	l.total.Rate = Rate{Events: 128, Window: 2 * time.Second}
	return l
}

// allow asks the source's bucket first, or one source could use up that of all.
func (l *answerLimiter) allow(from netip.Addr, now time.Time) bool {
	return l.source.Allow(addressKey(from.WithZone("")), now) && l.total.Allow(struct{}{}, now)
}
