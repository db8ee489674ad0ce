package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/examples/internal/console"
)

// shareCommands are the verbs that let somebody else, or a browser, use a device.
func (a *app) shareCommands() []*cobra.Command {
	return []*cobra.Command{a.deviceSharing(), a.webRelay()}
}

// shareFlags are those of devicesharing.
type shareFlags struct {
	add, remove, kinds, consent, start, end string
	viewOnly, daily, weekly                 bool
	duration                                int
	port                                    uint16
}

func (a *app) deviceSharing() *cobra.Command {
	var flags shareFlags
	c := a.onDevice("devicesharing", "List, make and remove links by which guests use a device",
		func(ctx context.Context, s *session, device controlproto.ID) error {
			switch {
			case s.changed("add"):
				return s.addShare(ctx, device, &flags)
			case s.changed("remove"):
				return s.removeShare(ctx, device, flags.remove)
			}
			return s.listShares(ctx, device)
		})
	f := c.Flags()
	f.StringVar(&flags.add, "add", "", "make a link for this `GUEST`")
	f.StringVar(&flags.remove, "remove", "", "remove the link with this `IDENTIFIER`")
	f.StringVar(&flags.kinds, "type", "desktop", "`WHAT` is shared: desktop, terminal, files, http, https, separated by commas")
	f.BoolVar(&flags.viewOnly, "viewonly", false, "the desktop can only be seen")
	f.StringVar(&flags.consent, "consent", "notify", "`HOW` the user of the device takes part: none, notify, prompt, bar, separated by commas")
	f.StringVar(&flags.start, "start", "", "from this `TIME`, yyyy-mm-ddThh:mm:ss; now")
	f.StringVar(&flags.end, "end", "", "to this `TIME`; without it and --duration for ever, or for an hour after --start")
	f.IntVar(&flags.duration, "duration", 60, "for so many `MINUTES`")
	f.BoolVar(&flags.daily, "daily", false, "every day")
	f.BoolVar(&flags.weekly, "weekly", false, "every week")
	f.Uint16Var(&flags.port, "port", 0, "`PORT` on the device, for http and https; 80 and 443")
	c.MarkFlagsMutuallyExclusive("add", "remove")
	c.MarkFlagsMutuallyExclusive("daily", "weekly")
	c.MarkFlagsMutuallyExclusive("end", "duration")
	complete(c, "type", words("desktop", "terminal", "files", "http", "https"))
	complete(c, "consent", words("none", "notify", "prompt", "bar"))
	return c
}

func (s *session) listShares(ctx context.Context, device controlproto.ID) error {
	shares, err := s.client.DeviceShares(ctx, device)
	if err != nil {
		return err
	}
	t := table{
		columns: []string{"identifier", "type", "userid", "guest", "consent", "start", "expire", "recurring", "url"},
		json:    shares, none: "No device sharing links for this device.",
	}
	for i := range shares {
		h := &shares[i]
		kind := h.Kind.String()
		if h.ViewOnly {
			kind += " (view only)"
		}
		t.add(h.PublicID, kind, string(h.UserID), h.GuestName, h.Consent.String(), when(h.Start), expires(h.Expires),
			recurringText(h), h.URL.Reveal()) // whoever may list it may know it
	}
	return s.list(&t)
}

func recurringText(h *controlproto.Share) string {
	switch h.Recurring {
	case controlproto.RecurringNever:
	case controlproto.RecurringDaily:
		return "daily for " + h.Duration.String()
	case controlproto.RecurringWeekly:
		return "weekly for " + h.Duration.String()
	}
	return ""
}

func (s *session) addShare(ctx context.Context, device controlproto.ID, flags *shareFlags) error {
	share, err := flags.share(s)
	if err != nil {
		return err
	}
	share.DeviceID = device
	made, err := s.client.ShareDevice(ctx, share)
	if err != nil {
		return err
	}
	if s.flags.json {
		return s.printJSON(made)
	}
	if err := s.println("ID: " + console.Clean(made.PublicID)); err != nil {
		return err
	}
	return s.println("URL: " + console.Clean(made.URL.Reveal()))
}

// share makes a request of the flags.
func (f *shareFlags) share(s *session) (*controlproto.CreateDeviceShareLink, error) {
	if f.add == "" {
		return nil, usageError("the guest's name is empty")
	}
	m := &controlproto.CreateDeviceShareLink{GuestName: f.add, ViewOnly: f.viewOnly}
	var err error
	if m.Kind, err = shareKind(f.kinds); err != nil {
		return nil, err
	}
	if m.Consent, err = shareConsent(f.consent, m.Kind); err != nil {
		return nil, err
	}
	web := m.Kind&(controlproto.ShareHTTP|controlproto.ShareHTTPS) != 0
	switch {
	case f.port != 0 && !web:
		return nil, usageError("--port goes with --type http or https")
	case f.port != 0:
		m.Port = f.port
	case m.Kind&controlproto.ShareHTTP != 0:
		m.Port = 80
	case web:
		m.Port = 443
	}
	return m, f.times(s, m)
}

// times sets from when to when a link is good.
func (f *shareFlags) times(s *session, m *controlproto.CreateDeviceShareLink) error {
	if f.duration < 1 {
		return usageError("--duration must be at least a minute")
	}
	duration := time.Duration(f.duration) * time.Minute
	start := s.now()
	if f.start != "" {
		var err error
		if start, err = parseTime("start", f.start); err != nil {
			return err
		}
	}
	switch {
	case (f.daily || f.weekly) && f.end != "":
		return usageError("--end does not go with --daily and --weekly: use --duration")
	case f.daily, f.weekly:
		m.Start, m.Expire, m.Recurring = start, &duration, controlproto.RecurringDaily
		if f.weekly {
			m.Recurring = controlproto.RecurringWeekly
		}
	case f.end != "":
		end, err := parseTime("end", f.end)
		if err != nil {
			return err
		}
		if !end.After(start) {
			return usageError("end time must be after start time")
		}
		m.Start, m.End = start, end
	case f.start != "", s.changed("duration"):
		m.Start, m.End = start, start.Add(duration)
	default:
		var forever time.Duration
		m.Expire = &forever
	}
	return nil
}

func shareKind(text string) (kind controlproto.ShareKind, err error) {
	kinds := map[string]controlproto.ShareKind{
		"terminal": controlproto.ShareTerminal, "desktop": controlproto.ShareDesktop, "files": controlproto.ShareFiles,
		"http": controlproto.ShareHTTP, "https": controlproto.ShareHTTPS,
	}
	for word := range strings.SplitSeq(strings.ToLower(text), ",") {
		k, ok := kinds[word]
		if !ok {
			return 0, usageError("--type %.40q: want desktop, terminal, files, http or https", word)
		}
		kind |= k
	}
	return kind, nil
}

// shareConsent says for each thing that is shared how the user of the device takes part.
func shareConsent(text string, kind controlproto.ShareKind) (consent controlproto.Consent, err error) {
	pick := func(terminal, desktop, files controlproto.Consent) {
		for bit, c := range map[controlproto.ShareKind]controlproto.Consent{
			controlproto.ShareTerminal: terminal, controlproto.ShareDesktop: desktop, controlproto.ShareFiles: files,
		} {
			if kind&bit != 0 {
				consent |= c
			}
		}
	}
	words := strings.Split(strings.ToLower(text), ",")
	if slices.Contains(words, "none") && len(words) > 1 {
		return 0, usageError("--consent none goes with nothing else")
	}
	for _, word := range words {
		switch word {
		case "none":
		case "notify":
			pick(controlproto.ConsentTerminalNotify, controlproto.ConsentDesktopNotify, controlproto.ConsentFilesNotify)
		case "prompt":
			pick(controlproto.ConsentTerminalPrompt, controlproto.ConsentDesktopPrompt, controlproto.ConsentFilesPrompt)
		case "bar":
			pick(0, controlproto.ConsentPrivacyBar, 0)
		default:
			return 0, usageError("--consent %.40q: want none, notify, prompt or bar", word)
		}
	}
	return consent, nil
}

// removeShare removes a link. Servers confirm also if there is none, so it is looked for.
func (s *session) removeShare(ctx context.Context, device controlproto.ID, publicID string) error {
	shares, err := s.client.DeviceShares(ctx, device)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(shares, func(h controlproto.Share) bool { return h.PublicID == publicID }) {
		return errRefused("this device has no sharing link " + quoted(publicID))
	}
	if err := s.client.RemoveShare(ctx, device, publicID); err != nil {
		return err
	}
	return s.done("ok")
}

func (a *app) webRelay() *cobra.Command {
	var kind string
	var port uint16
	c := a.onDevice("webrelay", "Make an address under which a web page of a device can be opened",
		func(ctx context.Context, s *session, device controlproto.ID) error {
			m := &controlproto.WebRelay{DeviceID: device, Port: 80, AppID: controlproto.AppHTTP}
			switch strings.ToLower(kind) {
			case "http":
			case "https":
				m.Port, m.AppID = 443, controlproto.AppHTTPS
			default:
				return usageError("--type must be http or https")
			}
			if s.changed("port") {
				if m.Port = port; port == 0 {
					return usageError("--port must be 1 to 65535")
				}
			}
			url, err := s.client.WebRelay(ctx, m)
			if err != nil {
				return err
			}
			return s.done("URL: "+url.Reveal(), field{"url", url.Reveal()})
		})
	c.Flags().StringVar(&kind, "type", "", "`PROTOCOL`: http or https")
	c.Flags().Uint16Var(&port, "port", 0, "`PORT` on the device; 80 or 443")
	complete(c, "type", words("http", "https"))
	need(c, "type")
	return c
}
