package main

import (
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
	mcrec "github.com/meshcentral-go/sdk/relay/record"
)

// recordingFiles answers GET /recordings.ashx?file=NAME to who may have recordings: those that action "recordings" lists, whole
// or in ranges. (webserver.js, handleGetRecordings)
type recordingFiles struct{ *server }

// ServeHTTP implements [http.Handler]. What is refused is refused in one way, as by the stock server.
func (s recordingFiles) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at, ok := tenantOf(r)
	name := r.URL.Query().Get("file")
	root := s.tunnels.recordings
	if !ok || root == nil || !strings.HasSuffix(name, ".mcrec") || strings.ContainsAny(name, `/\`) || !s.mayHaveRecordings(r, at.ID) {
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	f, info, err := openRecording(root, name, at.ID)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.log.Warn("recording not sent", "reason", err)
		}
		http.NotFound(w, r)
		return
	}
	defer f.Close()
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(downloadTime)); err != nil {
		s.log.Error("recording not sent", "reason", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	http.ServeContent(w, r, "", info.ModTime(), f)
}

// openRecording opens a recording of a domain: the folder has those of all.
func openRecording(root *os.Root, name, domain string) (*os.File, fs.FileInfo, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err == nil {
		var rec *mcrec.Reader
		if rec, err = mcrec.NewReader(f, info.Size()); err == nil && controlproto.ID(rec.Metadata().NodeID).Domain() != domain {
			err = fs.ErrNotExist
		}
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// mayHaveRecordings checks the session of a page, and of programs, which the stock server has no way in for, what logs in to
// tunnels.
func (s recordingFiles) mayHaveRecordings(r *http.Request, domain string) bool {
	var user controlproto.ID
	if l, ok := s.pages.Session(r); ok {
		user = controlproto.ID(l.User)
	} else if l, err := s.channel.LoginTunnel(r.Context(), s.channel.LoginRequest(r)); err == nil {
		if l.Cookie != nil {
			if _, err := l.Cookie.LoginUser(domain); err != nil {
				return false
			}
		}
		user = l.User.ID
	}
	if user.Domain() != domain {
		return false
	}
	u, err := s.records.User(r.Context(), user)
	return err == nil && u.SiteRights.Has(controlproto.SiteRecordings) && !u.SiteRights.Restricted(controlproto.SiteLocked)
}
