package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/controlproto/controlserver"
)

// section is an object of config.json. Names are read without regard to case, as MeshCentral does; one that begins with _
// is a comment. What nobody has read is reported by rest. A nil section is one that is not there.
type section struct {
	path   string
	values map[string]json.RawMessage // by name in lower case
	asked  map[string]string          // name as it is written, of those that were not read
	warn   func(format string, args ...any)
}

func newSection(path string, object map[string]json.RawMessage, warn func(string, ...any)) *section {
	s := &section{path, map[string]json.RawMessage{}, map[string]string{}, warn}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		value := object[name]
		if strings.HasPrefix(name, "_") {
			continue
		}
		lower := strings.ToLower(name)
		if _, twice := s.values[lower]; twice {
			warn("%.128s is there more than once: the one written as %.64q counts", s.label(name), s.asked[lower])
			continue
		}
		s.values[lower], s.asked[lower] = value, name
	}
	return s
}

// names are those of the members, in order.
func (s *section) names() []string {
	if s == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(s.values))
}

// label is how a setting is called in a warning.
func (s *section) label(name string) string {
	if s.path == "" {
		return name
	}
	return s.path + "." + name
}

// rest reports what was not read.
func (s *section) rest(except ...string) {
	if s == nil {
		return
	}
	for _, lower := range slices.Sorted(maps.Keys(s.asked)) {
		if !slices.Contains(except, lower) {
			s.warn("%.128s is not supported", s.label(s.asked[lower]))
		}
	}
}

func (s *section) has(name string) bool {
	if s == nil {
		return false
	}
	_, ok := s.values[name]
	return ok
}

// take returns a value, which counts as read from then on.
func (s *section) take(name string) (json.RawMessage, bool) {
	if s == nil {
		return nil, false
	}
	delete(s.asked, name)
	v, ok := s.values[name]
	return v, ok && string(v) != "null"
}

func (s *section) wrong(name, want string) {
	s.warn("%.128s is not %s: it is left out", s.label(name), want)
}

// is tells whether a value is this text of JSON, and counts it as read if it is.
func (s *section) is(name, text string) bool {
	if s == nil || string(s.values[name]) != text {
		return false
	}
	delete(s.asked, name)
	return true
}

func (s *section) flag(name string) (b bool) {
	v, ok := s.take(name)
	if ok && json.Unmarshal(v, &b) != nil {
		s.wrong(name, "true or false")
	}
	return b
}

// off tells whether something was switched off.
func (s *section) off(name string) bool { return s.has(name) && !s.flag(name) }

func (s *section) text(name string) (t string) {
	v, ok := s.take(name)
	if ok && json.Unmarshal(v, &t) != nil {
		s.wrong(name, "a text")
	}
	return t
}

// texts reads a list, or a text with commas.
func (s *section) texts(name string) (list []string) {
	v, ok := s.take(name)
	if !ok {
		return nil
	}
	var t string
	if json.Unmarshal(v, &t) == nil {
		for part := range strings.SplitSeq(t, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		return list
	}
	if json.Unmarshal(v, &list) != nil {
		s.wrong(name, "a list of texts")
		return nil
	}
	return list
}

// secrets reads a text, or a list of them, none of which may be empty. What is there and no such thing is an error, as nothing
// would be protected without it.
func (s *section) secrets(name string) (list []controlproto.Secret, err error) {
	v, ok := s.take(name)
	if !ok {
		return nil, nil
	}
	texts := make([]string, 1)
	if json.Unmarshal(v, &texts[0]) != nil && json.Unmarshal(v, &texts) != nil || len(texts) == 0 || slices.Contains(texts, "") {
		return nil, fmt.Errorf("%.128s is no text, or list of texts, that are not empty", s.label(name))
	}
	for _, t := range texts {
		list = append(list, controlproto.NewSecret(t))
	}
	return list, nil
}

func (s *section) number(name string, least, most int) (n int) {
	v, ok := s.take(name)
	if !ok {
		return 0
	}
	if json.Unmarshal(v, &n) != nil || n < least || n > most {
		s.wrong(name, fmt.Sprintf("a number from %d to %d", least, most))
		return 0
	}
	return n
}

// object reads a section within, nil if there is none.
func (s *section) object(name string) *section {
	v, ok := s.take(name)
	if !ok {
		return nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(v, &members) != nil {
		s.wrong(name, "an object")
		return nil
	}
	return newSection(s.label(name), members, s.warn)
}

func (s *section) prefixes(name string) (list []netip.Prefix) {
	for _, text := range s.texts(name) {
		p, err := parsePrefix(text)
		if err != nil {
			s.warn("%s: %.64q: %v", s.label(name), text, err)
			continue
		}
		list = append(list, p)
	}
	return list
}

func (s *section) cookieKey(name string) *controlproto.CookieKey {
	text := s.text(name)
	if text == "" {
		return nil
	}
	key, err := controlproto.ParseCookieKey(text)
	if err != nil {
		s.wrong(name, "a key of 160 hexadecimal digits")
		return nil
	}
	return &key
}

// most of a script that is run by its name.
const maxScript = 65535

// scripts reads preConfiguredScripts. Those in files are read once, at start.
func scripts(s *section, data string) (list []controlserver.Script) {
	v, ok := s.take("preconfiguredscripts")
	if !ok {
		return nil
	}
	var items []map[string]json.RawMessage
	if json.Unmarshal(v, &items) != nil {
		s.wrong("preConfiguredScripts", "a list of objects")
		return nil
	}
	types := map[string]controlproto.CommandType{
		"bat": controlproto.ShellCmd, "ps1": controlproto.ShellPowerShell, "sh": controlproto.ShellUnix, "agent": controlproto.ShellAgent,
	}
	as := map[string]controlproto.RunAs{
		"": controlproto.RunAsAgent, "agent": controlproto.RunAsAgent, "userfirst": controlproto.RunAsUser, "user": controlproto.RunAsUserOnly,
	}
	for n, members := range items {
		i := newSection(s.label(fmt.Sprintf("preConfiguredScripts[%d]", n)), members, s.warn)
		script := controlserver.Script{Name: i.text("name"), Commands: i.text("cmd")}
		var known, knownAs bool
		script.Type, known = types[strings.ToLower(i.text("type"))]
		script.RunAs, knownAs = as[strings.ToLower(i.text("runas"))]
		if file := i.text("file"); file != "" && script.Commands == "" {
			text, err := os.ReadFile(filepath.Join(data, filepath.FromSlash(file)))
			if err != nil {
				s.warn("%s: %v", i.path, err)
				continue
			}
			script.Commands = string(text)
		}
		if !known || !knownAs || script.Name == "" || len(script.Name) > 32 || script.Commands == "" || len(script.Commands) > maxScript {
			s.warn("%s has no name, type or commands that can be used: it is left out", i.path)
			continue
		}
		i.rest()
		list = append(list, script)
	}
	return list
}
