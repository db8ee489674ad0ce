//go:build !unix && !js

package bench

// processTime is not to be had here.
func processTime() string { return "unknown" }
