//go:build !race

package wsman

const raceDetector = false
