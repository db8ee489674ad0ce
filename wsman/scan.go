package wsman

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// scanner reads the subset of XML that messages consist of into a tree: elements, attributes, text, CDATA, comments, the
// five entities and character references. Document types and processing instructions are refused. Strings of the result
// are parts of the source where nothing had to be decoded.
type scanner struct {
	s      string
	pos    int
	limits Limits

	elements int
	scopes   []scope
	frames   []frame
	closed   []Element // whose parents are open
	arena    []Element // children of closed elements
	attrs    []Attr    // of the element being read
}

// scope is a prefix in force.
type scope struct{ prefix, uri string }

// frame is an open element.
type frame struct {
	el       Element
	qname    string
	scopes   int // how many there were before it
	children int // where its children begin in closed
	more     []byte
}

// maxScopes bounds the prefixes in force, which each lookup goes through.
const maxScopes = 256

// maxNamespace bounds the name of a namespace, which is repeated on each of the elements of it when they are written again.
const maxNamespace = 1024

// ParseElement reads XML that is no envelope: a document with one root.
func ParseElement(b []byte, limits Limits) (*Element, error) {
	root, err := scan(string(b), limits.withDefaults())
	if err != nil {
		return nil, err
	}
	return &root, nil
}

func scan(s string, limits Limits) (Element, error) {
	if len(s) > limits.Size {
		return Element{}, fmt.Errorf("%w: XML of %d bytes", ErrTooLarge, len(s))
	}
	if !utf8.ValidString(s) {
		// Texts of the BIOS are passed on by firmware as they are.
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if strings.IndexByte(s, 0xEF) >= 0 {
		// The two code points of three bytes that are UTF-8 but not XML.
		s = strings.ReplaceAll(strings.ReplaceAll(s, "\uFFFE", "\uFFFD"), "\uFFFF", "\uFFFD")
	}
	sc := scanner{s: strings.TrimPrefix(s, "\uFEFF"), limits: limits}
	// Most messages need no more than these; an element takes four bytes of a message or more.
	count := min(strings.Count(s, "</"), limits.Elements)
	sc.frames = make([]frame, 0, min(count, 8))
	sc.closed = make([]Element, 0, min(count, max(24, min(count/8, 256))))
	sc.scopes = make([]scope, 0, 12)
	sc.arena = make([]Element, 0, count)
	if err := sc.declaration(); err != nil {
		return Element{}, err
	}
	for {
		done, err := sc.next()
		if err != nil {
			return Element{}, err
		}
		if done {
			return sc.closed[0], nil
		}
	}
}

func (sc *scanner) malformed(format string, args ...any) error {
	return fmt.Errorf("%w: XML, byte %d: %s", ErrMalformed, sc.pos, fmt.Sprintf(format, args...))
}

// declaration skips <?xml ... ?>.
func (sc *scanner) declaration() error {
	sc.space()
	if !strings.HasPrefix(sc.s[sc.pos:], "<?xml") {
		return nil
	}
	end := strings.Index(sc.s[sc.pos:], "?>")
	if end < 0 {
		return sc.malformed("the declaration does not end")
	}
	if encoding := declaredEncoding(sc.s[sc.pos : sc.pos+end]); encoding != "" {
		if !strings.EqualFold(encoding, "utf-8") && !strings.EqualFold(encoding, "utf8") && !strings.EqualFold(encoding, "us-ascii") {
			return sc.malformed("the encoding is %s", quoted(encoding))
		}
	}
	sc.pos += end + len("?>")
	return nil
}

// declaredEncoding returns what follows "encoding" in an XML declaration, in quotes.
func declaredEncoding(decl string) string {
	_, rest, _ := strings.Cut(decl, "encoding")
	rest = strings.TrimLeft(rest, "= \t\r\n")
	if rest == "" {
		return ""
	}
	value, _, _ := strings.Cut(rest[1:], rest[:1])
	return value
}

func (sc *scanner) space() {
	for sc.pos < len(sc.s) && isSpace(sc.s[sc.pos]) {
		sc.pos++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func blank(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isSpace(s[i]) {
			return false
		}
	}
	return true
}

// next reads the text up to the next tag, and the tag. It says when the document is done.
func (sc *scanner) next() (bool, error) {
	rest := sc.s[sc.pos:]
	i := strings.IndexByte(rest, '<')
	if i < 0 {
		if len(sc.frames) > 0 {
			return false, sc.malformed("the document ends within %s", quoted(sc.frames[len(sc.frames)-1].qname))
		}
		if !blank(rest) {
			return false, sc.malformed("text outside of the root")
		}
		if len(sc.closed) == 0 {
			return false, sc.malformed("there is no element")
		}
		return true, nil
	}
	if i > 0 {
		text := rest[:i]
		if len(sc.frames) == 0 {
			if !blank(text) {
				return false, sc.malformed("text outside of the root")
			}
		} else if err := sc.text(text); err != nil {
			return false, err
		}
		sc.pos += i
		rest = rest[i:]
	}
	switch {
	case strings.HasPrefix(rest, "</"):
		return false, sc.end()
	case strings.HasPrefix(rest, "<!--"):
		end := strings.Index(rest[4:], "-->")
		if end < 0 {
			return false, sc.malformed("a comment does not end")
		}
		sc.pos += 4 + end + 3
		return false, nil
	case strings.HasPrefix(rest, "<![CDATA["):
		end := strings.Index(rest, "]]>")
		if end < 0 || len(sc.frames) == 0 {
			return false, sc.malformed("CDATA that does not end, or outside of the root")
		}
		sc.add(strings.Map(permitted, strings.ReplaceAll(rest[len("<![CDATA["):end], "\r\n", "\n")))
		sc.pos += end + 3
		return false, nil
	case strings.HasPrefix(rest, "<!"):
		return false, sc.malformed("document types are refused")
	case strings.HasPrefix(rest, "<?"):
		return false, sc.malformed("processing instructions are refused")
	}
	return false, sc.start()
}

// permitted replaces characters that XML does not permit.
func permitted(r rune) rune {
	switch {
	case r == '\r':
		return '\n'
	case r < 0x20 && r != '\n' && r != '\t':
		return utf8.RuneError
	}
	return r
}

// text takes a piece of text of the innermost element.
func (sc *scanner) text(raw string) error {
	f := &sc.frames[len(sc.frames)-1]
	if len(sc.closed) > f.children && blank(raw) {
		return nil // what separates elements
	}
	text, err := sc.decode(raw, false)
	if err != nil {
		return err
	}
	sc.add(text)
	return nil
}

func (sc *scanner) add(text string) {
	f := &sc.frames[len(sc.frames)-1]
	switch {
	case f.more != nil:
		f.more = append(f.more, text...)
	case f.el.Text == "":
		f.el.Text = text
	default:
		f.more = append(append(make([]byte, 0, 2*(len(f.el.Text)+len(text))), f.el.Text...), text...)
	}
}

// start reads a start tag.
func (sc *scanner) start() error {
	sc.pos++ // '<'
	if len(sc.frames) == 0 && len(sc.closed) > 0 {
		return sc.malformed("a second root")
	}
	if len(sc.frames) >= sc.limits.Depth {
		return fmt.Errorf("%w: XML elements nested deeper than %d", ErrTooLarge, sc.limits.Depth)
	}
	if sc.elements++; sc.elements > sc.limits.Elements {
		return fmt.Errorf("%w: more than %d XML elements", ErrTooLarge, sc.limits.Elements)
	}
	f := frame{scopes: len(sc.scopes)}
	var prefix string
	var err error
	if f.qname, prefix, f.el.Name, err = sc.name(); err != nil {
		return err
	}
	closed, err := sc.attributes()
	if err != nil {
		return err
	}
	if len(sc.scopes) > maxScopes {
		return fmt.Errorf("%w: more than %d XML prefixes", ErrTooLarge, maxScopes)
	}
	f.el.Space = sc.lookup(prefix)
	if len(sc.attrs) > 0 {
		f.el.Attrs = make([]Attr, 0, len(sc.attrs))
		for _, a := range sc.attrs {
			// The prefix was put where the namespace goes, as its declaration may follow.
			if a.Space != "" {
				a.Space = sc.lookup(a.Space)
			}
			// What would be a declaration of a namespace if it were written again was none here.
			if a.Space != namespaceXMLNS && (a.Space != "" || a.Name != "xmlns") {
				f.el.Attrs = append(f.el.Attrs, a)
			}
		}
		if len(f.el.Attrs) == 0 {
			f.el.Attrs = nil
		}
	}
	if n := len(sc.frames); n > 0 {
		// Before the first child only: a long text would else be looked through for each of them.
		if parent := &sc.frames[n-1]; parent.children == len(sc.closed) && parent.more == nil && blank(parent.el.Text) {
			parent.el.Text = ""
		}
	}
	f.children = len(sc.closed)
	if closed {
		sc.scopes = sc.scopes[:f.scopes]
		sc.closed = append(sc.closed, f.el)
		return nil
	}
	sc.frames = append(sc.frames, f)
	return nil
}

// attributes reads up to the end of the tag, and says whether it closes itself.
func (sc *scanner) attributes() (bool, error) {
	sc.attrs = sc.attrs[:0]
	for count := 0; ; count++ {
		before := sc.pos
		sc.space()
		if sc.pos >= len(sc.s) {
			return false, sc.malformed("a tag does not end")
		}
		switch sc.s[sc.pos] {
		case '>':
			sc.pos++
			return false, nil
		case '/':
			if !strings.HasPrefix(sc.s[sc.pos:], "/>") {
				return false, sc.malformed("a stray slash")
			}
			sc.pos += 2
			return true, nil
		}
		if before == sc.pos {
			return false, sc.malformed("no blank before an attribute")
		}
		if count >= sc.limits.Attributes {
			return false, fmt.Errorf("%w: an XML element with more than %d attributes", ErrTooLarge, sc.limits.Attributes)
		}
		if err := sc.attribute(); err != nil {
			return false, err
		}
	}
}

func (sc *scanner) attribute() error {
	qname, prefix, local, err := sc.name()
	if err != nil {
		return err
	}
	sc.space()
	if sc.pos >= len(sc.s) || sc.s[sc.pos] != '=' {
		return sc.malformed("attribute %s has no value", quoted(qname))
	}
	sc.pos++
	sc.space()
	if sc.pos >= len(sc.s) || sc.s[sc.pos] != '"' && sc.s[sc.pos] != '\'' {
		return sc.malformed("the value of attribute %s is not quoted", quoted(qname))
	}
	quote := sc.s[sc.pos]
	sc.pos++
	end := strings.IndexByte(sc.s[sc.pos:], quote)
	if end < 0 {
		return sc.malformed("the value of attribute %s does not end", quoted(qname))
	}
	raw := sc.s[sc.pos : sc.pos+end]
	if strings.IndexByte(raw, '<') >= 0 {
		return sc.malformed("a < in the value of attribute %s", quoted(qname))
	}
	value, err := sc.decode(raw, true)
	if err != nil {
		return err
	}
	sc.pos += end + 1
	if qname == "xmlns" {
		prefix, local = "xmlns", "" // it is about names without a prefix
	}
	if prefix != "xmlns" {
		sc.attrs = append(sc.attrs, Attr{Space: prefix, Name: local, Value: value})
		return nil
	}
	if len(value) > maxNamespace {
		return fmt.Errorf("%w: an XML namespace of %d bytes", ErrTooLarge, len(value))
	}
	sc.scopes = append(sc.scopes, scope{local, value})
	return nil
}

// name reads a name with or without a prefix.
func (sc *scanner) name() (qname, prefix, local string, err error) {
	begin, colon := sc.pos, -1
	for ; sc.pos < len(sc.s); sc.pos++ {
		c := sc.s[sc.pos]
		if c == ':' && colon < 0 {
			colon = sc.pos
		} else if !nameByte(c) {
			break
		}
	}
	qname = sc.s[begin:sc.pos]
	local = qname
	if colon >= 0 {
		prefix, local = sc.s[begin:colon], sc.s[colon+1:sc.pos]
		if prefix == "" || !nameStart(prefix[0]) {
			return "", "", "", sc.malformed("%s is no name", quoted(qname))
		}
	}
	if local == "" || !nameStart(local[0]) {
		return "", "", "", sc.malformed("%s is no name", quoted(qname))
	}
	return qname, prefix, local, nil
}

func nameStart(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= utf8.RuneSelf
}

func nameByte(c byte) bool {
	return nameStart(c) || '0' <= c && c <= '9' || c == '-' || c == '.'
}

// lookup returns the namespace of a prefix, or "" for one that was not declared.
func (sc *scanner) lookup(prefix string) string {
	for i := len(sc.scopes) - 1; i >= 0; i-- {
		if sc.scopes[i].prefix == prefix {
			return sc.scopes[i].uri
		}
	}
	if prefix == "xml" {
		return namespaceXML
	}
	return ""
}

// end reads an end tag.
func (sc *scanner) end() error {
	if len(sc.frames) == 0 {
		return sc.malformed("an end tag without a start tag")
	}
	f := &sc.frames[len(sc.frames)-1]
	rest := sc.s[sc.pos+2:]
	if !strings.HasPrefix(rest, f.qname) {
		return sc.malformed("element %s is not ended by its own tag", quoted(f.qname))
	}
	sc.pos += 2 + len(f.qname)
	sc.space()
	if sc.pos >= len(sc.s) || sc.s[sc.pos] != '>' {
		return sc.malformed("element %s is not ended by its own tag", quoted(f.qname))
	}
	sc.pos++
	if f.more != nil {
		f.el.Text = string(f.more)
	}
	if f.el.Name == "Value" && len(sc.frames) > 1 {
		if parent := sc.frames[len(sc.frames)-2].el.Name; parent == "Code" || parent == "Subcode" {
			sc.keepPrefix(&f.el)
		}
	}
	if n := len(sc.closed) - f.children; n > 0 {
		if blank(f.el.Text) {
			f.el.Text = "" // in pieces, with comments between, or written as an entity
		}
		if cap(sc.arena)-len(sc.arena) < n {
			sc.arena = make([]Element, 0, max(n, 32))
		}
		at := len(sc.arena)
		sc.arena = append(sc.arena, sc.closed[f.children:]...)
		f.el.Children = sc.arena[at : at+n : at+n]
		sc.closed = sc.closed[:f.children]
	}
	sc.closed = append(sc.closed, f.el)
	sc.scopes = sc.scopes[:f.scopes]
	sc.frames = sc.frames[:len(sc.frames)-1]
	return nil
}

// keepPrefix notes what the prefix in the code of a fault stands for, "" included.
func (sc *scanner) keepPrefix(el *Element) {
	prefix, local, ok := strings.Cut(strings.TrimSpace(el.Text), ":")
	if !ok {
		prefix, local = "", prefix
	} else if !validName(prefix) {
		return
	}
	if uri := sc.lookup(prefix); uri != "" && validName(local) {
		el.Attrs = append(el.Attrs, Attr{Space: namespaceXMLNS, Name: prefix, Value: uri})
	}
}

// decode replaces entities, once, normalizes line ends, and replaces characters that XML does not permit.
func (sc *scanner) decode(s string, attr bool) (string, error) {
	i := 0
	for i < len(s) && s[i] != '&' && (s[i] >= 0x20 || !attr && (s[i] == '\n' || s[i] == '\t')) {
		i++
	}
	if i == len(s) {
		return s, nil
	}
	b := make([]byte, i, len(s)+8)
	copy(b, s)
	for i < len(s) {
		c := s[i]
		switch {
		case c == '&':
			end := strings.IndexByte(s[i:min(len(s), i+12)], ';')
			if end < 0 {
				return "", sc.malformed("an ampersand that begins no entity")
			}
			var err error
			if b, err = sc.entity(b, s[i+1:i+end]); err != nil {
				return "", err
			}
			i += end + 1
			continue
		case c == '\r':
			if i+1 < len(s) && s[i+1] == '\n' {
				i++
			}
			c = '\n'
			fallthrough
		case c == '\n', c == '\t':
			if attr {
				c = ' '
			}
			b = append(b, c)
		case c < 0x20:
			b = utf8.AppendRune(b, utf8.RuneError)
		default:
			b = append(b, c)
		}
		i++
	}
	return string(b), nil
}

func (sc *scanner) entity(b []byte, name string) ([]byte, error) {
	switch name {
	case "amp":
		return append(b, '&'), nil
	case "lt":
		return append(b, '<'), nil
	case "gt":
		return append(b, '>'), nil
	case "quot":
		return append(b, '"'), nil
	case "apos":
		return append(b, '\''), nil
	}
	digits, numeric := strings.CutPrefix(name, "#")
	base := 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if !numeric || err != nil || strings.HasPrefix(digits, "+") {
		return nil, sc.malformed("unknown entity %s", quoted(name))
	}
	r := rune(utf8.RuneError)
	if n <= utf8.MaxRune && (n >= 0x20 || n == '\t' || n == '\n' || n == '\r') && n != 0xFFFE && n != 0xFFFF {
		r = rune(n)
	}
	return utf8.AppendRune(b, r), nil
}
