package redir

import (
	"log/slog"
	"time"
)

const (
	defaultLoginTimeout = 30 * time.Second
	defaultWriteTimeout = 30 * time.Second
	// readBuffer is how much is read from a connection at once.
	readBuffer = 16 << 10
)

// Config is what the operator's end of every session is opened with.
type Config struct {
	Credentials
	// LoginTimeout is for everything up to the open session; 30 seconds if it is 0.
	LoginTimeout time.Duration
	// WriteTimeout is for one message; 30 seconds if it is 0.
	WriteTimeout time.Duration
	Logger       *slog.Logger // nil discards
	Trace        *Trace       // nil is none
}

func (c Config) orDefaults() Config {
	c.LoginTimeout = orElse(c.LoginTimeout, defaultLoginTimeout)
	c.WriteTimeout = orElse(c.WriteTimeout, defaultWriteTimeout)
	c.Logger = orDiscard(c.Logger)
	c.Trace = c.Trace.orEmpty()
	return c
}

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func orDiscard(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
