package controlproto

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/meshcentral-go/sdk/internal/ratelimit"
)

// ServerLimits bound what clients can make a [Server] hold and wait for. Zero fields have the defaults that are named.
type ServerLimits struct {
	// LoginTime is how long a login may take, and LoginMessages and LoginMessage how many messages of how many bytes may come
	// before it. Defaults 30 s, 8 and 64 KiB.
	LoginTime     time.Duration
	LoginMessages int
	LoginMessage  int64
	// Logins is how many connections may be logging in at once, and AddressLogins how many of one IPv4 address or IPv6 /64.
	// Defaults 256 and 32.
	Logins        int
	AddressLogins int
	// PasswordChecks is how many passwords and codes are checked at once. Default is the number of processors.
	PasswordChecks int

	// Message bounds a message after the login, in bytes. Default, and most, 1 MiB.
	Message int64
	// WorkMessages and WorkBytes bound the requests of a session that wait for their handler. When they are reached,
	// nothing more is read. Defaults 64 and 1 MiB.
	WorkMessages int
	WorkBytes    int
	// Concurrent is how many handlers of a session run at once, of actions given to [Mux.Concurrent]. Default 16.
	Concurrent int

	// QueueMessages and QueueBytes bound the replies that wait to be sent to one session; handlers wait for room. A reply
	// over QueueBytes is taken when no other waits. Defaults 64 and 4 MiB.
	QueueMessages int
	QueueBytes    int
	// PushMessages and PushBytes bound the events that wait beside them. Events do not wait for room: a session that
	// leaves so many unread is closed as "slow". Defaults 1024 and 4 MiB.
	PushMessages int
	PushBytes    int
	// WriteTime is how long one message may take to be written before the session is closed, beside a second for
	// each 8 KiB of it. Default 30 s.
	WriteTime time.Duration
	// CloseTime is how long the messages before a close, and that itself, may take. Default 2 s.
	CloseTime time.Duration

	// Sessions and UserSessions bound the sessions of the server and of one account. Zero is no bound.
	Sessions     int
	UserSessions int
}

func (l ServerLimits) withDefaults() ServerLimits {
	setDefault(&l.LoginTime, 30*time.Second)
	setDefault(&l.LoginMessages, 8)
	setDefault(&l.LoginMessage, 64<<10)
	setDefault(&l.Logins, 256)
	setDefault(&l.AddressLogins, 32)
	setDefault(&l.PasswordChecks, runtime.GOMAXPROCS(0))
	setDefault(&l.Message, int64(requestLimits.Size))
	l.Message = min(l.Message, int64(requestLimits.Size))
	setDefault(&l.WorkMessages, 64)
	setDefault(&l.WorkBytes, 1<<20)
	setDefault(&l.Concurrent, 16)
	setDefault(&l.QueueMessages, 64)
	setDefault(&l.QueueBytes, 4<<20)
	setDefault(&l.PushMessages, 1024)
	setDefault(&l.PushBytes, 4<<20)
	setDefault(&l.WriteTime, 30*time.Second)
	setDefault(&l.CloseTime, 2*time.Second)
	return l
}

// check refuses what would switch a limit off.
func (l ServerLimits) check() error {
	for _, d := range [...]time.Duration{l.LoginTime, l.WriteTime, l.CloseTime} {
		if d < 0 {
			return errors.New("controlproto: negative time limit")
		}
	}
	for _, n := range [...]int{
		l.LoginMessages, int(min(l.LoginMessage, 0)), l.Logins, l.AddressLogins, l.PasswordChecks, int(min(l.Message, 0)),
		l.WorkMessages, l.WorkBytes, l.Concurrent, l.QueueMessages, l.QueueBytes, l.PushMessages, l.PushBytes, l.Sessions, l.UserSessions,
	} {
		if n < 0 {
			return errors.New("controlproto: negative limit")
		}
	}
	return nil
}

// setDefault sets a field that is zero.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// LoginRate is how often something may happen: Events at once, and again as many spread over each Window. A field that is
// zero has its default, also beside one that is not; a negative number of Events sets no limit.
type LoginRate = ratelimit.Rate

// FailedLogins bound how fast passwords and codes can be guessed. Logins that succeed do not count.
type FailedLogins struct {
	// PerAddress bounds failures per IPv4 address or IPv6 /64. An address that has reached it is told "banned", whatever it
	// comes with. Default 10 in 10 minutes, as the stock server's form has it.
	PerAddress LoginRate
	// PerAccount bounds failures per name, of an account or not, from all addresses together. A name that has reached it
	// takes no password for a while; logins without a password go on. Default 100 in 10 minutes.
	PerAccount LoginRate
	// WrongCodes bounds wrong codes of a second factor per account. Only who knows the password comes so far, so it can be
	// strict. Default 10 in an hour.
	WrongCodes LoginRate
	// Codes bounds how many codes are sent to one account. Default 5 in 10 minutes.
	Codes LoginRate
	// Delay is how long a login with wrong credentials takes at least, whether the account exists or not. It should be
	// longer than a check of a password. Default 1 s.
	Delay time.Duration
}

func (f FailedLogins) withDefaults() FailedLogins {
	setRate(&f.PerAddress, 10, 10*time.Minute)
	setRate(&f.PerAccount, 100, 10*time.Minute)
	setRate(&f.WrongCodes, 10, time.Hour)
	setRate(&f.Codes, 5, 10*time.Minute)
	setDefault(&f.Delay, time.Second)
	return f
}

// setRate sets what of a rate is zero: half a rate is not meant to be none.
func setRate(r *LoginRate, events int, window time.Duration) {
	setDefault(&r.Events, events)
	setDefault(&r.Window, window)
}

// check refuses what would switch a rate off without saying so.
func (f FailedLogins) check() error {
	if f.Delay < 0 {
		return errors.New("controlproto: server with a negative delay of failed logins")
	}
	for _, r := range [...]LoginRate{f.PerAddress, f.PerAccount, f.WrongCodes, f.Codes} {
		if r.Window < 0 {
			return errors.New("controlproto: rate of failed logins with a negative window")
		}
	}
	return nil
}

// loginLimiter counts failed logins.
type loginLimiter struct {
	address ratelimit.Limiter[netip.Addr]
	account ratelimit.Limiter[ID]
	wrong   ratelimit.Limiter[ID] // codes
	codes   ratelimit.Limiter[ID] // that were sent

	mu    sync.Mutex
	under map[netip.Addr]*underWay // by network
}

// underWay are the attempts of a network of which it is not known yet whether they succeed.
type underWay struct {
	attempts int
	fewer    chan struct{} // closed when one of them is over
}

func newLoginLimiter(f FailedLogins) *loginLimiter {
	l := &loginLimiter{under: make(map[netip.Addr]*underWay)}
	l.address.Rate, l.account.Rate, l.wrong.Rate, l.codes.Rate = f.PerAddress, f.PerAccount, f.WrongCodes, f.Codes
	return l
}

// banned tells whether an address has failed too often. While attempts are under way that may yet succeed, it has not.
func (l *loginLimiter) banned(a netip.Addr, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.under[network(a)] == nil && !l.address.Ready(network(a), now)
}

// begin is attempt, but waits while others of the same address are under way: many that log in at once and know their
// passwords are no reason for a ban. over is called when the attempt is over, after succeeded.
func (l *loginLimiter) begin(ctx context.Context, a netip.Addr, account ID, now func() time.Time) (over func(), ok bool) {
	from := network(a)
	for {
		l.mu.Lock()
		w := l.under[from]
		if l.attempt(a, account, now()) {
			if w == nil {
				w = &underWay{fewer: make(chan struct{})}
				l.under[from] = w
			}
			w.attempts++
			l.mu.Unlock()
			return func() { l.over(from, w) }, true
		}
		if w == nil {
			l.mu.Unlock()
			return nil, false
		}
		fewer := w.fewer
		l.mu.Unlock()
		select {
		case <-fewer:
		case <-ctx.Done():
			return nil, false
		}
	}
}

func (l *loginLimiter) over(from netip.Addr, w *underWay) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(w.fewer)
	w.fewer = make(chan struct{})
	if w.attempts--; w.attempts == 0 {
		delete(l.under, from)
	}
}

// attempt takes an attempt of both the address and the account before it is known whether it succeeds, so that many at
// once are no way around the limit. One that succeeds is given back.
func (l *loginLimiter) attempt(a netip.Addr, account ID, now time.Time) bool {
	if !l.address.Allow(network(a), now) {
		return false
	}
	if !l.account.Allow(account, now) {
		l.address.Return(network(a), now)
		return false
	}
	return true
}

// succeeded gives an attempt back.
func (l *loginLimiter) succeeded(a netip.Addr, account ID, now time.Time) {
	l.address.Return(network(a), now)
	l.account.Return(account, now)
}

// network is what one client can choose its address from.
func network(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if !a.Is6() {
		return a
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}
