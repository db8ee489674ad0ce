package wsmantest

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"
)

const (
	tlsRemote = "Intel(r) AMT 802.3 TLS Settings"
	tlsLocal  = "Intel(r) AMT LMS TLS Settings"
	// The collection is called "TLSProtocolEndpointInstances Collection" by clients, and this by the firmware.
	tlsCollection = "TLSProtocolEndpoint Instances Collection"
)

// tlsState is what is in force; the instances of AMT_TLSSettingData may say something else until CommitChanges.
type tlsState struct {
	enabled bool // ports 16993 and 16995
	only    bool // no ports without TLS
	mutual  bool
	cert    *tls.Certificate
}

func (d *Device) buildTLS() error {
	k := d.define(&class{
		name: "AMT_TLSSettingData", keys: []string{"InstanceID"}, put: d.putTLS,
		readOnly: []string{"ElementName", "NonSecureConnectionsSupported"}, optional: []string{"TrustedCN"},
	})
	for _, id := range []string{tlsRemote, tlsLocal} {
		o := newObject(k.name, "AcceptNonSecureConnections", false, "ElementName", id, "Enabled", false, "InstanceID", id,
			"MutualAuthentication", false)
		if d.prof.major >= 15 {
			o.set("NonSecureConnectionsSupported", d.prof.clear)
		}
		k.objects = append(k.objects, o)
	}
	d.fixed(newObject("AMT_TLSProtocolEndpointCollection", "ElementName", tlsCollection))
	d.define(&class{
		name: "AMT_TLSCredentialContext", keys: []string{"ElementInContext", "ElementProvidingContext"},
		create: d.bindTLS, put: d.rebindTLS,
		remove: func(*object) *fault {
			if d.state.tls.enabled {
				return inUse()
			}
			return nil
		},
	})
	if !d.cfg.TLS && d.prof.clear {
		return nil
	}
	cert, err := d.selfSigned()
	if err != nil {
		return err
	}
	d.store(newObject("AMT_TLSCredentialContext", "ElementInContext", d.ref(cert),
		"ElementProvidingContext", refTo("AMT_TLSProtocolEndpointCollection", "ElementName", tlsCollection)))
	for _, o := range k.objects {
		o.set("Enabled", true)
		o.set("AcceptNonSecureConnections", d.prof.clear)
	}
	d.applyTLS()
	return nil
}

// selfSigned makes a certificate as the firmware does for itself.
func (d *Device) selfSigned() (*object, error) {
	key, err := rsa.GenerateKey(d.cfg.Rand, keyBits)
	if err != nil {
		return nil, fmt.Errorf("wsmantest: key: %w", err)
	}
	now := d.cfg.Now()
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(d.random(8)), Subject: pkix.Name{CommonName: d.cfg.HostName, Organization: []string{"Intel AMT"}},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.AddDate(20, 0, 0), DNSNames: []string{d.cfg.HostName},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(d.cfg.Rand, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("wsmantest: certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("wsmantest: certificate: %w", err)
	}
	d.newKey(key)
	return d.storeCertificate(cert, false), nil
}

// putTLS notes settings for CommitChanges.
func (d *Device) putTLS(_ *request, _, o *object) *fault {
	if o.flag("AcceptNonSecureConnections") && !d.prof.clear {
		return invalidRepresentation()
	}
	if o.flag("Enabled") && d.boundCertificate() == nil {
		return invalidRepresentation()
	}
	return nil
}

// bindTLS makes the context that says which certificate the TLS endpoints show.
func (d *Device) bindTLS(o *object) (*object, *fault) {
	if len(d.classes["AMT_TLSCredentialContext"].objects) > 0 {
		return nil, alreadyExists()
	}
	return o, d.checkBinding(o)
}

func (d *Device) rebindTLS(_ *request, _, o *object) *fault { return d.checkBinding(o) }

func (d *Device) checkBinding(o *object) *fault {
	ref, valid := o.ref("ElementInContext")
	endpoints, validToo := o.ref("ElementProvidingContext")
	if !valid || !validToo || d.resolve(endpoints) == nil {
		return invalidRepresentation()
	}
	cert := d.resolve(ref)
	if cert == nil || d.keyOf(cert) == nil {
		return invalidRepresentation()
	}
	o.set("ElementInContext", d.ref(cert))
	o.set("ElementProvidingContext", refTo("AMT_TLSProtocolEndpointCollection", "ElementName", tlsCollection))
	return nil
}

// boundCertificate is the certificate of the TLS endpoints, or nil.
func (d *Device) boundCertificate() *object {
	for _, o := range d.classes["AMT_TLSCredentialContext"].objects {
		if ref, valid := o.ref("ElementInContext"); valid {
			return d.resolve(ref)
		}
	}
	return nil
}

// applyTLS puts the settings in force, at CommitChanges.
func (d *Device) applyTLS() int {
	remote := d.one("AMT_TLSSettingData", "InstanceID", tlsRemote)
	was := d.state.tls
	now := tlsState{enabled: remote.flag("Enabled"), mutual: remote.flag("MutualAuthentication")}
	if now.enabled {
		cert := d.boundCertificate()
		if cert == nil || d.keyOf(cert) == nil {
			return statusMissingKeys
		}
		now.only = !remote.flag("AcceptNonSecureConnections")
		leaf := d.state.keys.parsed[cert]
		now.cert = &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: d.keyOf(cert), Leaf: leaf}
	}
	d.state.tls = now
	if was.enabled != now.enabled {
		d.emit(EventNetwork, "TLS enabled: %v", now.enabled)
	}
	return ok
}

// tlsConfigLocked is the server's side of TLS, by version.
func (d *Device) tlsConfigLocked() *tls.Config {
	c := &tls.Config{
		Certificates: []tls.Certificate{*d.state.tls.cert},
		MinVersion:   d.prof.minTLS, //nolint:gosec // firmware does no better
		MaxVersion:   d.prof.maxTLS,
		// Sessions are not resumed, so that the client's certificate is there in each.
		SessionTicketsDisabled: true,
		CipherSuites:           staticRSA(),
	}
	if d.cfg.MinTLS != 0 {
		c.MinVersion = d.cfg.MinTLS
	}
	if d.cfg.MaxTLS != 0 {
		c.MaxVersion = d.cfg.MaxTLS
	}
	if !d.prof.staticRSA {
		// MeshCentral offers TLS 1.2 with no other key exchange than RSA.
		for _, s := range tls.CipherSuites() {
			c.CipherSuites = append(c.CipherSuites, s.ID)
		}
	}
	switch {
	case d.state.setup.remote:
		c.ClientAuth, c.VerifyPeerCertificate = tls.RequireAnyClientCert, d.verifyRemote(d.trustedForSetup())
	case d.state.tls.mutual:
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		for _, o := range d.classes["AMT_PublicKeyCertificate"].objects {
			if o.flag("TrustedRootCertficate") {
				c.ClientCAs.AddCert(d.state.keys.parsed[o])
			}
		}
	}
	return c
}

func staticRSA() []uint16 {
	return []uint16{
		tls.TLS_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA, //nolint:gosec // what old firmware has
	}
}

// TLS says whether TLS is in force, and with which certificate.
func (d *Device) TLS() (enabled bool, cert *x509.Certificate) {
	d.mu.Lock()
	defer d.unlock()
	if !d.state.tls.enabled {
		return false, nil
	}
	return true, d.state.keys.parsed[d.boundCertificate()]
}
