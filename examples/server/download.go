package main

import (
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/agentproto"
	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
)

// downloadTime is how long the download of an agent may take.
const downloadTime = 15 * time.Minute

// programs hands out MeshCentral's agents, from the folder that the cores are from. A program for Windows that is asked for
// with a group has the group's settings inside; all others are as they are in the folder, and need the .msh file beside
// them.
type programs struct {
	*settings
	folder string // "" or a file: there are none
}

// agentFiles is what programs are called when they are saved; others are "meshagent".
var agentFiles = map[agentproto.AgentID]string{
	1: "meshconsole32.exe", 2: "meshconsole64.exe", 3: "meshagent32.exe", 4: "meshagent64.exe", 14: "meshandroid.apk",
	21: "meshagent.exe", 22: "meshagent.exe", 42: "meshconsolearm64.exe", 43: "meshagentarm64.exe",
	10003: "meshagent32.exe", 10004: "meshagent64.exe", 10006: "MeshCentralAssistant.exe",
}

// find returns the file of an agent.
func (p *programs) find(id string) (arch agentproto.AgentArch, path string, ok bool) {
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil || p.folder == "" {
		return arch, "", false
	}
	if arch, ok = agentproto.LookupAgent(agentproto.AgentID(n)); !ok {
		return arch, "", false
	}
	path = filepath.Join(p.folder, arch.Binary)
	info, err := os.Stat(path)
	return arch, path, err == nil && info.Mode().IsRegular()
}

// ServeHTTP answers GET /meshagents?id=NUMBER[&meshid=GROUP][&installflags=N] (webserver.js, handleMeshAgentRequest).
func (p *programs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	arch, path, ok := p.find(q.Get("id"))
	if !ok || q.Has("meshinstall") || q.Has("script") || q.Has("meshcmd") || q.Has("zip") {
		http.NotFound(w, r)
		return
	}
	name := agentFiles[arch.ID]
	if name == "" {
		name = "meshagent"
	}
	if !q.Has("meshid") || arch.Platform != "win32" {
		p.send(w, r, path, name, nil)
		return
	}
	group, err := p.group(r.Context(), r, q.Get("meshid"))
	if errors.Is(err, controlserver.ErrNotFound) {
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	var msh *certs.MSH
	if err == nil {
		msh, err = p.file(group, p.addressFor(group.Domain, r.Host))
	}
	if flags, numErr := strconv.Atoi(q.Get("installflags")); err == nil && numErr == nil && flags > 0 && flags < 4 {
		err = msh.Set("InstallFlags", strconv.Itoa(flags))
	}
	if err != nil {
		p.failed(w, r, err)
		return
	}
	ext := filepath.Ext(name)
	p.send(w, r, path, strings.TrimSuffix(name, ext)+"-"+groupFileName(group.Name)+ext, msh)
}

func (p *programs) failed(w http.ResponseWriter, r *http.Request, err error) {
	p.log.Error("no agent program", "path", r.URL.Path, "reason", err)
	http.Error(w, "internal error", http.StatusInternalServerError)
}

// send sends a file, with settings inside if msh is not nil.
func (p *programs) send(w http.ResponseWriter, r *http.Request, path, name string, msh *certs.MSH) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		http.NotFound(w, r)
		return
	}
	if err != nil {
		p.failed(w, r, err)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		p.failed(w, r, err)
		return
	}
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(downloadTime)); err != nil {
		p.failed(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	if msh == nil {
		http.ServeContent(w, r, "", info.ModTime(), f)
		return
	}
	if err := certs.WriteEmbeddedMSH(w, f, info.Size(), msh); err != nil && r.Context().Err() == nil {
		p.log.Error("agent program not sent", "file", path, "reason", err)
	}
}

// groupFileName is the name of a group as a part of the name of a file.
func groupFileName(group string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`\/:*?"<>| ()'`, r) {
			return -1
		}
		return r
	}, group)
}

// limitedGroup reads the id of a group that is good for a time: a cookie under the invitation key.
func (s *settings) limitedGroup(text string) (controlproto.ID, bool) {
	c, err := s.invitation(text, controlproto.CookieAgeDefault)
	return c.AgentGroup, err == nil && c.AgentGroup != ""
}
