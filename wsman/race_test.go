//go:build race

package wsman

// Allocations are not counted under the race detector, which makes some of its own.
const raceDetector = true
