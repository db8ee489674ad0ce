package main

import (
	"context"
	"crypto/sha512"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/examples/internal/console"
	"github.com/meshcentral-go/sdk/relay"
)

// Exit codes.
const (
	exitDone        = 0
	exitRefused     = 1
	exitUsage       = 2
	exitConnection  = 3
	exitInterrupted = 130 // by a signal, as shells have it
)

// errUsage is a command line, a profile or a file that cannot be meant so.
var errUsage = errors.New("usage")

type usage struct{ text string }

func (e *usage) Error() string        { return e.text }
func (e *usage) Is(target error) bool { return target == errUsage }

func usageError(format string, args ...any) error { return &usage{fmt.Sprintf(format, args...)} }

// errRefused is something that the server does not have or does not do, found out by this program.
type errRefused string

func (e errRefused) Error() string { return string(e) }

// exitCode says how the program ends. Of the errors of several devices, a refusal counts more than a silent server.
func exitCode(err error) int {
	var refused *controlproto.ResultError
	var here errRefused
	var closed *controlproto.CloseError
	var client *controlproto.ClientError
	var network net.Error
	var file *fs.PathError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.As(err, &refused), errors.As(err, &here), errors.As(err, &closed),
		errors.Is(err, controlproto.ErrNotFound), errors.Is(err, controlproto.ErrAgentBusy),
		errors.Is(err, controlproto.ErrBadCredentials), errors.Is(err, controlproto.ErrTokenRequired),
		errors.Is(err, relay.ErrDenied), errors.Is(err, fs.ErrNotExist):
		return exitRefused
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &file): // before net.Error, which the numbers of the operating system's errors are too
		return exitRefused
	case errors.Is(err, controlproto.ErrNoReply), errors.Is(err, controlproto.ErrDisconnected),
		errors.Is(err, controlproto.ErrClientClosed), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, controlproto.ErrPinnedCertificate), errors.Is(err, controlproto.ErrServerAuth),
		errors.Is(err, relay.ErrNoDevice):
		return exitConnection
	case errors.As(err, &client) && client.Phase != controlproto.PhaseRequest,
		errors.As(err, &network):
		return exitConnection
	}
	return exitRefused
}

// explain is the text of an error for a person, in lines that a terminal may see.
func explain(err error) string {
	var b strings.Builder
	for line := range strings.Lines(err.Error()) {
		b.WriteString("meshctl: " + console.Clean(strings.TrimPrefix(strings.TrimRight(line, "\n"), "controlproto: ")) + "\n")
	}
	if hint := hintFor(err); hint != "" {
		b.WriteString(hint + "\n")
	}
	return b.String()
}

// hintFor says what could be done.
func hintFor(err error) string {
	var untrusted *tls.CertificateVerificationError
	var closed *controlproto.CloseError
	switch {
	case errors.As(err, &untrusted) && len(untrusted.UnverifiedCertificates) > 0:
		hash := sha512.Sum384(untrusted.UnverifiedCertificates[0].Raw)
		return "The certificate that was presented has this SHA-384:\n  " + hex.EncodeToString(hash[:]) +
			"\nIf the server's owner tells you the same (\"tlshash\" of its serverinfo), connect with --pin and that value."
	case errors.Is(err, controlproto.ErrPinnedCertificate):
		return "Either the server has a new certificate, or somebody is between you and it."
	case errors.Is(err, controlproto.ErrTokenRequired):
		return "Give the code with --token; --token email, sms or messaging has one sent."
	case errors.As(err, &closed) && closed.Msg == controlproto.CloseMsgNoKey:
		return "This server wants its key in the address: --url wss://HOST/?key=KEY"
	case errors.As(err, &closed) && closed.Msg == controlproto.CloseMsgNoDomain:
		return "There is no such domain: see the path in --url."
	case errors.As(err, &closed) && closed.Cause == controlproto.CloseBanned:
		return "Too many logins from this address have failed. Try again later."
	case errors.Is(err, controlproto.ErrBadCredentials):
		return "The server does not take this name with this password, token or key; or the account is locked."
	case errors.Is(err, controlproto.ErrNoReply):
		return "Servers are silent about much that they refuse: the right to do this may be missing."
	}
	return ""
}
