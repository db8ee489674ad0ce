//go:build race

package controlproto

// With the race detector memory is not what it is without.
const raceDetector = true
