package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// maxStreams bounds how many pages are kept current at once.
	maxStreams = 64
	// livePause lets changes gather, so that a thousand agents that come back at once are a few messages.
	livePause = 250 * time.Millisecond
	// liveBeat is how often something is sent when nothing happens, so that proxies keep the connection and a page that
	// is gone, or logged out, is noticed.
	liveBeat         = 20 * time.Second
	liveWriteTimeout = 10 * time.Second
)

// liveMessage brings a page up to date. The fields of rows are named as the cells that they go to.
type liveMessage struct {
	All     bool      `json:"all,omitempty"` // rows that are not in Devices are gone
	Devices []liveRow `json:"devices"`
	Gone    []string  `json:"gone,omitempty"`
	Online  int       `json:"online"`
}

type liveRow struct {
	ID     string `json:"id"`
	Group  string `json:"group"`
	Online bool   `json:"online"`
	Name   string `json:"name"`
	Host   string `json:"host"`
	OS     string `json:"os"`
	Core   string `json:"core"`
	Tag    string `json:"tag"`
	Addr   string `json:"addr"`
	Since  string `json:"since"`
}

func newLiveRow(d Device) liveRow {
	return liveRow{d.ID, d.Group, d.Online, d.Name, d.Host, d.OS, d.Core, d.Tag, d.Addr, when(d.Since)}
}

// live streams changes as server-sent events: first the whole list, then what changes.
func (h *Handler) live(w http.ResponseWriter, r *http.Request) {
	select {
	case h.streams <- struct{}{}:
		defer func() { <-h.streams }()
	default:
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(h.ctx, cancel)()
	r = r.WithContext(ctx)
	sub := h.cfg.Feed.subscribe() // before the list is read, so that nothing falls in between
	defer sub.close()

	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold the events back
	out := stream{w: w, ctl: http.NewResponseController(w)}
	if err := out.ctl.SetReadDeadline(time.Time{}); err != nil { // the server's is for requests that end
		h.failed(w, r, err)
		return
	}
	who, _ := h.Session(r)
	msg, err := h.everything(r.Context(), who.User)
	for err == nil {
		if err = out.send(msg); err != nil {
			break
		}
		if err = h.nextChange(r, sub, &out); err != nil {
			break
		}
		msg, err = h.changes(r.Context(), who.User, sub)
	}
	if r.Context().Err() == nil && !errors.Is(err, errLoggedOut) && !errors.Is(err, errStream) {
		h.log.Error("live page failed", "reason", err)
	}
}

var (
	errLoggedOut = errors.New("web: session is over")
	errStream    = errors.New("web: browser is gone")
)

// nextChange waits for a change and the pause after it.
func (h *Handler) nextChange(r *http.Request, sub *subscription, out *stream) error {
	for {
		ctx, cancel := context.WithTimeout(r.Context(), liveBeat)
		err := sub.wait(ctx)
		cancel()
		if r.Context().Err() != nil {
			return r.Context().Err()
		}
		if _, ok := h.Session(r); !ok {
			return errLoggedOut
		}
		if err != nil {
			if err := out.beat(); err != nil {
				return err
			}
			continue
		}
		pause := time.NewTimer(livePause)
		defer pause.Stop()
		select {
		case <-pause.C:
			return nil
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
}

func (h *Handler) everything(ctx context.Context, user string) (liveMessage, error) {
	devices, _, err := h.cfg.Source.Devices(ctx, user, maxRows)
	msg := liveMessage{All: true, Devices: make([]liveRow, 0, len(devices)), Online: h.cfg.Source.Online(ctx, user)}
	for _, d := range devices {
		msg.Devices = append(msg.Devices, newLiveRow(d))
	}
	return msg, err
}

func (h *Handler) changes(ctx context.Context, user string, sub *subscription) (liveMessage, error) {
	keys := sub.take()
	if len(keys) > maxRows {
		return h.everything(ctx, user)
	}
	msg := liveMessage{Devices: []liveRow{}, Online: h.cfg.Source.Online(ctx, user)}
	for _, key := range keys {
		d, ok, err := h.cfg.Source.Device(ctx, user, key)
		if err != nil {
			return msg, err
		}
		if ok {
			msg.Devices = append(msg.Devices, newLiveRow(d))
		} else {
			msg.Gone = append(msg.Gone, key.String())
		}
	}
	return msg, nil
}

// stream writes server-sent events.
type stream struct {
	w   http.ResponseWriter
	ctl *http.ResponseController
}

func (s *stream) send(msg liveMessage) error {
	b, err := json.Marshal(msg) // has no line ends
	if err != nil {
		return err
	}
	return s.write("data: " + string(b) + "\n\n")
}

// beat sends a comment.
func (s *stream) beat() error { return s.write(":\n\n") }

func (s *stream) write(text string) error {
	if err := s.ctl.SetWriteDeadline(time.Now().Add(liveWriteTimeout)); err != nil {
		return fmt.Errorf("%w: %w", errStream, err)
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return fmt.Errorf("%w: %w", errStream, err)
	}
	if err := s.ctl.Flush(); err != nil {
		return fmt.Errorf("%w: %w", errStream, err)
	}
	return nil
}
