package controlproto

import (
	"fmt"
	"log/slog"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// String names the action and the size: a message may carry passwords, so printing it does not show what it says. Raw does.
func (e Envelope) String() string { return fmt.Sprintf("%.32q of %d bytes", e.Action, len(e.Raw)) }

// Format makes every verb print String.
func (e Envelope) Format(f fmt.State, verb rune) { secret.Format(f, verb, e.String(), e.String()) }

// LogValue is what log/slog prints.
func (e Envelope) LogValue() slog.Value { return slog.StringValue(e.String()) }

// MarshalText is what encoding/json prints.
func (e Envelope) MarshalText() ([]byte, error) { return []byte(e.String()), nil }
