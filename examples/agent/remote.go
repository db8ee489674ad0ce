package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/meshcentral-go/sdk/examples/agent/x11"
	"github.com/meshcentral-go/sdk/relay"
	"github.com/meshcentral-go/sdk/relay/desktop"
	"github.com/meshcentral-go/sdk/relay/files"
	"github.com/meshcentral-go/sdk/relay/terminal"
)

// What the user of a device is to be asked before an operator gets in ("consent").
const (
	askDesktop  = 8
	askTerminal = 16
	askFiles    = 32
)

// handlers are for what goes through tunnels, as far as this agent offers it.
func (a *agent) handlers() map[relay.Protocol]relay.Handler {
	handlers := make(map[relay.Protocol]relay.Handler)
	if a.terminal {
		shell := a.consented(askTerminal, a.serveTerminal)
		for _, p := range []relay.Protocol{
			relay.ProtocolTerminal, relay.ProtocolPowerShell, relay.ProtocolUserTerminal, relay.ProtocolUserPowerShell,
		} {
			handlers[p] = shell
		}
	}
	if a.files != nil {
		handlers[relay.ProtocolFiles] = a.consented(askFiles, func(ctx context.Context, s *relay.Session) error {
			return files.Serve(ctx, s, files.ServeConfig{Root: a.files, Logger: a.log})
		})
	}
	if a.desktop != "" {
		handlers[relay.ProtocolDesktop] = a.consented(askDesktop, a.serveDesktop)
	}
	return handlers
}

// What -desktop can be.
const (
	desktopAuto    = "auto" // desktopX11 if there is a display, or nothing
	desktopX11     = "x11"
	desktopPattern = "pattern"
)

// screen is a desktop that a viewer looks at and works on.
type screen interface {
	desktop.Source
	desktop.Input
}

func (a *agent) serveDesktop(ctx context.Context, s *relay.Session) error {
	if a.desktop != desktopX11 {
		return desktop.NewAgent(s, a.desktopConfig(newPattern(), s.ViewOnly())).Run(ctx)
	}
	// Each viewer has a connection to the display: what he holds is let go of when he leaves.
	display, err := x11.Open(ctx, os.Getenv("DISPLAY"))
	if err != nil {
		id := relay.ConsoleDenied
		return errors.Join(err, s.SendControl(ctx, &relay.ControlConsole{Msg: "The display of the device can not be opened.", ID: &id}))
	}
	defer display.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	defer func() {
		cancel(nil)
		<-ended
	}()
	go func() { // a viewer who has paused does not notice that the display has gone
		defer close(ended)
		select {
		case <-display.Done():
			cancel(display.Err())
		case <-ctx.Done():
		}
	}()
	return desktop.NewAgent(s, a.desktopConfig(display, s.ViewOnly())).Run(ctx)
}

func (a *agent) desktopConfig(from screen, viewOnly bool) desktop.AgentConfig {
	cfg := desktop.AgentConfig{Source: from, Displays: desktop.Displays{IDs: []uint16{0}}, Logger: a.log}
	if !viewOnly {
		cfg.Input = from
	}
	return cfg
}

func (a *agent) serveTerminal(ctx context.Context, s *relay.Session) error {
	r := &terminal.Request{Kind: terminal.Kind(s.Protocol())}
	if o := s.Options; o != nil {
		r.Options.RequireLogin = o.RequireLogin
		if o.Cols != nil && o.Rows != nil {
			r.Options.Cols, r.Options.Rows = *o.Cols, *o.Rows
		}
	}
	return terminal.Serve(ctx, s, r, terminal.ServeConfig{Logger: a.log})
}

// errNobodyToAsk is a tunnel that needs the consent of the device's user.
var errNobodyToAsk = errors.New("the user is to be asked, and this agent can not")

// consented refuses what the user is to be asked about: this agent has no way to ask.
func (a *agent) consented(ask uint32, h relay.Handler) relay.Handler {
	return func(ctx context.Context, s *relay.Session) error {
		a.log.Info("tunnel opened", "user", s.Request.UserName, "from", s.Request.RemoteAddr, "for", s.Protocol())
		if s.Consent()&ask == 0 {
			return h(ctx, s)
		}
		id := relay.ConsoleDenied
		err := s.SendControl(ctx, &relay.ControlConsole{Msg: "Denied: " + errNobodyToAsk.Error(), ID: &id})
		return errors.Join(fmt.Errorf("%v: %w", s.Protocol(), errNobodyToAsk), err)
	}
}
