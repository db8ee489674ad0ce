// Package hostinfo finds out what the agent's device is, with nothing but the standard library. What a system does not
// tell, or not without rights that the agent does not have, is left out.
package hostinfo

import (
	"os"
	"runtime"
	"time"
)

// System is what an agent says of its device in coreinfo and in the login.
type System struct {
	Name   string    // of the computer
	OS     string    // such as "Debian GNU/Linux 12 (bookworm)"
	Arch   string    // such as "amd64"
	Booted time.Time // zero if unknown
	Root   bool      // whether the agent has full rights
	Users  []string  // who are logged in; nil if unknown
}

// ReadSystem asks the operating system.
func ReadSystem() System {
	s := readSystem()
	s.Name, _ = os.Hostname()
	s.Arch = runtime.GOARCH
	if s.OS == "" {
		s.OS = runtime.GOOS
	}
	return s
}
