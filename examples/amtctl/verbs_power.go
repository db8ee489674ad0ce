package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/wsman/cim"
	"github.com/meshcentral-go/sdk/wsman/flows"
	"github.com/meshcentral-go/sdk/wsman/ips"
)

// powerRequests are what can be asked for, in three ways: as it is, by asking the operating system first, and down to the
// power supply.
var powerRequests = map[string]struct{ plain, graceful, hard cim.PowerState }{ //nolint:gochecknoglobals // constant
	"on":        {plain: cim.PowerStateOn},
	"off":       {cim.PowerStateOffSoft, cim.PowerStateOffSoftGraceful, cim.PowerStateOffHard},
	"reset":     {plain: cim.PowerStateMasterBusReset, graceful: cim.PowerStateResetGraceful},
	"cycle":     {cim.PowerStatePowerCycleSoft, cim.PowerStatePowerCycleSoftGraceful, cim.PowerStatePowerCycleHard},
	"sleep":     {plain: cim.PowerStateSleepDeep},
	"standby":   {plain: cim.PowerStateSleepLight},
	"hibernate": {plain: cim.PowerStateHibernate},
	"nmi":       {plain: cim.PowerStateNMI},
}

// powerStates are the states of a host in a word, and powerWords more of them for people.
var (
	powerStates = map[cim.PowerState]string{ //nolint:gochecknoglobals // constant
		cim.PowerStateOn: "on", cim.PowerStateSleepLight: "standby", cim.PowerStateSleepDeep: "sleep", cim.PowerStateHibernate: "hibernate",
		cim.PowerStateOffSoft: "off", cim.PowerStateOffHard: "off",
	}
	powerWords = map[cim.PowerState]string{ //nolint:gochecknoglobals // constant
		cim.PowerStateOn: "on (S0)", cim.PowerStateSleepLight: "standby (S1 or S2)", cim.PowerStateSleepDeep: "sleep (S3)",
		cim.PowerStateHibernate: "hibernate (S4)", cim.PowerStateOffSoft: "off (S5)", cim.PowerStateOffHard: "off (hard)",
	}
)

func powerText(p flows.Power) string {
	text, ok := powerWords[p.State]
	if !ok {
		text = p.State.String()
	}
	if p.State == cim.PowerStateOn && p.OS == ips.OSPowerSavingStateSavingPower {
		text += ", the operating system saves power"
	}
	return text
}

// powerReply is what power prints as JSON.
type powerReply struct {
	Power       string   `json:"power"`
	State       uint16   `json:"state"` // as CIM numbers them
	OS          string   `json:"os,omitempty"`
	Requestable []string `json:"requestable,omitempty"`
}

func newPowerReply(p flows.Power) powerReply {
	r := powerReply{Power: powerStates[p.State], State: uint16(p.State)}
	if r.Power == "" {
		r.Power = p.State.String()
	}
	if p.OS != ips.OSPowerSavingStateUnknown {
		r.OS = p.OS.String()
	}
	for _, s := range p.Requestable {
		r.Requestable = append(r.Requestable, s.String())
	}
	return r
}

func (s *session) printPower(p flows.Power) error {
	if s.flags.json {
		return s.printJSON(newPowerReply(p))
	}
	return s.println(powerText(p))
}

// powerCommands are the commands that switch a host.
func (a *app) powerCommands() []*cobra.Command {
	var graceful, hard, noWait bool
	args := func(cmd *cobra.Command, args []string) error {
		if err := cobra.MaximumNArgs(1)(cmd, args); err != nil || len(args) == 0 {
			return err
		}
		_, err := powerRequest(args[0], graceful, hard)
		return err
	}
	c := a.on("power [on|off|reset|cycle|sleep|standby|hibernate|nmi]", "Show the power state of the host, or change it", args,
		func(ctx context.Context, s *session, args []string) error {
			if len(args) == 0 {
				if graceful || hard || noWait {
					return usageError("--graceful, --hard and --no-wait go with a request")
				}
				p, err := s.dev.Power(ctx)
				if err != nil {
					return err
				}
				return s.printPower(p)
			}
			request, err := powerRequest(args[0], graceful, hard)
			if err != nil {
				return err
			}
			if noWait {
				s.dev.Settle = -1
			}
			return s.powered(s.dev.SetPower(ctx, request))
		})
	c.Long = c.Short + ".\n\nA request prints the state that the host ends in. If it was not seen to get there, the exit code is 1."
	c.Flags().BoolVar(&graceful, "graceful", false, "ask the operating system first (off, reset, cycle)")
	c.Flags().BoolVar(&hard, "hard", false, "down to the power supply (off, cycle)")
	c.Flags().BoolVar(&noWait, "no-wait", false, "do not wait for the state")
	c.ValidArgs = []string{"on", "off", "reset", "cycle", "sleep", "standby", "hibernate", "nmi"}
	return []*cobra.Command{c}
}

func powerRequest(word string, graceful, hard bool) (cim.PowerState, error) {
	r, err := choice("power", word, powerRequests)
	if err != nil {
		return 0, err
	}
	request, way := r.plain, ""
	switch {
	case graceful && hard:
		return 0, usageError("--graceful and --hard exclude each other")
	case graceful:
		request, way = r.graceful, "--graceful"
	case hard:
		request, way = r.hard, "--hard"
	}
	if request == 0 {
		return 0, usageError("power %s has no %s", word, way)
	}
	return request, nil
}

// powered prints the state that a host has ended in.
func (s *session) powered(p flows.Power, err error) error {
	if errors.Is(err, flows.ErrUnsettled) {
		if s.dev.Settle < 0 {
			return s.printPower(p)
		}
		return fmt.Errorf("%w: the host is %s", err, powerText(p))
	}
	if err != nil {
		return err
	}
	return s.printPower(p)
}
