package wsman

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/meshcentral-go/sdk/wsman/digest"
)

// Alert is what most events are about: a CIM_AlertIndication.
type Alert struct {
	MessageID              string    `wsman:"MessageID"` // "iAMT0005": names the text
	MessageArguments       []string  `wsman:"MessageArguments"`
	PerceivedSeverity      uint16    `wsman:"PerceivedSeverity"`
	AlertType              uint16    `wsman:"AlertType"`
	ProbableCause          uint16    `wsman:"ProbableCause"`
	IndicationIdentifier   string    `wsman:"IndicationIdentifier"`
	IndicationTime         time.Time `wsman:"IndicationTime"`
	AlertingManagedElement string    `wsman:"AlertingManagedElement"`
	OwningEntity           string    `wsman:"OwningEntity"`
	ProviderName           string    `wsman:"ProviderName"`
	SystemCreationClass    string    `wsman:"SystemCreationClassName"`
	SystemName             string    `wsman:"SystemName"`
	Extra                  []Element
}

// Class returns "CIM_AlertIndication".
func (*Alert) Class() string { return "CIM_AlertIndication" }

// Event is a message that a device sent because of a [Subscription].
type Event struct {
	Username string    // what the device logged in with, "" without login
	ID       string    // of the message: a repeated one has the same
	Args     []Element // of the subscription, and what else the header holds
	Body     *Element
	Alert    *Alert // nil if Body is something else
}

// Arg returns the text of one of the arguments, or "".
func (e *Event) Arg(name string) string {
	for i := range e.Args {
		if e.Args[i].Name == name {
			return e.Args[i].Text
		}
	}
	return ""
}

// EventHandler receives events. Each is acknowledged if the device asks for it, after Receive returned without an error;
// otherwise the device is told and sends it again.
type EventHandler struct {
	// Receive gets the events. It is called from the goroutines of the HTTP server.
	Receive func(context.Context, *Event) error
	// Login, if not nil, is what devices have to log in with; see Subscription.Username. The realm is any text.
	Login  *digest.Server
	Limits Limits       // of events: their Size is 64 KiB by default
	Logger *slog.Logger // nil discards
}

// ServeHTTP takes one event.
func (h *EventHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "events are posted", http.StatusMethodNotAllowed)
		return
	}
	limits := h.Limits
	if limits.Size <= 0 {
		limits.Size = 64 << 10
	}
	if h.Login != nil && r.Header.Get("Authorization") == "" {
		h.challenge(w, false) // before anything is read
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limits.Size)))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		}
		return
	}
	e := new(Event)
	if h.Login != nil {
		if e.Username, err = h.Login.Check(r.Header.Get("Authorization"), r.Method, r.RequestURI, body); err != nil {
			h.log().Debug("wsman: event refused", "error", err)
			h.challenge(w, errors.Is(err, digest.ErrStale))
			return
		}
	}
	envelope, err := ParseEnvelope(body, limits)
	if err == nil && envelope.First() == nil {
		err = fmt.Errorf("%w: an event with an empty body", ErrMalformed)
	}
	if err != nil {
		h.log().Debug("wsman: event refused", "error", err)
		http.Error(w, "no event", http.StatusBadRequest)
		return
	}
	ack := false
	e.ID, e.Body = envelope.MessageID, envelope.First()
	for i := range envelope.Header {
		if envelope.Header[i].Name == "AckRequested" {
			ack = true
			continue
		}
		e.Args = append(e.Args, envelope.Header[i])
	}
	if e.Body.Name == "CIM_AlertIndication" || e.Body.Child("MessageID") != nil {
		alert := new(Alert)
		if err := Decode(e.Body, alert); err == nil {
			e.Alert = alert
		}
	}
	if err := h.Receive(r.Context(), e); err != nil {
		h.log().Warn("wsman: event not taken", "error", err)
		h.answer(w, http.StatusInternalServerError, &Envelope{RelatesTo: e.ID, Action: ActionWSManFault, WriteBody: func(w *Writer) {
			w.Fault(&Fault{Code: QName{NamespaceSOAP, "Receiver"}, Subcode: QName{NamespaceWSMan, "InternalError"}, Reason: "the event was not taken"})
		}})
		return
	}
	if !ack {
		w.WriteHeader(http.StatusOK)
		return
	}
	h.answer(w, http.StatusOK, &Envelope{To: Anonymous, RelatesTo: e.ID, Action: ActionAck})
}

func (h *EventHandler) log() *slog.Logger {
	if h.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return h.Logger
}

func (h *EventHandler) challenge(w http.ResponseWriter, stale bool) {
	w.Header().Set("WWW-Authenticate", h.Login.Challenge(stale).String())
	http.Error(w, "log in", http.StatusUnauthorized)
}

func (h *EventHandler) answer(w http.ResponseWriter, status int, e *Envelope) {
	b, err := AppendEnvelope(nil, e)
	if err != nil {
		h.log().Debug("wsman: answer to an event", "error", err)
		http.Error(w, "no answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/soap+xml; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // who does not read it sends the event again
}
