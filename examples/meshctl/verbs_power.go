package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/controlproto"
)

// powerFlags are the operations besides --wake.
var powerFlags = []struct { //nolint:gochecknoglobals // constant
	name   string
	action controlproto.PowerAction
	usage  string
}{
	{"off", controlproto.AgentOff, "switch off"},
	{"reset", controlproto.AgentReset, "restart"},
	{"sleep", controlproto.AgentSleep, "put to sleep"},
	{"amton", controlproto.AMTOn, "switch on by Intel AMT"},
	{"amtoff", controlproto.AMTOff, "switch off by Intel AMT"},
	{"amtreset", controlproto.AMTReset, "restart by Intel AMT"},
}

// powerCommands is the verb that switches devices on and off.
func (a *app) powerCommands() []*cobra.Command {
	var wake bool
	set := make([]bool, len(powerFlags))
	c := a.onDevices("devicepower", "Wake, restart, switch off devices or put them to sleep",
		func(ctx context.Context, s *session, devices []controlproto.ID) error {
			if wake {
				if err := s.client.Wake(ctx, devices...); err != nil {
					return err
				}
			}
			for i, flag := range powerFlags {
				if set[i] {
					if err := s.client.Power(ctx, flag.action, devices...); err != nil {
						return err
					}
				}
			}
			return s.done("ok")
		})
	c.Long = c.Short + ".\n\nServers confirm before they ask the device: ok does not mean that it was done, which may take a minute."
	names := []string{"wake"}
	c.Flags().BoolVar(&wake, "wake", false, "wake by network packets")
	for i, flag := range powerFlags {
		c.Flags().BoolVar(&set[i], flag.name, false, flag.usage)
		names = append(names, flag.name)
	}
	c.MarkFlagsOneRequired(names...)
	c.MarkFlagsMutuallyExclusive(names...)
	return []*cobra.Command{c}
}
