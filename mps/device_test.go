//go:build !js

package mps

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/meshcentral-go/sdk/apf"
)

// TestDialService is that a service is reached by its port without TLS, or with TLS by the next one.
func TestDialService(t *testing.T) {
	s, addr, events := startServer(t, Config{Authenticate: byPassword})
	cert := testCertificate("amt.example")
	startDevice(t, dialTCP(t, addr), func(cfg *apf.DeviceConfig) {
		cfg.Ports = []uint16{16993, 16994, 5900}
		cfg.Accept = func(context.Context, *apf.OpenRequest) (func(net.Conn), error) {
			return func(c net.Conn) {
				inner := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
				io.Copy(inner, inner)
			}, nil
		}
	})
	d, _ := s.Registry().Device(online(t, events).Device())

	var shown []byte
	conn, err := d.DialService(t.Context(), PortHTTP, DeviceTLSConfig(func(certificate []byte) error {
		shown = bytes.Clone(certificate)
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := conn.(*tls.Conn); !ok || !bytes.Equal(shown, cert.Certificate[0]) {
		t.Errorf("%T, certificate of %d bytes", conn, len(shown))
	}
	if _, err := io.WriteString(conn, "within"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 6)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "within" {
		t.Errorf("%q, %v", got, err)
	}
	conn.Close()

	stranger := errors.New("a stranger")
	if _, err := d.DialService(t.Context(), PortHTTP, DeviceTLSConfig(func([]byte) error { return stranger })); !errors.Is(err, stranger) {
		t.Errorf("another certificate: %v", err)
	}
	if conn, err := d.DialService(t.Context(), PortRedirection, nil); err != nil {
		t.Error(err)
	} else if _, ok := conn.(*tls.Conn); ok {
		t.Error("TLS on the port without")
	} else {
		conn.Close()
	}
	if _, err := d.DialService(t.Context(), 623, nil); !errors.Is(err, ErrPort) {
		t.Errorf("neither port: %v", err)
	}
	if err := d.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	endOf(events)
	if _, err := d.DialService(t.Context(), PortHTTP, nil); !errors.Is(err, ErrNotConnected) {
		t.Errorf("gone: %v", err)
	}
}

// fullListener is out of files for a while, and then gone.
type fullListener struct {
	net.Listener
	errs []error
}

type fullError struct{ error }

func (fullError) Temporary() bool { return true }

func (l *fullListener) Accept() (net.Conn, error) {
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, err
}

func (l *fullListener) Close() error { return nil }

// TestOutOfFiles is that a server goes on when there are too many files for a while, and tells what ends it.
func TestOutOfFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := NewServer(Config{Authenticate: refuseAll})
		if err != nil {
			t.Fatal(err)
		}
		full, gone := fullError{errors.New("too many open files")}, errors.New("gone")
		l := &fullListener{errs: []error{full, full, full, gone}}
		if err := s.Serve(t.Context(), l); !errors.Is(err, gone) || len(l.errs) != 0 {
			t.Errorf("%v, %d left", err, len(l.errs))
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
