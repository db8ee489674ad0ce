package agentproto

import (
	"errors"
	"time"
)

// Limits bound what a peer can make this side hold and wait for. Zero fields have the defaults that are named.
type Limits struct {
	// HandshakeTime is how long a login may take. Default 30 s.
	HandshakeTime time.Duration
	// HandshakeMessage bounds a message before the login, in bytes. Default 32 KiB.
	HandshakeMessage int64
	// Message bounds a message after the login, in bytes. Default 4 MiB.
	Message int64
	// QueueMessages and QueueBytes bound what waits to be sent to one peer; a sender waits for room. A message over
	// QueueBytes is taken when nothing else waits. Defaults 64 and 1 MiB.
	QueueMessages int
	QueueBytes    int
	// WriteTimeout is how long one message may take to be written before the peer is dropped, beside a second for each
	// 8 KiB of it. Default 30 s.
	WriteTimeout time.Duration
}

func (l Limits) withDefaults() Limits {
	def(&l.HandshakeTime, 30*time.Second)
	def(&l.HandshakeMessage, 32<<10)
	def(&l.Message, 4<<20)
	def(&l.QueueMessages, 64)
	def(&l.QueueBytes, 1<<20)
	def(&l.WriteTimeout, 30*time.Second)
	return l
}

// check refuses what would switch a limit off.
func (l Limits) check() error {
	if l.HandshakeTime < 0 || l.HandshakeMessage < 0 || l.Message < 0 || l.QueueMessages < 0 || l.QueueBytes < 0 || l.WriteTimeout < 0 {
		return errors.New("agentproto: negative limit")
	}
	return nil
}

// def sets a field that is zero.
func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
