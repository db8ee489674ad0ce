//go:build !race

package redir

const raceDetector = false
