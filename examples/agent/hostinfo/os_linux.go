package hostinfo

import "os"

func readSystem() System {
	s := linuxSystem(os.DirFS("/"))
	s.Root = os.Geteuid() == 0
	return s
}

func readHardware() Hardware { return linuxHardware(os.DirFS("/")) }

func readGateways() map[string]string { return linuxGateways(os.DirFS("/")) }
