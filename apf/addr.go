package apf

import (
	"net"
	"strconv"
)

// Addr is the address of a channel's end.
type Addr struct {
	Host string // may be empty
	Port uint16
}

var _ net.Addr = Addr{}

// Network returns "apf".
func (Addr) Network() string { return "apf" }

// String returns host and port.
func (a Addr) String() string { return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port))) }
