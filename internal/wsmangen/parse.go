package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// line is a line of a table: how far it is indented, its words, and the text after the bar.
type line struct {
	depth int
	words []string
	doc   string
	where string
}

// parseLines splits a table. Empty lines and those that start with # say nothing.
func parseLines(file, text string) ([]line, error) {
	var lines []line
	for i, s := range strings.Split(text, "\n") {
		where := fmt.Sprintf("%s:%d", file, i+1)
		trimmed := strings.TrimLeft(s, "\t")
		if strings.TrimSpace(trimmed) == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		if strings.HasPrefix(trimmed, " ") {
			return nil, fmt.Errorf("%s: indent with tabs", where)
		}
		left, doc, _ := strings.Cut(trimmed, "|")
		l := line{depth: len(s) - len(trimmed), words: strings.Fields(left), doc: strings.TrimSpace(doc), where: where}
		// A line that is only text goes on with the text of the line before, if that is as far in as this, or belongs to
		// what is around it.
		if len(l.words) == 0 && len(lines) > 0 && lines[len(lines)-1].depth == l.depth && len(lines[len(lines)-1].words) == 0 {
			lines[len(lines)-1].doc += " " + l.doc
			continue
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// block is a line with those that are further in below it.
type block struct {
	line
	body []block
}

func parseBlocks(lines []line, depth int) (blocks []block, rest []line, err error) {
	for len(lines) > 0 {
		l := lines[0]
		if l.depth < depth {
			break
		}
		if l.depth > depth {
			return nil, nil, fmt.Errorf("%s: too far in", l.where)
		}
		b := block{line: l}
		b.body, lines, err = parseBlocks(lines[1:], depth+1)
		if err != nil {
			return nil, nil, err
		}
		blocks = append(blocks, b)
	}
	return blocks, lines, nil
}

var (
	isName    = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`).MatchString
	isXMLName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`).MatchString
	isClass   = regexp.MustCompile(`^(AMT|CIM|IPS)_[A-Za-z0-9]+$`).MatchString
)

// parseTable reads one file of a family.
func parseTable(f *family, name, file, text string) (*table, error) {
	lines, err := parseLines(file, text)
	if err != nil {
		return nil, err
	}
	blocks, _, err := parseBlocks(lines, 0)
	if err != nil {
		return nil, err
	}
	t := &table{name: name}
	for _, b := range blocks {
		if len(b.words) == 0 {
			return nil, fmt.Errorf("%s: a text outside of everything", b.where)
		}
		var err error
		switch b.words[0] {
		case "enum":
			err = parseEnum(f, t, b)
		case "returns":
			err = parseReturns(f, t, b)
		case "group":
			err = parseGroup(f, b)
		case "class":
			err = parseClass(f, t, b)
		default:
			err = fmt.Errorf("what is %q?", b.words[0])
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.where, err)
		}
	}
	return t, nil
}

func parseEnum(f *family, t *table, b block) error {
	if len(b.words) != 3 || !isName(b.words[1]) {
		return fmt.Errorf("want: enum Name type")
	}
	e := &enum{name: b.words[1], base: b.words[2], where: b.where}
	if f.enums[e.name] != nil {
		return fmt.Errorf("a second enum %s", e.name)
	}
	switch e.base {
	case "uint8", "uint16", "uint32":
	default:
		return fmt.Errorf("an enum of type %s", e.base)
	}
	var err error
	if e.doc, e.values, err = parseValues(b.body); err != nil {
		return err
	}
	if e.doc == "" {
		return fmt.Errorf("enum %s says not what it is", e.name)
	}
	f.enums[e.name] = e
	t.enums = append(t.enums, e)
	return nil
}

func parseReturns(f *family, t *table, b block) error {
	if len(b.words) != 2 || !isName(b.words[1]) {
		return fmt.Errorf("want: returns Name")
	}
	r := &returns{name: b.words[1], where: b.where}
	if f.returns[r.name] != nil {
		return fmt.Errorf("a second returns %s", r.name)
	}
	var err error
	if r.doc, r.values, err = parseValues(b.body); err != nil {
		return err
	}
	f.returns[r.name] = r
	t.returns = append(t.returns, r)
	return nil
}

// parseValues reads the lines "number Name | text" of an enumeration.
func parseValues(body []block) (doc string, values []value, err error) {
	names, numbers := map[string]bool{}, map[uint64]bool{}
	for _, b := range body {
		if len(b.words) == 0 {
			doc = join(doc, b.doc)
			continue
		}
		if len(b.words) != 2 {
			return "", nil, fmt.Errorf("%s: want: number Name", b.where)
		}
		v := value{name: b.words[1], doc: b.doc}
		if v.number, err = strconv.ParseUint(b.words[0], 0, 32); err != nil {
			return "", nil, fmt.Errorf("%s: %w", b.where, err)
		}
		if names[v.name] || numbers[v.number] {
			return "", nil, fmt.Errorf("%s: a second time", b.where)
		}
		names[v.name], numbers[v.number] = true, true
		values = append(values, v)
	}
	if len(values) == 0 {
		return "", nil, fmt.Errorf("no values")
	}
	return doc, values, nil
}

func parseGroup(f *family, b block) error {
	if len(b.words) != 2 || !isName(b.words[1]) {
		return fmt.Errorf("want: group Name")
	}
	g := &group{name: b.words[1], where: b.where}
	if f.groups[g.name] != nil {
		return fmt.Errorf("a second group %s", g.name)
	}
	for _, b := range b.body {
		switch {
		case len(b.words) == 0:
		case b.words[0] == "like":
			g.like = append(g.like, b.words[1:]...)
		case b.words[0] == "method":
			m, err := parseMethod(b)
			if err != nil {
				return fmt.Errorf("%s: %w", b.where, err)
			}
			g.meths = append(g.meths, m)
		default:
			p, err := parseProperty(b)
			if err != nil {
				return fmt.Errorf("%s: %w", b.where, err)
			}
			g.props = append(g.props, p)
		}
	}
	f.groups[g.name] = g
	return nil
}

func parseClass(f *family, t *table, b block) error {
	if len(b.words) < 2 || !isClass(b.words[1]) || !strings.HasPrefix(b.words[1], f.prefix) {
		return fmt.Errorf("want: class %sName", f.prefix)
	}
	c := &class{name: b.words[1], goName: strings.TrimPrefix(b.words[1], f.prefix), where: b.where}
	for _, w := range b.words[2:] {
		if as, ok := strings.CutPrefix(w, "as="); ok {
			c.goName = as
		} else {
			return fmt.Errorf("what is %q?", w)
		}
	}
	if f.classes[c.name] != nil {
		return fmt.Errorf("a second class %s", c.name)
	}
	if !isName(c.goName) {
		return fmt.Errorf("%s is no name for a type", c.goName)
	}
	for _, b := range b.body {
		if err := parseClassLine(c, b); err != nil {
			return fmt.Errorf("%s: %w", b.where, err)
		}
	}
	if c.doc == "" {
		return fmt.Errorf("class %s says not what it is", c.name)
	}
	f.classes[c.name] = c
	t.classes = append(t.classes, c)
	return nil
}

func parseClassLine(c *class, b block) error {
	if len(b.words) == 0 {
		if c.doc == "" {
			c.doc = b.doc
		} else {
			c.notes = append(c.notes, b.doc)
		}
		return nil
	}
	switch b.words[0] {
	case "note":
		c.notes = append(c.notes, b.doc)
	case "since":
		c.since = strings.Join(b.words[1:], " ")
	case "until":
		c.until = strings.Join(b.words[1:], " ")
	case "does":
		c.does = strings.Join(b.words[1:], ", ")
	case "like":
		c.like = append(c.like, b.words[1:]...)
	case "ordered":
		c.ordered = true
	case "method":
		m, err := parseMethod(b)
		if err != nil {
			return err
		}
		c.meths = append(c.meths, m)
	default:
		p, err := parseProperty(b)
		if err != nil {
			return err
		}
		c.props = append(c.props, p)
	}
	return nil
}

func parseMethod(b block) (method, error) {
	m := method{where: b.where, doc: b.doc}
	if len(b.words) < 2 || !isName(b.words[1]) {
		return m, fmt.Errorf("want: method Name")
	}
	m.name = b.words[1]
	for i := 2; i < len(b.words); i++ {
		name, val, _ := strings.Cut(b.words[i], "=")
		switch name {
		case "returns":
			m.returns = val
		case "since":
			m.since = val
		case "until":
			m.until = val
		default:
			return m, fmt.Errorf("what is %q?", b.words[i])
		}
	}
	for _, l := range b.body {
		if len(l.words) == 0 {
			m.doc = join(m.doc, l.doc)
			continue
		}
		direction := l.words[0]
		l.words = l.words[1:]
		p, err := parseProperty(l)
		if err != nil {
			return m, fmt.Errorf("%s: %w", l.where, err)
		}
		switch direction {
		case "in":
			m.ins = append(m.ins, p)
		case "out":
			m.outs = append(m.outs, p)
		default:
			return m, fmt.Errorf("%s: want in or out", l.where)
		}
	}
	return m, nil
}

// parseProperty reads "Name type[] flags | text".
func parseProperty(b block) (property, error) {
	p := property{where: b.where, doc: b.doc}
	for _, l := range b.body {
		if len(l.words) != 0 {
			return p, fmt.Errorf("%s: a property has only text below it", l.where)
		}
		p.doc = join(p.doc, l.doc)
	}
	if len(b.words) < 2 || !isXMLName(b.words[0]) {
		return p, fmt.Errorf("want: Name type")
	}
	p.name = b.words[0]
	p.goName = goName(p.name)
	p.typ, p.array = strings.CutSuffix(b.words[1], "[]")
	for _, w := range b.words[2:] {
		name, val, _ := strings.Cut(w, "=")
		switch name {
		case "key":
			p.key = true
		case "rw":
			p.writable = true
		case "wo":
			p.writable, p.writeOnly = true, true
		case "opt":
			p.optional = true
		case "ptr":
			p.pointer = true
		case "since":
			p.since = val
		case "until":
			p.until = val
		case "unit":
			p.unit = strings.ReplaceAll(val, "_", " ")
		case "as":
			p.goName = val
		default:
			return p, fmt.Errorf("what is %q?", w)
		}
	}
	if p.doc == "" {
		return p, fmt.Errorf("%s says not what it is", p.name)
	}
	return p, nil
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + " " + b
}
