package main

import (
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/mps/mpstest"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// The ports of DASH, behind which AMT serves the same as behind 16992 and 16993.
const (
	portDASH    = 623
	portDASHTLS = 664
	portVNC     = 5900
)

// machines are the simulated machines behind the devices' ports. One is made when it is first connected to, as most of a
// large fleet never is.
type machines struct {
	cfg wsmantest.Config // of each, less its UUID
	out *printer

	mu   sync.Mutex
	made []*wsmantest.Device
}

// newMachines checks the configuration and returns the ports that machines of it have.
func newMachines(cfg wsmantest.Config, out *printer) (m *machines, ports []uint16, err error) {
	defer func() {
		if wrong := recover(); wrong != nil { // which is how wsmantest takes what makes no sense
			err = fmt.Errorf("-amt-version: %v", wrong)
		}
	}()
	sample := wsmantest.New(cfg)
	defer sample.Close()
	ports = sample.Ports()
	if slices.Contains(ports, wsmantest.PortHTTP) {
		ports = append(ports, portDASH)
	}
	if slices.Contains(ports, wsmantest.PortHTTPS) {
		ports = append(ports, portDASHTLS)
	}
	return &machines{cfg: cfg, out: out}, append(ports, portVNC), nil
}

// handlers are what is behind the ports of one device.
func (m *machines) handlers(uuid apf.UUID, ports []uint16) map[uint16]mpstest.Handler {
	machine := sync.OnceValue(func() *wsmantest.Device {
		cfg := m.cfg
		cfg.UUID = uuid
		cfg.OnEvent = func(e wsmantest.Event) { m.out.line("%s %s", uuid, e) }
		d := wsmantest.New(cfg)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.made = append(m.made, d)
		return d
	})
	handlers := make(map[uint16]mpstest.Handler)
	for _, port := range ports {
		at := port
		switch port {
		case portDASH:
			at = wsmantest.PortHTTP
		case portDASHTLS:
			at = wsmantest.PortHTTPS
		case wsmantest.PortHTTP, wsmantest.PortHTTPS, wsmantest.PortRedirection, wsmantest.PortRedirectionTLS:
		default: // a port of which the machine knows nothing
			handlers[port] = mpstest.Echo
			continue
		}
		handlers[port] = func(c net.Conn) { machine().ServeConn(c, at) }
	}
	return handlers
}

// close ends the machines.
func (m *machines) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.made {
		d.Close()
	}
}
