package mpstest

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/apf"
)

// State is what a device does.
type State uint8

const (
	// StateStopped is that of a device that was not started, or has ended.
	StateStopped State = iota
	// StateConnecting: TCP, TLS and, if the address says so, the WebSocket.
	StateConnecting
	// StateLogin: connected, and not yet logged in with all ports forwarded.
	StateLogin
	// StateOnline: logged in, all ports are forwarded, channels can be opened.
	StateOnline
	// StateOffline: the session has ended, or there was none, and the device waits before it calls again.
	StateOffline
)

// String returns a word for the state.
func (s State) String() string {
	switch s {
	case StateStopped:
		return "stopped"
	case StateConnecting:
		return "connecting"
	case StateLogin:
		return "login"
	case StateOnline:
		return "online"
	case StateOffline:
		return "offline"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Event is a change of a device's state.
type Event struct {
	Device *Device
	State  State
	// Err is why, for [StateOffline] and [StateStopped].
	Err error
	// Wait is how long the device will wait in [StateOffline].
	Wait time.Duration
	// Ports are those forwarded, in [StateOnline].
	Ports []uint16
	// Since is how long the device was in its last state.
	Since time.Duration
}

// String returns the event as one line, without the name of the device.
func (e Event) String() string {
	var b strings.Builder
	b.WriteString(e.State.String())
	if e.State == StateOnline {
		fmt.Fprintf(&b, " in %v, ports %v", e.Since.Round(time.Millisecond), e.Ports)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.State == StateOffline {
		fmt.Fprintf(&b, "; calls again in %v", e.Wait.Round(time.Millisecond))
	}
	return b.String()
}

// Add returns the identifier n numbers after u.
func Add(u apf.UUID, n uint64) apf.UUID {
	low, carry := bits.Add64(binary.BigEndian.Uint64(u[8:]), n, 0)
	binary.BigEndian.PutUint64(u[8:], low)
	binary.BigEndian.PutUint64(u[:8], binary.BigEndian.Uint64(u[:8])+carry)
	return u
}
