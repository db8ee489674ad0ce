//go:build !race

package msgconn

const raceDetector = false
