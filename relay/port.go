package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// DialTCP connects to a TCP port of a device, or through it of another machine that it reaches: "3389", ":3389", or
// "10.0.0.5:22". The connection is good for [http.Transport] and below SSH. It is up as soon as the device is there; that
// the device could not connect shows in the first read as the end of the stream, because devices say no more.
func DialTCP(ctx context.Context, r Requester, node, address string, o Options) (net.Conn, error) {
	host, port, err := splitPort(address)
	if err != nil {
		return nil, err
	}
	o.Protocol, o.Options, o.tcpAddr, o.tcpPort = ProtocolNone, nil, host, port
	t, err := Open(ctx, r, node, o)
	if err != nil {
		return nil, err
	}
	return StreamConn(t, Addr{Node: node, Net: "tcp", Address: net.JoinHostPort(host, strconv.Itoa(int(port)))}), nil
}

// DialUDP sends datagrams to a UDP port of a device, or through it of another machine, and receives those that come back,
// whoever sent them: devices do not tell. The stock agent cuts those to 4096 bytes. WriteTo takes no address but nil and the connection's own.
func DialUDP(ctx context.Context, r Requester, node, address string, o Options) (*PacketConn, error) {
	host, port, err := splitPort(address)
	if err != nil {
		return nil, err
	}
	o.Protocol, o.Options, o.udpAddr, o.udpPort = ProtocolNone, nil, host, port
	t, err := Open(ctx, r, node, o)
	if err != nil {
		return nil, err
	}
	return DatagramConn(t, Addr{Node: node, Net: "udp", Address: net.JoinHostPort(host, strconv.Itoa(int(port)))}), nil
}

// splitPort reads an address whose host may be missing: that is the device itself.
func splitPort(s string) (host string, port uint16, err error) {
	text := s
	if h, p, err := net.SplitHostPort(s); err == nil {
		host, text = h, p
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("relay: %.128q is no address with a port", s)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	if len(host) > 253 {
		return "", 0, errors.New("relay: host name is too long")
	}
	if a, err := netip.ParseAddr(host); err == nil {
		host = a.Unmap().String()
	}
	return host, uint16(n), nil
}

// Addr is the address at the far end of a tunnel.
type Addr struct {
	Node    string // the device through which it is reached
	Net     string // "tcp" or "udp"
	Address string
}

// Network returns "tcp" or "udp".
func (a Addr) Network() string { return a.Net }

// String returns the address as the device sees it.
func (a Addr) String() string { return a.Address }

// Dialer is DialContext for [http.Transport] and its like, for one device.
type Dialer struct {
	Requester Requester
	Node      string
	Options   Options
}

// DialContext connects to an address as the device sees it. The network is tcp.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if network != "tcp" && network != "tcp4" && network != "tcp6" {
		return nil, fmt.Errorf("relay: dial: network %.16q", network)
	}
	return DialTCP(ctx, d.Requester, d.Node, address, d.Options)
}
