package redir

import (
	"fmt"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// What can hold a digest, from which a password could be guessed, is printed without it by every verb, by log/slog and by
// encoding/json.

// String names the message.
func (m Message) String() string {
	return fmt.Sprintf("message %02X of %d bytes", uint8(m.Command()), len(m))
}

// GoString is what %#v prints.
func (m Message) GoString() string { return "redir.Message{" + m.String() + "}" }

// Format makes every verb print the redacted form.
func (m Message) Format(f fmt.State, verb rune) { secret.Format(f, verb, m.String(), m.GoString()) }

// MarshalText is what encoding/json and log/slog print.
func (m Message) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// String names the kind.
func (m AuthRequest) String() string {
	return fmt.Sprintf("authentication by %v, %d bytes", m.Type, len(m.Data))
}

// GoString is what %#v prints.
func (m AuthRequest) GoString() string { return "redir.AuthRequest{" + m.String() + "}" }

// Format makes every verb print the redacted form.
func (m AuthRequest) Format(f fmt.State, verb rune) { secret.Format(f, verb, m.String(), m.GoString()) }

// MarshalText is what encoding/json and log/slog print.
func (m AuthRequest) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// String names the side.
func (p Parser) String() string { return fmt.Sprintf("parser of the %v", p.from) }

// GoString is what %#v prints.
func (p Parser) GoString() string { return "redir.Parser{" + p.String() + "}" }

// Format makes every verb print the redacted form.
func (p Parser) Format(f fmt.State, verb rune) { secret.Format(f, verb, p.String(), p.GoString()) }

// String names the session.
func (l ClientLogin) String() string { return fmt.Sprintf("login for %v: %s", l.session, l.Phase()) }

// GoString is what %#v prints.
func (l ClientLogin) GoString() string { return "redir.ClientLogin{" + l.String() + "}" }

// Format makes every verb print the redacted form.
func (l ClientLogin) Format(f fmt.State, verb rune) {
	secret.Format(f, verb, l.String(), l.GoString())
}

// String names the session.
func (l ServerLogin) String() string { return fmt.Sprintf("login of an operator for %v", l.session) }

// GoString is what %#v prints.
func (l ServerLogin) GoString() string { return "redir.ServerLogin{" + l.String() + "}" }

// Format makes every verb print the redacted form.
func (l ServerLogin) Format(f fmt.State, verb rune) {
	secret.Format(f, verb, l.String(), l.GoString())
}

// String says what it is.
func (i *RedirInterceptor) String() string { return "interceptor of a redirection session" }

// GoString is what %#v prints.
func (i *RedirInterceptor) GoString() string { return "redir.RedirInterceptor{}" }

// Format makes every verb print the redacted form.
func (i *RedirInterceptor) Format(f fmt.State, verb rune) {
	secret.Format(f, verb, i.String(), i.GoString())
}

// String says what it is.
func (i *HTTPInterceptor) String() string { return "interceptor of HTTP" }

// GoString is what %#v prints.
func (i *HTTPInterceptor) GoString() string { return "redir.HTTPInterceptor{}" }

// Format makes every verb print the redacted form.
func (i *HTTPInterceptor) Format(f fmt.State, verb rune) {
	secret.Format(f, verb, i.String(), i.GoString())
}

// Format makes every verb print the redacted form.
func (m *Memory) Format(f fmt.State, verb rune) { secret.Format(f, verb, m.String(), m.GoString()) }
