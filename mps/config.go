package mps

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/internal/ratelimit"
	"github.com/meshcentral-go/sdk/nodeid"
)

// Rate is how often something may happen: Events at once, and again as many spread over each Window. The zero value
// has the default that is named; NoLimit sets none.
type Rate = ratelimit.Rate

// NoLimit is a Rate that allows everything.
var NoLimit = Rate{Events: -1}

// Config is how a [Server] works. Authenticate is required, all else has a default.
type Config struct {
	// Certificates are what devices are shown, in the profile of TLS. AMT compares the common name with the name that it
	// is configured to call. With neither Certificates nor TLSConfig the listener takes plain connections: those of a
	// proxy that speaks TLS.
	Certificates []tls.Certificate
	Profile      Profile
	// TLSConfig takes the place of Certificates and Profile; see [Profile.TLSConfig] for what devices need.
	TLSConfig *tls.Config

	// TrustedProxies are the addresses of proxies that may say, in a header of the PROXY protocol of version 1 or 2 before
	// all else, where a connection comes from. The headers of HTTP count from there, too. Without either it is not known who
	// connects, and less can be bounded: see Limits.
	TrustedProxies []netip.Prefix

	// Authenticate decides who may log in, and as which device. The connection waits for it, LoginTime at most. Its error
	// refuses the login; the reason is logged and does not reach the device.
	Authenticate func(ctx context.Context, l *Login) (Identity, error)
	// Domain returns the server's domain that a request to Handler is for. Nil is the default domain for all.
	Domain func(*http.Request) (string, error)
	// CheckOrigin decides on requests to Handler with an Origin header, which only browsers send. Nil takes those from the
	// server's own host and port.
	CheckOrigin func(*http.Request) bool
	// HTTP answers requests that browsers send to the listener. Nil says what the port is for, as a stock server does.
	HTTP http.Handler

	// Registry is where devices are online. Nil makes one.
	Registry *Registry
	// APF is how connections work after the login; its hooks for logins, ports and ends are the server's. Nil has the
	// defaults.
	APF *apf.ServerConfig
	// Limits bound what a peer can make the server hold, and how often.
	Limits Limits

	// Logger gets what an operator may want to read. Nil drops it.
	Logger *slog.Logger
	// Trace gets everything else.
	Trace *Trace
}

// Trace is a set of hooks, in the manner of net/http/httptrace: any of them may be nil.
type Trace struct {
	// Event is called for each event, in the order of each connection's own, from a goroutine of the connection: a hook
	// that takes its time holds up that connection alone.
	Event func(Event)
	// Control is called for a message that a relay or an LMS connection sends about its device, once it is logged in; what
	// it sent before comes then. It is nothing to log: passwords may be in it.
	Control func(*Connection, apf.JSONControl)
	// UDP is called for a datagram that AMT asks to be sent, such as an alert. The server sends none.
	UDP func(*Connection, *apf.UDPSendTo)
}

// Limits bound what a peer can make a server hold, and how often it may come. Zero fields have the defaults that are named.
// A source is an address, or one /64 for IPv6. Mind that a whole office may share an address.
//
// A trusted proxy that does not tell where a connection comes from is no source, as all devices may be behind it. What is
// bounded there is said with each limit; it is less than with addresses, so have proxies send them.
type Limits struct {
	// LoginTime is how long a connection has from its being accepted to its login. Default 30 s.
	LoginTime time.Duration
	// Pending is how many connections may be on the way to a login at once, half of them from one source. Half of them may
	// come by a proxy that tells no addresses; there one that has waited for a third of LoginTime gives way to the next, so
	// that who connects and does not log in keeps nobody out. Default 1024.
	Pending int
	// Connections bounds the connections of one source, not those of a proxy that tells no addresses. Default 600 a minute.
	Connections Rate
	// FailedLogins bounds the logins of one source that fail; of those by a proxy that tells no addresses the logins of each
	// device, by the UUID that it claims, together with those under way. Who claims one UUID after the other is not bounded
	// there, as that could only be at the expense of the fleet. Default 30 a minute.
	FailedLogins Rate
	// Replaced bounds how often the connection of a device, of one kind, is replaced by a newer one while it is there still. Over
	// it the newer one is closed, with a [DuplicateError]. By default there is no bound, and the newest always wins: machines that
	// share a UUID, as some manufacturers ship them, end each other's connections then, for which the events of their ends give
	// both addresses.
	Replaced Rate
	// Devices is how many connections may be logged in. Default none.
	Devices int
	// HTTPTime is how long an HTTP request may take to come. Default 5 s.
	HTTPTime time.Duration
}

func (l Limits) withDefaults() (Limits, error) {
	if l.LoginTime < 0 || l.Pending < 0 || l.Devices < 0 || l.HTTPTime < 0 {
		return l, errors.New("mps: negative limit")
	}
	def(&l.LoginTime, 30*time.Second)
	def(&l.Pending, 1024)
	def(&l.Connections, Rate{Events: 600, Window: time.Minute})
	def(&l.FailedLogins, Rate{Events: 30, Window: time.Minute})
	def(&l.HTTPTime, 5*time.Second)
	return l, nil
}

// def sets a field that is zero.
func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Login is what a device says of itself, for [Config.Authenticate].
type Login struct {
	Peer Peer
	Kind Kind
	// UUID is the system UUID. It is a claim, and some manufacturers ship the same one, or zeros, with many machines.
	UUID nodeid.UUID
	// Method is password, none, or empty if the device skipped this step, as it may with a client certificate. User and
	// Password are empty then.
	Method   string
	User     string
	Password Secret
	// Certificate is the client's, if it showed one. The connection proves that it has the key, and nobody has checked
	// anything else.
	Certificate *x509.Certificate
}

// Identity is who a device is.
type Identity struct {
	// Device is the identifier by which it is in the registry.
	Device nodeid.NodeKey
	// Value is yours.
	Value any
}
