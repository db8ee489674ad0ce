package main

import (
	"context"
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

// machines are the simulated machines behind the devices' ports.
type machines struct {
	cfg   wsmantest.Config // of each, less its UUID
	ports []uint16         // those asked for; nil is what the machine has
	usual []uint16         // that it has at first
	out   *printer

	mu      sync.Mutex
	made    []*wsmantest.Device
	devices map[apf.UUID]*mpstest.Device
	wg      sync.WaitGroup // what follows events
}

// newMachines checks the configuration.
func newMachines(cfg wsmantest.Config, ports []uint16, out *printer) (m *machines, err error) {
	defer func() {
		if wrong := recover(); wrong != nil { // which is how wsmantest takes what makes no sense
			err = fmt.Errorf("-amt-version: %v", wrong)
		}
	}()
	sample := wsmantest.New(cfg)
	defer sample.Close()
	return &machines{cfg: cfg, ports: ports, usual: forwarded(sample), out: out}, nil
}

// forwarded returns the ports that a machine forwards.
func forwarded(machine *wsmantest.Device) []uint16 {
	ports := machine.Ports()
	if slices.Contains(ports, wsmantest.PortHTTP) {
		ports = append(ports, portDASH)
	}
	if slices.Contains(ports, wsmantest.PortHTTPS) {
		ports = append(ports, portDASHTLS)
	}
	return append(ports, portVNC)
}

// attach says which devices there are.
func (m *machines) attach(fleet mpstest.Fleet) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.devices = make(map[apf.UUID]*mpstest.Device, len(fleet))
	for _, d := range fleet {
		m.devices[d.UUID()] = d
	}
}

// join puts a machine behind a device.
func (m *machines) join(c *mpstest.Config) {
	one := &machine{all: m, uuid: c.UUID}
	if m.ports != nil {
		c.Ports = one.handlers(m.ports)
	} else {
		c.Ports = one.handlers(m.usual)
	}
	if c.ConnType != apf.ConnCIRA && c.MEIState.Reveal() == "" {
		c.MEIState = mpstest.NewSecret(string(one.get().MEIState()))
	}
}

// close ends the machines.
func (m *machines) close() {
	m.mu.Lock()
	made := m.made
	m.mu.Unlock()
	for _, d := range made {
		d.Close()
	}
	m.wg.Wait()
}

// machine is the one behind a device. It is made when it is first connected to, as most of a large fleet never is.
type machine struct {
	all  *machines
	uuid apf.UUID
	once sync.Once
	amt  *wsmantest.Device
}

func (one *machine) get() *wsmantest.Device {
	one.once.Do(func() {
		cfg := one.all.cfg
		cfg.UUID, cfg.OnEvent = one.uuid, one.event
		one.amt = wsmantest.New(cfg)
		one.all.mu.Lock()
		defer one.all.mu.Unlock()
		one.all.made = append(one.all.made, one.amt)
	})
	return one.amt
}

// event prints what happens to the machine.
func (one *machine) event(e wsmantest.Event) {
	one.all.out.line("%s %s", one.uuid, e)
	if one.all.ports == nil && (e.Kind == wsmantest.EventNetwork || e.Kind == wsmantest.EventSetup) {
		one.all.wg.Go(one.follow) // it has to return for the machine to go on
	}
}

// follow forwards the ports that the machine has now.
func (one *machine) follow() {
	one.all.mu.Lock()
	device := one.all.devices[one.uuid]
	one.all.mu.Unlock()
	if device == nil {
		return
	}
	if err := device.SetPorts(context.Background(), one.handlers(forwarded(one.amt))); err != nil {
		one.all.out.line("%s %v", one.uuid, err)
	}
}

func (one *machine) handlers(ports []uint16) map[uint16]mpstest.Handler {
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
		handlers[port] = func(c net.Conn) { one.get().ServeConn(c, at) }
	}
	return handlers
}
