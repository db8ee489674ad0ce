//go:build !linux && !darwin

package terminal

import "os/exec"

// startPTY has no pseudo terminals to start a command on.
func startPTY(*exec.Cmd, Size) (Shell, error) { return nil, ErrUnsupported }
