//go:build !race

package apf

const raceDetector = false
