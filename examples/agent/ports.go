package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/meshcentral-go/sdk/relay"
)

// ports are the TCP and UDP ports that operators may reach through this machine; nil is none.
type ports []allowed

// allowed is a host, or "" for all, and a port, or 0 for all.
type allowed struct {
	host string
	port uint16
}

// ownHost stands for this machine.
const ownHost = "127.0.0.1"

// String implements flag.Value.
func (p *ports) String() string { return fmt.Sprint([]allowed(*p)) }

// Set implements flag.Value: PORT, HOST:PORT, with * for either, or "any", separated by commas.
func (p *ports) Set(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		if part == "any" {
			part = "*:*"
		}
		host, port := ownHost, part
		if strings.Contains(part, ":") {
			var err error
			if host, port, err = net.SplitHostPort(part); err != nil {
				return err
			}
		}
		a := allowed{host: hostOf(host)}
		if host == "*" {
			a.host = ""
		} else if host == "" {
			return fmt.Errorf("%.80q has no host", part)
		}
		if port != "*" {
			n, err := strconv.ParseUint(port, 10, 16)
			if err != nil || n == 0 {
				return fmt.Errorf("%.80q is no port, HOST:PORT, or any", part)
			}
			a.port = uint16(n)
		}
		*p = append(*p, a)
	}
	return nil
}

// hostOf is a host as it is compared: names of this machine are one.
func hostOf(host string) string {
	host = strings.ToLower(host)
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return ownHost
	} else if ip != nil {
		return ip.String()
	}
	return host
}

// allows says whether operators may reach an address.
func (p ports) allows(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	for _, a := range p {
		if err == nil && (a.host == "" || a.host == hostOf(host)) && (a.port == 0 || a.port == uint16(n)) {
			return true
		}
	}
	return false
}

// dial connects to what is allowed; nil if nothing is.
func (p ports) dial(network string) func(context.Context, *relay.Request, string) (net.Conn, error) {
	if len(p) == 0 {
		return nil
	}
	dialer := net.Dialer{Timeout: dialTime}
	return func(ctx context.Context, _ *relay.Request, address string) (net.Conn, error) {
		if !p.allows(address) {
			return nil, fmt.Errorf("%w: %.300q is not among -ports", relay.ErrRights, address)
		}
		return dialer.DialContext(ctx, network, address)
	}
}

// keepsApart refuses a folder for operators that has the agent's own in it: with the key there they could be the device.
func keepsApart(files, data string) error {
	offered, err := os.Stat(files)
	if err != nil {
		return err
	}
	dir, err := filepath.EvalSymlinks(data)
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	for {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if os.SameFile(info, offered) {
			return fmt.Errorf("%s holds the data folder %s, and so the agent's key", files, data)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil
		}
		dir = parent
	}
}
