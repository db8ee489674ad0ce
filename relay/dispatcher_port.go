package relay

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
)

func base64Text(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// target is where a port leads.
func target(addr string, port uint16) string {
	if addr == "" {
		addr = "127.0.0.1"
	}
	return net.JoinHostPort(addr, strconv.Itoa(int(port)))
}

// tcp joins a tunnel with a TCP connection. That one is made first: nothing is read from the tunnel before.
func (d *Dispatcher) tcp(ctx context.Context, o *openTunnel, t *Tunnel) error {
	if d.DialTCP == nil {
		return fmt.Errorf("%w: this device forwards no TCP", ErrRights)
	}
	d.count(o, "tcp")
	conn, err := d.DialTCP(ctx, o.request, target(o.request.TCPAddr, o.request.TCPPort))
	if err != nil {
		return fmt.Errorf("relay: TCP port: %w", err)
	}
	defer conn.Close()
	if t.recorded, err = helloAgent(ctx, t.conn); err != nil {
		return err
	}
	return join(ctx, t, conn, streamPiece, false)
}

// udp joins a tunnel with a socket for datagrams.
func (d *Dispatcher) udp(ctx context.Context, o *openTunnel, t *Tunnel) error {
	if d.DialUDP == nil {
		return fmt.Errorf("%w: this device forwards no UDP", ErrRights)
	}
	d.count(o, "udp")
	conn, err := d.DialUDP(ctx, o.request, target(o.request.UDPAddr, o.request.UDPPort))
	if err != nil {
		return fmt.Errorf("relay: UDP port: %w", err)
	}
	defer conn.Close()
	return join(ctx, t, conn, maxDatagram, true)
}

// join copies between a tunnel and a connection until one of them ends.
func join(ctx context.Context, t *Tunnel, conn net.Conn, size int, datagrams bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := make(chan struct{})
	go func() {
		defer close(out)
		b := make([]byte, size)
		for {
			n, err := conn.Read(b)
			if n > 0 || datagrams && err == nil {
				if werr := t.WriteMessage(ctx, Binary, b[:n]); werr != nil {
					err = werr
				}
			}
			if err != nil {
				cancel(err)
				t.bye() //nolint:errcheck // it has ended either way
				return
			}
		}
	}()
	defer func() { <-out }()
	defer conn.Close()
	for {
		typ, b, err := t.ReadMessage(ctx)
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if typ == Text {
			continue // never data; that of UDP neither, although the stock agent sends it on
		}
		if _, err := conn.Write(b); err != nil {
			return fmt.Errorf("relay: port: %w", err)
		}
	}
}
