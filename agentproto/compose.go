package agentproto

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"
)

// CoreSource is where cores are composed from.
type CoreSource struct {
	// Agents is the folder "agents" of a MeshCentral installation.
	Agents fs.FS
	// Data, if not nil, is the data folder: a meshcore.js in it, with its own folder of modules beside it, comes instead of
	// the one in Agents.
	Data fs.FS
	// Minified takes meshcore.min.js and modules_meshcore_min where they exist (`minifycore`).
	Minified bool
}

// Compose makes the blob of a core exactly as MeshCentral does, so that its hash is the one that agents of a stock server
// already have:
//
//	00 00 00 00
//	var addedModules = [];                                       each line ends with CR LF
//	try { addModule("NAME", "ESCAPED"); addedModules.push("NAME"); } catch (ex) { }
//	var coretranslations = JSON.parse('ESCAPED');                both kinds in the order of the file names
//	meshcore.js, or the file of the other kinds
//
// Differences are bounds, and that a name of a module which would break the line is an error. meshcentral.js,
// updateMeshCore and escapeCodeString.
func (s CoreSource) Compose(name CoreName) ([]byte, error) {
	blob, err := s.compose(name)
	if err != nil {
		return nil, fmt.Errorf("agentproto: composing core %q: %w", name, err)
	}
	return blob, nil
}

func (s CoreSource) compose(name CoreName) ([]byte, error) {
	if s.Agents == nil {
		return nil, errors.New("no agents folder")
	}
	base := s.Agents
	if s.Data != nil {
		if _, err := fs.Stat(s.Data, "meshcore.js"); err == nil {
			base = s.Data
		}
	}
	var main string
	takes := func(module string) bool { return false }
	folder, translations := base, false
	switch name {
	case CoreWindowsAMT, CoreLinuxAMT, CoreLinuxNoAMT:
		main, translations = "meshcore.js", true
		takes = func(module string) bool { return coreTakesModule(name, module) }
	case CoreWindowsRecovery, CoreLinuxRecovery:
		main, folder = "recoverycore.js", s.Agents
	case CoreWindowsAgentRecovery, CoreLinuxAgentRecovery:
		main, folder = "meshcore_diagnostic.js", s.Agents
	case CoreWindowsTiny, CoreLinuxTiny:
		main, folder = "tinycore.js", s.Agents
	default:
		return nil, ErrNoCore
	}
	if name == CoreWindowsRecovery || name == CoreWindowsAgentRecovery {
		takes = func(module string) bool {
			switch module {
			case "win-console", "win-message-pump", "win-terminal", "win-virtual-terminal":
				return true
			}
			return false
		}
	}

	blob := AppendCore(nil, []byte("var addedModules = [];\r\n"))
	blob, err := s.appendModules(blob, base, translations, takes)
	if err != nil {
		return nil, err
	}
	var text []byte
	if s.Minified && main == "meshcore.js" {
		text, err = readCoreFile(folder, "meshcore.min.js")
	}
	if text == nil {
		text, err = readCoreFile(folder, main)
	}
	if err != nil {
		return nil, err
	}
	blob = appendUTF8(blob, text)
	if len(blob) > maxCoreSize {
		return nil, fmt.Errorf("larger than %d bytes", maxCoreSize)
	}
	return blob, nil
}

// coreTakesModule tells which modules go into which of the three main cores. "smbios" stays out of linux-noamt because it
// crashes agents on some machines.
func coreTakesModule(core CoreName, module string) bool {
	switch {
	case strings.HasPrefix(module, "amt-"), module == "smbios":
		return core != CoreLinuxNoAMT
	case strings.HasPrefix(module, "win-"):
		return core == CoreWindowsAMT
	case strings.HasPrefix(module, "linux-"):
		return core != CoreWindowsAMT
	}
	return true
}

func (s CoreSource) appendModules(blob []byte, base fs.FS, translations bool, takes func(module string) bool) ([]byte, error) {
	dir := "modules_meshcore_min"
	var files []fs.DirEntry
	err := error(fs.ErrNotExist)
	if s.Minified {
		files, err = fs.ReadDir(base, dir)
	}
	if err != nil {
		dir = "modules_meshcore"
		if files, err = fs.ReadDir(base, dir); errors.Is(err, fs.ErrNotExist) {
			return blob, nil // a core without modules
		} else if err != nil {
			return nil, err
		}
	}
	for _, f := range files { // in the order of the bytes of their names
		lower := strings.ToLower(f.Name())
		isJS, isJSON := strings.HasSuffix(lower, ".js"), strings.HasSuffix(lower, ".json")
		if !isJS && !isJSON {
			continue
		}
		module := f.Name()[:strings.LastIndexByte(f.Name(), '.')]
		module = strings.TrimSuffix(module, ".min")
		if isJS && !takes(module) || isJSON && !translations {
			continue
		}
		if !isModuleName(module) {
			return nil, fmt.Errorf("a module cannot be named %q", cutText(module, 64))
		}
		text, err := readCoreFile(base, dir+"/"+f.Name())
		if err != nil {
			return nil, err
		}
		if isJS {
			blob = append(blob, `try { addModule("`+module+`", "`...)
			blob = appendEscapedLatin1(blob, text)
			blob = append(blob, `"); addedModules.push("`+module+`"); } catch (ex) { }`+"\r\n"...)
		} else {
			blob = append(blob, `var `+module+` = JSON.parse('`...)
			blob = appendEscapedUTF8(blob, text)
			blob = append(blob, `');`+"\r\n"...)
		}
		if len(blob) > maxCoreSize {
			return nil, fmt.Errorf("larger than %d bytes", maxCoreSize)
		}
	}
	return blob, nil
}

func isModuleName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' && c != '.' && c != '$' {
			return false
		}
	}
	return len(s) > 0
}

func readCoreFile(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxCoreSize {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, maxCoreSize)
	}
	b, err := fs.ReadFile(fsys, name)
	if err == nil && b == nil {
		b = []byte{} // nil means absent to the caller
	}
	return b, err
}

// coreEscape gives the letter after the backslash for the bytes that are escaped, 0 for the others.
func coreEscape(c byte) byte {
	switch c {
	case '\'', '"', '\\':
		return c
	case '\b':
		return 'b'
	case '\f':
		return 'f'
	case '\n':
		return 'n'
	case '\r':
		return 'r'
	case '\t':
		return 't'
	}
	return 0
}

// appendEscapedLatin1 escapes text for a string literal of JavaScript, byte by byte; bytes outside 32 to 127 are dropped.
func appendEscapedLatin1(b, text []byte) []byte {
	for _, c := range text {
		if e := coreEscape(c); e != 0 {
			b = append(b, '\\', e)
		} else if c >= 32 && c <= 127 {
			b = append(b, c)
		}
	}
	return b
}

// appendEscapedUTF8 escapes the same characters and drops nothing.
func appendEscapedUTF8(b, text []byte) []byte {
	for _, r := range bytes.Runes(text) {
		if r < utf8.RuneSelf {
			if e := coreEscape(byte(r)); e != 0 {
				b = append(b, '\\', e)
				continue
			}
		}
		b = utf8.AppendRune(b, r)
	}
	return b
}

// appendUTF8 appends text with invalid bytes replaced, as reading it into a string of JavaScript does.
func appendUTF8(b, text []byte) []byte {
	if utf8.Valid(text) {
		return append(b, text...)
	}
	for _, r := range bytes.Runes(text) {
		b = utf8.AppendRune(b, r)
	}
	return b
}
