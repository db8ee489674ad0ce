package console

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// What a terminal does with the keys of a line, where that is off.
func TestReadLine(t *testing.T) {
	for typed, want := range map[string]string{
		"secret\r": "secret", "secret\n": "secret", "\r": "", "ends": "ends", "two\rlines\r": "two",
		"sx\x7fecré\x7fet\x08t\r": "secret", "\x7f\x7fa\r": "a", "wrong\x15right\r": "right", "a\x04b\r": "ab", "\xffbytes\r": "\xffbytes",
	} {
		got, err := readLine(iotest.OneByteReader(strings.NewReader(typed)))
		require.NoError(t, err, "%q", typed)
		require.Equal(t, want, got, "%q", typed)
	}
	for typed, want := range map[string]error{
		"": io.EOF, "\x04": io.EOF, "a\x15\x04": io.EOF, "secr\x03": context.Canceled, strings.Repeat("x", maxSecret+1): errTooLong,
	} {
		_, err := readLine(strings.NewReader(typed))
		require.ErrorIs(t, err, want, "%.20q", typed)
	}
	// What is behind the line is for whoever reads next.
	rest := strings.NewReader("line\rmore")
	_, err := readLine(rest)
	require.NoError(t, err)
	more, err := io.ReadAll(rest)
	require.NoError(t, err)
	require.Equal(t, "more", string(more))
}
