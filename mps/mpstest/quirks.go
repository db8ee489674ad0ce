package mpstest

import (
	"errors"
	"time"
)

// Quirks are ways of firmware. Each zero value is the way of a device that has none.
type Quirks struct {
	// Window is how many bytes the server may send on a channel before it is given credit. Default 32 KiB; that
	// of firmware is often small.
	Window uint32
	// AdjustStep gives credit back in steps of so many bytes, each a message: traces of firmware show 499.
	AdjustStep uint32
	// FrameSize bounds the data in one message of the device. Default 16 KiB less the header.
	FrameSize uint32
	// Slots is how many channels can be open at once; a further one is refused for lack of resources. Default 8.
	Slots int
	// ReuseSlots gives a number to a new channel as soon as the old one is closed, as firmware does. Otherwise numbers are
	// used in turn.
	ReuseSlots bool
	// KeepAlive is how often the device asks whether the server is there. Default 30 s. Some of AMT 15 wait 90, as long as
	// MeshCentral waits before it gives up on them. Below zero is never.
	KeepAlive time.Duration
	// IgnoreKeepAliveOptions keeps to KeepAlive whatever the server asks for.
	IgnoreKeepAliveOptions bool

	// SplitWrites writes in pieces of so many bytes, each a TLS record, or a WebSocket message, of its own. The message
	// with the password stays whole: stock servers take it in one piece only.
	SplitWrites int
	// SplitPassword splits that one too.
	SplitPassword bool
	// CoalesceWrites sends messages together: the whole login without waiting for answers, and later what there is.
	CoalesceWrites bool
	// TextMessages sends all messages but data as WebSocket text, each byte a character, as MeshCentral's agent does.
	TextMessages bool

	// RefuseEvery refuses every so many-th channel with "connect failed", as firmware does now and then.
	RefuseEvery int
	// SilentEvery never answers every so many-th request for a channel.
	SilentEvery int
}

// Firmware returns the quirks of real firmware in the field: small windows, credit in small steps, eight slots whose
// numbers are used again at once.
func Firmware() Quirks {
	return Quirks{Window: 4096, AdjustStep: 499, FrameSize: 1024, Slots: 8, ReuseSlots: true}
}

func (q *Quirks) check() error {
	if q.Slots < 0 || q.SplitWrites < 0 || q.RefuseEvery < 0 || q.SilentEvery < 0 {
		return errors.New("mpstest: a number in the quirks is below zero")
	}
	if q.AdjustStep > 0 && q.Window > 0 && q.AdjustStep > q.Window {
		return errors.New("mpstest: credit in steps larger than the window never comes")
	}
	return nil
}
