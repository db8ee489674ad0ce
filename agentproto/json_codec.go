package agentproto

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// jsonFields walks the fields of one object, in one of two directions. A message lists its fields once, in its fields
// method, and that list both reads and writes it:
//
//   - reading, members holds the object and each call takes its field out of it; what is left goes to Extra;
//   - writing, each call appends its field to out unless it is absent (zero, nil).
//
// The first error sticks, later calls do nothing.
type jsonFields struct {
	reading bool
	agent   bool // reading: the text is an agent's, clean it
	lenient bool // reading: a field of the wrong shape stays in Extra instead of failing the message
	members map[string]json.RawMessage
	out     []byte
	comma   bool     // writing: a member was written
	names   []string // writing: those written, to refuse the same name in Extra
	path    string   // of the object, for errors
	err     error
}

// textRule says how a string field is cleaned and bounded.
type textRule struct {
	limit int  // in bytes
	lines bool // AgentText: line ends stay
	exact bool // too long is an error: shortened, the value would mean something else. What servers send is always exact
	keep  bool // written even when empty
}

// Limits of the text fields, per kind.
var (
	ruleName   = textRule{limit: 256}                               // names of devices, users, files, interfaces
	ruleLine   = textRule{limit: 512}                               // descriptions
	rulePath   = textRule{limit: 4096}                              // paths, log lines
	ruleID     = textRule{limit: 512, exact: true}                  // ids, hashes, cookies' users: compared, not shown
	ruleURL    = textRule{limit: 16 << 10, exact: true}             // addresses with cookies in them
	ruleOutput = textRule{limit: 4 << 20, lines: true}              // consoles and commands
	ruleInner  = textRule{limit: 4 << 20, lines: true, exact: true} // JSON inside a string, clipboards
)

func (r textRule) always() textRule { r.keep = true; return r }

func (c *jsonFields) fail(name string, reason error, detail string) {
	if c.err == nil {
		c.err = &JSONError{Field: c.path + name, Err: reason, Detail: detail}
	}
}

// take removes a member; null counts as absent.
func (c *jsonFields) take(name string) (json.RawMessage, bool) {
	if c.err != nil {
		return nil, false
	}
	raw, ok := c.members[name]
	if ok {
		delete(c.members, name)
	}
	return raw, ok && string(raw) != "null"
}

// mismatch is called with a whole member that take gave and with what is wrong with it.
func (c *jsonFields) mismatch(name string, raw json.RawMessage, wrong *JSONError) {
	if c.lenient && c.err == nil && errors.Is(wrong, ErrJSONField) {
		c.members[name] = raw
		return
	}
	c.fail(name, wrong.Err, wrong.Detail)
}

// unwanted says that part, which may be all of raw, has the wrong shape.
func (c *jsonFields) unwanted(name string, raw, part json.RawMessage, want string) {
	c.mismatch(name, raw, notA(want, part))
}

func notA(want string, have json.RawMessage) *JSONError {
	return &JSONError{Err: ErrJSONField, Detail: "want " + want + ", have " + jsonKind(have)}
}

func jsonKind(raw json.RawMessage) string {
	switch raw[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// name starts a member in the output.
func (c *jsonFields) name(name string) {
	if c.comma {
		c.out = append(c.out, ',')
	}
	c.comma = true
	c.names = append(c.names, name)
	c.out = jsonrec.AppendString(c.out, name)
	c.out = append(c.out, ':')
}

// null writes a member that the peers expect to be there.
func (c *jsonFields) null(name string) {
	c.name(name)
	c.out = append(c.out, "null"...)
}

// decodeText reads a string; numbers and booleans count as their text, as they do in JavaScript.
func (c *jsonFields) decodeText(raw json.RawMessage, rule textRule) (string, *JSONError) {
	var s string
	switch raw[0] {
	case '"':
		s = unquoteJSON(raw)
	case '{', '[', 'n':
		return "", notA("a string", raw)
	default:
		s = string(raw)
	}
	if len(s) > rule.limit && (rule.exact || !c.agent) {
		return "", &JSONError{Err: ErrJSONLimit, Detail: "string of " + strconv.Itoa(len(s)) + " bytes, at most " + strconv.Itoa(rule.limit)}
	}
	if c.agent {
		s = cleanText(s, rule.limit, rule.lines)
	}
	return s, nil
}

// unquoteJSON decodes a valid JSON string.
func unquoteJSON(raw []byte) string {
	if !bytes.ContainsRune(raw, '\\') {
		return strings.ToValidUTF8(string(raw[1:len(raw)-1]), "\ufffd")
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "" // cannot happen: the whole message was valid
	}
	return s
}

func textField[T ~string](c *jsonFields, name string, p *T, rule textRule) {
	if !c.reading {
		if *p != "" || rule.keep {
			c.name(name)
			c.out = jsonrec.AppendString(c.out, string(*p))
		}
		return
	}
	if raw, ok := c.take(name); ok {
		s, wrong := c.decodeText(raw, rule)
		if wrong != nil {
			c.mismatch(name, raw, wrong)
			return
		}
		*p = T(s)
	}
}

// msgType is the "type" of a "msg", by which its struct was chosen.
func (c *jsonFields) msgType(want string) {
	have := want
	textField(c, "type", &have, ruleName)
	if have != want {
		c.fail("type", ErrJSONField, "not the type of this message")
	}
}

// textsField is an array of strings. Nil is absent, empty is written.
func textsField[T ~string](c *jsonFields, name string, p *[]T, limit int, rule textRule) {
	if !c.reading {
		if *p == nil {
			return
		}
		c.name(name)
		c.out = append(c.out, '[')
		for i, s := range *p {
			if i > 0 {
				c.out = append(c.out, ',')
			}
			c.out = jsonrec.AppendString(c.out, string(s))
		}
		c.out = append(c.out, ']')
		return
	}
	raw, items, ok := c.array(name, limit)
	if !ok {
		return
	}
	list := make([]T, 0, len(items))
	for _, item := range items {
		if string(item) == "null" {
			continue
		}
		s, wrong := c.decodeText(item, rule)
		if wrong != nil {
			c.mismatch(name, raw, wrong)
			return
		}
		list = append(list, T(s))
	}
	*p = list
}

// array takes an array of at most limit items.
func (c *jsonFields) array(name string, limit int) (json.RawMessage, []json.RawMessage, bool) {
	raw, ok := c.take(name)
	if !ok {
		return nil, nil, false
	}
	if raw[0] != '[' {
		c.unwanted(name, raw, raw, "an array")
		return nil, nil, false
	}
	items, ok := c.itemsOf(name, raw, limit)
	return raw, items, ok
}

func (c *jsonFields) itemsOf(name string, raw json.RawMessage, limit int) ([]json.RawMessage, bool) {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		c.fail(name, ErrJSONSyntax, "")
		return nil, false
	}
	if len(items) > limit {
		c.fail(name, ErrJSONLimit, strconv.Itoa(len(items))+" items, at most "+strconv.Itoa(limit))
		return nil, false
	}
	return items, true
}

// object takes an object of at most limit members.
func (c *jsonFields) object(name string, limit int) (json.RawMessage, map[string]json.RawMessage, bool) {
	raw, ok := c.take(name)
	if !ok {
		return nil, nil, false
	}
	if raw[0] != '{' {
		c.unwanted(name, raw, raw, "an object")
		return nil, nil, false
	}
	m, ok := c.membersOf(name, raw, limit)
	return raw, m, ok
}

func (c *jsonFields) membersOf(name string, raw json.RawMessage, limit int) (map[string]json.RawMessage, bool) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		c.fail(name, ErrJSONSyntax, "")
		return nil, false
	}
	if len(m) > limit {
		c.fail(name, ErrJSONLimit, strconv.Itoa(len(m))+" members, at most "+strconv.Itoa(limit))
		return nil, false
	}
	return m, true
}

// scalar gives the text of a number or a boolean. An agent's may be quoted, and is cleaned then: if it were not, what is no
// number could become one on its way through Extra.
func (c *jsonFields) scalar(raw json.RawMessage) json.RawMessage {
	if !c.agent || raw[0] != '"' {
		return raw
	}
	return jsonrec.AppendString(nil, cleanText(unquoteJSON(raw), maxJSONSize, true))
}

type integer interface {
	~int | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32
}

// decodeInteger reads a whole number, also one in quotes, as JavaScript compares them equal.
func decodeInteger[T integer](raw json.RawMessage) (T, bool) {
	s := string(raw)
	if raw[0] == '"' {
		s = strings.TrimSpace(unquoteJSON(raw))
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return 0, false
		}
		n = int64(f)
	}
	v := T(n)
	return v, int64(v) == n
}

func intField[T integer](c *jsonFields, name string, p *T, keep bool) {
	if !c.reading {
		if *p != 0 || keep {
			c.name(name)
			c.out = strconv.AppendInt(c.out, int64(*p), 10)
		}
		return
	}
	if raw, ok := c.take(name); ok {
		v, ok := decodeInteger[T](c.scalar(raw))
		if !ok {
			c.unwanted(name, raw, raw, "a whole number in range")
			return
		}
		*p = v
	}
}

// bitsField is a mask of 32 bits. JavaScript's bit operators make signed numbers of them, so negative ones are read too.
func bitsField[T ~uint32](c *jsonFields, name string, p *T, keep bool) {
	if !c.reading {
		intField(c, name, p, keep)
		return
	}
	if raw, ok := c.take(name); ok {
		n, ok := decodeInteger[int64](c.scalar(raw))
		if !ok || n < math.MinInt32 || n > math.MaxUint32 {
			c.unwanted(name, raw, raw, "a mask of 32 bits")
			return
		}
		*p = T(uint32(n))
	}
}

// optional applies a field function to a pointer that is nil when the member is absent.
func optional[T any](c *jsonFields, name string, p **T, field func(c *jsonFields, name string, v *T)) {
	if !c.reading {
		if *p != nil {
			field(c, name, *p)
		}
		return
	}
	raw, there := c.members[name]
	if c.err != nil || !there {
		return
	}
	if string(raw) == "null" {
		delete(c.members, name)
		return
	}
	v := new(T)
	field(c, name, v)
	if _, left := c.members[name]; c.err == nil && !left {
		*p = v
	}
}

func optInt[T integer](c *jsonFields, name string, p **T) {
	optional(c, name, p, func(c *jsonFields, name string, v *T) { intField(c, name, v, true) })
}

func optBits[T ~uint32](c *jsonFields, name string, p **T) {
	optional(c, name, p, func(c *jsonFields, name string, v *T) { bitsField(c, name, v, true) })
}

func optBool(c *jsonFields, name string, p **bool) {
	optional(c, name, p, func(c *jsonFields, name string, v *bool) { boolField(c, name, v, true) })
}

// boolField reads true and false, and 0 and 1 for them.
func boolField(c *jsonFields, name string, p *bool, keep bool) {
	if !c.reading {
		if *p || keep {
			c.name(name)
			c.out = strconv.AppendBool(c.out, *p)
		}
		return
	}
	if raw, ok := c.take(name); ok {
		switch string(c.scalar(raw)) {
		case "true", "1", `"true"`:
			*p = true
		case "false", "0", `"false"`, `""`:
			*p = false
		default:
			c.unwanted(name, raw, raw, "a boolean")
		}
	}
}

func decodeFloat(raw json.RawMessage) (float64, bool) {
	s := string(raw)
	if raw[0] == '"' {
		s = strings.TrimSpace(unquoteJSON(raw))
		if strings.ContainsAny(s, "xXnN_") { // hexadecimal, NaN, Inf: no JSON
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

func appendFloat(b []byte, f float64) ([]byte, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return b, false
	}
	if f == 0 {
		return append(b, '0'), true // also for -0, which JSON.parse would keep
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64), true
}

// optFloat is a number that may have a fraction.
func optFloat(c *jsonFields, name string, p **float64) {
	optional(c, name, p, func(c *jsonFields, name string, v *float64) {
		if !c.reading {
			c.name(name)
			var ok bool
			if c.out, ok = appendFloat(c.out, *v); !ok {
				c.fail(name, ErrJSONField, "not a finite number")
			}
			return
		}
		if raw, ok := c.take(name); ok {
			if *v, ok = decodeFloat(c.scalar(raw)); !ok {
				c.unwanted(name, raw, raw, "a number")
			}
		}
	})
}

// floatsField is an array of numbers; one that the agent could not compute (null) reads as 0.
func floatsField(c *jsonFields, name string, p *[]float64, limit int) {
	if !c.reading {
		if *p == nil {
			return
		}
		c.name(name)
		c.out = append(c.out, '[')
		for i, f := range *p {
			if i > 0 {
				c.out = append(c.out, ',')
			}
			var ok bool
			if c.out, ok = appendFloat(c.out, f); !ok {
				c.fail(name, ErrJSONField, "not a finite number")
			}
		}
		c.out = append(c.out, ']')
		return
	}
	raw, items, ok := c.array(name, limit)
	if !ok {
		return
	}
	list := make([]float64, len(items))
	for i, item := range items {
		if string(item) == "null" {
			continue
		}
		if list[i], ok = decodeFloat(c.scalar(item)); !ok {
			c.unwanted(name, raw, item, "numbers")
			return
		}
	}
	*p = list
}

// rawField is a value of any shape.
func rawField(c *jsonFields, name string, p *json.RawMessage) {
	if !c.reading {
		if *p != nil {
			c.name(name)
			c.raw(name, *p)
		}
		return
	}
	if raw, ok := c.take(name); ok {
		*p = c.cleanRaw(name, raw)
	}
}

// raw appends a value given by the caller.
func (c *jsonFields) raw(name string, raw json.RawMessage) {
	if !json.Valid(raw) {
		c.fail(name, ErrJSONSyntax, "not JSON")
		return
	}
	c.out, _ = appendRaw(c.out, raw, nil)
}

// cleanRaw gives a compact copy of a value that was read; of an agent's, every string and name in it is cleaned.
func (c *jsonFields) cleanRaw(name string, raw json.RawMessage) json.RawMessage {
	var clean func(string) string
	if c.agent {
		clean = func(s string) string { return cleanText(s, maxJSONSize, true) }
	}
	out, longest := appendRaw(make([]byte, 0, len(raw)), raw, clean)
	if longest > maxRawString {
		c.fail(name, ErrJSONLimit, "string of "+strconv.Itoa(longest)+" bytes, at most "+strconv.Itoa(maxRawString))
	}
	return out
}

// maxRawString bounds a string inside a value of unknown shape. Cutting it would corrupt what it means.
const maxRawString = 1 << 20

// appendRaw appends valid JSON without blanks, with each string passed through clean, and tells the longest string.
func appendRaw(b []byte, raw []byte, clean func(string) string) (_ []byte, longest int) {
	for i := 0; i < len(raw); {
		switch c := raw[i]; c {
		case ' ', '\t', '\n', '\r':
			i++
		case '"':
			j := i + 1
			for raw[j] != '"' {
				if raw[j] == '\\' {
					j++
				}
				j++
			}
			j++
			s := unquoteJSON(raw[i:j])
			longest = max(longest, len(s))
			if clean != nil {
				s = clean(s)
			}
			b = jsonrec.AppendString(b, s)
			i = j
		default:
			b = append(b, c)
			i++
		}
	}
	return b, longest
}

// objectField is an object of a known shape; nil is absent.
func objectField[T any](c *jsonFields, name string, p **T, fields func(v *T, c *jsonFields)) {
	if !c.reading {
		if *p != nil {
			c.name(name)
			c.writeObject(name, func(sub *jsonFields) { fields(*p, sub) })
		}
		return
	}
	if _, m, ok := c.object(name, maxJSONValues); ok {
		v := new(T)
		c.readObject(name, m, func(sub *jsonFields) { fields(v, sub) })
		*p = v
	}
}

// objectsField is an array of objects of a known shape; nil is absent.
func objectsField[T any](c *jsonFields, name string, p *[]T, limit int, fields func(v *T, c *jsonFields)) {
	if !c.reading {
		if *p != nil {
			c.name(name)
			c.objects(name, len(*p), func(i int, sub *jsonFields) { fields(&(*p)[i], sub) })
		}
		return
	}
	if raw, items, ok := c.array(name, limit); ok {
		*p = objectItems(c, name, raw, items, fields)
	}
}

// objects writes an array.
func (c *jsonFields) objects(name string, n int, fields func(i int, sub *jsonFields)) {
	c.out = append(c.out, '[')
	for i := range n {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.writeObject(name, func(sub *jsonFields) { fields(i, sub) })
	}
	c.out = append(c.out, ']')
}

// objectItems reads the items of an array; nulls in it are skipped.
func objectItems[T any](c *jsonFields, name string, raw json.RawMessage, items []json.RawMessage, fields func(v *T, c *jsonFields)) []T {
	list := make([]T, 0, len(items))
	for _, item := range items {
		if string(item) == "null" {
			continue
		}
		if item[0] != '{' {
			c.unwanted(name, raw, item, "objects")
			return nil
		}
		m, ok := c.membersOf(name, item, maxJSONValues)
		if !ok {
			return nil
		}
		var v T
		c.readObject(name, m, func(sub *jsonFields) { fields(&v, sub) })
		list = append(list, v)
	}
	return list
}

func (c *jsonFields) readObject(name string, m map[string]json.RawMessage, fields func(sub *jsonFields)) {
	sub := jsonFields{reading: true, agent: c.agent, lenient: c.lenient, members: m, path: c.path + name + "."}
	fields(&sub)
	if c.err == nil {
		c.err = sub.err
	}
}

func (c *jsonFields) writeObject(name string, fields func(sub *jsonFields)) {
	sub := jsonFields{out: append(c.out, '{'), path: c.path + name + "."}
	fields(&sub)
	c.out = append(sub.out, '}')
	if c.err == nil {
		c.err = sub.err
	}
}

// extra is the last call of every fields method: it reads what is left, and writes it back.
func (c *jsonFields) extra(p *map[string]json.RawMessage) {
	if c.reading {
		if c.err != nil || len(c.members) == 0 {
			return
		}
		m := make(map[string]json.RawMessage, len(c.members))
		for name, raw := range c.members {
			if c.agent && name != cleanText(name, ruleName.limit, false) {
				// Cleaned, it could become the name of a known field.
				c.fail(cleanText(name, 64, false), ErrJSONField, "a name that is too long or holds control characters")
				return
			}
			m[name] = c.cleanRaw(name, raw)
		}
		*p = m
		return
	}
	if len(*p) == 0 {
		return
	}
	names := c.names
	for _, name := range sortedKeys(*p) {
		if slices.Contains(names, name) {
			c.fail(name, ErrJSONField, "in Extra, but it has a field of its own")
			return
		}
		c.name(name)
		c.raw(name, (*p)[name])
	}
}

func sortedKeys[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// validUTF8 gives b with invalid bytes replaced, which a TEXT message should never hold.
func validUTF8(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	return bytes.ToValidUTF8(b, []byte("\ufffd"))
}
