package main

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/examples/internal/console"
	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/wsman"
	"github.com/meshcentral-go/sdk/wsman/flows"
	"github.com/meshcentral-go/sdk/wsman/redir"
)

// Exit codes.
const (
	exitDone        = 0
	exitRefused     = 1
	exitUsage       = 2
	exitConnection  = 3
	exitInterrupted = 130 // by a signal, as shells have it
)

// errUsage is a command line or a file that cannot be meant so.
var errUsage = errors.New("usage")

type usage struct{ text string }

func (e *usage) Error() string        { return e.text }
func (e *usage) Is(target error) bool { return target == errUsage }

func usageError(format string, args ...any) error { return &usage{fmt.Sprintf(format, args...)} }

// errRefused is something that the device or the server does not have or does not do, found out by this program.
type errRefused string

func (e errRefused) Error() string { return string(e) }

// errNoTunnel is a server that closes the tunnel to a device.
var errNoTunnel = errors.New("the server does not connect to the device")

// refusals are what a device or a server has said no with, unreached what has not come to that.
var (
	refusals = []error{ //nolint:gochecknoglobals // constant
		wsman.ErrUnsupported, wsman.ErrCredentials, flows.ErrUnsettled,
		redir.ErrCredentials, redir.ErrBusy, redir.ErrUnknownType, redir.ErrUnsupported, redir.ErrAuthType,
		controlproto.ErrNotFound, controlproto.ErrBadCredentials, controlproto.ErrTokenRequired,
	}
	unreached = []error{ //nolint:gochecknoglobals // constant
		errNoTunnel, wsman.ErrPin, wsman.ErrRealm, wsman.ErrNoAnswer, wsman.ErrMalformed, wsman.ErrTooLarge,
		redir.ErrRealm, redir.ErrSilent, redir.ErrEnded, redir.ErrProtocol, redir.ErrSequence, redir.ErrTooLarge,
		controlproto.ErrNoReply, controlproto.ErrDisconnected, controlproto.ErrClientClosed, controlproto.ErrPinnedCertificate,
		controlproto.ErrServerAuth, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
	}
)

func isAny(err error, targets []error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// exitCode says how the program ends.
func exitCode(err error) int {
	var fault *wsman.Fault
	var value *wsman.ReturnValueError
	var page *wsman.HTTPError
	var result *controlproto.ResultError
	var closed *controlproto.CloseError
	var here errRefused
	var handshake *msgconn.HandshakeError
	var client *controlproto.ClientError
	var network net.Error
	var file *fs.PathError
	var alert tls.AlertError
	var record tls.RecordHeaderError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errUsage), errors.Is(err, flows.ErrInput):
		return exitUsage
	case errors.As(err, &fault), errors.As(err, &value), errors.As(err, &page), errors.As(err, &here), isAny(err, refusals),
		errors.As(err, &result), errors.As(err, &closed):
		return exitRefused
	case errors.As(err, &handshake) && handshake.StatusCode < http.StatusInternalServerError:
		return exitRefused
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &file): // before net.Error, which the numbers of the operating system's errors are too
		return exitRefused
	case isAny(err, unreached), errors.As(err, &handshake), errors.As(err, &network), untrusted(err) != nil,
		errors.As(err, &alert), errors.As(err, &record),
		errors.As(err, &client) && client.Phase != controlproto.PhaseRequest:
		return exitConnection
	}
	return exitRefused
}

// explain is the text of an error for a person, in lines that a terminal may see.
func (a *app) explain(err error) string {
	var b strings.Builder
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimRight(line, "\n")
		for _, prefix := range []string{"flows: ", "wsman: ", "redir: ", "controlproto: "} {
			line = strings.TrimPrefix(line, prefix)
		}
		b.WriteString("amtctl: " + console.Clean(line) + "\n")
	}
	if hint := a.hintFor(err); hint != "" {
		b.WriteString(hint + "\n")
	}
	return b.String()
}

// untrusted returns the certificate that was presented, if it was not accepted.
func untrusted(err error) *x509.Certificate {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &verification) && len(verification.UnverifiedCertificates) > 0:
		return verification.UnverifiedCertificates[0]
	case errors.As(err, &authority):
		return authority.Cert
	case errors.As(err, &name):
		return name.Certificate
	case errors.As(err, &invalid):
		return invalid.Cert
	}
	return nil
}

// hintFor says what could be done.
func (a *app) hintFor(err error) string {
	var closed *controlproto.CloseError
	var client *controlproto.ClientError
	if cert := untrusted(err); cert != nil {
		if errors.As(err, &client) {
			hash := sha512.Sum384(cert.Raw)
			return "The server's certificate has this SHA-384:\n  " + hex.EncodeToString(hash[:]) +
				"\nIf its owner tells you the same, connect with --pin and that value."
		}
		hash := sha256.Sum256(cert.Raw)
		return "The device's certificate has this SHA-256:\n  " + hex.EncodeToString(hash[:]) +
			"\nIf you know that it is its own, connect with --pin and that value."
	}
	switch {
	case errors.Is(err, wsman.ErrPin), errors.Is(err, controlproto.ErrPinnedCertificate):
		return "Either there is a new certificate, or somebody is between you and it."
	case errors.Is(err, wsman.ErrRealm), errors.Is(err, redir.ErrRealm):
		return "Either the device was activated anew, or somebody is between you and it."
	case a.flags.stored && (errors.Is(err, wsman.ErrCredentials) || errors.Is(err, redir.ErrCredentials)):
		return "The server has no credentials of this device stored, or old ones."
	case errors.Is(err, wsman.ErrCredentials), errors.Is(err, redir.ErrCredentials):
		return "Do not try again and again: devices lock accounts."
	case errors.Is(err, redir.ErrBusy):
		return "Only one session of a kind is possible at a time."
	case errors.Is(err, redir.ErrUnsupported):
		return "It may be switched off: see amtctl redirection. In client control mode the device's user has to agree: see amtctl consent."
	case errors.Is(err, controlproto.ErrTokenRequired):
		return "Give the code with --token; --token email, sms or messaging has one sent."
	case errors.As(err, &closed) && closed.Cause == controlproto.CloseBanned:
		return "Too many logins from this address have failed. Try again later."
	case errors.Is(err, wsman.ErrUnsupported):
		return "This device does not have that."
	case errors.Is(err, errNoTunnel):
		return "The device may not be connected to the server, or the right to control it is missing."
	case errors.Is(err, wsman.ErrNoAnswer):
		return "What was asked for may have been done all the same: look before you ask again."
	}
	return ""
}
