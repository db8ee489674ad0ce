//go:build !race

package controlproto

const raceDetector = false
