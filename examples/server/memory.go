package main

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
)

// hostMemory returns the machine's memory and what is free of it, in bytes, where the system tells: zeros elsewhere.
func hostMemory() (total, free int64) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, 0
	}
	return parseMemory(text)
}

func parseMemory(text []byte) (total, free int64) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		fields := bytes.Fields(lines.Bytes()) // "MemTotal:       16318480 kB"
		if len(fields) < 2 {
			continue
		}
		n, err := strconv.ParseInt(string(fields[1]), 10, 64)
		if err != nil || n < 0 || n > 1<<50 {
			continue
		}
		switch string(fields[0]) {
		case "MemTotal:":
			total = n << 10
		case "MemAvailable:":
			free = n << 10
		}
	}
	return total, free
}
