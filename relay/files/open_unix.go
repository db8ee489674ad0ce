//go:build unix

package files

import "syscall"

// openFlags keep an open from waiting for the other end of a pipe that somebody put in the place of a file.
const openFlags = syscall.O_NONBLOCK | syscall.O_NOCTTY
