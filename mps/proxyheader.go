package mps

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ErrProxyHeader is a PROXY protocol header that breaks the rules, or that comes from an address that is not trusted.
var ErrProxyHeader = errors.New("mps: PROXY protocol header")

// The two forms of the PROXY protocol (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt). Neither first byte
// is that of an APF message from a device that has not logged in, of a TLS record or of an HTTP GET.
//
//	version 1: PROXY TCP4 source destination sourceport destinationport CR LF, at most 107 bytes
//	           PROXY UNKNOWN ... CR LF
//
//	version 2:  0  signature, 12 bytes
//	           12  u8 version and command: 0x20 LOCAL, 0x21 PROXY
//	           13  u8 family and transport: 0x11 TCP over IPv4, 0x21 TCP over IPv6
//	           14  u16 length of what follows
//	           16  source, destination, u16 source port, u16 destination port, then TLVs
const (
	proxyV1           = "PROXY "
	proxyV2           = "\r\n\r\n\x00\r\nQUIT\n"
	maxProxyV1        = 107
	proxyV2Head       = 16
	maxProxyV2        = 2048 // with TLVs, which are passed over
	proxyV2IPv4Length = 12
	proxyV2IPv6Length = 36
)

// startsProxyHeader says whether bytes are, as far as they go, those of a PROXY header.
func startsProxyHeader(b []byte) bool {
	for _, start := range []string{proxyV1, proxyV2} {
		if n := min(len(b), len(start)); string(b[:n]) == start[:n] {
			return len(b) > 0
		}
	}
	return false
}

// parseProxyHeader reads the header at the start of b and returns its length, which is zero if b holds only a part of it.
// source is not valid if the header tells no address: the proxy speaks for itself, as in a health check.
func parseProxyHeader(b []byte) (source netip.AddrPort, n int, err error) {
	if !startsProxyHeader(b) {
		return source, 0, fmt.Errorf("%w: starts with %q", ErrProxyHeader, b[:min(len(b), 16)])
	}
	if b[0] == proxyV1[0] {
		return parseProxyV1(b)
	}
	return parseProxyV2(b)
}

func parseProxyV1(b []byte) (source netip.AddrPort, n int, err error) {
	end := bytes.IndexByte(b[:min(len(b), maxProxyV1)], '\n')
	if end < 0 {
		if len(b) >= maxProxyV1 {
			return source, 0, fmt.Errorf("%w: no end in %d bytes", ErrProxyHeader, maxProxyV1)
		}
		return source, 0, nil
	}
	line, ok := strings.CutSuffix(string(b[:end]), "\r")
	if !ok {
		return source, 0, fmt.Errorf("%w: the line ends without CR", ErrProxyHeader)
	}
	n = end + 1
	fields := strings.Split(line, " ")
	if fields[1] == "UNKNOWN" {
		return source, n, nil
	}
	if len(fields) != 6 || fields[1] != "TCP4" && fields[1] != "TCP6" {
		return source, 0, fmt.Errorf("%w: %.64q", ErrProxyHeader, line)
	}
	var ends [2]netip.AddrPort
	for i := range ends {
		addr, err := netip.ParseAddr(fields[2+i])
		if err != nil || addr.Zone() != "" || addr.Is4() != (fields[1] == "TCP4") {
			return source, 0, fmt.Errorf("%w: address %.64q", ErrProxyHeader, fields[2+i])
		}
		port, err := strconv.ParseUint(fields[4+i], 10, 16)
		if err != nil {
			return source, 0, fmt.Errorf("%w: port %.16q", ErrProxyHeader, fields[4+i])
		}
		ends[i] = netip.AddrPortFrom(addr.Unmap(), uint16(port))
	}
	return ends[0], n, nil
}

func parseProxyV2(b []byte) (source netip.AddrPort, n int, err error) {
	if len(b) < proxyV2Head {
		return source, 0, nil
	}
	command, family, length := b[12], b[13], int(binary.BigEndian.Uint16(b[14:]))
	n = proxyV2Head + length
	switch {
	case command != 0x20 && command != 0x21:
		return source, 0, fmt.Errorf("%w: version and command %#02x", ErrProxyHeader, command)
	case n > maxProxyV2:
		return source, 0, fmt.Errorf("%w: of %d bytes", ErrProxyHeader, n)
	case len(b) < n:
		return source, 0, nil
	}
	body := b[proxyV2Head:n]
	switch {
	case command == 0x20 || family == 0: // LOCAL, UNSPEC
		return source, n, nil
	case family == 0x11 && length >= proxyV2IPv4Length:
		addr := netip.AddrFrom4([4]byte(body))
		return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(body[8:])), n, nil
	case family == 0x21 && length >= proxyV2IPv6Length:
		addr := netip.AddrFrom16([16]byte(body)).Unmap()
		return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(body[32:])), n, nil
	}
	return source, 0, fmt.Errorf("%w: family %#02x with %d bytes", ErrProxyHeader, family, length)
}
