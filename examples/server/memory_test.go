package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseMemory(t *testing.T) {
	total, free := parseMemory([]byte("MemTotal:       16318480 kB\nMemFree:         1000 kB\nMemAvailable:    2000 kB\nodd\nMemTotal: x kB\n"))
	require.Equal(t, []int64{16318480 << 10, 2000 << 10}, []int64{total, free})
	total, free = parseMemory(nil)
	require.Equal(t, []int64{0, 0}, []int64{total, free})
}
