package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/wsman/flows"
	"github.com/meshcentral-go/sdk/wsman/ips"
)

// consents are when the user has to read out a code.
var consents = map[string]ips.OptInRequired{ //nolint:gochecknoglobals // constant
	"none": ips.OptInRequiredNone, "kvm": ips.OptInRequiredKVM, "all": ips.OptInRequiredAll,
}

// consentStates are how far a request for consent is.
var consentStates = map[string]ips.OptInState{ //nolint:gochecknoglobals // constant
	"not started": ips.OptInStateNotStarted, "requested": ips.OptInStateRequested, "shown": ips.OptInStateDisplayed,
	"received": ips.OptInStateReceived, "in session": ips.OptInStateInSession,
}

// switches are the words for settings that are on or off.
var switches = map[string]bool{"on": true, "off": false} //nolint:gochecknoglobals // constant

// redirectionReply is what redirection prints as JSON.
type redirectionReply struct {
	SOL          bool   `json:"sol"`
	IDER         bool   `json:"ider"`
	KVM          *bool  `json:"kvm"`
	Listener     bool   `json:"listener"`
	Consent      string `json:"consent"`
	ConsentFixed bool   `json:"consentFixed"`
	ConsentState string `json:"consentState"`
}

func (s *session) printRedirection(r flows.Redirection) error {
	reply := redirectionReply{
		r.SOL, r.IDER, r.KVM, r.Listener, wordOf(consents, r.Consent), r.ConsentFixed, wordOf(consentStates, r.ConsentState),
	}
	kvm := "the device has none"
	if r.KVM != nil {
		kvm = onOff(*r.KVM)
	}
	consent := reply.Consent
	if r.ConsentFixed {
		consent += ", cannot be changed"
	}
	t := &table{}
	t.add("Listener:", onOff(r.Listener))
	t.add("SOL:", onOff(r.SOL))
	t.add("IDE-R:", onOff(r.IDER))
	t.add("KVM:", kvm)
	t.add("Consent:", consent)
	t.add("State of it:", reply.ConsentState)
	return s.list(t, reply)
}

// redirectionCommands are the commands about what can be redirected.
func (a *app) redirectionCommands() []*cobra.Command {
	words := map[string]*string{"listener": new(string), "sol": new(string), "ider": new(string), "kvm": new(string)}
	var consent string
	c := a.on("redirection", "Show which kinds of sessions the device offers, or change it", cobra.NoArgs, func(ctx context.Context, s *session, _ []string) error {
		r, err := s.dev.Redirection(ctx)
		if err != nil {
			return err
		}
		changed := s.changed("consent")
		for name, set := range map[string]func(bool){
			"listener": func(on bool) { r.Listener = on }, "sol": func(on bool) { r.SOL = on },
			"ider": func(on bool) { r.IDER = on }, "kvm": func(on bool) { r.KVM = &on },
		} {
			if !s.changed(name) {
				continue
			}
			on, err := choice("--"+name, *words[name], switches)
			if err != nil {
				return err
			}
			set(on)
			changed = true
		}
		if s.changed("consent") {
			if r.Consent, err = choice("--consent", consent, consents); err != nil {
				return err
			}
		}
		if !changed {
			return s.printRedirection(r)
		}
		if err := s.dev.SetRedirection(ctx, r); err != nil {
			return err
		}
		if r, err = s.dev.Redirection(ctx); err != nil {
			return err
		}
		return s.printRedirection(r)
	})
	c.Flags().StringVar(words["listener"], "listener", "", "whether the ports are open: `on|off`")
	c.Flags().StringVar(words["sol"], "sol", "", "serial over LAN: `on|off`")
	c.Flags().StringVar(words["ider"], "ider", "", "IDE redirection: `on|off`")
	c.Flags().StringVar(words["kvm"], "kvm", "", "KVM: `on|off`")
	c.Flags().StringVar(&consent, "consent", "", "when the user has to read out a code: `none|kvm|all`")
	return []*cobra.Command{c}
}

// consentCommands are the commands about the code that the user reads out.
func (a *app) consentCommands() []*cobra.Command {
	start := a.on("start", "Show a code on the screen of the device", cobra.NoArgs, func(ctx context.Context, s *session, _ []string) error {
		if err := s.dev.StartConsent(ctx); err != nil {
			return err
		}
		return s.done("the device shows a code; send what its user reads out with amtctl consent send")
	})
	send := a.on("send CODE", "Send the code that the user has read out", cobra.ExactArgs(1), func(ctx context.Context, s *session, args []string) error {
		code, err := strconv.ParseUint(strings.TrimSpace(args[0]), 10, 32)
		if err != nil || code > 999999 {
			return usageError("a code has six digits")
		}
		if err := s.dev.SendConsent(ctx, uint32(code)); err != nil {
			return err
		}
		return s.done("ok")
	})
	cancel := a.on("cancel", "Take the code off the screen", cobra.NoArgs, func(ctx context.Context, s *session, _ []string) error {
		if err := s.dev.CancelConsent(ctx); err != nil {
			return err
		}
		return s.done("ok")
	})
	return []*cobra.Command{group("consent", "Consent of the device's user", start, send, cancel)}
}
