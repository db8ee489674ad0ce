package controlserver

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/meshcentral-go/sdk/controlproto"
)

// Bounds of server files.
const (
	maxFileEntries = 50_000  // in one answer
	maxFileDepth   = 32      // folders in folders
	maxShortFile   = 204_800 // bytes that fileoperation gets, and one more
)

// Errors of server files.
var (
	errFileName  = errors.New("controlserver: not a name for a file")
	errFileQuota = errors.New("controlserver: no room left for server files")
)

// goodFileName tells whether a text may be the name of a file or folder: on no system does it mean another place or a device
// (common.js, IsFilenameValid).
func goodFileName(name string) bool {
	if name == "" || len(name) > 255 || !utf8.ValidString(name) || name[0] == '.' || strings.ContainsAny(name, "\\/:*?\"<>|\x00") {
		return false
	}
	base, _, _ := strings.Cut(strings.ToLower(name), ".")
	switch base {
	case "nul", "prn", "con", "aux":
		return false
	}
	device := strings.HasPrefix(base, "lpt") || strings.HasPrefix(base, "com")
	return !device || len(base) != 4 || base[3] < '0' || base[3] > '9'
}

// fileRoot is the folder of the files of an account or a device group, in the layout of the stock server.
func fileRoot(id controlproto.ID) (string, error) {
	domain := "domain"
	if d := id.Domain(); d != "" {
		domain += "-" + d
	}
	name := id.Kind() + "-" + id.Name()
	if !id.Valid() || !goodFileName(domain) || !goodFileName(name) {
		return "", errFileName
	}
	return domain + "/" + name, nil
}

// filePath is the place of a folder below a root.
func filePath(id controlproto.ID, folders []string) (string, error) {
	root, err := fileRoot(id)
	if err != nil || len(folders) > maxFileDepth {
		return "", errors.Join(err, errFileName)
	}
	for _, f := range folders {
		if !goodFileName(f) {
			return "", errFileName
		}
	}
	return path.Join(append([]string{root}, folders...)...), nil
}

// readTree reads a folder with all that is in it. What is neither file nor folder is not there.
func readTree(root *os.Root, folder string, depth int, left *int) map[string]controlproto.FileEntry {
	tree := map[string]controlproto.FileEntry{}
	f, err := root.Open(folder)
	if err != nil {
		return tree
	}
	defer f.Close()
	for *left > 0 {
		list, err := f.ReadDir(256)
		for _, entry := range list {
			if *left--; *left < 0 {
				break
			}
			info, err := entry.Info()
			if err != nil {
				continue // gone meanwhile
			}
			switch {
			case info.IsDir() && depth < maxFileDepth:
				tree[entry.Name()] = controlproto.FileEntry{
					Type: controlproto.FileFolder, Modified: unknownTime, Files: readTree(root, folder+"/"+entry.Name(), depth+1, left),
				}
			case info.Mode().IsRegular():
				tree[entry.Name()] = controlproto.FileEntry{Type: controlproto.FileRegular, Size: info.Size(), Modified: info.ModTime()}
			}
		}
		if err != nil {
			break
		}
	}
	return tree
}

// treeSize adds up the sizes of files.
func treeSize(tree map[string]controlproto.FileEntry) (sum int64) {
	for _, e := range tree {
		sum += e.Size + treeSize(e.Files)
	}
	return sum
}

// copyFile copies a file, up to a number of bytes, in place of one that there was.
func copyFile(root *os.Root, from, to string, most int64) (err error) {
	in, err := root.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fs.ErrInvalid
	}
	if most >= 0 && info.Size() > most {
		return errFileQuota
	}
	out, err := root.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.LimitReader(in, info.Size()))
	return errors.Join(err, out.Close())
}
