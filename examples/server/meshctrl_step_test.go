package main

import (
	"fmt"
	"regexp"
	"strings"
)

// ctlStep is one call of meshctrl, or something else that happens on both servers. Its methods return changed copies.
type ctlStep struct {
	line     string            // the command line, with {name} for captured values and {name/} for the bare part of an id
	user     string            // who logs in; the administrator if empty
	mute     bool              // neither server answers, and meshctrl would wait for ever
	settled  string            // what is printed once something has come to its end, run again until then
	unsorted bool              // the order of lines, or of array elements, is left to the server
	dropped  string            // the action of events that are not compared
	captures map[string]string // name -> pattern of which the first group is kept
	during   string            // a second command line, run while the first one shows events, userinfo among them
	until    string            // what it prints at the end
	hook     func(*meshctrlPeer)
}

func ctl(line string) ctlStep { return ctlStep{line: line} }

// ctlCall is a ctlStep that runs a function on each server.
func ctlCall(name string, hook func(*meshctrlPeer)) ctlStep { return ctlStep{line: name, hook: hook} }

func (s ctlStep) as(user string) ctlStep { s.user = user; return s }
func (s ctlStep) silent() ctlStep        { s.mute = true; return s }
func (s ctlStep) anyOrder() ctlStep      { s.unsorted = true; return s }

// once runs a step again, a few times at most, until it prints what it does when that which came before has come to its end: a
// session that was closed, say.
func (s ctlStep) once(printed string) ctlStep { s.settled = printed; return s }

// without leaves out events that come at any time.
func (s ctlStep) without(action string) ctlStep { s.dropped = action; return s }

// keep captures the first group of a pattern in what is printed.
func (s ctlStep) keep(name, pattern string) ctlStep {
	captures := map[string]string{name: pattern}
	for n, p := range s.captures {
		captures[n] = p
	}
	s.captures = captures
	return s
}

// while runs another command while this one shows events, and waits for until.
func (s ctlStep) while(line, until string) ctlStep {
	s.during, s.until = line, until
	return s
}

// name identifies the step among all, with who does it.
func (s ctlStep) name() string {
	name := s.line
	if s.user != "" {
		name += " (as " + s.user + ")"
	}
	if s.during != "" {
		name += " (while " + s.during + ")"
	}
	return name
}

func (s ctlStep) verb() string {
	verb, _, _ := strings.Cut(s.line, " ")
	return verb
}

var ctlPlaceholder = regexp.MustCompile(`\{([a-z0-9]+)(/?)\}`)

// ctlWords splits a command line at spaces outside double quotes and fills in captured values.
func ctlWords(line string, vars map[string]string) ([]string, error) {
	var list []string
	var word strings.Builder
	quoted, started := false, false
	end := func() {
		if started {
			list = append(list, word.String())
		}
		word.Reset()
		started = false
	}
	for _, r := range line {
		switch {
		case r == '"':
			quoted, started = !quoted, true
		case r == ' ' && !quoted:
			end()
		default:
			word.WriteRune(r)
			started = true
		}
	}
	end()
	var missing error
	for i, w := range list {
		list[i] = ctlPlaceholder.ReplaceAllStringFunc(w, func(p string) string {
			m := ctlPlaceholder.FindStringSubmatch(p)
			value, ok := vars[m[1]]
			if !ok {
				missing = fmt.Errorf("nothing was captured for %s", p)
			}
			if m[2] != "" {
				_, value, _ = cutID(value)
			}
			return value
		})
	}
	return list, missing
}
