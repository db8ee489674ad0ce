package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/examples/internal/console"
)

// eventCommands are the verbs about what happened and what happens.
func (a *app) eventCommands() []*cobra.Command {
	return []*cobra.Command{a.listEvents(), a.showEvents()}
}

func (a *app) listEvents() *cobra.Command {
	var user, device string
	var limit int
	var raw bool
	c := a.remote("listevents", "List events that the server kept, newest first", func(ctx context.Context, s *session) error {
		if limit < 0 {
			return usageError("--limit is negative")
		}
		query := &controlproto.Events{Limit: limit}
		if user != "" {
			query.UserID = s.names.member(user)
		}
		if device != "" {
			id, err := s.names.device(ctx, device)
			if err != nil {
				return err
			}
			query.DeviceID = id
		}
		events, err := s.client.EventLog(ctx, query)
		if err != nil {
			return err
		}
		if raw {
			return s.printJSON(events)
		}
		t := table{columns: []string{"time", "type", "action", "nodeid", "userid", "msg"}, json: events, none: "No events"}
		for i := range events {
			e := &events[i]
			t.add(when(e.Time), e.Type, e.Action, string(e.DeviceID), string(e.UserID), e.Msg)
		}
		return s.list(&t)
	})
	f := c.Flags()
	f.StringVar(&user, "userid", "", "only of this `USER`")
	f.StringVar(&device, "id", "", "only of this `DEVICE`")
	f.IntVar(&limit, "limit", 0, "at most this `MANY`; 0 is all")
	f.BoolVar(&raw, "raw", false, "print JSON")
	complete(c, "id", a.completeDevices)
	c.MarkFlagsMutuallyExclusive("userid", "id")
	return c
}

func (a *app) showEvents() *cobra.Command {
	var filter string
	c := a.remote("showevents", "Show what happens on the server, until interrupted; with --json a line for each", func(ctx context.Context, s *session) error {
		var actions []string
		if filter != "" {
			actions = strings.Split(filter, ",")
		}
		return s.follow(ctx, actions)
	})
	c.Flags().StringVar(&filter, "filter", "", "only these `ACTIONS`, separated by commas")
	return c
}

// message is what came: an event, or something else that the server said unasked.
type message struct {
	raw json.RawMessage
	err error
}

// follow prints events and all other messages until the signal that ends the program.
func (s *session) follow(ctx context.Context, actions []string) error {
	ctx, cancel := context.WithCancel(ctx)
	events := s.client.Events(ctx, controlproto.Filter{Actions: actions})
	others := s.client.Messages(ctx, controlproto.MessageFilter{Actions: actions})
	s.note("Connected. Press ctrl-c to end.")
	came, ended := make(chan message), make(chan struct{}, 2)
	go func() {
		defer func() { ended <- struct{}{} }()
		for e, err := range events {
			m := message{err: err}
			if err == nil {
				m.raw, m.err = controlproto.AppendMessage(nil, &controlproto.EventPush{Event: e}, controlproto.Correlation{})
			}
			if !send(ctx, came, m) {
				return
			}
		}
	}()
	go func() {
		defer func() { ended <- struct{}{} }()
		for e, err := range others {
			if !send(ctx, came, message{e.Raw, err}) {
				return
			}
		}
	}()
	defer func() {
		cancel()
		<-ended
		<-ended
	}()
	for {
		select {
		case m := <-came:
			if err := s.showMessage(m); err != nil {
				return interrupted(ctx, err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func send(ctx context.Context, to chan<- message, m message) bool {
	select {
	case to <- m:
		return true
	case <-ctx.Done():
		return false
	}
}

// interrupted drops the error of what was to go on until it is interrupted, and was.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *session) showMessage(m message) error {
	var dropped *controlproto.DroppedError
	switch {
	case errors.As(m.err, &dropped):
		s.note("%v", m.err)
		return nil
	case m.err != nil:
		return m.err
	}
	if !s.flags.json {
		return s.printRaw(m.raw)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, m.raw); err != nil {
		return err
	}
	return s.println(console.Escaped(line.String()))
}
