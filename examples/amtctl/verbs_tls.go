package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/flows"
)

// issuer makes the certificates of devices.
type issuer struct {
	cert *x509.Certificate
	key  crypto.Signer
	now  func() time.Time
}

// validity is for how long certificates of devices are good.
const validity = 10 * 365 * 24 * time.Hour

// loadIssuer reads an authority.
func (a *app) loadIssuer(certFile, keyFile string) (*issuer, error) {
	orElse(&keyFile, certFile)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, usageError("--ca-cert: %v", err)
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok || !pair.Leaf.IsCA {
		return nil, usageError("--ca-cert: %s is not of an authority", certFile)
	}
	return &issuer{pair.Leaf, signer, a.now}, nil
}

// throwaway is an authority that signs one certificate and is forgotten: what counts is the pin.
func (a *app) throwaway() (*issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return &issuer{&x509.Certificate{Subject: pkix.Name{CommonName: "amtctl"}}, key, a.now}, nil
}

// issue makes a certificate for the key of a device.
func (i *issuer) issue(name string) func(context.Context, *rsa.PublicKey) ([]byte, error) {
	return func(_ context.Context, key *rsa.PublicKey) ([]byte, error) {
		serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
		if err != nil {
			return nil, err
		}
		template := &x509.Certificate{
			SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: i.now().Add(-24 * time.Hour), NotAfter: i.now().Add(validity),
			KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
		}
		if name != "" {
			template.DNSNames = []string{name}
		}
		return x509.CreateCertificate(rand.Reader, template, i.cert, key, i.key)
	}
}

// tlsCommands is the command that protects the ports of a device.
func (a *app) tlsCommands() []*cobra.Command {
	var setup flows.TLSSetup
	var cert, key, name string
	c := a.on("tls", "Protect the ports of the device with TLS", cobra.NoArgs, func(ctx context.Context, s *session, _ []string) error {
		if key != "" && cert == "" {
			return usageError("--ca-key goes with --ca-cert")
		}
		by, err := a.throwaway()
		if cert != "" {
			by, err = a.loadIssuer(cert, key)
		}
		if err != nil {
			return err
		}
		setup.Issue = by.issue(name)
		der, err := s.dev.SetTLS(ctx, setup)
		if err != nil {
			return err
		}
		inUse, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("the device's certificate: %w", err)
		}
		pin := wsman.PinOf(inUse).String()
		return s.done("TLS is on; connect with --tls --pin "+pin, field{"pin", pin})
	})
	c.Long = c.Short + ", with a key that the device makes, and print the pin of the certificate in use.\n\n" +
		"Without --ca-cert the certificate is of an authority that is forgotten at once: the pin is what tells the device."
	c.Flags().StringVar(&cert, "ca-cert", "", "`FILE` with the certificate (PEM) of the authority that shall issue the device's")
	c.Flags().StringVar(&key, "ca-key", "", "`FILE` with its key; by default that of --ca-cert")
	c.Flags().StringVar(&name, "name", "amt", "`NAME` in the device's certificate")
	c.Flags().BoolVar(&setup.OnlyTLS, "only", false, "close the ports without TLS")
	c.Flags().BoolVar(&setup.Local, "local", false, "protect the ports for the host too")
	return []*cobra.Command{c}
}
