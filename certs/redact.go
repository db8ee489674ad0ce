package certs

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
)

// What a type with a secret prints. Each such type has String, GoString, Format, LogValue and MarshalJSON, all with the
// same harmless text: without a Formatter, verbs such as %d would print the fields.

func formatRedacted(f fmt.State, s string) { _, _ = io.WriteString(f, s) }

func logRedacted(s string) slog.Value { return slog.StringValue(s) }

func jsonRedacted(s string) ([]byte, error) { return strconv.AppendQuoteToASCII(nil, s), nil }
