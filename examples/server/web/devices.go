package web

import "net/http"

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
	who, _ := h.Session(r)
	groups, err := h.cfg.Source.Groups(r.Context(), who.User)
	if err != nil {
		h.failed(w, r, err)
		return
	}
	devices, total, err := h.cfg.Source.Devices(r.Context(), who.User, maxRows)
	if err != nil {
		h.failed(w, r, err)
		return
	}
	data := devicesData{Shown: len(devices), Total: total, Online: h.cfg.Source.Online(r.Context(), who.User)}
	data.User = who.Name
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
	who, _ := h.Session(r)
	events, err := h.cfg.Source.Events(r.Context(), who.User, maxEvents)
	if err != nil {
		h.failed(w, r, err)
		return
	}
	h.render(w, r, http.StatusOK, "events.html", eventsData{who.Name, events})
}
