//go:build race

package redir

// The race detector adds allocations of its own.
const raceDetector = true
