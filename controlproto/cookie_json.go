package controlproto

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// cookieMember is a member of the JSON object in a cookie.
type cookieMember struct {
	name string
	// strict members decide who may do what: one of another type makes the cookie malformed. The short names of the
	// others mean different things in different cookies, so what does not fit stays in Extra.
	strict bool
	// read stores a value and tells whether it fits.
	read func(c *Cookie, raw json.RawMessage) bool
	// write returns what to write, nil for a field that is not set.
	write func(c *Cookie) any
}

// cookieMembers are in the order in which they are written. What is in Extra follows, and the time.
var cookieMembers = []cookieMember{
	textMember("userid", true, func(c *Cookie) *ID { return &c.UserID }),
	{"domainid", true, func(c *Cookie, raw json.RawMessage) bool {
		return json.Unmarshal(raw, &c.DomainID) == nil
	}, func(c *Cookie) any {
		if c.DomainID == nil {
			return nil
		}
		return *c.DomainID
	}},
	textMember("u", true, func(c *Cookie) *ID { return &c.User }),
	{"a", true, readAction, func(c *Cookie) any {
		if c.Purpose != "" {
			return c.Purpose
		}
		return unlessZero(c.Action)
	}},
	textMember("ruserid", true, func(c *Cookie) *ID { return &c.RelayUserID }),
	secretMember("x", func(c *Cookie) *Secret { return &c.SessionRandom }),
	flagMember("nouser", true, func(c *Cookie) *bool { return &c.NoUser }),
	textMember("nodeid", true, func(c *Cookie) *ID { return &c.NodeID }),
	textMember("tcpaddr", true, func(c *Cookie) *string { return &c.TCPAddr }),
	intMember("tcpport", true, math.MaxUint16, func(c *Cookie) *int { return &c.TCPPort }),
	textMember("nid", true, func(c *Cookie) *ID { return &c.SharedNode }),
	intMember("p", false, math.MaxInt32, func(c *Cookie) *int { return &c.Protocol }),
	textMember("tunnel", true, func(c *Cookie) *string { return &c.Tunnel }),
	flagMember("lc", false, func(c *Cookie) *bool { return &c.Local }),
	textMember("gn", false, func(c *Cookie) *string { return &c.GuestName }),
	intMember("cf", false, math.MaxInt32, func(c *Cookie) *Consent { return &c.Consent }),
	intMember("r", true, math.MaxInt32, func(c *Cookie) *int { return &c.GuestRights }),
	textMember("mid", true, func(c *Cookie) *ID { return &c.InviteGroup }),
	intMember("f", false, math.MaxUint8, func(c *Cookie) *InviteKind { return &c.InviteKind }),
	intMember("ag", false, math.MaxUint32, func(c *Cookie) *uint32 { return &c.InviteAgents }),
	textMember("pid", true, func(c *Cookie) *string { return &c.PublicID }),
	flagMember("vo", true, func(c *Cookie) *bool { return &c.ViewOnly }),
	secretMember("k", func(c *Cookie) *Secret { return &c.ShareKey }),
	{"e", false, readShareExpires, func(c *Cookie) any {
		if c.ShareExpires.IsZero() {
			return nil
		}
		return c.ShareExpires.UnixMilli()
	}},
	textMember("n", false, func(c *Cookie) *ID { return &c.AgentNode }),
	textMember("m", false, func(c *Cookie) *ID { return &c.AgentGroup }),
	flagMember("ps", true, func(c *Cookie) *bool { return &c.PeerServer }),
	{"ip", true, readAddress, func(c *Cookie) any {
		if !c.Address.IsValid() {
			return nil
		}
		return c.Address.Unmap().String()
	}},
	{"expire", true, readExpire, writeExpire},
	textMember("once", true, func(c *Cookie) *string { return &c.Once }),
}

// The last one, written by hand: it is set when the cookie is encoded.
const cookieTime = "time"

func textMember[T ~string](name string, strict bool, field func(*Cookie) *T) cookieMember {
	return cookieMember{name, strict, func(c *Cookie, raw json.RawMessage) bool {
		var s string
		if json.Unmarshal(raw, &s) != nil || s == "" && strict {
			return false // an empty text would be taken for none
		}
		*field(c) = T(s)
		return s != ""
	}, func(c *Cookie) any { return unlessZero(*field(c)) }}
}

func secretMember(name string, field func(*Cookie) *Secret) cookieMember {
	return cookieMember{name, false, func(c *Cookie, raw json.RawMessage) bool {
		var s string
		if json.Unmarshal(raw, &s) != nil || s == "" {
			return false
		}
		*field(c) = NewSecret(s)
		return true
	}, func(c *Cookie) any { return unlessZero(field(c).Reveal()) }}
}

// intMember is a whole number from 0 to most.
func intMember[T ~int | ~uint8 | ~uint32](name string, strict bool, most float64, field func(*Cookie) *T) cookieMember {
	return cookieMember{name, strict, func(c *Cookie, raw json.RawMessage) bool {
		v, ok := jsonNumber(raw)
		if !ok || v != math.Trunc(v) || v < 0 || v > most {
			return false
		}
		*field(c) = T(v)
		return true
	}, func(c *Cookie) any { return unlessZero(*field(c)) }}
}

// flagMember is 1 where it is set. Servers also write true.
func flagMember(name string, strict bool, field func(*Cookie) *bool) cookieMember {
	return cookieMember{name, strict, func(c *Cookie, raw json.RawMessage) bool {
		switch string(raw) {
		case "1", "true":
			*field(c) = true
		case "0", "false":
		default:
			return false
		}
		return true
	}, func(c *Cookie) any {
		if *field(c) {
			return 1
		}
		return nil
	}}
}

func unlessZero[T comparable](v T) any {
	if v == *new(T) {
		return nil
	}
	return v
}

// jsonNumber reads a JSON number; a quoted one is none.
func jsonNumber(raw json.RawMessage) (v float64, ok bool) {
	err := json.Unmarshal(raw, &v)
	return v, err == nil
}

func readAction(c *Cookie, raw json.RawMessage) bool {
	if json.Unmarshal(raw, &c.Purpose) == nil {
		return c.Purpose != ""
	}
	v, ok := jsonNumber(raw)
	if !ok || v != math.Trunc(v) || v < 1 || v > math.MaxInt32 {
		return false
	}
	c.Action = CookieAction(v)
	return true
}

func readShareExpires(c *Cookie, raw json.RawMessage) bool {
	v, ok := jsonNumber(raw)
	if !ok || v < 0 || v > maxCookieTime*1000 {
		return false
	}
	c.ShareExpires = time.UnixMilli(int64(v)).UTC()
	return true
}

func readAddress(c *Cookie, raw json.RawMessage) bool {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return false
	}
	a, err := netip.ParseAddr(s)
	c.Address = a.Unmap()
	return err == nil
}

func readExpire(c *Cookie, raw json.RawMessage) bool {
	minutes, ok := jsonNumber(raw)
	switch d := minutes * float64(time.Minute); {
	case !ok:
		return false
	case d == 0:
		c.Expire = CookieForever
	case d < float64(CookieForever):
		c.Expire = min(time.Duration(max(d, -math.MaxInt64/2)), CookieForever-1) // has always been over
	case d < 1:
		c.Expire = 1 // less than a Duration can tell
	case d >= math.MaxInt64:
		c.Expire = math.MaxInt64 // 292 years
	default:
		c.Expire = time.Duration(d)
	}
	return true
}

func writeExpire(c *Cookie) any {
	switch {
	case c.Expire == 0:
		return nil
	case c.Expire == CookieForever:
		return 0
	case c.Expire%time.Minute == 0:
		return int64(c.Expire / time.Minute)
	}
	return c.Expire.Minutes()
}

// maxCookieTime is a bound on times, in seconds: the year 5138.
const maxCookieTime = 1e11

func readTime(raw json.RawMessage) (time.Time, bool) {
	seconds, ok := jsonNumber(raw)
	if !ok || seconds < 0 || seconds > maxCookieTime {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(seconds * 1000)).UTC(), true
}

// appendJSON appends the JSON text of the cookie, made at the given time, to b.
func (c *Cookie) appendJSON(b []byte, made time.Time) ([]byte, error) {
	if c.Action != 0 && c.Purpose != "" {
		return nil, fmt.Errorf("controlproto: cookie with an action and a purpose, which are one member")
	}
	if c.Action < 0 || c.TCPPort < 0 || c.TCPPort > math.MaxUint16 || c.GuestRights < 0 || c.Protocol < 0 {
		return nil, fmt.Errorf("controlproto: cookie with a number out of range")
	}
	seconds := made.Unix()
	ends := c.ShareExpires.Unix()
	if seconds < 0 || seconds > maxCookieTime || !c.ShareExpires.IsZero() && (ends < 0 || ends > maxCookieTime) {
		return nil, fmt.Errorf("controlproto: cookie with a time out of range: %v, %v", made, c.ShareExpires)
	}
	b = append(b, '{')
	add := func(name string, v any) error {
		text, err := json.Marshal(name)
		if err != nil {
			return err
		}
		b = append(append(b, text...), ':')
		var w bytes.Buffer
		e := json.NewEncoder(&w)
		e.SetEscapeHTML(false)
		if err = e.Encode(v); err != nil {
			return fmt.Errorf("controlproto: cookie: member %.64q: %w", name, err)
		}
		b = append(append(b, bytes.TrimSuffix(w.Bytes(), []byte{'\n'})...), ',')
		return nil
	}
	// What a name must not be in Extra because it is, or decides too much to be, there.
	taken := map[string]bool{cookieTime: true}
	for i := range cookieMembers {
		m := &cookieMembers[i]
		v := m.write(c)
		taken[m.name] = m.strict || v != nil
		if v == nil {
			continue
		}
		if err := add(m.name, v); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Extra)) {
		if taken[name] {
			return nil, fmt.Errorf("controlproto: cookie: %.64q is in Extra, but has a field", name)
		}
		if err := add(name, c.Extra[name]); err != nil {
			return nil, err
		}
	}
	b = append(append(b, `"`+cookieTime+`":`...), strconv.FormatInt(seconds, 10)...)
	return append(b, '}'), nil
}

// parseJSON reads the text that was in a cookie. The first name whose value is not as it must be is returned.
func (c *Cookie) parseJSON(text []byte) (bad string, ok bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return "", false
	}
	// For JavaScript, which asks "== null", a null is the same as nothing.
	maps.DeleteFunc(members, func(_ string, raw json.RawMessage) bool { return string(raw) == "null" })
	if c.Time, ok = readTime(members[cookieTime]); !ok {
		return cookieTime, false
	}
	delete(members, cookieTime)
	for i := range cookieMembers {
		m := &cookieMembers[i]
		raw, ok := members[m.name]
		switch {
		case !ok:
		case m.read(c, raw):
			delete(members, m.name)
		case m.strict:
			return m.name, false
		}
	}
	if len(members) > 0 {
		c.Extra = members
	}
	return "", true
}
