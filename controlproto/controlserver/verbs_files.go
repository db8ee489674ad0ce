package controlserver

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
)

// fileVerbs are the files that operators keep on the server.
func (s *Server) fileVerbs(m *controlproto.Mux) {
	controlproto.On(m, s.files)
	controlproto.On(m, s.fileOperation)
}

// unknownTime is how the protocol writes that the time of a folder is not known.
var unknownTime = time.UnixMilli(111)

// filesOf is the tree of files that an account sees: its own, and those of its device groups.
func (s *Server) filesOf(a *Account) *controlproto.FilesReply {
	left := maxFileEntries
	roots := map[string]controlproto.FileEntry{}
	read := func(id controlproto.ID) map[string]controlproto.FileEntry {
		folder, err := fileRoot(id)
		if err != nil || s.cfg.Files == nil {
			return map[string]controlproto.FileEntry{}
		}
		return readTree(s.cfg.Files, folder, 0, &left)
	}
	roots[string(a.ID)] = controlproto.FileEntry{
		Type: controlproto.FileUserRoot, Name: "My Files", Files: read(a.ID), MaxBytes: s.quota(a, a.ID),
	}
	for _, g := range s.visibleGroups(a.ID) {
		if r, _ := s.rights(a.ID, g.ID, ""); r.Has(controlproto.ServerFiles) {
			roots[string(g.ID)] = controlproto.FileEntry{
				Type: controlproto.FileGroupRoot, Name: g.Name, Files: read(g.ID), MaxBytes: s.quota(a, g.ID),
			}
		}
	}
	return &controlproto.FilesReply{Tree: controlproto.FileEntry{Name: "Root", Files: roots}}
}

// quota is how many bytes a root may hold; nil is no limit.
func (s *Server) quota(a *Account, root controlproto.ID) *int64 {
	var most int64
	if g := s.group(root); g != nil {
		most = g.Quota
	} else if !a.SiteRights.Full() {
		most = a.Quota
	}
	if most <= 0 {
		return nil
	}
	return &most
}

// files lists the files.
func (s *Server) files(ctx context.Context, c *controlproto.Call, _ *controlproto.Files) error {
	a := s.account(c.Session.UserID())
	if a == nil {
		return nil
	}
	if folder, err := fileRoot(a.ID); err == nil && s.cfg.Files != nil {
		// Everyone has this folder; what is in it can be seen from outside.
		if err := s.cfg.Files.MkdirAll(folder+"/Public", 0o700); err != nil {
			s.log.Warn("no folder for the files of an account", "user", a.ID, "reason", err)
		}
	}
	return c.Reply(ctx, s.filesOf(a))
}

// FilesChanged tells an account's sessions that its files have changed, as after an upload.
func (s *Server) FilesChanged(user controlproto.ID) error {
	a := s.account(user)
	sessions := s.sessionsOf(user)
	if a == nil || !a.SiteRights.Has(controlproto.SiteFileAccess) || len(sessions) == 0 {
		return nil
	}
	b, err := controlproto.AppendMessage(nil, s.filesOf(a), controlproto.Correlation{})
	if err != nil {
		return err
	}
	for _, c := range sessions {
		c.Push(b)
	}
	return nil
}

// filesAt finds the folder that a request names, if the account may use it.
func (s *Server) filesAt(c *controlproto.Session, where []string) (root controlproto.ID, folder string, err error) {
	if len(where) == 0 {
		return "", "", errFileName
	}
	root = controlproto.ID(where[0])
	switch root.Kind() {
	case controlproto.KindUser:
		if root != c.UserID() {
			return "", "", errFileName
		}
	case controlproto.KindDeviceGroup:
		if g, r := s.groupFor(c, root); g == nil || !r.Has(controlproto.ServerFiles) {
			return "", "", errFileName
		}
	default:
		return "", "", errFileName
	}
	folder, err = filePath(root, where[1:])
	return root, folder, err
}

// fileOperation changes files, or gets a short one. Failures are not told.
func (s *Server) fileOperation(ctx context.Context, c *controlproto.Call, req *controlproto.FileOperation) error {
	if s.cfg.Files == nil {
		return nil
	}
	root, folder, err := s.filesAt(c.Session, req.Path)
	if err != nil {
		return nil //nolint:nilerr // silent, as on the stock server
	}
	if req.Op == controlproto.FileGet {
		return s.getFile(ctx, c, folder, req.File)
	}
	if err := s.changeFiles(c.Session, root, folder, req); err != nil {
		s.log.Debug("file operation", "user", c.Session.UserID(), "operation", req.Op, "reason", err)
	}
	return s.FilesChanged(c.Session.UserID())
}

func (s *Server) changeFiles(c *controlproto.Session, root controlproto.ID, folder string, req *controlproto.FileOperation) error {
	files := s.cfg.Files
	switch req.Op {
	case controlproto.FileCreateFolder:
		if !goodFileName(req.NewFolder) {
			return errFileName
		}
		return files.MkdirAll(path.Join(folder, req.NewFolder), 0o700)
	case controlproto.FileDelete:
		var all error
		for _, name := range req.Delete {
			if !goodFileName(name) {
				continue
			}
			if at := path.Join(folder, name); req.Recursive {
				all = errors.Join(all, files.RemoveAll(at))
			} else {
				all = errors.Join(all, files.Remove(at))
			}
		}
		return all
	case controlproto.FileRename:
		if !goodFileName(req.OldName) || !goodFileName(req.NewName) {
			return errFileName
		}
		return files.Rename(path.Join(folder, req.OldName), path.Join(folder, req.NewName))
	case controlproto.FileCopy, controlproto.FileMove:
		return s.copyFiles(c, root, folder, req)
	case controlproto.FileSet:
		if !goodFileName(req.File) {
			return errFileName
		}
		if room := s.room(c, root); room >= 0 && int64(len(req.Data)) > room {
			return errFileQuota
		}
		if err := files.MkdirAll(folder, 0o700); err != nil {
			return err
		}
		return files.WriteFile(path.Join(folder, req.File), req.Data, 0o600)
	case controlproto.FileGet:
	}
	return errFileName
}

// copyFiles copies or moves files from another folder.
func (s *Server) copyFiles(c *controlproto.Session, root controlproto.ID, folder string, req *controlproto.FileOperation) error {
	_, source, err := s.filesAt(c, req.Source)
	if err != nil {
		return err
	}
	if err := s.cfg.Files.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	var all error
	for _, name := range req.Names {
		from, to := path.Join(source, name), path.Join(folder, name)
		if !goodFileName(name) || from == to {
			continue
		}
		err := copyFile(s.cfg.Files, from, to, s.room(c, root))
		if err == nil && req.Op == controlproto.FileMove {
			err = s.cfg.Files.Remove(from)
		}
		all = errors.Join(all, err)
	}
	return all
}

// room is how many bytes more a root may hold, or less than 0 for no limit.
func (s *Server) room(c *controlproto.Session, root controlproto.ID) int64 {
	a := s.account(c.UserID())
	if a == nil {
		return 0
	}
	most := s.quota(a, root)
	folder, err := fileRoot(root)
	if most == nil || err != nil {
		return -1
	}
	left := maxFileEntries
	return max(0, *most-treeSize(readTree(s.cfg.Files, folder, 0, &left)))
}

// getFile answers with the request and a short file.
func (s *Server) getFile(ctx context.Context, c *controlproto.Call, folder, name string) error {
	data, err := s.shortFile(folder, name, maxShortFile-1)
	if err != nil {
		return nil //nolint:nilerr // silent, as on the stock server
	}
	b, err := echoed(c, nil, detail{"data", data})
	if err != nil {
		return err
	}
	return c.Session.SendRaw(ctx, b)
}

// shortFile reads a file of not more than so many bytes.
func (s *Server) shortFile(folder, name string, most int64) ([]byte, error) {
	if !goodFileName(name) {
		return nil, errFileName
	}
	f, err := s.cfg.Files.Open(path.Join(folder, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fs.ErrInvalid
	}
	return io.ReadAll(io.LimitReader(f, most))
}

// serverFile reads a file that a request names by a path: the id of its root, folders, and a name, with slashes.
func (s *Server) serverFile(c *controlproto.Session, where string, most int64) ([]byte, error) {
	parts := strings.Split(where, "/")
	if s.cfg.Files == nil || len(parts) < 4 {
		return nil, fs.ErrNotExist
	}
	list := append([]string{strings.Join(parts[:3], "/")}, parts[3:len(parts)-1]...)
	_, folder, err := s.filesAt(c, list)
	if err != nil {
		return nil, err
	}
	return s.shortFile(folder, parts[len(parts)-1], most)
}
