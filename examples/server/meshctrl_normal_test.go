package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// normaliser replaces what differs between two servers that do the same: ids, times, addresses, cookies. It knows the
// ids that the scenario has captured, and gives them their names, so that an id in the wrong place is seen.
type normaliser struct {
	names []string          // captured values and what replaces them, alternately, long ones first
	ports map[int]string    // the server's own, with what replaces them
	agent string            // the device whose agent reports at any time
	drop  map[string]string // members of objects, or lines "name: value", that are not compared
	empty map[string]string // members of objects that are not compared when they are empty
}

// newNormaliser returns one for a peer's captures. Times are left for agreeOnTimes.
func newNormaliser(ports map[int]string, vars map[string]string) normaliser {
	values := make(map[string]string)
	for name, value := range vars {
		if prefix, bare, ok := cutID(value); ok {
			values[prefix+bare] = "{" + name + "}"
			values[bare] = "{" + name + "/}"
		} else if len(value) >= 6 {
			values[value] = "{" + name + "}"
		}
	}
	long := slices.SortedFunc(maps.Keys(values), func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	n := normaliser{ports: ports, agent: vars["node"]}
	for _, value := range long {
		n.names = append(n.names, value, values[value])
	}
	return n
}

// cutID splits node//xxx after the second slash.
func cutID(id string) (prefix, bare string, ok bool) {
	parts := strings.SplitN(id, "/", 3)
	if len(parts) != 3 || len(parts[2]) < 32 {
		return "", "", false
	}
	return id[:len(id)-len(parts[2])], parts[2], true
}

var (
	longWord  = regexp.MustCompile(`[A-Za-z0-9@$]{40,}=*`)
	hexWord   = regexp.MustCompile(`^(0x)?[0-9A-Fa-f]{96}$`)
	loginName = regexp.MustCompile(`~t:[A-Za-z0-9@$]{16}`)
	isoTime   = regexp.MustCompile(`\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	localTime = regexp.MustCompile(`\b\d{1,2}/\d{1,2}/\d{4}, \d{1,2}:\d\d:\d\d [AP]M`)
	epoch     = regexp.MustCompile(`\b1[6-9]\d{8}(\d{3})?(\.\d+)?\b`)
	loopback  = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	digits    = regexp.MustCompile(`\b\d+\b`)
)

// text normalises a piece of text.
func (n normaliser) text(s string) string {
	s = strings.ReplaceAll(s, "\r", "")
	s = strings.ReplaceAll(s, "%24", "$") // so a stock server's database has the dollars of ids in keys, and its events do
	for i := 0; i < len(n.names); i += 2 {
		s = strings.ReplaceAll(s, n.names[i], n.names[i+1])
	}
	s = longWord.ReplaceAllStringFunc(s, func(w string) string {
		switch {
		case hexWord.MatchString(w):
			return "{hash}"
		case len(w) == 64:
			return "{id}"
		}
		return "{cookie}"
	})
	s = loginName.ReplaceAllString(s, "{login name}")
	s = isoTime.ReplaceAllStringFunc(s, func(w string) string {
		t, err := time.Parse(time.RFC3339, w)
		if err != nil {
			return w
		}
		return timeToken("iso", t)
	})
	s = localTime.ReplaceAllStringFunc(s, func(w string) string {
		t, err := time.ParseInLocation("1/2/2006, 3:04:05 PM", w, time.Local)
		if err != nil {
			return w
		}
		return timeToken("local", t)
	})
	s = epoch.ReplaceAllStringFunc(s, func(w string) string {
		f, err := strconv.ParseFloat(w, 64)
		if err != nil {
			return w
		}
		if text, ok := n.number(f); ok {
			return text
		}
		return w
	})
	s = digits.ReplaceAllStringFunc(s, func(w string) string {
		if port, err := strconv.Atoi(w); err == nil && n.ports[port] != "" {
			return n.ports[port]
		}
		return w
	})
	s = loopback.ReplaceAllString(s, "127.0.0.1:{client port}")
	for _, t := range ctlTextsLeftOut {
		s = t.pattern.ReplaceAllString(s, t.replacement)
	}
	return s
}

// number replaces a number that is a time of these years, in seconds or milliseconds, or one of the server's ports.
func (n normaliser) number(f float64) (string, bool) {
	switch {
	case f == math.Trunc(f) && f < 1<<16 && n.ports[int(f)] != "":
		return n.ports[int(f)], true
	case f > 0 && f < 1:
		return "{random}", true
	case f >= 1.6e9 && f < 2e9:
		return timeToken("s", time.UnixMilli(int64(f*1000))), true
	case f >= 1.6e12 && f < 2e12:
		return timeToken("ms", time.UnixMilli(int64(f))), true
	}
	return "", false
}

// json normalises a decoded JSON value.
func (n normaliser) json(v any, anyOrder bool) any {
	switch v := v.(type) {
	case string:
		return n.text(v)
	case float64:
		if text, ok := n.number(v); ok {
			return text
		}
		return v
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = n.json(v[i], anyOrder)
		}
		if anyOrder {
			slices.SortFunc(list, func(a, b any) int { return compareUntimed(indented(a), indented(b)) })
		}
		return list
	case map[string]any:
		return n.object(v, anyOrder)
	}
	return v
}

// object normalises a JSON object. Keys that become the same, being ids of which the scenario knows nothing, are numbered
// in the order of their values.
func (n normaliser) object(v map[string]any, anyOrder bool) map[string]any {
	byKey := make(map[string][]any)
	for key, value := range v {
		if _, ok := n.drop[key]; ok {
			continue
		}
		if _, ok := n.empty[key]; ok && isEmpty(value) {
			continue
		}
		key = n.text(key)
		byKey[key] = append(byKey[key], n.json(value, anyOrder))
	}
	object := make(map[string]any, len(v))
	for key, values := range byKey {
		slices.SortFunc(values, func(a, b any) int { return compareUntimed(indented(a), indented(b)) })
		for i, value := range values {
			if i > 0 {
				object[fmt.Sprintf("%s #%d", key, i+1)] = value
			} else {
				object[key] = value
			}
		}
	}
	if v["action"] == "wssessioncount" && v["count"] != nil {
		object["count"] = "{count}" // a stock server sees the end of a session late
	}
	return object
}

// output normalises what meshctrl printed, into lines. JSON, or several JSON values one after the other, gets its keys
// sorted. With anyOrder the lines, or the elements of all arrays, are sorted too. Events with the action without are left out.
func (n normaliser) output(printed string, anyOrder bool, without string) []string {
	printed, watching := strings.CutPrefix(printed, "Connected. Press ctrl-c to end.\n")
	if values, ok := jsonValues(printed); ok {
		var lines []string
		if watching {
			lines = append(lines, "Connected.")
		}
		for i, v := range values {
			if watching && i > 0 && eventMember(v, "action") == "wssessioncount" && eventMember(values[i-1], "action") == "wssessioncount" {
				continue // of the beginning and the end of a session
			}
			if without != "" && eventMember(v, "action") == without {
				continue
			}
			if watching && n.agent != "" && eventMember(v, "nodeid") == n.agent {
				continue
			}
			lines = append(lines, strings.Split(indented(n.json(v, anyOrder)), "\n")...)
		}
		return lines
	}
	printed = n.text(printed)
	for name := range n.drop {
		// Node's inspector prints a list over several lines.
		member := regexp.MustCompile(`(?m)^` + name + `: (\[[^\]]*\]|.*)\n`)
		printed = member.ReplaceAllString(printed, "")
	}
	for name := range n.empty {
		member := regexp.MustCompile(`(?m)^` + name + `: (\{\}|0|)\n`)
		printed = member.ReplaceAllString(printed, "")
	}
	lines := strings.Split(strings.TrimRight(printed, "\n"), "\n")
	if anyOrder {
		slices.SortFunc(lines, compareUntimed)
	}
	return lines
}

// isEmpty says whether a JSON value is 0, "" or {}.
func isEmpty(v any) bool {
	object, ok := v.(map[string]any)
	return v == 0.0 || v == "" || ok && len(object) == 0
}

// eventMember returns a member of an event.
func eventMember(v any, name string) any {
	message, _ := v.(map[string]any)
	event, _ := message["event"].(map[string]any)
	return event[name]
}

// jsonValues decodes text that holds nothing but objects and arrays.
func jsonValues(printed string) ([]any, bool) {
	trimmed := bytes.TrimSpace([]byte(printed))
	if len(trimmed) == 0 || (trimmed[0] != '{' && trimmed[0] != '[') {
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(trimmed))
	var values []any
	for {
		var v any
		err := decoder.Decode(&v)
		if errors.Is(err, io.EOF) {
			return values, true
		}
		if err != nil {
			return nil, false
		}
		values = append(values, v)
	}
}

// indented is JSON for people, with the keys sorted.
func indented(v any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(b.String(), "\n")
}
