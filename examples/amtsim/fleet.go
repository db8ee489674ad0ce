package main

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/mps/mpstest"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// fleet makes the devices' configuration of the flags. The machines are closed after the devices.
func (f *flags) fleet(out *printer) (mpstest.FleetConfig, *machines, error) {
	cfg, behind, err := f.devices(out)
	if err == nil {
		err = f.certificates(&cfg, out)
	}
	return cfg, behind, err
}

func (f *flags) devices(out *printer) (mpstest.FleetConfig, *machines, error) {
	cfg := mpstest.FleetConfig{N: f.n, Calls: f.connections}
	cfg.Server, cfg.User, cfg.Password = f.mps, f.user, mpstest.NewSecret(f.pass)
	cfg.Quirks, cfg.Backoff = f.quirks, f.backoff
	if f.firmware {
		firmware := mpstest.Firmware()
		cfg.Quirks.Window, cfg.Quirks.AdjustStep = firmware.Window, firmware.AdjustStep
		cfg.Quirks.FrameSize, cfg.Quirks.ReuseSlots = firmware.FrameSize, true
	}
	if f.window > 0 {
		cfg.Quirks.Window = uint32(f.window)
	}
	if f.adjustStep > 0 {
		cfg.Quirks.AdjustStep = uint32(f.adjustStep)
	}
	if f.frameSize > 0 {
		cfg.Quirks.FrameSize = uint32(f.frameSize)
	}
	behind, err := f.serving(&cfg, out)
	if err != nil {
		return cfg, nil, err
	}
	if cfg.ConnType, err = f.connectionType(); err != nil {
		return cfg, nil, err
	}
	if f.meiState != "" {
		state, err := os.ReadFile(f.meiState)
		if err == nil && len(state) == 0 {
			err = errors.New("the file is empty")
		}
		if err != nil {
			return cfg, nil, fmt.Errorf("-mei-state: %w", err)
		}
		cfg.MEIState = mpstest.NewSecret(string(state))
	}
	if cfg.UUID, err = f.first(); err != nil {
		return cfg, nil, err
	}
	if cfg.Trust, err = f.trust(out); err != nil {
		return cfg, nil, err
	}
	cfg.TLS, err = f.tls()
	return cfg, behind, err
}

// serving sets what is behind the ports.
func (f *flags) serving(cfg *mpstest.FleetConfig, out *printer) (*machines, error) {
	ports, err := f.portList()
	if err != nil {
		return nil, err
	}
	if ports == nil && f.connType != "cira" {
		ports = []uint16{wsmantest.PortHTTP, wsmantest.PortHTTPS} // which is what agents have
	}
	if f.serve == "amt" {
		machine, err := f.machine()
		if err != nil {
			return nil, err
		}
		behind, err := newMachines(machine, ports, out)
		if err != nil {
			return nil, err
		}
		cfg.Each = func(_ int, c *mpstest.Config) error {
			behind.join(c)
			return nil
		}
		return behind, nil
	}
	handler, ok := map[string]mpstest.Handler{
		"echo": mpstest.Echo, "http": mpstest.HTTP(page{}), "discard": mpstest.Discard,
	}[f.serve]
	if !ok {
		return nil, fmt.Errorf("-serve can be amt, echo, http or discard, and not %.40q", f.serve)
	}
	if ports == nil {
		ports = mpstest.AMTPorts()
	}
	cfg.Ports = make(map[uint16]mpstest.Handler)
	for _, port := range ports {
		cfg.Ports[port] = handler
	}
	return &machines{}, nil
}

// first returns the identifier of the first device.
func (f *flags) first() (apf.UUID, error) {
	if f.uuid != "" {
		u, err := apf.ParseUUID(f.uuid)
		if err != nil {
			return u, fmt.Errorf("-uuid: %w", err)
		}
		return u, nil
	}
	var u apf.UUID
	_, _ = rand.Read(u[:])
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80 // version 4, which is random
	return u, nil
}

// trust says which server is taken. Without a flag it is the first that is met, for as long as the program runs: what
// there is to lose is -pass.
func (f *flags) trust(out *printer) (mpstest.Trust, error) {
	t := mpstest.Trust{Name: f.name, Insecure: f.insecure}
	switch {
	case f.pin != "":
		pin, err := mpstest.ParsePin(f.pin)
		if err != nil {
			return t, fmt.Errorf("-pin: %w", err)
		}
		t.Pin = pin
	case f.root != "":
		b, err := os.ReadFile(f.root)
		if err != nil {
			return t, fmt.Errorf("-root: %w", err)
		}
		t.Roots = x509.NewCertPool()
		if !t.Roots.AppendCertsFromPEM(b) {
			return t, fmt.Errorf("-root: no certificate in %s", f.root)
		}
	case !f.insecure:
		first := &firstUse{out: out}
		t.Verify = first.verify
	}
	return t, nil
}

// firstUse takes the certificate that it is shown first, and no other.
type firstUse struct {
	out *printer
	mu  sync.Mutex
	pin mpstest.Pin
}

func (u *firstUse) verify(cert *x509.Certificate) error {
	pin := mpstest.PinOf(cert)
	u.mu.Lock()
	defer u.mu.Unlock()
	switch u.pin {
	case mpstest.Pin{}:
		u.pin = pin
		u.out.line("the server's certificate was not verified; to have no other: -pin %s", pin)
	case pin:
	default:
		return fmt.Errorf("it has changed since the first connection, its pin is now %s", pin)
	}
	return nil
}

// tls returns the settings for a version of TLS.
func (f *flags) tls() (*tls.Config, error) {
	if f.tlsVersion == "" {
		return nil, nil
	}
	version, ok := map[string]uint16{
		"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13,
	}[f.tlsVersion]
	if !ok {
		return nil, fmt.Errorf("-tls can be 1.0, 1.1, 1.2 or 1.3, and not %.40q", f.tlsVersion)
	}
	return &tls.Config{
		MinVersion: version, MaxVersion: version, //nolint:gosec // asked for by flag
		// RSA key exchange, and CBC: what AMT 11 and 12 have.
		CipherSuites: []uint16{
			tls.TLS_RSA_WITH_AES_128_GCM_SHA256, //nolint:gosec // asked for by flag
			tls.TLS_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA,
		},
	}, nil
}

// certificates gives devices the certificates that they log in with.
func (f *flags) certificates(cfg *mpstest.FleetConfig, out *printer) error {
	switch {
	case f.cert != "":
		if f.key == "" {
			f.key = f.cert
		}
		cert, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return fmt.Errorf("-cert: %w", err)
		}
		cfg.Certificate = &cert
		if f.n > 1 {
			out.line("all devices have one certificate: a server that knows devices by their key, as MeshCentral, sees one device (use -certs)")
		}
	case f.certs != "":
		if err := os.MkdirAll(f.certs, 0o700); err != nil {
			return fmt.Errorf("-certs: %w", err)
		}
		each := cfg.Each
		cfg.Each = func(i int, c *mpstest.Config) error {
			if each != nil {
				if err := each(i, c); err != nil {
					return err
				}
			}
			cert, err := f.certificate(i, c.UUID)
			c.Certificate = cert
			return err
		}
	}
	return nil
}

// certificate reads the certificate of a device, or makes one and keeps it.
func (f *flags) certificate(i int, uuid apf.UUID) (*tls.Certificate, error) {
	name := filepath.Join(f.certs, uuid.String()+".pem")
	cert, err := tls.LoadX509KeyPair(name, name)
	if err == nil {
		return &cert, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("-certs: %s: %w", name, err)
	}
	if f.group == "" {
		return nil, fmt.Errorf("-certs: there is no %s; to have it made, say for which -group", name)
	}
	made, err := mpstest.NewCertificate(fmt.Sprintf("amtsim-%d", i+1), f.group, nil)
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(made.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("-certs: %w", err)
	}
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made.Certificate[0]})
	b = append(b, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := os.WriteFile(name, b, 0o600); err != nil {
		return nil, fmt.Errorf("-certs: %w", err)
	}
	return made, nil
}

// page is what a device shows to a browser.
type page struct{}

// ServeHTTP implements [http.Handler].
func (page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "Intel(R) Active Management Technology (simulated)")
	fmt.Fprintln(w, "A simulated Intel AMT device.")
}
