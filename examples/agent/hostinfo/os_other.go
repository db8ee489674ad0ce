//go:build !linux && !darwin && !windows

package hostinfo

import "os"

func readSystem() System { return System{Root: os.Geteuid() == 0} }

func readHardware() Hardware { return Hardware{} }

func readGateways() map[string]string { return nil }
