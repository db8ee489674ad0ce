package files

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	maxPath = 4096
	maxName = 255 * 4
)

// rooted turns a path of the operator, whose slash is the served folder, into one below that folder. ".." is refused, and not
// reckoned with: what it would mean depends on links.
func rooted(path string) (string, error) {
	if len(path) > maxPath || strings.ContainsRune(path, 0) {
		return "", fmt.Errorf("%w: %s", ErrPath, quote(path))
	}
	var parts []string
	for part := range strings.SplitSeq(path, "/") {
		switch part {
		case "", ".":
			continue
		case "..":
			return "", fmt.Errorf("%w: %s leads upwards", ErrPath, quote(path))
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return ".", nil
	}
	name := filepath.Join(parts...)
	if !filepath.IsLocal(name) || os.PathSeparator != '/' && strings.ContainsAny(name, ":") {
		return "", fmt.Errorf("%w: %s", ErrPath, quote(path))
	}
	return name, nil
}

// below adds a name, which must be one and no path, to a folder.
func below(folder, name string) (string, error) {
	if !isName(name) {
		return "", fmt.Errorf("%w: the name %s", ErrPath, quote(name))
	}
	return filepath.Join(folder, name), nil
}

// isName says whether a name is one, here and not only on the device.
func isName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= maxName && !strings.ContainsAny(name, "/\x00") &&
		(os.PathSeparator == '/' || !strings.ContainsAny(name, `\:`) && filepath.IsLocal(name))
}

// LocalName is the entry's name if it can be the name of a file on this system, and nothing more than that. A device can
// call a file "../x"; whoever saves under a name asks here first.
func (e *Entry) LocalName() (name string, ok bool) {
	if !isName(e.Name) {
		return "", false
	}
	return e.Name, true
}
