package web

import (
	"net/http"
	"time"
)

type devicesData struct {
	User   string
	Groups []groupData
	Shown  int
	Total  int
	Online int
}

type groupData struct {
	Group
	Devices []Device
}

func (h *Handler) devicesPage(w http.ResponseWriter, r *http.Request) {
	groups, err := h.cfg.Source.Groups(r.Context())
	if err != nil {
		h.failed(w, r, err)
		return
	}
	devices, total, err := h.cfg.Source.Devices(r.Context(), maxRows)
	if err != nil {
		h.failed(w, r, err)
		return
	}
	data := devicesData{Shown: len(devices), Total: total, Online: h.cfg.Source.Online()}
	data.User, _ = h.sessions.user(r, time.Now())
	byGroup := make(map[string][]Device)
	for _, d := range devices {
		byGroup[d.Group] = append(byGroup[d.Group], d)
	}
	for _, g := range groups {
		data.Groups = append(data.Groups, groupData{g, byGroup[g.ID]})
	}
	h.render(w, r, http.StatusOK, "devices.html", data)
}

type eventsData struct {
	User   string
	Events []Event
}

func (h *Handler) eventsPage(w http.ResponseWriter, r *http.Request) {
	events, err := h.cfg.Source.Events(r.Context(), maxEvents)
	if err != nil {
		h.failed(w, r, err)
		return
	}
	user, _ := h.sessions.user(r, time.Now())
	h.render(w, r, http.StatusOK, "events.html", eventsData{user, events})
}
