package apf

import "time"

func (l Limits) withDefaults() Limits {
	def(&l.LoginMessages, 16)
	def(&l.LoginBytes, 16<<10)
	def(&l.JSON, 256<<10)
	def(&l.Data, 1<<20)
	def(&l.UDP, 1500)
	def(&l.Ports, 32)
	def(&l.QueuedDials, 64)
	def(&l.QueueBytes, 64<<10)
	def(&l.WriteTimeout, 30*time.Second)
	def(&l.FlushTime, 5*time.Second)
	return l
}

// loginMessage returns how large a WebSocket message may be before the login: all of a login in one, as text, where a byte
// takes up to two.
func (l Limits) loginMessage() int { return 2 * (min(l.LoginBytes, 1<<29) + 4<<10) }

// message returns how large a WebSocket message may be after the login.
func (l Limits) message() int { return max(min(l.Data, 1<<30), 2*min(l.JSON, 1<<29)) + 1<<10 }

// def sets a field that is zero or less: no field of a configuration switches a limit off.
func def[T int | uint32 | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// What the strings of messages may be long. Cookies of agents are passwords of some 300 characters.
const (
	maxService     = 32
	maxUser        = 64
	maxMethod      = 16
	maxPassword    = 2048
	maxMethods     = 255
	maxRequest     = 32
	maxAddress     = 255
	maxChannelType = 32
)

// maxWindow is the largest window that a peer can grant, all adjustments together.
const maxWindow = 1<<31 - 1
